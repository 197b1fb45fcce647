// A configuration from OTEL_* variables (OpenTelemetry specification, "Environment Variable
// Specification" and "OpenTelemetry Protocol Exporter").

import Logging
import TraceCore

extension TracingConfiguration {
    /// The defaults, changed by what the environment says. What the program sets afterwards is over
    /// both.
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
        configuration.isDisabled = environment.flag("OTEL_SDK_DISABLED")
        configuration.serviceName = environment.string("OTEL_SERVICE_NAME")
        configuration.resourceAttributes = environment.pairs("OTEL_RESOURCE_ATTRIBUTES") ?? []
        configuration.sampler = sampler(environment, default: configuration.sampler)
        configuration.limits = limits(environment)
        configuration.batch = batch(environment)
        configuration.exporter = try exporter(environment)
        return configuration
    }

    private static func sampler(_ environment: Environment, default fallback: Sampler) -> Sampler {
        let name = "OTEL_TRACES_SAMPLER"
        guard let text = environment.string(name)?.trimmedOfSpaces else { return fallback }
        let argument = environment.string("OTEL_TRACES_SAMPLER_ARG")?.trimmedOfSpaces
        // An argument for a sampler that takes none is ignored.
        let takesRatio = text.lowercased().hasSuffix("traceidratio")
        do {
            return try Sampler(name: text, argument: takesRatio ? argument : nil)
        } catch .badRatio {
            environment.warn(
                "OTEL_TRACES_SAMPLER_ARG",
                "\"\(Environment.shown(argument ?? ""))\" is no ratio from 0 to 1; 1 is used")
            return (try? Sampler(name: text)) ?? fallback
        } catch {
            environment.warn(name, "\(Environment.shown("\(error)")); \(fallback) is used")
            return fallback
        }
    }

    private static func limits(_ environment: Environment) -> SpanLimits {
        var limits = SpanLimits()
        let range = 0...Int(UInt32.max - 1)
        limits.attributeCount = environment.integer(
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT", in: range,
            default: limits.attributeCount)
        let length = environment.integer(
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            in: -1...range.upperBound, default: -1)
        limits.attributeValueLength = length < 0 ? nil : length
        limits.eventCount = environment.integer(
            "OTEL_SPAN_EVENT_COUNT_LIMIT", in: range, default: limits.eventCount)
        limits.linkCount = environment.integer(
            "OTEL_SPAN_LINK_COUNT_LIMIT", in: range, default: limits.linkCount)
        limits.attributeCountPerEvent = environment.integer(
            "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", in: range, default: limits.attributeCountPerEvent)
        limits.attributeCountPerLink = environment.integer(
            "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", in: range, default: limits.attributeCountPerLink)
        return limits
    }

    /// The `_MILLIS` spellings are the Erlang SDK's.
    private static func batch(_ environment: Environment) -> BatchSettings {
        var batch = BatchSettings()
        let milliseconds = 0...Int(Int32.max)
        let spans = 1...(1 << 30)
        batch.scheduleDelayMs = environment.integer(
            "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_SCHEDULE_DELAY_MILLIS", in: milliseconds,
            default: batch.scheduleDelayMs)
        batch.exportTimeoutMs = environment.integer(
            "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_EXPORT_TIMEOUT_MILLIS", in: milliseconds,
            default: batch.exportTimeoutMs)
        batch.queueSpans = environment.integer(
            "OTEL_BSP_MAX_QUEUE_SIZE", in: spans, default: batch.queueSpans)
        batch.batchSpans = environment.integer(
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", in: spans, default: batch.batchSpans)
        if batch.batchSpans > batch.queueSpans {
            // Silent when only the queue was made smaller than the default batch.
            if environment.string("OTEL_BSP_MAX_EXPORT_BATCH_SIZE") != nil {
                environment.warn(
                    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
                    "a batch cannot be larger than the queue; \(batch.queueSpans) is used")
            }
            batch.batchSpans = batch.queueSpans
        }
        return batch
    }

    private static func exporter(
        _ environment: Environment
    ) throws(ConfigurationError) -> ExporterChoice {
        let name = "OTEL_TRACES_EXPORTER"
        let text = environment.string(name)?.trimmedOfSpaces.lowercased() ?? "otlp"
        switch text {
        case "none": return .none
        case "console": return .console(.lines)
        case "otlp": break
        default:
            environment.warn(
                name,
                "\"\(Environment.shown(text))\" is not one of otlp, console, none; "
                    + "otlp is used")
        }
        return .otlp(try otlp(environment))
    }

    private static func otlp(
        _ environment: Environment
    ) throws(ConfigurationError) -> OTLPHTTPSettings {
        var settings = OTLPHTTPSettings()
        settings.endpoint = try endpoint(environment, default: settings.endpoint)
        settings.headers = headers(environment)
        settings.compression = environment.choice(
            "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION",
            default: settings.compression)
        settings.timeoutMs = environment.integer(
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT",
            in: 0...Int(Int32.max), default: settings.timeoutMs)
        settings.certificatePath = environment.string(
            "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE")
        settings.clientKeyPath = environment.string(
            "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY")
        settings.clientCertificatePath = environment.string(
            "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")
        if let (name, value) = environment.first(
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"),
            value.trimmedOfSpaces.lowercased() != "http/protobuf"
        {
            environment.warn(
                name, "\"\(Environment.shown(value))\" is not spoken; http/protobuf is used")
        }
        return settings
    }

    /// The signal's own endpoint is used as it is; the base endpoint gets `/v1/traces` appended.
    private static func endpoint(
        _ environment: Environment, default fallback: String
    ) throws(ConfigurationError) -> String {
        if let own = environment.string("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
            try OTLPHTTPSettings.checkEndpoint(own)
            return own
        }
        guard let base = environment.string("OTEL_EXPORTER_OTLP_ENDPOINT") else { return fallback }
        try OTLPHTTPSettings.checkEndpoint(base)
        return base + (base.hasSuffix("/") ? "v1/traces" : "/v1/traces")
    }

    private static func headers(_ environment: Environment) -> [HTTPHeader] {
        let names = ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"]
        guard let name = names.first(where: { environment.first($0) != nil }),
            let pairs = environment.pairs(name)
        else { return [] }
        return pairs.compactMap { key, value in
            do {
                return try HTTPHeader(name: key, value: value)
            } catch {
                environment.warn(name, "\(error); the header is left out")
                return nil
            }
        }
    }
}
