// From a trace id to a place in a table, and what was decided of traces that are gone. One thread.
import CThread

/// An open-addressed table of numbers by hash: linear probing, deletion by moving back, never more than half
/// full. Which trace a number belongs to its owner knows.
@safe struct TraceIndex: ~Copyable {
    /// Number + 1 in the low half, the hash in the high half; 0 is empty.
    private let slots: UnsafeMutablePointer<UInt64>
    private let mask: Int
    private let byteCount: Int
    private let pages: any PageSource

    init(capacity: Int, pages: some PageSource) {
        let count = Self.slotCount(capacity: capacity)
        mask = count - 1
        byteCount = count * 8
        self.pages = pages
        guard let memory = unsafe pages.allocate(byteCount: byteCount) else {
            fatalError("tracemill: no memory for an index of \(byteCount) bytes")
        }
        unsafe HugePages.wish(memory, byteCount)
        unsafe slots = unsafe memory.bindMemory(to: UInt64.self, capacity: count)
    }

    deinit { unsafe pages.release(slots, byteCount: byteCount) }

    static func footprintBytes(capacity: Int, pages: some PageSource) -> Int {
        pages.footprintBytes(of: slotCount(capacity: capacity) * 8)
    }

    private static func slotCount(capacity: Int) -> Int {
        var count = 512
        while count < 2 * capacity { count *= 2 }
        return count
    }

    @inline(__always)
    static func hash(_ traceID: TraceID) -> UInt32 {
        UInt32(
            truncatingIfNeeded: SpanChecksum.mix(
                traceID.low ^ (traceID.high &* 0x9E37_79B9_7F4A_7C15)) >> 32)
    }

    /// Fetches where a search will begin.
    @inline(__always)
    func prefetch(_ hash: UInt32) { unsafe tracemill_prefetch(slots + Int(hash) & mask, 8) }

    /// The first number that stands under this hash where the search begins, right or wrong, -1 when none does.
    @inline(__always)
    func guess(_ hash: UInt32) -> Int {
        let slot = unsafe slots[Int(hash) & mask]
        // An empty slot has the number -1 under the hash 0.
        return UInt32(truncatingIfNeeded: slot >> 32) == hash ? Int(slot & 0xffff_ffff) &- 1 : -1
    }

    /// The number under this hash that `isIt` says yes to.
    @inline(__always)
    func find(_ hash: UInt32, _ isIt: (Int) -> Bool) -> Int? {
        var place = Int(hash) & mask
        while true {
            let slot = unsafe slots[place]
            if slot == 0 { return nil }
            if UInt32(truncatingIfNeeded: slot >> 32) == hash {
                let number = Int(slot & 0xffff_ffff) &- 1
                if isIt(number) { return number }
            }
            place = (place &+ 1) & mask
        }
    }

    mutating func insert(_ hash: UInt32, _ number: Int) {
        var place = Int(hash) & mask
        while unsafe slots[place] != 0 { place = (place &+ 1) & mask }
        unsafe slots[place] = UInt64(hash) << 32 | UInt64(number &+ 1)
    }

    /// Takes out what is there.
    mutating func remove(_ hash: UInt32, _ number: Int) {
        let wanted = UInt64(hash) << 32 | UInt64(number &+ 1)
        var hole = Int(hash) & mask
        while unsafe slots[hole] != wanted { hole = (hole &+ 1) & mask }
        var place = hole
        while true {
            place = (place &+ 1) & mask
            let slot = unsafe slots[place]
            if slot == 0 { break }
            let home = Int(UInt32(truncatingIfNeeded: slot >> 32)) & mask
            // What began its search behind the hole stays.
            if (place &- home) & mask >= (place &- hole) & mask {
                unsafe slots[hole] = slot
                hole = place
            }
        }
        unsafe slots[hole] = 0
    }
}

/// The traces that were decided last, one way, and when: a ring; the oldest is forgotten.
@safe struct DecisionCache: ~Copyable {
    private struct Entry {
        var traceID: TraceID
        var decidedNs: UInt64
    }

    /// How many traces it remembers; 0: none.
    let capacity: Int
    private var index: TraceIndex
    private let entries: UnsafeMutablePointer<Entry>
    private let pages: any PageSource
    private var written = 0

    init(capacity: Int, pages: some PageSource) {
        self.capacity = capacity
        self.pages = pages
        index = TraceIndex(capacity: capacity, pages: pages)
        guard let memory = unsafe pages.allocate(byteCount: Self.byteCount(capacity)) else {
            fatalError("tracemill: no memory to remember \(capacity) decisions")
        }
        unsafe entries = unsafe memory.bindMemory(to: Entry.self, capacity: max(1, capacity))
    }

    deinit { unsafe pages.release(entries, byteCount: Self.byteCount(capacity)) }

    private static func byteCount(_ capacity: Int) -> Int {
        (max(1, capacity) * MemoryLayout<Entry>.stride + 4095) & ~4095
    }

    static func footprintBytes(capacity: Int, pages: some PageSource) -> Int {
        pages.footprintBytes(of: byteCount(capacity))
            + TraceIndex.footprintBytes(capacity: capacity, pages: pages)
    }

    /// Traces remembered now.
    var count: Int { min(written, capacity) }

    /// When that trace was decided; nil when it is not remembered.
    @inline(__always)
    func decidedNs(_ traceID: TraceID, _ hash: UInt32) -> UInt64? {
        index.find(hash) { unsafe entries[$0].traceID == traceID }
            .map { unsafe entries[$0].decidedNs }
    }

    /// Fetches what a search for that trace, and an entry for it, will look at.
    @inline(__always)
    func prefetch(_ hash: UInt32) { index.prefetch(hash) }

    /// Fetches what the next entry will take the place of.
    @inline(__always)
    func prefetchOldest() {
        guard written >= capacity, capacity > 0 else { return }
        unsafe index.prefetch(TraceIndex.hash(entries[(written &+ 2) % capacity].traceID))
    }

    /// Remembers a trace that is not remembered yet.
    mutating func insert(_ traceID: TraceID, _ hash: UInt32, decidedNs: UInt64) {
        guard capacity > 0 else { return }
        let place = written % capacity
        if written >= capacity {
            unsafe index.remove(TraceIndex.hash(entries[place].traceID), place)
        }
        unsafe entries[place] = Entry(traceID: traceID, decidedNs: decidedNs)
        index.insert(hash, place)
        written += 1
    }
}
