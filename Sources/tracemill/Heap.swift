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

extension Heap {
    /// Bytes that the process has allocated and not freed, arenas of their own among them.
    static func allocatedBytes() -> UInt64 {
        var epoch: UInt64 = 1
        unsafe mallctl("epoch", nil, nil, &epoch, MemoryLayout<UInt64>.size)
        var bytes = 0
        var size = MemoryLayout<Int>.size
        unsafe mallctl("stats.allocated", &bytes, &size, nil, 0)
        return UInt64(bytes)
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

    /// jemalloc keeps to sizes of its own: four for each power of two.
    func footprintBytes(of byteCount: Int) -> Int {
        nallocx(byteCount, flags)
    }

    /// Bytes allocated from the arena now, by jemalloc's statistics.
    var heldBytes: UInt64 {
        // Statistics are of the moment of the last epoch.
        var epoch: UInt64 = 1
        unsafe mallctl("epoch", nil, nil, &epoch, MemoryLayout<UInt64>.size)
        return ["small", "large"].reduce(0) { sum, sizes in
            var bytes = 0
            var size = MemoryLayout<Int>.size
            let status = unsafe mallctl(
                "stats.arenas.\(arena).\(sizes).allocated", &bytes, &size, nil, 0)
            return sum + (status == 0 ? UInt64(bytes) : 0)
        }
    }
}
