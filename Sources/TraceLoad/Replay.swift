import Synchronization
import TraceCore
import TraceResults

/// How a replay goes about it.
public struct ReplayOptions: Sendable {
    /// Worker threads.
    public var workers = 1
    /// Identifiers derive from the scenario's seed and this; 0 for fixed ones.
    public var salt: UInt64 = 0
    /// Unix time at simulated time 0, ns. 2026-01-01 by default, so that a seed gives the same
    /// spans whenever it runs.
    public var epochUnixNano: UInt64 = 1_767_225_600_000_000_000
    /// One `startSpan` and one `end` in so many are timed; 0 for none.
    public var timedOneIn = 64
    /// Computes the digest of what the spans should say. Simulated clock only.
    public var verifies = false
    /// Windows of 64 plans made before the run for `rate: max`; 0 plans while replaying.
    public var poolWindows = 64
    /// Heap bytes that the calling thread allocated so far; nil where the allocator does not tell.
    public var allocatedBytesOfThread: (@Sendable () -> UInt64)?

    public init() {}
}

/// What keeps a replay from beginning.
public enum ReplayError: Error, Equatable, CustomStringConvertible {
    case providerCount(needed: Int, given: Int)
    case noThread(worker: Int)

    public var description: String {
        switch self {
        case .providerCount(let needed, let given):
            "the scenario has \(needed) service instances and was given \(given) tracer providers; "
                + "make them with `makeProviders`"
        case .noThread(let worker):
            "the system has no thread left for worker \(worker): use fewer workers"
        }
    }
}

/// How far one run of a replay goes.
public struct ReplayLimit: Sendable {
    /// No trace begins after so much wall-clock time, ns.
    public var durationNs = UInt64.max
    /// No trace begins after so many arrivals since the replay was made.
    public var arrivals = UInt64.max

    public init(durationNs: UInt64 = .max, arrivals: UInt64 = .max) {
        self.durationNs = durationNs
        self.arrivals = arrivals
    }
}

/// Replays a scenario's plans through tracers on threads of its own.
///
/// Each `run` goes on where the last one stopped, so a warm-up and the measured part are two runs,
/// and no identifier comes twice. One run at a time; `stop` and `progress` from any thread.
///
/// With a fixed number of arrivals under the simulated clock, the spans before sampling are the
/// same for any number of workers: a plan depends on seed and arrival number alone, and which
/// worker replays it changes nothing about it.
public final class Replay: Sendable {
    public let compiled: CompiledScenario
    public let options: ReplayOptions
    private let providers: [TracerProvider]
    private let source: PlanSource?
    private let control = ReplayControl()
    private let realTime = Mutex(RealTimePosition())

    private struct RealTimePosition {
        var planners: [Planner] = []
        var firstNs: UInt64 = 0
    }

    private struct WorkerResult {
        var counters: ReplayCounters
        var timings: ReplayTimings
        var isOver: Bool
    }

    /// `providers`: one an instance, as `CompiledScenario.makeProviders` gives them. Makes the pool
    /// of plans, which takes some milliseconds.
    public init(
        _ compiled: CompiledScenario, providers: [TracerProvider], options: ReplayOptions
    ) throws(ReplayError) {
        guard providers.count == compiled.instances.count else {
            throw .providerCount(needed: compiled.instances.count, given: providers.count)
        }
        self.compiled = compiled
        self.providers = providers
        self.options = options
        switch compiled.scenario.clock {
        case .simulated: source = PlanSource(compiled, poolWindows: options.poolWindows)
        case .realtime: source = nil
        }
    }

    /// Ends the run: no new trace begins, live ones are finished. Any thread.
    public func stop() { control.stop() }

    /// Spans started and traces finished since the replay was made, about as of now. Any thread.
    public var progress: (spans: UInt64, traces: UInt64) { control.progress }

    /// Replays until the limit, the end of the schedule or `stop()`; blocks the caller meanwhile.
    public func run(_ limit: ReplayLimit = ReplayLimit()) throws(ReplayError) -> ReplaySummary {
        var summary = ReplaySummary()
        summary.timerFloorNs = CallTimer.floorNs()
        let droppedBefore = control.droppedArrivals
        let beginNs = TraceClock.monotonicNs
        let deadlineNs =
            limit.durationNs < .max - beginNs ? beginNs + limit.durationNs : .max
        let results = Mutex<[WorkerResult]>([])
        let planners = realTimePlanners()
        let firstNs = realTime.withLock(\.firstNs)
        let propagation = ReplayPropagation(compiled)
        let keptPlanners = Mutex<[(worker: Int, planner: Planner, lastNs: UInt64)]>([])
        var threads: [ReplayThread] = []
        for worker in 0..<max(1, options.workers) {
            let thread = ReplayThread { [self] in
                let cpuBefore = ReplayThread.cpuNs
                var executor = TraceExecutor(
                    compiled.scenario, tables: ReplayTables(compiled, providers: providers),
                    propagation: propagation,
                    cipher: SpanIdentityCipher(seed: compiled.scenario.seed, salt: options.salt),
                    timedOneIn: options.timedOneIn)
                defer { executor.deallocate() }
                let allocatedBefore = options.allocatedBytesOfThread?()
                let isOver: Bool
                if let source {
                    var body = SimulatedWorker(
                        source: source, control: control, arrivalsMax: limit.arrivals,
                        deadlineNs: deadlineNs, epochUnixNano: options.epochUnixNano,
                        expectation: options.verifies
                            ? SpanExpectation(compiled, limits: providers[0].limits) : nil)
                    isOver = body.run(&executor)
                } else {
                    var planner = planners[worker]
                    var body = RealTimeWorker(
                        control: control, worker: worker, workerCount: max(1, options.workers),
                        arrivalsMax: limit.arrivals, originNs: beginNs, deadlineNs: deadlineNs,
                        firstNs: firstNs)
                    isOver = body.run(&planner, &executor)
                    keptPlanners.withLock { $0.append((worker, planner, body.lastStartNs)) }
                }
                executor.counters.cpuNs = ReplayThread.cpuNs - cpuBefore
                if let allocatedBefore, let allocated = options.allocatedBytesOfThread?() {
                    executor.counters.allocatedBytes = allocated - allocatedBefore
                }
                let result = WorkerResult(
                    counters: executor.counters, timings: executor.timings, isOver: isOver)
                results.withLock { $0.append(result) }
            }
            guard let thread else {
                control.stop()
                for thread in threads { thread.join() }
                throw .noThread(worker: worker)
            }
            threads.append(thread)
        }
        for thread in threads { thread.join() }
        summary.wallNs = TraceClock.monotonicNs - beginNs
        keepRealTimePosition(keptPlanners.withLock { $0 })
        for result in results.withLock({ $0 }) {
            summary.total.add(result.counters)
            summary.workers.append(result.counters)
            summary.timings.merge(result.timings)
            summary.isScheduleOver = summary.isScheduleOver || result.isOver
        }
        summary.isScheduleOver = summary.isScheduleOver && limit.arrivals == .max
        summary.droppedArrivals = control.droppedArrivals - droppedBefore
        summary.isInterrupted = control.isStopped
        return summary
    }

    private func realTimePlanners() -> [Planner] {
        guard source == nil else { return [] }
        return realTime.withLock { position in
            if position.planners.isEmpty {
                position.planners = Array(
                    repeating: Planner(compiled), count: max(1, options.workers))
            }
            return position.planners
        }
    }

    private func keepRealTimePosition(
        _ kept: [(worker: Int, planner: Planner, lastNs: UInt64)]
    ) {
        realTime.withLock { position in
            for entry in kept {
                position.planners[entry.worker] = entry.planner
                position.firstNs = max(position.firstNs, entry.lastNs)
            }
        }
    }
}

/// What workers and the outside tell each other while a replay runs. Any thread.
final class ReplayControl: Sendable {
    private let stopped = Atomic(false)
    private let spans = Atomic<UInt64>(0)
    private let traces = Atomic<UInt64>(0)
    private let dropped = Atomic<UInt64>(0)

    // relaxed: a flag that is looked at again and again, and figures for a progress line.
    var isStopped: Bool { stopped.load(ordering: .relaxed) }
    func stop() { stopped.store(true, ordering: .relaxed) }

    var progress: (spans: UInt64, traces: UInt64) {
        (spans.load(ordering: .relaxed), traces.load(ordering: .relaxed))
    }
    var droppedArrivals: UInt64 { dropped.load(ordering: .relaxed) }

    func add(_ done: (spans: UInt64, traces: UInt64) = (0, 0), dropped count: UInt64 = 0) {
        spans.wrappingAdd(done.spans, ordering: .relaxed)
        traces.wrappingAdd(done.traces, ordering: .relaxed)
        if count > 0 { dropped.wrappingAdd(count, ordering: .relaxed) }
    }
}
