// Wilcoxon's signed ranks for paired differences: the Hodges–Lehmann estimate, the interval that
// inverts the exact test, and the test itself. No normal approximation anywhere: the null
// distribution is counted out for any number of pairs.
//
// Source: Hollander, Wolfe, Chicken, "Nonparametric Statistical Methods", 3rd ed., 3.1–3.3.
//
// Zeros and ties. The interval is a pair of Walsh averages, (dᵢ + dⱼ) / 2 for i ≤ j. It needs no ranks,
// so equal differences and zeros stay in; as a closed interval it then covers with at least the
// confidence asked for. The test drops zeros, as Wilcoxon did, and gives ties their mean rank, with
// the distribution of those very ranks.

/// Signed-rank statistics of paired differences.
public enum SignedRank {
    /// The most differences taken: beyond it the quadratic number of averages costs seconds.
    public static let countMax = 1000

    /// The Hodges–Lehmann estimate of the middle of the differences, with the exact interval.
    ///
    /// Bounds are infinite where 2⁻ⁿ exceeds half of what the confidence leaves: then no outcome of
    /// n pairs could exclude anything. O(n² log n); n from 1 to ``countMax``.
    ///
    /// - Parameters:
    ///   - differences: finite numbers.
    ///   - confidence: of the two-sided interval, between 0 and 1.
    public static func interval(
        of differences: [Double], confidence: Double
    ) -> IntervalEstimate {
        let averages = walshAverages(differences)
        let estimate = OrderStatistics.medianOfSorted(averages)
        let rank = boundRank(count: differences.count, confidence: confidence)
        guard rank > 0 else {
            return IntervalEstimate(estimate: estimate, lower: -.infinity, upper: .infinity)
        }
        return IntervalEstimate(
            estimate: estimate, lower: averages[rank - 1], upper: averages[averages.count - rank])
    }

    /// The fewest pairs with which an interval of this confidence has bounds.
    public static func smallestCount(confidence: Double) -> Int? {
        (1...countMax).first { boundRank(count: $0, confidence: confidence) > 0 }
    }

    /// Wilcoxon's two-sided exact p; 1 without any difference but zero.
    public static func pValue(_ differences: [Double]) -> Double {
        let kept = differences.filter { $0 != 0 }
        guard !kept.isEmpty else { return 1 }
        let ranks = OrderStatistics.doubledMidranks(kept.map(abs))
        let positive = zip(kept, ranks).reduce(0) { $0 + ($1.0 > 0 ? $1.1 : 0) }
        let below = cumulative(ranks: ranks)
        let total = ranks.reduce(0, +)
        let tail = min(below[positive], below[total - positive])
        return min(1, 2 * tail)
    }

    /// Every (dᵢ + dⱼ) / 2 with i ≤ j, ascending.
    static func walshAverages(_ differences: [Double]) -> [Double] {
        precondition(
            (1...countMax).contains(differences.count), "from 1 to \(countMax) differences")
        var averages: [Double] = []
        averages.reserveCapacity(differences.count * (differences.count + 1) / 2)
        for (index, left) in differences.enumerated() {
            for right in differences[index...] { averages.append((left + right) / 2) }
        }
        averages.sort()
        return averages
    }

    /// The largest k with P(W ≤ k − 1) ≤ (1 − confidence) / 2: the k-th Walsh average from either end
    /// is a bound. 0 where there is none.
    static func boundRank(count: Int, confidence: Double) -> Int {
        let tail = (1 - confidence) / 2
        let below = cumulative(ranks: Array(1...count))
        var rank = 0
        // A tail of exactly this much counts, whatever the last bit of the sum says.
        while rank < below.count, below[rank] <= tail * (1 + 1e-12) { rank += 1 }
        return rank
    }

    /// P(W ≤ w) for w = 0, 1, … where W sums the ranks that a fair coin picks. O(n · Σ ranks).
    static func cumulative(ranks: [Int]) -> [Double] {
        var chance = [Double](repeating: 0, count: ranks.reduce(1, +))
        chance[0] = 1
        var highest = 0
        for rank in ranks {
            highest += rank
            for sum in stride(from: highest, through: 0, by: -1) {
                let taken = sum >= rank ? chance[sum - rank] : 0
                chance[sum] = (chance[sum] + taken) / 2
            }
        }
        var sum = 0.0
        return chance.map { probability in
            sum += probability
            return sum
        }
    }
}
