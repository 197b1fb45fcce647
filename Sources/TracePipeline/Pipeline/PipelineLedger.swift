// Where every ended and sampled span is: the exporter's half of the delivery ledger. The sink keeps
// the other half and shares no code with this one.

import TraceCore

/// Spans that met one fate.
public struct FateTotals: Sendable, Equatable {
    public var spans: UInt64 = 0
    public var batches: UInt64 = 0
    /// Wrapping sum of the spans' identities; 0 unless the recorder keeps sums.
    public var identitySum: UInt64 = 0
    /// Wrapping sum of the spans' contents; 0 unless the recorder keeps sums.
    public var contentSum: UInt64 = 0

    public init() {}

    mutating func add(_ other: FateTotals) {
        spans += other.spans
        batches += other.batches
        identitySum &+= other.identitySum
        contentSum &+= other.contentSum
    }

    mutating func subtract(_ other: FateTotals) {
        spans -= other.spans
        batches -= other.batches
        identitySum &-= other.identitySum
        contentSum &-= other.contentSum
    }
}

/// A consistent look at the pipeline's books.
///
/// At rest (after a flush, with no span being ended) `endedSampled == accounted`: conservation law
/// L2. While spans are being ended `endedSampled >= accounted`.
public struct PipelineLedger: Sendable, Equatable {
    /// Spans ended and sampled: what has to be accounted for.
    public var endedSampled: UInt64 = 0
    /// In the queue.
    public var queued: UInt64 = 0
    /// In the tail stage: undecided, or kept and in no request body yet.
    public var waiting = FateTotals()
    /// Given up by the tail stage: its trace was not kept, or let go undecided for want of room.
    public var discardedByTail = FateTotals()
    /// In a request body: being sent, waiting for a connection or to be tried again.
    public var inFlight = FateTotals()
    /// In batches that the server took whole.
    public var acknowledged = FateTotals()
    /// In batches of which the server rejected a part: `spans` counts those it kept. The sums are of
    /// the whole batches, since a partial success does not say which spans it means.
    public var partlyAcknowledged = FateTotals()
    /// Spans that the server rejected in those batches.
    public var rejected: UInt64 = 0
    /// In batches given up, by reason.
    public var refused = FateTotals()
    public var retriesExhausted = FateTotals()
    public var oversize = FateTotals()
    public var shutdown = FateTotals()
    /// Dropped at their end, before any batch: the queue was full; the queue was closed; larger than
    /// any request may be.
    public var queueFull: UInt64 = 0
    public var afterShutdown: UInt64 = 0
    public var spansTooLarge: UInt64 = 0
    /// Sum of identities over these three; 0 unless the recorder keeps sums.
    public var droppedAtEndIdentitySum: UInt64 = 0

    /// Spans put into batches so far, whatever became of them; for a custom processor: handed over.
    public var submitted: UInt64 = 0
    /// Of `shutdown`: spans that were in no batch yet.
    public var unsent: UInt64 = 0
    /// Spans that a custom processor saw beside these, since they are only recorded.
    public var recordedOnly: UInt64 = 0

    /// Of the batches given up: those that the server may have taken all the same.
    public var indeterminate = FateTotals()
    /// Requests made, and connects that failed.
    public var attempts: UInt64 = 0
    /// Spans sent again, each time: no more than these can be duplicates at the server.
    public var spansResent: UInt64 = 0
    /// Bytes of request bodies settled so far, before and after compression, once a batch.
    public var bodyBytes: UInt64 = 0
    public var wireBytes: UInt64 = 0

    public init() {}

    /// Spans lost after their end, for whatever reason; what a tail stage discards is not lost.
    public var dropped: UInt64 {
        refused.spans + retriesExhausted.spans + oversize.spans + shutdown.spans
            + queueFull + afterShutdown + spansTooLarge
    }

    /// Spans whose place is known.
    public var accounted: UInt64 {
        queued + waiting.spans + discardedByTail.spans + inFlight.spans + acknowledged.spans
            + partlyAcknowledged.spans + rejected + dropped
    }

    /// Conservation law L2; to be asked at rest.
    public var isBalanced: Bool { endedSampled == accounted }

    mutating func begin(_ batch: FateTotals) {
        inFlight.add(batch)
        submitted += batch.spans
    }

    mutating func settle(_ record: BatchRecord) {
        var batch = record.totals
        inFlight.subtract(batch)
        attempts += UInt64(record.attempts)
        spansResent += UInt64(max(0, record.attempts - 1)) * batch.spans
        bodyBytes += UInt64(record.bodyByteCount)
        wireBytes += UInt64(record.wireByteCount)
        switch record.outcome {
        case .acknowledged:
            acknowledged.add(batch)
        case .rejected(let count):
            rejected += count
            batch.spans -= count
            partlyAcknowledged.add(batch)
        case .dropped(let reason):
            if record.indeterminate { indeterminate.add(batch) }
            drop(batch, reason)
        }
    }

    mutating func drop(_ batch: FateTotals, _ reason: DropReason) {
        switch reason {
        case .refused: refused.add(batch)
        case .retriesExhausted: retriesExhausted.add(batch)
        case .oversize: oversize.add(batch)
        case .shutdown: shutdown.add(batch)
        }
    }

    /// Drops what was pending when a shutdown's time was up.
    mutating func dropUnsent(_ pending: FateTotals) {
        unsent += pending.spans
        drop(pending, .shutdown)
    }

    /// Fills in what the core counts. Called after the batches were read: downstream before upstream.
    mutating func add(_ counters: CoreCounters) {
        endedSampled = counters.endedSampled
        queued = counters.queued
        queueFull = counters.droppedQueueFull
        afterShutdown = counters.droppedAfterShutdown
        spansTooLarge = counters.droppedOversize
        droppedAtEndIdentitySum = counters.droppedIdentitySum
    }
}

/// One processor's books, and whose they are.
public struct ProcessorLedger: Sendable, Equatable {
    /// Unique in a pipeline: the processor's `otel.component.name`, as `batching_span_processor/0`.
    public var name: String
    public var ledger: PipelineLedger
}

/// One batch from its building to its end, handed to the observer as it is settled.
public struct BatchRecord: Sendable {
    /// Counts from 1; what the `tracemill-batch` header says. A batch keeps its number when resent.
    public var number: UInt64
    public var spans: Int
    /// Sums over its spans; 0 unless the recorder keeps sums.
    public var identitySum: UInt64
    public var contentSum: UInt64
    public var outcome: BatchOutcome
    /// A request may have been taken by the server although it did not say so. Of a batch given up:
    /// the server may have its spans. Of an acknowledged one: it may have them twice.
    public var indeterminate: Bool
    public var attempts: Int
    public var bodyByteCount: Int
    /// As sent, after compression.
    public var wireByteCount: Int
    /// When building began and was done, CLOCK_MONOTONIC nanoseconds, as all times here.
    public var buildStartedNs: UInt64
    public var builtNs: UInt64
    /// The exporter thread's CPU time in between: what building cost, whoever else wanted the core.
    public var buildCPUNs: UInt64
    /// When the first and the last request were begun; 0 when none was.
    public var firstSentNs: UInt64
    public var lastSentNs: UInt64
    public var settledNs: UInt64
    /// The cycle counter when it was settled, to compare with `timedEndCycles`.
    public var settledCycles: UInt64
    /// The cycle counter at the end of each of its timed spans.
    public var timedEndCycles: [UInt64]

    var totals: FateTotals {
        var totals = FateTotals()
        totals.spans = UInt64(spans)
        totals.batches = 1
        totals.identitySum = identitySum
        totals.contentSum = contentSum
        return totals
    }
}

/// Called on the exporter thread as each batch is settled; must not block, nor flush or shut down.
public typealias BatchObserver = @Sendable (BatchRecord) -> Void
