import Glibc
import Testing

@testable import TraceResults

/// Our statistics against scipy's, on the same samples.
@Suite("Statistics")
struct StatisticsTests {
    private func isClose(_ left: Double, _ right: Double, within tolerance: Double = 1e-9) -> Bool {
        left == right || abs(left - right) <= tolerance * max(1, abs(left), abs(right))
    }

    @Test("the signed-rank interval is the one that scipy's exact test keeps")
    func signedRankIntervals() {
        for golden in GoldenStatistics.signedRankIntervals {
            let found = SignedRank.interval(of: golden.values, confidence: golden.confidence)
            #expect(isClose(found.estimate, golden.estimate), "\(golden)")
            #expect(isClose(found.lower, golden.lower), "\(golden): \(found)")
            #expect(isClose(found.upper, golden.upper), "\(golden): \(found)")
        }
    }

    @Test("the signed-rank test gives scipy's p, with ties and zeros too")
    func signedRankTests() {
        for golden in GoldenStatistics.signedRankTests {
            let found = SignedRank.pValue(golden.values)
            #expect(isClose(found, golden.pValue), "\(golden): \(found)")
        }
        #expect(SignedRank.pValue([0, 0, 0]) == 1)
    }

    @Test("an interval leaves zero out exactly when the test rejects it")
    func intervalAndTestAgree() {
        var random = SeededRandom(seed: 3)
        for _ in 0..<300 {
            let count = 6 + random.next(below: 15)
            let values = (0..<count).map { _ in
                Double.random(in: -1...1, using: &random) + 0.35
            }
            let found = SignedRank.interval(of: values, confidence: 0.95)
            let excludesZero = found.lower > 0 || found.upper < 0
            #expect(excludesZero == (SignedRank.pValue(values) <= 0.05))
        }
    }

    @Test("covers the true middle at least as often as it says, with many ties and zeros")
    func coverageWithTies() {
        var random = SeededRandom(seed: 11)
        var misses = 0
        let trials = 4000
        for _ in 0..<trials {
            // Symmetric around 0, on a coarse grid: two fifths zeros.
            let values = (0..<12).map { _ in Double([-2, -1, 0, 0, 1, 2][random.next(below: 6)]) }
            let found = SignedRank.interval(of: values, confidence: 0.9)
            if found.lower > 0 || found.upper < 0 { misses += 1 }
        }
        // Ties make it miss less often than the tenth it may.
        #expect(Double(misses) / Double(trials) <= 0.1)
        #expect(misses > 0)
    }

    @Test("too few pairs give no bounds, and the smallest count that does is known")
    func smallestCounts() {
        #expect(SignedRank.smallestCount(confidence: 0.95) == 6)
        #expect(SignedRank.smallestCount(confidence: 0.9) == 5)
        #expect(SignedRank.smallestCount(confidence: 0.999) == 11)
        let few = SignedRank.interval(of: [1, 2, 3, 4, 5], confidence: 0.95)
        #expect(few.lower == -.infinity && few.upper == .infinity && few.estimate == 3)
        #expect(!few.isBounded)
        #expect(SignedRank.interval(of: [1, 2, 3, 4, 5, 6], confidence: 0.95).isBounded)
    }

    @Test("the null distribution of hundreds of pairs sums to one and is symmetric")
    func distribution() {
        for count in [1, 2, 20, 200] {
            let below = SignedRank.cumulative(ranks: Array(1...count))
            #expect(isClose(below.last ?? 0, 1))
            let middle = below.count / 2
            for offset in 0..<min(middle, 50) {
                let upper = 1 - (offset < below.count - 1 ? below[below.count - 2 - offset] : 0)
                #expect(isClose(below[offset], upper, within: 1e-12))
            }
        }
    }

    @Test("Mann and Whitney's test gives scipy's U and p")
    func rankSumTests() {
        for golden in GoldenStatistics.rankSumTests {
            let found = RankSum.test(golden.first, golden.second)
            #expect(found.statistic == golden.statistic)
            #expect(found.isExact == golden.isExact)
            #expect(isClose(found.pValue, golden.pValue), "\(found) \(golden.pValue)")
        }
        #expect(RankSum.test([1, 1], [1, 1]).pValue == 1)
    }

    @Test("the interval between unpaired samples is the one that scipy's exact test keeps")
    func shiftIntervals() {
        for golden in GoldenStatistics.shiftIntervals {
            let found = RankSum.shift(
                from: golden.second, to: golden.first, confidence: golden.confidence)
            #expect(isClose(found.estimate, golden.estimate))
            #expect(isClose(found.lower, golden.lower), "\(golden) \(found)")
            #expect(isClose(found.upper, golden.upper), "\(golden) \(found)")
        }
        #expect(!RankSum.shift(from: [1, 2], to: [3, 4], confidence: 0.95).isBounded)
        // Large samples take the approximation: close to the rank that counting gives for a little less.
        let counted = RankSum.boundRank(50, 50, confidence: 0.95)
        let approximated = RankSum.boundRank(51, 51, confidence: 0.95)
        #expect(approximated > counted && Double(approximated) < Double(counted) * 1.05)
    }

    @Test("Clopper and Pearson's interval is scipy's")
    func binomialShares() {
        for golden in GoldenStatistics.binomialShares {
            let found = BinomialShare.interval(
                hits: golden.hits, trials: golden.trials, confidence: golden.confidence)
            #expect(isClose(found.lower, golden.lower), "\(golden) \(found)")
            #expect(isClose(found.upper, golden.upper), "\(golden) \(found)")
        }
    }

    @Test("the bootstrap is near scipy's with a hundred times the resamples, and follows its seed")
    func bootstraps() {
        for golden in GoldenStatistics.bootstraps {
            func interval(_ seed: UInt64) -> IntervalEstimate {
                RatioBootstrap.interval(
                    numerators: golden.numerators, denominators: golden.denominators,
                    isPaired: golden.isPaired, confidence: 0.95, seed: seed)
            }
            let found = interval(1)
            #expect(abs(found.lower - golden.lower) < 0.004, "\(found) \(golden.lower)")
            #expect(abs(found.upper - golden.upper) < 0.004, "\(found) \(golden.upper)")
            #expect(found == interval(1))
        }
        let values = (1...20).map { Double($0 * $0) }
        func spread(_ seed: UInt64) -> IntervalEstimate {
            RatioBootstrap.interval(
                numerators: values, denominators: values.map { $0 + 7 }.reversed(),
                isPaired: false, confidence: 0.95, resamples: 50, seed: seed)
        }
        #expect(spread(1) != spread(2))
    }

    @Test("medians and quantiles of few values")
    func orderStatistics() {
        #expect(OrderStatistics.median([3]) == 3)
        #expect(OrderStatistics.median([4, 1]) == 2.5)
        #expect(OrderStatistics.median([9, 1, 5]) == 5)
        #expect(OrderStatistics.quantileOfSorted([1, 2, 3, 4, 5], share: 0.25) == 2)
        #expect(OrderStatistics.quantileOfSorted([1, 2], share: 1) == 2)
        #expect(OrderStatistics.doubledMidranks([5, 1, 5, 0]) == [7, 4, 7, 2])
    }

    @Test("the normal quantile undoes the normal tail")
    func normal() {
        #expect(isClose(Normal.quantile(0.975), 1.959963984540054))
        #expect(isClose(Normal.quantile(0.0005), -3.2905267314918945))
    }
}
