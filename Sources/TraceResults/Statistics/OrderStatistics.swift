// Medians and the interval type that every estimate comes with.

/// An estimate with the bounds of its confidence interval.
///
/// A bound is infinite where so few values cannot give one at the confidence that was asked for.
public struct IntervalEstimate: Sendable, Equatable {
    /// The point estimate.
    public var estimate: Double
    /// The lower bound; −∞ where there is none.
    public var lower: Double
    /// The upper bound; +∞ where there is none.
    public var upper: Double

    /// An estimate with its bounds.
    public init(estimate: Double, lower: Double, upper: Double) {
        self.estimate = estimate
        self.lower = lower
        self.upper = upper
    }

    /// Whether both bounds exist.
    public var isBounded: Bool { lower.isFinite && upper.isFinite }
}

/// Medians.
public enum OrderStatistics {
    /// The median of values in any order, the mean of the two middle ones of an even number.
    /// At least one value. O(n log n).
    public static func median(_ values: [Double]) -> Double {
        medianOfSorted(values.sorted())
    }

    /// The median of values in ascending order. At least one value.
    static func medianOfSorted(_ values: [Double]) -> Double {
        precondition(!values.isEmpty, "no values have no median")
        let middle = values.count / 2
        return values.count.isMultiple(of: 2)
            ? (values[middle - 1] + values[middle]) / 2 : values[middle]
    }

    /// The `share` quantile (0…1) of values in ascending order, between two of them in proportion
    /// (type 7 of Hyndman and Fan). At least one value.
    static func quantileOfSorted(_ values: [Double], share: Double) -> Double {
        precondition(!values.isEmpty, "no values have no quantile")
        let position = share * Double(values.count - 1)
        let index = min(max(0, Int(position)), values.count - 1)
        let next = min(index + 1, values.count - 1)
        return values[index] + (values[next] - values[index]) * (position - Double(index))
    }

    /// Ranks from 1, doubled so that the mean rank of ties is whole. O(n log n).
    static func doubledMidranks(_ values: [Double]) -> [Int] {
        let order = values.indices.sorted { values[$0] < values[$1] }
        var ranks = [Int](repeating: 0, count: values.count)
        var start = 0
        while start < order.count {
            var end = start + 1
            while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
            // Ranks start+1 … end: their mean, doubled, is start + 1 + end.
            for position in start..<end { ranks[order[position]] = start + 1 + end }
            start = end
        }
        return ranks
    }
}
