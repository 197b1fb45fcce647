// Tail sampling in the exporter thread: what is held, who decides, and what of it is in the books.

import TraceCore

/// One processor's tail stage. Exporter thread only.
package final class TailStage {
    /// Spans taken out of the queue at once: their bytes are in the core's own cache when they are copied.
    static let intakeSpans = 512

    private var hold: TraceHold
    private let program: TailProgram
    private let queue: SpanQueue
    private let bodyBytesMax: Int
    private var usedBytesMax = 0
    /// Kept spans so far, and those of them that went into bodies.
    private(set) var filledTotal: UInt64 = 0

    package init(
        _ settings: TailSampling, queue: SpanQueue, bodyBytesMax: Int, pages: any PageSource
    ) throws(ConfigurationError) {
        self.queue = queue
        self.bodyBytesMax = bodyBytesMax
        program = try TailProgram(settings) { queue.resourceBytes(of: $0) }
        hold = TraceHold(
            sizes: settings.holdSizes, waitNs: UInt64(settings.decisionWaitMs) * 1_000_000,
            queue: queue, pages: pages)
    }

    var takesMore: Bool { hold.takesMore }
    var isEmpty: Bool { hold.isEmpty }
    var hasWaiting: Bool { hold.waitingTraces > 0 }
    package var releasedSpans: Int { hold.releasedSpans }
    /// Kept spans so far.
    var releasedTotal: UInt64 { filledTotal + UInt64(hold.releasedSpans) }
    /// When the next trace's wait is over; nil: not by the clock.
    var nextDeadlineNs: UInt64? { hold.nextDeadlineNs }

    /// - Returns: whether every span that had ended before is in.
    @discardableResult
    package func takeIn(nowNs: UInt64) -> Bool {
        let taken = hold.takeIn(
            queue, spans: Self.intakeSpans, nowNs: nowNs, bodyBytesMax: bodyBytesMax, program)
        usedBytesMax = max(usedBytesMax, hold.usedBytes)
        return taken < Self.intakeSpans
    }

    package func decideDue(nowNs: UInt64) { hold.decideDue(nowNs: nowNs, program) }

    package func decideAll() { hold.decideAll(program) }

    package func fill(_ body: inout ExportBody, spans: Int) -> Int {
        let filled = hold.fill(&body, spans: spans, through: queue)
        filledTotal += UInt64(filled)
        return filled
    }

    /// Gives up all that is held; how much that was.
    func dropAll() -> FateTotals { FateTotals(hold.dropAll()) }

    // MARK: Books

    /// Held: undecided, or kept and in no request yet.
    var waiting: FateTotals {
        var totals = FateTotals(hold.counts.waiting)
        totals.add(FateTotals(hold.counts.released))
        return totals
    }

    var discarded: FateTotals { FateTotals(hold.counts.discarded) }

    package var figures: TailFigures {
        let counts = hold.counts
        var figures = TailFigures()
        figures.decisions = program.decisions
        figures.unwantedTraces = program.unwantedTraces
        figures.traces = counts.traces
        figures.keptTraces = counts.keptTraces
        figures.droppedTraces = counts.droppedTraces
        figures.droppedTooEarlyTraces = counts.letGoTraces
        figures.droppedTooEarlySpans = counts.letGoSpans
        figures.droppedForMemoryTraces = counts.letGoForMemoryTraces
        figures.lateKeptSpans = counts.lateKept
        figures.lateDroppedSpans = counts.lateDropped
        figures.lateAges = program.lateAges
        figures.waitingTraces = UInt64(hold.waitingTraces)
        figures.waitingSpans = counts.waiting.count
        figures.releasedSpans = counts.released.count
        figures.keptDecisions = UInt64(hold.keptDecisions)
        figures.droppedDecisions = UInt64(hold.droppedDecisions)
        figures.usedBytes = UInt64(hold.usedBytes)
        figures.usedBytesMax = UInt64(usedBytesMax)
        return figures
    }
}

extension FateTotals {
    fileprivate init(_ spans: TraceHoldCounts.Spans) {
        self.init()
        self.spans = spans.count
        identitySum = spans.identitySum
    }
}
