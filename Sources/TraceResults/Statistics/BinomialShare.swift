// The share of gates that cried wolf, or found what was there, with Clopper and Pearson's exact
// interval. Source: Clopper, Pearson, Biometrika 26 (1934); the incomplete beta function by Lentz's
// continued fraction, DLMF 8.17.22.

import Glibc

/// A share of trials.
public enum BinomialShare {
    /// The share of `hits` in `trials` with the exact two-sided interval. At least one trial.
    public static func interval(
        hits: Int, trials: Int, confidence: Double = 0.95
    ) -> IntervalEstimate {
        precondition(trials > 0 && (0...trials).contains(hits), "hits are some of the trials")
        let tail = (1 - confidence) / 2
        let successes = Double(hits)
        let failures = Double(trials - hits)
        return IntervalEstimate(
            estimate: successes / Double(trials),
            lower: hits == 0 ? 0 : betaQuantile(tail, successes, failures + 1),
            upper: hits == trials ? 1 : betaQuantile(1 - tail, successes + 1, failures))
    }

    /// The x with I_x(a, b) = share, by halving.
    static func betaQuantile(_ share: Double, _ first: Double, _ second: Double) -> Double {
        var low = 0.0
        var high = 1.0
        for _ in 0..<100 {
            let middle = (low + high) / 2
            if regularisedBeta(middle, first, second) < share {
                low = middle
            } else {
                high = middle
            }
        }
        return (low + high) / 2
    }

    /// I_x(a, b).
    static func regularisedBeta(_ x: Double, _ first: Double, _ second: Double) -> Double {
        guard x > 0 else { return 0 }
        guard x < 1 else { return 1 }
        let logarithm =
            logGamma(first + second) - logGamma(first) - logGamma(second) + first * log(x)
            + second * log1p(-x)
        let front = exp(logarithm)
        // The fraction converges fast on this side of the mean only.
        return x < (first + 1) / (first + second + 2)
            ? front * fraction(x, first, second) / first
            : 1 - front * fraction(1 - x, second, first) / second
    }

    /// lgamma without its global sign.
    private static func logGamma(_ value: Double) -> Double {
        var sign: Int32 = 0
        return unsafe lgamma_r(value, &sign)
    }

    private static func fraction(_ x: Double, _ first: Double, _ second: Double) -> Double {
        let tiny = 1e-300
        func guarded(_ value: Double) -> Double { abs(value) < tiny ? tiny : value }
        var numerator = 1.0
        var denominator = 1 / guarded(1 - (first + second) * x / (first + 1))
        var result = denominator
        for step in 1...10_000 {
            let number = Double(step)
            let double = 2 * number
            let even =
                number * (second - number) * x / ((first + double - 1) * (first + double))
            denominator = 1 / guarded(1 + even * denominator)
            numerator = guarded(1 + even / numerator)
            result *= denominator * numerator
            let odd =
                -(first + number) * (first + second + number) * x
                / ((first + double) * (first + double + 1))
            denominator = 1 / guarded(1 + odd * denominator)
            numerator = guarded(1 + odd / numerator)
            let factor = denominator * numerator
            result *= factor
            if abs(factor - 1) < 1e-15 { break }
        }
        return result
    }
}
