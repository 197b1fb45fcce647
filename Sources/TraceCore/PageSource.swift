// Where the store, the ring and the request bodies take their pages from.
import CThread
import Glibc

/// A source of zeroed, page-aligned memory. Called rarely, from any thread, also from one that is within the
/// end of a span: it must not trace.
public protocol PageSource: Sendable {
    /// At least `byteCount` zeroed bytes, aligned to 4096, or nil when there are none. Pages that are
    /// never touched should cost nothing.
    func allocate(byteCount: Int) -> UnsafeMutableRawPointer?
    /// Gives back what `allocate` gave, whole.
    func release(_ pages: UnsafeMutableRawPointer, byteCount: Int)
    /// What `allocate(byteCount:)` takes of the source's memory: `byteCount`, rounded up the source's way.
    func footprintBytes(of byteCount: Int) -> Int
}

extension PageSource {
    public func footprintBytes(of byteCount: Int) -> Int { (byteCount + 4095) & ~4095 }
}

/// Anonymous private mappings, not reserved ahead: untouched pages cost nothing.
public struct MappedPageSource: PageSource {
    public init() {}

    public func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
        let pages = unsafe mmap(
            nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
            0)
        return unsafe pages == MAP_FAILED ? nil : pages
    }

    public func release(_ pages: UnsafeMutableRawPointer, byteCount: Int) {
        unsafe munmap(pages, byteCount)
    }
}
