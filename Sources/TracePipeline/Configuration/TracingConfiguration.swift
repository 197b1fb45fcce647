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

    func validate() throws(ConfigurationError) {
        if case .otlp(let settings) = self { try settings.validate() }
    }
}

/// When spans go there.
public enum ProcessorChoice: Sendable {
    /// In batches, from a thread of its own; its settings are ``TracingConfiguration/batch``.
    case batch
    /// Each span alone; `end` waits until it is settled. For tests and debugging.
    case simple
}

/// Gets a body, whose bytes are good until it returns, and how many spans are in it.
package typealias BodyTap = @Sendable (_ body: RawSpan, _ spans: Int) -> Void

/// A pipeline's configuration. A plain value: change what is needed, then make a ``TracingPipeline``.
public struct TracingConfiguration: Sendable {
    /// No span records; contexts still pass through (OTEL_SDK_DISABLED).
    public var isDisabled = false
    /// `service.name` of the default provider. Set in code it is over every other source of the name;
    /// from OTEL_SERVICE_NAME, over all but the code's ``resourceAttributes``.
    public var serviceName: String? {
        didSet { isServiceNameFromEnvironment = false }
    }
    private(set) var isServiceNameFromEnvironment = false
    /// Further attributes of the default provider's resource, in order: what the detector
    /// ``ResourceDetectorChoice/application`` finds.
    public var resourceAttributes: [(key: String, value: AttributeValue)] = []
    /// What OTEL_RESOURCE_ATTRIBUTES said: what ``ResourceDetectorChoice/environment`` finds.
    public internal(set) var environmentAttributes: [(key: String, value: String)] = []
    /// Who finds the attributes of the default provider's resource; where two give the same one, the
    /// later in the list does (OTEL_RESOURCE_DETECTORS).
    public var resourceDetectors: [ResourceDetectorChoice] = [.environment, .application]
    /// How long detectors may take, all side by side, milliseconds (OTEL_RESOURCE_DETECTOR_TIMEOUT);
    /// 0 means no limit.
    public var resourceDetectorTimeoutMs = 5_000
    /// A tracer that is made without a name takes that of the calling module; otherwise its name stays
    /// empty (OTEL_CREATE_APPLICATION_TRACERS).
    public var createsApplicationTracers = true
    /// Which headers contexts travel in; goes on working when the SDK is disabled (OTEL_PROPAGATORS).
    public var propagator = Propagator.standard
    public var sampler = Sampler.parentBased(root: .alwaysOn)
    public var limits = SpanLimits()
    /// What becomes of spans that are never ended.
    public var sweeper = SweeperSettings()
    public var processor = ProcessorChoice.batch
    /// Further processors: each sees every span that the first sees.
    public var additionalProcessors: [AdditionalProcessor] = []
    public var batch = BatchSettings()
    public var exporter = ExporterChoice.otlp(OTLPHTTPSettings())
    /// The core's sizes and clock. Queue bound and blocking are taken from `batch`.
    public var recorder = RecorderOptions()
    /// Keeps sums over spans and numbers the requests, so that a sink's books can be compared.
    public var keepsLedger = false
    /// Called as each batch is settled, on the exporter thread.
    public var observer: BatchObserver?
    /// Sees each body of the first processor as it is built, on the exporter thread: for measurements that
    /// need the very bytes that are sent.
    package var bodyTap: BodyTap?
    /// The pipeline's own figures go there by the clock; nil: nowhere.
    public var metrics: PipelineMetricsSettings?
    public var logger = Logger(label: "tracemill.pipeline")
    /// Where detectors look.
    var detection = DetectionSource()
    var readings = EnvironmentReadings()

    /// The defaults; the environment is not looked at.
    public init() {}

    mutating func setServiceName(fromEnvironment name: String?) {
        serviceName = name
        isServiceNameFromEnvironment = name != nil
    }

    /// An `end` that waits for its export cannot wait for the rest of its trace.
    private static func checkSimple(_ batch: BatchSettings) throws(ConfigurationError) {
        guard batch.tail == nil else {
            throw .invalidSetting(
                name: "batch.tail",
                reason:
                    "a simple processor exports each span as it ends; tail sampling needs `processor = .batch`"
            )
        }
    }

    public func validate() throws(ConfigurationError) {
        try batch.validate()
        try exporter.validate()
        if case .simple = processor { try Self.checkSimple(batch) }
        try sweeper.validate()
        for processor in additionalProcessors { try processor.validate() }
        try metrics?.validate()
        guard (0...Int(Int32.max)).contains(resourceDetectorTimeoutMs) else {
            throw .invalidSetting(
                name: "resourceDetectorTimeoutMs",
                reason: "milliseconds from 0 (no limit) to \(Int32.max)")
        }
    }
}
