// Free slots and blocks: equal nodes, handed to per-thread caches in batches, so that the
// shared ring is touched once in many spans. Nodes are never unmapped while a ticket may look at them.
import Synchronization

/// How every node begins while it is free. What comes after is the owner's and survives being freed
/// (a slot keeps its generation there).
@safe struct NodeHeader {
    var next: UnsafeMutableRawPointer?
    /// In the first node of a batch: how many nodes hang on it.
    var batchCount: Int
}

/// One thread's free nodes, last in first out: the most recently used is the warmest.
@safe struct NodeCache {
    var head: UnsafeMutableRawPointer?
    var count = 0
    /// How many it keeps before some are passed on; 0 in one that never had any.
    var countMax = 0

    @inline(__always)
    var hasRoom: Bool { count < countMax }

    /// Takes the first node, which is `head`.
    @inline(__always)
    mutating func take(_ head: UnsafeMutableRawPointer) {
        unsafe self.head = unsafe head.assumingMemoryBound(to: NodeHeader.self).pointee.next
        count &-= 1
    }

    /// Keeps a node; where there is no room, `NodePool.give` has to be asked.
    @inline(__always)
    mutating func give(_ node: UnsafeMutableRawPointer) {
        unsafe node.assumingMemoryBound(to: NodeHeader.self).pointee.next = unsafe head
        unsafe head = unsafe node
        count &+= 1
    }
}

/// The shared side. Any thread, through a cache of its own.
/// Safe because nodes change hands through the ring, and `fresh` is an atomic.
@safe struct NodePool: ~Copyable, @unchecked Sendable {
    private let nodes: SegmentedRegion
    /// How many nodes there are.
    let capacity: Int
    /// Nodes that move at once between a cache and the ring. Small pools move one at a time and cache
    /// nothing, so that the last node is found whichever thread wants it.
    let batchCount: Int
    private let cacheCountMax: Int
    private let fresh = Atomic<Int>(0)
    private let taken = Atomic<Int>(0)
    private let batches: BoundedRing

    init(capacity: Int, stride: Int, pages: some PageSource) {
        self.capacity = capacity
        batchCount = max(1, min(32, capacity / 2048))
        cacheCountMax = batchCount == 1 ? 0 : 2 * batchCount
        nodes = SegmentedRegion(capacity: capacity, strideBytes: stride, pages: pages)
        batches = BoundedRing(minimumCapacity: capacity, pages: pages)
    }

    /// Bytes that the pool holds once every node was in use.
    static func footprintBytes(capacity: Int, stride: Int, pages: some PageSource) -> Int {
        SegmentedRegion.footprintBytes(
            capacity: capacity, used: capacity, strideBytes: stride, pages: pages)
            + BoundedRing.footprintBytes(minimumCapacity: capacity, pages: pages)
    }

    /// A free node, from the cache when it has one. Nil when every node is in use.
    @inline(__always)
    func take(_ cache: inout NodeCache) -> UnsafeMutableRawPointer? {
        if unsafe cache.head == nil { refill(&cache) }
        guard let node = unsafe cache.head else { return nil }
        unsafe cache.take(node)
        return unsafe node
    }

    /// Gives a node back to the cache of the thread that frees it.
    @inline(__always)
    func give(_ node: UnsafeMutableRawPointer, _ cache: inout NodeCache) {
        unsafe cache.give(node)
        if cache.count > cacheCountMax { spill(&cache, count: batchCount) }
    }

    /// Takes a node that counts as in use until `giveCounted`.
    func takeCounted(_ cache: inout NodeCache) -> UnsafeMutableRawPointer? {
        guard let node = unsafe take(&cache) else { return nil }
        taken.add(1, ordering: .relaxed)
        return unsafe node
    }

    func giveCounted(_ node: UnsafeMutableRawPointer, _ cache: inout NodeCache) {
        taken.subtract(1, ordering: .relaxed)
        unsafe give(node, &cache)
    }

    /// Nodes in use, where all are taken and given counted.
    var takenCount: Int { taken.load(ordering: .relaxed) }

    /// Gives all of a cache back: its thread ends.
    func empty(_ cache: inout NodeCache) {
        while cache.count > 0 { spill(&cache, count: min(cache.count, batchCount)) }
    }

    /// Every node that was ever handed out, free again or not.
    func forEachTouched(_ body: (UnsafeMutableRawPointer) -> Void) {
        unsafe nodes.forEachPiece(first: fresh.load(ordering: .acquiring), body)
    }

    @inline(never)
    private func refill(_ cache: inout NodeCache) {
        cache.countMax = cacheCountMax
        if let word = batches.pop(), let node = unsafe UnsafeMutableRawPointer(bitPattern: word) {
            unsafe cache.head = unsafe node
            cache.count = unsafe node.assumingMemoryBound(to: NodeHeader.self).pointee.batchCount
            return
        }
        // Nothing came back yet: take nodes never used, in address order.
        var first = fresh.load(ordering: .relaxed)
        while first < capacity {
            let count = min(batchCount, capacity - first)
            let (exchanged, current) = fresh.compareExchange(
                expected: first, desired: first + count, ordering: .relaxed)
            guard exchanged else {
                first = current
                continue
            }
            for index in (first..<first + count).reversed() {
                // Without memory the node is never there: the store is as large as what it got.
                guard let node = unsafe nodes.piece(index) else { continue }
                unsafe node.assumingMemoryBound(to: NodeHeader.self).pointee.next =
                    unsafe cache.head
                unsafe cache.head = unsafe node
                cache.count += 1
            }
            return
        }
    }

    @inline(never)
    private func spill(_ cache: inout NodeCache, count: Int) {
        guard count > 0, let first = unsafe cache.head else { return }
        var last = unsafe first
        for _ in 1..<count {
            guard let next = unsafe last.assumingMemoryBound(to: NodeHeader.self).pointee.next
            else { break }
            unsafe last = unsafe next
        }
        unsafe cache.head = unsafe last.assumingMemoryBound(to: NodeHeader.self).pointee.next
        cache.count -= count
        unsafe last.assumingMemoryBound(to: NodeHeader.self).pointee.next = nil
        unsafe first.assumingMemoryBound(to: NodeHeader.self).pointee.batchCount = count
        let pushed = batches.push(UInt(bitPattern: first))
        precondition(pushed, "the batch ring has a cell for every node")
    }
}
