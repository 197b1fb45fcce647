/// The keys a scenario file may hold, declared once: the parser's lists of known keys, the JSON
/// Schema for editors and the reference page all come from this table.

/// A mapping of the scenario file with a fixed set of keys.
enum ScenarioSection: String, CaseIterable, Sendable {
    case scenario, service, operation, event, link, error
    case step, call, circuitBreaker = "circuit_breaker", publish, choice
    case traffic, stage, incident, pathology, late, oversize
    case pipeline, sampler, samplingRule = "sampling_rule", limits, sweeper, processor
    case exporter, tls, retry
    case tail, tailPolicy = "tail_policy", latencyRule = "latency_rule"
    case stringRule = "string_rule", numberRule = "number_rule", booleanRule = "boolean_rule"
    case spanCountRule = "span_count_rule", traceStateRule = "trace_state_rule"
    case compositeRule = "composite_rule"
    case run, sink, budget
    case distribution, normal, lognormal, exponential, pareto, mixture
    case generator, zipf, randomString = "random_string", sequence

    /// The section with an article, for messages.
    var phrase: String {
        switch self {
        case .operation, .event, .error, .exporter, .exponential, .incident: "an \(label)"
        case .scenario: "the scenario"
        case .pipeline, .sink, .run, .tls, .tail, .pathology, .late, .oversize: "`\(rawValue)`"
        default: "a \(label)"
        }
    }

    private var label: String { rawValue.replacing("_", with: " ") }
}

/// What may stand at a key.
indirect enum ScenarioKeyType: Sendable {
    case string, integer(minimum: Int), number, boolean, duration, probability, rate
    /// Bytes, such as `64MiB`.
    case size
    /// A text, a number, true or false.
    case literal
    /// A number, a duration or a size: what a metric is measured in.
    case amount
    case choice([String])
    case section(ScenarioSection)
    case list(ScenarioKeyType)
    case map(ScenarioKeyType)
    /// A distribution of durations, or of plain numbers.
    case durationDistribution, numberDistribution
    /// Of durations that may be below 0.
    case signedDurationDistribution
    case value, percentiles, anything
    case either([ScenarioKeyType])

    /// One line of text, or a mapping.
    static var sampler: ScenarioKeyType { .either([.string, .section(.sampler)]) }
}

/// One key: its name, what stands there and what happens without it.
struct ScenarioKey: Sendable {
    enum Support: Sendable { case supported, required, notYet }

    let name: String
    let type: ScenarioKeyType
    let support: Support
    let defaultText: String?
    let summary: String

    init(
        _ name: String, _ type: ScenarioKeyType, _ support: Support,
        default defaultText: String? = nil, _ summary: String
    ) {
        self.name = name
        self.type = type
        self.support = support
        self.defaultText = defaultText
        self.summary = summary
    }

    init(
        _ name: String, _ type: ScenarioKeyType, default defaultText: String? = nil,
        _ summary: String
    ) {
        self.init(name, type, .supported, default: defaultText, summary)
    }
}

extension ScenarioSection {
    /// Every key of the section, in the order of the reference page.
    var keys: [ScenarioKey] {
        switch self {
        case .scenario: Self.scenarioKeys
        case .service: Self.serviceKeys
        case .operation: Self.operationKeys
        case .event, .error: self == .event ? Self.eventKeys : Self.errorKeys
        case .link: Self.linkKeys
        case .step, .call, .circuitBreaker, .publish, .choice: stepKeys
        case .traffic, .stage: self == .traffic ? Self.trafficKeys : Self.stageKeys
        case .incident, .pathology, .late, .oversize: disturbanceKeys
        case .pipeline, .limits, .sweeper, .processor, .exporter, .tls, .retry: pipelineKeys
        case .sampler, .samplingRule: samplerKeys
        case .tail, .tailPolicy, .latencyRule, .stringRule, .numberRule, .booleanRule,
            .spanCountRule, .traceStateRule, .compositeRule:
            tailKeys
        case .run, .sink, .budget: runKeys
        case .distribution, .normal, .lognormal, .exponential, .pareto, .mixture: distributionKeys
        case .generator, .zipf, .randomString, .sequence: generatorKeys
        }
    }

    private static let scenarioKeys: [ScenarioKey] = [
        .init("version", .integer(minimum: 1), .required, "Version of the file format: 1."),
        .init("name", .string, .required, "Name of the scenario, shown in results."),
        .init("description", .string, default: "empty", "The question the scenario asks."),
        .init("seed", .integer(minimum: 0), default: "1", "Everything random derives from it."),
        .init(
            "ids", .choice(["salted", "fixed"]), default: "salted",
            "Fresh identifiers each run, or the same ones."),
        .init(
            "clock", .choice(["simulated", "realtime"]), default: "simulated",
            "As fast as the machine goes with simulated timestamps, or paced in real time."),
        .init("defaults", .section(.operation), "What operations have unless they say otherwise."),
        .init("services", .map(.section(.service)), .required, "The services, by name."),
        .init("traffic", .list(.section(.traffic)), .required, "Where traces begin, and when."),
        .init(
            "incidents", .list(.section(.incident)), default: "[]",
            "Services that slow, fail or vanish for a while."),
        .init("pathology", .section(.pathology), default: "off", "Broken instrumentation."),
        .init("pipeline", .section(.pipeline), "The tracing pipeline under test."),
        .init(
            "variants", .map(.section(.pipeline)), default: "{}",
            "Patches on `pipeline` by name, to compare."),
        .init("sink", .section(.sink), "How the embedded receiver behaves."),
        .init("run", .section(.run), "Warm-up, repeats, workers."),
        .init(
            "budgets", .list(.section(.budget)), default: "[]", "What a gate asks of the result."),
    ]

    private static let serviceKeys: [ScenarioKey] = [
        .init("instances", .integer(minimum: 1), default: "1", "Instances, each its own resource."),
        .init("resource", .map(.value), default: "service.name", "Resource attributes."),
        .init(
            "clock_skew", .signedDurationDistribution, default: "0ms",
            "How far an instance's clock is ahead; below 0, behind."),
        .init(
            "sampler", .sampler, default: "the pipeline's", "A head sampler of the service's own."),
        .init("operations", .map(.section(.operation)), .required, "The operations, by name."),
    ]

    private static let operationKeys: [ScenarioKey] = [
        .init(
            "type", .choice(["internal", "http", "grpc", "database", "messaging"]),
            default: "internal", "Which semantic conventions its spans follow."),
        .init("name", .string, default: "by type", "Span name."),
        .init(
            "kind", .choice(["internal", "server", "client", "producer", "consumer"]),
            default: "by type", "Span kind."),
        .init("self", .durationDistribution, default: "1ms", "Own work, without calls."),
        .init("attributes", .map(.value), default: "{}", "Span attributes."),
        .init("baggage", .map(.value), default: "{}", "What is added to the trace's baggage."),
        .init("events", .list(.section(.event)), default: "[]", "Events within the span."),
        .init("links", .list(.section(.link)), default: "[]", "Links to other traces."),
        .init("error", .section(.error), default: "none", "How it fails."),
        .init("script", .list(.section(.step)), default: "[]", "Steps, top to bottom."),
    ]

    private static let eventKeys: [ScenarioKey] = [
        .init("name", .string, .required, "Event name."),
        .init("probability", .probability, default: "1", "How often a span has it."),
        .init("at", .number, default: "0.5", "When, as a fraction of the span."),
        .init("attributes", .map(.value), default: "{}", "Event attributes."),
    ]

    private static let linkKeys: [ScenarioKey] = [
        .init(
            "to", .choice(["previous_trace", "random"]), .required,
            "The root of the trace before, or of any earlier one."),
        .init("count", .integer(minimum: 1), default: "1", "So many links."),
    ]

    private static let errorKeys: [ScenarioKey] = [
        .init("rate", .probability, default: "0", "Share of calls that fail by themselves."),
        .init("status_message", .string, default: "`error`", "Status message of the failed span."),
        .init("exception", .boolean, default: "false", "Whether an exception event is recorded."),
        .init("http_status", .integer(minimum: 100), default: "500", "HTTP status when failed."),
        .init("propagate", .probability, default: "1", "How often the caller fails with it."),
        .init("short_circuit", .boolean, default: "false", "Whether failing skips what is left."),
    ]

    private static let trafficKeys: [ScenarioKey] = [
        .init("root", .string, .required, "`service/operation` that begins each trace."),
        .init(
            "model", .choice(["open", "closed"]), default: "open",
            "Arrivals whatever happens, or users who wait for an answer."),
        .init(
            "arrival", .choice(["constant", "poisson"]), default: "poisson",
            "Even or random gaps between traces."),
        .init("stages", .list(.section(.stage)), .required, "Rates over time."),
        .init(
            "concurrency", .integer(minimum: 1), default: "1", "Users of the closed model."),
        .init(
            "think", .durationDistribution, default: "0ms",
            "Pause of a user of the closed model between two traces."),
        .init(
            "max_in_flight", .integer(minimum: 1), default: "10000",
            "Traces at once under the open model."),
        .init(
            "overload", .choice(["drop", "queue"]), default: "drop",
            "Whether arrivals above that are dropped and counted, or wait."),
    ]

    private static let stageKeys: [ScenarioKey] = [
        .init("duration", .duration, .required, "Length of the stage."),
        .init(
            "rate", .rate,
            "Traces per second, or `max`; under the open model only, and there needed."),
        .init(
            "shape", .choice(["step", "linear"]), default: "step",
            "The rate at once, or a ramp from the stage before."),
    ]
}
