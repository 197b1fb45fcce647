import TestSupport
import Testing
import TraceCore

/// The six limits, and events and links within them: what is dropped, what is counted, what is cut.
@Suite struct SpanLimitTests {
    static let key = AttributeKey("key")

    @Test(
        "Attributes beyond the limit are dropped and counted; present keys are set still",
        arguments: [0, 1, 3, 128])
    func attributeCountLimit(limit: Int) throws {
        var limits = SpanLimits()
        limits.attributeCount = limit
        for asList in [false, true] {
            let span = try CoreHarness.one(limits: limits) { tracer in
                let span = tracer.startSpan("span")
                if asList {
                    span.setAttributes(SpanAttributes((0..<130).map { ("k\($0)", $0) }))
                } else {
                    for number in 0..<130 { span.setAttribute(AttributeKey("k\(number)"), number) }
                }
                if limit > 0 { span.setAttribute(AttributeKey("k0"), 77) }
                span.end()
            }
            #expect(span.attributes.count == limit && span.droppedAttributes == UInt64(130 - limit))
            if limit > 0 { #expect(span["k0"] == .int(77)) }
            #expect(span.attributes.map(\.key) == (0..<limit).map { "k\($0)" })
        }
    }

    @Test("Limits below zero are zero; no limit on values is none")
    func oddLimits() throws {
        var limits = SpanLimits()
        limits.attributeCount = -1
        limits.eventCount = -5
        limits.linkCount = .min
        let span = try CoreHarness.one(limits: limits) { tracer in
            let span = tracer.startSpan(
                "span", attributes: SpanAttributes([("a", 1)]),
                links: [SpanLink(context: .invalid)])
            span.addEvent(SpanName("event"))
            span.end()
        }
        #expect(span.attributes == [] && span.events == [] && span.links == [])
        #expect(span.droppedAttributes == 1 && span.droppedEvents == 1 && span.droppedLinks == 1)
    }

    @Test(
        "Values are cut at whole Unicode scalars",
        arguments: [
            (0, "", ""), (0, "a", ""), (3, "abc", "abc"), (3, "abcd", "abc"),
            (2, "éàü", "éà"), (2, "日本語", "日本"), (1, "😀😀", "😀"),
            // A scalar is not a character: the accent goes, the flag is halved.
            (1, "e\u{301}", "e"), (1, "🇩🇪", "\u{1F1E9}"),
        ])
    func valueLength(limit: Int, value: String, expected: String) throws {
        var limits = SpanLimits()
        limits.attributeValueLength = limit
        var list = SpanAttributes()
        list.set(AttributeKey("list"), value)
        list.set(AttributeKey("number"), 123_456)
        let span = try CoreHarness.one(limits: limits) { tracer in
            let span = tracer.startSpan("span", attributes: list)
            span.setAttribute(AttributeKey("string"), string: value)
            span.setAttribute(AttributeKey("utf8"), utf8: value.utf8.span)
            span.setAttribute(AttributeKey("again"), 1)
            span.setAttribute(AttributeKey("again"), string: value)
            span.addEvent(SpanName("a long name is no attribute"), at: 1, attributes: list)
            span.addLink(.invalid, attributes: list)
            span.setStatus(.error, "nor is a message")
            span.end()
        }
        let cut = ReadSpan.Value.string(expected)
        for key in ["list", "string", "utf8", "again"] {
            #expect(span[key].map { "\($0)" } == "\(cut)", "\(key)")
        }
        #expect(span["number"] == .int(123_456))
        #expect(
            span.events[0].attributes.map(\.value).map { "\($0)" } == ["\(cut)", "int(123456)"])
        #expect(span.links[0].attributes.map(\.value).map { "\($0)" } == ["\(cut)", "int(123456)"])
        #expect(span.events[0].name == "a long name is no attribute")
        #expect(span.statusMessage == "nor is a message")
        #expect(span.droppedAttributes == 0)
        // Bytes, not what Swift holds equal.
        guard case .string(let found)? = span["string"] else { return }
        #expect(Array(found.utf8) == Array(expected.utf8))
    }

    @Test("Events and links beyond their limits are dropped and counted", arguments: [0, 1, 128])
    func eventAndLinkLimits(limit: Int) throws {
        var limits = SpanLimits()
        limits.eventCount = limit
        limits.linkCount = limit
        let span = try CoreHarness.one(limits: limits) { tracer in
            let span = tracer.startSpan("span", links: [SpanLink(context: .invalid)])
            for number in 0..<130 as Range<UInt64> {
                span.addEvent(SpanName("event"), at: number)
                if number > 0 { span.addLink(.invalid) }
            }
            span.end()
        }
        #expect(span.events.map(\.timeUnixNano) == (0..<UInt64(limit)).map { $0 })
        #expect(span.links.count == limit)
        #expect(
            span.droppedEvents == UInt64(130 - limit) && span.droppedLinks == UInt64(130 - limit))
    }

    @Test("Attributes of events and links have limits of their own", arguments: [0, 1, 3, 128])
    func nestedLimits(limit: Int) throws {
        var limits = SpanLimits()
        limits.attributeCountPerEvent = limit
        limits.attributeCountPerLink = limit + 1
        let list = SpanAttributes((0..<5).map { ("k\($0)", $0) })
        let span = try CoreHarness.one(limits: limits) { tracer in
            let span = tracer.startSpan("span")
            span.addEvent(SpanName("event"), at: 1, attributes: list)
            span.addLink(.invalid, attributes: list)
            span.end()
        }
        let kept = (0..<5).map { ReadSpan.Attribute(key: "k\($0)", value: .int(Int64($0))) }
        #expect(span.events[0].attributes == Array(kept.prefix(limit)))
        #expect(span.events[0].droppedAttributes == UInt64(max(0, 5 - limit)))
        #expect(span.links[0].attributes == Array(kept.prefix(limit + 1)))
        #expect(span.links[0].droppedAttributes == UInt64(max(0, 4 - limit)))
        #expect(span.droppedAttributes == 0)
    }

    // MARK: Events and links

    @Test(
        "A link carries its context, its trace state and where it came from",
        arguments: [false, true])
    func link(isRemote: Bool) throws {
        let context = SpanContext(
            traceID: TraceID(high: 0xa, low: 0xb), spanID: SpanID(rawValue: 0xc),
            flags: [.sampled], traceState: try #require(TraceState(header: "k=v")),
            isRemote: isRemote)
        let span = try CoreHarness.one { tracer in
            let span = tracer.startSpan(
                "span", links: [SpanLink(context: context, attributes: SpanAttributes([("a", 1)]))])
            span.addLink(context)
            span.end()
        }
        let expected = ReadSpan.Link(
            traceID: "000000000000000a000000000000000b", spanID: "000000000000000c",
            traceState: "k=v", flags: 0x101 | (isRemote ? 0x200 : 0))
        var first = expected
        first.attributes = [.init(key: "a", value: .int(1))]
        #expect(span.links == [first, expected])
    }

    @Test("Events of any size follow each other", arguments: [0, 100, 700, 4_160, 20_000])
    func eventSizes(byteCount: Int) throws {
        var list = SpanAttributes()
        list.set(Self.key, SpanEncodingTests.text(byteCount))
        let span = try CoreHarness.one { tracer in
            let span = tracer.startSpan("span")
            for time in 1...5 as ClosedRange<UInt64> {
                span.addEvent(SpanName("event"), at: time, attributes: list)
            }
            span.setAttribute(AttributeKey("last"), 1)
            span.end()
        }
        #expect(span.events.map(\.timeUnixNano) == [1, 2, 3, 4, 5])
        #expect(
            span.events.allSatisfy {
                $0.attributes == [
                    .init(key: "key", value: .string(SpanEncodingTests.text(byteCount)))
                ]
            })
        #expect(span["last"] == .int(1))
    }

    @Test(
        "An exception is an event with the conventional attributes",
        arguments: ["", "at line 1\nat line 2"])
    func exception(stacktrace: String) throws {
        let span = try CoreHarness.one { tracer in
            let span = tracer.startSpan("span")
            span.recordException(
                type: "Overflow", message: "too much", stacktrace: stacktrace, at: 9)
            span.end()
        }
        var attributes: [ReadSpan.Attribute] = [
            .init(key: "exception.type", value: .string("Overflow")),
            .init(key: "exception.message", value: .string("too much")),
        ]
        if !stacktrace.isEmpty {
            attributes.append(.init(key: "exception.stacktrace", value: .string(stacktrace)))
        }
        #expect(span.events == [.init(timeUnixNano: 9, name: "exception", attributes: attributes)])
    }

    @Test("An event without a time has one between start and end")
    func eventTime() throws {
        let span = try CoreHarness.one { tracer in
            let span = tracer.startSpan("span")
            span.addEvent(SpanName("event"))
            span.end()
        }
        #expect(span.startUnixNano <= span.events[0].timeUnixNano)
        #expect(span.events[0].timeUnixNano <= span.endUnixNano)
    }
}
