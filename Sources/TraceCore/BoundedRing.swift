// A bounded multi-producer, multi-consumer ring of machine words.
// Source: Dmitry Vyukov, "Bounded MPMC queue" (1024cores.net): a sequence number a cell says whose turn it is.
// Carries chunks of finished records, empty chunks, and batches of free slots. Any thread may push and pop.
import CThread
import Synchronization

/// A cell is free for the push at position p when its sequence is p, and holds a value for the pop at
/// position p when it is p + 1.
private struct RingCell: ~Copyable {
    let sequence: Atomic<UInt64>
    var value: UInt
}

/// The two positions, each alone on its pair of cache lines.
private struct RingPositions: ~Copyable {
    let enqueue: Atomic<UInt64>
    let padding = InlineArray<15, UInt64>(repeating: 0)
    let dequeue: Atomic<UInt64>
    let paddingAfter = InlineArray<15, UInt64>(repeating: 0)
}

/// The ring itself: a handle on memory that lives as long as the process may look at it (the owner says).
/// Safe because every shared word is an atomic and a cell's value is only touched by the thread
/// whose turn the cell's sequence says it is.
@safe package struct BoundedRing: ~Copyable, @unchecked Sendable {
    private let cells: UnsafeMutablePointer<RingCell>
    private let positions: UnsafeMutablePointer<RingPositions>
    private let mask: UInt64
    /// How many words fit.
    package let capacity: Int

    /// - Parameters:
    ///   - minimumCapacity: rounded up to a power of two, at least 2.
    ///   - startPosition: where the position counters begin; tests put them just before they wrap.
    package init(minimumCapacity: Int, startPosition: UInt64 = 0, pages: some PageSource) {
        let capacity = Self.capacity(atLeast: minimumCapacity)
        self.capacity = capacity
        mask = UInt64(capacity - 1)
        let bytes = Self.byteCount(capacity: capacity)
        guard let memory = unsafe pages.allocate(byteCount: bytes) else {
            fatalError("tracemill: no memory for a ring of \(bytes) bytes")
        }
        unsafe positions = unsafe memory.bindMemory(to: RingPositions.self, capacity: 1)
        unsafe positions.initialize(
            to: RingPositions(enqueue: Atomic(startPosition), dequeue: Atomic(startPosition)))
        unsafe cells = unsafe (memory + MemoryLayout<RingPositions>.stride)
            .bindMemory(to: RingCell.self, capacity: capacity)
        for offset in 0..<UInt64(capacity) {
            let position = startPosition &+ offset
            unsafe (cells + Int(position & mask)).initialize(
                to: RingCell(sequence: Atomic(position), value: 0))
        }
    }

    /// Bytes that a ring holds, from its making on.
    package static func footprintBytes(minimumCapacity: Int, pages: some PageSource) -> Int {
        pages.footprintBytes(of: byteCount(capacity: capacity(atLeast: minimumCapacity)))
    }

    private static func capacity(atLeast minimum: Int) -> Int {
        var capacity = 2
        while capacity < minimum { capacity *= 2 }
        return capacity
    }

    private static func byteCount(capacity: Int) -> Int {
        capacity * MemoryLayout<RingCell>.stride + MemoryLayout<RingPositions>.stride
    }

    /// Adds a word. False when the ring is full.
    @inline(__always)
    package func push(_ value: UInt) -> Bool {
        var position = unsafe positions.pointee.enqueue.load(ordering: .relaxed)
        while true {
            let cell = unsafe cells + Int(position & mask)
            // acquire: pairs with the release in pop(); the cell's last reader is done with it.
            let sequence = unsafe cell.pointee.sequence.load(ordering: .acquiring)
            let turn = Int64(bitPattern: sequence &- position)
            if turn == 0 {
                let (exchanged, current) = unsafe positions.pointee.enqueue.weakCompareExchange(
                    expected: position, desired: position &+ 1, ordering: .relaxed)
                if exchanged {
                    unsafe cell.pointee.value = value
                    // release: publishes the value; pairs with the acquire in pop().
                    unsafe cell.pointee.sequence.store(position &+ 1, ordering: .releasing)
                    return true
                }
                position = current
            } else if turn < 0 {
                return false
            } else {
                position = unsafe positions.pointee.enqueue.load(ordering: .relaxed)
            }
        }
    }

    /// Takes the oldest word, or nil when there is none that is wholly pushed.
    @inline(__always)
    package func pop() -> UInt? {
        var position = unsafe positions.pointee.dequeue.load(ordering: .relaxed)
        while true {
            let cell = unsafe cells + Int(position & mask)
            // acquire: pairs with the release in push(); the value is there.
            let sequence = unsafe cell.pointee.sequence.load(ordering: .acquiring)
            let turn = Int64(bitPattern: sequence &- (position &+ 1))
            if turn == 0 {
                let (exchanged, current) = unsafe positions.pointee.dequeue.weakCompareExchange(
                    expected: position, desired: position &+ 1, ordering: .relaxed)
                if exchanged {
                    let value = unsafe cell.pointee.value
                    // release: hands the cell to the push one lap on; pairs with the acquire in push().
                    unsafe cell.pointee.sequence.store(position &+ mask &+ 1, ordering: .releasing)
                    return value
                }
                position = current
            } else if turn < 0 {
                return nil
            } else {
                position = unsafe positions.pointee.dequeue.load(ordering: .relaxed)
            }
        }
    }

    /// True when nothing is pushed, nor being pushed. A `pop` may find nothing while this is false: a
    /// push was begun and its thread has not got to run yet.
    package var isEmpty: Bool {
        // Dequeue first: read the other way round, a push and pop between the two would look like work.
        let dequeue = unsafe positions.pointee.dequeue.load(ordering: .acquiring)
        let enqueue = unsafe positions.pointee.enqueue.load(ordering: .acquiring)
        return enqueue == dequeue
    }

    /// Words pushed and not popped; exact only at rest.
    package var count: Int {
        let dequeue = unsafe positions.pointee.dequeue.load(ordering: .acquiring)
        let enqueue = unsafe positions.pointee.enqueue.load(ordering: .acquiring)
        return Int(truncatingIfNeeded: enqueue &- dequeue)
    }
}
