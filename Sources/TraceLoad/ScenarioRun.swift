import Glibc
import TraceCore
import TracePipeline
import TraceResults

/// What the command line may say over the scenario.
public struct RunOptions: Sendable {
    /// Length of the measured part, ns; nil: as the stages say.
    public var durationNs: UInt64?
    public var warmupNs: UInt64?
    /// Arrivals of the measured part, which then has no other bound but the schedule's; nil: by time.
    public var traces: UInt64?
    /// All plans are made before the run, and what the receiver lists is compared with them.
    public var measuresFidelity = false
    public var seed: UInt64?
    public var workers: Int?
    /// OTLP endpoint of another receiver; nil: the scenario's, or the embedded sink.
    public var endpoint: String?
    /// The sink decodes every field and the run compares the contents with its plans.
    public var verifies = false
    /// Which of the scenario's traces are this run's.
    public var shard = Shard.whole
    /// Identifiers derive from it with `ids: salted`; nil: drawn, or for shards the same for all.
    public var salt: UInt64?
    /// Faults for the embedded sink, in its own words.
    public var sinkFaults: [String] = []
    public var clock = ClockSource.cycleCounter
    /// Heap bytes that the calling thread allocated so far; nil where the allocator does not tell.
    public var allocatedBytesOfThread: (@Sendable () -> UInt64)?
    /// Where the pipeline takes its pages from.
    public var pages: any PageSource = MappedPageSource()
    /// Bytes that are taken from there now; nil where nobody keeps count.
    public var heldBytesOfPages: (@Sendable () -> UInt64)?
    /// Bytes that the whole process has allocated now; nil where the allocator does not tell.
    public var allocatedBytes: (@Sendable () -> UInt64)?
    /// One call in so many is timed, on average.
    public var timedOneIn = 64
    /// Extra work on the exporter's thread, as a share of all other processor time: what a self-test of a
    /// gate looks for.
    public var extraWorkShare = 0.0
    /// This program, which is its own sink.
    public var executable = "/proc/self/exe"
    /// Called about four times a second while the run goes on, on a thread of the run's own.
    public var onProgress: (@Sendable (ProgressSnapshot) -> Void)?

    public init() {}
}

/// Why a run could not take place at all. What goes wrong within a run makes it invalid instead.
public enum RunError: Error, CustomStringConvertible {
    /// The scenario and the options do not go together, or a setting cannot be used.
    case unusable(String)
    /// The sink or the pipeline could not be started.
    case cannotStart(String)

    public var description: String {
        switch self {
        case .unusable(let reason), .cannotStart(let reason): reason
        }
    }
}

/// One run of a scenario: sink, pipeline, warm-up, measured part, drain, books. Made, run once, read.
public final class ScenarioRun: Sendable {
    public let compiled: CompiledScenario
    public let options: RunOptions
    private let sinkProcess: SinkProcess?
    /// Where spans go, fit for a message; nil when they go nowhere.
    private let endpoint: String?
    private let sink: SinkControl?
    private let pipeline: TracingPipeline
    private let watch: DeliveryWatch
    private let extraWork: ExtraWork
    private let replay: Replay
    private let overhead: Replay
    private let fidelity: FidelitySetup?
    /// The most that the pipeline will hold for spans: known before the run.
    public let memoryStatement: MemoryStatement
    private let residentBeforeBytes = ProcessUsage.now().residentBytes
    private let signalled = WorkerLock<ExitCode?>(nil)

    /// Starts the sink and the pipeline. Blocks until the sink listens.
    public init(_ compiled: CompiledScenario, options: RunOptions) throws(RunError) {
        self.compiled = compiled
        self.options = options
        let scenario = compiled.scenario
        let setup = PipelineSetup(scenario)
        if options.verifies { try setup.checkVerifiable() }
        fidelity = options.measuresFidelity ? try FidelitySetup(scenario, options) : nil
        let workers = try setup.workers(options)
        var baseURL: String?
        if setup.needsSink(options) {
            do {
                sinkProcess = try SinkProcess(
                    executable: options.executable,
                    arguments: setup.sinkArguments(scenario.sink, options))
            } catch {
                throw .cannotStart("\(error)")
            }
            baseURL = sinkProcess?.baseURL
        } else {
            sinkProcess = nil
        }
        let patienceNs = setup.patienceNs(setup.sinkArguments(scenario.sink, options))
        let authorityPath = sinkProcess?.authorityPath
        let sink = baseURL.map {
            SinkControl(baseURL: $0, authorityPath: authorityPath, patienceNs: patienceNs)
        }
        self.sink = sink
        let watch = DeliveryWatch(
            sink: sink, comparesContents: scenario.pipeline.exporter.encoding == .protobuf)
        self.watch = watch
        extraWork = ExtraWork(options)
        do {
            var configuration = try setup.configuration(options, sink: sink)
            if case .otlp(let settings) = configuration.exporter {
                endpoint = settings.printableEndpoint
            } else {
                endpoint = nil
            }
            configuration.observer = extraWork.around(watch.observer)
            // The exporter thread ends spans, too: those that nobody else does.
            memoryStatement = configuration.memoryStatement(threads: workers + 1)
            pipeline = try TracingPipeline(configuration)
            let providers = compiled.makeProviders(
                recorder: pipeline.recorder, sampler: configuration.sampler,
                limits: configuration.limits)
            var replayOptions = ReplayOptions()
            replayOptions.workers = workers
            replayOptions.shard = options.shard
            replayOptions.verifies = options.verifies
            replayOptions.timedOneIn = options.timedOneIn
            if scenario.identifiers == .salted {
                var generator = SystemRandomNumberGenerator()
                // Shards must agree, since links go from one to another, and so must those whose fidelity is
                // compared: which traces a ratio keeps follows from their identifiers.
                replayOptions.salt =
                    options.salt
                    ?? (options.shard.count > 1 || options.measuresFidelity
                        ? scenario.seed ^ 0x7368_6172_6473
                        : UInt64.random(in: 1 ... .max, using: &generator))
            }
            replayOptions.allocatedBytesOfThread = options.allocatedBytesOfThread
            replayOptions.preparedArrivals = fidelity?.arrivals
            replay = try Replay(compiled, providers: providers, options: replayOptions)
            replayOptions.verifies = false
            replayOptions.workers = 1
            replayOptions.shard = .whole
            replayOptions.isTracingDisabled = true
            replayOptions.preparedArrivals = nil
            overhead = try Replay(
                setup.saturated(compiled), providers: providers, options: replayOptions)
        } catch let error as RunError {
            throw error
        } catch {
            throw .unusable("\(error)")
        }
    }

    /// Ends the load early; the run drains, settles its books and is marked interrupted. Any thread.
    public func interrupt(_ code: ExitCode) {
        signalled.withLock { if $0 == nil { $0 = code } }
        overhead.stop()
        replay.stop()
    }

    /// The signal that ended the run, if one did.
    public var interruption: ExitCode? { signalled.withLock { $0 } }

    /// Runs it. Blocks for the scenario's time.
    public func run() throws(RunError) -> RunRecord {
        var record = RunRecord()
        let host = HostReader()
        do {
            let disabled = try replayDisabled()
            let monitor = RunMonitor(
                pipeline: pipeline, replay: replay, watch: watch,
                heldBytesOfPages: options.heldBytesOfPages, allocatedBytes: options.allocatedBytes,
                onProgress: options.onProgress)
            let before = try warmUp(monitor)
            // What the warm-up left behind must not count as delivered in the measured part.
            _ = pipeline.forceFlush(timeoutMs: Int(compiled.scenario.run.drainNs / 1e6))
            try watch.work()
            watch.restart()
            let hostBefore = host.sample()
            _ = ProcessUsage.resetPeak()
            extraWork.begin()
            let usageBefore = ProcessUsage.now()
            let sinkBefore = try sink?.ledger()
            record.startedAt = HostClock.timestamp(wallNs: HostClock.wallNs())
            let startedNs = HostClock.monotonicNs()
            monitor.beginRun(
                totalNs: measuredNs,
                intended: IntendedArrivals(compiled.scenario, shard: options.shard),
                fromNs: replay.simulatedNextNs)
            let summary = try replay.run(limit)
            monitor.begin("drain", totalNs: nil)
            let drainMs = Int(compiled.scenario.run.drainNs / 1e6)
            let flushed = pipeline.forceFlush(timeoutMs: drainMs)
            extraWork.workOff()
            let usage = ProcessUsage.now()
            record.memory = memoryFacts(peakResidentBytes: usage.peakResidentBytes)
            try watch.work()
            let sinkAfter = try sink?.ledger()
            _ = pipeline.shutdown(timeoutMs: drainMs)
            record.series = monitor.finish()
            record.host = host.sample().conditions(since: hostBefore)
            var report = RunReport(record)
            report.figures(
                summary, watch.figures, startedNs: startedNs, usage: (usageBefore, usage),
                heldBytesMax: monitor.heldBytesMax, tail: pipeline.processor.tailFigures,
                sink: (sinkBefore, sinkAfter), overheadNs: disabled.cpuNsPerSpan,
                pipeline: pipeline.ledger)
            report.load(summary, compiled)
            try closeBooks(&report, issued: [disabled, before, summary])
            if let sink { try report.traces(sink, compiled) }
            // Of a run that was cut short a comparison with all its plans would say nothing.
            if let fidelity, let sink, let truth = replay.truth, interruption == nil {
                let study = try fidelity.study(
                    truth, truthCPUNs: replay.truthCPUNs, sink: sink, cipher: replay.cipher,
                    books: report.record.ledger.sink)
                report.add(
                    study, allCPUNs: ProcessUsage.now().cpuNs + (try sink.ledger().cpuNs))
                report.add(
                    try DecisionTrial(
                        compiled, sampler: compiled.scenario.pipeline.sampler.sampler,
                        salt: replay.options.salt, epochUnixNano: replay.options.epochUnixNano,
                        allocatedBytesOfThread: options.allocatedBytesOfThread))
            }
            report.judge(
                flushed: flushed, summary, interrupted: interruption != nil,
                monitorFailure: monitor.failure, endpoint: endpoint,
                lagMaxNs: compiled.scenario.run.lagMaxNs)
            record = report.record
            if let healedNs = record.ledger.sink?.lastFaultNs,
                let freshNs = watch.firstAcknowledgement(ofBatchBuiltFrom: healedNs)
            {
                record.set(.recoveryNs, Double(freshNs - healedNs))
            }
        } catch {
            sinkProcess?.stop()
            throw .cannotStart("the run broke off: \(error)")
        }
        sinkProcess?.stop()
        // After the shutdown: what is left now was left behind.
        record.set(.threadsAtEnd, Double(Self.entries(of: "/proc/self/task")))
        record.set(.descriptorsAtEnd, Double(Self.entries(of: "/proc/self/fd")))
        return record
    }

    /// How many files a folder of /proc has.
    private static func entries(of path: String) -> Int {
        guard let folder = unsafe opendir(path) else { return 0 }
        defer { unsafe closedir(folder) }
        var count = 0
        while unsafe readdir(folder) != nil { count += 1 }
        // Not itself, nor the one above.
        return count - 2
    }

    /// The replay without tracing: its cost is shown beside the figures, never subtracted. A tenth of a short
    /// run, for a gate makes thirty of them.
    private func replayDisabled() throws -> ReplaySummary {
        pipeline.recorder.isEnabled = false
        defer { pipeline.recorder.isEnabled = true }
        let longestNs: UInt64 = 300_000_000
        let durationNs = min(longestNs, max(20_000_000, (measuredNs ?? .max) / 10))
        return try overhead.run(ReplayLimit(durationNs: durationNs))
    }

    /// What was issued before the measured part.
    private func warmUp(_ monitor: RunMonitor) throws -> ReplaySummary {
        let isSaturating = measuredNs != nil || options.traces != nil
        // A run of so many traces begins with the first one, unless a warm-up is asked for.
        let usualNs = options.traces == nil ? UInt64(compiled.scenario.run.warmupNs) : 0
        let warmupNs = fidelity == nil ? options.warmupNs ?? usualNs : 0
        guard isSaturating, warmupNs > 0, interruption == nil else { return ReplaySummary() }
        monitor.begin("warm-up", totalNs: warmupNs)
        return try replay.run(ReplayLimit(durationNs: warmupNs))
    }

    private func memoryFacts(peakResidentBytes: UInt64) -> MemoryFacts {
        var facts = MemoryFacts()
        facts.statedStoreBytes = UInt64(memoryStatement.storeBytes)
        facts.statedRingBytes = UInt64(memoryStatement.ringBytes)
        facts.statedTailBytes = UInt64(memoryStatement.tailBytes)
        facts.statedBodiesBytes = UInt64(memoryStatement.bodiesBytes)
        facts.statedExporterBytes = UInt64(memoryStatement.exporterBytes)
        facts.heldBytes = options.heldBytesOfPages?()
        facts.residentBeforeBytes = residentBeforeBytes
        facts.peakResidentBytes = peakResidentBytes
        return facts
    }

    /// How far the measured part goes.
    private var limit: ReplayLimit {
        guard let traces = options.traces else {
            return ReplayLimit(durationNs: fidelity == nil ? measuredNs ?? .max : .max)
        }
        let next = replay.nextArrival
        return ReplayLimit(arrivals: fidelity == nil && traces < .max - next ? next + traces : .max)
    }

    /// Length of the measured part by the wall clock; nil when the schedule says when it is over.
    private var measuredNs: UInt64? {
        if let durationNs = options.durationNs { return durationNs }
        if options.traces != nil { return nil }
        var sum = 0.0
        for traffic in compiled.scenario.traffic {
            guard traffic.stages.contains(where: { $0.rate == .max }) else { return nil }
            sum = max(sum, traffic.stages.reduce(0) { $0 + $1.durationNs })
        }
        return UInt64(sum)
    }

    private func closeBooks(_ report: inout RunReport, issued: [ReplaySummary]) throws {
        try watch.work()
        report.books(
            issued: issued, verifies: options.verifies, counters: pipeline.recorder.counters,
            liveSlots: pipeline.recorder.liveSlotCount, pipeline: pipeline.ledger,
            sink: try sink?.ledger())
        var reconciler = watch.reconciler
        if sink == nil {
            report.record.ledger.close()
        } else {
            report.record.ledger.close(with: &reconciler)
        }
    }
}

extension ReplaySummary {
    /// CPU time of the workers for each span started; nil when there was none.
    var cpuNsPerSpan: Double? {
        total.spansStarted > 0 ? Double(total.cpuNs) / Double(total.spansStarted) : nil
    }
}
