// A configuration from OTEL_* variables (OpenTelemetry specification, "Environment Variable
// Specification"; the sweeper's and the tracers' variables are the Erlang SDK's). The exporter's are in
// TracingConfiguration+Exporters.swift.

import Logging
import TraceCore

extension TracingConfiguration {
    /// The defaults, changed by what the environment says. What the program sets afterwards is over
    /// both; ``EffectiveConfiguration`` tells which came from where.
    ///
    /// An empty variable is unset; one that cannot be parsed is warned of and ignored.
    /// - Parameters:
    ///   - values: variables to read instead of the process's.
    ///   - logger: where warnings go; also the pipeline's own logger.
    /// - Throws: ``ConfigurationError/invalidEndpoint(_:reason:)`` for an endpoint that cannot be
    ///   used: sending elsewhere than asked would be worse than not starting.
    public static func fromEnvironment(
        _ values: [String: String]? = nil, logger: Logger = Logger(label: "tracemill.pipeline")
    ) throws(ConfigurationError) -> TracingConfiguration {
        let environment = Environment(values, logger: logger)
        var configuration = TracingConfiguration()
        configuration.logger = logger
        configuration.detection.variables = values
        configuration.isDisabled = environment.flag("OTEL_SDK_DISABLED", default: false)
        configuration.setServiceName(fromEnvironment: environment.string("OTEL_SERVICE_NAME"))
        configuration.readAttributes(environment)
        configuration.createsApplicationTracers = environment.flag(
            "OTEL_CREATE_APPLICATION_TRACERS", default: configuration.createsApplicationTracers)
        configuration.readDetectors(environment)
        configuration.readPropagators(environment)
        configuration.readSampler(environment)
        configuration.readLimits(environment)
        configuration.readSweeper(environment)
        configuration.readBatch(environment)
        try configuration.readExporters(environment)
        configuration.readings = environment.readings
        configuration.readings.texts = ConfigurationSetting.texts(of: configuration)
        return configuration
    }

    /// One bad entry spoils them all, as the specification has it ("Specifying resource information via an
    /// environment variable").
    private mutating func readAttributes(_ environment: Environment) {
        let name = "OTEL_RESOURCE_ATTRIBUTES"
        environmentAttributes = environment.pairs(name, badEntry: .spoilsAll)
        if !environmentAttributes.isEmpty { environment.use(name) }
    }

    private mutating func readDetectors(_ environment: Environment) {
        resourceDetectorTimeoutMs = environment.integer(
            "OTEL_RESOURCE_DETECTOR_TIMEOUT", in: 0...Int(Int32.max),
            default: resourceDetectorTimeoutMs)
        let name = "OTEL_RESOURCE_DETECTORS"
        guard let words = environment.words(name) else { return }
        var chosen: [ResourceDetectorChoice] = []
        for word in words {
            if word == "none" || word == "all" { continue }
            guard let detector = ResourceDetectorChoice(name: word) else {
                environment.warn(
                    name,
                    "\"\(Environment.shown(word))\" is not one of "
                        + "\(ResourceDetectorChoice.names.joined(separator: ", ")), all, none; "
                        + "it is left out")
                continue
            }
            if !chosen.contains(where: { $0.name == detector.name }) { chosen.append(detector) }
        }
        if words.contains("none") {
            if words.count > 1 {
                environment.warn(name, "none stands alone; the other detectors are not used")
            }
            resourceDetectors = []
            environment.use(name)
        } else if words.contains("all") {
            resourceDetectors = ResourceDetectorChoice.all
            environment.use(name)
        } else if !chosen.isEmpty {
            resourceDetectors = chosen
            environment.use(name)
        }
    }

    private mutating func readPropagators(_ environment: Environment) {
        let name = "OTEL_PROPAGATORS"
        let words = environment.words(name) ?? []
        for word in words where !Propagator.names.contains(word) {
            environment.warn(
                name,
                "\"\(Environment.shown(word))\" is not one of "
                    + "\(Propagator.names.joined(separator: ", ")); it is left out")
        }
        var known = words.filter(Propagator.names.contains)
        if known.contains("none"), words.count > 1 {
            environment.warn(name, "none stands alone; the other propagators are not used")
            known = ["none"]
        }
        guard !known.isEmpty, let chosen = try? Propagator(names: known) else { return }
        propagator = chosen
        environment.use(name)
    }

    private mutating func readSampler(_ environment: Environment) {
        let name = "OTEL_TRACES_SAMPLER"
        let argumentName = "OTEL_TRACES_SAMPLER_ARG"
        guard let text = environment.first([name])?.value.trimmedOfSpaces else { return }
        // An argument for a sampler that takes none is ignored.
        let takesRatio = text.lowercased().hasSuffix("traceidratio")
        let argument = takesRatio ? environment.first([argumentName])?.value.trimmedOfSpaces : nil
        do {
            sampler = try Sampler(name: text, argument: argument)
            environment.use(name)
            if argument != nil { environment.use(argumentName) }
        } catch .badRatio {
            environment.warn(
                argumentName,
                "\"\(Environment.shown(argument ?? ""))\" is no ratio from 0 to 1; 1 is used")
            guard let withoutArgument = try? Sampler(name: text) else { return }
            sampler = withoutArgument
            environment.use(name)
        } catch {
            environment.warn(
                name,
                "\"\(Environment.shown(text))\" is not one of "
                    + "\(Sampler.names.joined(separator: ", ")); parentbased_always_on is used")
        }
    }

    private mutating func readLimits(_ environment: Environment) {
        let range = 0...Int(UInt32.max - 1)
        limits.attributeCount = environment.integer(
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT", in: range,
            default: limits.attributeCount)
        limits.attributeValueLength = environment.integerOrInfinity(
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            in: range, default: limits.attributeValueLength)
        limits.eventCount = environment.integer(
            "OTEL_SPAN_EVENT_COUNT_LIMIT", in: range, default: limits.eventCount)
        limits.linkCount = environment.integer(
            "OTEL_SPAN_LINK_COUNT_LIMIT", in: range, default: limits.linkCount)
        limits.attributeCountPerEvent = environment.integer(
            "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", in: range, default: limits.attributeCountPerEvent)
        limits.attributeCountPerLink = environment.integer(
            "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", in: range, default: limits.attributeCountPerLink)
    }

    private mutating func readSweeper(_ environment: Environment) {
        sweeper.intervalMs = environment.integerOrInfinity(
            "OTEL_SPAN_SWEEPER_INTERVAL", in: SweeperSettings.milliseconds,
            default: sweeper.intervalMs)
        sweeper.spanTTLMs = environment.integerOrInfinity(
            "OTEL_SPAN_SWEEPER_SPAN_TTL", in: SweeperSettings.milliseconds,
            default: sweeper.spanTTLMs)
        sweeper.storageBytes = environment.integerOrInfinity(
            "OTEL_SPAN_SWEEPER_STORAGE_SIZE", in: 1...Int.max, default: sweeper.storageBytes)
        guard let (name, value) = environment.first(["OTEL_SPAN_SWEEPER_STRATEGY"]) else { return }
        guard let strategy = SweeperStrategy(name: value.trimmedOfSpaces) else {
            environment.warn(
                name,
                "\"\(Environment.shown(value))\" is not one of "
                    + "\(SweeperStrategy.names.joined(separator: ", ")); drop is used")
            return
        }
        sweeper.strategy = strategy
        environment.use(name)
    }

    /// The `_MILLIS` spellings are the Erlang SDK's.
    private mutating func readBatch(_ environment: Environment) {
        let milliseconds = 0...Int(Int32.max)
        let spans = 1...(1 << 30)
        let batchName = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
        batch.scheduleDelayMs = environment.integer(
            "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_SCHEDULE_DELAY_MILLIS", in: milliseconds,
            default: batch.scheduleDelayMs)
        batch.exportTimeoutMs = environment.integer(
            "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_EXPORT_TIMEOUT_MILLIS", in: milliseconds,
            default: batch.exportTimeoutMs)
        batch.queueSpans = environment.integer(
            "OTEL_BSP_MAX_QUEUE_SIZE", in: spans, default: batch.queueSpans)
        batch.batchSpans = environment.integer(batchName, in: spans, default: batch.batchSpans)
        guard batch.batchSpans > batch.queueSpans else { return }
        // Silent when only the queue was made smaller than the default batch.
        if environment.first([batchName]) != nil {
            environment.warn(
                batchName, "a batch cannot be larger than the queue; \(batch.queueSpans) is used")
        }
        batch.batchSpans = batch.queueSpans
    }
}
