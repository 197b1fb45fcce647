#if canImport(Glibc)
    import Glibc
#endif

/// When traces of one traffic entry begin: the stages as a rate over time, integrated and inverted.
/// A constant arrival falls wherever the expected count passes a whole number; a Poisson process is
/// the same with exponential gaps of mean 1. Ramps are exact, and a change of rate carries the
/// fraction of an arrival over. One thread; derives from (seed, entry) alone.
public struct ArrivalSchedule: Sendable {
    /// `rate: max` has no times of its own; its traces begin this far apart in simulated time.
    public static let saturatedGapNs = 1_000_000.0

    private struct Stage {
        var startNs: Double
        var durationNs: Double
        /// Arrivals per ns at both ends.
        var startRate: Double
        var endRate: Double

        var arrivals: Double { durationNs * (startRate + endRate) / 2 }

        /// The time within the stage at which `count` arrivals are expected.
        func timeNs(of count: Double) -> Double {
            let slope = (endRate - startRate) / durationNs
            let root = max(0, startRate * startRate + 2 * slope * count).squareRoot()
            return startRate + root > 0 ? 2 * count / (startRate + root) : 0
        }
    }

    private var stages: [Stage] = []
    private let isPoisson: Bool
    private var random: RandomStream
    private var stage = 0
    /// Expected count at the next arrival, from the start of the stage.
    private var target: Double

    /// True when the schedule never ends by itself.
    public let isSaturating: Bool

    public init(_ traffic: TrafficDeclaration, seed: UInt64, entry: Int) {
        random = RandomStream(seed: seed, position: ~UInt64(entry))
        isSaturating = traffic.stages.contains { $0.rate == .max }
        isPoisson = traffic.arrival == .poisson && !isSaturating
        var (startNs, rate) = (0.0, 0.0)
        for stage in traffic.stages {
            let endRate: Double
            var durationNs = stage.durationNs
            switch stage.rate {
            case .tracesPerSecond(let perSecond): endRate = perSecond / 1e9
            case .max: (endRate, durationNs) = (1 / Self.saturatedGapNs, .infinity)
            }
            stages.append(
                Stage(
                    startNs: startNs, durationNs: durationNs,
                    startRate: stage.shape == .step ? endRate : rate, endRate: endRate))
            startNs += durationNs
            rate = endRate
        }
        target = 0
        if isPoisson { target = -log(random.uniform()) }
    }

    /// Traces expected in all; infinite at `rate: max`.
    public var expectedArrivals: Double { stages.reduce(0) { $0 + $1.arrivals } }

    /// Intended start of the next trace, ns since the run began; nil when the stages are over.
    public mutating func next() -> UInt64? {
        while stage < stages.count {
            let current = stages[stage]
            if target < current.arrivals {
                let timeNs =
                    current.durationNs.isFinite
                    ? current.timeNs(of: target) : target / current.startRate
                target += isPoisson ? -log(random.uniform()) : 1
                return UInt64((current.startNs + timeNs).rounded())
            }
            target -= current.arrivals
            stage += 1
        }
        return nil
    }
}
