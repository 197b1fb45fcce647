import Synchronization

@testable import TraceCore

/// Pages that are counted as they are given out and taken back, up to a limit.
final class CountingPageSource: PageSource {
    private let held = Atomic<Int>(0)
    private let limitBytes: Int
    private let roundsTo: Int

    /// - Parameter roundsTo: what the source rounds sizes up to, a multiple of 4096.
    init(limitBytes: Int = .max, roundsTo: Int = 4096) {
        self.limitBytes = limitBytes
        self.roundsTo = roundsTo
    }

    /// Bytes given out and not taken back, with what they were rounded up by.
    var heldBytes: Int { held.load(ordering: .relaxed) }

    func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
        let footprint = footprintBytes(of: byteCount)
        guard held.add(footprint, ordering: .relaxed).newValue <= limitBytes,
            let pages = unsafe MappedPageSource().allocate(byteCount: footprint)
        else {
            held.subtract(footprint, ordering: .relaxed)
            return nil
        }
        return unsafe pages
    }

    func release(_ pages: UnsafeMutableRawPointer, byteCount: Int) {
        let footprint = footprintBytes(of: byteCount)
        unsafe MappedPageSource().release(pages, byteCount: footprint)
        held.subtract(footprint, ordering: .relaxed)
    }

    func footprintBytes(of byteCount: Int) -> Int {
        (byteCount + roundsTo - 1) / roundsTo * roundsTo
    }
}
