import TestSupport
import Testing
import TraceCore

/// Span messages read back by hand, field by field: limits, overwriting, names, statuses, times.
@Suite struct SpanEncodingTests {
    static let key = AttributeKey("key")

    private static func text(_ byteCount: Int, _ letter: Character = "x") -> String {
        String(repeating: letter, count: byteCount)
    }

    // MARK: What every span has

    @Test(
        "Ids, kind, times, flags and parent stand where they belong", arguments: SpanKind.allCases)
    func header(kind: SpanKind) throws {
        let identity = SpanIdentity(
            traceID: TraceID(high: 0x0102_0304_0506_0708, low: 0x090a_0b0c_0d0e_0f10),
            spanID: SpanID(rawValue: 0xf1f2_f3f4_f5f6_f7f8))
        let root = try CoreHarness.one { tracer in
            tracer.startSpan("root", kind: kind, at: 1_000, identity: identity).end(at: 2_000)
        }
        #expect(root.traceID == "0102030405060708090a0b0c0d0e0f10")
        #expect(root.spanID == "f1f2f3f4f5f6f7f8" && root.parentSpanID == "")
        #expect(root.kind == UInt64(kind.rawValue) && root.name == "root")
        #expect(root.startUnixNano == 1_000 && root.endUnixNano == 2_000)
        // Sampled and random; it is known that there is no remote parent.
        #expect(root.flags == 0x103)
        #expect(root.statusCode == 0 && root.traceState == "")
    }

    @Test(
        "Flags tell a remote parent and keep the random bit as it came",
        arguments: [false, true], [TraceFlags.sampled, [.sampled, .random], .random, []])
    func parentFlags(isRemote: Bool, flags: TraceFlags) throws {
        let state = try #require(TraceState(header: "vendor=value,ot=th:8"))
        let parent = SpanContext(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(rawValue: 3), flags: flags,
            traceState: state, isRemote: isRemote)
        let child = try CoreHarness.one { tracer in
            tracer.startSpan(
                "child", parent: parent,
                identity: SpanIdentity(
                    traceID: TraceID(high: 9, low: 9), spanID: SpanID(rawValue: 4))
            ).end()
        }
        #expect(child.traceID == hexDigits([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]))
        #expect(child.parentSpanID == "0000000000000003" && child.spanID == "0000000000000004")
        let random: UInt32 = flags.contains(.random) ? 2 : 0
        #expect(child.flags == 0x101 | random | (isRemote ? 0x200 : 0))
        #expect(child.traceState == "vendor=value,ot=th:8")
    }

    @Test("An invalid parent makes a root")
    func invalidParent() throws {
        for parent in [
            SpanContext.invalid,
            SpanContext(traceID: TraceID(high: 1, low: 1), spanID: SpanID(rawValue: 0)),
            SpanContext(traceID: TraceID(high: 0, low: 0), spanID: SpanID(rawValue: 1)),
        ] {
            let span = try CoreHarness.one { $0.startSpan("root", parent: parent).end() }
            #expect(
                span.parentSpanID == ""
                    && span.traceID != hexDigits([UInt8](repeating: 0, count: 16)))
            #expect(span.flags == 0x103)
        }
    }

    @Test("A long trace state is kept as long as it fits the slot", arguments: [1, 100, 500, 600])
    func longTraceState(byteCount: Int) throws {
        var members: [String] = []
        var count = 0
        while count < byteCount {
            let member = "k\(members.count)=" + Self.text(min(200, byteCount - count))
            members.append(member)
            count += member.count + 1
        }
        let header = members.joined(separator: ",")
        let parent = SpanContext(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(rawValue: 3), flags: .sampled,
            traceState: try #require(TraceState(header: header)))
        let span = try CoreHarness.one { tracer in
            let span = tracer.startSpan(named: "a name of its own", parent: parent)
            span.setAttribute(Self.key, 1)
            span.updateName("another")
            span.end()
        }
        #expect(span.traceState == header && span.name == "another" && span["key"] == .int(1))
    }

    @Test("An end before the start is the start")
    func clampedEnd() throws {
        let span = try CoreHarness.one { $0.startSpan("span", at: 5_000).end(at: 4_999) }
        #expect(span.startUnixNano == 5_000 && span.endUnixNano == 5_000)
        // A start in the future, and an end by the clock.
        let future = UInt64.max - 1
        let later = try CoreHarness.one { $0.startSpan("span", at: future).end() }
        #expect(later.endUnixNano == future)
        let extremes = try CoreHarness.one { $0.startSpan("span", at: 0).end(at: .max) }
        #expect(extremes.startUnixNano == 0 && extremes.endUnixNano == .max)
    }

    // MARK: Attributes

    @Test(
        "Integers, doubles and flags of any value come back",
        arguments: [0, 1, -1, 127, 128, 16_383, 16_384, Int(Int64.max), Int(Int64.min)])
    func numbers(value: Int) throws {
        let double = Double(
            bitPattern: UInt64(bitPattern: Int64(value)) &* 0x9E37_79B9_7F4A_7C15 >> 2)
        let span = try CoreHarness.one { tracer in
            let span = tracer.startSpan("span")
            span.setAttribute(AttributeKey("int"), value)
            span.setAttribute(AttributeKey("double"), double)
            span.setAttribute(AttributeKey("bool"), value & 1 == 1)
            span.end()
        }
        #expect(
            span.attributes == [
                .init(key: "int", value: .int(Int64(value))),
                .init(key: "double", value: .double(double)),
                .init(key: "bool", value: .bool(value & 1 == 1)),
            ])
    }

    @Test(
        "Overwriting keeps place, order and neighbours, by values of any size",
        arguments: [0, 3, 3, 100, 400, 5_000, 9_000], [0, 3, 5, 120, 700, 4_150, 10_000])
    func overwrite(old: Int, new: Int) throws {
        for others in [0, 3, 60] {
            let span = try CoreHarness.one { tracer in
                let span = tracer.startSpan(named: "dynamic name")
                span.setAttribute(AttributeKey("before"), 1)
                span.setAttribute(Self.key, string: Self.text(old, "o"))
                for number in 0..<others {
                    span.setAttribute(AttributeKey("other \(number)"), number)
                }
                span.addEvent(SpanName("event"), at: 7)
                span.setAttribute(Self.key, string: Self.text(new, "n"))
                span.setAttribute(AttributeKey("after"), true)
                // And once more by another type.
                span.setAttribute(AttributeKey("before"), 2.5)
                span.end()
            }
            let expected: [ReadSpan.Attribute] =
                [
                    .init(key: "before", value: .double(2.5)),
                    .init(key: "key", value: .string(Self.text(new, "n"))),
                ]
                + (0..<others).map { .init(key: "other \($0)", value: .int(Int64($0))) }
                + [.init(key: "after", value: .bool(true))]
            #expect(span.attributes == expected && span.droppedAttributes == 0)
            #expect(span.events == [.init(timeUnixNano: 7, name: "event")])
            #expect(span.name == "dynamic name")
        }
    }

    @Test("Against a model: random keys, values and calls", arguments: 0..<40 as Range<UInt64>)
    func model(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var limits = SpanLimits()
        limits.attributeCount = [128, 5, 1, 30][Int(seed % 4)]
        var keys: [String] = []
        for number in 0..<25 {
            keys.append(Self.text(1 + Int(generator.next() % 40), "k") + "\(number)")
        }
        var expected: [ReadSpan.Attribute] = []
        var dropped: UInt64 = 0
        func note(_ key: String, _ value: ReadSpan.Value) {
            if let index = expected.firstIndex(where: { $0.key == key }) {
                expected[index].value = value
            } else if expected.count < limits.attributeCount {
                expected.append(.init(key: key, value: value))
            } else {
                dropped += 1
            }
        }
        let span = try CoreHarness.one(limits: limits) { tracer in
            let span = tracer.startSpan("span")
            for _ in 0..<120 {
                let name = generator.pick(keys)
                let key = AttributeKey(name)
                switch generator.next() % 5 {
                case 0:
                    let value = Int(truncatingIfNeeded: generator.next() >> (generator.next() % 60))
                    span.setAttribute(key, value)
                    note(name, .int(Int64(value)))
                case 1:
                    let size = generator.oneIn(10) ? 2_000 : 30
                    let value = Self.text(Int(generator.next() % UInt64(size)), "é")
                    span.setAttribute(key, string: value)
                    note(name, .string(value))
                case 2:
                    span.setAttribute(key, "literal" as StaticString)
                    note(name, .string("literal"))
                case 3:
                    var list = SpanAttributes()
                    for _ in 0..<1 + generator.next() % 4 {
                        let name = generator.pick(keys)
                        list.set(AttributeKey(name), 1.5)
                    }
                    span.setAttributes(list)
                    for name in listed(list, of: keys) { note(name, .double(1.5)) }
                default:
                    span.setAttribute(key, generator.oneIn(2))
                    // The same coin cannot be read twice: set it again to what is noted.
                    span.setAttribute(key, true)
                    let before = dropped
                    note(name, .bool(true))
                    dropped += dropped - before
                }
            }
            span.end()
        }
        #expect(span.attributes == expected)
        #expect(span.droppedAttributes == dropped)
    }

    /// The keys of a list in its order, by way of a span that takes it whole.
    private func listed(_ list: SpanAttributes, of keys: [String]) -> [String] {
        let span = try? CoreHarness.one { tracer in
            tracer.startSpan("span", attributes: list).end()
        }
        return span?.attributes.map(\.key) ?? []
    }

    @Test("An empty key sets nothing; an empty string is a value")
    func emptyKey() throws {
        let span = try CoreHarness.one { tracer in
            let span = tracer.startSpan("span")
            span.setAttribute(AttributeKey(""), 1)
            span.setAttribute(AttributeKey(""), string: Self.text(300))
            var list = SpanAttributes()
            list.set(AttributeKey(""), 1)
            list.set(AttributeKey("in the list"), "")
            span.setAttributes(list)
            span.setAttribute(AttributeKey("alone"), string: "")
            span.end()
        }
        #expect(
            span.attributes == [
                .init(key: "in the list", value: .string("")),
                .init(key: "alone", value: .string("")),
            ])
        #expect(span.droppedAttributes == 0)
    }

    @Test("Keys that Swift holds equal but that differ in their bytes are two")
    func canonicalEquivalence() throws {
        let (composed, decomposed) = ("\u{e9}", "e\u{301}")
        let span = try CoreHarness.one { tracer in
            let span = tracer.startSpan("span")
            span.setAttribute(AttributeKey(composed), 1)
            span.setAttribute(AttributeKey(decomposed), 2)
            span.end()
        }
        #expect(span.attributes.map { Array($0.key.utf8) } == [[0xc3, 0xa9], [0x65, 0xcc, 0x81]])
        let names = try [composed, decomposed].map { name in
            try CoreHarness.one { $0.startSpan(SpanName(name)).end() }.name
        }
        #expect(names.map { Array(($0 ?? "").utf8) } == [[0xc3, 0xa9], [0x65, 0xcc, 0x81]])
    }

    @Test("Keys that fall on one filter bit stay apart")
    func filterCollisions() throws {
        // 256 bits, 600 keys: plenty of collisions.
        var limits = SpanLimits()
        limits.attributeCount = 1_000
        let names = (0..<600).map { "k\($0)" }
        let span = try CoreHarness.one(limits: limits) { tracer in
            let span = tracer.startSpan("span")
            for (number, name) in names.enumerated() {
                span.setAttribute(AttributeKey(name), number)
            }
            span.end()
        }
        #expect(span.attributes.map(\.key) == names)
        #expect(span.attributes.map(\.value) == (0..<600).map { .int(Int64($0)) })
    }

    // MARK: Limits

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
        list.set(Self.key, Self.text(byteCount))
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
                $0.attributes == [.init(key: "key", value: .string(Self.text(byteCount)))]
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

    // MARK: Status

    @Test(
        "Ok is final, error beats unset, unset changes nothing, only an error has a message",
        arguments: [
            ([(SpanStatus.unset, "a")], 0, ""), ([(.ok, "a")], 1, ""), ([(.error, "a")], 2, "a"),
            ([(.error, "a"), (.ok, "b")], 1, ""), ([(.ok, "a"), (.error, "b")], 1, ""),
            ([(.error, "a"), (.error, "b")], 2, "b"), ([(.error, "a"), (.unset, "b")], 2, "a"),
            ([(.error, "a"), (.error, "")], 2, ""), ([(.ok, ""), (.unset, "")], 1, ""),
            ([(.unset, ""), (.error, "é")], 2, "é"),
        ] as [([(SpanStatus, String)], UInt64, String)])
    func status(calls: [(SpanStatus, String)], code: UInt64, message: String) throws {
        let span = try CoreHarness.one { tracer in
            let span = tracer.startSpan("span")
            for (status, message) in calls { span.setStatus(status, message) }
            span.end()
        }
        #expect(span.statusCode == code && span.statusMessage == message)
    }

    @Test(
        "A status message is cut to a block at a whole scalar",
        arguments: [0, 1, 127, 4_159, 4_160, 4_161, 9_000])
    func longStatus(byteCount: Int) throws {
        for letter in ["x", "é", "日", "😀"] as [Character] {
            let size = String(letter).utf8.count
            let message = Self.text(byteCount / size, letter)
            let span = try CoreHarness.one { tracer in
                let span = tracer.startSpan("span")
                span.setStatus(.error, "shorter")
                span.setStatus(.error, message)
                span.end()
            }
            #expect(span.statusMessage == Self.text(min(byteCount, 4_160) / size, letter))
        }
    }

    // MARK: Names

    enum Naming: CaseIterable {
        case interned
        case literal
        case dynamic
        case dynamicLong
        case dynamicHuge
        case empty

        var text: String {
            switch self {
            case .interned: "interned"
            case .literal: "literal"
            case .dynamic: "dynamic"
            case .dynamicLong: SpanEncodingTests.text(1_500, "l")
            case .dynamicHuge: SpanEncodingTests.text(4_160, "h")
            case .empty: ""
            }
        }
    }

    @Test(
        "A name set at the start or later is the name, alone", arguments: Naming.allCases,
        Naming.allCases)
    func names(first: Naming, second: Naming) throws {
        for third in [nil] + Naming.allCases.map(Optional.some) {
            let span = try CoreHarness.one { tracer in
                let span =
                    switch first {
                    case .interned: tracer.startSpan(SpanName("interned"))
                    case .literal: tracer.startSpan("literal")
                    default: tracer.startSpan(named: first.text)
                    }
                span.setAttribute(Self.key, 1)
                update(span, second)
                span.setAttribute(AttributeKey("more"), string: Self.text(100))
                if let third { update(span, third) }
                span.end()
            }
            #expect(span.name == (third ?? second).text)
            #expect(span.attributes.map(\.key) == ["key", "more"])
        }
    }

    private func update(_ span: ActiveSpan, _ naming: Naming) {
        switch naming {
        case .interned: span.updateName(SpanName("interned"))
        case .literal: span.updateName("literal")
        default: span.updateName(naming.text)
        }
    }

    @Test("Without a free block a name keeps what it was")
    func nameWithoutBlock() throws {
        for isDynamic in [false, true] {
            let harness = try CoreHarness { $0.blocksMax = 1 }
            let hoarder = harness.tracer.startSpan("hoarder")
            hoarder.setStatus(.error, "takes the block")
            let span =
                isDynamic
                ? harness.tracer.startSpan(named: "first") : harness.tracer.startSpan("first")
            span.setAttribute(Self.key, 1)
            span.updateName("made at run time")
            span.end()
            let read = try #require(try harness.drain().first)
            #expect(read.name == "first" && read["key"] == .int(1))
            hoarder.end()
        }
    }

    @Test(
        "A name longer than a block is cut when it is set later, whole when the span starts with it"
    )
    func hugeNames() throws {
        let name = Self.text(5_000, "é")
        let updated = try CoreHarness.one { tracer in
            let span = tracer.startSpan("span")
            span.updateName(name)
            span.end()
        }
        #expect(updated.name == Self.text(2_080, "é"))
        let started = try CoreHarness.one { $0.startSpan(named: name).end() }
        #expect(started.name == name)
        let interned = try CoreHarness.one { tracer in
            let span = tracer.startSpan("span")
            span.updateName(SpanName(name))
            span.end()
        }
        #expect(interned.name == name)
    }
}
