// Every setting of a configuration with its name in code, the variables that set it, and its value as
// text: the one list that the effective configuration is made from.

import TraceCore

/// One setting.
struct ConfigurationSetting: Sendable {
    /// The property's path in ``TracingConfiguration``.
    var name: String
    /// Variables that set it, the one that goes before the others first; none for code alone.
    var variables: [String]
    /// Its value, fit to be shown: no header values, no user-info. Nil where it does not apply.
    var text: @Sendable (TracingConfiguration) -> String?

    init(
        _ name: String, _ variables: [String] = [],
        _ text: @escaping @Sendable (TracingConfiguration) -> String?
    ) {
        self.name = name
        self.variables = variables
        self.text = text
    }

    static func texts(of configuration: TracingConfiguration) -> [String: String] {
        var texts: [String: String] = [:]
        for setting in all { texts[setting.name] = setting.text(configuration) }
        return texts
    }

    static let all = resource + spans + sweeper + processing + exporter + core

    private static let resource = [
        Self("isDisabled", ["OTEL_SDK_DISABLED"]) { "\($0.isDisabled)" },
        Self("serviceName", ["OTEL_SERVICE_NAME"]) { $0.serviceName ?? "(by the detectors)" },
        Self("environmentAttributes", ["OTEL_RESOURCE_ATTRIBUTES"]) {
            list($0.environmentAttributes.map { "\($0.key)=\($0.value)" })
        },
        Self("resourceAttributes") { list($0.resourceAttributes.map { "\($0.key)=\($0.value)" }) },
        Self("resourceDetectors", ["OTEL_RESOURCE_DETECTORS"]) {
            list($0.resourceDetectors.map(\.name))
        },
        Self("resourceDetectorTimeoutMs", ["OTEL_RESOURCE_DETECTOR_TIMEOUT"]) {
            orNone($0.resourceDetectorTimeoutMs)
        },
        Self("createsApplicationTracers", ["OTEL_CREATE_APPLICATION_TRACERS"]) {
            "\($0.createsApplicationTracers)"
        },
    ]

    private static let spans = [
        Self("propagator", ["OTEL_PROPAGATORS"]) { "\($0.propagator)" },
        Self("sampler", ["OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"]) { "\($0.sampler)" },
        Self(
            "limits.attributeCount",
            ["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"]
        ) { "\($0.limits.attributeCount)" },
        Self(
            "limits.attributeValueLength",
            ["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"]
        ) { orInfinity($0.limits.attributeValueLength) },
        Self("limits.eventCount", ["OTEL_SPAN_EVENT_COUNT_LIMIT"]) { "\($0.limits.eventCount)" },
        Self("limits.linkCount", ["OTEL_SPAN_LINK_COUNT_LIMIT"]) { "\($0.limits.linkCount)" },
        Self("limits.attributeCountPerEvent", ["OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"]) {
            "\($0.limits.attributeCountPerEvent)"
        },
        Self("limits.attributeCountPerLink", ["OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"]) {
            "\($0.limits.attributeCountPerLink)"
        },
    ]

    private static let sweeper = [
        Self("sweeper.intervalMs", ["OTEL_SPAN_SWEEPER_INTERVAL"]) {
            orInfinity($0.sweeper.intervalMs)
        },
        Self("sweeper.strategy", ["OTEL_SPAN_SWEEPER_STRATEGY"]) { $0.sweeper.strategy.name },
        Self("sweeper.spanTTLMs", ["OTEL_SPAN_SWEEPER_SPAN_TTL"]) {
            orInfinity($0.sweeper.spanTTLMs)
        },
        Self("sweeper.storageBytes", ["OTEL_SPAN_SWEEPER_STORAGE_SIZE"]) {
            orInfinity($0.sweeper.storageBytes)
        },
    ]

    private static let processing = [
        Self("processor") { "\($0.processor)" },
        Self("batch.queueSpans", ["OTEL_BSP_MAX_QUEUE_SIZE"]) { "\($0.batch.queueSpans)" },
        Self("batch.batchSpans", ["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"]) { "\($0.batch.batchSpans)" },
        Self(
            "batch.scheduleDelayMs",
            ["OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_SCHEDULE_DELAY_MILLIS"]
        ) { "\($0.batch.scheduleDelayMs)" },
        Self(
            "batch.exportTimeoutMs",
            ["OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_EXPORT_TIMEOUT_MILLIS"]
        ) { orNone($0.batch.exportTimeoutMs) },
        Self("batch.whenFull") { $0.batch.whenFull.rawValue },
        Self("batch.bodyBytesMax") { "\($0.batch.bodyBytesMax)" },
        Self("batch.tail") { $0.batch.tail.map { "\($0)" } ?? "(none)" },
        Self("additionalProcessors", ["OTEL_TRACES_EXPORTER"]) {
            list($0.additionalProcessors.map(\.summary))
        },
    ]

    private static let exporter = [
        Self("exporter", ["OTEL_TRACES_EXPORTER"]) { $0.exporter.summary },
        otlp("endpoint", signal("ENDPOINT")) { $0.printableEndpoint },
        otlp("encoding", signal("PROTOCOL")) { $0.encoding.protocolName },
        otlp("headers", signal("HEADERS")) { list($0.headers.map { "\($0)" }) },
        otlp("compression", signal("COMPRESSION")) { $0.compression.rawValue },
        otlp("timeoutMs", signal("TIMEOUT")) { orNone($0.timeoutMs) },
        otlp("certificatePath", signal("CERTIFICATE")) { $0.certificatePath ?? "(the system's)" },
        otlp("clientKeyPath", signal("CLIENT_KEY")) { $0.clientKeyPath ?? "(none)" },
        otlp("clientCertificatePath", signal("CLIENT_CERTIFICATE")) {
            $0.clientCertificatePath ?? "(none)"
        },
        otlp("proxy") {
            $0.proxy.map { OTLPHTTPSettings(endpoint: $0).printableEndpoint } ?? "(none)"
        },
        otlp("connections") { "\($0.connections)" },
        otlp("retry") {
            "\($0.retry.initialBackoffMs) to \($0.retry.maxBackoffMs) ms, "
                + "times \($0.retry.multiplier), jitter \($0.retry.jitter)"
        },
    ]

    private static let core = [
        Self("recorder.liveSpansMax") { "\($0.recorder.liveSpansMax)" },
        Self("recorder.blocksMax") { "\($0.recorder.blocksMax)" },
        Self("recorder.queueBytesMax") {
            $0.recorder.queueBytesMax.map(String.init) ?? "(by spans)"
        },
        Self("recorder.clock") { "\($0.recorder.clock)" },
        Self("keepsLedger") { "\($0.keepsLedger)" },
        Self("metrics") { $0.metrics.map { "every \($0.intervalMs) ms" } ?? "(none)" },
    ]

    private static func otlp(
        _ name: String, _ variables: [String] = [],
        _ text: @escaping @Sendable (OTLPHTTPSettings) -> String
    ) -> Self {
        Self("exporter." + name, variables) {
            guard case .otlp(let settings) = $0.exporter else { return nil }
            return text(settings)
        }
    }

    private static func signal(_ name: String) -> [String] {
        ["OTEL_EXPORTER_OTLP_TRACES_" + name, "OTEL_EXPORTER_OTLP_" + name]
    }

    private static func list(_ items: [String]) -> String {
        items.isEmpty ? "(none)" : items.joined(separator: ", ")
    }

    private static func orInfinity(_ number: Int?) -> String {
        number.map(String.init) ?? "infinity"
    }

    private static func orNone(_ timeoutMs: Int) -> String {
        timeoutMs == 0 ? "0 (no limit)" : "\(timeoutMs)"
    }
}

extension SweeperStrategy {
    /// As in OTEL_SPAN_SWEEPER_STRATEGY.
    var name: String {
        switch self {
        case .drop: "drop"
        case .endSpan: "end_span"
        case .failedAttributeAndEndSpan: "failed_attribute_and_end_span"
        case .hand: "(a closure)"
        }
    }
}

extension ExporterChoice {
    /// Which it is, without its settings.
    var summary: String {
        switch self {
        case .otlp: "otlp"
        case .console(let format): format == .lines ? "console" : "console (\(format.rawValue))"
        case .none: "none"
        case .custom(let exporter): "\(type(of: exporter))"
        }
    }
}

extension AdditionalProcessor {
    var summary: String {
        switch self {
        case .batch(_, let exporter): "batch to \(exporter.summary)"
        case .simple(let exporter): "simple to \(exporter.summary)"
        case .custom(let processor): "\(type(of: processor))"
        }
    }
}
