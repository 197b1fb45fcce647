/// Where workers get their plans: windows of consecutive arrivals, claimed one after another.
///
/// Streaming makes a window when a worker claims it, under a lock and in order of arrival, into the
/// worker's own batch. A pool makes its windows before the run and hands them out in a circle, with
/// fresh identifiers and later start times each time round: planning then costs the run nothing,
/// and what repeats are durations and attribute values. Replaying scenarios/checkout.yaml costs a
/// worker 130 ns of CPU a span from a pool and 250 ns streamed. Any thread.
final class PlanSource: Sendable {
    /// Arrivals in a window: enough to make a claim cheap beside it, few enough to stay in cache.
    static let windowArrivals = 64

    private struct State {
        var planner: Planner
        var claimedWindows: UInt64 = 0
    }

    private let state: WorkerLock<State>
    private let pool: [PlanBatch]
    /// Simulated time that one round of the pool takes.
    private let roundNs: UInt64
    /// True when the schedule never ends by itself.
    let isSaturating: Bool

    /// `poolWindows` 0 streams. A schedule that ends is always streamed.
    init(_ compiled: CompiledScenario, poolWindows: Int) {
        var planner = Planner(compiled)
        isSaturating = planner.isSaturating
        var pool: [PlanBatch] = []
        var lastNs: UInt64 = 0
        if planner.isSaturating {
            for _ in 0..<poolWindows {
                var batch = PlanBatch()
                _ = planner.fill(&batch, count: Self.windowArrivals)
                lastNs = max(lastNs, batch.traces.last?.startNs ?? 0)
                pool.append(batch)
            }
        }
        self.pool = pool
        roundNs = lastNs + UInt64(ArrivalSchedule.saturatedGapNs)
        state = WorkerLock(State(planner: planner))
    }

    /// A claimed window and what to add to its plans' numbers and times.
    struct Window {
        var batch = PlanBatch()
        var firstIndex: UInt64 = 0
        var startNs: UInt64 = 0
        /// Traces to replay, from the first.
        var traceCount = 0
    }

    /// Replaces the window with the next one; false when there is none. `arrivalsMax`: number of
    /// the arrival to stop before.
    func claim(_ window: inout Window, arrivalsMax: UInt64) -> Bool {
        if pool.isEmpty {
            return state.withLock { state in
                guard state.planner.nextIndex < arrivalsMax else { return false }
                let count = min(UInt64(Self.windowArrivals), arrivalsMax - state.planner.nextIndex)
                guard state.planner.fill(&window.batch, count: Int(count)) else { return false }
                (window.firstIndex, window.startNs) = (0, 0)
                window.traceCount = window.batch.traces.count
                return true
            }
        }
        let arrivals = UInt64(Self.windowArrivals)
        let claimed: UInt64? = state.withLock { state in
            guard state.claimedWindows * arrivals < arrivalsMax else { return nil }
            defer { state.claimedWindows += 1 }
            return state.claimedWindows
        }
        guard let number = claimed else { return false }
        let count = UInt64(pool.count)
        let round = number / count
        window.batch = pool[Int(number % count)]
        window.firstIndex = round * count * arrivals
        window.startNs = round * roundNs
        window.traceCount = min(
            window.batch.traces.count, Int(clamping: arrivalsMax - number * arrivals))
        return true
    }

    /// Number of the next arrival that no worker has claimed.
    var nextIndex: UInt64 {
        state.withLock { state in
            pool.isEmpty
                ? state.planner.nextIndex : state.claimedWindows * UInt64(Self.windowArrivals)
        }
    }
}
