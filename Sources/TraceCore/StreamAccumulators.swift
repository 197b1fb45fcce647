// What the drain keeps for each stream while it makes a request body. Exporter thread only.

/// One stream's share of the body being made.
struct StreamAccumulator {
    /// Bytes of its spans, tags and lengths included.
    var spanBytes = 0
    /// Where its next span goes.
    var offset = 0
}

/// An accumulator for each stream. In memory of its own: an array that belongs to a class costs two checks each time
/// it is touched, which is for each span. Its queue frees it.
@safe struct StreamAccumulators {
    private(set) var count = 0
    private var first: UnsafeMutablePointer<StreamAccumulator>?

    subscript(stream: Int) -> UnsafeMutablePointer<StreamAccumulator> {
        @inline(__always)
        get {
            precondition(stream < count, "a stream that nobody knows")
            return unsafe first.unsafelyUnwrapped + stream
        }
    }

    /// Makes room for at least so many streams; pointers from before are gone.
    mutating func grow(to streams: Int) {
        guard streams > count else { return }
        let capacity = max(16, 2 * streams)
        let grown = UnsafeMutablePointer<StreamAccumulator>.allocate(capacity: capacity)
        unsafe grown.initialize(repeating: StreamAccumulator(), count: capacity)
        if let old = unsafe first {
            unsafe grown.update(from: old, count: count)
            unsafe old.deallocate()
        }
        unsafe first = unsafe grown
        count = capacity
    }

    /// Gives the memory back; there is no stream any more.
    mutating func deallocate() {
        unsafe first?.deallocate()
        unsafe first = nil
        count = 0
    }
}
