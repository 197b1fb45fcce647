// Estimates of totals, shares and quantiles from traces that were kept with known probabilities. The trace
// is the sampling unit: its spans are kept or lost together, so variances are of sums by trace.
//
// Sources: Horvitz, Thompson, J. Amer. Statist. Assoc. 47 (1952) 663: totals and the variance of Poisson
// sampling. Särndal, Swensson, Wretman, Model Assisted Survey Sampling (1992) §5.6–5.7: the linearised
// variance of a ratio. Wilson, J. Amer. Statist. Assoc. 22 (1927) 209: score intervals. Korn, Graubard,
// Survey Methodology 24 (1998) 193: effective sample sizes. Woodruff, J. Amer. Statist. Assoc. 47 (1952)
// 635: intervals of quantiles.

import Glibc

/// The arithmetic of estimates by inclusion probability. Pure functions.
public enum HorvitzThompson {
    /// Two-sided 95% of the normal distribution.
    public static let z = 1.959_963_984_540_054

    /// How many spans one that was kept with this threshold stands for: 2^56 / (2^56 − T).
    public static func adjustedCount(threshold: UInt64) -> Double {
        let all = Double(UInt64(1) << 56)
        return all / (all - Double(min(threshold, (1 << 56) - 1)))
    }

    /// What a trace adds to the estimated variance of a total: Σ (1 − π)/π² y² over what was kept of it.
    /// Spans of one trace with different probabilities are decided by the same random number, so that a
    /// pair is kept with the smaller of its two.
    ///
    /// - Parameter parts: sums by probability, each probability once.
    public static func varianceTerm(_ parts: [(probability: Double, sum: Double)]) -> Double {
        var sum = 0.0
        for (index, part) in parts.enumerated() {
            sum += coefficient(part.probability) * part.sum * part.sum
            for other in parts[..<index] {
                let low = min(part.probability, other.probability)
                let high = max(part.probability, other.probability)
                sum += 2 * part.sum * other.sum * (1 - high) / (high * low)
            }
        }
        return sum
    }

    /// (1 − π)/π².
    @inline(__always)
    static func coefficient(_ probability: Double) -> Double {
        (1 - probability) / (probability * probability)
    }

    /// The interval of a total by its score: all totals N for which |estimate − N| ≤ z √(variance · N /
    /// estimate). The variance of a total that is counted grows with it, which a symmetric interval does
    /// not see: with few traces kept it would miss too often, on one side.
    ///
    /// - Parameters:
    ///   - variance: estimated, at `estimate`.
    ///   - varianceShare: variance / estimate to take where nothing was kept.
    ///   - seen: what was kept itself; the total is at least that.
    public static func totalInterval(
        estimate: Double, variance: Double, varianceShare: Double, seen: Double
    ) -> ClosedRange<Double> {
        let share = estimate > 0 ? variance / estimate : varianceShare
        let half = z * z * share / 2
        let spread = (half * half + z * z * share * estimate).squareRoot()
        let upper = estimate + half + spread
        return min(max(seen, estimate + half - spread), upper)...upper
    }

    /// The linearised variance of a ratio of two totals R = Y/X: that of the residuals y − R x, over X².
    public static func ratioVariance(
        ratio: Double, total: Double, _ moments: RatioMoments
    ) -> Double {
        let sum =
            moments.yy - 2 * ratio * moments.xy + ratio * ratio * moments.xx
        return max(0, sum) / (total * total)
    }

    /// Wilson's interval of a share that was estimated with this many independent observations, which need
    /// not be a whole number; infinity for all there are.
    public static func shareInterval(_ share: Double, observations: Double) -> ClosedRange<Double> {
        guard observations.isFinite else { return share...share }
        let square = z * z / observations
        let centre = (share + square / 2) / (1 + square)
        let spread =
            z * (share * (1 - share) / observations + square / (4 * observations)).squareRoot()
            / (1 + square)
        return max(0, min(share, centre - spread))...min(1, max(share, centre + spread))
    }

    /// Independent observations that a share of this variance would need.
    ///
    /// - Parameters:
    ///   - clusters: traces that the share was made from.
    ///   - keptShare: estimated share of all that they are; at 1 nothing is uncertain.
    public static func observations(
        share: Double, variance: Double, clusters: Double, keptShare: Double
    ) -> Double {
        guard keptShare < 1 else { return .infinity }
        // A share of 0 or 1 shows no variance: each trace counts once.
        guard variance > 0, share > 0, share < 1 else { return clusters / (1 - keptShare) }
        return share * (1 - share) / variance
    }

    /// The probabilities whose quantiles bound the one at `share`, by Woodruff. The upper one may be 1 or
    /// more: then no value kept bounds it.
    ///
    /// - Parameters:
    ///   - variance: of the estimated share of values up to the quantile.
    public static func quantileShares(
        _ share: Double, variance: Double
    ) -> ClosedRange<Double> {
        let spread = z * max(0, variance).squareRoot()
        return (share - spread)...(share + spread)
    }
}

/// Sums over traces of (1 − π)/π² times products of two sums by trace.
public struct RatioMoments: Sendable, Hashable {
    public var xx = 0.0
    public var xy = 0.0
    public var yy = 0.0

    public init(xx: Double = 0, xy: Double = 0, yy: Double = 0) {
        (self.xx, self.xy, self.yy) = (xx, xy, yy)
    }

    /// Adds a trace that was kept with one probability.
    @inline(__always)
    mutating func add(coefficient: Double, x: Double, y: Double) {
        xx += coefficient * x * x
        xy += coefficient * x * y
        yy += coefficient * y * y
    }

    /// Adds a trace whose spans were kept with different probabilities.
    mutating func add(parts: [(probability: Double, x: Double, y: Double)]) {
        func term(_ value: ((probability: Double, x: Double, y: Double)) -> Double) -> Double {
            HorvitzThompson.varianceTerm(parts.map { ($0.probability, value($0)) })
        }
        let (xTerm, yTerm) = (term { $0.x }, term { $0.y })
        xx += xTerm
        yy += yTerm
        // From the variance of the sum of both.
        xy += (term { $0.x + $0.y } - xTerm - yTerm) / 2
    }
}
