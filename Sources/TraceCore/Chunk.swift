// Chunks of finished records. One thread fills a chunk; the exporter reads what is published of it.
import Synchronization

/// How a record begins; the Span message follows, then padding to 8 bytes.
struct RecordPrefix {
    /// The whole record with this prefix and padding.
    var recordBytes: UInt32
    /// The Span message alone.
    var spanBytes: UInt32
    var traits: SpanTraits
    /// Cycle counter when the span ended, for the one in many that is timed; else 0.
    var endCycles: UInt64

    static let bytes = MemoryLayout<RecordPrefix>.stride

    @inline(__always)
    static func recordBytes(spanBytes: Int) -> Int { (bytes &+ spanBytes &+ 7) & ~7 }
}

@safe struct Chunk: ~Copyable {
    /// Bytes of records that may be read. Written by the producer that has the chunk open.
    let publishedBytes: Atomic<Int>
    /// Bytes of records already taken. The exporter's.
    var consumedBytes: Int
    /// Record bytes that fit.
    var capacityBytes: Int
    /// Its place among the chunks of its producer, so that they are read in order.
    var sequence: UInt64
    var producer: UnsafeMutablePointer<Producer>?
    /// Pages it was allocated with when it is made for one large record; else 0 and it is pooled.
    var ownBytes: Int

    static let headerBytes = 128

    @inline(__always)
    static func records(_ chunk: UnsafeMutablePointer<Chunk>) -> UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(chunk) + headerBytes
    }

    static func initialize(
        _ memory: UnsafeMutableRawPointer, byteCount: Int, ownBytes: Int
    ) -> UnsafeMutablePointer<Chunk> {
        let chunk = unsafe memory.bindMemory(to: Chunk.self, capacity: 1)
        unsafe chunk.initialize(
            to: Chunk(
                publishedBytes: Atomic(0), consumedBytes: 0,
                capacityBytes: byteCount - headerBytes - Wire.slackBytes, sequence: 0,
                producer: nil,
                ownBytes: ownBytes))
        return unsafe chunk
    }
}

/// Where empty chunks come from: memory never used, in address order, first, then recycled first in first
/// out — the chunk read longest ago is the one whose lines the exporter no longer needs.
/// Safe because chunks change hands through rings, and counters are atomics.
@safe struct ChunkPool: ~Copyable, @unchecked Sendable {
    static let strideBytes = 64 << 10
    /// The largest record that fits in a pooled chunk.
    static let recordBytesMax = strideBytes - Chunk.headerBytes - Wire.slackBytes
    /// Every thread keeps a chunk open. So that these do not use up the queue's, and threads with full
    /// chunks wait for each other for ever, there is one more for each thread, up to this many.
    private static let openCountMax = 256

    private let chunks: SegmentedRegion
    /// Chunks of the queue, without those that are there for being open.
    let capacity: Int
    /// Bytes that large records may hold beside the pooled chunks, and how many may wait.
    private let ownBytesMax: Int
    private static let ownCountMax = 1024
    private let ownBytesUsed = Atomic<Int>(0)
    private let ownCount = Atomic<Int>(0)
    private let fresh = Atomic<Int>(0)
    private let free: BoundedRing
    /// Full chunks on their way to the exporter: room for every chunk there can be.
    let full: BoundedRing
    private let pages: any PageSource

    init(capacity: Int, ownBytesMax: Int, ringStartPosition: UInt64, pages: some PageSource) {
        self.capacity = capacity
        self.ownBytesMax = ownBytesMax
        self.pages = pages
        let countMax = capacity + ChunkPool.openCountMax
        chunks = SegmentedRegion(
            capacity: countMax, strideBytes: ChunkPool.strideBytes, pages: pages)
        free = BoundedRing(
            minimumCapacity: countMax, startPosition: ringStartPosition, pages: pages)
        full = BoundedRing(
            minimumCapacity: countMax + ChunkPool.ownCountMax, startPosition: ringStartPosition,
            pages: pages)
    }

    /// An empty chunk, or nil when all are in use.
    /// - Parameter producers: how many threads there are that may keep one open.
    func take(producers: Int) -> UnsafeMutablePointer<Chunk>? {
        if let word = free.pop() {
            return unsafe UnsafeMutablePointer(bitPattern: word)
        }
        let countMax = capacity + min(producers, ChunkPool.openCountMax)
        var index = fresh.load(ordering: .relaxed)
        while index < countMax {
            let (exchanged, current) = fresh.compareExchange(
                expected: index, desired: index + 1, ordering: .relaxed)
            if exchanged {
                return unsafe chunks.piece(index).map {
                    unsafe Chunk.initialize(
                        $0, byteCount: ChunkPool.strideBytes, ownBytes: 0)
                }
            }
            index = current
        }
        return nil
    }

    /// Bytes that the queue holds when it is full and `threads` have a chunk open each: pooled chunks, large
    /// records beside them, and the rings that both go through.
    static func footprintBytes(
        capacity: Int, ownBytesMax: Int, threads: Int, pages: some PageSource
    ) -> Int {
        let countMax = capacity + openCountMax
        return SegmentedRegion.footprintBytes(
            capacity: countMax, used: capacity + min(threads, openCountMax),
            strideBytes: strideBytes, pages: pages)
            + ownBytesMax
            + BoundedRing.footprintBytes(minimumCapacity: countMax, pages: pages)
            + BoundedRing.footprintBytes(minimumCapacity: countMax + ownCountMax, pages: pages)
    }

    private func ownBytes(recordBytes: Int) -> Int {
        pages.footprintBytes(of: recordBytes + Chunk.headerBytes + Wire.slackBytes)
    }

    /// Whether a record of that size has room when no other large one waits.
    func canEverHold(recordBytes: Int) -> Bool {
        ownBytes(recordBytes: recordBytes) <= ownBytesMax
    }

    /// A chunk for one record larger than a pooled chunk; nil when too many such wait already.
    func takeOwn(recordBytes: Int) -> UnsafeMutablePointer<Chunk>? {
        let bytes = ownBytes(recordBytes: recordBytes)
        let used = ownBytesUsed.add(bytes, ordering: .relaxed).newValue
        let count = ownCount.add(1, ordering: .relaxed).newValue
        if used <= ownBytesMax, count <= ChunkPool.ownCountMax,
            let memory = unsafe pages.allocate(byteCount: bytes)
        {
            return unsafe Chunk.initialize(memory, byteCount: bytes, ownBytes: bytes)
        }
        ownBytesUsed.subtract(bytes, ordering: .relaxed)
        ownCount.subtract(1, ordering: .relaxed)
        return nil
    }

    /// Gives a chunk back once all of it is read. The exporter's.
    func give(_ chunk: UnsafeMutablePointer<Chunk>) {
        let ownBytes = unsafe chunk.pointee.ownBytes
        if ownBytes > 0 {
            unsafe pages.release(UnsafeMutableRawPointer(chunk), byteCount: ownBytes)
            ownBytesUsed.subtract(ownBytes, ordering: .relaxed)
            ownCount.subtract(1, ordering: .relaxed)
            return
        }
        unsafe chunk.pointee.publishedBytes.store(0, ordering: .relaxed)
        unsafe chunk.pointee.consumedBytes = 0
        let pushed = free.push(UInt(bitPattern: chunk))
        precondition(pushed, "the free ring has a cell for every chunk")
    }
}
