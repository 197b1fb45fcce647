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
    private let account: ProcessorAccount
    private let thread: SystemThread
    private let joined = Monitor(false)
    private let logger: Logger
    /// What exporter threads are called in `/proc/self/task`, `top -H` and debuggers.
    public static let threadName = "trace-exporter"
    /// How long a shutdown waits for the thread beyond its deadline, to say what became of all spans.
    private static let graceNs: UInt64 = 500_000_000

    /// Starts the exporter thread.
    ///
    /// - Parameters:
    ///   - account: whose recorder's queue is drained; it must have no other consumer.
    ///   - observer: called on the exporter thread as each batch is settled.
    ///   - bodyTap: called there with each body before it is handed over.
    ///   - chores: run on the exporter thread by the clock; from here on nobody else's.
    ///   - pages: where request bodies are kept.
    init(
        account: ProcessorAccount, settings: BatchSettings, exporter: ExporterChoice,
        observer: BatchObserver?, bodyTap: BodyTap? = nil, chores: [any ExporterChore] = [],
        pages: any PageSource = MappedPageSource(), logger: Logger
    ) throws(ConfigurationError) {
        try settings.validate()
        let loopExporter: ExportLoop.Exporter
        switch exporter {
        case .otlp(let otlp):
            loopExporter = .http(
                try OTLPHTTPExporter(
                    settings: otlp, slotCount: otlp.connections + 1,
                    bodyCapacityBytes: settings.bodyCapacityBytes, pages: pages, logger: logger))
        case .console(let format): loopExporter = .custom(ConsoleExporter(format: format))
        case .none: loopExporter = .custom(NoneExporter())
        case .custom(let custom): loopExporter = .custom(custom)
        }
        // Safe because the loop is handed to its thread and used by nobody else.
        nonisolated(unsafe) let loop = try ExportLoop(
            account: account, settings: settings, exporter: loopExporter, observer: observer,
            bodyTap: bodyTap, chores: chores, pages: pages)
        self.account = account
        self.logger = logger
        thread = SystemThread(name: Self.threadName) { unsafe loop.run() }
    }

    deinit {
        guard account.isOwnProcess else { return }
        let isJoined = joined.withLock { $0 }
        if isJoined { return }
        if account.control.monitor.withLock({ $0.shutdownDeadlineNs }) == nil {
            logger.warning("a tracing pipeline went away without shutdown: what is pending is lost")
        }
        requestShutdown(deadlineNs: 0)
        let isFinished =
            !thread.isCurrent
            && account.control.monitor.wait(untilNs: TraceClock.monotonicNs + Self.graceNs) {
                $0.isFinished
            }
        // One that hangs in a user's exporter is left behind: it holds all that it needs.
        if isFinished { thread.join() } else { thread.detach() }
    }

    /// Whether the caller is this processor's exporter thread.
    var isExporterThread: Bool { thread.isCurrent }

    // MARK: Flush

    /// Settles every span whose `end` returned before this call, or says that time was up. Any thread
    /// but the exporter's. After shutdown, and in a forked child, it returns at once.
    public func forceFlush(timeoutMs: Int) -> FlushResult {
        let deadlineNs = MonotonicTime.deadlineNs(
            from: TraceClock.monotonicNs, afterMs: timeoutMs)
        guard let ticket = beginFlush() else { return .completed }
        return finishFlush(ticket, deadlineNs: deadlineNs)
    }

    /// Asks for a flush without waiting; nil in a forked child.
    func beginFlush() -> UInt64? {
        guard account.isOwnProcess else { return nil }
        precondition(!thread.isCurrent, "a flush on the exporter thread would wait for itself")
        return account.control.requestFlush()
    }

    func finishFlush(_ ticket: UInt64, deadlineNs: UInt64) -> FlushResult {
        account.control.waitForFlush(ticket, untilNs: deadlineNs)
    }

    /// Settles the span that has just ended, however long its export may take: what makes a processor a
    /// simple one. Returns at once on the exporter thread, and when a shutdown gives up.
    func settleEnded() {
        guard account.isOwnProcess, !thread.isCurrent else { return }
        account.control.flushHoweverLong()
    }

    // MARK: Shutdown

    /// Takes no more spans, exports what is left, and ends the thread. At the deadline requests and
    /// waits to try again are cut off and what is left is dropped, counted as such. Any thread but
    /// the exporter's; a second call waits for the first.
    ///
    /// - Returns: `.completed` when no span was dropped for want of time.
    public func shutdown(timeoutMs: Int) -> FlushResult {
        let deadlineNs = MonotonicTime.deadlineNs(
            from: TraceClock.monotonicNs, afterMs: timeoutMs)
        requestShutdown(deadlineNs: deadlineNs)
        return finishShutdown(deadlineNs: deadlineNs)
    }

    /// Closes the queue and asks the thread to end by `deadlineNs`, without waiting.
    func requestShutdown(deadlineNs: UInt64) {
        guard account.isOwnProcess else { return }
        account.control.requestShutdown(deadlineNs: deadlineNs)
    }

    func finishShutdown(deadlineNs: UInt64) -> FlushResult {
        guard account.isOwnProcess else { return .completed }
        precondition(!thread.isCurrent, "a shutdown on the exporter thread would wait for itself")
        let monitor = account.control.monitor
        // A user's exporter that does not return cannot be ended: then the thread is left behind.
        let isFinished = monitor.wait(untilNs: Self.graceNs(after: deadlineNs)) { $0.isFinished }
        guard isFinished else {
            monitor.withLockAndSignal { $0.isAbandoned = true }
            return .timedOut
        }
        joined.withLock { isJoined in
            if !isJoined { thread.join() }
            isJoined = true
        }
        let droppedSpans = monitor.withLock { $0.ledger.shutdown.spans }
        return droppedSpans > 0 ? .timedOut : .completed
    }

    /// When a shutdown gives up on a thread that should have ended at `deadlineNs`.
    static func graceNs(after deadlineNs: UInt64) -> UInt64 {
        let (end, overflow) = deadlineNs.addingReportingOverflow(graceNs)
        return overflow ? .max : end
    }

    // MARK: Books

    /// Where every ended span is, now. Any thread.
    public var ledger: PipelineLedger { account.ledger }

    /// What the tail stage has decided and holds; nil where there is none. Any thread.
    public var tailFigures: TailFigures? { account.tailFigures }

    /// Times that the exporter thread was woken so far, or woke since its time had come: it stands still
    /// while nothing happens.
    public var exporterWakeups: UInt64 { account.wakeups }
}
