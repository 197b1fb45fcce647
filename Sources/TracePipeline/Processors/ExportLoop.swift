// The exporter thread: owns the queue's consumer side, the request bodies and the exporter. It sleeps
// in one place, and not at all with a timer while there is nothing to wait for.

import Logging
import TraceCore

/// Something that the exporter thread does by the clock, beside exporting. Exporter thread only.
protocol ExporterChore: AnyObject {
    /// Does what is due by now.
    func runIfDue(nowNs: UInt64)
    /// When it wants the thread next; nil: not by the clock.
    var nextDueNs: UInt64? { get }
    /// The thread ends: what is left to say. Once, after everything is settled.
    func runLast()
}

extension ExporterChore {
    func runLast() {}
}

/// One thread's loop; nothing here is touched by another thread, but for `control`.
final class ExportLoop {
    enum Exporter {
        case http(OTLPHTTPExporter)
        case custom(any SpanExporter)
    }

    /// A request body and the batch in it.
    final class BatchSlot {
        var body: ExportBody
        var isBusy = false
        var record: BatchRecord?

        init(bodyBytesMax: Int, pages: any PageSource) {
            body = ExportBody(capacityBytes: bodyBytesMax, pages: pages)
        }
    }

    private let recorder: SpanRecorder
    let queue: SpanQueue
    let control: ProcessorControl
    let settings: BatchSettings
    let exporter: Exporter
    private let observer: BatchObserver?
    private let bodyTap: BodyTap?
    let tail: TailStage?
    private let chores: [any ExporterChore]
    let slots: [BatchSlot]

    var lastNumber: UInt64 = 0
    /// Times that the thread has slept.
    private var wakeups: UInt64 = 0
    /// When the oldest pending span was first seen; nil while the queue is empty.
    var firstPendingNs: UInt64?
    /// The flush for which the queue is being drained; nil when none is.
    var drainingFor: UInt64?
    /// What was published when that drain began.
    var drainMark = SpanQueue.Mark()
    var lastDrained: UInt64 = 0
    private var lastRequested: UInt64 = 0
    /// Flushes whose spans are all in batches: done once every batch up to `number` is settled.
    var drainedFlushes: [(ticket: UInt64, number: UInt64)] = []
    var shutdownDeadlineNs: UInt64?
    /// With a tail stage: when the oldest kept span was first seen, and flushes whose kept spans are not all in
    /// batches: up to so many of all that were ever kept.
    var firstReleasedNs: UInt64?
    var keptFlushes: [(ticket: UInt64, released: UInt64)] = []

    init(
        account: ProcessorAccount, settings: BatchSettings, exporter: Exporter,
        observer: BatchObserver?, bodyTap: BodyTap?, chores: [any ExporterChore],
        pages: any PageSource
    ) throws(ConfigurationError) {
        recorder = account.recorder
        queue = recorder.queue
        control = account.control
        self.settings = settings
        self.exporter = exporter
        self.observer = observer
        self.bodyTap = bodyTap
        self.chores = chores
        let (count, bodyBytesMax) =
            switch exporter {
            case .http(let http): (http.slotCount, http.bodyBytesMax)
            case .custom: (1, settings.bodyCapacityBytes)
            }
        if let settings = settings.tail {
            tail = try TailStage(
                settings, queue: account.recorder.queue, bodyBytesMax: bodyBytesMax, pages: pages)
        } else {
            tail = nil
        }
        slots = (0..<count).map { _ in BatchSlot(bodyBytesMax: bodyBytesMax, pages: pages) }
    }

    /// Runs until shut down.
    func run() {
        while true {
            takeRequests()
            if shutdownDeadlineNs == nil { runChores() }
            drive()
            if let tail { fill(through: tail) } else { fill() }
            drive()
            completeFlushes()
            if shutdownDeadlineNs != nil, finish() { return }
            sleep()
        }
    }

    // MARK: Requests of other threads

    private func takeRequests() {
        let (flushRequested, deadlineNs) = control.monitor.withLock { state in
            state.wakeups = wakeups
            return (state.flushRequested, state.shutdownDeadlineNs)
        }
        lastRequested = flushRequested
        if drainingFor == nil, lastRequested > lastDrained {
            drainingFor = lastRequested
            drainMark = queue.mark()
        }
        if let deadlineNs, deadlineNs != shutdownDeadlineNs {
            shutdownDeadlineNs = deadlineNs
            if case .http(let http) = exporter { http.beginShutdown(deadlineNs: deadlineNs) }
        }
    }

    private func runChores() {
        guard !chores.isEmpty else { return }
        let nowNs = TraceClock.monotonicNs
        for chore in chores { chore.runIfDue(nowNs: nowNs) }
    }

    private func completeFlushes() {
        guard !drainedFlushes.isEmpty else { return }
        let oldestOpen = slots.compactMap { $0.isBusy ? $0.record?.number : nil }.min() ?? .max
        var completed: UInt64?
        while let flush = drainedFlushes.first, flush.number < oldestOpen {
            completed = flush.ticket
            drainedFlushes.removeFirst()
        }
        if let completed {
            control.monitor.withLockAndSignal { $0.flushCompleted = completed }
        }
    }

    // MARK: From the queue into batches

    /// Builds and hands over batches as long as one is due and a body is free.
    private func fill() {
        while let index = slots.firstIndex(where: { !$0.isBusy }) {
            let startedNs = TraceClock.monotonicNs
            if let deadlineNs = shutdownDeadlineNs, startedNs >= deadlineNs { return }
            let pending = queue.pendingCount
            // Read after the count: a span that came in between must not look older than it is.
            if pending > 0, firstPendingNs == nil { firstPendingNs = TraceClock.monotonicNs }
            let isDraining = drainingFor != nil || shutdownDeadlineNs != nil
            guard isDraining || isDue(pending, nowNs: startedNs) else {
                if pending == 0 { firstPendingNs = nil }
                return
            }
            let startedCPUNs = MonotonicTime.threadCPUNs
            let spans = queue.fill(&slots[index].body, spans: settings.batchSpans)
            let buildCPUNs = MonotonicTime.threadCPUNs - startedCPUNs
            #if DEBUG
                if spans > 0, Mutant.flipByte.strikes {
                    slots[index].body.flipBit(atByte: slots[index].body.byteCount - 1)
                }
            #endif
            if spans > 0 {
                hand(over: index, spans: spans, startedNs: startedNs, buildCPUNs: buildCPUNs)
            }
            // A fill that is short, and not for want of bytes, has taken every span that had ended
            // before it.
            let isShort = spans < settings.batchSpans && !slots[index].body.isFull
            // Under load no fill is ever short; the mark tells all the same.
            if let ticket = drainingFor, isShort || queue.hasDrained(drainMark) {
                drainedFlushes.append((ticket, lastNumber))
                lastDrained = ticket
                drainingFor = nil
            }
            guard isShort else {
                // One that blocks has no bound on batches in flight: look at requests in between.
                if case .custom = exporter { return }
                continue
            }
            firstPendingNs = nil
            return
        }
    }

    func isDue(_ pending: Int, nowNs: UInt64) -> Bool {
        if pending >= dueSpans { return true }
        guard pending > 0 else { return false }
        return queue.hasWaiters || dueNs.map { nowNs >= $0 } ?? false
    }

    /// Spans that are worth a batch: a full one, or what a queue of about that size can hold while threads
    /// keep credits that they do not use.
    var dueSpans: Int {
        min(settings.batchSpans, settings.queueSpans - settings.queueSpans / 8)
    }

    /// When the pending spans have waited long enough for their batch to fill.
    var dueNs: UInt64? {
        firstPendingNs.map {
            MonotonicTime.deadlineNs(from: $0, afterMs: settings.scheduleDelayMs)
        }
    }

    func hand(over index: Int, spans: Int, startedNs: UInt64, buildCPUNs: UInt64) {
        let slot = slots[index]
        lastNumber += 1
        let nowNs = TraceClock.monotonicNs
        let record = BatchRecord(
            number: lastNumber, spans: spans, identitySum: slot.body.identitySum,
            contentSum: slot.body.contentSum, outcome: .acknowledged, indeterminate: false,
            attempts: 0, bodyByteCount: slot.body.byteCount, wireByteCount: 0,
            buildStartedNs: startedNs, builtNs: nowNs, buildCPUNs: buildCPUNs,
            firstSentNs: 0, lastSentNs: 0, settledNs: 0, settledCycles: 0,
            timedEndCycles: slot.body.timedEndCycles)
        slot.record = record
        slot.isBusy = true
        let waiting = tail?.waiting
        control.monitor.withLock { state in
            state.ledger.begin(record.totals)
            if let waiting { state.ledger.waiting = waiting }
        }
        if let bodyTap { unsafe bodyTap(RawSpan(_unsafeBytes: slot.body.bytes), spans) }
        let deadlineNs =
            settings.exportTimeoutMs == 0
            ? UInt64.max
            : MonotonicTime.deadlineNs(from: startedNs, afterMs: settings.exportTimeoutMs)
        switch exporter {
        case .http(let http):
            unsafe http.submit(
                slot: index, number: lastNumber, payload: slot.body.bytes, deadlineNs: deadlineNs,
                nowNs: nowNs)
        case .custom(let custom):
            let request = unsafe RawSpan(_unsafeBytes: slot.body.bytes)
            let endNs = min(deadlineNs, shutdownDeadlineNs ?? .max)
            queue.offerRoom()
            let timeoutMs =
                endNs == .max ? Int.max : MonotonicTime.millisecondsLeft(until: endNs, nowNs: nowNs)
            let outcome = custom.export(request: request, spanCount: spans, timeoutMs: timeoutMs)
            settle(
                FinishedExport(
                    slot: index, outcome: outcome, indeterminate: false, attempts: 1,
                    firstSentNs: nowNs, lastSentNs: nowNs, settledNs: TraceClock.monotonicNs,
                    wireByteCount: slot.body.byteCount))
        }
    }

    // MARK: To their end

    private func drive() {
        guard case .http(let http) = exporter else { return }
        http.step(nowNs: TraceClock.monotonicNs)
        while let finished = http.nextFinished() { settle(finished) }
    }

    func settle(_ finished: FinishedExport) {
        let slot = slots[finished.slot]
        guard var record = slot.record else { preconditionFailure("settled a batch twice") }
        record.outcome = finished.outcome
        if case .rejected(let count) = finished.outcome {
            // A server cannot reject more spans than it got.
            record.outcome = .rejected(spans: min(count, UInt64(record.spans)))
        }
        record.indeterminate = finished.indeterminate
        record.attempts = finished.attempts
        record.wireByteCount = finished.wireByteCount
        record.firstSentNs = finished.firstSentNs
        record.lastSentNs = finished.lastSentNs
        record.settledNs = finished.settledNs
        record.settledCycles = TraceClock.cycles
        slot.record = nil
        slot.isBusy = false
        control.monitor.withLock { state in
            state.ledger.settle(record)
            state.durations.add(record)
        }
        observer?(record)
    }

    // MARK: Sleeping

    private func sleep() {
        // Asked for while another flush was draining: its wake-up has been used up.
        if drainingFor == nil, lastRequested > lastDrained { return }
        var untilNs = shutdownDeadlineNs
        if let tail {
            guard prepareSleep(tail, &untilNs) else { return }
        } else if slots.contains(where: { !$0.isBusy }) {
            let pending = queue.pendingCount
            // A body came free after `fill` looked: the drain goes on.
            if drainingFor != nil || shutdownDeadlineNs != nil && pending > 0 { return }
            if pending > 0 {
                if firstPendingNs == nil { firstPendingNs = TraceClock.monotonicNs }
                if let dueNs { untilNs = min(untilNs ?? .max, dueNs) }
            }
            if shutdownDeadlineNs == nil {
                let wanted = pending == 0 ? 1 : dueSpans
                guard queue.armWakeup(pendingAtLeast: wanted) else { return }
            }
        }
        if shutdownDeadlineNs == nil {
            for chore in chores {
                if let dueNs = chore.nextDueNs { untilNs = min(untilNs ?? .max, dueNs) }
            }
        }
        queue.offerRoom()
        let isSignalled: Bool
        switch exporter {
        case .http(let http):
            if let dueNs = http.nextDueNs() { untilNs = min(untilNs ?? .max, dueNs) }
            isSignalled = http.wait(
                eventFileDescriptor: queue.eventFileDescriptor, untilNs: untilNs)
        case .custom:
            isSignalled = MonotonicTime.poll(queue.eventFileDescriptor, untilNs: untilNs)
        }
        wakeups += 1
        queue.disarm()
        if isSignalled { queue.acknowledgeWakeup() }
    }

    // MARK: Ending

    /// - Returns: whether everything is settled and the queue is sealed: the thread is done.
    private func finish() -> Bool {
        guard let deadlineNs = shutdownDeadlineNs else { return false }
        let nowNs = TraceClock.monotonicNs
        if nowNs >= deadlineNs { cutShort(nowNs: nowNs) }
        guard !slots.contains(where: \.isBusy), tail?.isEmpty ?? true, queue.seal() else {
            return false
        }
        if case .custom(let custom) = exporter { custom.shutdown() }
        for chore in chores { chore.runLast() }
        control.monitor.withLockAndSignal { $0.isFinished = true }
        return true
    }

    /// Time is up: what is left is dropped, and counted.
    private func cutShort(nowNs: UInt64) {
        if case .http(let http) = exporter {
            http.abandonAll(nowNs: nowNs)
            while let finished = http.nextFinished() { settle(finished) }
        }
        let (spans, identitySum) = queue.discardPending()
        var totals = FateTotals()
        totals.spans = UInt64(spans)
        totals.identitySum = identitySum
        if let tail { totals.add(tail.dropAll()) }
        control.monitor.withLock { $0.ledger.dropUnsent(totals) }
        publishTail()
    }
}
