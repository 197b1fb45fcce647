// A pipeline put together: recorder, processor, exporter, and the providers that share them.

import Glibc
import Logging
import TraceCore

/// Clock, store, queues, exporter threads and exporters. Any thread; shared by many providers, one for
/// each service.
///
/// Ends with ``shutdown(timeoutMs:)``; one that goes away without drops what is pending. In a forked
/// child it is inert: nothing records, nothing is sent, flush and shutdown return at once.
public final class TracingPipeline: Sendable {
    public let recorder: SpanRecorder
    /// The first processor, of ``TracingConfiguration/processor``.
    public let processor: BatchProcessor
    /// The service named by the configuration.
    public let provider: TracerProvider
    /// How contexts travel between services; works on when tracing is disabled or shut down.
    public var propagator: Propagator { configuration.propagator }
    private let stages: [PipelineStage]
    private let books: PipelineBooks
    private let sweeper: SpanSweeper
    private let report: PipelineMetricsReport?
    /// The last report, at the first shutdown.
    private let reported = Monitor<DeadlineCall<Void>?>(nil)
    private let configuration: TracingConfiguration
    private let processID = getpid()

    /// Starts an exporter thread for each processor that exports.
    ///
    /// - Throws: a setting that cannot be used; nothing is left running then.
    public init(_ configuration: TracingConfiguration) throws(ConfigurationError) {
        try configuration.validate()
        self.configuration = configuration
        let parts = try PipelineAssembly(configuration)
        recorder = parts.recorder
        processor = parts.primary
        stages = parts.stages
        books = parts.books
        sweeper = parts.sweeper
        report = parts.report
        provider = Self.makeProvider(
            parts.recorder, configuration.resource(), configuration.sampler, configuration)
    }

    deinit {
        if isOwnProcess { dropHooks() }
    }

    /// A provider of another service over the same pipeline, with the configuration's limits.
    ///
    /// Its resource is that of ``provider``, detectors and environment included, with this name and these
    /// attributes in the place of those.
    /// - Parameter sampler: nil for the configuration's. State in it (a rate limit) is the provider's own.
    public func makeProvider(
        serviceName: String, attributes: [(key: String, value: AttributeValue)] = [],
        sampler: Sampler? = nil
    ) -> TracerProvider {
        var all = provider.resource.attributes
        all.set(AttributeKey("service.name"), serviceName)
        for (key, value) in attributes { all.set(AttributeKey(key), value) }
        return Self.makeProvider(
            recorder, Resource(attributes: all, schemaURL: provider.resource.schemaURL),
            sampler ?? configuration.sampler, configuration)
    }

    private static func makeProvider(
        _ recorder: SpanRecorder, _ resource: Resource, _ sampler: Sampler,
        _ configuration: TracingConfiguration
    ) -> TracerProvider {
        let logger = configuration.logger
        return TracerProvider(
            recorder: recorder, resource: resource, sampler: sampler, limits: configuration.limits,
            namesApplicationTracers: configuration.createsApplicationTracers,
            onSamplerWarning: { logger.warning("\($0)") })
    }

    // MARK: Flush and shutdown

    /// Settles every span whose `end` returned before this call, in every processor, or says that time
    /// was up. All are asked at once, then waited for in their order, with one deadline: one that hangs
    /// takes no time from another. See ``BatchProcessor/forceFlush(timeoutMs:)``.
    @discardableResult
    public func forceFlush(timeoutMs: Int = 30_000) -> FlushResult {
        guard isOwnProcess else { return .completed }
        let deadlineNs = deadlineNs(afterMs: timeoutMs)
        let waits = stages.map { stage -> () -> FlushResult in
            switch stage {
            case .exporting(let processor):
                guard let ticket = processor.beginFlush() else { return { .completed } }
                return { processor.finishFlush(ticket, deadlineNs: deadlineNs) }
            case .custom(let host):
                guard let pending = host.beginFlush(deadlineNs: deadlineNs) else {
                    return { .completed }
                }
                return { host.finishFlush(pending, deadlineNs: deadlineNs) }
            }
        }
        return Self.combined(waits.map { $0() })
    }

    /// Takes no more spans, lets every processor finish, and ends their threads; all side by side, with
    /// one deadline. See ``BatchProcessor/shutdown(timeoutMs:)``. Spans that still live are not ended.
    ///
    /// Called again, or by several threads, each waits for the end and gets the result; the earliest
    /// deadline counts. It returns at most half a second after the deadline, whatever hangs.
    @discardableResult
    public func shutdown(timeoutMs: Int = 30_000) -> FlushResult {
        guard isOwnProcess else { return .completed }
        let deadlineNs = deadlineNs(afterMs: timeoutMs)
        // The first closes the recorder: after that the others get nothing new.
        for case .exporting(let processor) in stages {
            processor.requestShutdown(deadlineNs: deadlineNs)
        }
        for case .custom(let host) in stages { host.beginShutdown(deadlineNs: deadlineNs) }
        let results = stages.map { stage in
            switch stage {
            case .exporting(let processor): processor.finishShutdown(deadlineNs: deadlineNs)
            case .custom(let host):
                host.finishShutdown(untilNs: BatchProcessor.graceNs(after: deadlineNs))
            }
        }
        dropHooks()
        reportLast(untilNs: BatchProcessor.graceNs(after: deadlineNs))
        return Self.combined(results)
    }

    /// A processor of the user's may hold tracers of this pipeline, and they the recorder.
    private func dropHooks() {
        recorder.setStartHook(nil)
        recorder.setEndHook(nil)
    }

    private func reportLast(untilNs deadlineNs: UInt64) {
        guard let report else { return }
        let call = reported.withLock { call in
            let last = call ?? DeadlineCall { [books] in report.report(books.metrics) }
            call = last
            return last
        }
        _ = call.wait(untilNs: deadlineNs)
    }

    /// In a forked child locks may be held by threads that are not there.
    private var isOwnProcess: Bool { getpid() == processID }

    private func deadlineNs(afterMs timeoutMs: Int) -> UInt64 {
        MonotonicTime.deadlineNs(from: TraceClock.monotonicNs, afterMs: timeoutMs)
    }

    private static func combined(_ results: [FlushResult]) -> FlushResult {
        results.contains(.timedOut) ? .timedOut : .completed
    }

    // MARK: Sweeping

    /// Sweeps now, on the calling thread, by the rules of ``TracingConfiguration/sweeper``; the exporter
    /// thread does the same once an interval. Linear in the spans that ever lived at one time.
    ///
    /// - Returns: nil when a sweep is under way, and in a forked child.
    public func sweep() -> SweepResult? { isOwnProcess ? sweeper.sweep() : nil }

    // MARK: Books

    /// Where every ended span is, in the first processor.
    public var ledger: PipelineLedger { processor.ledger }

    /// The same for every processor, in their order: the first one's first.
    public var ledgers: [ProcessorLedger] { books.ledgers }

    /// The pipeline's own figures now. Reads what is counted anyway; any thread.
    public var metrics: PipelineMetrics { books.metrics }
}
