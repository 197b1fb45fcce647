import Testing

@testable import TraceCore

@Suite struct ForeignRatioTests {
    static let ids = [
        "0af7651916cd43dd8448eb211c80319c",
        "00000000000000000000000000000001",
        "00000000000000010000000000000000",
        "00000000000000007fffffffffffffff",
        "00000000000000008000000000000000",
        "00000000000000008000000000000001",
        "ffffffffffffffffffffffffffffffff",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "00000000000000001999999999999999",
        "0123456789abcdef1999999999999999",
        "0123456789abcdef199999999999999a",
        "000000000000000000000000000000ff",
        "deadbeefdeadbeef0000000000000000",
        "00000000ffffffff0000000000000000",
        "0000000000000000fffffffffffffffe",
        "00000000000000000ccccccccccccccc",
        "00000000000000000cccccccccccccce",
        "00000000000000003333333333333332",
        "00000000000000003333333333333333",
        "00000000000000000000000019999998",
        "00000000000000000000000019999999",
    ]
    static let ratios = [0, 0x1p-64, 1e-19, 1e-3, 0.1, 1 / 3.0, 0.5, 0.9, 1.0.nextDown, 1]

    /// A row for each ratio, a digit for each id: 1 is kept. Made with the other side's own arithmetic: the
    /// expressions of opentelemetry-java's TraceIdRatioBasedSampler evaluated by OpenJDK, those of
    /// opentelemetry-js by Node; opentelemetry-sdk 1.45.2 from PyPI itself; those of opentelemetry-go
    /// 1.45 and opentelemetry-erlang 1.7 with exact fractions.
    static let rows: [(ForeignRatioAlgorithm, [String])] = [
        (
            .erlang,
            [
                "000000000000000000000",
                "001010000000110000000",
                "001010000000110000000",
                "011011000001110000011",
                "111011000001110110011",
                "111011011111110110011",
                "111011011111110111111",
                "111011011111110111111",
                "111011011111110111111",
                "111011011111111111111",
            ]
        ),
        (
            .go,
            [
                "000000000000000000000",
                "000000000000000000000",
                "000000000000000000000",
                "011000000001110000011",
                "011000001111110110011",
                "011000001111110111111",
                "011100001111110111111",
                "111111011111110111111",
                "111111011111110111111",
                "111111111111111111111",
            ]
        ),
        (
            .java,
            [
                "000000000000000000000",
                "000010000000000000000",
                "000010000000000000000",
                "011010100001111000011",
                "011010100001111110011",
                "011010101111111110011",
                "011010101111111111111",
                "011010111111111111111",
                "111010111111111111111",
                "111010111111111111111",
            ]
        ),
        (
            .python,
            [
                "000000000000000000000",
                "001000000000110000000",
                "011000000000110000000",
                "011000000001110000011",
                "011000001111110110011",
                "011000001111110111111",
                "011100001111110111111",
                "111111011111110111111",
                "111111011111110111111",
                "111111111111111111111",
            ]
        ),
        (
            .js,
            [
                "000000000000000000000",
                "000000000000000000000",
                "000000000000000000000",
                "011000100001101001100",
                "011000100111101001110",
                "011000100111101001111",
                "011000100111101001111",
                "111111111111101111111",
                "111111111111101111111",
                "111111111111101111111",
            ]
        ),
    ]

    @Test("Every ratio and id as the other SDK decides them", arguments: rows)
    func vectors(algorithm: ForeignRatioAlgorithm, rows: [String]) throws {
        #expect(rows.count == Self.ratios.count)
        for (ratio, row) in zip(Self.ratios, rows) {
            let program = SamplerProgram(.foreign(algorithm, ratio))
            #expect(row.count == Self.ids.count)
            for (hex, digit) in zip(Self.ids, row) {
                let id = try #require(TraceID(hex: hex))
                let decision = program.ask(traceID: id).decision
                #expect(
                    (decision == .recordAndSample) == (digit == "1"),
                    "\(algorithm) \(ratio) \(hex)")
            }
        }
    }

    @Test("The smallest number of Java is its own absolute value: kept whenever anything is")
    func smallestLong() {
        let id = TraceID(high: 5, low: 1 << 63)
        for ratio in [1e-18, 0.5, 1] {
            #expect(ForeignRatioRule(.java, ratio: ratio).keeps(id))
        }
        #expect(!ForeignRatioRule(.java, ratio: 0).keeps(id))
        // One further is the largest there is.
        #expect(!ForeignRatioRule(.java, ratio: 0.99).keeps(TraceID(high: 5, low: 1 << 63 + 1)))
    }

    @Test("A share of one keeps all of python's and go's, and all but one number elsewhere")
    func everything() {
        let top = TraceID(high: 0, low: .max)
        #expect(ForeignRatioRule(.python, ratio: 1).keeps(top))
        #expect(ForeignRatioRule(.go, ratio: 1).keeps(top))
        #expect(!ForeignRatioRule(.erlang, ratio: 1).keeps(top))
        #expect(ForeignRatioRule(.erlang, ratio: 1).keeps(TraceID(high: 0, low: .max - 1)))
        #expect(!ForeignRatioRule(.java, ratio: 1).keeps(TraceID(high: 0, low: .max >> 1)))
        #expect(ForeignRatioRule(.java, ratio: 1).keeps(top))
        #expect(!ForeignRatioRule(.js, ratio: 1).keeps(TraceID(high: 0, low: 0xffff_ffff)))
        #expect(!ForeignRatioRule(.erlang, ratio: 1).keeps(TraceID(high: 0, low: 0)))
    }

    @Test(
        "Ratios out of range are brought into it and trap nothing",
        arguments: ForeignRatioAlgorithm.allCases)
    func oddRatios(algorithm: ForeignRatioAlgorithm) {
        let id = TraceID(high: 0x0123_4567_89ab_cdef, low: 0x0fed_cba9_8765_4321)
        for ratio in [-1, -.infinity, .nan, 0] as [Double] {
            #expect(!ForeignRatioRule(algorithm, ratio: ratio).keeps(id))
        }
        for ratio in [1, 1.5, 1e300, .infinity] as [Double] {
            #expect(ForeignRatioRule(algorithm, ratio: ratio).keeps(id))
        }
    }

    @Test(
        "A parent's threshold goes, since nobody knows what a kept trace stands for, and rv is not looked at"
    )
    func traceState() {
        let program = SamplerProgram(.foreign(.go, 0.5))
        for (state, result) in [
            ("ot=th:8,v=1", "v=1"), ("ot=th:8;rv:00000000000000", "ot=rv:00000000000000"),
        ] {
            let verdict = program.ask(parent: SpanContext(low: 1, .sampled, state: state))
            #expect(verdict.decision == .recordAndSample && verdict.traceState.header == result)
        }
    }
}
