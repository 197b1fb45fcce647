// Finished spans in blocks of memory, one behind the other, split where a block ends, so that no block but a
// chain's last has room left: written as they come, read once, in the same order. One thread.
import CThread
import Glibc

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
    /// Where the next record goes; within the last block, or at its end.
    private(set) var cursor: UnsafeMutableRawPointer?
    private(set) var first = TraceBlocks.none
    private(set) var last = TraceBlocks.none
    /// What is left of the last block.
    private(set) var bytesLeft: UInt32 = 0
    private(set) var blocks: UInt32 = 0

    var isEmpty: Bool { blocks == 0 }

    /// How many more blocks a record of that length needs.
    @inline(__always)
    func blocksMissing(recordBytes: Int) -> Int {
        let missing = recordBytes &- Int(bytesLeft)
        return missing <= 0
            ? 0 : (missing &+ TraceBlocks.strideBytes &- 1) / TraceBlocks.strideBytes
    }

    /// Adds a record; there must be as many free blocks as it needs.
    @inline(__always)
    mutating func append(
        _ prefix: HeldPrefix, endCycles: UInt64, _ message: UnsafeRawPointer,
        _ blocks: inout TraceBlocks
    ) {
        let recordBytes = prefix.recordBytes
        guard !prefix.isTimed, recordBytes <= Int(bytesLeft), let place = unsafe cursor else {
            return unsafe appendSplit(prefix, endCycles: endCycles, message, &blocks)
        }
        unsafe place.storeBytes(of: prefix, as: HeldPrefix.self)
        unsafe memcpy(place + HeldPrefix.bytes, message, Int(prefix.spanBytes))
        advance(recordBytes)
    }

    @inline(__always)
    private mutating func advance(_ bytes: Int) {
        unsafe cursor = unsafe cursor.unsafelyUnwrapped + bytes
        bytesLeft &-= UInt32(truncatingIfNeeded: bytes)
    }

    @inline(never)
    private mutating func appendSplit(
        _ prefix: HeldPrefix, endCycles: UInt64, _ message: UnsafeRawPointer,
        _ blocks: inout TraceBlocks
    ) {
        let (count, recordBytes) = (Int(prefix.spanBytes), prefix.recordBytes)
        if !prefix.isTimed, recordBytes &- Int(bytesLeft) <= TraceBlocks.strideBytes {
            return unsafe appendAcross(prefix, count, recordBytes, message, &blocks)
        }
        var head = prefix
        unsafe withUnsafeBytes(of: &head) { unsafe write($0.baseAddress!, 8, &blocks) }
        if prefix.isTimed {
            var cycles = endCycles
            unsafe withUnsafeBytes(of: &cycles) { unsafe write($0.baseAddress!, 8, &blocks) }
        }
        unsafe write(message, count, &blocks)
    }

    /// The usual split: what is left of the block, and the rest in another.
    @inline(__always)
    private mutating func appendAcross(
        _ prefix: HeldPrefix, _ count: Int, _ recordBytes: Int, _ message: UnsafeRawPointer,
        _ blocks: inout TraceBlocks
    ) {
        let here = Int(bytesLeft)
        let place = unsafe cursor
        addBlock(&blocks)
        guard let next = unsafe cursor else { return }
        if here > 0, let place = unsafe place {
            unsafe place.storeBytes(of: prefix, as: HeldPrefix.self)
            let head = here &- HeldPrefix.bytes
            unsafe memcpy(place + HeldPrefix.bytes, message, head)
            unsafe memcpy(next, message + head, count &- head)
        } else {
            unsafe next.storeBytes(of: prefix, as: HeldPrefix.self)
            unsafe memcpy(next + HeldPrefix.bytes, message, count)
        }
        advance(recordBytes &- here)
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
            let piece = min(rest, Int(bytesLeft))
            unsafe memcpy(place, source, piece)
            advance((piece + 7) & ~7)
            unsafe source += piece
            rest -= piece
        }
    }

    @inline(__always)
    private mutating func addBlock(_ pool: inout TraceBlocks) {
        guard let block = pool.take() else {
            preconditionFailure("a chain was promised blocks that are not there")
        }
        if isEmpty { first = block } else { pool.setNext(last, block) }
        last = block
        unsafe cursor = unsafe pool.address(block)
        bytesLeft = UInt32(TraceBlocks.strideBytes)
        blocks &+= 1
    }

    /// Marks where it ends, so that another may follow.
    @inline(__always)
    func close() {
        guard bytesLeft > 0, let place = unsafe cursor else { return }
        unsafe place.storeBytes(of: HeldPrefix.endMark, as: UInt32.self)
    }

    /// Puts another, which is closed, behind this one.
    mutating func append(_ other: RecordChain, _ pool: inout TraceBlocks) {
        guard !other.isEmpty else { return }
        guard !isEmpty else {
            self = other
            return
        }
        pool.setNext(last, other.first)
        unsafe cursor = unsafe other.cursor
        last = other.last
        bytesLeft = other.bytesLeft
        blocks &+= other.blocks
    }

    /// Gives the first `count` blocks back; there must be more of them.
    mutating func releaseFirst(_ count: Int, to pool: inout TraceBlocks) {
        guard count > 0 else { return }
        var end = first
        for _ in 1..<count { end = pool.next(end) }
        let rest = pool.next(end)
        pool.give(first: first, last: end, count: count)
        first = rest
        blocks &-= UInt32(count)
    }

    /// Gives all blocks back. O(1).
    @inline(__always)
    mutating func release(to pool: inout TraceBlocks) {
        guard !isEmpty else { return }
        pool.give(first: first, last: last, count: Int(blocks))
        self = RecordChain()
    }
}

/// Reads a chain record by record. Only as many as were written.
@safe struct ChainReader {
    private var block: BlockNumber
    private var cursor: UnsafeMutableRawPointer
    private var blockEnd: UnsafeMutableRawPointer
    /// Blocks left behind.
    private(set) var blocksPassed = 0

    /// At the chain's beginning.
    init(_ chain: RecordChain, _ pool: borrowing TraceBlocks) {
        block = chain.first
        unsafe cursor = unsafe pool.address(block)
        unsafe blockEnd = unsafe cursor + TraceBlocks.strideBytes
    }

    /// The same place, counting from here.
    func restarted() -> ChainReader {
        var reader = self
        reader.blocksPassed = 0
        return reader
    }

    @inline(__always)
    private mutating func enterNext(_ pool: borrowing TraceBlocks) {
        block = pool.next(block)
        unsafe cursor = unsafe pool.address(block)
        unsafe blockEnd = unsafe cursor + TraceBlocks.strideBytes
        blocksPassed &+= 1
        let after = pool.next(block)
        // A chain's last block has an old link, to a block all the same, or none.
        if after < pool.touchedCount {
            unsafe tracemill_prefetch(pool.address(after), Int64(TraceBlocks.strideBytes))
        }
    }

    /// The prefix of the next record, which is there.
    @inline(__always)
    mutating func prefix(_ pool: borrowing TraceBlocks) -> HeldPrefix {
        while true {
            if unsafe cursor == blockEnd { enterNext(pool) }
            let prefix = unsafe cursor.load(as: HeldPrefix.self)
            if prefix.spanBytes != HeldPrefix.endMark { return prefix }
            enterNext(pool)
        }
    }

    /// Goes over `count` bytes of whole words.
    @inline(__always)
    mutating func skip(_ count: Int, _ pool: borrowing TraceBlocks) {
        var rest = count
        while true {
            let here = unsafe blockEnd - cursor
            if rest <= here {
                unsafe cursor += rest
                return
            }
            rest &-= here
            enterNext(pool)
        }
    }

    /// Reads a word, which is never split.
    mutating func word(_ pool: borrowing TraceBlocks) -> UInt64 {
        if unsafe cursor == blockEnd { enterNext(pool) }
        defer { unsafe cursor += 8 }
        return unsafe cursor.load(as: UInt64.self)
    }

    /// Copies a message to `destination` and goes on at the next word.
    @inline(__always)
    mutating func copy(
        _ count: Int, to destination: UnsafeMutableRawPointer, _ pool: borrowing TraceBlocks
    ) {
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
            enterNext(pool)
        }
    }
}
