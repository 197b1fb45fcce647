// The argument at which a sampler keeps a given volume. The volume is found out by letting the sampler
// decide, which costs a second or so: few trials, and each is remembered. Source of the bracketing: false
// position with the Illinois step, Dowell and Jarratt (1971), and bisection where that does not halve.

/// Solves volume(argument) = target for a volume that does not fall as the argument grows.
public struct BudgetSolver {
    /// The solution may be off by this share of the target.
    public var tolerance: Double
    /// The most trials for one target.
    public var trialsMax = 40

    /// A solver.
    public init(tolerance: Double = 0.005) { self.tolerance = tolerance }

    /// What was found.
    public struct Solution: Sendable, Equatable {
        public var argument: Double
        /// The volume there.
        public var volume: Double
        /// volume / target − 1.
        public var residual: Double
        /// Why the target cannot be kept; nil when it can.
        public var limit: Limit?

        public init(argument: Double, volume: Double, residual: Double, limit: Limit?) {
            self.argument = argument
            self.volume = volume
            self.residual = residual
            self.limit = limit
        }
    }

    /// What keeps a target from being met.
    public enum Limit: Sendable, Equatable {
        /// Even turned down fully it keeps more.
        case floor
        /// Even turned up fully it keeps less.
        case ceiling
        /// Its volume jumps over the target: from one value to the next it changes by more.
        case step
    }

    /// Solves for one target above 0.
    ///
    /// - Parameters:
    ///   - range: of the argument.
    ///   - isLogarithmic: whether the argument is looked for by its logarithm (a rate).
    ///   - known: trials of earlier targets; those of this one are added.
    ///   - volume: the trial.
    public func solve(
        _ target: Double, in range: ClosedRange<Double>, isLogarithmic: Bool,
        known: inout [Double: Double], volume: (Double) throws -> Double
    ) rethrows -> Solution {
        precondition(target > 0, "a budget is above 0")
        func trial(_ argument: Double) throws -> Double {
            if let volume = known[argument] { return volume }
            let found = try volume(argument)
            known[argument] = found
            return found
        }
        var low = (argument: range.lowerBound, volume: try trial(range.lowerBound))
        if low.volume >= target * (1 - tolerance) {
            let isMet = low.volume <= target * (1 + tolerance)
            return solution(low, target, isMet ? nil : .floor)
        }
        var high = (argument: range.upperBound, volume: try trial(range.upperBound))
        if high.volume <= target * (1 + tolerance) {
            let isMet = high.volume >= target * (1 - tolerance)
            return solution(high, target, isMet ? nil : .ceiling)
        }
        // What earlier targets found out.
        for (argument, volume) in known {
            if volume <= target, argument > low.argument { low = (argument, volume) }
            if volume >= target, argument < high.argument { high = (argument, volume) }
        }
        // Weights of the Illinois step: an end that stays for long counts for less.
        var weights = (low: 1.0, high: 1.0)
        var wasLow: Bool?
        for turn in 0..<trialsMax {
            let best = abs(low.volume - target) < abs(high.volume - target) ? low : high
            if abs(best.volume / target - 1) <= tolerance { return solution(best, target, nil) }
            guard high.argument - low.argument > 1e-12 * high.argument else { break }
            var next = middle(low.argument, high.argument, isLogarithmic)
            // Every third step halves, so that an odd curve costs twice the trials at most.
            if turn % 3 != 2, !isLogarithmic || high.argument < 1e3 * low.argument {
                let below = (target - low.volume) * weights.low
                let above = (high.volume - target) * weights.high
                if below + above > 0 {
                    next =
                        low.argument
                        + (high.argument - low.argument) * below / (below + above)
                }
            }
            guard next > low.argument, next < high.argument else { break }
            let found = (argument: next, volume: try trial(next))
            if found.volume < target {
                low = found
                weights = (1, wasLow == true ? weights.high / 2 : 1)
                wasLow = true
            } else {
                high = found
                weights = (wasLow == false ? weights.low / 2 : 1, 1)
                wasLow = false
            }
        }
        let best = abs(low.volume - target) < abs(high.volume - target) ? low : high
        return solution(
            best, target, abs(best.volume / target - 1) <= tolerance ? nil : .step)
    }

    private func middle(_ low: Double, _ high: Double, _ isLogarithmic: Bool) -> Double {
        isLogarithmic && low > 0 ? (low * high).squareRoot() : (low + high) / 2
    }

    private func solution(
        _ found: (argument: Double, volume: Double), _ target: Double, _ limit: Limit?
    ) -> Solution {
        Solution(
            argument: found.argument, volume: found.volume, residual: found.volume / target - 1,
            limit: limit)
    }
}

/// What all variants are to keep: spans a second of simulated time, or a share of all spans.
public enum VolumeBudget: Sendable, Equatable {
    case spansPerS(Double)
    case share(Double)

    /// Reads `20000 spans/s`, `20000/s`, `5%` or `0.05`; nil for anything else.
    public init?(_ text: String) {
        var rest = text.trimmingSpaces
        for suffix in ["spans/s", "/s"] where rest.hasSuffix(suffix) {
            rest = String(rest.dropLast(suffix.count)).trimmingSpaces
            guard let rate = Double(rest), rate > 0, rate.isFinite else { return nil }
            self = .spansPerS(rate)
            return
        }
        guard let share = Self.share(rest) else { return nil }
        self = .share(share)
    }

    /// Above 0 and at most 1, as `5%` or `0.05`.
    static func share(_ text: String) -> Double? {
        let isPercent = text.hasSuffix("%")
        guard let number = Double(isPercent ? String(text.dropLast()) : text) else { return nil }
        let share = isPercent ? number / 100 : number
        return share > 0 && share <= 1 ? share : nil
    }

    /// As a share of all spans.
    ///
    /// - Parameter spansPerS: all spans a second of simulated time, before sampling.
    public func share(ofSpansPerS spansPerS: Double) -> Double {
        switch self {
        case .spansPerS(let rate): spansPerS > 0 ? rate / spansPerS : 1
        case .share(let share): share
        }
    }
}

/// Budgets from a smallest to a largest share, evenly spread by their logarithms.
public struct BudgetSweep: Sendable, Equatable {
    public var smallest: Double
    public var largest: Double

    /// Reads `0.1%..50%`; nil for anything else.
    public init?(_ text: String) {
        let ends = text.ranges(of: "..")
        guard ends.count == 1, let middle = ends.first,
            let smallest = VolumeBudget.share(String(text[..<middle.lowerBound]).trimmingSpaces),
            let largest = VolumeBudget.share(String(text[middle.upperBound...]).trimmingSpaces),
            smallest < largest
        else { return nil }
        self.smallest = smallest
        self.largest = largest
    }

    /// So many shares, at least 2, both ends among them.
    public func shares(_ count: Int) -> [Double] {
        precondition(count >= 2, "a sweep has two ends")
        let width = logarithm(largest / smallest)
        return (0..<count).map { index in
            if index == 0 { return smallest }
            if index == count - 1 { return largest }
            return smallest * exponential(width * Double(index) / Double(count - 1))
        }
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        let front = drop(while: \.isWhitespace)
        return String(front.reversed().drop(while: \.isWhitespace).reversed())
    }
}
