// The exporter thread with a tail stage in it: from the queue into the stage, from there into batches.

import TraceCore

extension ExportLoop {
    /// Decisions fall together that are due within this time, ns: each would wake the thread otherwise.
    private static let decisionSlackNs: UInt64 = 100_000_000

    /// Takes spans in, decides what is due, and hands over batches of what is kept, as long as there is any
    /// of it to do.
    func fill(through tail: TailStage) {
        while true {
            let nowNs = TraceClock.monotonicNs
            if let deadlineNs = shutdownDeadlineNs, nowNs >= deadlineNs { break }
            // Before spans come in: what is due by now was decided without them.
            tail.decideDue(nowNs: nowNs)
            let isMorePending = takeIn(to: tail, nowNs: nowNs)
            if tail.releasedSpans > 0, firstReleasedNs == nil { firstReleasedNs = nowNs }
            let handedOver = handOver(from: tail, nowNs: nowNs)
            completeKept(tail)
            // One that blocks has no bound on batches in flight: look at requests in between.
            if case .custom = exporter, handedOver { break }
            if !isMorePending, !handedOver { break }
        }
        publishTail()
    }

    /// - Returns: whether there is more to take in at once.
    private func takeIn(to tail: TailStage, nowNs: UInt64) -> Bool {
        guard tail.takesMore else { return false }
        let pending = queue.pendingCount
        if pending > 0, firstPendingNs == nil { firstPendingNs = nowNs }
        let isDraining = drainingFor != nil || shutdownDeadlineNs != nil
        guard isDraining || isDue(pending, nowNs: nowNs) else {
            if pending == 0 { firstPendingNs = nil }
            return false
        }
        let isAll = tail.takeIn(nowNs: nowNs)
        if isAll { firstPendingNs = nil }
        // The queue is closed: nobody adds to a trace any more.
        if isAll, shutdownDeadlineNs != nil { tail.decideAll() }
        if let ticket = drainingFor, isAll || queue.hasDrained(drainMark) {
            // Under simulated time what came in may have made traces due.
            tail.decideDue(nowNs: nowNs)
            keptFlushes.append((ticket, tail.releasedTotal))
            lastDrained = ticket
            drainingFor = nil
        }
        return !isAll
    }

    /// Whether kept spans are worth a batch now.
    private func isReleaseDue(_ tail: TailStage, nowNs: UInt64) -> Bool {
        let released = tail.releasedSpans
        guard released > 0 else { return false }
        if released >= settings.batchSpans || !keptFlushes.isEmpty || shutdownDeadlineNs != nil {
            return true
        }
        // Threads wait for room in the queue, and the stage takes nothing in.
        return !tail.takesMore || releaseDueNs.map { nowNs >= $0 } ?? false
    }

    private var releaseDueNs: UInt64? {
        firstReleasedNs.map {
            MonotonicTime.deadlineNs(from: $0, afterMs: settings.scheduleDelayMs)
        }
    }

    /// - Returns: whether a batch was handed over.
    private func handOver(from tail: TailStage, nowNs: UInt64) -> Bool {
        var handedOver = false
        while isReleaseDue(tail, nowNs: nowNs),
            let index = slots.firstIndex(where: { !$0.isBusy })
        {
            let startedNs = TraceClock.monotonicNs
            let startedCPUNs = MonotonicTime.threadCPUNs
            let spans = tail.fill(&slots[index].body, spans: settings.batchSpans)
            let buildCPUNs = MonotonicTime.threadCPUNs - startedCPUNs
            hand(over: index, spans: spans, startedNs: startedNs, buildCPUNs: buildCPUNs)
            firstReleasedNs = tail.releasedSpans > 0 ? nowNs : nil
            completeKept(tail)
            handedOver = true
            if case .custom = exporter { break }
        }
        return handedOver
    }

    /// Flushes whose kept spans are all in batches wait for these from here on.
    private func completeKept(_ tail: TailStage) {
        while let flush = keptFlushes.first, flush.released <= tail.filledTotal {
            drainedFlushes.append((flush.ticket, lastNumber))
            keptFlushes.removeFirst()
        }
    }

    /// Enters what the stage holds and has decided.
    func publishTail() {
        guard let tail else { return }
        let (waiting, discarded, figures) = (tail.waiting, tail.discarded, tail.figures)
        control.monitor.withLock { state in
            state.ledger.waiting = waiting
            state.ledger.discardedByTail = discarded
            state.tail = figures
        }
    }

    /// Asks for wake-ups and says how long the thread may sleep. False: it may not.
    func prepareSleep(_ tail: TailStage, _ untilNs: inout UInt64?) -> Bool {
        let nowNs = TraceClock.monotonicNs
        func wake(at ns: UInt64) { untilNs = min(untilNs ?? .max, ns) }
        if slots.contains(where: { !$0.isBusy }) {
            if isReleaseDue(tail, nowNs: nowNs) { return false }
            if let releaseDueNs, tail.releasedSpans > 0 { wake(at: releaseDueNs) }
        }
        if let deadlineNs = tail.nextDeadlineNs, shutdownDeadlineNs == nil {
            wake(
                at: deadlineNs
                    &+ min(Self.decisionSlackNs, UInt64(settings.scheduleDelayMs) * 1_000_000))
        }
        // Room comes with a batch that is settled.
        guard tail.takesMore else { return true }
        let pending = queue.pendingCount
        if drainingFor != nil { return false }
        if shutdownDeadlineNs != nil { return pending == 0 && !tail.hasWaiting }
        if pending > 0 {
            if firstPendingNs == nil { firstPendingNs = nowNs }
            if let dueNs { wake(at: dueNs) }
        }
        return queue.armWakeup(pendingAtLeast: pending == 0 ? 1 : dueSpans)
    }
}
