// The exporter's side of the queue: when to wake, when to sleep, what is pending.
// One exporter thread calls everything here, but for `wake`, `close` and the counts.
import CThread
import Synchronization

/// Finished spans waiting for an exporter. Made by a `SpanRecorder`; lives as long as that does.
/// Safe because the mutable state below is the exporter thread's alone, as documented.
@safe public final class SpanQueue: @unchecked Sendable {
    let core: CorePointer
    /// The chunk popped from the ring and not yet read to its end.
    var current: UnsafeMutablePointer<Chunk>?
    var segments: [Segment] = []
    var retired: [UnsafeMutablePointer<Chunk>] = unsafe []
    var accumulators = StreamAccumulators()
    var touchedStreams: [Int] = []
    /// Where the next walk over open chunks begins, so that no producer is always first.
    var rotation = 0
    /// Counts drains: open chunks come first in one of four.
    var turn = 0
    /// The last drain ended since the next record did not fit, not since there was none.
    var stoppedForBytes = false
    /// Spans passed over in this drain since no request body could hold them.
    var skippedSpans = 0
    var skippedIdentitySum: UInt64 = 0

    init(core: CorePointer) { unsafe self.core = unsafe core }

    deinit { accumulators.deallocate() }

    /// A descriptor that becomes readable when producers or others want the exporter awake.
    public var eventFileDescriptor: Int32 { unsafe core.pointee.eventFileDescriptor }

    /// The most spans that may wait.
    public var capacitySpans: Int { unsafe core.pointee.queueSpans }

    /// Spans published and not yet drained. Exact at rest; any thread.
    public var pendingCount: Int {
        // Downstream before upstream, so that the difference is never negative.
        let drained = unsafe core.pointee.shared.pointee.drained.load(ordering: .acquiring)
        let skipped = unsafe core.pointee.shared.pointee.skipped.load(ordering: .acquiring)
        var published: UInt64 = 0
        unsafe forEachProducer {
            unsafe published &+= $0.pointee.counters.published.load(ordering: .acquiring)
        }
        return max(0, Int(truncatingIfNeeded: published) - drained - skipped)
    }

    /// How far each producer had published at one moment.
    public struct Mark: Sendable {
        fileprivate var published: [(producer: UInt, spans: UInt64)] = []

        /// A mark before everything.
        public init() {}
    }

    /// Marks what is published now; a later span of any thread is behind the mark. Any thread.
    public func mark() -> Mark {
        var mark = Mark()
        unsafe forEachProducer { producer in
            // acquire: a span whose `end` returned before this call is counted.
            let spans = unsafe producer.pointee.counters.published.load(ordering: .acquiring)
            mark.published.append((UInt(bitPattern: producer), spans))
        }
        return mark
    }

    /// Whether everything before the mark has been drained, whatever has come since: spans of a thread
    /// are drained in order. Exporter thread.
    public func hasDrained(_ mark: Mark) -> Bool {
        mark.published.allSatisfy { entry in
            guard let producer = unsafe ProducerPointer(bitPattern: entry.producer) else {
                return true
            }
            return unsafe producer.pointee.drainedSpans.load(ordering: .relaxed) >= entry.spans
        }
    }

    /// Threads that wait for room: then a partial batch is worth exporting.
    public var hasWaiters: Bool {
        unsafe core.pointee.shared.pointee.waiters.load(ordering: .sequentiallyConsistent) > 0
    }

    /// Lets threads that wait for room look again, all of them. To be called before anything that takes long while
    /// spans are pending: a drain wakes one thread only, which may leave room. Exporter thread.
    public func offerRoom() { unsafe SpanAdmission.offerRoom(core) }

    /// Asks to be woken once `spans` are pending. False, with nothing armed, when they already are or
    /// a thread waits for room: do not sleep then. The exporter may be woken before there are so many, and
    /// has to arm again: threads report what they publish a few at a time until a batch is all but full.
    public func armWakeup(pendingAtLeast spans: Int) -> Bool {
        let shared = unsafe core.pointee.shared
        if spans <= 1 {
            unsafe shared.pointee.signals.bitwiseOr(
                Signal.wakeOnAny, ordering: .sequentiallyConsistent)
        } else {
            armCounted(spans)
        }
        // After this either a producer sees the request, or we see its span.
        _ = tracemill_process_barrier()
        let pending = pendingCount
        guard pending >= spans || (pending > 0 && hasWaiters) else { return true }
        disarm()
        return false
    }

    /// Asks for a wake-up by what threads report. Far from a full batch that is enough; once what they may
    /// keep to themselves could fill it, each span is reported: a batch that fills while its threads come to
    /// rest is not overlooked. For no more than half of a large batch, though: many threads that all keep
    /// much would pay for it with every span, and at work they report in time.
    private func armCounted(_ spans: Int) {
        let shared = unsafe core.pointee.shared
        let unreported = unreportedMax
        let kept = min(unreported, max(spans / 2, 4 * SpanAdmission.creditBatchMax))
        var missing = missingSpans(spans)
        if missing.spans > kept {
            missing.spans -= kept
        } else {
            unsafe shared.pointee.signals.bitwiseOr(
                Signal.reportsEach, ordering: .sequentiallyConsistent)
            // A span is reported from here on, or counts as pending in what follows.
            _ = tracemill_process_barrier()
            missing = missingSpans(spans)
        }
        unsafe shared.pointee.wakeAtReported.store(
            max(1, missing.reported + missing.spans), ordering: .sequentiallyConsistent)
        // Another thread has come meanwhile: it has seen the wish, or we see it.
        if unreportedMax != unreported { wake() }
    }

    /// Spans that are missing to `spans` pending ones, and what was reported before they were counted: what
    /// comes in between makes a wake-up early, never late.
    private func missingSpans(_ spans: Int) -> (reported: Int, spans: Int) {
        let reported = unsafe core.pointee.shared.pointee.reported.load(
            ordering: .sequentiallyConsistent)
        return (reported, spans - pendingCount)
    }

    /// How many published spans threads may not have reported: each up to its credits less one, and one
    /// that came when it was alone as many as there can be.
    private var unreportedMax: Int {
        let threads = unsafe core.pointee.producerCount.load(ordering: .sequentiallyConsistent)
        let each = unsafe SpanAdmission.creditBatch(core) - 1
        return threads * each + (threads > 1 ? SpanAdmission.creditBatchMax - 1 : 0)
    }

    /// Takes back what `armWakeup` asked for.
    public func disarm() {
        unsafe core.pointee.shared.pointee.signals.bitwiseAnd(
            ~(Signal.wakeOnAny | Signal.reportsEach), ordering: .relaxed)
        unsafe core.pointee.shared.pointee.wakeAtReported.store(0, ordering: .relaxed)
    }

    /// Empties the event descriptor after it became readable.
    public func acknowledgeWakeup() {
        _ = unsafe tracemill_eventfd_take(core.pointee.eventFileDescriptor)
    }

    /// Makes the event descriptor readable. Any thread.
    public func wake() { unsafe tracemill_eventfd_signal(core.pointee.eventFileDescriptor) }

    /// Takes no more spans: later starts do not record, later ends count as after shutdown. Any thread.
    public func close() {
        unsafe core.pointee.shared.pointee.signals.bitwiseOr(
            Signal.closed, ordering: .sequentiallyConsistent)
        _ = tracemill_process_barrier()
        unsafe tracemill_gate_lock(core.pointee.gate)
        unsafe tracemill_gate_broadcast(core.pointee.gate)
        unsafe tracemill_gate_unlock(core.pointee.gate)
    }

    /// Settles the race between ends and shutdown, after `close` and a drain: from here on nothing is
    /// taken out. False when something is pending still: drain on, and call again.
    public func seal() -> Bool {
        unsafe tracemill_gate_lock(core.pointee.gate)
        defer { unsafe tracemill_gate_unlock(core.pointee.gate) }
        if pendingCount > 0 { return false }
        unsafe core.pointee.isSealed = true
        return true
    }

    /// Drops what is pending, for a shutdown whose time is up.
    /// - Returns: how many spans, and their identity sum.
    public func discardPending() -> (spans: Int, identitySum: UInt64) {
        var spans = 0
        var identitySum: UInt64 = 0
        while collect(maxSpans: .max, maxBytes: .max) > 0 {
            unsafe forEachRecord { prefix, message in
                spans += 1
                unsafe identitySum &+= SpanChecksum.identity(spanBytes: message)
                _ = prefix
            }
            finishDrain()
        }
        return (spans, identitySum)
    }

    /// The newest producer, the head of their list.
    var firstProducer: ProducerPointer? {
        // acquire: pairs with the release when a producer is added.
        unsafe ProducerPointer(bitPattern: core.pointee.producers.load(ordering: .acquiring))
    }

    func forEachProducer(_ body: (ProducerPointer) -> Void) {
        unsafe forEachProducer(from: firstProducer, body)
    }

    func forEachProducer(from first: ProducerPointer?, _ body: (ProducerPointer) -> Void) {
        var next = unsafe first
        while let producer = unsafe next {
            unsafe body(producer)
            unsafe next = unsafe producer.pointee.nextInList
        }
    }
}
