// A pipeline put together: recorder, processor, exporter, and the providers that share them.

import Glibc
import TraceCore

/// Clock, store, queue, exporter thread and exporter. Any thread; shared by many providers, one for
/// each service.
///
/// Ends with ``shutdown(timeoutMs:)``; one that goes away without drops what is pending.
public final class TracingPipeline: Sendable {
    public let recorder: SpanRecorder
    public let processor: BatchProcessor
    /// The service named by the configuration.
    public let provider: TracerProvider
    private let configuration: TracingConfiguration

    /// Starts the exporter thread.
    ///
    /// - Throws: a setting that cannot be used; nothing is left running then.
    public init(_ configuration: TracingConfiguration) throws(ConfigurationError) {
        try configuration.validate()
        self.configuration = configuration
        var batch = configuration.batch
        if case .simple = configuration.processor {
            batch.batchSpans = 1
            batch.scheduleDelayMs = 0
        }
        var options = configuration.recorder
        options.queueSpans = batch.queueSpans
        options.blocksWhenFull = batch.whenFull == .block
        options.sumsChecked = options.sumsChecked || configuration.keepsLedger
        var exporter = configuration.exporter
        if case .otlp(var settings) = exporter, configuration.keepsLedger {
            settings.numbersBatches = true
            exporter = .otlp(settings)
        }
        do {
            recorder = try SpanRecorder(options: options)
        } catch {
            throw .recorder(error)
        }
        recorder.isEnabled = !configuration.isDisabled
        processor = try BatchProcessor(
            recorder: recorder, settings: batch, exporter: exporter,
            observer: configuration.observer, logger: configuration.logger)
        if case .simple = configuration.processor {
            // Weak: the recorder holds the hook, and the processor the recorder.
            recorder.setAfterEnd { [weak processor] in processor?.settleEnded() }
        }
        provider = TracerProvider(
            recorder: recorder,
            resource: configuration.resource(), sampler: configuration.sampler,
            limits: configuration.limits)
    }

    /// A provider of another service over the same pipeline, with the configuration's limits.
    ///
    /// - Parameter sampler: nil for the configuration's.
    public func makeProvider(
        serviceName: String, attributes: [(key: String, value: String)] = [],
        sampler: Sampler? = nil
    ) -> TracerProvider {
        TracerProvider(
            recorder: recorder,
            resource: Self.resource(serviceName: serviceName, attributes: attributes),
            sampler: sampler ?? configuration.sampler, limits: configuration.limits)
    }

    /// See ``BatchProcessor/forceFlush(timeoutMs:)``.
    public func forceFlush(timeoutMs: Int = 30_000) -> FlushResult {
        processor.forceFlush(timeoutMs: timeoutMs)
    }

    /// See ``BatchProcessor/shutdown(timeoutMs:)``.
    public func shutdown(timeoutMs: Int = 30_000) -> FlushResult {
        processor.shutdown(timeoutMs: timeoutMs)
    }

    /// Where every ended span is.
    public var ledger: PipelineLedger { processor.ledger }

    /// The resource's attributes: `service.name` first, then what was given, then what names this SDK
    /// where that was not given (resource semantic conventions, "Telemetry SDK").
    private static func resource(
        serviceName: String?, attributes: [(key: String, value: String)]
    ) -> Resource {
        var all = SpanAttributes()
        let given = attributes.last { $0.key == "service.name" }?.value
        let name = serviceName ?? given ?? "unknown_service:\(processName)"
        all.set(AttributeKey("service.name"), name)
        var keys: Set<String> = ["service.name"]
        let own = [
            (key: "telemetry.sdk.name", value: "tracemill"),
            (key: "telemetry.sdk.language", value: "swift"),
        ]
        for (key, value) in attributes + own where keys.insert(key).inserted {
            all.set(AttributeKey(key), value)
        }
        return Resource(attributes: all)
    }

    private static var processName: String {
        let path = CommandLine.arguments.first ?? ""
        return String(path.split(separator: "/").last ?? "tracemill")
    }
}
