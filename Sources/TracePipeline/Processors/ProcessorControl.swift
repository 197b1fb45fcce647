// What other threads and the exporter thread say to each other: flush, shutdown, and the books.

import TraceCore

/// The part of a processor that outlives its thread and is used from any thread.
final class ProcessorControl: Sendable {
    struct State: Sendable {
        /// Flushes asked for, and those done. A flush is done once the number has reached its own.
        var flushRequested: UInt64 = 0
        var flushCompleted: UInt64 = 0
        /// When a shutdown gives up; nil while nobody has asked for one.
        var shutdownDeadlineNs: UInt64?
        /// The exporter thread has settled everything and does nothing more.
        var isFinished = false
        /// A shutdown gave up on the thread: nobody waits for it any more.
        var isAbandoned = false
        var ledger = PipelineLedger()
        var durations = ExportDurations()
        /// What the tail stage says of itself, where there is one.
        var tail: TailFigures?
        /// Times that the exporter thread has slept and was woken, or its time had come.
        var wakeups: UInt64 = 0
    }

    let monitor = Monitor(State())
    // Safe: `wake` and `close` may be called from any thread.
    private let queue: SpanQueue

    init(queue: SpanQueue) {
        self.queue = queue
    }

    /// Asks for a flush of every span whose `end` has returned, without waiting for it.
    func requestFlush() -> UInt64 {
        let ticket = monitor.withLock { state in
            state.flushRequested += 1
            return state.flushRequested
        }
        queue.wake()
        return ticket
    }

    /// Waits until that flush is done, at most until `deadlineNs`.
    func waitForFlush(_ ticket: UInt64, untilNs deadlineNs: UInt64) -> FlushResult {
        let isDone = monitor.wait(untilNs: deadlineNs) {
            $0.flushCompleted >= ticket || $0.isFinished
        }
        return isDone ? .completed : .timedOut
    }

    /// Flushes and waits for as long as it takes, unless a shutdown gives up on the thread.
    func flushHoweverLong() {
        let ticket = requestFlush()
        _ = monitor.wait(untilNs: .max) {
            $0.flushCompleted >= ticket || $0.isFinished || $0.isAbandoned
        }
    }

    /// Closes the queue and asks the thread to end by `deadlineNs`. The first call's deadline counts,
    /// but a later call may bring it forward.
    func requestShutdown(deadlineNs: UInt64) {
        queue.close()
        monitor.withLock { state in
            state.shutdownDeadlineNs = min(state.shutdownDeadlineNs ?? .max, deadlineNs)
        }
        queue.wake()
    }
}
