// The bootstrap of a ratio of medians: shown beside the interval that decides, for a reader who wants
// to know how the plain medians move. Source: Efron, Tibshirani, "An Introduction to the Bootstrap".

/// A seeded bootstrap.
public enum RatioBootstrap {
    /// The ratio median(numerators) / median(denominators) with its percentile interval.
    ///
    /// Pairs are drawn together where `isPaired` (the samples then have equal counts), else each sample
    /// by itself. The same seed gives the same interval. Positive numbers; O(resamples · n log n).
    public static func interval(
        numerators: [Double], denominators: [Double], isPaired: Bool, confidence: Double,
        resamples: Int = 2000, seed: UInt64
    ) -> IntervalEstimate {
        precondition(!numerators.isEmpty && !denominators.isEmpty, "a ratio needs two samples")
        precondition(!isPaired || numerators.count == denominators.count, "pairs need partners")
        let estimate =
            OrderStatistics.median(numerators) / OrderStatistics.median(denominators)
        var random = SeededRandom(seed: seed)
        var ratios: [Double] = []
        ratios.reserveCapacity(resamples)
        for _ in 0..<resamples {
            let picks = numerators.map { _ in random.next(below: numerators.count) }
            let others =
                isPaired ? picks : denominators.map { _ in random.next(below: denominators.count) }
            ratios.append(
                OrderStatistics.median(picks.map { numerators[$0] })
                    / OrderStatistics.median(others.map { denominators[$0] }))
        }
        ratios.sort()
        let tail = (1 - confidence) / 2
        return IntervalEstimate(
            estimate: estimate,
            lower: OrderStatistics.quantileOfSorted(ratios, share: tail),
            upper: OrderStatistics.quantileOfSorted(ratios, share: 1 - tail))
    }
}
