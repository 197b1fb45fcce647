// Blocks of memory for finished spans that wait for something, and chains of them: records one behind the
// other, split where a block ends, so that no block but a chain's last has room left. One thread.
import CThread
import Glibc

/// Equal blocks from a page source, taken as they are first used and kept until the end. A chain of any length
/// goes back in one step: it is put in front of the free blocks whole.
@safe struct TraceBlocks: ~Copyable {
    /// A power of two, aligned to itself: a chain's last block is found from where its next record goes.
    static let strideBytes = 512
    /// A block begins with the address of the next one.
    static let headerBytes = 8
    static let payloadBytes = strideBytes - headerBytes
    /// Large enough that nearly all of it can be huge pages wherever it begins: blocks are visited in no order,
    /// and looking up a page costs more than copying a span.
    private static let segmentBytes = 32 << 20

    let capacity: Int
    private let pages: any PageSource
    private var segments: [(address: UInt, bytes: Int)] = []
    private var nextFree: UnsafeMutableRawPointer?
    private var fresh: UnsafeMutableRawPointer?
    private var freshCount = 0
    /// Blocks that were never taken from the source.
    private var untouchedCount: Int
    /// Blocks that are in no chain.
    private(set) var freeCount: Int

    init(capacity: Int, pages: some PageSource) {
        self.capacity = capacity
        self.pages = pages
        untouchedCount = capacity
        freeCount = capacity
    }

    deinit {
        for segment in segments {
            if let memory = unsafe UnsafeMutableRawPointer(bitPattern: segment.address) {
                unsafe pages.release(memory, byteCount: segment.bytes)
            }
        }
    }

    /// Bytes that the source has given once all blocks were in use.
    static func footprintBytes(capacity: Int, pages: some PageSource) -> Int {
        let perSegment = segmentBytes / strideBytes
        let rest = capacity % perSegment
        return capacity / perSegment * pages.footprintBytes(of: segmentBytes)
            + (rest > 0 ? pages.footprintBytes(of: segmentByteCount(blocks: rest)) : 0)
    }

    private static func segmentByteCount(blocks: Int) -> Int {
        (blocks * strideBytes + 4095) & ~4095
    }

    /// Bytes taken from the source so far.
    var heldBytes: Int { segments.reduce(0) { $0 + pages.footprintBytes(of: $1.bytes) } }

    /// A block; nil when all are in chains, or the source has no memory.
    @inline(__always)
    mutating func take() -> UnsafeMutableRawPointer? {
        guard let block = unsafe nextFree else { return unsafe takeFresh() }
        let next = unsafe Self.next(block)
        unsafe nextFree = unsafe next
        // Its lines were last touched when it was filled.
        if let next = unsafe next { unsafe tracemill_prefetch(next, 256) }
        freeCount &-= 1
        return unsafe block
    }

    @inline(never)
    private mutating func takeFresh() -> UnsafeMutableRawPointer? {
        if freshCount == 0 {
            guard untouchedCount > 0 else { return nil }
            let count = min(untouchedCount, Self.segmentBytes / Self.strideBytes)
            let bytes = Self.segmentByteCount(blocks: count)
            guard let memory = unsafe pages.allocate(byteCount: bytes) else {
                // The source is the bound then.
                freeCount -= untouchedCount
                untouchedCount = 0
                return nil
            }
            segments.append((UInt(bitPattern: memory), bytes))
            unsafe HugePages.wish(memory, bytes)
            unsafe fresh = unsafe memory
            freshCount = count
            untouchedCount -= count
        }
        guard let block = unsafe fresh else { return nil }
        unsafe fresh = unsafe block + Self.strideBytes
        freshCount -= 1
        freeCount &-= 1
        return unsafe block
    }

    /// Gives back a chain of `count` blocks. O(1).
    @inline(__always)
    mutating func give(first: UnsafeMutableRawPointer, last: UnsafeMutableRawPointer, count: Int) {
        unsafe Self.setNext(last, nextFree)
        unsafe nextFree = unsafe first
        freeCount &+= count
    }

    @inline(__always)
    static func next(_ block: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        unsafe block.load(as: UnsafeMutableRawPointer?.self)
    }

    @inline(__always)
    static func setNext(_ block: UnsafeMutableRawPointer, _ next: UnsafeMutableRawPointer?) {
        unsafe block.storeBytes(of: next, as: UnsafeMutableRawPointer?.self)
    }
}

/// Memory that is visited in no order: looking up a small page can cost more than what is done there.
enum HugePages {
    /// Asks for huge pages where the range has room for one. Where it is not granted everything works as well.
    static func wish(_ memory: UnsafeMutableRawPointer, _ byteCount: Int) {
        guard byteCount >= 4 << 20 else { return }
        _ = unsafe madvise(memory, byteCount, MADV_HUGEPAGE)
    }
}

/// What stands before a record's message in a chain: never split, since all is in words of 8 bytes.
struct HeldPrefix {
    /// Length of the message; `endMark` where a chain ends before its last block does.
    var spanBytes: UInt32
    /// Number of resource and scope; the highest bit: the instant of its end follows.
    var streamBits: UInt32

    static let bytes = 8
    static let endMark = UInt32.max
    private static let timedBit: UInt32 = 1 << 31

    @inline(__always)
    init(spanBytes: Int, stream: Int, isTimed: Bool) {
        self.spanBytes = UInt32(truncatingIfNeeded: spanBytes)
        streamBits = UInt32(truncatingIfNeeded: stream) | (isTimed ? Self.timedBit : 0)
    }

    @inline(__always) var stream: Int { Int(streamBits & ~Self.timedBit) }
    @inline(__always) var isTimed: Bool { streamBits & Self.timedBit != 0 }
    /// The whole record's length in a chain.
    @inline(__always)
    var recordBytes: Int { Self.recordBytes(spanBytes: Int(spanBytes), isTimed: isTimed) }

    @inline(__always)
    static func recordBytes(spanBytes: Int, isTimed: Bool) -> Int {
        (bytes &+ (isTimed ? 8 : 0) &+ spanBytes &+ 7) & ~7
    }
}

/// Records in blocks. Whoever has it gives the blocks back.
@safe struct RecordChain {
    var first: UnsafeMutableRawPointer?
    /// Where the next record goes; within the last block, or at its end.
    var cursor: UnsafeMutableRawPointer?
    /// What is left of the last block.
    var bytesLeft = 0
    var blocks = 0

    /// The block that `cursor` is in or at the end of.
    @inline(__always)
    static func block(endingAt cursor: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        let address = (UInt(bitPattern: cursor) &- 1) & ~UInt(TraceBlocks.strideBytes &- 1)
        return unsafe UnsafeMutableRawPointer(bitPattern: address).unsafelyUnwrapped
    }

    /// How many more blocks a record of that length needs.
    @inline(__always)
    func blocksMissing(recordBytes: Int) -> Int {
        recordBytes <= bytesLeft
            ? 0
            : (recordBytes &- bytesLeft &+ TraceBlocks.payloadBytes &- 1)
                / TraceBlocks.payloadBytes
    }

    /// Adds a record; there must be as many free blocks as it needs.
    @inline(__always)
    mutating func append(
        _ prefix: HeldPrefix, endCycles: UInt64, _ message: UnsafeRawPointer,
        _ blocks: inout TraceBlocks
    ) {
        let recordBytes = prefix.recordBytes
        guard !prefix.isTimed, recordBytes <= bytesLeft, let place = unsafe cursor else {
            return unsafe appendSplit(prefix, endCycles: endCycles, message, &blocks)
        }
        unsafe place.storeBytes(of: prefix, as: HeldPrefix.self)
        unsafe memcpy(place + HeldPrefix.bytes, message, Int(prefix.spanBytes))
        unsafe cursor = unsafe place + recordBytes
        bytesLeft &-= recordBytes
    }

    @inline(never)
    private mutating func appendSplit(
        _ prefix: HeldPrefix, endCycles: UInt64, _ message: UnsafeRawPointer,
        _ blocks: inout TraceBlocks
    ) {
        let (count, recordBytes) = (Int(prefix.spanBytes), prefix.recordBytes)
        if !prefix.isTimed, recordBytes &- bytesLeft <= TraceBlocks.payloadBytes {
            return unsafe appendAcross(prefix, count, recordBytes, message, &blocks)
        }
        var head = prefix
        unsafe withUnsafeBytes(of: &head) { unsafe write($0.baseAddress!, 8, &blocks) }
        if prefix.isTimed {
            var cycles = endCycles
            unsafe withUnsafeBytes(of: &cycles) { unsafe write($0.baseAddress!, 8, &blocks) }
        }
        unsafe write(message, Int(prefix.spanBytes), &blocks)
    }

    /// The usual split: what is left of the block, and the rest in another.
    @inline(__always)
    private mutating func appendAcross(
        _ prefix: HeldPrefix, _ count: Int, _ recordBytes: Int, _ message: UnsafeRawPointer,
        _ blocks: inout TraceBlocks
    ) {
        let here = bytesLeft
        let place = unsafe cursor
        addBlock(&blocks)
        guard let next = unsafe cursor else { return }
        var rest = unsafe next
        if here > 0, let place = unsafe place {
            unsafe place.storeBytes(of: prefix, as: HeldPrefix.self)
            let head = here &- HeldPrefix.bytes
            unsafe memcpy(place + HeldPrefix.bytes, message, head)
            unsafe memcpy(rest, message + head, count &- head)
        } else {
            unsafe rest.storeBytes(of: prefix, as: HeldPrefix.self)
            unsafe rest += HeldPrefix.bytes
            unsafe memcpy(rest, message, count)
        }
        unsafe cursor = unsafe next + (recordBytes &- here)
        bytesLeft &-= recordBytes &- here
    }

    /// Copies bytes into as many blocks as it takes, and goes on at the next word.
    private mutating func write(
        _ source: UnsafeRawPointer, _ count: Int, _ pool: inout TraceBlocks
    ) {
        var source = unsafe source
        var rest = count
        while rest > 0 {
            if bytesLeft == 0 { addBlock(&pool) }
            guard let place = unsafe cursor else { return }
            let piece = min(rest, bytesLeft)
            unsafe memcpy(place, source, piece)
            let taken = (piece + 7) & ~7
            unsafe cursor = unsafe place + taken
            bytesLeft -= taken
            unsafe source += piece
            rest -= piece
        }
    }

    private mutating func addBlock(_ pool: inout TraceBlocks) {
        guard let block = unsafe pool.take() else {
            preconditionFailure("a chain was promised blocks that are not there")
        }
        if let end = unsafe cursor {
            unsafe TraceBlocks.setNext(Self.block(endingAt: end), block)
        } else {
            unsafe first = unsafe block
        }
        unsafe cursor = unsafe block + TraceBlocks.headerBytes
        bytesLeft = TraceBlocks.payloadBytes
        blocks += 1
    }

    /// Marks where it ends, so that another may follow.
    @inline(__always)
    func close() {
        guard bytesLeft > 0, let place = unsafe cursor else { return }
        unsafe place.storeBytes(of: HeldPrefix.endMark, as: UInt32.self)
    }

    /// Gives all blocks back. O(1).
    @inline(__always)
    mutating func release(to pool: inout TraceBlocks) {
        guard let first = unsafe first, let cursor = unsafe cursor else { return }
        unsafe pool.give(first: first, last: Self.block(endingAt: cursor), count: blocks)
        self = RecordChain()
    }
}

/// Reads a chain record by record. Only as many as were written.
@safe struct ChainReader {
    private(set) var block: UnsafeMutableRawPointer
    private(set) var cursor: UnsafeMutableRawPointer
    /// Blocks left behind.
    private(set) var blocksPassed = 0

    init(block: UnsafeMutableRawPointer, cursor: UnsafeMutableRawPointer) {
        unsafe self.block = unsafe block
        unsafe self.cursor = unsafe cursor
    }

    @inline(__always)
    private var blockEnd: UnsafeMutableRawPointer { unsafe block + TraceBlocks.strideBytes }

    @inline(__always)
    private mutating func enterNext() {
        let next = unsafe TraceBlocks.next(block).unsafelyUnwrapped
        unsafe block = unsafe next
        unsafe cursor = unsafe next + TraceBlocks.headerBytes
        blocksPassed &+= 1
        if let after = unsafe TraceBlocks.next(next) {
            unsafe tracemill_prefetch(after, Int64(TraceBlocks.strideBytes))
        }
    }

    /// The prefix of the next record, which is there.
    @inline(__always)
    mutating func prefix() -> HeldPrefix {
        while true {
            if unsafe cursor == blockEnd { enterNext() }
            let prefix = unsafe cursor.load(as: HeldPrefix.self)
            if prefix.spanBytes != HeldPrefix.endMark { return prefix }
            enterNext()
        }
    }

    /// Goes over `count` bytes of whole words.
    @inline(__always)
    mutating func skip(_ count: Int) {
        var rest = count
        while true {
            let here = unsafe blockEnd - cursor
            if rest <= here {
                unsafe cursor += rest
                return
            }
            rest &-= here
            enterNext()
        }
    }

    /// Reads a word, which is never split.
    mutating func word() -> UInt64 {
        if unsafe cursor == blockEnd { enterNext() }
        defer { unsafe cursor += 8 }
        return unsafe cursor.load(as: UInt64.self)
    }

    /// Copies a message to `destination` and goes on at the next word.
    @inline(__always)
    mutating func copy(_ count: Int, to destination: UnsafeMutableRawPointer) {
        var destination = unsafe destination
        var rest = count
        while true {
            let here = unsafe blockEnd - cursor
            if rest <= here {
                unsafe memcpy(destination, cursor, rest)
                unsafe cursor += (rest &+ 7) & ~7
                return
            }
            unsafe memcpy(destination, cursor, here)
            unsafe destination += here
            rest &-= here
            enterNext()
        }
    }
}
