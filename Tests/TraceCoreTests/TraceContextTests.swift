import TestSupport
import Testing

@testable import TraceCore

/// The header traceparent. Its trace state is in TraceStateHeaderTests.
@Suite struct TraceContextTests {
    static let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    static func extract(_ lines: [(String, String)]) -> SpanContext? {
        TraceContextPropagator.extract(from: HeaderBuffer(lines))
    }

    static func extract(_ traceparent: String) -> SpanContext? {
        extract([("traceparent", traceparent)])
    }

    // MARK: traceparent

    @Test("Reads the recommendation's own example")
    func example() throws {
        let context = try #require(Self.extract(Self.traceparent))
        #expect(context.traceID == TraceID(high: 0x0af7_6519_16cd_43dd, low: 0x8448_eb21_1c80_319c))
        #expect(context.spanID == SpanID(rawValue: 0xb7ad_6b71_6920_3331))
        #expect(context.flags == .sampled && context.isRemote && context.traceState.isEmpty)
    }

    @Test(
        "Flags: sampled and random are kept, the rest is dropped",
        arguments: [
            ("00", 0), ("01", 1), ("02", 2), ("03", 3), ("04", 0), ("08", 0), ("09", 1), ("ff", 3),
            ("fe", 2),
        ] as [(String, UInt8)])
    func flags(text: String, expected: UInt8) throws {
        let context = try #require(Self.extract(Self.traceparent.dropLast(2) + text))
        #expect(context.flags.rawValue == expected)
    }

    @Test(
        "Blanks around the value are trimmed, within it they are not",
        arguments: [
            (" ", ""), ("", " "), ("\t ", " \t"), ("   ", "   "),
        ])
    func blanks(before: String, after: String) {
        #expect(Self.extract(before + Self.traceparent + after) != nil)
    }

    @Test(
        "Later versions may go on after a dash, and are read as this one",
        arguments: [
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "fe-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what the future brings",
        ])
    func laterVersions(value: String) {
        #expect(Self.extract(value)?.flags == .sampled)
    }

    @Test(
        "What is malformed is as if absent",
        arguments: [
            "", " ", "00", "garbage", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-001",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-011",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "+0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0A",
            "FE-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b71692033310-01",
            "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
            "00-0af7651916cd43dd8448eb211c80319 -b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331- 1",
            "00-0af7651916cd43dd8448eb211c8031\u{e9}-b7ad6b7169203331-01",
            "\u{0}0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ])
    func malformed(value: String) {
        #expect(Self.extract(value) == nil)
    }

    @Test("A byte that is no lower-case digit is found wherever it stands")
    func everyByte() {
        let good = Array(Self.traceparent.utf8)
        let digits = Set("0123456789abcdef".utf8)
        for offset in good.indices where good[offset] != UInt8(ascii: "-") {
            for byte in UInt8.min...127 {
                var bytes = good
                bytes[offset] = byte
                // The version's two digits have rules of their own.
                if offset < 2, digits.contains(byte) { continue }
                let isGood = digits.contains(byte)
                #expect(
                    (Self.extract(String(decoding: bytes, as: UTF8.self)) != nil) == isGood,
                    "\(byte) at \(offset)")
            }
        }
    }

    @Test("Two traceparent lines are none; names compare without case")
    func lines() {
        #expect(
            Self.extract([("traceparent", Self.traceparent), ("Traceparent", Self.traceparent)])
                == nil)
        #expect(
            Self.extract([("TraceParent", Self.traceparent), ("TRACESTATE", "k=v")])?.traceState
                .header == "k=v")
        #expect(Self.extract([("traceparent2", Self.traceparent)]) == nil)
        #expect(Self.extract([("tracestate", "k=v")]) == nil)
        #expect(Self.extract([]) == nil)
    }

    @Test("What is injected is extracted again", arguments: 0..<8 as Range<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var headers = HeaderBuffer()
        for _ in 0..<300 {
            let state =
                generator.oneIn(2)
                ? try #require(TraceState(header: "k=\(generator.next() % 50)")) : .empty
            let context = SpanContext(
                traceID: TraceID(high: generator.next(), low: generator.identifier()),
                spanID: SpanID(rawValue: generator.identifier()),
                flags: TraceFlags(rawValue: UInt8(generator.next() % 4)), traceState: state,
                isRemote: true)
            headers.removeAll()
            TraceContextPropagator.inject(context, into: &headers)
            #expect(headers.count == (state.isEmpty ? 1 : 2))
            #expect(TraceContextPropagator.extract(from: headers) == context)
            // By the book: hexadecimal digits the slow way.
            let flags = "0\(context.flags.rawValue)"
            let expected =
                "00-\(padded(context.traceID.high))\(padded(context.traceID.low))-\(padded(context.spanID.rawValue))-\(flags)"
            #expect(headers.headers[0].value == expected)
        }
    }

    private func padded(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    @Test("An invalid context injects nothing; unknown flags are not passed on")
    func inject() {
        var headers = HeaderBuffer()
        headers.append("other", "stays")
        TraceContextPropagator.inject(.invalid, into: &headers)
        #expect(headers.count == 1)
        TraceContextPropagator.inject(
            SpanContext(
                traceID: TraceID(high: 0, low: 1), spanID: SpanID(rawValue: 1),
                flags: TraceFlags(rawValue: 0xff)), into: &headers)
        #expect(headers.headers.map(\.name) == ["other", "traceparent"])
        #expect(
            headers.headers.last?.value == "00-00000000000000000000000000000001-0000000000000001-03"
        )
    }

    @Test("Lines of both names are replaced; an old state does not stay beside a new parent")
    func replaces() throws {
        var headers = HeaderBuffer([
            ("TraceParent", "old"), ("tracestate", "old=1"), ("other", "stays"),
            ("TraceState", "old=2"), ("traceparent", "old"),
        ])
        var context = try #require(Self.extract(Self.traceparent))
        TraceContextPropagator.inject(context, into: &headers)
        #expect(headers.text == ["other: stays", "traceparent: " + Self.traceparent])
        context.traceState = try #require(TraceState(header: "new=1"))
        TraceContextPropagator.inject(context, into: &headers)
        TraceContextPropagator.inject(context, into: &headers)
        #expect(
            headers.text == [
                "other: stays", "traceparent: " + Self.traceparent, "tracestate: new=1",
            ])
    }

    // MARK: Published vectors

    /// Facts from w3c/trace-context, test/test.py: whether the trace id 1234…9012 goes on.
    @Test(
        "W3C's test suite: traceparent",
        arguments: [
            ("00-12345678901234567890123456789012-1234567890123456-01", true),
            ("00-12345678901234567890123456789012-1234567890123456-01.", false),
            ("00-12345678901234567890123456789012-1234567890123456-01-what-the-future", false),
            ("cc-12345678901234567890123456789012-1234567890123456-01", true),
            ("cc-12345678901234567890123456789012-1234567890123456-01-what-the-future", true),
            ("cc-12345678901234567890123456789012-1234567890123456-01.what-the-future", false),
            ("ff-12345678901234567890123456789012-1234567890123456-01", false),
            (".0-12345678901234567890123456789012-1234567890123456-01", false),
            ("0.-12345678901234567890123456789012-1234567890123456-01", false),
            ("000-12345678901234567890123456789012-1234567890123456-01", false),
            ("0000-12345678901234567890123456789012-1234567890123456-01", false),
            ("0-12345678901234567890123456789012-1234567890123456-01", false),
            ("00-00000000000000000000000000000000-1234567890123456-01", false),
            ("00-.2345678901234567890123456789012-1234567890123456-01", false),
            ("00-1234567890123456789012345678901.-1234567890123456-01", false),
            ("00-123456789012345678901234567890123-1234567890123456-01", false),
            ("00-1234567890123456789012345678901-1234567890123456-01", false),
            ("00-12345678901234567890123456789012-0000000000000000-01", false),
            ("00-12345678901234567890123456789012-.234567890123456-01", false),
            ("00-12345678901234567890123456789012-123456789012345.-01", false),
            ("00-12345678901234567890123456789012-12345678901234567-01", false),
            ("00-12345678901234567890123456789012-123456789012345-01", false),
            ("00-12345678901234567890123456789012-1234567890123456-.0", false),
            ("00-12345678901234567890123456789012-1234567890123456-0.", false),
            ("00-12345678901234567890123456789012-1234567890123456-001", false),
            ("00-12345678901234567890123456789012-1234567890123456-1", false),
            (" 00-12345678901234567890123456789012-1234567890123456-01", true),
            ("\t00-12345678901234567890123456789012-1234567890123456-01", true),
            ("00-12345678901234567890123456789012-1234567890123456-01 ", true),
            ("00-12345678901234567890123456789012-1234567890123456-01\t", true),
            ("\t 00-12345678901234567890123456789012-1234567890123456-01 \t", true),
        ])
    func suite(value: String, goesOn: Bool) {
        let expected = SpanContext(
            traceID: TraceID(high: 0x1234_5678_9012_3456, low: 0x7890_1234_5678_9012),
            spanID: SpanID(rawValue: 0x1234_5678_9012_3456), flags: .sampled, isRemote: true)
        #expect(Self.extract(value) == (goesOn ? expected : nil))
    }

    /// Facts from w3c/trace-context, test/test.py: names of the header.
    @Test(
        "W3C's test suite: the header's name",
        arguments: [
            ("trace-parent", false), ("trace.parent", false), ("TraceParent", true),
            ("TrAcEpArEnT", true), ("TRACEPARENT", true),
        ])
    func suiteNames(name: String, isFound: Bool) {
        #expect((Self.extract([(name, Self.traceparent)]) != nil) == isFound)
    }

    /// Facts from opentelemetry-go, propagation/trace_context_test.go: nil where nothing is extracted.
    /// Where it has version 00 with bits of the future as malformed, and version 00 with a dash at its end as
    /// well-formed, W3C's recommendation says the opposite, and so do we.
    @Test(
        "OpenTelemetry Go's vectors: traceparent",
        arguments: [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", 0),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", 1),
            ("02-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", 1),
            ("02-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09", 1),
            ("02-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-08", 0),
            ("02-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09-XYZxsf09", 1),
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09-", 1),
            ("0000-00000000000000000000000000000000-0000000000000000-01", nil),
            ("00-ab00000000000000000000000000000000-cd00000000000000-01", nil),
            ("00-ab000000000000000000000000000000-cd0000000000000000-01", nil),
            ("00-ab000000000000000000000000000000-cd00000000000000-0100", nil),
            ("qw-00000000000000000000000000000000-0000000000000000-01", nil),
            ("00-qw000000000000000000000000000000-cd00000000000000-01", nil),
            ("00-ab000000000000000000000000000000-qw00000000000000-01", nil),
            ("00-ab000000000000000000000000000000-cd00000000000000-qw", nil),
            ("A0-00000000000000000000000000000000-0000000000000000-01", nil),
            ("00-AB000000000000000000000000000000-cd00000000000000-01", nil),
            ("00-ab000000000000000000000000000000-CD00000000000000-01", nil),
            ("00-ab000000000000000000000000000000-cd00000000000000-A1", nil),
            ("00-00000000000000000000000000000000-0000000000000000-01", nil),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", nil),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-", nil),
        ] as [(String, UInt8?)])
    func goVectors(value: String, flags: UInt8?) {
        let expected = flags.map { flags in
            SpanContext(
                traceID: TraceID(high: 0x4bf9_2f35_77b3_4da6, low: 0xa3ce_929d_0e0e_4736),
                spanID: SpanID(rawValue: 0x00f0_67aa_0ba9_02b7),
                flags: TraceFlags(rawValue: flags), isRemote: true)
        }
        #expect(Self.extract(value) == expected)
    }
}
