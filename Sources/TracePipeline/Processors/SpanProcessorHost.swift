// What stands around a processor of the user's: its name, its books, and calls that may hang.

import Synchronization
import TraceCore

/// One custom processor in a pipeline. Any thread.
final class SpanProcessorHost: Sendable {
    /// `otel.component.name` and `otel.component.type`.
    let name: String
    let type: String
    private let processor: any SpanProcessor
    private let isShutDown = Atomic(false)
    /// The flush that is under way, or was the last one.
    private let flushing = Monitor<DeadlineCall<FlushResult>?>(nil)
    private let stopping = Monitor<DeadlineCall<FlushResult>?>(nil)

    // Sampled spans handed over, those that came back, those that came too late.
    private let begun = Atomic<UInt64>(0)
    private let done = Atomic<UInt64>(0)
    private let late = Atomic<UInt64>(0)
    private let recordedOnly = Atomic<UInt64>(0)
    /// Spans that could not be decoded.
    private let unreadable = Atomic<UInt64>(0)

    init(_ processor: any SpanProcessor, name: String, type: String) {
        self.processor = processor
        self.name = name
        self.type = type
    }

    func onStart(_ span: ActiveSpan, parent: SpanContext?) {
        guard !isShutDown.load(ordering: .acquiring) else { return }
        processor.onStart(span, parent: parent)
    }

    /// - Parameter span: nil when it could not be decoded.
    func onEnd(_ span: SpanData?, isSampled: Bool) {
        guard !isShutDown.load(ordering: .acquiring) else {
            if isSampled { late.add(1, ordering: .relaxed) }
            return
        }
        guard let span else {
            if isSampled { unreadable.add(1, ordering: .relaxed) }
            return
        }
        guard isSampled else {
            processor.onEnd(span)
            recordedOnly.add(1, ordering: .relaxed)
            return
        }
        begun.add(1, ordering: .relaxed)
        processor.onEnd(span)
        // release: pairs with the acquire in `ledger`; what is done was begun.
        done.add(1, ordering: .releasing)
    }

    /// Spans that were handed over count as acknowledged once `onEnd` has returned.
    var ledger: PipelineLedger {
        var ledger = PipelineLedger()
        ledger.acknowledged.spans = done.load(ordering: .acquiring)
        ledger.afterShutdown = late.load(ordering: .relaxed)
        ledger.refused.spans = unreadable.load(ordering: .relaxed)
        let begun = begun.load(ordering: .relaxed)
        ledger.submitted = begun
        ledger.inFlight.spans = begun - ledger.acknowledged.spans
        ledger.endedSampled = begun + ledger.afterShutdown + ledger.refused.spans
        ledger.recordedOnly = recordedOnly.load(ordering: .relaxed)
        return ledger
    }

    // MARK: Flush and shutdown

    /// A flush that was begun, or that has to wait for an earlier one.
    struct PendingFlush {
        fileprivate var call: DeadlineCall<FlushResult>
        fileprivate var isOwn: Bool
    }

    /// Begins a flush without waiting for it; nil after shutdown. One at a time: a processor that hangs
    /// takes one thread with it, however often it is asked.
    func beginFlush(deadlineNs: UInt64) -> PendingFlush? {
        if isShutDown.load(ordering: .acquiring) { return nil }
        return flushing.withLock { call in
            if let earlier = call, !earlier.isDone {
                return PendingFlush(call: earlier, isOwn: false)
            }
            let own = DeadlineCall { [processor] in
                processor.forceFlush(timeoutMs: Self.millisecondsLeft(until: deadlineNs))
            }
            call = own
            return PendingFlush(call: own, isOwn: true)
        }
    }

    func finishFlush(_ pending: PendingFlush, deadlineNs: UInt64) -> FlushResult {
        var pending = pending
        while !pending.isOwn {
            // Begun before this one was asked for: it may have missed what this one must cover.
            guard pending.call.wait(untilNs: deadlineNs) != nil else { return .timedOut }
            guard let next = beginFlush(deadlineNs: deadlineNs) else { return .completed }
            pending = next
        }
        return pending.call.wait(untilNs: deadlineNs) ?? .timedOut
    }

    /// Takes no more spans and tells the processor so, the first time; does not wait.
    func beginShutdown(deadlineNs: UInt64) {
        isShutDown.store(true, ordering: .releasing)
        stopping.withLock { call in
            if call != nil { return }
            call = DeadlineCall { [processor] in
                processor.shutdown(timeoutMs: Self.millisecondsLeft(until: deadlineNs))
            }
        }
    }

    func finishShutdown(untilNs deadlineNs: UInt64) -> FlushResult {
        stopping.withLock { $0 }?.wait(untilNs: deadlineNs) ?? .timedOut
    }

    private static func millisecondsLeft(until deadlineNs: UInt64) -> Int {
        MonotonicTime.millisecondsLeft(until: deadlineNs, nowNs: TraceClock.monotonicNs)
    }
}

/// A call into somebody else's code, on a thread of its own. Whoever waits for it waits until a deadline;
/// a call that hangs keeps its thread and what it holds, and nothing else.
final class DeadlineCall<Result: Sendable>: Sendable {
    private let result: Monitor<Result?>

    init(_ body: @escaping @Sendable () -> Result) {
        let result = Monitor<Result?>(nil)
        self.result = result
        SystemThread {
            let value = body()
            result.withLockAndSignal { $0 = value }
        }.detach()
    }

    var isDone: Bool { result.withLock { $0 != nil } }

    /// What it returned; nil when it has not by then.
    func wait(untilNs deadlineNs: UInt64) -> Result? {
        _ = result.wait(untilNs: deadlineNs) { $0 != nil }
        return result.withLock { $0 }
    }
}
