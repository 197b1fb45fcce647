import Glibc
import TraceCore
import TracePipeline

/// From what a scenario says about its pipeline to the pipeline's own configuration.
struct PipelineSetup {
    let scenario: Scenario
    private var declaration: PipelineDeclaration { scenario.pipeline }
    private var clock: Scenario.ClockMode { scenario.clock }

    init(_ scenario: Scenario) {
        self.scenario = scenario
    }

    /// Whether the run brings a receiver of its own.
    func needsSink(_ options: RunOptions) -> Bool {
        declaration.exporter.category == .otlp && declaration.exporter.endpoint == nil
            && options.endpoint == nil
    }

    func sinkArguments(_ sink: SinkDeclaration, _ options: RunOptions) -> [String] {
        var arguments = ["--embedded", "--port", "0"]
        arguments += ["--mode", options.verifies ? "verify" : "count"]
        if sink.speaksTLS { arguments.append("--tls") }
        if options.measuresFidelity {
            arguments += ["--list-spans", "\(FidelitySetup.spansMax)"]
        }
        var faults = sink.faults.map { fault in
            fault.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
        }
        // The last rule, since the first that applies decides.
        if let latency = Self.latencyFault(sink.latency) { faults.append(latency) }
        faults += options.sinkFaults
        for fault in faults { arguments += ["--fault", fault] }
        return arguments
    }

    /// How long to ask a sink with these arguments again that does not answer: a minute beyond the longest
    /// time that it may be down or stopped; not at all where it always answers.
    func patienceNs(_ arguments: [String]) -> UInt64 {
        let outages = arguments.compactMap { argument -> Double? in
            if argument.hasPrefix("tls=") { return 0 }
            guard argument.hasPrefix("down=") || argument.hasPrefix("stop=") else { return nil }
            let length = String(argument.dropFirst(5).prefix { $0 != "," })
            return ScenarioUnits.durationNs(length.filter { $0 != " " }) ?? 0
        }
        return outages.max().map { UInt64($0) + 60_000_000_000 } ?? 0
    }

    /// The rule for a latency of that distribution; nil for none.
    static func latencyFault(_ latency: Distribution) -> String? {
        func text(_ ns: Double) -> String { "\(Int((ns / 1e3).rounded()))us" }
        guard latency != .constant(0) else { return nil }
        if case .constant(let ns) = latency { return "latency=" + text(ns) }
        // By rank: a mixture's draws are not in the order of their ranks.
        let draws = 1 << 14
        let sorted = (0..<draws).map { latency.draw((Double($0) + 0.5) / Double(draws)) }.sorted()
        let quantiles = (0...latencySteps).map { step in
            min(sorted[min(step * draws / latencySteps, draws - 1)], CompiledSampler.drawMax)
        }
        return "latency=" + quantiles.map(text).joined(separator: ":")
    }

    /// Steps between the quantiles that the sink is told.
    private static let latencySteps = 256

    /// Under the simulated clock a sampler that remembers must be asked in the order of simulated
    /// time, which one worker keeps.
    func workers(_ options: RunOptions) throws(RunError) -> Int {
        let wanted = options.workers ?? scenario.run.workers
        if scenario.clock == .simulated, let sampler = scenario.statefulSampler {
            if let wanted, wanted > 1 {
                throw .unusable(
                    "the sampler at \(sampler.position) decides by what came before, in simulated "
                        + "time, which only one worker keeps in order: use --workers 1")
            }
            return 1
        }
        if scenario.clock == .simulated, let tail = scenario.pipeline.tail {
            if let wanted, wanted > 1 {
                throw .unusable(
                    "the tail stage at \(tail.position) goes by simulated time, which only one worker "
                        + "keeps in order: use --workers 1")
            }
            return 1
        }
        return wanted ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)) - 1)
    }

    /// What a plan says of its spans is compared with what arrives; some scenarios say too little.
    func checkVerifiable() throws(RunError) {
        guard scenario.clock == .simulated else {
            throw .unusable(
                "in real time no plan knows when its spans begin and end: leave out --verify, or write "
                    + "`clock: simulated`")
        }
        guard let sampler = scenario.samplers.first(where: { $0.sampler.setsAttributes }) else {
            return
        }
        throw .unusable(
            "the sampler at \(sampler.position) sets attributes (`annotating`), which no plan knows: "
                + "leave out --verify, or the attributes")
    }

    func configuration(
        _ options: RunOptions, sink: SinkControl?
    ) throws -> TracingConfiguration {
        var configuration = TracingConfiguration()
        configuration.serviceName = "tracemill"
        configuration.propagator = try Propagator(names: declaration.propagators)
        configuration.sampler = declaration.sampler.sampler
        configuration.limits = limits
        configuration.sweeper = sweeper
        configuration.processor = declaration.processor.category == .batch ? .batch : .simple
        configuration.batch = batch
        configuration.exporter = try exporter(options, sink: sink)
        configuration.keepsLedger = true
        configuration.recorder.clock = options.clock
        configuration.recorder.simulatesTime = clock == .simulated
        configuration.recorder.timeOneIn = 64
        configuration.recorder.pages = options.pages
        return configuration
    }

    private var limits: SpanLimits {
        var limits = SpanLimits()
        let declared = declaration.limits
        if let value = declared.attributeCount { limits.attributeCount = value }
        limits.attributeValueLength = declared.attributeValueLength
        if let value = declared.eventCount { limits.eventCount = value }
        if let value = declared.linkCount { limits.linkCount = value }
        if let value = declared.attributesPerEvent { limits.attributeCountPerEvent = value }
        if let value = declared.attributesPerLink { limits.attributeCountPerLink = value }
        return limits
    }

    private var sweeper: SweeperSettings {
        var sweeper = SweeperSettings()
        let declared = declaration.sweeper
        // Simulated timestamps have no age: every live span would be too old.
        sweeper.intervalMs =
            scenario.clock == .realtime ? declared.intervalNs.map { Int($0 / 1e6) } : nil
        sweeper.spanTTLMs = declared.spanTTLNs.map { Int($0 / 1e6) }
        sweeper.storageBytes = declared.storageBytes
        switch declared.strategy {
        case .drop: sweeper.strategy = .drop
        case .endSpan: sweeper.strategy = .endSpan
        case .failedAttributeAndEndSpan: sweeper.strategy = .failedAttributeAndEndSpan
        }
        return sweeper
    }

    private var batch: BatchSettings {
        var batch = BatchSettings()
        let declared = declaration.processor
        batch.queueSpans = declared.queueSpans
        batch.batchSpans = declared.batchSpans
        batch.scheduleDelayMs = Int(declared.delayNs / 1e6)
        batch.exportTimeoutMs = Int(declared.timeoutNs / 1e6)
        batch.whenFull = declared.onFull == .block ? .block : .drop
        batch.tail = declaration.tail.map { TailSampling($0) }
        return batch
    }

    private func exporter(
        _ options: RunOptions, sink: SinkControl?
    ) throws -> ExporterChoice {
        let declared = declaration.exporter
        switch declared.category {
        case .none: return .none
        case .console: return .console(.lines)
        case .otlp: break
        }
        var settings = sink?.exporterSettings ?? OTLPHTTPSettings()
        if sink == nil, let endpoint = options.endpoint ?? declared.endpoint {
            settings.endpoint = endpoint
        }
        settings.encoding = declared.encoding == .json ? .json : .protobuf
        if let authority = declared.tls.authority { settings.certificatePath = authority }
        settings.clientCertificatePath = declared.tls.certificate
        settings.clientKeyPath = declared.tls.key
        settings.compression = declared.compression == .gzip ? .gzip : .none
        settings.timeoutMs = Int(declared.timeoutNs / 1e6)
        settings.connections = declared.connections
        settings.retry.initialBackoffMs = max(1, Int(declared.retryInitialNs / 1e6))
        settings.retry.maxBackoffMs = max(1, Int(declared.retryMaxNs / 1e6))
        settings.headers = try declared.headers.map {
            try HTTPHeader(name: $0.name, value: try Self.expanded($0.value))
        }
        return .otlp(settings)
    }

    /// Replaces each `${NAME}` by the environment's value.
    private static func expanded(_ value: String) throws(RunError) -> String {
        var result = ""
        var rest = value[...]
        while let start = rest.firstRange(of: "${") {
            result += rest[..<start.lowerBound]
            rest = rest[start.upperBound...]
            guard let end = rest.firstIndex(of: "}") else {
                throw .unusable("a header value has \"${\" without \"}\": write ${NAME}")
            }
            let name = String(rest[..<end])
            guard let found = unsafe getenv(name) else {
                throw .unusable(
                    "a header wants the environment variable \(name), which is not set: export it")
            }
            result += unsafe String(cString: found)
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }

    /// The scenario as fast as the machine goes, for measuring the replay itself.
    func saturated(_ compiled: CompiledScenario) -> CompiledScenario {
        var scenario = compiled.scenario
        scenario.clock = .simulated
        scenario.incidents = []
        scenario.traffic = scenario.traffic.map { traffic in
            var traffic = traffic
            traffic.maxInFlight = nil
            traffic.model = .open
            traffic.stages = traffic.stages.prefix(1).map { stage in
                var stage = stage
                stage.rate = .max
                return stage
            }
            return traffic
        }
        return CompiledScenario(scenario)
    }
}
