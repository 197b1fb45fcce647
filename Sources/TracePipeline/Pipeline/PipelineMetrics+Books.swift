// From the books to the figures.

import TraceCore

/// The books of all processors of a pipeline, in their order. Any thread.
final class PipelineBooks: Sendable {
    enum Entry: Sendable {
        case exporting(ProcessorAccount)
        case custom(SpanProcessorHost)
    }

    let recorder: SpanRecorder
    let entries: [Entry]

    init(recorder: SpanRecorder, entries: [Entry]) {
        self.recorder = recorder
        self.entries = entries
    }

    var ledgers: [ProcessorLedger] {
        entries.map { entry in
            switch entry {
            case .exporting(let account):
                ProcessorLedger(name: account.processor.name, ledger: account.ledger)
            case .custom(let host): ProcessorLedger(name: host.name, ledger: host.ledger)
            }
        }
    }

    var metrics: PipelineMetrics {
        var metrics = PipelineMetrics()
        for entry in entries {
            switch entry {
            case .exporting(let account): metrics.add(account)
            case .custom(let host): metrics.add(host)
            }
        }
        // Upstream last, so that no figure is ahead of one that it comes from.
        metrics.add(recorder.counters)
        return metrics
    }
}

extension PipelineMetrics {
    /// Every start, as the conventions ask for, by what it came to; `DROP` is "not sampled and not
    /// recording", whoever said so. The sums hold at rest:
    ///
    ///     started{DROP} = not_recorded
    ///     started       = not_recorded + ended + swept{drop} + live
    fileprivate mutating func add(_ counters: CoreCounters) {
        let notRecorded = [
            ("sampler", counters.notRecordedSampler), ("store_full", counters.notRecordedStoreFull),
            ("after_shutdown", counters.notRecordedAfterShutdown),
            ("disabled", counters.notRecordedDisabled), ("forked", counters.notRecordedForked),
        ]
        for (result, value) in [
            ("DROP", notRecorded.reduce(0) { $0 + $1.1 }),
            ("RECORD_ONLY", counters.recordingOnly),
            ("RECORD_AND_SAMPLE", counters.recording - counters.recordingOnly),
        ] {
            add("span.started", .counter, value, ["otel.span.sampling_result": result])
        }
        add("span.live", .upDownCounter, counters.live, [:])
        for (reason, value) in notRecorded {
            addOwn("span.not_recorded", value, ["tracemill.not_recorded.reason": reason])
        }
        addOwn("span.ended", counters.ended, [:])
        // Those that it ended are among the ended ones.
        for (action, value) in [("drop", counters.sweptDropped), ("end", counters.sweptEnded)] {
            addOwn("span.swept", value, ["tracemill.sweep.action": action])
        }
        addOwn("span.over_limit", counters.endedOverLimit, [:])
    }

    fileprivate mutating func add(_ account: ProcessorAccount) {
        let ledger = account.ledger
        let processor = account.processor.attributes
        let exporter = account.exporter.attributes
        add("processor.span.queue.size", .upDownCounter, ledger.queued, processor)
        add(
            "processor.span.queue.capacity", .upDownCounter,
            UInt64(account.recorder.queue.capacitySpans), processor)
        // "considered to be processed already when it has been submitted to the exporter"
        add("processor.span.processed", .counter, ledger.submitted, processor)
        addFailed(
            "processor.span.processed", processor,
            [
                ("queue_full", ledger.queueFull), ("already_shutdown", ledger.afterShutdown),
                ("oversize", ledger.spansTooLarge), ("shutdown", ledger.unsent),
            ])
        add("exporter.span.inflight", .upDownCounter, ledger.inFlight.spans, exporter)
        add(
            "exporter.span.exported", .counter,
            ledger.acknowledged.spans + ledger.partlyAcknowledged.spans, exporter)
        addFailed(
            "exporter.span.exported", exporter,
            [
                ("rejected", ledger.rejected), ("refused", ledger.refused.spans),
                ("retries_exhausted", ledger.retriesExhausted.spans),
                ("oversize", ledger.oversize.spans),
                ("shutdown", ledger.shutdown.spans - ledger.unsent),
            ])
        if let tail = account.tailFigures { add(tail, ledger, processor) }
        let histograms = account.durations.byErrorType.sorted { ($0.key ?? "") < ($1.key ?? "") }
        for (errorType, durations) in histograms {
            var attributes = exporter
            attributes["error.type"] = errorType
            self.durations.append(
                DurationPoint(
                    name: Self.exportDurationName, attributes: attributes, durations: durations))
        }
    }

    /// What a tail stage holds and has decided; see ``TailFigures``.
    private mutating func add(
        _ tail: TailFigures, _ ledger: PipelineLedger, _ processor: [String: String]
    ) {
        func with(_ name: String, _ value: String) -> [String: String] {
            processor.merging(["tracemill.tail.\(name)": value]) { $1 }
        }
        addOwn("tail.span.waiting", ledger.waiting.spans, processor, .upDownCounter)
        addOwn("tail.span.discarded", ledger.discardedByTail.spans, processor)
        for (decision, spans) in [
            ("kept", tail.lateKeptSpans), ("dropped", tail.lateDroppedSpans),
        ] {
            addOwn("tail.span.late", spans, with("decision", decision))
        }
        addOwn(
            "tail.trace.waiting", tail.waitingTraces, processor, .upDownCounter, unit: "{trace}")
        let shortages = [
            ("traces", tail.droppedTooEarlyTraces - tail.droppedForMemoryTraces),
            ("memory", tail.droppedForMemoryTraces),
        ]
        for (shortage, traces) in shortages {
            addOwn(
                "tail.trace.dropped_too_early", traces, with("shortage", shortage),
                unit: "{trace}")
        }
        let unwanted = TailFigures.Decisions(
            policy: "(none)", drops: true, keptTraces: 0, droppedTraces: tail.unwantedTraces)
        for decided in tail.decisions + [unwanted] {
            addOwn(
                "tail.trace.decided", decided.keptTraces + decided.droppedTraces,
                with("policy", decided.policy).merging(
                    ["tracemill.tail.decision": decided.drops ? "dropped" : "kept"]) { $1 },
                unit: "{trace}")
        }
        addOwn("tail.memory.used", tail.usedBytes, processor, .upDownCounter, unit: "By")
    }

    /// A custom processor has no queue and no exporter that the pipeline knows of.
    fileprivate mutating func add(_ host: SpanProcessorHost) {
        let ledger = host.ledger
        let attributes = ["otel.component.name": host.name, "otel.component.type": host.type]
        add(
            "processor.span.processed", .counter, ledger.acknowledged.spans + ledger.recordedOnly,
            attributes)
        addFailed(
            "processor.span.processed", attributes,
            [("already_shutdown", ledger.afterShutdown), ("unreadable", ledger.refused.spans)])
    }

    static let exportDurationName = "otel.sdk.exporter.operation.duration"

    private mutating func addFailed(
        _ name: String, _ attributes: [String: String], _ failures: [(type: String, spans: UInt64)]
    ) {
        for failure in failures where failure.spans > 0 {
            add(
                name, .counter, failure.spans,
                attributes.merging(["error.type": failure.type]) { $1 })
        }
    }
}
