// Time: a wall-clock anchor plus a monotonic counter. A span's end is its start plus the monotonic time
// passed, so no duration is negative whatever the wall clock does.
import CThread
import Synchronization

/// Which counter measures durations.
public enum ClockSource: Sendable, Equatable {
    /// The processor's cycle counter where it is invariant, else `system`.
    case cycleCounter
    /// clock_gettime(CLOCK_MONOTONIC).
    case system
}

/// The process's counters and what a tick is worth. All functions may be called from any thread.
public enum TraceClock {
    /// Whether this machine's cycle counter runs at one rate on every core and in every sleep state.
    public static let isCycleCounterInvariant: Bool = tracemill_cycles_invariant()

    /// The cycle counter's value now (about 10 ns).
    @inline(__always)
    public static var cycles: UInt64 { tracemill_cycles() }

    /// Nanoseconds of CLOCK_MONOTONIC.
    public static var monotonicNs: UInt64 { tracemill_monotonic_ns() }

    /// Nanoseconds of Unix time.
    public static var unixNs: UInt64 { tracemill_realtime_ns() }

    /// What was measured when first asked: 10 ms of the cycle counter against CLOCK_MONOTONIC.
    static let calibration = Calibration()

    /// Nanoseconds in `cycles`, by the calibration made when first asked (good to about 10 ppm).
    public static func nanoseconds(cycles: UInt64) -> UInt64 {
        Calibration.scale(cycles, by: calibration.nanosecondsPerTick)
    }
}

/// The ratio of nanoseconds to ticks as 32.32 fixed point, and the instant both were read.
struct Calibration: Sendable {
    let ticks: UInt64
    let monotonicNs: UInt64
    let nanosecondsPerTick: UInt64

    init() {
        let first = Calibration.pair()
        var second = first
        repeat {
            second = Calibration.pair()
        } while second.monotonicNs &- first.monotonicNs < 10_000_000
        ticks = first.ticks
        monotonicNs = first.monotonicNs
        nanosecondsPerTick =
            TraceClock.isCycleCounterInvariant
            ? Calibration.ratio(from: first, to: second) : 1 << 32
    }

    /// The ratio over all the time since the calibration: better the longer the process runs.
    func refined() -> UInt64 {
        Calibration.ratio(from: (ticks, monotonicNs), to: Calibration.pair())
    }

    @inline(__always)
    static func scale(_ ticks: UInt64, by ratio: UInt64) -> UInt64 {
        let product = ticks.multipliedFullWidth(by: ratio)
        return product.high << 32 | product.low >> 32
    }

    private static func ratio(
        from first: (ticks: UInt64, monotonicNs: UInt64),
        to second: (ticks: UInt64, monotonicNs: UInt64)
    ) -> UInt64 {
        let ticks = Double(max(1, second.ticks &- first.ticks))
        return UInt64(Double(second.monotonicNs &- first.monotonicNs) / ticks * 4_294_967_296)
    }

    /// Both counters at nearly one instant: the closest of five reads.
    static func pair() -> (ticks: UInt64, monotonicNs: UInt64) {
        var best: (ticks: UInt64, monotonicNs: UInt64) = (0, 0)
        var bestGap = UInt64.max
        for _ in 0..<5 {
            let before = tracemill_cycles()
            let monotonicNs = tracemill_monotonic_ns()
            let after = tracemill_cycles()
            if after &- before < bestGap {
                bestGap = after &- before
                best = (before &+ (after &- before) / 2, monotonicNs)
            }
        }
        return best
    }
}

/// One thread's view of time: where it last read the wall clock, and what a tick is worth.
/// Owned by one thread; anchored anew about once a second, so that starts follow the wall clock.
struct ClockAnchor {
    var ticks: UInt64 = 0
    var unixNano: UInt64 = 0
    var nanosecondsPerTick: UInt64 = 0
    /// Ticks after which the anchor is too old. Zero: never anchored.
    var ticksMax: UInt64 = 0

    /// Unix time at `now`, in nanoseconds.
    @inline(__always)
    mutating func unixNano(at now: UInt64, usesCycles: Bool) -> UInt64 {
        let passed = now &- ticks
        if passed >= ticksMax { return anchor(usesCycles: usesCycles) }
        return unixNano &+ Calibration.scale(passed, by: nanosecondsPerTick)
    }

    @inline(never)
    private mutating func anchor(usesCycles: Bool) -> UInt64 {
        if usesCycles {
            let calibration = TraceClock.calibration
            nanosecondsPerTick = calibration.refined()
            ticksMax = UInt64(1e9 * 4_294_967_296 / Double(nanosecondsPerTick))
            let before = tracemill_cycles()
            unixNano = tracemill_realtime_ns()
            ticks = before &+ (tracemill_cycles() &- before) / 2
        } else {
            nanosecondsPerTick = 1 << 32
            ticksMax = 1_000_000_000
            ticks = tracemill_monotonic_ns()
            unixNano = tracemill_realtime_ns()
        }
        return unixNano
    }
}
