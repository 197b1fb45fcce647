import Glibc
import TraceCore

/// Pages that are emptied once the trial is over: a recorder's own are never given back, since a stale ticket
/// may look at its slot. Their addresses stay taken.
final class ReturnedPages: PageSource {
    private let source: any PageSource
    private let regions = WorkerLock<[UInt: Int]>([:])

    init(_ source: any PageSource) { self.source = source }

    func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
        guard let pages = unsafe source.allocate(byteCount: byteCount) else { return nil }
        regions.withLock { $0[UInt(bitPattern: pages)] = byteCount }
        return unsafe pages
    }

    func release(_ pages: UnsafeMutableRawPointer, byteCount: Int) {
        regions.withLock { _ = $0.removeValue(forKey: UInt(bitPattern: pages)) }
        unsafe source.release(pages, byteCount: byteCount)
    }

    func footprintBytes(of byteCount: Int) -> Int { source.footprintBytes(of: byteCount) }

    /// Gives the memory back to the system, contents and all; only once no thread uses any of it.
    func empty() {
        for (address, byteCount) in regions.withLock({ $0 }) {
            guard let pages = unsafe UnsafeMutableRawPointer(bitPattern: address) else { continue }
            unsafe madvise(pages, byteCount & ~4095, MADV_DONTNEED)
        }
    }
}
