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
    /// Windows of 64 plans made before the run for `rate: max`; 0 simulates while replaying.
    public var poolWindows = 64
    /// Plans of so many arrivals are made and kept before the run, which replays just those; nil for plans
    /// as they are needed.
    public var preparedArrivals: UInt64?
    /// Numbers of spans that may be kept so.
    public var preparedSpansMax = 20_000_000
    /// The recorder is off, so that nothing is sampled, the contexts of missing roots neither.
    public var isTracingDisabled = false
    /// Which traces are this run's.
    public var shard = Shard.whole
    /// Heap bytes that the calling thread allocated so far; nil where the allocator does not tell.
    public var allocatedBytesOfThread: (@Sendable () -> UInt64)?

    public init() {}
}

/// What keeps a replay from beginning.
public enum ReplayError: Error, Equatable, CustomStringConvertible {
    case providerCount(needed: Int, given: Int)
    case noThread(worker: Int)
    /// The plans do not fit.
    case tooLarge(String)

    public var description: String {
        switch self {
        case .providerCount(let needed, let given):
            "the scenario has \(needed) service instances and was given \(given) tracer providers; "
                + "make them with `makeProviders`"
        case .tooLarge(let reason): reason
        case .noThread(let worker):
            "the system has no thread left for worker \(worker): use fewer workers"
        }
    }
}

/// How far one run of a replay goes.
public struct ReplayLimit: Sendable {
    /// No trace begins after so much wall-clock time, ns, but for the first sixteen of a worker.
    public var durationNs = UInt64.max
    /// No trace begins after so many arrivals since the replay was made.
    public var arrivals = UInt64.max

    public init(durationNs: UInt64 = .max, arrivals: UInt64 = .max) {
        self.durationNs = durationNs
        self.arrivals = arrivals
    }
}

/// Replays a scenario's traces through tracers on threads of its own.
///
/// A thread simulates and hands each worker its stream; at `rate: max` plans are made before the run
/// instead. Each `run` goes on where the last one stopped, so a warm-up and the measured part are two
/// runs, and no identifier comes twice. One run at a time; `stop` and `progress` from any thread.
///
/// With a fixed number of arrivals under the simulated clock, the spans before sampling are the
/// same for any number of workers: the simulation does not know them, and which worker replays a
/// trace changes nothing about it.
public final class Replay: Sendable {
    public let compiled: CompiledScenario
    public let options: ReplayOptions
    private let providers: [TracerProvider]
    private let source: Source
    /// What the plans say of all traces; nil unless they were prepared.
    public let truth: TraceTruth?
    /// CPU time of finding that out, ns.
    public let truthCPUNs: UInt64
    private let control = ReplayControl()
    /// Real time: simulated time at which the next run begins.
    private let firstNs = WorkerLock<UInt64>(0)

    private enum Source {
        case pool(PlanPool)
        case feed(PlanFeed)
    }

    private struct WorkerResult {
        var counters: ReplayCounters
        var timings: ReplayTimings
    }

    /// Chunks of about 300 spans that a worker's stream may be ahead: more in real time, where a
    /// simulation that is kept waiting must not keep the load waiting.
    private static let depth = (simulated: 8, realTime: 64)

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
        let scenario = compiled.scenario
        let isSaturating = scenario.traffic.contains { $0.stages.contains { $0.rate == .max } }
        // What goes by the clock of the spans needs them in its order; a pool has none.
        let needsOrder =
            !scenario.incidents.isEmpty || scenario.pipeline.tail != nil
            || providers.contains { $0.sampler.keepsState }
        let depth =
            scenario.clock == .realtime ? Self.depth.realTime : Self.depth.simulated
        if let arrivals = options.preparedArrivals {
            let workers = max(1, options.workers)
            let feed = PlanFeed(
                compiled, workers: workers, shard: options.shard, depth: depth)
            var reader = FidelityTruthReader(
                compiled, workers: workers, spansMax: options.preparedSpansMax)
            do {
                try feed.prepare(indexMax: arrivals) { (chunk, worker) throws(TruthTooLarge) in
                    try reader.read(chunk, worker: worker)
                }
            } catch {
                throw .tooLarge("\(error)")
            }
            let readNs = reader.cpuNs
            let before = ReplayThread.cpuNs
            truth = reader.truth()
            truthCPUNs = readNs + (ReplayThread.cpuNs - before)
            source = .feed(feed)
            return
        }
        (truth, truthCPUNs) = (nil, 0)
        if isSaturating, !needsOrder, options.poolWindows > 0 {
            source = .pool(
                PlanPool(compiled, windows: options.poolWindows, shard: options.shard))
        } else {
            source = .feed(
                PlanFeed(
                    compiled, workers: max(1, options.workers), shard: options.shard,
                    depth: depth))
        }
    }

    /// Ends the run: no new trace begins, live ones are finished. Any thread.
    public func stop() {
        control.stop()
        if case .feed(let feed) = source { feed.close() }
    }

    /// What identifiers derive from.
    var cipher: SpanIdentityCipher {
        SpanIdentityCipher(seed: compiled.scenario.seed, salt: options.salt)
    }

    /// Number of the arrival that a run would begin with now. Between runs.
    public var nextArrival: UInt64 {
        switch source {
        case .pool(let pool): pool.nextArrival
        case .feed(let feed): feed.nextArrival
        }
    }

    /// The schedule's time at which a run in real time would begin now. Between runs.
    var simulatedNextNs: UInt64 { firstNs.withLock { $0 } }

    /// Spans started and traces finished since the replay was made, about as of now. Any thread.
    public var progress: (spans: UInt64, traces: UInt64) { control.progress }

    /// Replays until the limit, the end of the schedule or `stop()`; blocks the caller meanwhile.
    public func run(_ limit: ReplayLimit = ReplayLimit()) throws(ReplayError) -> ReplaySummary {
        var summary = ReplaySummary()
        summary.timerFloorNs = CallTimer.floorNs()
        let isRealTime = compiled.scenario.clock == .realtime
        let beginNs = TraceClock.monotonicNs
        let deadlineNs =
            limit.durationNs < .max - beginNs ? beginNs + limit.durationNs : .max
        let firstNs = self.firstNs.withLock { $0 }
        let untilNs =
            isRealTime && limit.durationNs < .max - firstNs ? firstNs + limit.durationNs : .max
        let pace =
            isRealTime
            ? RealTimePace(
                originNs: beginNs, firstNs: firstNs, spinNs: UInt64(compiled.scenario.run.spinNs),
                lagMaxNs: UInt64(compiled.scenario.run.lagMaxNs))
            : nil
        let droppedBefore = droppedArrivals
        let results = WorkerLock<[WorkerResult]>([])
        let probe = isRealTime ? SleepProbe() : nil
        var threads: [ReplayThread] = []
        do {
            if case .feed(let feed) = source, options.preparedArrivals == nil {
                feed.reopen()
                if control.isStopped { feed.close() }
                threads.append(
                    try thread { feed.simulate(indexMax: limit.arrivals, untilNs: untilNs) })
            }
            let propagation = ReplayPropagation(compiled)
            for worker in 0..<max(1, options.workers) {
                threads.append(
                    try thread(worker) { [self] in
                        let result = work(
                            worker, limit, deadlineNs: deadlineNs, pace: pace, propagation)
                        results.withLock { $0.append(result) }
                    })
            }
        } catch {
            stop()
            for thread in threads { thread.join() }
            _ = probe?.finish()
            throw error
        }
        for thread in threads { thread.join() }
        summary.wallNs = TraceClock.monotonicNs - beginNs
        if let probe { summary.timings.sleepLateness.merge(probe.finish()) }
        for result in results.withLock({ $0 }) {
            summary.total.add(result.counters)
            summary.workers.append(result.counters)
            summary.timings.merge(result.timings)
        }
        if case .feed(let feed) = source {
            let position = feed.position
            summary.isScheduleOver = position.isOver && limit.arrivals == .max
            self.firstNs.withLock { $0 = untilNs == .max ? position.lastBeginNs : untilNs }
        }
        summary.droppedArrivals = droppedArrivals - droppedBefore
        summary.isInterrupted = control.isStopped
        return summary
    }

    /// Simulated time at which the last trace began, ns; 0 for a pool of plans. Between runs.
    var simulatedNs: UInt64 {
        if case .feed(let feed) = source { feed.position.lastBeginNs } else { 0 }
    }

    private var droppedArrivals: UInt64 {
        if case .feed(let feed) = source { feed.droppedArrivals } else { 0 }
    }

    private func thread(
        _ worker: Int = 0, _ body: @escaping @Sendable () -> Void
    ) throws(ReplayError) -> ReplayThread {
        guard let thread = ReplayThread(body) else { throw .noThread(worker: worker) }
        return thread
    }

    /// What a worker's thread does.
    private func work(
        _ worker: Int, _ limit: ReplayLimit, deadlineNs: UInt64, pace: RealTimePace?,
        _ propagation: ReplayPropagation
    ) -> WorkerResult {
        let cpuBefore = ReplayThread.cpuNs
        var executor = TraceExecutor(
            compiled, tables: ReplayTables(compiled, providers: providers),
            propagation: propagation,
            cipher: cipher,
            timedOneIn: options.timedOneIn)
        executor.isTracingDisabled = options.isTracingDisabled
        defer { executor.deallocate() }
        let allocatedBefore = options.allocatedBytesOfThread?()
        let expectation =
            options.verifies
            ? SpanExpectation(
                compiled, limits: providers[0].limits, epochUnixNano: options.epochUnixNano) : nil
        switch source {
        case .pool(let pool):
            var body = PoolWorker(
                pool: pool, control: control, arrivalsMax: limit.arrivals,
                deadlineNs: deadlineNs, epochUnixNano: options.epochUnixNano,
                expectation: expectation)
            body.run(&executor)
        case .feed(let feed):
            // In real time the wall clock where the run's own time begins.
            let epoch = pace?.unixNanoAtZero ?? options.epochUnixNano
            if pace != nil { ReplayThread.sharpenSleep() }
            var body = StreamWorker(
                feed: feed, control: control, worker: worker, deadlineNs: deadlineNs,
                epochUnixNano: epoch, pace: pace, expectation: expectation)
            body.run(&executor)
        }
        executor.counters.cpuNs = ReplayThread.cpuNs - cpuBefore
        if let allocatedBefore, let allocated = options.allocatedBytesOfThread?() {
            executor.counters.allocatedBytes = allocated - allocatedBefore
        }
        return WorkerResult(counters: executor.counters, timings: executor.timings)
    }
}

/// What workers and the outside tell each other while a replay runs. Any thread.
final class ReplayControl: Sendable {
    private let stopped = Atomic(false)
    private let spans = Atomic<UInt64>(0)
    private let traces = Atomic<UInt64>(0)

    // relaxed: a flag that is looked at again and again, and figures for a progress line.
    var isStopped: Bool { stopped.load(ordering: .relaxed) }
    func stop() { stopped.store(true, ordering: .relaxed) }

    var progress: (spans: UInt64, traces: UInt64) {
        (spans.load(ordering: .relaxed), traces.load(ordering: .relaxed))
    }

    func add(_ done: (spans: UInt64, traces: UInt64)) {
        spans.wrappingAdd(done.spans, ordering: .relaxed)
        traces.wrappingAdd(done.traces, ordering: .relaxed)
    }
}
