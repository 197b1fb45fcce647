import Testing

@testable import TraceResults

/// The arithmetic of estimates against scipy, numpy, and lists of all samples.
@Suite("Fidelity functions")
struct FidelityFunctionTests {
    private func isClose(_ left: Double, _ right: Double, _ tolerance: Double = 1e-9) -> Bool {
        abs(left - right) <= tolerance * max(1, abs(right))
    }

    @Test("intervals of shares are Wilson's")
    func shares() {
        #expect(isClose(HorvitzThompson.z, GoldenFidelity.z, 1e-15))
        for golden in GoldenFidelity.shares {
            let interval = HorvitzThompson.shareInterval(
                golden.hits / golden.trials, observations: golden.trials)
            #expect(isClose(interval.lowerBound, golden.lower))
            #expect(isClose(interval.upperBound, golden.upper))
        }
        #expect(HorvitzThompson.shareInterval(0.25, observations: .infinity) == 0.25...0.25)
    }

    @Test("intervals of totals are those of the score, and never below what was seen")
    func totals() {
        for golden in GoldenFidelity.totals {
            let interval = HorvitzThompson.totalInterval(
                estimate: golden.estimate, variance: golden.variance, varianceShare: 0, seen: 0)
            #expect(isClose(interval.lowerBound, golden.lower, 1e-6))
            #expect(isClose(interval.upperBound, golden.upper, 1e-6))
        }
        let seen = HorvitzThompson.totalInterval(
            estimate: 10, variance: 90, varianceShare: 0, seen: 7)
        #expect(seen.lowerBound == 7)
        let none = HorvitzThompson.totalInterval(
            estimate: 0, variance: 0, varianceShare: 9, seen: 0)
        #expect(none.lowerBound == 0 && isClose(none.upperBound, 9 * 3.841_458_820_694_124))
        let certain = HorvitzThompson.totalInterval(
            estimate: 12, variance: 0, varianceShare: 0, seen: 12)
        #expect(certain == 12...12)
    }

    @Test("entropies and divergences of mixes are scipy's")
    func mixes() throws {
        for golden in GoldenFidelity.mixes {
            #expect(isClose(ShapeMix.entropyBits(golden.right), golden.entropyBits))
            let divergence = try #require(
                ShapeMix.divergenceBits(Array(zip(golden.left, golden.right)).map { ($0, $1) }))
            #expect(isClose(divergence, golden.divergenceBits, 1e-7))
        }
        #expect(ShapeMix.divergenceBits([(1, 0), (0, 1)]) == 1)
        #expect(ShapeMix.divergenceBits([(1, 0)]) == nil)
        #expect(ShapeMix.entropyBits([]) == 0)
    }

    @Test("weighted quantiles are numpy's, of many values and of few")
    func quantiles() throws {
        for golden in GoldenFidelity.quantiles {
            var builder = TruthBuilder(services: ["s"], spansMax: 10_000)
            let operation = try builder.number(of: .init(service: 0, name: "o"))
            for (number, value) in golden.values.enumerated() {
                var span = PlannedSpanTruth()
                (span.operation, span.isAbsent, span.endNs) = (operation, false, value)
                try builder.add(arrival: number, startNs: 0, [span])
            }
            let truth = builder.finish()
            // The code is the weight.
            let ranks = DurationRanks(truth, codes: golden.weights.map { UInt16($0) })
            let found = ranks.weighted(
                0, shares: [0.1, 0.5, 0.9, 0.99], total: golden.weights.reduce(0, +),
                weights: (0...10).map(Double.init))
            #expect(found == golden.wanted)
            let plain = DurationRanks(truth, codes: golden.values.map { _ in 0 })
            let sorted = golden.values.sorted()
            #expect(plain.truth(0, share: 0.5) == sorted[(sorted.count + 1) / 2 - 1])
        }
    }

    @Test("the estimated variance is right on average over every sample that there could be")
    func variances() {
        for golden in GoldenFidelity.variances {
            var mean = 0.0
            func add(_ unit: Int, _ probability: Double, _ variance: Double) {
                guard unit < golden.units.count else {
                    mean += probability * variance
                    return
                }
                for outcome in golden.units[unit] {
                    add(
                        unit + 1, probability * outcome.probability,
                        variance + HorvitzThompson.varianceTerm(outcome.kept))
                }
            }
            add(0, 1, 0)
            #expect(isClose(mean, golden.variance))
        }
    }

    @Test("a threshold is its adjusted count")
    func adjustedCounts() {
        #expect(HorvitzThompson.adjustedCount(threshold: 0) == 1)
        #expect(HorvitzThompson.adjustedCount(threshold: 0x80_0000_0000_0000) == 2)
        #expect(
            isClose(HorvitzThompson.adjustedCount(threshold: 0xE6_6666_6666_6666), 10, 1e-12))
    }

    @Test("moments of ratios agree with sums over pairs")
    func moments() {
        var one = RatioMoments()
        one.add(coefficient: HorvitzThompson.coefficient(0.25), x: 3, y: 2)
        var parts = RatioMoments()
        parts.add(parts: [(0.25, 3, 2)])
        #expect(isClose(parts.xx, one.xx) && isClose(parts.xy, one.xy) && isClose(parts.yy, one.yy))
        #expect(one.xx == 12 * 9 && one.xy == 12 * 6 && one.yy == 12 * 4)
        // (y − R x) of that trace: 2 − 3/2, over a total of 12.
        #expect(
            isClose(HorvitzThompson.ratioVariance(ratio: 0.5, total: 12, one), 12 * 0.25 / 144))
    }

    @Test("a burst is over for a sampler when it keeps no more than its budget")
    func bursts() {
        let load =
            Array(repeating: UInt64(100), count: 20) + Array(repeating: 400, count: 10)
            + Array(repeating: 100, count: 20)
        func windows(_ kept: (Int) -> UInt64, budget: Double? = nil) -> Int? {
            BurstReaction.windows(all: load, kept: load.indices.map(kept), budget: budget)
        }
        // A ratio never reacts: only the end of the burst helps.
        #expect(windows { load[$0] / 10 } == 10)
        #expect(windows({ $0 < 23 ? load[$0] : 100 }) == 3)
        #expect(windows { _ in 50 } == 0)
        #expect(windows({ load[$0] }, budget: 400) == 0)
        #expect(windows { _ in 0 } == nil)
        #expect(
            BurstReaction.windows(
                all: Array(repeating: 100, count: 50), kept: Array(repeating: 1, count: 50),
                budget: nil) == nil)
    }
}
