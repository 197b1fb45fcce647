// Where a request's body is put together: one contiguous block of memory, used again for the next
// request. Belongs to one event loop and is only touched there.

import Glibc

/// Growing contiguous memory. Not thread-safe.
@safe
final class BodyBuffer {
    // Safe because it is this object's own from malloc to free, and `count <= capacity` holds
    // after every method.
    private var base: UnsafeMutableRawPointer?
    private(set) var capacity = 0
    private(set) var count = 0
    private let budget: BodyBudget

    init(budget: BodyBudget) {
        self.budget = budget
    }

    deinit {
        unsafe free(base)
        budget.held -= capacity
    }

    /// What was appended. The pointer is good until the next change of this buffer.
    var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: base, count: count)
    }

    /// Forgets the contents, keeps the memory.
    func removeAll() {
        count = 0
    }

    /// Makes room for `total` bytes in all. Returns false when the budget does not allow it.
    func reserve(_ total: Int) -> Bool {
        guard total > capacity else { return true }
        let size = (total + 0xFFFF) & ~0xFFFF
        guard budget.held + (size - capacity) <= budget.heldMax,
            let moved = unsafe realloc(base, size)
        else { return false }
        unsafe base = moved
        budget.held += size - capacity
        capacity = size
        return true
    }

    /// Appends a copy. Returns false when the budget does not allow it.
    func append(_ source: UnsafeRawBufferPointer) -> Bool {
        guard let from = source.baseAddress, source.count > 0 else { return true }
        guard makeRoom(for: source.count) else { return false }
        unsafe memcpy(base.unsafelyUnwrapped + count, from, source.count)
        count += source.count
        return true
    }

    /// Appends a byte. Returns false when the budget does not allow it.
    @inline(__always)
    func append(_ byte: UInt8) -> Bool {
        guard count < capacity || makeRoom(for: 1) else { return false }
        unsafe base.unsafelyUnwrapped.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count += 1
        return true
    }

    /// Lets `body` change the contents.
    func withContents(_ body: (UnsafeMutableRawBufferPointer) -> Void) {
        unsafe body(UnsafeMutableRawBufferPointer(start: base, count: count))
    }

    /// Room for at least `extra` more bytes, growing by half at a time.
    func makeRoom(for extra: Int) -> Bool {
        let needed = count + extra
        guard needed > capacity else { return true }
        return reserve(max(needed, capacity + capacity / 2)) || reserve(needed)
    }

    /// Lets `body` write behind the contents; it returns how many bytes it wrote.
    func write(_ body: (UnsafeMutableRawBufferPointer) -> Int) {
        let free = capacity - count
        guard free > 0, let base = unsafe base else { return }
        let written = unsafe body(UnsafeMutableRawBufferPointer(start: base + count, count: free))
        precondition(written >= 0 && written <= free, "wrote beyond the room")
        count += written
    }
}

/// How much memory the bodies of one event loop may hold at a time.
final class BodyBudget {
    /// Bytes of capacity in all buffers alive.
    fileprivate(set) var held = 0
    /// What `held` may not exceed.
    let heldMax: Int

    init(heldMax: Int) {
        self.heldMax = heldMax
    }
}

/// Buffers of one event loop that wait for their next request; the last used one, warm in the
/// cache, goes first.
final class BodyPool {
    // A buffer that an unusual body has made larger than this is freed after use.
    private static let keptCapacityMax = 4 << 20
    private static let keptMax = 16

    private var free: [BodyBuffer] = []
    private let budget: BodyBudget

    init(heldMax: Int) {
        budget = BodyBudget(heldMax: heldMax)
    }

    /// Bytes held by all buffers, in use or not.
    var held: Int { budget.held }

    func take() -> BodyBuffer {
        free.popLast() ?? BodyBuffer(budget: budget)
    }

    func give(_ buffer: BodyBuffer) {
        buffer.removeAll()
        guard buffer.capacity <= Self.keptCapacityMax, free.count < Self.keptMax else { return }
        free.append(buffer)
    }
}
