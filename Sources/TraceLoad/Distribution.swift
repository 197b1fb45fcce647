#if canImport(Glibc)
    import Glibc
#endif

/// A distribution of durations (nanoseconds) or of plain numbers, drawn by inverting its
/// cumulative distribution function: one uniform number a draw, so that streams of draws stay
/// aligned whatever the distribution. A value type; any thread.
///
/// Negative draws (a normal's lower tail) count as 0, except where they mean something: the skew of
/// a clock.
public indirect enum Distribution: Hashable, Sendable {
    case constant(Double)
    case uniform(min: Double, max: Double)
    case normal(mean: Double, standardDeviation: Double)
    /// A normal that is not cut at 0, for what may be negative.
    case uncutNormal(mean: Double, standardDeviation: Double)
    /// Logarithm of the value is normal with `mu` and `sigma`.
    case lognormal(mu: Double, sigma: Double)
    case exponential(mean: Double)
    case pareto(min: Double, shape: Double)
    /// Linear between the points; ranks ascend from 0 to 1, values do not descend.
    case percentiles([Point])
    case mix([Component])
    case clamped(Distribution, min: Double, max: Double)

    /// A point of a piecewise linear quantile function.
    public struct Point: Hashable, Sendable {
        public var rank: Double
        public var value: Double
    }

    /// A component of a mixture; weights are relative.
    public struct Component: Hashable, Sendable {
        public var weight: Double
        public var distribution: Distribution
    }

    /// The lognormal with this median and 99th percentile.
    public static func lognormal(p50: Double, p99: Double) -> Distribution {
        .lognormal(mu: log(p50), sigma: (log(p99) - log(p50)) / normalQuantile(0.99))
    }

    /// The value below which a share `u` of draws lies, 0 < u < 1. A mixture is no sorted list, so
    /// for it `u` picks the component, and what is left of `u` the value: right for drawing, not a
    /// quantile.
    public func draw(_ u: Double) -> Double {
        switch self {
        case .constant(let value): value
        case .uniform(let min, let max): min + (max - min) * u
        case .normal(let mean, let standardDeviation):
            Swift.max(0, mean + standardDeviation * normalQuantile(u))
        case .uncutNormal(let mean, let standardDeviation):
            mean + standardDeviation * normalQuantile(u)
        case .lognormal(let mu, let sigma): exp(mu + sigma * normalQuantile(u))
        case .exponential(let mean): -mean * log1p(-u)
        case .pareto(let min, let shape): min * pow(1 - u, -1 / shape)
        case .percentiles(let points): Self.interpolate(points, u)
        case .mix(let components):
            Self.pick(components, u)
        case .clamped(let base, let min, let max): Swift.min(Swift.max(base.draw(u), min), max)
        }
    }

    /// What a draw in 10⁹ goes beyond, upwards; of a mixture's components the one that goes furthest.
    var most: Double {
        switch self {
        case .mix(let components): components.reached.map(\.most).max() ?? 0
        case .clamped(let base, let min, let max): Swift.min(Swift.max(base.most, min), max)
        default: draw(1 - 1e-9)
        }
    }

    /// What a draw in 10⁹ goes beyond, downwards.
    var least: Double {
        switch self {
        case .mix(let components): components.reached.map(\.least).min() ?? 0
        case .clamped(let base, let min, let max): Swift.min(Swift.max(base.least, min), max)
        default: draw(1e-9)
        }
    }

    /// The expected value, in closed form where there is one; a clamped distribution, and a normal
    /// whose negative tail is cut, are integrated numerically (midpoints of 2^14 equal shares,
    /// within 0.1% for the tails scenarios use). Infinite for a Pareto with shape ≤ 1.
    public var mean: Double {
        switch self {
        case .constant(let value): return value
        case .uniform(let min, let max): return (min + max) / 2
        case .normal(let mean, let standardDeviation):
            // Mean of max(0, X): μΦ(μ/σ) + σφ(μ/σ).
            guard standardDeviation > 0 else { return Swift.max(0, mean) }
            let z = mean / standardDeviation
            return mean * normalProbability(z)
                + standardDeviation * exp(-z * z / 2) / (2 * Double.pi).squareRoot()
        case .uncutNormal(let mean, _): return mean
        case .lognormal(let mu, let sigma): return exp(mu + sigma * sigma / 2)
        case .exponential(let mean): return mean
        case .pareto(let min, let shape):
            return shape > 1 ? min * shape / (shape - 1) : .infinity
        case .percentiles(let points):
            return zip(points, points.dropFirst()).reduce(0) {
                $0 + ($1.1.rank - $1.0.rank) * ($1.0.value + $1.1.value) / 2
            }
        case .mix(let components):
            let total = components.reduce(0) { $0 + $1.weight }
            return components.reduce(0) { $0 + $1.weight / total * $1.distribution.mean }
        case .clamped:
            return average { $0 }
        }
    }

    /// The mean of a function of the draw, by midpoints of 2^14 equal shares.
    func average(of function: (Double) -> Double) -> Double {
        if case .constant(let value) = self { return function(value) }
        if case .mix(let components) = self {
            let total = components.reduce(0) { $0 + $1.weight }
            return components.reduce(0) {
                $0 + $1.weight / total * $1.distribution.average(of: function)
            }
        }
        let steps = 1 << 14
        return (0..<steps).reduce(0) { $0 + function(draw((Double($1) + 0.5) / Double(steps))) }
            / Double(steps)
    }

    private static func interpolate(_ points: [Point], _ u: Double) -> Double {
        // Few points: a walk beats a binary search.
        var upper = 1
        while upper < points.count - 1, points[upper].rank < u { upper += 1 }
        let low = points[upper - 1]
        let high = points[upper]
        return low.value + (high.value - low.value) * (u - low.rank) / (high.rank - low.rank)
    }

    private static func pick(_ components: [Component], _ u: Double) -> Double {
        var rest = u * components.reduce(0) { $0 + $1.weight }
        for component in components where component.weight > 0 {
            if rest < component.weight {
                // What is left is uniform again within the component; kept off 0 and 1, where
                // unbounded tails are infinite.
                let share = Swift.min(Swift.max(rest / component.weight, 0x1p-53), 1 - 0x1p-53)
                return component.distribution.draw(share)
            }
            rest -= component.weight
        }
        return components[components.count - 1].distribution.draw(1 - 0x1p-53)
    }
}

extension [Distribution.Component] {
    /// Distributions that are drawn from at all.
    fileprivate var reached: [Distribution] { filter { $0.weight > 0 }.map(\.distribution) }
}

/// Φ(x).
func normalProbability(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

/// Φ⁻¹(u) for 0 < u < 1 with about 16 digits: M. J. Wichura, Algorithm AS 241 (PPND16), Applied
/// Statistics 37 (1988). Two polynomials in the middle 85% and no logarithm there.
func normalQuantile(_ u: Double) -> Double {
    let q = u - 0.5
    if abs(q) <= 0.425 {
        let r = 0.180625 - q * q
        let numerator =
            (((((((2509.0809287301226727 * r + 33430.575583588128105) * r
                + 67265.770927008700853) * r + 45921.953931549871457) * r
                + 13731.693765509461125) * r + 1971.5909503065514427) * r
                + 133.14166789178437745) * r + 3.3871328727963666080)
        let denominator =
            (((((((5226.4952788528545610 * r + 28729.085735721942674) * r
                + 39307.895800092710610) * r + 21213.794301586595867) * r
                + 5394.1960214247511077) * r + 687.18700749205790830) * r
                + 42.313330701600911252) * r + 1)
        return q * numerator / denominator
    }
    var r = (-log(q < 0 ? u : 1 - u)).squareRoot()
    let magnitude: Double
    if r <= 5 {
        r -= 1.6
        let numerator =
            (((((((7.74545014278341407640e-4 * r + 0.0227238449892691845833) * r
                + 0.241780725177450611770) * r + 1.27045825245236838258) * r
                + 3.64784832476320460504) * r + 5.76949722146069140550) * r
                + 4.63033784615654529590) * r + 1.42343711074968357734)
        let denominator =
            (((((((1.05075007164441684324e-9 * r + 5.47593808499534494600e-4) * r
                + 0.0151986665636164571966) * r + 0.148103976427480074590) * r
                + 0.689767334985100004550) * r + 1.67638483018380384940) * r
                + 2.05319162663775882187) * r + 1)
        magnitude = numerator / denominator
    } else {
        r -= 5
        let numerator =
            (((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r
                + 0.00124266094738807843860) * r + 0.0265321895265761230930) * r
                + 0.296560571828504891230) * r + 1.78482653991729133580) * r
                + 5.46378491116411436990) * r + 6.65790464350110377720)
        let denominator =
            (((((((2.04426310338993978564e-15 * r + 1.42151175831644588870e-7) * r
                + 1.84631831751005468180e-5) * r + 7.86869131145613259100e-4) * r
                + 0.0148753612908506148525) * r + 0.136929880922735805310) * r
                + 0.599832206555887937690) * r + 1)
        magnitude = numerator / denominator
    }
    return q < 0 ? -magnitude : magnitude
}
