// The growing bytes of one live span: first in the slot itself, then in blocks chained behind it.
// Only the thread that holds the slot's busy bit touches it.
import Glibc

/// How a block begins; the payload follows. While it is free the same words are a `NodeHeader`.
@safe struct BlockHeader {
    var next: UnsafeMutableRawPointer?
    /// Payload bytes in use, once the chain has moved on to the next block.
    var usedBytes: Int
    var padding = InlineArray<2, UInt64>(repeating: 0)
}

enum Block {
    /// So that the payload takes a value of 4,096 bytes whole.
    static let strideBytes = 4224
    static let headerBytes = MemoryLayout<BlockHeader>.stride
    static let payloadBytes = strideBytes - headerBytes - Wire.slackBytes

    @inline(__always)
    static func header(_ block: UnsafeMutableRawPointer) -> UnsafeMutablePointer<BlockHeader> {
        unsafe block.assumingMemoryBound(to: BlockHeader.self)
    }

    @inline(__always)
    static func payload(_ block: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        unsafe block + headerBytes
    }
}

/// A sequence of bytes over an inline part and blocks.
@safe struct ByteChain {
    /// Attributes that may be added before somebody looks closer (bits 16…30) and bytes left in the current part
    /// (bits 0…14): what an attribute takes of both is one subtraction, and one look at two sign bits tells
    /// whether it fits.
    var room: UInt32
    /// Attributes that may be added beyond those counted in `room`, which has 15 bits for them, and none where
    /// texts may have to be cut: then somebody has to look closer each time. Bit 31 says so.
    var attributesBeyond: UInt32
    /// End of the current part; at least `Wire.slackBytes` of spare follow it.
    var end: UnsafeMutableRawPointer
    /// Start of the current part.
    var partStart: UnsafeMutableRawPointer
    /// Bytes in the parts before the current one.
    var sealedBytes: Int
    /// Bytes of the inline part in use, once the chain has moved on to blocks.
    var inlineBytes: Int
    var firstBlock: UnsafeMutableRawPointer?
    var lastBlock: UnsafeMutableRawPointer?

    /// Set in `room` after a subtraction that took more than there was.
    static let overdrawn: UInt32 = 0x8000_8000
    /// What one attribute takes of `room`, beside its bytes.
    static let oneAttribute: UInt32 = 0x1_0000
    private static let bytesMask: UInt32 = 0x7fff
    private static let countMax: UInt32 = 0x7fff
    private static let cutsTexts: UInt32 = 0x8000_0000

    /// What a span's `room` begins with under these limits, but for the bytes.
    static func room(under limits: PackedLimits) -> UInt32 {
        limits.mayCutTexts ? 0 : min(limits.attributeCount, countMax) << 16
    }

    /// What a span's `attributesBeyond` begins with.
    static func attributesBeyond(_ limits: PackedLimits) -> UInt32 {
        limits.mayCutTexts
            ? limits.attributeCount | cutsTexts
            : limits.attributeCount - min(limits.attributeCount, countMax)
    }

    /// An empty chain over `capacity` inline bytes that have slack behind them, without room for attributes.
    @inline(__always)
    init(inline start: UnsafeMutableRawPointer, capacity: Int) {
        room = UInt32(truncatingIfNeeded: capacity)
        attributesBeyond = 0
        unsafe end = unsafe start + capacity
        unsafe partStart = unsafe start
        sealedBytes = 0
        inlineBytes = 0
        unsafe firstBlock = nil
        unsafe lastBlock = nil
    }

    var attributesLeft: Int { Int(room >> 16) + Int(attributesBeyond & ~Self.cutsTexts) }

    /// Counts attributes that were added, or, below zero, makes room for more than the limit says.
    mutating func countAttributes(_ count: Int) {
        let left = UInt32(attributesLeft - count)
        let cuts = attributesBeyond & Self.cutsTexts
        let near = cuts != 0 ? 0 : min(left, Self.countMax)
        room = room & 0xffff | near << 16
        attributesBeyond = (left - near) | cuts
    }

    /// Takes over what is in `room` beside the bytes.
    mutating func keepLimits(of other: ByteChain) {
        room |= other.room & ~ByteChain.bytesMask
        attributesBeyond = other.attributesBeyond
    }

    /// Bytes left in the current part.
    @inline(__always)
    var bytesLeft: Int { Int(room & ByteChain.bytesMask) }

    /// Where the next byte goes.
    @inline(__always)
    var cursor: UnsafeMutableRawPointer {
        get { unsafe end - bytesLeft }
        set {
            room = unsafe room & ~ByteChain.bytesMask | UInt32(truncatingIfNeeded: end - newValue)
        }
    }

    /// All bytes in the chain.
    @inline(__always)
    var count: Int { unsafe sealedBytes &+ (cursor - partStart) }

    @inline(__always)
    func hasRoom(_ byteCount: Int) -> Bool { byteCount <= bytesLeft }

    /// Appends bytes, going on into new blocks. False, with nothing appended, when blocks run out.
    @inline(never)
    mutating func append(
        _ bytes: UnsafeRawPointer, _ byteCount: Int, blocks: borrowing NodePool,
        cache: inout NodeCache
    ) -> Bool {
        let room = bytesLeft
        guard byteCount > room else {
            unsafe memcpy(cursor, bytes, byteCount)
            unsafe cursor += byteCount
            return true
        }
        // All the blocks first, so that it is all or nothing.
        let blocksNeeded = (byteCount - room + Block.payloadBytes - 1) / Block.payloadBytes
        var taken: UnsafeMutableRawPointer?
        for _ in 0..<blocksNeeded {
            guard let block = unsafe blocks.takeCounted(&cache) else {
                while let block = unsafe taken {
                    unsafe taken = unsafe Block.header(block).pointee.next
                    unsafe blocks.giveCounted(block, &cache)
                }
                return false
            }
            unsafe Block.header(block).pointee.next = unsafe taken
            unsafe taken = unsafe block
        }
        unsafe memcpy(cursor, bytes, room)
        unsafe cursor += room
        var done = room
        while let block = unsafe taken {
            unsafe taken = unsafe Block.header(block).pointee.next
            unsafe moveOn(to: block)
            let part = min(Block.payloadBytes, byteCount - done)
            unsafe memcpy(cursor, bytes + done, part)
            unsafe cursor += part
            done += part
        }
        return true
    }

    private mutating func moveOn(to block: UnsafeMutableRawPointer) {
        let used = unsafe cursor - partStart
        sealedBytes += used
        if let last = unsafe lastBlock {
            unsafe Block.header(last).pointee.usedBytes = used
            unsafe Block.header(last).pointee.next = unsafe block
        } else {
            inlineBytes = used
            unsafe firstBlock = unsafe block
        }
        unsafe lastBlock = unsafe block
        unsafe Block.header(block).pointee.next = nil
        unsafe partStart = unsafe Block.payload(block)
        unsafe end = unsafe partStart + Block.payloadBytes
        unsafe cursor = unsafe partStart
    }

    /// Copies the whole chain to `destination`, which has room for `count` bytes.
    func copy(inline start: UnsafeMutableRawPointer, to destination: UnsafeMutableRawPointer) {
        guard unsafe firstBlock != nil else {
            unsafe memcpy(destination, start, cursor - start)
            return
        }
        unsafe memcpy(destination, start, inlineBytes)
        var at = unsafe destination + inlineBytes
        var next = unsafe firstBlock
        while let block = unsafe next {
            let used =
                unsafe block == lastBlock
                ? cursor - partStart : Block.header(block).pointee.usedBytes
            unsafe memcpy(at, Block.payload(block), used)
            unsafe at += used
            unsafe next = unsafe block == lastBlock ? nil : Block.header(block).pointee.next
        }
    }

    /// Gives every block back; the chain is empty over its inline part again, with as much room for
    /// attributes as it had.
    mutating func reset(
        inline start: UnsafeMutableRawPointer, capacity: Int, blocks: borrowing NodePool,
        cache: inout NodeCache
    ) {
        if unsafe firstBlock != nil { freeBlocks(blocks: blocks, cache: &cache) }
        var empty = unsafe ByteChain(inline: start, capacity: capacity)
        empty.keepLimits(of: self)
        self = empty
    }

    @inline(never)
    private mutating func freeBlocks(blocks: borrowing NodePool, cache: inout NodeCache) {
        var next = unsafe firstBlock
        while let block = unsafe next {
            unsafe next = unsafe block == lastBlock ? nil : Block.header(block).pointee.next
            unsafe blocks.giveCounted(block, &cache)
        }
        unsafe firstBlock = nil
        unsafe lastBlock = nil
    }
}
