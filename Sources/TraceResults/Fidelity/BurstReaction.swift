// How fast a sampler gets back within its budget when the load jumps.

/// Finds the first burst of a series of counts, and when what was kept was back within the budget.
enum BurstReaction {
    /// Windows before the burst that say what is usual.
    private static let before = 20
    private static let beforeMin = 5

    /// Windows from the burst's beginning until the last one in it that kept more than the budget, that one
    /// included; nil when nothing bursts, or nothing was kept before.
    ///
    /// A burst begins where a window and the next one have twice as many as the mean of those before, and
    /// five standard deviations of a Poisson count more; it ends before two windows in a row with less than
    /// half as much again. The budget is what the sampler was told, or else what it kept before; a quarter
    /// more and three standard deviations are still within it.
    ///
    /// - Parameters:
    ///   - budget: of one window; nil when the sampler has none.
    static func windows(all: [UInt64], kept: [UInt64], budget: Double?) -> Int? {
        var sum = 0.0
        var keptSum = 0.0
        for window in all.indices {
            let count = min(window, before)
            if count >= beforeMin, window + 1 < all.count {
                let usual = sum / Double(count)
                let least = max(2 * usual, usual + 5 * usual.squareRoot())
                if usual > 0, Double(all[window]) >= least, Double(all[window + 1]) >= least {
                    return reaction(
                        all, kept, from: window, usual: usual,
                        budget: max(budget ?? 0, keptSum / Double(count)))
                }
            }
            sum += Double(all[window])
            keptSum += Double(kept[window])
            if window >= before {
                sum -= Double(all[window - before])
                keptSum -= Double(kept[window - before])
            }
        }
        return nil
    }

    private static func reaction(
        _ all: [UInt64], _ kept: [UInt64], from first: Int, usual: Double, budget: Double
    ) -> Int? {
        guard budget > 0 else { return nil }
        let most = 1.25 * budget + 3 * budget.squareRoot()
        var last: Int?
        for window in first..<all.count {
            let isOver =
                Double(all[window]) < 1.5 * usual
                && (window + 1 == all.count || Double(all[window + 1]) < 1.5 * usual)
            if isOver { break }
            if Double(kept[window]) > most { last = window }
        }
        return last.map { $0 + 1 - first } ?? 0
    }
}
