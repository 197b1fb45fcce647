import Testing

@testable import TraceCore

@Suite struct ProbabilityThresholdTests {
    /// One in N: OpenTelemetry specification, "TraceState: Probability Sampling", "Converting
    /// floating-point probability to threshold value", the table for precision 3, 4 and 5.
    static let oneInN: [(n: Double, texts: [String])] = [
        (1, ["0", "0", "0"]), (2, ["8", "8", "8"]), (3, ["aab", "aaab", "aaaab"]),
        (4, ["c", "c", "c"]), (5, ["ccd", "cccd", "ccccd"]), (8, ["e", "e", "e"]),
        (10, ["e66", "e666", "e6666"]), (16, ["f", "f", "f"]),
        (100, ["fd71", "fd70a", "fd70a4"]), (1000, ["ffbe7", "ffbe77", "ffbe76d"]),
        (10_000, ["fff972", "fff9724", "fff97247"]),
        (100_000, ["ffff584", "ffff583a", "ffff583a5"]),
        (1_000_000, ["ffffef4", "ffffef39", "ffffef391"]),
    ]

    @Test("One in N, at three precisions, as the specification's table has it", arguments: oneInN)
    func table(n: Double, texts: [String]) {
        for (precision, text) in zip(3...5, texts) {
            let threshold = ProbabilityThreshold.of(probability: 1 / n, precision: precision)
            #expect(ProbabilityThreshold.text(of: threshold) == text)
        }
        #expect(
            ProbabilityThreshold.of(probability: 1 / n)
                == ProbabilityThreshold.of(probability: 1 / n, precision: 4))
    }

    /// Full precision: opentelemetry-collector-contrib, pkg/sampling, encoding_test.go and
    /// probability_test.go.
    static let exact: [(Double, String)] = [
        (1, "0"), (0.5, "8"), (0x1p-56, "ffffffffffffff"), (1 / 3.0, "aaaaaaaaaaaaac"),
        (2 / 3.0, "55555555555558"), (1 - 0x54p-8, "54"), (1 - 0x1p-8, "01"),
        (0x100p-56, "ffffffffffff"), (1 - 0x1p-52, "0000000000001"), (0x2p-56, "fffffffffffffe"),
        (0x3p-56, "fffffffffffffd"), (0x4p-56, "fffffffffffffc"), (0x8p-56, "fffffffffffff8"),
        (0x10p-56, "fffffffffffff"), (15 / 16.0, "1"), ((15 / 16.0).nextDown, "10000000000008"),
        ((15 / 16.0).nextDown.nextDown, "1000000000001"), (0.5.nextDown, "80000000000004"),
        (0.25.nextDown, "c0000000000002"), (0.125.nextDown, "e0000000000001"),
        (0.0625, "f"), (0.0625.nextDown, "f"), (0.0625.nextDown.nextDown, "f0000000000001"),
        (1 - 0x456789ap-28, "456789a"), (1 - 0x456789ap-40, "000456789a"),
        (1 - 0x789abcdefp-40, "0789abcdef"), (1 - 0x12345678p-32, "12345678"),
        (1 - 0x80801p-28, "0080801"),
    ]

    @Test("At full precision nothing is rounded away", arguments: exact)
    func fullPrecision(probability: Double, text: String) {
        let threshold = ProbabilityThreshold.of(probability: probability, precision: 14)
        #expect(ProbabilityThreshold.text(of: threshold) == text)
        #expect(ProbabilityThreshold.parse(text) == threshold)
    }

    /// The same package, TestProbabilityToThresholdWithPrecision. There leading zeros are not counted; here
    /// they are, as in the specification, so the precision is the length of the text.
    static let rounded: [(Double, [String])] = [
        (1 - 0x456789ap-28, ["45678a", "45679", "4568", "456", "45", "4"]),
        (
            1 - 0x456789ap-40,
            ["00045678a", "00045679", "0004568", "000456", "00045", "0004"]
        ),
        (
            1 - 0x789abcdefp-40,
            ["0789abcdef", "0789abcdf", "0789abce", "0789abd", "0789ac", "0789b", "078a", "079"]
        ),
        (1 - 0x12345678p-32, ["1234568", "123456", "12345", "1234", "123", "12", "1"]),
        (1 - 0x80801p-28, ["00808", "008"]),
    ]

    @Test("Rounding to fewer digits, half up", arguments: rounded)
    func rounding(probability: Double, texts: [String]) {
        for text in texts {
            let threshold = ProbabilityThreshold.of(
                probability: probability, precision: text.count)
            #expect(ProbabilityThreshold.text(of: threshold) == text)
        }
    }

    /// Exact thresholds in Python: 2^56 − round(p·2^56).
    @Test(
        "A share just below one does not become one",
        arguments: [
            (0.9999999, "000001ad8"), (0.99999, "0001"), (0.9999, "0007"),
            (1 - 0x1p-40, "0000000001"), (1 - 0x1p-52, "0000000000001"),
            (1.0.nextDown, "00000000000008"),
        ])
    func almostOne(probability: Double, text: String) {
        let threshold = ProbabilityThreshold.of(probability: probability)
        #expect(ProbabilityThreshold.text(of: threshold) == text)
        #expect(threshold > 0 && ProbabilityThreshold.probability(of: threshold) < 1)
    }

    @Test("No share above zero becomes nothing, at any precision", arguments: 1...14)
    func neverNothing(precision: Int) {
        for exponent in -80 ... -1 {
            for factor in [1, 1.1, 1.5, 1.999] {
                let probability = factor * Double(sign: .plus, exponent: exponent, significand: 1)
                let threshold = ProbabilityThreshold.of(
                    probability: probability, precision: precision)
                #expect(threshold < ProbabilityThreshold.never)
                let below = ProbabilityThreshold.of(
                    probability: 1 - probability, precision: precision)
                #expect(1 - probability == 1 || below > 0)
            }
        }
    }

    @Test(
        "What is no share: below and not a number nothing, above everything",
        arguments: [
            (0, ProbabilityThreshold.never), (-1, ProbabilityThreshold.never),
            (.nan, ProbabilityThreshold.never), (-.infinity, ProbabilityThreshold.never),
            (1, 0), (1.5, 0), (.infinity, 0), (0x1p-57, ProbabilityThreshold.never - 1),
        ] as [(Double, UInt64)])
    func edges(probability: Double, threshold: UInt64) {
        #expect(ProbabilityThreshold.of(probability: probability) == threshold)
    }

    @Test("More probable is never a higher threshold, and rounding stays within its digits")
    func monotone() {
        for precision in 1...14 {
            var last = ProbabilityThreshold.never
            for step in 1...4000 {
                let probability = Double(step) / 4000
                let threshold = ProbabilityThreshold.of(
                    probability: probability, precision: precision)
                #expect(threshold <= last)
                last = threshold
                let exact = ProbabilityThreshold.of(probability: probability, precision: 14)
                let distance = threshold > exact ? threshold - exact : exact - threshold
                #expect(distance <= 1 << UInt64(56 - 4 * precision))
            }
        }
    }

    /// Decoding: the specification, "Sampling threshold value th"; lower case as "Explicit randomness
    /// value rv" asks for it; cases of pkg/sampling, oteltracestate_test.go.
    @Test(
        "The text of a threshold is filled up with zeros on the right",
        arguments: [
            ("0", 0), ("8", 0x80_0000_0000_0000), ("c", 0xc0_0000_0000_0000),
            ("08", 0x08_0000_0000_0000), ("fd70a4", 0xfd_70a4_0000_0000), ("1000", 1 << 52),
            ("abcdefabcdefab", 0xab_cdef_abcd_efab), ("ffffffffffffff", (1 << 56) - 1),
            ("00000000000001", 1), ("00000000000000", 0), ("50", 0x50_0000_0000_0000),
            ("", nil), ("g", nil), ("$", nil), ("-1", nil), ("14.5", nil), ("0x1p+3", nil),
            ("A", nil), ("fD", nil), ("100000000000000", nil), ("ffffffffffffffff", nil),
            (" 8", nil), ("8 ", nil), ("+8", nil), ("８", nil),
        ] as [(String, UInt64?)])
    func decoding(text: String, threshold: UInt64?) {
        #expect(ProbabilityThreshold.parse(text) == threshold)
    }

    @Test("Trailing zeros go, leading ones stay; nothing has no text")
    func encoding() {
        #expect(ProbabilityThreshold.text(of: 0) == "0")
        #expect(ProbabilityThreshold.text(of: 0x08_0000_0000_0000) == "08")
        #expect(ProbabilityThreshold.text(of: 1) == "00000000000001")
        #expect(ProbabilityThreshold.text(of: ProbabilityThreshold.never) == nil)
        #expect(ProbabilityThreshold.text(of: .max) == nil)
        for shift in 0..<56 {
            let threshold = UInt64(0x9d) << UInt64(shift) & (ProbabilityThreshold.never - 1)
            let text = ProbabilityThreshold.text(of: threshold)
            #expect(text.flatMap { ProbabilityThreshold.parse($0) } == threshold)
        }
    }

    /// Adjusted counts: the specification's table, and pkg/sampling's TestUpdateTValueWithSampling.
    @Test(
        "A kept trace stands for as many as it was chosen from",
        arguments: [
            ("0", 1), ("8", 2), ("c", 4), ("e", 8), ("f", 16), ("ffffffffffffff", 0x1p56),
            ("aaab", 3.00004577706569), ("e666", 9.99938968568813),
            ("ffffef39", 999992.38556461), ("555", 1 / (1 - 0x555p-12)),
        ] as [(String, Double)])
    func adjustedCount(text: String, count: Double) throws {
        let threshold = try #require(ProbabilityThreshold.parse(text))
        #expect(abs(ProbabilityThreshold.adjustedCount(of: threshold) / count - 1) < 1e-13)
        #expect(abs(ProbabilityThreshold.probability(of: threshold) * count - 1) < 1e-13)
        #expect(ProbabilityThreshold.adjustedCount(of: ProbabilityThreshold.never) == .infinity)
    }
}
