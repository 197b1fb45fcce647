// Where a series of figures changed its level for good: change points by PELT.
//
// Sources: R. Killick, P. Fearnhead, I. A. Eckley, "Optimal detection of changepoints with a linear
// computational cost", JASA 107 (2012), whose algorithm this is; the cost is the within-segment sum
// of squares of the ranks, after A. Lung-Yut-Fong, C. Lévy-Leduc, O. Cappé, "Homogeneity and
// change-point detection tests for multivariate data using rank statistics", J. SFdS 156 (2015).
// Ranks, since figures of benchmarks have outliers on one side: one run that was disturbed moves a
// mean by any amount, its rank by at most n. And the variance of ranks is known, so the penalty
// needs no estimate of the noise: how often it cries wolf is the same for every distribution.

import Glibc

/// Change points of a series.
public enum ChangePoints {
    /// The penalty for each change is this many times ln n. With 2.5, of series of 8 to 100
    /// unchanged independent values at most one in twenty shows a change (docs/history.md).
    public static let penaltyFactor = 2.5
    /// What may be asked for. Less finds a change in noise more often than not.
    public static let penaltyFactors: ClosedRange<Double> = 1...20

    /// The fewest values in which a change can be found at a penalty.
    ///
    /// A clean step in the middle of n values gains most; without it in n values there is none.
    public static func valuesNeeded(penaltyFactor: Double = penaltyFactor) -> Int {
        var count = 2
        while true {
            let values = (0..<count).map { $0 < count / 2 ? Double($0) : Double($0) + 1e6 }
            if !find(values, penaltyFactor: penaltyFactor).isEmpty { return count }
            count += 1
        }
    }

    /// The indices at which a new level begins, ascending; none in an unchanged series.
    ///
    /// Minimises the sum of the segments' costs plus the penalty for each change, exactly. Values
    /// must be finite. O(n log n) where changes keep coming, O(n²) where there are none.
    ///
    /// - Parameter penaltyFactor: times ln n is what a change costs, in units of the ranks' variance.
    public static func find(_ values: [Double], penaltyFactor: Double = penaltyFactor) -> [Int] {
        precondition(values.allSatisfy(\.isFinite), "a series of figures is finite")
        precondition(penaltyFactors.contains(penaltyFactor), "a penalty of \(penaltyFactor)")
        guard values.count > 1, let costs = RankCosts(values) else { return [] }
        return optimalPartition(costs, penalty: penaltyFactor * log(Double(values.count)))
    }

    /// PELT. `best[t]` is the least cost of the first t values, F(t) of the paper, less one penalty.
    private static func optimalPartition(_ costs: RankCosts, penalty: Double) -> [Int] {
        let count = costs.count
        var best = [Double](repeating: 0, count: count + 1)
        var last = [Int](repeating: 0, count: count + 1)
        best[0] = -penalty
        var candidates = [0]
        var kept: [(start: Int, cost: Double)] = []
        for end in 1...count {
            kept.removeAll(keepingCapacity: true)
            var least = Double.infinity
            for start in candidates {
                let cost = best[start] + costs.of(start..<end)
                kept.append((start, cost))
                // Of equal costs the earliest start wins: the fewest changes.
                if cost + penalty < least {
                    least = cost + penalty
                    last[end] = start
                }
            }
            best[end] = least
            // A start that cannot win even without paying for the next change never wins again:
            // splitting a segment never raises a sum of squares.
            candidates.removeAll(keepingCapacity: true)
            for (start, cost) in kept where cost <= least { candidates.append(start) }
            candidates.append(end)
        }
        var changes: [Int] = []
        var end = last[count]
        while end > 0 {
            changes.append(end)
            end = last[end]
        }
        return changes.reversed()
    }

    /// The cost of any segment in constant time, from running sums of the centred ranks.
    private struct RankCosts {
        private var sums: [Double]
        private var squares: [Double]
        private let variance: Double

        /// nil where all values are equal: nothing changed.
        init?(_ values: [Double]) {
            // Twice the centred midranks: whole numbers, so that the sums are exact.
            let ranks = OrderStatistics.doubledMidranks(values)
            sums = [0]
            squares = [0]
            for rank in ranks {
                let centred = Double(rank - values.count - 1)
                sums.append((sums.last ?? 0) + centred)
                squares.append((squares.last ?? 0) + centred * centred)
            }
            variance = (squares.last ?? 0) / Double(values.count - 1)
            guard variance > 0 else { return nil }
        }

        var count: Int { sums.count - 1 }

        func of(_ range: Range<Int>) -> Double {
            let sum = sums[range.upperBound] - sums[range.lowerBound]
            let square = squares[range.upperBound] - squares[range.lowerBound]
            return max(0, square - sum * sum / Double(range.count)) / variance
        }
    }
}
