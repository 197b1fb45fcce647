import TestSupport
import Testing
import TraceCore

/// The two things of a span that are set anew: its status and its name.
@Suite struct SpanNameTests {
    static let key = AttributeKey("key")

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
            let message = SpanEncodingTests.text(byteCount / size, letter)
            let span = try CoreHarness.one { tracer in
                let span = tracer.startSpan("span")
                span.setStatus(.error, "shorter")
                span.setStatus(.error, message)
                span.end()
            }
            #expect(
                span.statusMessage == SpanEncodingTests.text(min(byteCount, 4_160) / size, letter))
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
                span.setAttribute(AttributeKey("more"), string: SpanEncodingTests.text(100))
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
        let name = SpanEncodingTests.text(5_000, "é")
        let updated = try CoreHarness.one { tracer in
            let span = tracer.startSpan("span")
            span.updateName(name)
            span.end()
        }
        #expect(updated.name == SpanEncodingTests.text(2_080, "é"))
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
