// The batch processor: one exporter thread, and the calls that other threads make to it.

import Glibc
import Logging
import TraceCore

/// Exports finished spans in batches from a thread of its own (OpenTelemetry specification,
/// "Batching processor").
///
/// A batch goes out when it is full, when the oldest pending span has waited for the schedule delay,
/// on flush and at shutdown. With nothing pending and nothing in flight the thread sleeps without a
/// timer.
public final class BatchProcessor: Sendable {
    private let recorder: SpanRecorder
    private let control: ProcessorControl
    private let thread: SystemThread
    private let processID: pid_t
    private let joined = Monitor(false)
    private let logger: Logger
    /// How long a shutdown waits for the thread beyond its deadline, to say what became of all spans.
    private static let graceNs: UInt64 = 500_000_000

    /// Starts the exporter thread.
    ///
    /// - Parameters:
    ///   - recorder: whose queue is drained; must have no other consumer.
    ///   - observer: called on the exporter thread as each batch is settled.
    init(
        recorder: SpanRecorder, settings: BatchSettings, exporter: ExporterChoice,
        observer: BatchObserver?, logger: Logger
    ) throws(ConfigurationError) {
        try settings.validate()
        let control = ProcessorControl(queue: recorder.queue)
        let loopExporter: ExportLoop.Exporter
        switch exporter {
        case .otlp(let otlp):
            loopExporter = .http(
                try OTLPHTTPExporter(
                    settings: otlp, slotCount: otlp.connections + 1, logger: logger))
        case .console(let format): loopExporter = .custom(ConsoleExporter(format: format))
        case .none: loopExporter = .custom(NoneExporter())
        case .custom(let custom): loopExporter = .custom(custom)
        }
        // Safe because the loop is handed to its thread and used by nobody else.
        nonisolated(unsafe) let loop = ExportLoop(
            recorder: recorder, control: control, settings: settings, exporter: loopExporter,
            observer: observer)
        self.recorder = recorder
        self.control = control
        self.logger = logger
        processID = getpid()
        thread = SystemThread { unsafe loop.run() }
    }

    deinit {
        guard getpid() == processID else { return }
        let isJoined = joined.withLock { $0 }
        if isJoined { return }
        if control.monitor.withLock({ $0.shutdownDeadlineNs }) == nil {
            logger.warning("a tracing pipeline went away without shutdown: what is pending is lost")
        }
        control.requestShutdown(deadlineNs: 0)
        let isFinished =
            !thread.isCurrent
            && control.monitor.wait(untilNs: TraceClock.monotonicNs + Self.graceNs) {
                $0.isFinished
            }
        // One that hangs in a user's exporter is left behind: it holds all that it needs.
        if isFinished { thread.join() } else { thread.detach() }
    }

    /// Settles every span whose `end` returned before this call, or says that time was up. Any thread
    /// but the exporter's. After shutdown, and in a forked child, it returns at once.
    public func forceFlush(timeoutMs: Int) -> FlushResult {
        guard getpid() == processID else { return .completed }
        precondition(!thread.isCurrent, "a flush on the exporter thread would wait for itself")
        return control.flush(
            untilNs: MonotonicTime.deadlineNs(from: TraceClock.monotonicNs, afterMs: timeoutMs))
    }

    /// Settles the span that has just ended, however long its export may take. For `afterEnd`.
    func settleEnded() {
        guard getpid() == processID, !thread.isCurrent else { return }
        _ = control.flush(untilNs: .max)
    }

    /// Takes no more spans, exports what is left, and ends the thread. At the deadline requests and
    /// waits to try again are cut off and what is left is dropped, counted as such. Any thread but
    /// the exporter's; a second call waits for the first.
    ///
    /// - Returns: `.completed` when no span was dropped for want of time.
    public func shutdown(timeoutMs: Int) -> FlushResult {
        guard getpid() == processID else { return .completed }
        precondition(!thread.isCurrent, "a shutdown on the exporter thread would wait for itself")
        let deadlineNs = MonotonicTime.deadlineNs(
            from: TraceClock.monotonicNs, afterMs: timeoutMs)
        control.requestShutdown(deadlineNs: deadlineNs)
        // A user's exporter that does not return cannot be ended: then the thread is left behind.
        let isFinished = control.monitor.wait(
            untilNs: deadlineNs.addingReportingOverflow(Self.graceNs).overflow
                ? .max : deadlineNs + Self.graceNs
        ) { $0.isFinished }
        guard isFinished else { return .timedOut }
        joined.withLock { isJoined in
            if !isJoined { thread.join() }
            isJoined = true
        }
        let droppedSpans = control.monitor.withLock { $0.ledger.shutdown.spans }
        return droppedSpans > 0 ? .timedOut : .completed
    }

    /// Where every ended span is, now. Any thread.
    public var ledger: PipelineLedger {
        var ledger = control.monitor.withLock { $0.ledger }
        ledger.add(recorder.counters)
        return ledger
    }

    /// Turns of the exporter thread's loop so far: it stands still while nothing happens.
    public var exporterTurns: UInt64 { control.monitor.withLock { $0.turns } }
}
