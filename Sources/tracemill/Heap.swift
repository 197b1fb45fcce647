// jemalloc, which replaces malloc in this process: what a thread allocated, and an arena for spans.
import CJemalloc
import Glibc
import TraceCore

enum Heap {
    /// Heap bytes that the calling thread has allocated since it began.
    static func allocatedBytesOfThread() -> UInt64 {
        var bytes: UInt64 = 0
        var size = MemoryLayout<UInt64>.size
        unsafe mallctl("thread.allocated", &bytes, &size, nil, 0)
        return bytes
    }
}

/// Pages from a jemalloc arena that holds nothing else, so that its statistics say what spans hold.
struct ArenaPageSource: PageSource {
    private let arena: UInt32

    /// Nil when jemalloc makes no arena.
    init?() {
        var arena: UInt32 = 0
        var size = MemoryLayout<UInt32>.size
        guard unsafe mallctl("arenas.create", &arena, &size, nil, 0) == 0 else { return nil }
        self.arena = arena
    }

    private var flags: Int32 {
        // MALLOCX_ALIGN(4096) | MALLOCX_ZERO | MALLOCX_ARENA(a) | MALLOCX_TCACHE_NONE: macros.
        12 | 0x40 | Int32(bitPattern: (arena + 1) << 20) | (1 << 8)
    }

    func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
        unsafe mallocx(byteCount, flags)
    }

    func release(_ pages: UnsafeMutableRawPointer, byteCount: Int) {
        unsafe dallocx(pages, flags & ~0x40)
    }
}
