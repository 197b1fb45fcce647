// Everything a pipeline is made from. Code over OTEL_* environment over default: start from
// `fromEnvironment`, then set what the program decides.

import Logging
import TraceCore

/// Where batches go.
public enum ExporterChoice: Sendable {
    case otlp(OTLPHTTPSettings)
    case console(ConsoleFormat)
    /// Builds the requests and discards them.
    case none
    case custom(any SpanExporter)
}

/// When spans go there.
public enum ProcessorChoice: Sendable {
    /// In batches, from a thread of its own; its settings are ``TracingConfiguration/batch``.
    case batch
    /// Each span alone; `end` waits until it is settled. For tests and debugging.
    case simple
}

/// A pipeline's configuration. A plain value: change what is needed, then make a ``TracingPipeline``.
public struct TracingConfiguration: Sendable {
    /// No span records; contexts still pass through (OTEL_SDK_DISABLED).
    public var isDisabled = false
    /// `service.name` of the default provider; over one in `resourceAttributes`.
    public var serviceName: String?
    /// Further attributes of the default provider's resource, in order.
    public var resourceAttributes: [(key: String, value: String)] = []
    public var sampler = Sampler.parentBased(root: .alwaysOn)
    public var limits = SpanLimits()
    public var processor = ProcessorChoice.batch
    public var batch = BatchSettings()
    public var exporter = ExporterChoice.otlp(OTLPHTTPSettings())
    /// The core's sizes and clock. Queue bound and blocking are taken from `batch`.
    public var recorder = RecorderOptions()
    /// Keeps sums over spans and numbers the requests, so that a sink's books can be compared.
    public var keepsLedger = false
    /// Called as each batch is settled, on the exporter thread.
    public var observer: BatchObserver?
    public var logger = Logger(label: "tracemill.pipeline")

    /// The defaults; the environment is not looked at.
    public init() {}

    public func validate() throws(ConfigurationError) {
        try batch.validate()
        if case .otlp(let settings) = exporter { try settings.validate() }
    }
}
