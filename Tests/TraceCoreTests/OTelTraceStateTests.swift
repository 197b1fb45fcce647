import Testing

@testable import TraceCore

@Suite struct OTelTraceStateTests {
    /// Sources: opentelemetry-collector-contrib, pkg/sampling, oteltracestate_test.go; the C++ and Python
    /// SDKs' composite samplers. Where those refuse a whole member over one bad sub-key, only that
    /// sub-key counts as absent here.
    static let readings: [(header: String, threshold: UInt64?, randomness: UInt64?)] = [
        ("ot=th:2", 0x20_0000_0000_0000, nil), ("ot=th:ab", 0xab_0000_0000_0000, nil),
        ("ot=th:1000", 0x10_0000_0000_0000, nil), ("ot=th:0", 0, nil),
        ("ot=th:abcdefabcdefab", 0xab_cdef_abcd_efab, nil),
        ("ot=th:ffffffffffffffff", nil, nil), ("ot=th:100000000000000", nil, nil),
        ("ot=th:$", nil, nil), ("ot=th:14.5", nil, nil), ("ot=th:-1", nil, nil),
        ("ot=e100:1", nil, nil), ("ot=extra:stuff;th:2", 0x20_0000_0000_0000, nil),
        ("ot=th:2;extra:stuff", 0x20_0000_0000_0000, nil),
        ("ot=e100:100;th:1;e101:101", 0x10_0000_0000_0000, nil),
        ("ot=rv:22222222222222;extra:stuff", nil, 0x22_2222_2222_2222),
        ("ot=extra:stuff;rv:22222222222222", nil, 0x22_2222_2222_2222),
        ("ot=rv:ffffffffffffff", nil, 0xff_ffff_ffff_ffff),
        ("ot=rv:6e6d1a75832a2f", nil, 0x6e_6d1a_7583_2a2f),
        ("ot=rv:100000000000000", nil, nil), ("ot=rv:fffffffffffffffff", nil, nil),
        ("ot=rv:3;p:2", nil, nil), ("ot=rv:1234123412341", nil, nil),
        ("ot=rv:abcdefgabcdefg", nil, nil), ("ot=rv:ABCDEFABCDEFAB", nil, nil),
        ("ot=rv:10000000000000;th:3;a:b;c:d", 0x30_0000_0000_0000, 0x10_0000_0000_0000),
        ("ot=x1y2z3:1-2-3;y1:y_1;xy:-;th:50", 0x50_0000_0000_0000, nil),
        ("vendor=th:8,ot=rv:22222222222222", nil, 0x22_2222_2222_2222),
        ("vendor=th:8", nil, nil), ("otel=th:8", nil, nil), ("x@ot=th:8", nil, nil),
        ("ot=xth:8", nil, nil), ("ot=th:8;th:4", 0x80_0000_0000_0000, nil),
        ("ot=th:zz;th:4", nil, nil), ("ot=;;th:8;;", 0x80_0000_0000_0000, nil),
    ]

    @Test("Threshold and randomness are read wherever they stand", arguments: readings)
    func reading(header: String, threshold: UInt64?, randomness: UInt64?) throws {
        let state = try #require(TraceState(header: header))
        let member = OTelTraceState.member(of: state)
        #expect(member.threshold == threshold && member.randomness == randomness)
        #expect(state.hasOTelMember == (header.hasPrefix("ot=") || header.contains(",ot=")))
    }

    /// Sources: the .NET, C++, Java and Python samplers' expectations (th first, rv and unknown sub-keys
    /// after it as they were); W3C, "Mutating the tracestate field".
    static let writings: [(header: String, threshold: UInt64, result: String)] = [
        ("", 0, "ot=th:0"), ("", 0x80_0000_0000_0000, "ot=th:8"),
        ("ot=rv:ffffffffffffff", 0x80_0000_0000_0000, "ot=th:8;rv:ffffffffffffff"),
        (
            "ot=rv:ffffffffffffff,vendor=abc", 0x80_0000_0000_0000,
            "ot=th:8;rv:ffffffffffffff,vendor=abc"
        ),
        (
            "ot=th:8;rv:ffffffffffffff", 0xc0_0000_0000_0000,
            "ot=th:c;rv:ffffffffffffff"
        ),
        ("ot=rv:abcdefabcdefab", 0x30_0000_0000_0000, "ot=th:3;rv:abcdefabcdefab"),
        ("ot=a:b", 0x30_0000_0000_0000, "ot=th:3;a:b"),
        ("v=1", 0x80_0000_0000_0000, "ot=th:8,v=1"),
        ("v=1,ot=th:8;xx:y", 0, "ot=th:0;xx:y,v=1"),
        ("v=1,w=2,ot=k:v,z=3", 0x80_0000_0000_0000, "ot=th:8;k:v,v=1,w=2,z=3"),
        // Already what it should be: nothing changed, so nothing moves.
        ("v=1,ot=xx:y;th:8", 0x80_0000_0000_0000, "v=1,ot=xx:y;th:8"),
        ("ot=th:800", 0x80_0000_0000_0000, "ot=th:800"),
        // Malformed ones are replaced; a malformed rv is not ours to touch.
        ("ot=th:XY;rv:zz;k:v", 0x80_0000_0000_0000, "ot=th:8;rv:zz;k:v"),
        ("ot=th:1;th:2", 0x80_0000_0000_0000, "ot=th:8"),
        ("ot=th:c", 0x08_0000_0000_0000, "ot=th:08"),
    ]

    @Test("A threshold is written to the front, and everything else stays", arguments: writings)
    func writing(header: String, threshold: UInt64, result: String) throws {
        let state = try #require(TraceState(header: header))
        // Twice: the second time it is remembered.
        for _ in 0..<2 {
            #expect(OTelTraceState.withThreshold(threshold, in: state).header == result)
        }
        let written = OTelTraceState.member(of: OTelTraceState.withThreshold(threshold, in: state))
        #expect(written.threshold == threshold)
        #expect(written.randomness == OTelTraceState.member(of: state).randomness)
    }

    @Test(
        "Without its threshold a state keeps everything else",
        arguments: [
            ("", ""), ("v=1", "v=1"), ("ot=th:8", ""), ("ot=th:800", ""), ("ot=th:8,v=1", "v=1"),
            ("ot=th:8;rv:00000000000000", "ot=rv:00000000000000"),
            ("v=1,ot=rv:00000000000000;th:8;k:v", "ot=rv:00000000000000;k:v,v=1"),
            ("v=1,ot=k:v", "v=1,ot=k:v"), ("ot=th:bad,v=1", "v=1"), ("v=th:8", "v=th:8"),
            ("ot=a:b;rv:12341234123412;th:1234", "ot=a:b;rv:12341234123412"),
        ])
    func erasing(header: String, result: String) throws {
        let state = try #require(TraceState(header: header))
        for _ in 0..<2 { #expect(OTelTraceState.withoutThreshold(state).header == result) }
    }

    @Test("A value that would grow over 256 characters gets no threshold, and loses the one it had")
    func tooLong() throws {
        func value(_ count: Int) -> String { "x:" + String(repeating: "a", count: count - 2) }
        let fits = try #require(TraceState(header: "v=1,ot=\(value(251))"))
        #expect(
            OTelTraceState.withThreshold(0x80_0000_0000_0000, in: fits).header
                == "ot=th:8;\(value(251)),v=1")
        for count in [252, 256] {
            let full = try #require(TraceState(header: "v=1,ot=\(value(count))"))
            #expect(OTelTraceState.withThreshold(0x80_0000_0000_0000, in: full) == full)
        }
        let old = try #require(TraceState(header: "v=1,ot=\(value(251));th:8"))
        #expect(
            OTelTraceState.withThreshold(0x81_0000_0000_0000, in: old).header
                == "ot=\(value(251)),v=1")
    }

    @Test("A thirty-third member falls off the end")
    func full() throws {
        let members = (1...32).map { "k\($0)=v" }
        let state = try #require(TraceState(header: members.joined(separator: ",")))
        let written = OTelTraceState.withThreshold(0, in: state)
        #expect(written.header == (["ot=th:0"] + members.dropLast()).joined(separator: ","))
        #expect(TraceState(header: written.header) == written)
    }

    @Test("A threshold alone is its own handle: equal wherever it came from, never forgotten")
    func thresholdAlone() throws {
        for threshold in [0, 1, 0x80_0000_0000_0000, 0xe6_6600_0000_0000, (1 << 56) - 1]
            as [UInt64]
        {
            let state = TraceState(threshold: threshold)
            let text = try #require(ProbabilityThreshold.text(of: threshold))
            #expect(state.header == "ot=th:\(text)" && !state.isEmpty)
            #expect(TraceState(header: "ot=th:\(text)") == state)
            #expect(TraceState(header: " ot=th:\(text) ,") == state)
            #expect(state.bytes == Array("ot=th:\(text)".utf8))
            #expect(unsafe state.withUTF8 { unsafe Array($0) } == state.bytes)
        }
        let first = TraceState(threshold: 0x80_0000_0000_0000)
        let others = try #require(TraceState(header: "v=1"))
        #expect(OTelTraceState.withoutThreshold(first) == .empty && first != others)
        #expect(unsafe others.withUTF8 { unsafe Array($0) } == Array("v=1".utf8))
        #expect(unsafe TraceState.empty.withUTF8 { $0.count } == 0)
    }
}
