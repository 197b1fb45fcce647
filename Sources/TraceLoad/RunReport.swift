import TraceCore
import TracePipeline
import TraceResults

/// Fills the record of a run from what its parts counted.
struct RunReport {
    var record: RunRecord
    /// Why the run is to be invalid, found before it is judged.
    var pendingReason: String?

    init(_ record: RunRecord) { self.record = record }

    /// The figures of the measured part.
    mutating func figures(
        _ summary: ReplaySummary, _ delivered: DeliveryWatch.Figures, startedNs: UInt64,
        usage: (before: ProcessUsage, after: ProcessUsage),
        heldBytesMax: UInt64?, tail: TailFigures?,
        sink: (before: SinkLedger?, after: SinkLedger?), overheadNs: Double?,
        pipeline: PipelineLedger
    ) {
        let total = summary.total
        let spans = Double(max(1, total.spansStarted))
        let seconds = max(1e-9, Double(summary.wallNs) / 1e9)
        record.set(.achievedTracesPerS, Double(total.traces) / seconds)
        record.set(.achievedSpansPerS, Double(total.spansStarted) / seconds)
        if delivered.lastAcknowledgedNs > startedNs {
            let deliverySeconds = Double(delivered.lastAcknowledgedNs - startedNs) / 1e9
            record.set(
                .deliveredSpansPerS, Double(delivered.acknowledgedSpans) / deliverySeconds)
        }
        rates(delivered, startedNs: startedNs)
        let cpuNs = Double(usage.after.cpuNs - usage.before.cpuNs)
        if total.traces > 0 {
            record.set(
                .cpuMsPerThousandTraces, cpuNs / 1e6 / (Double(total.traces) / 1_000),
                samples: total.traces)
        }
        record.set(.heldBytesMax, heldBytesMax.map { Double($0) })
        if let tail, pipeline.endedSampled > 0 {
            let spans = Double(pipeline.endedSampled)
            record.set(.tailLateLossShare, Double(tail.lateDroppedSpans) / spans)
            record.set(.tailEvictedLossShare, Double(tail.droppedTooEarlySpans) / spans)
        }
        if let overheadNs { record.set(.replayOverheadNsPerSpan, overheadNs) }
        record.set(.timerFloorNs, Double(summary.timerFloorNs))
        if delivered.spans > 0 {
            let exported = Double(delivered.spans)
            record.set(
                .encodeNsPerSpan, Double(delivered.buildNs) / exported, samples: delivered.spans)
            record.set(.wireBytesPerSpan, Double(delivered.wireBytes) / exported)
            record.set(.bodyBytesPerSpan, Double(delivered.bodyBytes) / exported)
        }
        record.set(
            .cpuNsPerSpan, cpuNs / spans,
            samples: total.spansStarted)
        record.set(.peakResidentBytes, Double(usage.after.peakResidentBytes))
        if let bytes = total.allocatedBytes {
            record.set(.allocatedBytesPerSpan, Double(bytes) / spans, samples: total.spansStarted)
        }
        if let before = sink.before, let after = sink.after {
            let received = Double(max(1, after.spansTotal - before.spansTotal))
            record.set(.sinkCpuNsPerSpan, Double(after.cpuNs - before.cpuNs) / received)
            record.set(.sinkPeakResidentBytes, Double(after.peakResidentBytes))
        }
        if pipeline.endedSampled > 0 {
            record.set(
                .droppedSpanShare, Double(pipeline.dropped) / Double(pipeline.endedSampled))
        }
        record.set(.spanStart, summary.timings.start)
        record.set(.spanEnd, summary.timings.end)
        record.set(.samplerDecision, summary.timings.decide)
        record.set(.queueResidence, delivered.queueResidence)
        record.set(.exportRequest, delivered.exportRequest)
        record.set(.delivery, delivered.delivery)
        record.set(.scheduleLag, summary.timings.scheduleLag)
        record.set(.sleepLateness, summary.timings.sleepLateness)
        record.set(.queueWait, summary.timings.queueWait)
        record.set(.traceLatency, summary.timings.traceLatency)
        record.set(.traceService, summary.timings.traceService)
    }

    /// What went out in a second, from the beginning to the last acknowledgement.
    private mutating func rates(_ delivered: DeliveryWatch.Figures, startedNs: UInt64) {
        guard delivered.lastAcknowledgedNs > startedNs else { return }
        let seconds = Double(delivered.lastAcknowledgedNs - startedNs) / 1e9
        record.set(.exportedBytesPerS, Double(delivered.wireBytes) / seconds)
        record.set(.exportRequestsPerS, Double(delivered.requests) / seconds)
    }

    /// What was asked for and what was done.
    mutating func load(_ summary: ReplaySummary, _ compiled: CompiledScenario) {
        record.load.durationNs = summary.wallNs
        record.load.achievedTraces = summary.total.traces
        record.load.achievedSpans = summary.total.spansStarted
        record.load.skippedTraces = summary.droppedArrivals
        record.load.lateStarts = summary.total.lateStarts
        record.load.intendedTraces = summary.total.traces + summary.droppedArrivals
        record.load.intendedSpans = summary.total.spansStarted
        guard compiled.scenario.clock == .realtime, summary.wallNs > 0 else { return }
        let seconds = Double(summary.wallNs) / 1e9
        record.load.intendedTracesPerS = Double(record.load.intendedTraces) / seconds
    }

    /// The books of the whole run, warm-up and overhead measurement included.
    mutating func books(
        issued: [ReplaySummary], verifies: Bool, counters: CoreCounters,
        liveSlots: UInt64, pipeline: PipelineLedger, sink: SinkLedger?
    ) {
        var counts = IssuedCounts()
        var identitySum: UInt64 = 0
        var semanticSum: UInt64 = 0
        for summary in issued {
            counts.startCalls += summary.total.spansStarted
            counts.recorded += summary.total.spansRecording
            counts.sampledEnded += summary.total.spansEnded
            identitySum &+= summary.total.identitySum
            semanticSum &+= summary.total.semanticSum
        }
        counts.identitySum = identitySum
        if verifies { counts.semanticSum = semanticSum }
        record.ledger.issued = counts
        record.ledger.tracer = TracerCounts(counters, liveSlots: liveSlots)
        var delivery = DeliveryCounts(pipeline)
        delivery.reachesSink = sink != nil
        record.ledger.deliveries = [delivery]
        record.ledger.sink = sink
    }

    /// Whether the figures may be used, and why not.
    mutating func judge(
        flushed: FlushResult, _ summary: ReplaySummary, interrupted: Bool,
        monitorFailure: String?, endpoint: String?, lagMaxNs: Double
    ) {
        record.valid = true
        record.interrupted = interrupted
        if let violation = record.ledger.violations.first {
            record.invalidate(violation.message)
        }
        if let pendingReason { record.invalidate(pendingReason) }
        if let monitorFailure { record.invalidate(monitorFailure) }
        if let endpoint, let delivery = record.ledger.deliveries.first,
            delivery.acknowledged.count + delivery.rejected.count == 0, delivery.dropped > 0
        {
            record.invalidate(
                "not one of \(NumberText.grouped(delivery.dropped)) spans was acknowledged by "
                    + "\(endpoint): is a receiver listening there? `tracemill sink` is one")
        }
        if flushed == .timedOut {
            record.invalidate(
                "the pipeline did not drain in time: raise run.drain, or look at the receiver")
        }
        if summary.total.traces == 0, !interrupted {
            record.invalidate("no trace was replayed: give it more time, with --duration 10s")
        }
        if let lateness = summary.lateness(lagMaxNs: lagMaxNs) { record.invalidate(lateness) }
        if interrupted { record.invalidate("interrupted by a signal") }
    }
}

extension ReplaySummary {
    /// Why the load was not the one asked for: more than one trace and more than 1% of them began late.
    /// Nil when it was. What was measured then is the generator, or the machine, waiting for itself.
    func lateness(lagMaxNs: Double) -> String? {
        let late = Double(total.lateStarts)
        let share = late / Double(max(1, total.pacedStarts))
        guard late > 1, share > RealTimePace.lateShareMax else { return nil }
        func duration(_ histogram: LatencyHistogram) -> String {
            NumberText.duration(ns: Double(histogram.valueNs(atPercentile: 99)))
        }
        return
            "the generator was the limit: \(Int((share * 100).rounded(.up)))% of the traces began more "
            + "than \(NumberText.duration(ns: lagMaxNs)) late (lag p99 "
            + "\(duration(timings.scheduleLag)), the machine's own sleep p99 "
            + "\(duration(timings.sleepLateness))): lower the rate, give it more workers or a quieter "
            + "machine, or allow more with run.lag_max"
    }
}

extension TracerCounts {
    /// - Parameter liveSlots: the store's own count, so that L1 compares two accounts.
    init(_ counters: CoreCounters, liveSlots: UInt64) {
        self.init()
        startCalls = counters.startCalls
        notRecordedSampler = counters.notRecordedSampler
        notRecordedStoreFull = counters.notRecordedStoreFull
        notRecordedAfterShutdown = counters.notRecordedAfterShutdown
        // In a forked child tracing is off, too.
        notRecordedDisabled = counters.notRecordedDisabled + counters.notRecordedForked
        recording = counters.recording
        // The sweeper's ends come after all ends are counted: read in between, they may be ahead.
        endedByCaller = counters.ended - min(counters.ended, counters.sweptEnded)
        endedBySweeper = counters.sweptEnded
        discardedBySweeper = counters.sweptDropped
        live = liveSlots
        sampledEnded = counters.endedSampled
    }
}

extension DeliveryCounts {
    init(_ ledger: PipelineLedger) {
        self.init()
        func fate(_ totals: FateTotals) -> FateCount {
            FateCount(count: totals.spans, identitySum: totals.identitySum)
        }
        queued = FateCount(count: ledger.queued, identitySum: ledger.queued == 0 ? 0 : nil)
        waiting = fate(ledger.waiting)
        discardedByTail = fate(ledger.discardedByTail)
        inFlight = fate(ledger.inFlight)
        acknowledged = FateCount(
            count: ledger.acknowledged.spans + ledger.partlyAcknowledged.spans,
            identitySum: ledger.acknowledged.identitySum
                &+ ledger.partlyAcknowledged.identitySum)
        rejected = FateCount(count: ledger.rejected)
        // The core keeps one sum over what was dropped at its end; it goes with the first of them.
        droppedQueueFull = FateCount(
            count: ledger.queueFull, identitySum: ledger.droppedAtEndIdentitySum)
        droppedRefused = fate(ledger.refused)
        droppedRetriesExhausted = fate(ledger.retriesExhausted)
        droppedOversize = FateCount(
            count: ledger.oversize.spans + ledger.spansTooLarge,
            identitySum: ledger.oversize.identitySum)
        droppedShutdown = FateCount(
            count: ledger.shutdown.spans + ledger.afterShutdown,
            identitySum: ledger.shutdown.identitySum)
    }
}
