// The slope of the line through noisy points: the median of the slopes of all pairs of them. A third of the
// points may be anything at all before it is led astray.
// Sources: Theil, "A rank-invariant method of linear and polynomial regression analysis" (1950); the interval by
// Kendall's score, Sen, "Estimates of the regression coefficient based on Kendall's tau" (1968); points in groups
// that may lie at different heights, Hirsch, Slack and Smith, "Techniques of trend analysis" (1982).

/// A robust slope.
enum TheilSen {
    /// A place and a value.
    struct Point: Sendable, Equatable {
        var x: Double
        var y: Double

        /// A point.
        init(_ x: Double, _ y: Double) {
            self.x = x
            self.y = y
        }
    }

    /// Of the standard normal distribution: beyond it either way lie 5%.
    private static let normalQuantile = 1.959963984540054

    /// The slope within groups of points, with its interval of 95%; nil without two points at different places of
    /// one group. Between groups a level may be another, and says nothing. O(n² log n) in the points of a group.
    ///
    /// The interval is that of points whose noise is independent. Neighbouring readings of memory are not: take
    /// medians of stretches long enough.
    static func slope(_ groups: [[Point]]) -> IntervalEstimate? {
        var slopes: [Double] = []
        var variance = 0.0
        for group in groups {
            for later in group.indices {
                for earlier in 0..<later where group[later].x != group[earlier].x {
                    slopes.append(
                        (group[later].y - group[earlier].y) / (group[later].x - group[earlier].x))
                }
            }
            variance += scoreVariance(group)
        }
        guard !slopes.isEmpty else { return nil }
        slopes.sort()
        let count = Double(slopes.count)
        let reach = normalQuantile * max(0, variance).squareRoot()
        let lower = Int(((count - reach) / 2).rounded(.toNearestOrEven)) - 1
        let upper = Int(((count + reach) / 2).rounded(.toNearestOrEven))
        return IntervalEstimate(
            estimate: OrderStatistics.medianOfSorted(slopes), lower: slopes[max(0, lower)],
            upper: slopes[min(slopes.count - 1, upper)])
    }

    /// The variance of Kendall's score of points without a slope, equal places and values taken out.
    private static func scoreVariance(_ points: [Point]) -> Double {
        func term(_ count: Int) -> Double {
            let n = Double(count)
            return n * (n - 1) * (2 * n + 5)
        }
        func ties(_ values: [Double]) -> Double {
            Dictionary(grouping: values, by: { $0 }).values.reduce(0) { $0 + term($1.count) }
        }
        return (term(points.count) - ties(points.map(\.x)) - ties(points.map(\.y))) / 18
    }
}
