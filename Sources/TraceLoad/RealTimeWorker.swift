import TraceCore
import TraceResults

/// A worker in real time: starts each trace at its intended time and executes every event when it
/// is due, whether or not earlier ones were late, so that the load does not wait for the system
/// under test. Sleeps in between. Runs on a thread of its own, with a planner of its own: it plans
/// every arrival and keeps its share, so that workers share nothing.
struct RealTimeWorker {
    let control: ReplayControl
    let worker: Int
    let workerCount: Int
    let arrivalsMax: UInt64
    /// Monotonic clock at simulated time 0, and when new traces cease.
    let originNs: UInt64
    let deadlineNs: UInt64
    /// Simulated time at `originNs`: what an earlier run has used up.
    let firstNs: UInt64
    /// Longest sleep between two looks at the stop signal.
    private static let napNs: UInt64 = 20_000_000

    private final class LiveTrace {
        var batch = PlanBatch()
        var live = LiveSpans(capacity: 32)
        var next = 0
        /// Monotonic clock at the intended start.
        var startNs: UInt64 = 0
    }

    private struct Due: Comparable {
        var timeNs: UInt64
        var trace: Int

        static func < (left: Due, right: Due) -> Bool {
            (left.timeNs, left.trace) < (right.timeNs, right.trace)
        }
    }

    private var traces: [LiveTrace] = []
    private var free: [Int] = []
    private var due = MinHeap<Due>()
    private(set) var nextIndex: UInt64 = 0
    private(set) var lastStartNs: UInt64 = 0

    init(
        control: ReplayControl, worker: Int, workerCount: Int, arrivalsMax: UInt64,
        originNs: UInt64, deadlineNs: UInt64, firstNs: UInt64
    ) {
        self.control = control
        self.worker = worker
        self.workerCount = workerCount
        self.arrivalsMax = arrivalsMax
        self.originNs = originNs
        self.deadlineNs = deadlineNs
        self.firstNs = firstNs
    }

    /// Live traces are always finished, in their own time; true when the schedule ran out.
    mutating func run(_ planner: inout Planner, _ executor: inout TraceExecutor) -> Bool {
        ReplayThread.sharpenSleep()
        defer { for trace in traces { trace.live.deallocate() } }
        var arrival = plan(&planner)
        let isEmpty = arrival == nil
        var nowNs = TraceClock.monotonicNs
        while true {
            if let next = arrival, control.isStopped || traces[next].startNs >= deadlineNs {
                // The plan is given back: a later run of this replay does not repeat it.
                free.append(next)
                arrival = nil
            }
            let arrivalNs = arrival.map { traces[$0].startNs } ?? .max
            let dueNs = min(arrivalNs, due.min?.timeNs ?? .max)
            if dueNs == .max { break }
            if dueNs > nowNs {
                ReplayThread.sleep(untilMonotonicNs: min(dueNs, nowNs + Self.napNs))
                nowNs = TraceClock.monotonicNs
                continue
            }
            executor.timings.scheduleLag.record(nowNs - dueNs)
            if let next = arrival, arrivalNs <= dueNs {
                due.insert(Due(timeNs: arrivalNs, trace: next))
                arrival = plan(&planner)
            }
            advance(&executor)
            nowNs = TraceClock.monotonicNs
        }
        return isEmpty || planner.nextIndex >= arrivalsMax || planner.isOver
    }

    /// Plans arrivals until one is this worker's.
    private mutating func plan(_ planner: inout Planner) -> Int? {
        let place: Int
        if let last = free.popLast() {
            place = last
        } else {
            traces.append(LiveTrace())
            place = traces.count - 1
        }
        let trace = traces[place]
        while planner.nextIndex < arrivalsMax {
            let isOwn = planner.nextIndex % UInt64(workerCount) == UInt64(worker)
            guard planner.fill(&trace.batch, count: 1, arrivals: 1) else { break }
            if worker == 0 { control.add(dropped: UInt64(trace.batch.droppedArrivals)) }
            guard isOwn, let plan = trace.batch.traces.first else { continue }
            trace.next = 0
            trace.startNs = originNs + plan.startNs - min(plan.startNs, firstNs)
            lastStartNs = plan.startNs
            trace.live.reserve(plan.spanCount)
            return place
        }
        free.append(place)
        return nil
    }

    /// Executes the earliest event that is due, and what follows it without a time of its own.
    private mutating func advance(_ executor: inout TraceExecutor) {
        guard let first = due.min else { return }
        let trace = traces[first.trace]
        let plan = trace.batch.traces[0]
        let events = trace.batch.events
        unsafe trace.batch.text.withUnsafeBufferPointer { text in
            let bytes = unsafe text.baseAddress ?? UnsafePointer(bitPattern: 8)!
            repeat {
                unsafe executor.execute(
                    events[trace.next], index: plan.index, epochUnixNano: 0, text: bytes,
                    live: trace.live)
                trace.next += 1
            } while trace.next < events.count && !events[trace.next].isTimed
        }
        if trace.next < events.count {
            let timeNs = trace.startNs + events[trace.next].timeNs
            due.replaceMin(with: Due(timeNs: timeNs, trace: first.trace))
            return
        }
        _ = due.popMin()
        free.append(first.trace)
        executor.counters.traces &+= UInt64(plan.rootCount)
        let endNs = TraceClock.monotonicNs
        executor.timings.traceLatency.record(endNs - min(endNs, trace.startNs))
        control.add(executor.takeProgress())
    }
}
