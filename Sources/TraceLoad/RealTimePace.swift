import TraceCore
import TraceResults

/// Simulated time laid on the monotonic clock: when an instant is due, and the waiting for it. Each
/// worker has its own.
struct RealTimePace {
    /// A run with a larger share of late starts says nothing about the system under test.
    static let lateShareMax = 0.01
    /// Longest sleep between two looks at the stop signal.
    private static let napNs: UInt64 = 20_000_000

    /// Monotonic clock at `firstNs` of simulated time: what an earlier run has used up.
    let originNs: UInt64
    let firstNs: UInt64
    /// The last stretch of a wait that is spun through; 0 sleeps all of it.
    let spinNs: UInt64
    /// A trace that begins so much later than it should is a late start.
    let lagMaxNs: UInt64

    /// What the wall clock read, or would have read, at simulated time 0.
    var unixNanoAtZero: UInt64 {
        TraceClock.unixNs &- (TraceClock.monotonicNs &- originNs) &- firstNs
    }

    func due(_ simulatedNs: UInt64) -> UInt64 {
        originNs + simulatedNs - min(simulatedNs, firstNs)
    }

    /// Sleeps until an instant is due; gives how late it is then, ns. A trace that would begin is given
    /// up when the run is stopped.
    @discardableResult
    func wait(
        untilSimulatedNs simulatedNs: UInt64, _ executor: inout TraceExecutor,
        _ control: ReplayControl, isBeginning: Bool = false
    ) -> UInt64 {
        let dueNs = due(simulatedNs)
        var nowNs = TraceClock.monotonicNs
        while nowNs < dueNs {
            if dueNs - nowNs > spinNs {
                ReplayThread.sleep(
                    untilMonotonicNs: min(dueNs - spinNs, nowNs + Self.napNs))
                if isBeginning, control.isStopped { return 0 }
            }
            nowNs = TraceClock.monotonicNs
        }
        executor.timings.scheduleLag.record(nowNs - dueNs)
        return nowNs - dueNs
    }
}
