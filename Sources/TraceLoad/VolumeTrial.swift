import TraceCore
import TracePipeline
import TraceResults

/// How much a sampler keeps, found out by letting it decide on a scenario's traces: head samplers and tail
/// stage are the real ones, nothing is sent anywhere. Deterministic in seed, salt and number of traces; the
/// decisions are those of a run with the same ones. Blocks; one thread calls it, a few work.
public struct VolumeTrial: Sendable {
    public var seed: UInt64
    /// Identifiers derive from it; 0 for fixed ones.
    public var salt: UInt64
    /// Traces to decide on, from the first; the whole schedule where that has fewer.
    public var traces: UInt64

    public init(seed: UInt64, salt: UInt64, traces: UInt64) {
        self.seed = seed
        self.salt = salt
        self.traces = traces
    }

    /// What was there and what was kept.
    public struct Outcome: Sendable, Equatable {
        public var traces: UInt64 = 0
        public var spans: UInt64 = 0
        public var keptSpans: UInt64 = 0
        /// Simulated time from the first trace's begin to the last one's.
        public var durationNs: UInt64 = 0

        public init() {}

        /// Share of all spans.
        public var keptShare: Double { spans == 0 ? 0 : Double(keptSpans) / Double(spans) }
        /// Spans a second of simulated time, before sampling.
        public var spansPerS: Double { perSecond(spans) }
        /// Likewise after it.
        public var keptSpansPerS: Double { perSecond(keptSpans) }

        private func perSecond(_ count: UInt64) -> Double {
            durationNs == 0 ? 0 : Double(count) / (Double(durationNs) / 1e9)
        }
    }

    /// Lets a scenario's samplers decide.
    public func run(_ scenario: Scenario) throws(RunError) -> Outcome {
        var scenario = scenario
        scenario.seed = seed
        scenario.clock = .simulated
        scenario.pipeline.exporter = PipelineDeclaration.Exporter()
        scenario.pipeline.exporter.category = .none
        scenario.pipeline.processor = PipelineDeclaration.Processor()
        scenario.pipeline.processor.onFull = .block
        scenario.pipeline.processor.queueSpans = 65_536
        scenario.pipeline.processor.batchSpans = 4_096
        let compiled = CompiledScenario(scenario)
        var options = RunOptions()
        options.workers = 1
        do {
            var configuration = try PipelineSetup(scenario).configuration(options, sink: nil)
            configuration.recorder.timeOneIn = 0
            let pipeline = try TracingPipeline(configuration)
            var replayOptions = ReplayOptions()
            replayOptions.salt = salt
            replayOptions.timedOneIn = 0
            replayOptions.poolWindows = 0
            let replay = try Replay(
                compiled,
                providers: compiled.makeProviders(
                    recorder: pipeline.recorder, sampler: configuration.sampler,
                    limits: configuration.limits),
                options: replayOptions)
            let summary = try replay.run(ReplayLimit(arrivals: traces))
            _ = pipeline.forceFlush(timeoutMs: 60_000)
            _ = pipeline.shutdown(timeoutMs: 60_000)
            let ledger = pipeline.ledger
            var outcome = Outcome()
            outcome.traces = summary.total.traces
            outcome.spans = summary.total.spansStarted
            outcome.keptSpans = ledger.endedSampled - ledger.discardedByTail.spans
            outcome.durationNs = replay.simulatedNs
            return outcome
        } catch let error as RunError {
            throw error
        } catch {
            throw .unusable("\(error)")
        }
    }
}
