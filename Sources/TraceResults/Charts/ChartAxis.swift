// Axes: which values an axis covers, where each lies, and what is written at it. Linear, logarithmic, and
// Gil Tene's axis for percentiles, on which each further nine takes the same room. Values from files may
// be anything: what is not finite is left out, and no axis is ever empty.

import Glibc

/// One axis of a chart.
public struct ChartAxis: Sendable {
    /// How values are laid out.
    public enum Scale: Sendable {
        case linear
        /// Powers of ten at equal distances; values above 0.
        case logarithmic
        /// log(1 / (1 − p)) for shares p from 0 to below 1.
        case percentile
    }

    /// A place with its label.
    public struct Tick: Sendable {
        public var value: Double
        public var label: String
    }

    /// What it measures, with the unit.
    public var title: String
    public let scale: Scale
    /// The smallest value on it.
    public let lower: Double
    /// The largest value on it.
    public let upper: Double
    /// Ascending. A frame leaves out labels that would run into each other.
    public private(set) var ticks: [Tick] = []

    private init(_ title: String, _ scale: Scale, _ lower: Double, _ upper: Double) {
        self.title = title
        self.scale = scale
        self.lower = lower
        self.upper = upper
    }

    /// Where a value lies, from 0 to 1; values beyond the axis at its ends.
    public func share(of value: Double) -> Double {
        guard value.isFinite else { return value > 0 ? 1 : 0 }
        let share =
            switch scale {
            case .linear: (value - lower) / (upper - lower)
            case .logarithmic: log(max(value, lower) / lower) / log(upper / lower)
            case .percentile: -log(max(1e-12, 1 - value)) / -log(1 - upper)
            }
        return share.isFinite ? min(1, max(0, share)) : 0
    }

    /// An axis with even steps of 1, 2 or 5 times a power of ten.
    ///
    /// - Parameters:
    ///   - values: what it has to cover.
    ///   - includesZero: whether it begins or ends at 0 where the values do not reach it.
    ///   - endsAtValues: whether it ends where the values do, and not at the next step.
    ///   - steps: about how many steps it has.
    ///   - label: a value in words.
    public static func linear(
        _ title: String, covering values: some Sequence<Double>, includesZero: Bool = false,
        endsAtValues: Bool = false, steps: Int = 5, label: (Double) -> String
    ) -> ChartAxis {
        var (lower, upper) = extent(values) { _ in true } ?? (0, 1)
        if includesZero {
            lower = min(0, lower)
            upper = max(0, upper)
        }
        // A single value, or values that a Double hardly tells apart, still get room around them.
        if upper - lower <= max(abs(upper), abs(lower)) * 1e-9 {
            let room = lower == 0 ? 1 : abs(lower) * 0.1
            if !includesZero || lower < 0 { lower -= room }
            upper += room
        }
        let step = niceStep((upper - lower) / Double(max(1, steps)))
        let (first, last) = ((lower / step).rounded(.down), (upper / step).rounded(.up))
        let end = endsAtValues ? upper : last * step
        var axis = ChartAxis(title, .linear, first * step, end)
        axis.ticks = stride(from: first, through: last, by: 1).prefix(64).map { place in
            Tick(value: place * step, label: label(place * step))
        }.filter { $0.value <= end * (1 + 1e-9) || !endsAtValues }
        return axis
    }

    /// An axis on which powers of ten are equally far apart. Values of 0 and below are not on it.
    public static func logarithmic(
        _ title: String, covering values: some Sequence<Double>, label: (Double) -> String
    ) -> ChartAxis {
        var (lower, upper) = extent(values) { $0 > 0 } ?? (1, 10)
        lower = min(max(lower, 1e-12), 1e18)
        upper = min(max(upper, lower), 1e18)
        var places: [Double] = []
        let firstDecade = Int(floor(log10(lower))) - 1
        for decade in firstDecade...Int(ceil(log10(upper))) + 1 {
            for factor in [1.0, 2, 5] { places.append(factor * pow(10, Double(decade))) }
        }
        let first = places.lastIndex { $0 <= lower * (1 + 1e-9) } ?? 0
        var last = places.firstIndex { $0 >= upper * (1 - 1e-9) } ?? places.count - 1
        last = max(last, first + 1)
        var axis = ChartAxis(title, .logarithmic, places[first], places[last])
        let decades = log10(places[last] / places[first])
        axis.ticks = places[first...last].filter { place in
            let mantissa = place / pow(10, floor(log10(place) + 1e-9))
            return decades <= 2.5 || (0.99...1.01).contains(mantissa)
        }.map { Tick(value: $0, label: label($0)) }
        return axis
    }

    /// An axis of percentiles from the median of nothing up: 0, 50%, 90%, 99%, 99.9% and so on.
    ///
    /// - Parameter share: the largest share below 1 that is shown; 0.9 to 0.999999.
    public static func percentiles(_ title: String, upTo share: Double) -> ChartAxis {
        let upper = min(max(share.isFinite ? share : 0.99, 0.9), 0.999_999)
        var axis = ChartAxis(title, .percentile, 0, upper)
        let marks = [
            (0, "0%"), (0.5, "50%"), (0.9, "90%"), (0.99, "99%"), (0.999, "99.9%"),
            (0.9999, "99.99%"), (0.999_99, "99.999%"), (0.999_999, "99.9999%"),
        ]
        axis.ticks = marks.filter { $0.0 <= upper * (1 + 1e-12) }.map(Tick.init)
        return axis
    }

    /// 1, 2 or 5 times a power of ten, at least `step`.
    private static func niceStep(_ step: Double) -> Double {
        guard step.isFinite, step > 1e-300 else { return 1 }
        let power = pow(10, floor(log10(step)))
        let mantissa = step / power
        return power
            * (mantissa <= 1.0001 ? 1 : mantissa <= 2.0001 ? 2 : mantissa <= 5.0001 ? 5 : 10)
    }

    private static func extent(
        _ values: some Sequence<Double>, where isUsable: (Double) -> Bool
    ) -> (Double, Double)? {
        var extent: (Double, Double)?
        for value in values where value.isFinite && abs(value) < 1e300 && isUsable(value) {
            extent = extent.map { (min($0.0, value), max($0.1, value)) } ?? (value, value)
        }
        return extent
    }
}
