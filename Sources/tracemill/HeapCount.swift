// How often a thread calls the allocator, by jemalloc's statistics. They are kept for each arena and lag behind
// the threads' caches, so while it counts the thread has an arena of its own and no cache. For counting, not
// for timing.
import CJemalloc

enum HeapCount {
    /// Allocations of the calling thread while `body` runs; nil where jemalloc keeps no statistics.
    static func calls(_ body: () throws -> Void) rethrows -> UInt64? {
        guard let arena = newArena(), let before = threadArena(), refresh(),
            let small = counter("small", of: arena), let large = counter("large", of: arena)
        else {
            try body()
            return nil
        }
        setCache(false)
        setThreadArena(arena)
        defer {
            setThreadArena(before)
            setCache(true)
        }
        // By numbers from here on: names would be allocated.
        guard let first = sum(small, large) else { return nil }
        try body()
        guard let last = sum(small, large) else { return nil }
        return last - first
    }

    /// Where jemalloc keeps how many allocations of that kind an arena ever made.
    private typealias Counter = InlineArray<5, Int>

    private static func counter(_ sizes: String, of arena: UInt32) -> Counter? {
        var counter = Counter(repeating: 0)
        var count = counter.count
        var span = counter.mutableSpan
        let status = unsafe span.withUnsafeMutableBufferPointer {
            unsafe mallctlnametomib(
                "stats.arenas.\(arena).\(sizes).nmalloc", $0.baseAddress, &count)
        }
        return status == 0 ? counter : nil
    }

    /// Statistics are of the moment of the last epoch: begins one.
    private static func refresh() -> Bool {
        var epoch: UInt64 = 1
        return unsafe mallctl("epoch", nil, nil, &epoch, MemoryLayout<UInt64>.size) == 0
    }

    private static func sum(_ small: Counter, _ large: Counter) -> UInt64? {
        guard refresh(), let small = value(small), let large = value(large)
        else { return nil }
        return small + large
    }

    private static func value(_ counter: Counter) -> UInt64? {
        var value: UInt64 = 0
        var size = MemoryLayout<UInt64>.size
        let status = unsafe counter.span.withUnsafeBufferPointer {
            unsafe mallctlbymib($0.baseAddress, $0.count, &value, &size, nil, 0)
        }
        return status == 0 ? value : nil
    }

    private static func newArena() -> UInt32? {
        var arena: UInt32 = 0
        var size = MemoryLayout<UInt32>.size
        return unsafe mallctl("arenas.create", &arena, &size, nil, 0) == 0 ? arena : nil
    }

    private static func threadArena() -> UInt32? {
        var arena: UInt32 = 0
        var size = MemoryLayout<UInt32>.size
        return unsafe mallctl("thread.arena", &arena, &size, nil, 0) == 0 ? arena : nil
    }

    private static func setThreadArena(_ arena: UInt32) {
        var arena = arena
        unsafe mallctl("thread.arena", nil, nil, &arena, MemoryLayout<UInt32>.size)
    }

    private static func setCache(_ isOn: Bool) {
        var isOn = isOn
        unsafe mallctl("thread.tcache.enabled", nil, nil, &isOn, MemoryLayout<Bool>.size)
    }
}
