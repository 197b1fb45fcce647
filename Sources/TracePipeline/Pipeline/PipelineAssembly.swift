// How a pipeline is put together: recorders, processors in their order, hooks, and what the exporter
// thread does by the clock.

import Logging
import TraceCore

/// A processor of a pipeline.
enum PipelineStage: Sendable {
    case exporting(BatchProcessor)
    case custom(SpanProcessorHost)
}

/// The parts of a pipeline, made together or not at all.
struct PipelineAssembly {
    let recorder: SpanRecorder
    let primary: BatchProcessor
    let stages: [PipelineStage]
    let books: PipelineBooks
    let sweeper: SpanSweeper
    let report: PipelineMetricsReport?

    /// An exporting processor before its thread.
    private struct Plan {
        var account: ProcessorAccount
        var batch: BatchSettings
        var exporter: ExporterChoice
        var isSimple: Bool
    }

    /// - Throws: a setting that cannot be used; nothing is left running then.
    init(_ configuration: TracingConfiguration) throws(ConfigurationError) {
        var names = ComponentNames()
        let first = try Self.primaryPlan(configuration, &names)
        recorder = first.account.recorder
        recorder.isEnabled = !configuration.isDisabled
        var plans = [first]
        var hosts: [SpanProcessorHost] = []
        var entries = [PipelineBooks.Entry.exporting(first.account)]
        for additional in configuration.additionalProcessors {
            switch additional {
            case .batch, .simple:
                let plan = try Self.plan(additional, configuration, following: recorder, &names)
                plans.append(plan)
                entries.append(.exporting(plan.account))
            case .custom(let processor):
                let type = String(reflecting: Swift.type(of: processor))
                let host = SpanProcessorHost(processor, name: names.name(type), type: type)
                hosts.append(host)
                entries.append(.custom(host))
            }
        }
        books = PipelineBooks(recorder: recorder, entries: entries)
        sweeper = SpanSweeper(
            recorder: recorder, followers: plans.dropFirst().map { $0.account.recorder },
            settings: configuration.sweeper, logger: configuration.logger)
        report = configuration.metrics.map { PipelineMetricsReport(factory: $0.factory) }

        var chores: [any ExporterChore] = [
            LimitsWatch(recorder: recorder, logger: configuration.logger)
        ]
        var watch: StartWatch?
        if let intervalNs = sweeper.intervalNs, !configuration.isDisabled {
            let startWatch = StartWatch(recorder: recorder, staysOn: entries.count > 1)
            watch = startWatch
            chores.append(
                SweepSchedule(sweeper: sweeper, watch: startWatch, intervalNs: intervalNs))
        }
        if let settings = configuration.metrics, let report {
            chores.append(
                MetricsChore(report: report, books: books, intervalMs: settings.intervalMs))
        }

        var exporting: [BatchProcessor] = []
        do {
            for (index, plan) in plans.enumerated() {
                exporting.append(
                    try BatchProcessor(
                        account: plan.account, settings: plan.batch, exporter: plan.exporter,
                        observer: Self.observer(
                            index == 0 ? configuration.observer : nil, report,
                            plan.account.exporter),
                        bodyTap: index == 0 ? configuration.bodyTap : nil,
                        chores: index == 0 ? chores : [], pages: configuration.recorder.pages,
                        logger: configuration.logger))
            }
        } catch {
            for processor in exporting { _ = processor.shutdown(timeoutMs: 0) }
            throw error
        }
        primary = exporting[0]
        var threads = exporting.makeIterator()
        var customs = hosts.makeIterator()
        stages = entries.map { entry in
            switch entry {
            case .exporting: .exporting(threads.next()!)
            case .custom: .custom(customs.next()!)
            }
        }
        let simple = zip(plans, exporting).filter { $0.0.isSimple }.map { $0.1 }
        Self.setHooks(
            on: recorder, watch: watch, hosts: hosts, exporting: exporting, simple: simple)
    }

    // MARK: Exporting processors

    /// What an exporting processor is made from.
    typealias ExportSettings = (batch: BatchSettings, exporter: ExporterChoice, isSimple: Bool)

    static func primarySettings(_ configuration: TracingConfiguration) -> ExportSettings {
        if case .simple = configuration.processor {
            return (configuration.batch.ofSingleSpans, configuration.exporter, true)
        }
        return (configuration.batch, configuration.exporter, false)
    }

    /// - Returns: nil for a custom processor, which exports nothing here.
    static func settings(
        of additional: AdditionalProcessor, _ configuration: TracingConfiguration
    ) -> ExportSettings? {
        switch additional {
        case .batch(let settings, let choice): (settings, choice, false)
        case .simple(let choice): (configuration.batch.ofSingleSpans, choice, true)
        case .custom: nil
        }
    }

    private static func primaryPlan(
        _ configuration: TracingConfiguration, _ names: inout ComponentNames
    ) throws(ConfigurationError) -> Plan {
        let (batch, choice, isSimple) = primarySettings(configuration)
        var exporter = choice
        // Only the first: a sink keeps one set of numbers.
        if case .otlp(var settings) = exporter, configuration.keepsLedger {
            settings.numbersBatches = true
            settings.runName = settings.runName ?? Self.randomRunName()
            exporter = .otlp(settings)
        }
        let recorder: SpanRecorder
        do {
            recorder = try SpanRecorder(options: recorderOptions(configuration, batch))
        } catch {
            throw .recorder(error)
        }
        return plan(batch, exporter, isSimple: isSimple, recorder, &names)
    }

    private static func randomRunName() -> String {
        String(UInt64.random(in: .min ... .max), radix: 16)
    }

    private static func plan(
        _ additional: AdditionalProcessor, _ configuration: TracingConfiguration,
        following first: SpanRecorder, _ names: inout ComponentNames
    ) throws(ConfigurationError) -> Plan {
        guard let (batch, exporter, isSimple) = settings(of: additional, configuration) else {
            preconditionFailure("a custom processor has no exporter")
        }
        var options = recorderOptions(configuration, batch)
        options.timeOneIn = 0
        let recorder: SpanRecorder
        do {
            recorder = try first.makeFollower(options: options)
        } catch {
            throw .recorder(error)
        }
        return plan(batch, exporter, isSimple: isSimple, recorder, &names)
    }

    private static func plan(
        _ batch: BatchSettings, _ exporter: ExporterChoice, isSimple: Bool,
        _ recorder: SpanRecorder, _ names: inout ComponentNames
    ) -> Plan {
        let type = isSimple ? "simple_span_processor" : "batching_span_processor"
        var component = ProcessorAccount.Component(name: "", type: exporter.componentType)
        component.name = names.name(component.type)
        if case .otlp(let settings) = exporter {
            (component.serverAddress, component.serverPort) = settings.server
        }
        return Plan(
            account: ProcessorAccount(
                processor: .init(name: names.name(type), type: type), exporter: component,
                recorder: recorder),
            batch: batch, exporter: exporter, isSimple: isSimple)
    }

    static func recorderOptions(
        _ configuration: TracingConfiguration, _ batch: BatchSettings
    ) -> RecorderOptions {
        var options = configuration.recorder
        options.queueSpans = batch.queueSpans
        options.blocksWhenFull = batch.whenFull == .block
        options.sumsChecked = options.sumsChecked || configuration.keepsLedger
        return options
    }

    private static func observer(
        _ given: BatchObserver?, _ report: PipelineMetricsReport?,
        _ exporter: ProcessorAccount.Component
    ) -> BatchObserver? {
        guard let report else { return given }
        return { record in
            given?(record)
            report.record(record, exporter: exporter)
        }
    }

    // MARK: Hooks

    /// The recorder holds the hooks: nothing in them may hold the recorder.
    private static func setHooks(
        on recorder: SpanRecorder, watch: StartWatch?, hosts: [SpanProcessorHost],
        exporting: [BatchProcessor], simple: [BatchProcessor]
    ) {
        if watch != nil || !hosts.isEmpty {
            recorder.setStartHook { span, parent in
                watch?.noteStart()
                for host in hosts { host.onStart(span, parent: parent) }
            }
        }
        let isAlone = hosts.isEmpty && exporting.count == 1
        if isAlone {
            if let processor = simple.first {
                recorder.setAfterEnd { [weak processor] in processor?.settleEnded() }
            }
            return
        }
        if hosts.isEmpty && simple.isEmpty { return }
        let waits = SimpleWaits(simple: simple, all: exporting)
        recorder.setEndHook { snapshot in
            if !hosts.isEmpty {
                let span = SpanData.decode(snapshot)
                for host in hosts { host.onEnd(span, isSampled: snapshot.isSampled) }
            }
            // Last, when the span is in every queue: who waits for one keeps it from no other.
            if snapshot.isSampled { waits.settleEnded() }
        }
    }
}

/// The ends that wait for simple processors.
private final class SimpleWaits: Sendable {
    private let simple: [@Sendable () -> BatchProcessor?]
    private let all: [@Sendable () -> BatchProcessor?]

    init(simple: [BatchProcessor], all: [BatchProcessor]) {
        self.simple = simple.map { processor in { [weak processor] in processor } }
        self.all = all.map { processor in { [weak processor] in processor } }
    }

    func settleEnded() {
        // The sweeper ends spans on an exporter thread: that one waits for no other.
        if simple.isEmpty || all.contains(where: { $0()?.isExporterThread ?? false }) { return }
        for processor in simple { processor()?.settleEnded() }
    }
}

extension BatchSettings {
    /// The same, but each span goes out alone and at once.
    fileprivate var ofSingleSpans: BatchSettings {
        var settings = self
        settings.batchSpans = 1
        settings.scheduleDelayMs = 0
        settings.tail = nil
        return settings
    }
}

extension ExporterChoice {
    /// `otel.component.type`; where the conventions have no name, the type's.
    fileprivate var componentType: String {
        switch self {
        case .otlp(let settings):
            settings.encoding == .json ? "otlp_http_json_span_exporter" : "otlp_http_span_exporter"
        case .console: String(reflecting: ConsoleExporter.self)
        case .none: String(reflecting: NoneExporter.self)
        case .custom(let exporter): String(reflecting: type(of: exporter))
        }
    }
}
