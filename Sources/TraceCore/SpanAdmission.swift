// The way of a finished record into the queue: credits bound the spans, chunks hold the bytes.
import CThread
import Glibc
import Synchronization

/// Why a finished span did not get into the queue.
enum AdmissionFailure {
    case queueFull
    case closed
    case oversize
}

enum SpanAdmission {
    /// The largest Span message that can be exported: a request must stay under 64 MiB.
    static let spanBytesMax = (64 << 20) - (1 << 16)

    static let creditBatchMax = 32

    /// How many spans a thread may publish on one look at the shared counter: a share of an eighth of
    /// the queue among the threads there are, at most 32. Queues of up to 15 spans count exactly; in
    /// larger ones idle threads may hold some of the room (an eighth with one thread, and never all of
    /// it: threads that came when there were few hold more).
    static func creditBatch(_ core: CorePointer) -> Int {
        let threads = unsafe max(1, core.pointee.producerCount.load(ordering: .relaxed))
        return unsafe max(1, min(creditBatchMax, core.pointee.queueSpans / (8 * threads)))
    }

    /// Gets credits from the shared counter; waits for room when the queue is set to block.
    @inline(never)
    static func refill(_ core: CorePointer, _ producer: ProducerPointer) -> AdmissionFailure? {
        let shared = unsafe core.pointee.shared
        let capacity = unsafe core.pointee.queueSpans
        let wanted = unsafe creditBatch(core)
        var admitted = unsafe shared.pointee.admitted.load(ordering: .relaxed)
        while true {
            let take = min(wanted, capacity - admitted)
            if take > 0 {
                let (exchanged, current) = unsafe shared.pointee.admitted.weakCompareExchange(
                    expected: admitted, desired: admitted + take, ordering: .relaxed)
                if exchanged {
                    unsafe producer.pointee.credits = take
                    unsafe producer.pointee.reportedCredits = take
                    if let chunk = unsafe producer.pointee.chunk {
                        unsafe producer.pointee.chunkLimit = unsafe chunk.pointee.capacityBytes
                    }
                    return nil
                }
                admitted = current
                continue
            }
            guard unsafe mayWait(core, producer) else { return unsafe fullFailure(core) }
            if unsafe !waitForRoom(
                core,
                until: {
                    unsafe shared.pointee.admitted.load(ordering: .sequentiallyConsistent)
                        < capacity
                })
            {
                return .closed
            }
            admitted = unsafe shared.pointee.admitted.load(ordering: .relaxed)
        }
    }

    /// Whether this thread waits for room.
    private static func mayWait(_ core: CorePointer, _ producer: ProducerPointer) -> Bool {
        unsafe core.pointee.blocksWhenFull && !producer.pointee.neverWaits
    }

    /// What became of a span that found no room: after shutdown nobody makes any, so that is the reason.
    private static func fullFailure(_ core: CorePointer) -> AdmissionFailure {
        let signals = unsafe core.pointee.shared.pointee.signals.load(ordering: .relaxed)
        return signals & Signal.closed != 0 ? .closed : .queueFull
    }

    /// Sleeps until the exporter made room. False when the queue closed meanwhile.
    private static func waitForRoom(_ core: CorePointer, until hasRoom: () -> Bool) -> Bool {
        let shared = unsafe core.pointee.shared
        unsafe tracemill_gate_lock(core.pointee.gate)
        defer { unsafe tracemill_gate_unlock(core.pointee.gate) }
        // seq_cst: pairs with the one in releaseRoom(); either it sees a waiter or we see the room.
        unsafe shared.pointee.waiters.add(1, ordering: .sequentiallyConsistent)
        defer { unsafe shared.pointee.waiters.subtract(1, ordering: .relaxed) }
        while !hasRoom() {
            if unsafe shared.pointee.signals.load(ordering: .acquiring) & Signal.closed != 0 {
                return false
            }
            // Each time: another thread may have filled the room that woke us, and be gone.
            unsafe tracemill_eventfd_signal(core.pointee.eventFileDescriptor)
            unsafe tracemill_gate_wait(core.pointee.gate)
        }
        return true
    }

    /// The exporter took `spans` out: room for as many. While there is more to take out, one thread that waits is
    /// woken for each drain: it fills the room while the exporter drains on. Were it all of them, most would find
    /// the room gone and fall asleep again; on two cores, thirty-two threads then did seven tenths of what two did.
    /// What the one leaves is offered to all before the exporter does anything else; see `offerRoom`.
    ///
    /// - Parameter hasMore: whether spans are pending still, so that there will be another drain; asked only when
    ///   somebody waits.
    static func releaseRoom(_ core: CorePointer, spans: Int, hasMore: () -> Bool) {
        let shared = unsafe core.pointee.shared
        unsafe shared.pointee.admitted.subtract(spans, ordering: .sequentiallyConsistent)
        guard unsafe shared.pointee.waiters.load(ordering: .sequentiallyConsistent) > 0 else {
            return
        }
        guard hasMore() else { return unsafe offerRoom(core) }
        unsafe tracemill_gate_lock(core.pointee.gate)
        unsafe tracemill_gate_signal(core.pointee.gate)
        unsafe tracemill_gate_unlock(core.pointee.gate)
    }

    /// Lets every thread that waits for room look again.
    static func offerRoom(_ core: CorePointer) {
        let shared = unsafe core.pointee.shared
        guard unsafe shared.pointee.waiters.load(ordering: .sequentiallyConsistent) > 0 else {
            return
        }
        unsafe tracemill_gate_lock(core.pointee.gate)
        unsafe tracemill_gate_broadcast(core.pointee.gate)
        unsafe tracemill_gate_unlock(core.pointee.gate)
    }

    /// Gives unused credits back: the thread ends.
    static func returnCredits(_ core: CorePointer, _ producer: ProducerPointer) {
        unsafe report(core, producer)
        if unsafe producer.pointee.credits > 0 {
            unsafe releaseRoom(core, spans: producer.pointee.credits) { false }
            unsafe producer.pointee.credits = 0
            unsafe producer.pointee.reportedCredits = 0
            unsafe producer.pointee.chunkLimit = 0
        }
    }

    /// Tells the shared counter what this thread published since it last did, and wakes the exporter
    /// when that fills the batch it waits for.
    @inline(never)
    static func report(_ core: CorePointer, _ producer: ProducerPointer) {
        let spans = unsafe producer.pointee.reportedCredits - producer.pointee.credits
        unsafe producer.pointee.reportedCredits = unsafe producer.pointee.credits
        guard spans > 0 else { return }
        let shared = unsafe core.pointee.shared
        let reported = unsafe shared.pointee.reported.add(spans, ordering: .sequentiallyConsistent)
            .newValue
        let wakeAt = unsafe shared.pointee.wakeAtReported.load(ordering: .sequentiallyConsistent)
        if wakeAt != 0, reported >= wakeAt,
            unsafe shared.pointee.wakeAtReported.exchange(0, ordering: .relaxed) != 0
        {
            unsafe tracemill_eventfd_signal(core.pointee.eventFileDescriptor)
        }
    }

    /// Room for a record in this thread's open chunk, opening another when it is full.
    @inline(__always)
    static func reserve(
        _ core: CorePointer, _ producer: ProducerPointer, recordBytes: Int
    ) -> Result<UnsafeMutableRawPointer, AdmissionError> {
        if unsafe producer.pointee.credits == 0, let failure = unsafe refill(core, producer) {
            return unsafe .failure(AdmissionError(failure: failure))
        }
        if unsafe producer.pointee.chunkBytes &+ recordBytes > producer.pointee.chunkLimit,
            let failure = unsafe openChunk(core, producer, recordBytes: recordBytes)
        {
            return unsafe .failure(AdmissionError(failure: failure))
        }
        let chunk = unsafe producer.pointee.chunk.unsafelyUnwrapped
        return unsafe .success(Chunk.records(chunk) + producer.pointee.chunkBytes)
    }

    /// Sends the full chunk on its way and opens an empty one.
    @inline(never)
    private static func openChunk(
        _ core: CorePointer, _ producer: ProducerPointer, recordBytes: Int
    ) -> AdmissionFailure? {
        let isOwn = recordBytes > ChunkPool.recordBytesMax
        if isOwn, unsafe !core.pointee.chunks.canEverHold(recordBytes: recordBytes) {
            return .oversize
        }
        let producers = unsafe core.pointee.producerCount.load(ordering: .relaxed)
        var taken =
            unsafe isOwn
            ? core.pointee.chunks.takeOwn(recordBytes: recordBytes)
            : core.pointee.chunks.take(producers: producers)
        while unsafe taken == nil {
            guard unsafe mayWait(core, producer) else { return unsafe fullFailure(core) }
            // Chunks come back when the exporter drains; it signals room for each drain.
            let waited = unsafe waitForRoom(core) {
                unsafe taken =
                    unsafe isOwn
                    ? core.pointee.chunks.takeOwn(recordBytes: recordBytes)
                    : core.pointee.chunks.take(producers: producers)
                return unsafe taken != nil
            }
            if !waited, unsafe taken == nil { return .closed }
        }
        guard let chunk = unsafe taken else { return .queueFull }
        let old = unsafe producer.pointee.chunk
        unsafe chunk.pointee.producer = unsafe producer
        unsafe chunk.pointee.sequence = unsafe producer.pointee.nextSequence
        unsafe producer.pointee.nextSequence &+= 1
        unsafe producer.pointee.chunk = unsafe chunk
        unsafe producer.pointee.chunkBytes = 0
        unsafe producer.pointee.chunkLimit = unsafe chunk.pointee.capacityBytes
        // release: the exporter that reads the pointer sees sequence and producer. Before the old chunk
        // goes: once in the ring it may be read, recycled or unmapped, and must not be found here.
        unsafe producer.pointee.openChunk.store(UInt(bitPattern: chunk), ordering: .releasing)
        if let old = unsafe old { unsafe sendOff(core, old) }
        return nil
    }

    private static func sendOff(_ core: CorePointer, _ chunk: UnsafeMutablePointer<Chunk>) {
        let pushed = unsafe core.pointee.chunks.full.push(UInt(bitPattern: chunk))
        precondition(pushed, "the full ring has a cell for every chunk")
    }

    /// Sends off a chunk made for one large record at once: kept open it would hold its memory until
    /// this thread's next span.
    @inline(never)
    static func sendOffOwnChunk(_ core: CorePointer, _ producer: ProducerPointer) {
        guard let own = unsafe producer.pointee.chunk, unsafe own.pointee.ownBytes > 0
        else { return }
        unsafe producer.pointee.chunk = nil
        unsafe producer.pointee.chunkBytes = 0
        unsafe producer.pointee.chunkLimit = 0
        unsafe producer.pointee.openChunk.store(0, ordering: .releasing)
        unsafe sendOff(core, own)
    }

    /// Publishes the record that was written at the reserved place.
    @inline(__always)
    static func publish(_ core: CorePointer, _ producer: ProducerPointer, recordBytes: Int) {
        let start = unsafe producer.pointee.chunkBytes
        let end = start &+ recordBytes
        unsafe producer.pointee.chunkBytes = end
        let chunk = unsafe producer.pointee.chunk.unsafelyUnwrapped
        // The exporter read the lines ahead last: by the time they are written they should be on their
        // way back. A few records ahead, since one is written in less time than a line takes.
        unsafe tracemill_prefetch_write(Chunk.records(chunk) + end + 1024)
        // Counted before it can be drained: drained may never exceed published, not for a moment.
        unsafe ProducerCounters.bump(producer.pointee.counters.published)
        // release: publishes the record's bytes; pairs with the acquire in the exporter's scan.
        unsafe chunk.pointee.publishedBytes.store(end, ordering: .releasing)
        unsafe producer.pointee.credits &-= 1
    }

    /// After publishing: tells the exporter when it asked, and notices a shutdown. The last thing a call does.
    @inline(__always)
    static func finish(_ core: CorePointer, _ producer: ProducerPointer, recordBytes: Int) {
        // The exporter sets a signal, passes a barrier in every thread, then looks at the chunks: so
        // either it sees the record, or this load sees the signal.
        tracemill_keep_order()
        let signals = unsafe producer.pointee.shared.pointee.signals.load(ordering: .relaxed)
        if unsafe signals != 0 || producer.pointee.credits == 0 {
            unsafe finishUnusual(core, producer, recordBytes: recordBytes)
        }
    }

    @inline(never)
    private static func finishUnusual(
        _ core: CorePointer, _ producer: ProducerPointer, recordBytes: Int
    ) {
        if unsafe producer.pointee.credits == 0 {
            unsafe report(core, producer)
            unsafe producer.pointee.chunkLimit = 0
        }
        let shared = unsafe producer.pointee.shared
        // Where there is no such barrier, and this bit is always set: fence, and look again.
        if unsafe shared.pointee.signals.load(ordering: .relaxed) & Signal.fences != 0 {
            tracemill_fence()
        }
        let signals = unsafe shared.pointee.signals.load(ordering: .relaxed)
        if signals != 0 {
            let end = unsafe producer.pointee.chunkBytes
            unsafe published(core, producer, signals: signals, start: end &- recordBytes, end: end)
        }
    }

    @inline(never)
    private static func published(
        _ core: CorePointer, _ producer: ProducerPointer, signals: UInt32, start: Int, end: Int
    ) {
        if signals & Signal.reportsEach != 0 { unsafe report(core, producer) }
        if signals & Signal.wakeOnAny != 0 {
            let old = unsafe core.pointee.shared.pointee.signals.bitwiseAnd(
                ~Signal.wakeOnAny, ordering: .relaxed
            ).oldValue
            if old & Signal.wakeOnAny != 0 {
                unsafe tracemill_eventfd_signal(core.pointee.eventFileDescriptor)
            }
        }
        if signals & Signal.closed != 0 {
            unsafe retractIfLate(core, producer, start: start, end: end)
        } else if signals & Signal.afterEnd != 0, let hook = unsafe core.pointee.afterEnd {
            unsafe Unmanaged<AfterEndHook>.fromOpaque(hook).takeUnretainedValue().body()
        }
    }

    /// The queue closed around this span: if the last drain passed it by, it counts as after shutdown.
    private static func retractIfLate(
        _ core: CorePointer, _ producer: ProducerPointer, start: Int, end: Int
    ) {
        unsafe tracemill_gate_lock(core.pointee.gate)
        defer { unsafe tracemill_gate_unlock(core.pointee.gate) }
        guard unsafe core.pointee.isSealed, let chunk = unsafe producer.pointee.chunk,
            unsafe chunk.pointee.consumedBytes < end
        else { return }
        let record = unsafe Chunk.records(chunk) + start + RecordPrefix.bytes
        unsafe producer.pointee.chunkBytes = start
        unsafe chunk.pointee.publishedBytes.store(start, ordering: .releasing)
        unsafe ProducerCounters.bump(producer.pointee.counters.published, by: 0 &- 1)
        // The next late one comes here, too, and is not taken for one that found no room.
        unsafe producer.pointee.credits &+= 1
        unsafe countDrop(core, producer, .closed, spanBytes: record)
    }

    /// Counts a span that will never be exported, with its identity for the ledger.
    static func countDrop(
        _ core: CorePointer, _ producer: ProducerPointer, _ failure: AdmissionFailure,
        spanBytes: UnsafeRawPointer
    ) {
        switch failure {
        case .queueFull: unsafe ProducerCounters.bump(producer.pointee.counters.droppedQueueFull)
        case .closed: unsafe ProducerCounters.bump(producer.pointee.counters.droppedAfterShutdown)
        case .oversize: unsafe ProducerCounters.bump(producer.pointee.counters.droppedOversize)
        }
        if unsafe core.pointee.sumsChecked {
            unsafe ProducerCounters.bump(
                producer.pointee.counters.droppedIdentitySum,
                by: SpanChecksum.identity(spanBytes: spanBytes))
        }
    }
}

/// A failure as an error, so that a reservation is a Result.
struct AdmissionError: Error {
    var failure: AdmissionFailure
}

/// What runs after every published span.
final class AfterEndHook: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

extension SpanChecksum {
    /// The identity of the span whose message begins at `spanBytes` (ids stand at fixed offsets).
    @inline(__always)
    static func identity(spanBytes: UnsafeRawPointer) -> UInt64 {
        let high = unsafe UInt64(
            bigEndian: spanBytes.loadUnaligned(
                fromByteOffset: SlotLayout.traceIDOffset, as: UInt64.self))
        let low = unsafe UInt64(
            bigEndian: spanBytes.loadUnaligned(
                fromByteOffset: SlotLayout.traceIDOffset + 8, as: UInt64.self))
        let span = unsafe UInt64(
            bigEndian: spanBytes.loadUnaligned(
                fromByteOffset: SlotLayout.spanIDOffset, as: UInt64.self))
        return identity(TraceID(high: high, low: low), SpanID(rawValue: span))
    }
}
