// Blocks of memory for finished spans that wait for something, and which follows which. One thread.
import CThread
import Glibc

/// The number of a block, from 0.
typealias BlockNumber = UInt32

/// Equal blocks from a page source, taken as they are first used and kept until the end. A chain of any length
/// goes back in one step: it is put in front of the free blocks whole.
///
/// Which block follows which stands in a table of its own, not in the blocks: those have left the caches by the
/// time they are free or full, and to fetch a line for four bytes of it costs more than copying a span.
@safe struct TraceBlocks: ~Copyable {
    static let strideBytes = 512
    /// With its place in the table.
    static let footprintBytes = strideBytes + MemoryLayout<BlockNumber>.stride
    /// No block.
    static let none = BlockNumber.max
    /// Large enough that nearly all of it can be huge pages wherever it begins: blocks are visited in no order,
    /// and looking up a page costs more than copying a span.
    private static let segmentBytes = 32 << 20
    private static let segmentBlocks = segmentBytes / strideBytes

    let capacity: Int
    private let pages: any PageSource
    /// By segment.
    private let addresses: UnsafeMutablePointer<UnsafeMutableRawPointer>
    private var segmentCount = 0
    /// By block: the one behind it in its chain, or among the free ones.
    private let links: UnsafeMutablePointer<BlockNumber>
    private var nextFree = none
    /// Blocks that were used at some time, which are the first ones.
    private(set) var touchedCount = 0
    /// Blocks that the source has given, or would not give.
    private var givenCount = 0
    /// Blocks that are in no chain.
    private(set) var freeCount: Int

    init(capacity: Int, pages: some PageSource) {
        precondition(capacity < Int(Self.none), "blocks are numbered in 32 bits")
        self.capacity = capacity
        self.pages = pages
        freeCount = capacity
        unsafe addresses = .allocate(capacity: Self.segmentCount(capacity) + 1)
        guard let memory = unsafe pages.allocate(byteCount: Self.linkBytes(capacity)) else {
            fatalError("tracemill: no memory for a table of \(capacity) blocks")
        }
        unsafe HugePages.wish(memory, Self.linkBytes(capacity))
        unsafe links = unsafe memory.bindMemory(to: BlockNumber.self, capacity: capacity)
    }

    deinit {
        for segment in 0..<segmentCount {
            unsafe pages.release(
                addresses[segment], byteCount: Self.byteCount(ofSegment: segment, capacity))
        }
        unsafe pages.release(links, byteCount: Self.linkBytes(capacity))
        unsafe addresses.deallocate()
    }

    /// Bytes that the source has given once all blocks were in use.
    static func footprintBytes(capacity: Int, pages: some PageSource) -> Int {
        (0..<segmentCount(capacity)).reduce(pages.footprintBytes(of: linkBytes(capacity))) {
            $0 + pages.footprintBytes(of: byteCount(ofSegment: $1, capacity))
        }
    }

    private static func segmentCount(_ capacity: Int) -> Int {
        (capacity + segmentBlocks - 1) / segmentBlocks
    }

    private static func byteCount(ofSegment segment: Int, _ capacity: Int) -> Int {
        let blocks = min(segmentBlocks, capacity - segment * segmentBlocks)
        return (blocks * strideBytes + 4095) & ~4095
    }

    private static func linkBytes(_ capacity: Int) -> Int {
        (max(1, capacity) * MemoryLayout<BlockNumber>.stride + 4095) & ~4095
    }

    /// Bytes taken from the source so far.
    var heldBytes: Int {
        (0..<segmentCount).reduce(pages.footprintBytes(of: Self.linkBytes(capacity))) {
            $0 + pages.footprintBytes(of: Self.byteCount(ofSegment: $1, capacity))
        }
    }

    @inline(__always)
    func address(_ block: BlockNumber) -> UnsafeMutableRawPointer {
        let number = Int(block)
        return unsafe addresses[number / Self.segmentBlocks]
            + number % Self.segmentBlocks &* Self.strideBytes
    }

    @inline(__always)
    func next(_ block: BlockNumber) -> BlockNumber { unsafe links[Int(block)] }

    @inline(__always)
    func setNext(_ block: BlockNumber, _ next: BlockNumber) { unsafe links[Int(block)] = next }

    /// A block; nil when all are in chains, or the source has no memory.
    @inline(__always)
    mutating func take() -> BlockNumber? {
        let block = nextFree
        guard block != Self.none else { return takeFresh() }
        nextFree = next(block)
        // Its lines were last touched when it was filled; it is the next to be.
        if nextFree != Self.none {
            unsafe tracemill_prefetch(address(nextFree), Int64(Self.strideBytes))
        }
        freeCount &-= 1
        return block
    }

    @inline(never)
    private mutating func takeFresh() -> BlockNumber? {
        if touchedCount == givenCount {
            guard givenCount < capacity else { return nil }
            let bytes = Self.byteCount(ofSegment: segmentCount, capacity)
            guard let memory = unsafe pages.allocate(byteCount: bytes) else {
                // The source is the bound then.
                freeCount -= capacity - givenCount
                givenCount = capacity
                touchedCount = capacity
                return nil
            }
            unsafe HugePages.wish(memory, bytes)
            unsafe (addresses + segmentCount).initialize(to: memory)
            segmentCount += 1
            givenCount = min(capacity, givenCount + Self.segmentBlocks)
        }
        defer { touchedCount += 1 }
        freeCount &-= 1
        return BlockNumber(touchedCount)
    }

    /// Gives back a chain of `count` blocks. O(1).
    @inline(__always)
    mutating func give(first: BlockNumber, last: BlockNumber, count: Int) {
        setNext(last, nextFree)
        nextFree = first
        freeCount &+= count
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
