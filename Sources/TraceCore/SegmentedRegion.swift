// Memory for equal pieces that is taken from the page source in segments, as the pieces are first used: what
// the source has given out is what is held. Segments are never given back while the process runs.
import Synchronization

/// Pieces by number. Any thread; not on a span's path, but where a pool hands out a piece for the first time.
/// Safe because a segment's address is published by an atomic, once, and the segment lives as long as the
/// process may look at it.
@safe struct SegmentedRegion: ~Copyable, @unchecked Sendable {
    private let segments: UnsafeMutablePointer<Atomic<UInt>>
    private let capacity: Int
    private let strideBytes: Int
    private let pages: any PageSource

    /// A huge page, and a size that allocators do not round up.
    static let segmentBytesMax = 2 << 20

    /// Takes the first segment at once: a source without memory should say so here.
    init(capacity: Int, strideBytes: Int, pages: some PageSource) {
        precondition(strideBytes <= Self.segmentBytesMax, "a piece does not fit into a segment")
        self.capacity = capacity
        self.strideBytes = strideBytes
        self.pages = pages
        let count = Self.segmentCount(capacity: capacity, strideBytes: strideBytes)
        unsafe segments = .allocate(capacity: count)
        for index in 0..<count { unsafe (segments + index).initialize(to: Atomic(0)) }
        guard unsafe segment(0) != nil else {
            fatalError("tracemill: no memory for \(capacity) pieces of \(strideBytes) bytes")
        }
    }

    /// Bytes that a source has given once the first `used` of `capacity` pieces were in use.
    static func footprintBytes(
        capacity: Int, used: Int, strideBytes: Int, pages: some PageSource
    ) -> Int {
        let last = segmentCount(capacity: used, strideBytes: strideBytes) - 1
        let whole = byteCount(ofSegment: 0, capacity: capacity, strideBytes: strideBytes)
        let rest = byteCount(ofSegment: last, capacity: capacity, strideBytes: strideBytes)
        return last * pages.footprintBytes(of: whole) + pages.footprintBytes(of: rest)
    }

    /// The piece, zeroed when it is new; nil when the source has no memory for its segment.
    func piece(_ index: Int) -> UnsafeMutableRawPointer? {
        let perSegment = Self.perSegment(strideBytes)
        guard let base = unsafe segment(index / perSegment) else { return nil }
        return unsafe base + index % perSegment * strideBytes
    }

    /// Calls `body` with the first `count` pieces, in order, but for those whose memory was never taken.
    func forEachPiece(first count: Int, _ body: (UnsafeMutableRawPointer) -> Void) {
        let perSegment = Self.perSegment(strideBytes)
        for start in stride(from: 0, to: min(count, capacity), by: perSegment) {
            // acquire: pairs with the release in segment(); the memory is there.
            let word = unsafe segments[start / perSegment].load(ordering: .acquiring)
            guard let base = unsafe UnsafeMutableRawPointer(bitPattern: word) else { continue }
            for offset in 0..<min(perSegment, min(count, capacity) - start) {
                unsafe body(base + offset * strideBytes)
            }
        }
    }

    private func segment(_ index: Int) -> UnsafeMutableRawPointer? {
        // acquire: pairs with the release below; the memory is there, and zeroed.
        let word = unsafe segments[index].load(ordering: .acquiring)
        if let base = unsafe UnsafeMutableRawPointer(bitPattern: word) { return unsafe base }
        let byteCount = Self.byteCount(
            ofSegment: index, capacity: capacity, strideBytes: strideBytes)
        guard let fresh = unsafe pages.allocate(byteCount: byteCount) else { return nil }
        let (exchanged, current) = unsafe segments[index].compareExchange(
            expected: 0, desired: UInt(bitPattern: fresh), ordering: .acquiringAndReleasing)
        if exchanged { return unsafe fresh }
        // Another thread was first.
        unsafe pages.release(fresh, byteCount: byteCount)
        return unsafe UnsafeMutableRawPointer(bitPattern: current)
    }

    private static func perSegment(_ strideBytes: Int) -> Int { segmentBytesMax / strideBytes }

    private static func segmentCount(capacity: Int, strideBytes: Int) -> Int {
        max(1, (capacity + perSegment(strideBytes) - 1) / perSegment(strideBytes))
    }

    /// The last segment is as large as its pieces need.
    private static func byteCount(
        ofSegment index: Int, capacity: Int, strideBytes: Int
    ) -> Int {
        let perSegment = perSegment(strideBytes)
        let pieces = max(1, min(perSegment, capacity - index * perSegment))
        return pieces == perSegment ? segmentBytesMax : (pieces * strideBytes + 4095) & ~4095
    }
}
