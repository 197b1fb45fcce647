import Synchronization
import TraceCore
import TraceResults

/// How late the machine wakes a thread up from sleep, measured beside the workers while they pace their
/// load: what part of their lag is the machine's. A thread of its own that sleeps 5 ms at a time.
final class SleepProbe: Sendable {
    private static let napNs: UInt64 = 5_000_000

    private let isOver = Atomic(false)
    private let lateness = WorkerLock(LatencyHistogram())
    private let thread = WorkerLock<ReplayThread?>(nil)

    init() {
        thread.withLock { $0 = ReplayThread { [self] in measure() } }
    }

    /// Stops the thread and gives what it measured, ns.
    func finish() -> LatencyHistogram {
        isOver.store(true, ordering: .relaxed)
        thread.withLock { $0 }?.join()
        return lateness.withLock { $0 }
    }

    private func measure() {
        ReplayThread.sharpenSleep()
        var measured = LatencyHistogram()
        while !isOver.load(ordering: .relaxed) {
            let wantedNs = TraceClock.monotonicNs + Self.napNs
            ReplayThread.sleep(untilMonotonicNs: wantedNs)
            let nowNs = TraceClock.monotonicNs
            measured.record(nowNs - min(nowNs, wantedNs))
        }
        let all = measured
        lateness.withLock { $0 = all }
    }
}
