// Which waiting trace is the next to be decided. One thread.

/// Traces in the order of their deadlines. Where time only goes forward that is the order in which they come,
/// and each step is O(1); under simulated time a trace may come whose deadline is before that of others: a
/// heap then, equal deadlines in the order of arrival, O(log n).
@safe struct DeadlineOrder: ~Copyable {
    private struct Item {
        var deadlineNs: UInt64
        /// Which arrival it was, and in the low half which trace.
        var arrival: UInt64

        @inline(__always)
        static func < (left: Item, right: Item) -> Bool {
            left.deadlineNs != right.deadlineNs
                ? left.deadlineNs < right.deadlineNs : left.arrival < right.arrival
        }
    }

    private let items: UnsafeMutablePointer<Item>
    private let capacity: Int
    private let isHeap: Bool
    private let pages: any PageSource
    private(set) var count = 0
    private var head = 0
    private var arrivals: UInt64 = 0

    /// - Parameter isHeap: deadlines may come in any order.
    init(capacity: Int, isHeap: Bool, pages: some PageSource) {
        self.capacity = capacity
        self.isHeap = isHeap
        self.pages = pages
        guard let memory = unsafe pages.allocate(byteCount: Self.byteCount(capacity)) else {
            fatalError("tracemill: no memory for \(capacity) deadlines")
        }
        unsafe items = unsafe memory.bindMemory(to: Item.self, capacity: capacity)
    }

    deinit { unsafe pages.release(items, byteCount: Self.byteCount(capacity)) }

    private static func byteCount(_ capacity: Int) -> Int {
        (capacity * MemoryLayout<Item>.stride + 4095) & ~4095
    }

    static func footprintBytes(capacity: Int, pages: some PageSource) -> Int {
        pages.footprintBytes(of: byteCount(capacity))
    }

    /// The earliest deadline; `.max` when nothing waits.
    @inline(__always)
    var nextNs: UInt64 { count == 0 ? .max : unsafe items[isHeap ? 0 : head].deadlineNs }

    /// A trace that will be next soon; nil where nobody knows without searching.
    @inline(__always)
    func ahead(_ distance: Int) -> Int? {
        guard !isHeap, distance < count else { return nil }
        var place = head &+ distance
        if place >= capacity { place &-= capacity }
        return unsafe Int(items[place].arrival & 0xffff_ffff)
    }

    mutating func insert(_ trace: Int, deadlineNs: UInt64) {
        precondition(count < capacity, "more traces wait than there is room for")
        let item = Item(deadlineNs: deadlineNs, arrival: arrivals << 32 | UInt64(trace))
        arrivals &+= 1
        if isHeap {
            siftUp(item, from: count)
        } else {
            var place = head &+ count
            if place >= capacity { place &-= capacity }
            unsafe items[place] = item
        }
        count &+= 1
    }

    /// Takes out the trace that is next; there must be one.
    mutating func removeNext() -> Int {
        precondition(count > 0, "no trace waits")
        let next = unsafe items[isHeap ? 0 : head]
        count &-= 1
        if isHeap {
            if count > 0 { siftDown(unsafe items[count]) }
        } else {
            head &+= 1
            if head == capacity { head = 0 }
        }
        return Int(next.arrival & 0xffff_ffff)
    }

    private mutating func siftUp(_ item: Item, from last: Int) {
        var place = last
        while place > 0 {
            let parent = (place &- 1) / 2
            guard unsafe item < items[parent] else { break }
            unsafe items[place] = unsafe items[parent]
            place = parent
        }
        unsafe items[place] = item
    }

    private mutating func siftDown(_ item: Item) {
        var place = 0
        while true {
            var child = 2 &* place &+ 1
            guard child < count else { break }
            if child &+ 1 < count, unsafe items[child &+ 1] < items[child] { child &+= 1 }
            guard unsafe items[child] < item else { break }
            unsafe items[place] = unsafe items[child]
            place = child
        }
        unsafe items[place] = item
    }
}
