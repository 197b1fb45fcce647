import TestSupport
import Testing

@testable import TraceCore

/// The header tracestate: what is well-formed, what is carried on, what becomes of it when it is long.
@Suite(.serialized) struct TraceStateHeaderTests {
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
        let context = TraceContextTests.extract([
            ("traceparent", TraceContextTests.traceparent), ("tracestate", header),
        ])
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
        let context = TraceContextTests.extract([
            ("traceparent", TraceContextTests.traceparent), ("tracestate", header),
        ])
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
        let context = TraceContextTests.extract([
            ("tracestate", "a=1,"), ("traceparent", TraceContextTests.traceparent),
            ("tracestate", ""),
            ("TraceState", "b=2"), ("tracestate", "a=3, c=4"),
        ])
        #expect(context?.traceState.header == "a=1,b=2,c=4")
        let spoilt = TraceContextTests.extract([
            ("tracestate", "a=1"), ("traceparent", TraceContextTests.traceparent),
            ("tracestate", "B=2"),
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

    @Test(
        "A threshold alone reads the same as by the general way",
        arguments: [
            "ot=th:8", "ot=th:0", "ot=th:00", "ot=th:80", "ot=th:08", "ot=th:fffffffffffff8",
            "ot=th:123456789abcde", "ot=th:123456789abcdef", "ot=th:", "ot=th:g", "ot=th:F",
            "ot=th:8;rv:01234567890abc", "ot=TH:8", "OT=th:8", "ot=th8", "ot=rv:8", "ot=th:8,a=1",
            "a=1,ot=th:8", "ot=th:8,", " ot=th:8\t", "ot=th: 8", "ot=th:8=",
        ])
    func thresholdAlone(header: String) {
        let general = TraceState(header: header) ?? .empty
        for lines in [[header], [header, ""], ["", header]] {
            let context = TraceContextTests.extract(
                [("traceparent", TraceContextTests.traceparent)] + lines.map { ("tracestate", $0) })
            #expect(context?.traceState == general)
            var headers = HeaderBuffer()
            if let context { TraceContextPropagator.inject(context, into: &headers) }
            #expect(headers.first("tracestate") ?? "" == general.header)
        }
    }

    // MARK: Published vectors

    /// Facts from w3c/trace-context, test/test.py: header lines, and what of `expected` must be carried on;
    /// nil where the state is discarded. Left out are its duplicates (discarded there, the first kept here)
    /// and its keys with `@` (Level 2 allows what Level 1 did not).
    @Test(
        "W3C's test suite: tracestate",
        arguments: [
            (["foo=1,bar=2"], "foo=1,bar=2"),
            ([""], ""), (["foo=1", ""], "foo=1"), (["", "foo=1"], "foo=1"),
            (
                ["foo=1,bar=2", "rojo=1,congo=2", "baz=3"],
                "foo=1,bar=2,rojo=1,congo=2,baz=3"
            ),
            (["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
            (["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], "foo=1,bar=2,baz=3"),
            ([" foo=1"], "foo=1"), (["\tfoo=1"], "foo=1"), (["foo=1 "], "foo=1"),
            (["foo=1\t"], "foo=1"), (["\t foo=1 \t"], "foo=1"),
            (
                [allKeyCharacters + "=" + allValueCharacters],
                allKeyCharacters + "=" + allValueCharacters
            ),
            (
                [allKeyCharacters + "@a-z0-9_-*/=" + allValueCharacters],
                allKeyCharacters + "@a-z0-9_-*/=" + allValueCharacters
            ),
            (["foo =1"], nil), (["FOO=1"], nil), (["foo.bar=1"], nil), (["@foo=1,bar=2"], nil),
            (["foo=bar=baz"], nil), (["foo=,bar=3"], nil),
            (
                ["foo=1", String(repeating: "z", count: 256) + "=1"],
                "foo=1," + String(repeating: "z", count: 256) + "=1"
            ),
            (["foo=1", String(repeating: "z", count: 257) + "=1"], nil),
            (
                numbered(1...10) + numbered(11...20) + numbered(21...30) + numbered(31...32),
                (numbered(1...32)).joined(separator: ",")
            ),
            (numbered(1...10) + numbered(11...20) + numbered(21...30) + numbered(31...33), nil),
        ] as [([String], String?)])
    func suite(lines: [String], expected: String?) {
        let context = TraceContextTests.extract(
            [("traceparent", TraceContextTests.traceparent)] + lines.map { ("tracestate", $0) })
        #expect(context?.traceState.header == expected ?? "")
    }

    /// Facts from w3c/trace-context, test/test.py: names of the header.
    @Test(
        "W3C's test suite: the header's name",
        arguments: [
            ("trace-state", false), ("trace.state", false), ("TraceState", true),
            ("TrAcEsTaTe", true), ("TRACESTATE", true),
        ])
    func suiteNames(name: String, isFound: Bool) {
        let context = TraceContextTests.extract([
            ("traceparent", TraceContextTests.traceparent), (name, "foo=1"),
        ])
        #expect(context?.traceState.header == (isFound ? "foo=1" : ""))
    }

    /// Facts from opentelemetry-go, propagation/trace_context_test.go.
    @Test(
        "OpenTelemetry Go's vectors: tracestate",
        arguments: [
            ("key1=value1,key2=value2", "key1=value1,key2=value2"),
            ("key1=value1,invalid$@#=invalid", ""), ("key1=value1,invalid", ""),
        ])
    func goVectors(header: String, expected: String) {
        let context = TraceContextTests.extract([
            ("traceparent", TraceContextTests.traceparent), ("tracestate", header),
        ])
        #expect(context?.traceState.header == expected)
    }

    static let allKeyCharacters = "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
    /// Printable ASCII from blank to `~`, without comma and equals sign.
    static let allValueCharacters = String(
        decoding: (0x20...0x7e as ClosedRange<UInt8>).filter { $0 != 0x2c && $0 != 0x3d },
        as: UTF8.self)

    static func numbered(_ range: ClosedRange<Int>) -> [String] {
        range.map { "bar\($0 / 10)\($0 % 10)=\($0 / 10)\($0 % 10)" }
    }

    @Test("A state longer than any well-formed one is discarded unread, and the parent stays")
    func unbounded() {
        let blanks = String(repeating: " ", count: TraceContextPropagator.traceStateBytesMax)
        for lines in [["a=1," + blanks], ["a=1", blanks], [blanks, "a=1"]] {
            let context = TraceContextTests.extract(
                [("traceparent", TraceContextTests.traceparent)] + lines.map { ("tracestate", $0) })
            #expect(context?.isSampled == true && context?.traceState.isEmpty == true)
        }
        // The largest there is passes, with as many blanks as bytes of its own.
        let key = String(repeating: "k", count: 250)
        let members = (100..<132).map { key + "\($0)=" + String(repeating: "v", count: 256) }
        let largest = members.joined(separator: "," + String(repeating: " ", count: 400))
        let context = TraceContextTests.extract([
            ("traceparent", TraceContextTests.traceparent), ("tracestate", largest),
        ])
        #expect(context?.traceState.header == members.joined(separator: ","))
    }
}
