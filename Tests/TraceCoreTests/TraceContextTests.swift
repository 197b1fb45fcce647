import TestSupport
import Testing

@testable import TraceCore

@Suite(.serialized) struct TraceContextTests {
    static let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    static func extract(_ lines: [(String, String)]) -> SpanContext? {
        var headers = HeaderBuffer()
        for (name, value) in lines { headers.append(name, value) }
        return TraceContextPropagator.extract(from: headers)
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

    // MARK: tracestate

    static let longKey = String(repeating: "k", count: 256)
    static let longValue = String(repeating: "v", count: 256)

    @Test(
        "Trace states that are well-formed, and what becomes of them",
        arguments: [
            ("", ""), ("a=1", "a=1"), ("a=1,b=2", "a=1,b=2"), (" a=1 , b=2 ", "a=1,b=2"),
            ("\ta=1\t,\t\tb=2", "a=1,b=2"), ("a=1,,b=2,", "a=1,b=2"), (",", ""), (" , , ", ""),
            // The first of the same key is kept.
            ("a=1,b=2,a=3", "a=1,b=2"), ("0=1,9z=2", "0=1,9z=2"),
            ("tenant@system=1,a_-*/@b=2", "tenant@system=1,a_-*/@b=2"),
            ("a=b c", "a=b c"), ("a= b", "a= b"), ("a=!~:;<>", "a=!~:;<>"),
            (longKey + "=1", longKey + "=1"), ("a=" + longValue, "a=" + longValue),
        ])
    func wellFormed(header: String, expected: String) throws {
        let state = try #require(TraceState(header: header))
        #expect(state.header == expected && state.isEmpty == expected.isEmpty)
        // Through the headers, too.
        let context = Self.extract([("traceparent", Self.traceparent), ("tracestate", header)])
        #expect(context?.traceState == state)
    }

    @Test(
        "Any malformed member discards the trace state, and only that",
        arguments: [
            "a", "=1", "a=", "a=1,b", "A=1", "a.b=1", "_a=1", "-a=1", "@a=1", "a b=1", "a =1",
            "a=1=2",
            "a=1\u{7f}", "a=\u{e9}", "\u{e9}=1", "a=1\u{1}", "a=b\tc", "a=1;b=2=3", longKey + "k=1",
            "a=" + longValue + "v", "a=1,B=2,c=3",
        ])
    func malformedState(header: String) {
        #expect(TraceState(header: header) == nil)
        let context = Self.extract([("traceparent", Self.traceparent), ("tracestate", header)])
        #expect(context != nil && context?.traceState.isEmpty == true)
    }

    @Test("Thirty-two members are the most, empty ones not counted")
    func memberCount() {
        let members = (0..<33).map { "k\($0)=v" }
        #expect(
            TraceState(header: members.prefix(32).joined(separator: ",,"))?.header
                == members.prefix(32).joined(separator: ","))
        #expect(TraceState(header: members.joined(separator: ",")) == nil)
    }

    @Test("Several lines are joined in order")
    func stateLines() {
        let context = Self.extract([
            ("tracestate", "a=1,"), ("traceparent", Self.traceparent), ("tracestate", ""),
            ("TraceState", "b=2"), ("tracestate", "a=3, c=4"),
        ])
        #expect(context?.traceState.header == "a=1,b=2,c=4")
        let spoilt = Self.extract([
            ("tracestate", "a=1"), ("traceparent", Self.traceparent), ("tracestate", "B=2"),
        ])
        #expect(spoilt != nil && spoilt?.traceState.header == "")
    }

    @Test("A long trace state is shortened by whole members: long ones first, then from the end")
    func shortening() throws {
        func member(_ key: String, _ byteCount: Int) -> String {
            key + "=" + String(repeating: "v", count: byteCount - key.count - 1)
        }
        func injected(_ members: [String]) throws -> String? {
            let context = SpanContext(
                traceID: TraceID(high: 1, low: 1), spanID: SpanID(rawValue: 1),
                traceState: try #require(TraceState(header: members.joined(separator: ","))))
            var headers = HeaderBuffer()
            TraceContextPropagator.inject(context, into: &headers)
            return headers.headers.first { $0.name == "tracestate" }?.value
        }
        // 512 bytes with their commas: all stay.
        let exact = [member("a", 128), member("b", 128), member("c", 128), member("d", 125)]
        #expect(try injected(exact)?.utf8.count == 512)
        #expect(try injected(exact) == exact.joined(separator: ","))
        // One more: the last goes, since none is over 128.
        let small = (0..<20).map { member("k\($0)", 30) }
        #expect(try injected(small) == small.prefix(16).joined(separator: ","))
        // The long one goes, wherever it stands, and the rest stays whole.
        let mixed = [member("long", 250), member("a", 120), member("b", 120), member("c", 120)]
        #expect(try injected(mixed) == mixed.dropFirst().joined(separator: ","))
        // Of several long ones the last goes first, and no more than needed.
        let longs = [member("x", 200), member("y", 200), member("z", 200)]
        #expect(try injected(longs) == longs.prefix(2).joined(separator: ","))
        // What is recorded with the span is not shortened.
        let span = try CoreHarness.one { tracer in
            let parent = SpanContext(
                traceID: TraceID(high: 1, low: 1), spanID: SpanID(rawValue: 1), flags: .sampled,
                traceState: TraceState(header: mixed.joined(separator: ",")) ?? .empty)
            tracer.startSpan("span", parent: parent).end()
        }
        #expect(span.traceState == mixed.joined(separator: ","))
    }

    @Test("Equal states share a handle; the oldest of 65,536 is forgotten and reads as empty")
    func table() throws {
        let first = try #require(TraceState(header: "the=first"))
        #expect(TraceState(header: " the=first ,") == first)
        #expect(TraceState(header: "the=second") != first)
        let parent = SpanContext(
            traceID: TraceID(high: 1, low: 1), spanID: SpanID(rawValue: 1), flags: .sampled,
            traceState: first)
        let harness = try CoreHarness()
        var last = first
        for number in 0..<65_536 { last = try #require(TraceState(header: "wrap=\(number)")) }
        #expect(last.header == "wrap=65535")
        #expect(first.header == "" && !first.isEmpty)
        // A context that still has the handle goes on working.
        var headers = HeaderBuffer()
        TraceContextPropagator.inject(parent, into: &headers)
        #expect(headers.headers.map(\.name) == ["traceparent"])
        let span = harness.tracer.startSpan(
            "span", parent: parent, links: [SpanLink(context: parent)])
        span.end()
        let read = try #require(try harness.drain().first)
        #expect(read.traceState == "" && read.links.first?.traceState == "")
        // It may come again, as a new one.
        let again = try #require(TraceState(header: "the=first"))
        #expect(again.header == "the=first" && again != first && first.header == "")
    }

    @Test("Large states are forgotten by their bytes, however few they are")
    func tableBytes() throws {
        // The largest there is: 32 members of 513 bytes. Past the parser, which would take its time.
        let byteCount = 32 * 513 + 31
        var bytes = [UInt8](repeating: UInt8(ascii: "v"), count: byteCount)
        let kept = TraceStateTable.byteCountMax / byteCount
        let states = (0..<kept + 10).map { number in
            for digit in 0..<8 {
                bytes[digit] = UInt8(number >> (4 * digit) & 15) + UInt8(ascii: "a")
            }
            return TraceStateTable.intern(bytes)
        }
        #expect(states[0].header == "" && states[9].header == "")
        #expect(states[11].header.utf8.count == byteCount)
        #expect(states[kept + 9].header == String(decoding: bytes, as: UTF8.self))
        #expect(TraceState(header: "small=again")?.header == "small=again")
    }
}
