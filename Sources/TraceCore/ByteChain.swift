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
    /// Where the next byte goes.
    var cursor: UnsafeMutableRawPointer
    /// End of the current part; at least `Wire.slackBytes` of spare follow it.
    var limit: UnsafeMutableRawPointer
    /// Start of the current part.
    var partStart: UnsafeMutableRawPointer
    /// Bytes in the parts before the current one.
    var sealedBytes: Int
    /// Bytes of the inline part in use, once the chain has moved on to blocks.
    var inlineBytes: Int
    var firstBlock: UnsafeMutableRawPointer?
    var lastBlock: UnsafeMutableRawPointer?

    /// An empty chain over `capacity` inline bytes that have slack behind them.
    @inline(__always)
    init(inline start: UnsafeMutableRawPointer, capacity: Int) {
        unsafe cursor = unsafe start
        unsafe limit = unsafe start + capacity
        unsafe partStart = unsafe start
        sealedBytes = 0
        inlineBytes = 0
        unsafe firstBlock = nil
        unsafe lastBlock = nil
    }

    /// All bytes in the chain.
    @inline(__always)
    var count: Int { unsafe sealedBytes &+ (cursor - partStart) }

    @inline(__always)
    func hasRoom(_ byteCount: Int) -> Bool { unsafe byteCount <= limit - cursor }

    /// Appends bytes, going on into new blocks. False, with nothing appended, when blocks run out.
    @inline(never)
    mutating func append(
        _ bytes: UnsafeRawPointer, _ byteCount: Int, blocks: borrowing NodePool,
        cache: inout NodeCache
    ) -> Bool {
        let room = unsafe limit - cursor
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
        unsafe cursor = unsafe partStart
        unsafe limit = unsafe partStart + Block.payloadBytes
    }

    /// Copies the whole chain to `destination`, which has room for `count` bytes.
    @inline(__always)
    func copy(inline start: UnsafeMutableRawPointer, to destination: UnsafeMutableRawPointer) {
        guard unsafe firstBlock != nil else {
            unsafe memcpy(destination, start, cursor - start)
            return
        }
        unsafe copyParts(inline: start, to: destination)
    }

    @inline(never)
    private func copyParts(
        inline start: UnsafeMutableRawPointer, to destination: UnsafeMutableRawPointer
    ) {
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

    /// Gives every block back; the chain is empty over its inline part again.
    @inline(__always)
    mutating func reset(
        inline start: UnsafeMutableRawPointer, capacity: Int, blocks: borrowing NodePool,
        cache: inout NodeCache
    ) {
        if unsafe firstBlock != nil { freeBlocks(blocks: blocks, cache: &cache) }
        self = unsafe ByteChain(inline: start, capacity: capacity)
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
