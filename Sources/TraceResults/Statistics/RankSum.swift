// Mann and Whitney's comparison of two samples that are not paired: the labelled fallback where a
// stored result stands on one side. Exact where no two values are equal and the samples are not
// large, else the normal approximation with the correction for ties.
//
// Source: Mann, Whitney (1947); Hollander, Wolfe, Chicken, 3rd ed., 4.1–4.3.

import Glibc

/// Two unpaired samples.
public enum RankSum {
    /// Up to this many pairs of values the distribution is counted out.
    public static let exactProductMax = 2500

    /// The comparison's outcome.
    public struct Test: Sendable, Equatable {
        /// How many pairs (a, b) have a > b; equal ones count one half.
        public var statistic: Double
        /// Two-sided.
        public var pValue: Double
        /// Whether the distribution was counted out.
        public var isExact: Bool
    }

    /// Mann–Whitney U of `first` over `second`. Neither is empty.
    public static func test(_ first: [Double], _ second: [Double]) -> Test {
        precondition(!first.isEmpty && !second.isEmpty, "a comparison needs two samples")
        let ranks = OrderStatistics.doubledMidranks(first + second)
        let sum = ranks.prefix(first.count).reduce(0, +)
        let statistic = Double(sum) / 2 - Double(first.count * (first.count + 1)) / 2
        let product = first.count * second.count
        let hasTies = Set(ranks).count < ranks.count
        guard hasTies || product > exactProductMax else {
            let below = cumulative(first.count, second.count)
            let larger = Int(max(statistic, Double(product) - statistic))
            // P(U ≥ larger) by the symmetry of U.
            return Test(
                statistic: statistic, pValue: min(1, 2 * below[product - larger]), isExact: true)
        }
        return Test(
            statistic: statistic, pValue: normalPValue(statistic, ranks, first.count, second.count),
            isExact: false)
    }

    /// The Hodges–Lehmann estimate of how far `first` lies above `second`, the median of all
    /// differences, with the interval that inverts the exact test. Closed, so equal differences only
    /// make it more careful. Bounds are infinite where no outcome could exclude anything.
    public static func shift(
        from second: [Double], to first: [Double], confidence: Double
    ) -> IntervalEstimate {
        precondition(!first.isEmpty && !second.isEmpty, "a comparison needs two samples")
        var differences: [Double] = []
        differences.reserveCapacity(first.count * second.count)
        for left in first { for right in second { differences.append(left - right) } }
        differences.sort()
        let estimate = OrderStatistics.medianOfSorted(differences)
        let rank = boundRank(first.count, second.count, confidence: confidence)
        guard rank > 0 else {
            return IntervalEstimate(estimate: estimate, lower: -.infinity, upper: .infinity)
        }
        return IntervalEstimate(
            estimate: estimate, lower: differences[rank - 1],
            upper: differences[differences.count - rank])
    }

    /// Like ``SignedRank/boundRank(count:confidence:)``, for the sum of ranks.
    static func boundRank(_ firstCount: Int, _ secondCount: Int, confidence: Double) -> Int {
        let tail = (1 - confidence) / 2
        let product = firstCount * secondCount
        guard product <= exactProductMax else {
            // Far from the ends of the distribution, where the approximation is good.
            let deviation = (Double(product * (firstCount + secondCount + 1)) / 12).squareRoot()
            let bound = Double(product) / 2 + Normal.quantile(tail) * deviation
            return max(0, Int(bound.rounded(.down)))
        }
        let below = cumulative(firstCount, secondCount)
        var rank = 0
        while rank < below.count, below[rank] <= tail * (1 + 1e-12) { rank += 1 }
        return rank
    }

    /// P(U ≤ u) for u = 0 … m·n without ties, by the recursion over which sample holds the largest
    /// value. O((m·n)²) at worst.
    static func cumulative(_ firstCount: Int, _ secondCount: Int) -> [Double] {
        let product = firstCount * secondCount
        // chances[n] is the distribution of U for the current m and n values in the other sample.
        var chances = [[Double]](repeating: [1], count: secondCount + 1)
        for left in 1...firstCount {
            var next = [[Double]]()
            next.reserveCapacity(secondCount + 1)
            next.append([1])
            for right in 1...secondCount {
                let share = Double(left) / Double(left + right)
                var chance = [Double](repeating: 0, count: left * right + 1)
                // The largest value is of the first sample: it exceeds all `right` of the other.
                for (value, probability) in chances[right].enumerated() {
                    chance[value + right] += share * probability
                }
                for (value, probability) in next[right - 1].enumerated() {
                    chance[value] += (1 - share) * probability
                }
                next.append(chance)
            }
            chances = next
        }
        var sum = 0.0
        return (0...product).map { value in
            sum += chances[secondCount][value]
            return sum
        }
    }

    /// Two-sided, with the corrections for ties and for continuity.
    private static func normalPValue(
        _ statistic: Double, _ doubledRanks: [Int], _ firstCount: Int, _ secondCount: Int
    ) -> Double {
        let total = Double(firstCount + secondCount)
        let product = Double(firstCount * secondCount)
        var groups: [Int: Double] = [:]
        for rank in doubledRanks { groups[rank, default: 0] += 1 }
        let ties = groups.values.reduce(0) { $0 + ($1 * $1 * $1 - $1) }
        let variance = product / 12 * (total + 1 - ties / (total * (total - 1)))
        guard variance > 0 else { return 1 }
        let larger = max(statistic, product - statistic)
        let distance = (larger - product / 2 - 0.5) / variance.squareRoot()
        return min(1, 2 * Normal.upperTail(distance))
    }
}

/// The standard normal distribution.
enum Normal {
    /// P(Z > z).
    static func upperTail(_ distance: Double) -> Double {
        erfc(distance / 2.0.squareRoot()) / 2
    }

    /// The z with P(Z ≤ z) = `share`, 0 < share < 1, by halving: sixty steps give every bit that
    /// `erfc` has.
    static func quantile(_ share: Double) -> Double {
        var low = -40.0
        var high = 40.0
        for _ in 0..<80 {
            let middle = (low + high) / 2
            if upperTail(-middle) < share { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }
}
