// What one thread keeps of one recorder: its open chunk, free slots, credits, ids, clock anchor, counters.
// Owned by that thread; the exporter reads the atomics. When the thread ends, the next new thread takes
// over the whole of it, open chunk and all, so nothing is ever taken down.
import CThread
import Synchronization

/// Counters with one writer each: a plain load and store, no locked instruction. Any thread may read.
struct ProducerCounters: ~Copyable {
    let startCalls = Atomic<UInt64>(0)
    let notRecordedSampler = Atomic<UInt64>(0)
    let notRecordedStoreFull = Atomic<UInt64>(0)
    let notRecordedAfterShutdown = Atomic<UInt64>(0)
    let notRecordedDisabled = Atomic<UInt64>(0)
    let notRecordedForked = Atomic<UInt64>(0)
    let recording = Atomic<UInt64>(0)
    /// Of `recording`, those that are not sampled.
    let recordingOnly = Atomic<UInt64>(0)
    /// Ends of the usual kind, all of them sampled; the next two count the others.
    let endedUsual = Atomic<UInt64>(0)
    let ended = Atomic<UInt64>(0)
    let endedSampled = Atomic<UInt64>(0)
    /// Taken out by the sweeper without an end.
    let sweptDropped = Atomic<UInt64>(0)
    /// Of `ended`, those that the sweeper ended.
    let sweptEnded = Atomic<UInt64>(0)
    /// Of `endedSampled`, those that had lost something to their limits.
    let endedOverLimit = Atomic<UInt64>(0)
    let published = Atomic<UInt64>(0)
    let droppedQueueFull = Atomic<UInt64>(0)
    let droppedAfterShutdown = Atomic<UInt64>(0)
    let droppedOversize = Atomic<UInt64>(0)
    let droppedIdentitySum = Atomic<UInt64>(0)

    @inline(__always)
    static func bump(_ counter: borrowing Atomic<UInt64>, by amount: UInt64 = 1) {
        counter.store(counter.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }
}

/// Draws ids: MWC128 with the exclusive or of its words as output, period about 2¹²⁷; four instructions a number.
/// Source: Marsaglia, "Multiply-With-Carry generators"; multiplier by Vigna (prng.di.unimi.it, MWC128).
struct IDGenerator {
    var x: UInt64 = 0
    var carry: UInt64 = 0

    private static let multiplier: UInt64 = 0xffeb_b71d_94fc_daf9

    mutating func seed() {
        unsafe withUnsafeMutableBytes(of: &self) { bytes in
            unsafe tracemill_random_bytes(bytes.baseAddress!, UInt64(bytes.count))
        }
        // Below the multiplier, and not zero: no state of the two that stay as they are.
        carry = carry >> 1 | 1
    }

    @inline(__always)
    mutating func next() -> UInt64 {
        let (high, low) = Self.multiplier.multipliedFullWidth(by: x)
        let (sum, overflow) = low.addingReportingOverflow(carry)
        x = sum
        carry = high &+ (overflow ? 1 : 0)
        return x ^ carry
    }

    /// Never zero, since an id of zero is invalid: one in its stead.
    @inline(__always)
    mutating func nextNonZero() -> UInt64 {
        let value = next()
        return value &+ (value == 0 ? 1 : 0)
    }
}

@safe struct Producer: ~Copyable {
    enum Owner {
        static let none: UInt32 = 0
        static let thread: UInt32 = 1
    }
    /// The number of no thread; one that has not been numbered has 0.
    static let nobody = UInt64.max

    // Not an atomic first: the thread sanitizer takes any change of the struct for a change of its first
    // byte.
    let core: UnsafeMutablePointer<RecorderCore>
    /// The core's.
    let shared: UnsafeMutablePointer<SharedWords>
    let owner: Atomic<UInt32>
    /// The next in the recorder's list; never changes once it is in.
    var nextInList: UnsafeMutablePointer<Producer>?
    /// The slot this thread is in without a lock, see `SlotHold`; 0 when in none.
    let hazard: Atomic<UInt>
    /// Number of the thread that owns this, or `nobody`. Only that thread stores a hazard.
    let threadID: Atomic<UInt64>
    /// The chunk this thread is filling, for the exporter to look into.
    let openChunk: Atomic<UInt>
    /// The same, and its fill level, for the thread itself.
    var chunk: UnsafeMutablePointer<Chunk>?
    var chunkBytes: Int
    /// Bytes that may be written without asking anybody: the chunk's capacity, or 0 without a chunk or credits.
    var chunkLimit: Int
    /// Sequence of the next chunk to open.
    var nextSequence: UInt64
    /// Sequence of the chunk the exporter reads next. The exporter's.
    var consumerSequence: UInt64
    /// Spans of this producer that were drained. The exporter's.
    let drainedSpans: Atomic<UInt64>
    /// Spans this thread may still publish before it asks the shared counter.
    var credits: Int
    /// Its credits when it last told the shared counter what it had published; what is gone of them since is
    /// still to be told.
    var reportedCredits: Int
    var slots: NodeCache
    var blocks: NodeCache
    var ids: IDGenerator
    var anchor: ClockAnchor
    /// Set while this thread sweeps: it may be the one that makes room, and must not wait for it.
    var neverWaits: Bool
    /// Counts ends, to time one in many.
    var endsUntilTimed: UInt32
    /// Room to assemble what does not fit in place.
    var scratch: UnsafeMutableRawPointer?
    var scratchBytes: Int
    let counters: ProducerCounters

    init(core: UnsafeMutablePointer<RecorderCore>) {
        owner = Atomic(Owner.thread)
        unsafe self.core = unsafe core
        unsafe shared = unsafe core.pointee.shared
        hazard = Atomic(0)
        threadID = Atomic(Producer.nobody)
        openChunk = Atomic(0)
        chunkBytes = 0
        chunkLimit = 0
        nextSequence = 0
        consumerSequence = 0
        drainedSpans = Atomic(0)
        credits = 0
        reportedCredits = 0
        slots = NodeCache()
        blocks = NodeCache()
        ids = IDGenerator()
        anchor = ClockAnchor()
        neverWaits = false
        endsUntilTimed = 1
        scratchBytes = 0
        counters = ProducerCounters()
        ids.seed()
    }
}

extension Producer {
    /// Scratch room of at least `byteCount` bytes and slack; kept up to 1 MiB, for the thread's next use.
    static func scratch(
        _ producer: UnsafeMutablePointer<Producer>, byteCount: Int
    ) -> UnsafeMutableRawPointer {
        let needed = byteCount + Wire.slackBytes
        if let scratch = unsafe producer.pointee.scratch,
            unsafe producer.pointee.scratchBytes >= needed
        {
            return unsafe scratch
        }
        unsafe producer.pointee.scratch?.deallocate()
        let bytes = max(4096, needed)
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 16)
        unsafe producer.pointee.scratch = unsafe scratch
        unsafe producer.pointee.scratchBytes = bytes
        return unsafe scratch
    }

    /// Lets go of scratch room that one large value made large.
    static func trimScratch(_ producer: UnsafeMutablePointer<Producer>) {
        guard unsafe producer.pointee.scratchBytes > 1 << 20 else { return }
        unsafe producer.pointee.scratch?.deallocate()
        unsafe producer.pointee.scratch = nil
        unsafe producer.pointee.scratchBytes = 0
    }
}
