import OTLPDefinition
import TestSupport
import Testing
import TraceCore

/// Places where an encoder goes wrong: lengths around every boundary, values that look absent,
/// calls in the wrong order. Each span is read back with swift-protobuf.
@Suite struct EncodingEdgeTests {
    /// Records whatever `body` does to a tracer and gives back the spans in order of their end.
    private func spans(
        limits: SpanLimits = SpanLimits(), _ body: (Tracer) throws -> Void
    ) throws -> [OTLPSpan] {
        var options = RecorderOptions()
        options.queueSpans = 1 << 14
        options.queueBytesMax = 1 << 28
        let recorder = try SpanRecorder(options: options)
        let provider = TracerProvider(
            recorder: recorder, resource: Resource(serviceName: "edge"), sampler: .alwaysOn,
            limits: limits)
        try body(provider.tracer(name: "edge"))
        var found: [OTLPSpan] = []
        var requestBody = ExportBody()
        while recorder.queue.fill(&requestBody, spans: 512) > 0 {
            let bytes = unsafe Array(requestBody.bytes)
            found += try DecodedRequest(bytes: bytes).spans
        }
        return found
    }

    private func text(_ byteCount: Int) -> String {
        String(repeating: "abcdefghijklmnopqrstuvwxyz", count: byteCount / 26 + 1).prefix(byteCount)
            .description
    }

    @Test("A value of any length survives, wherever the slot and its blocks end")
    func everyValueLength() throws {
        let lengths = Array(0...1100) + Array(4000...4400) + Array(8100...8500) + [65_536, 300_000]
        let key = AttributeKey("k")
        let found = try spans { tracer in
            for length in lengths {
                let span = tracer.startSpan("length")
                span.setAttribute(key, string: text(length))
                span.end()
            }
        }
        #expect(found.count == lengths.count)
        for (length, span) in zip(lengths, found) {
            #expect(span.attributes.count == 1 && span.droppedAttributesCount == 0)
            #expect(span.attributes.first?.value.stringValue == text(length), "\(length) bytes")
        }
    }

    @Test("A second attribute survives behind a first of any length")
    func everyRemainder() throws {
        let first = AttributeKey("first")
        let second = AttributeKey("second")
        let lengths = Array(500...1000) + Array(4000...4300)
        let found = try spans { tracer in
            for length in lengths {
                let span = tracer.startSpan("length")
                span.setAttribute(first, string: text(length))
                span.setAttribute(second, -1)
                span.end()
            }
        }
        #expect(found.count == lengths.count)
        for (length, span) in zip(lengths, found) {
            #expect(span.attributes.map(\.key) == ["first", "second"], "\(length) bytes")
            #expect(span.attributes.last?.value.intValue == -1)
            #expect(span.attributes.first?.value.stringValue.utf8.count == length)
        }
    }

    @Test("Overwriting with a shorter or longer value keeps place and neighbours")
    func overwriting() throws {
        let keys = (0..<3).map { AttributeKey("key\($0)") }
        let lengths = [0, 1, 10, 126, 127, 128, 129, 600, 1000, 4096, 9000]
        let pairs = lengths.flatMap { old in lengths.map { (old, $0) } }
        let found = try spans { tracer in
            for (old, new) in pairs {
                let span = tracer.startSpan("overwrite")
                span.setAttribute(keys[0], true)
                span.setAttribute(keys[1], string: text(old))
                span.setAttribute(keys[2], 2.5)
                span.setAttribute(keys[1], string: text(new))
                span.end()
            }
        }
        #expect(found.count == pairs.count)
        for ((old, new), span) in zip(pairs, found) {
            #expect(span.attributes.map(\.key) == ["key0", "key1", "key2"], "\(old) → \(new)")
            #expect(span.attributes[1].value.stringValue == text(new), "\(old) → \(new)")
            #expect(span.attributes[2].value.doubleValue == 2.5)
        }
    }

    @Test("Zero, false and empty are values, not absences")
    func emptyValues() throws {
        let found = try spans { tracer in
            let span = tracer.startSpan("empty")
            span.setAttribute(AttributeKey("int"), 0)
            span.setAttribute(AttributeKey("bool"), false)
            span.setAttribute(AttributeKey("double"), 0.0)
            span.setAttribute(AttributeKey("string"), string: "")
            span.setAttribute(AttributeKey("static"), "" as StaticString)
            span.setAttribute(AttributeKey("utf8"), utf8: [UInt8]().span)
            span.setAttribute(AttributeKey("nowhere"), utf8: Span<UInt8>())
            span.end()
        }
        let attributes = try #require(found.first).attributes
        #expect(
            attributes.map(\.key) == [
                "int", "bool", "double", "string", "static", "utf8", "nowhere",
            ])
        #expect(
            attributes.map(\.value.value) == [
                .intValue(0), .boolValue(false), .doubleValue(0), .stringValue(""),
                .stringValue(""), .stringValue(""), .stringValue(""),
            ])
    }

    @Test("NaN keeps its bits")
    func notANumber() throws {
        let payload = Double(nan: 0x1234, signaling: false)
        let found = try spans { tracer in
            let span = tracer.startSpan("nan")
            span.setAttribute(AttributeKey("nan"), payload)
            span.end()
        }
        let value = try #require(found.first?.attributes.first?.value.doubleValue)
        #expect(value.bitPattern == payload.bitPattern)
    }

    @Test("Literals of one scalar, names and values alike, arrive whole")
    func literals() throws {
        let found = try spans { tracer in
            let span = tracer.startSpan("é", kind: .consumer)
            span.setAttribute(AttributeKey("scalar"), "🔑" as StaticString)
            span.setAttribute(AttributeKey("text"), "übung" as StaticString)
            span.end()
        }
        let span = try #require(found.first)
        #expect(span.name == "é" && span.kind == .consumer)
        #expect(span.attributes.map(\.value.stringValue) == ["🔑", "übung"])
    }

    @Test("Keys that are equal for Swift but not in bytes are two keys")
    func canonicallyEqualKeys() throws {
        let found = try spans { tracer in
            let span = tracer.startSpan("keys")
            span.setAttribute(AttributeKey("caf\u{E9}"), 1)
            span.setAttribute(AttributeKey("cafe\u{301}"), 2)
            span.end()
        }
        let keys = try #require(found.first).attributes.map { Array($0.key.utf8) }
        #expect(keys == [Array("caf\u{E9}".utf8), Array("cafe\u{301}".utf8)])
    }

    @Test("Ok is final, an error beats unset, and only an error has a message")
    func statusOrder() throws {
        let found = try spans { tracer in
            let calls: [[(SpanStatus, String)]] = [
                [(.ok, "ignored")], [(.error, "first"), (.error, "second")],
                [(.error, "gone"), (.ok, "")], [(.ok, ""), (.error, "late")],
                [(.error, "kept"), (.unset, "")], [(.unset, "nothing")],
            ]
            for calls in calls {
                let span = tracer.startSpan("status")
                for (status, message) in calls { span.setStatus(status, message) }
                span.end()
            }
        }
        let codes: [OTLPStatus.Code] = [.ok, .error, .ok, .ok, .error, .unset]
        #expect(found.map(\.status.code) == codes)
        #expect(found.map(\.status.message) == ["", "second", "", "", "kept", ""])
    }

    @Test("Names replaced by longer, shorter and empty ones arrive as last given")
    func renaming() throws {
        let names = ["", "a", text(127), text(128), text(1000), text(4096)]
        let found = try spans { tracer in
            for first in names {
                for last in names {
                    let span = tracer.startSpan(named: first)
                    span.setAttribute(AttributeKey("k"), 1)
                    span.updateName(last)
                    span.setAttribute(AttributeKey("l"), 2)
                    span.end()
                }
            }
        }
        #expect(found.map(\.name) == names.flatMap { _ in names })
        #expect(found.allSatisfy { $0.attributes.map(\.key) == ["k", "l"] })
    }

    @Test("What is done after the end changes nothing, and a second end exports nothing")
    func afterTheEnd() throws {
        let found = try spans { tracer in
            let span = tracer.startSpan("once", at: 1000)
            span.end(at: 2000)
            span.setAttribute(AttributeKey("late"), 1)
            span.setStatus(.error, "late")
            span.updateName("late")
            span.end(at: 3000)
            // Takes the same slot; the stale ticket must not reach it.
            let next = tracer.startSpan("next")
            span.setAttribute(AttributeKey("late"), 1)
            span.end()
            next.end()
        }
        #expect(found.map(\.name) == ["once", "next"])
        #expect(found.allSatisfy { $0.attributes.isEmpty && $0.status.code == .unset })
        #expect(found.first?.endTimeUnixNano == 2000)
    }

    @Test("No span ends before it started")
    func endBeforeStart() throws {
        let found = try spans { tracer in
            tracer.startSpan("back", at: 5000).end(at: 4000)
            tracer.startSpan("clock").end()
            tracer.startSpan("future", at: .max - 1).end()
        }
        #expect(found.count == 3)
        #expect(found.allSatisfy { $0.endTimeUnixNano >= $0.startTimeUnixNano })
    }

    @Test("The random flag is inherited, never invented", arguments: [0, 1, 2, 3] as [UInt8])
    func randomFlag(parentFlags: UInt8) throws {
        let parent = SpanContext(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(rawValue: 3),
            flags: TraceFlags(rawValue: parentFlags), isRemote: true)
        let found = try spans { $0.startSpan("child", parent: parent).end() }
        #expect(found.first?.flags == 0x301 | UInt32(parentFlags & 2))
    }

    @Test("An invalid parent makes a root")
    func invalidParent() throws {
        let halves = [
            SpanContext(traceID: TraceID(high: 0, low: 0), spanID: SpanID(rawValue: 3)),
            SpanContext(traceID: TraceID(high: 1, low: 2), spanID: SpanID(rawValue: 0)),
        ]
        let found = try spans { tracer in
            for parent in halves { tracer.startSpan("root", parent: parent).end() }
        }
        #expect(found.count == 2)
        for span in found {
            #expect(span.parentSpanID.isEmpty && span.spanID.count == 8 && span.traceID.count == 16)
            #expect(span.traceID.prefix(8).bigEndianNumber != 1)
        }
    }

    @Test("An exception is an event with the conventional attributes")
    func exception() throws {
        let found = try spans { tracer in
            let span = tracer.startSpan("failing")
            span.recordException(type: "Oops", message: "it broke", stacktrace: "a\nb", at: 77)
            span.recordException(type: "Oops", message: "")
            span.end()
        }
        let events = try #require(found.first).events
        #expect(events.map(\.name) == ["exception", "exception"])
        #expect(events.first?.timeUnixNano == 77)
        #expect(
            events.first?.attributes.map(\.key) == [
                "exception.type", "exception.message", "exception.stacktrace",
            ])
        #expect(events.first?.attributes.map(\.value.stringValue) == ["Oops", "it broke", "a\nb"])
        #expect(events.last?.attributes.map(\.key) == ["exception.type", "exception.message"])
    }
}
