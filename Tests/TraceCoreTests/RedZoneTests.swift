import Glibc
import TestSupport
import Testing

@testable import TraceCore

/// The store's memory is one mapping to the address sanitizer: an overrun from one slot into the next would go
/// unseen. Here a store has one slot and one block, and everything behind them is poisoned by hand.
@Suite(.enabled(if: AddressSanitizer.isThere, "needs the address sanitizer: make asan"))
struct RedZoneTests {
    @Test("Spans of every shape touch nothing behind their slot, block and request body")
    func randomSpans() throws {
        let pages = RedZonePageSource()
        var driver = SpanDriver(seed: 21)
        let harness = try CoreHarness {
            $0.liveSpansMax = 1
            $0.blocksMax = 1
            $0.queueSpans = 64
            $0.pages = pages
        }
        var body = ExportBody(capacityBytes: 1 << 20, pages: pages)
        var drained = 0
        for _ in 0..<2_000 {
            driver.record(SampleSpan.random(using: &driver.generator), with: harness.tracer)
            drained += harness.recorder.queue.fill(&body, spans: 64)
        }
        #expect(drained == 2_000)
        // The slot was poisoned where it ends, and so was the block.
        #expect(pages.poisonedCount >= 3)
    }

    @Test(
        "A slot filled to its last byte, and one beyond, stays within it",
        arguments: [0, 1, 2, 3, 7, 8, 9])
    func lastByte(beyond: Int) throws {
        let harness = try CoreHarness {
            $0.liveSpansMax = 1
            $0.blocksMax = 1
            $0.pages = RedZonePageSource()
        }
        let fixedBytes = SlotLayout.headerBytes + 32
        for room in 0..<24 {
            let span = harness.tracer.startSpan("span")
            span.setAttribute(
                AttributeKey("key"),
                string: String(
                    repeating: "x", count: SlotLayout.inlineBytes - fixedBytes + beyond + room))
            span.setAttribute(AttributeKey("flag"), true)
            span.end()
            #expect(try harness.drain().first?.attributes.count == 2)
        }
    }

    @Test("A byte behind the slot is seen when it is touched")
    func seesOverrun() async {
        await #expect(processExitsWith: .failure) {
            let pages = RedZonePageSource()
            guard let memory = unsafe pages.allocate(byteCount: 4096) else { return }
            unsafe memory.storeBytes(of: 1, toByteOffset: SlotLayout.strideBytes, as: UInt8.self)
        }
    }
}

/// What the address sanitizer's runtime offers a program, where there is one.
private enum AddressSanitizer {
    private typealias Marking = @convention(c) (UnsafeRawPointer, Int) -> Void

    private static func function(_ name: String) -> Marking? {
        unsafe dlsym(nil, name).map { unsafe unsafeBitCast($0, to: Marking.self) }
    }

    static var isThere: Bool {
        let found = unsafe function("__asan_poison_memory_region")
        return unsafe found != nil
    }

    static func poison(_ memory: UnsafeRawPointer, _ byteCount: Int) {
        unsafe function("__asan_poison_memory_region")?(memory, byteCount)
    }

    static func unpoison(_ memory: UnsafeRawPointer, _ byteCount: Int) {
        unsafe function("__asan_unpoison_memory_region")?(memory, byteCount)
    }
}

/// Mappings behind whose used part, and a page beyond, nothing may be touched.
private final class RedZonePageSource: PageSource {
    private let poisoned = SharedNumber()
    private static let zoneBytes = 4096

    var poisonedCount: Int { poisoned.value }

    /// The segment of a single slot or block is known by its size; of all else the whole is used.
    private static func usedBytes(of byteCount: Int) -> Int {
        switch byteCount {
        case 4096: SlotLayout.strideBytes
        case 8192: Block.strideBytes
        default: byteCount
        }
    }

    func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
        let whole = footprintBytes(of: byteCount) + Self.zoneBytes
        guard let pages = unsafe MappedPageSource().allocate(byteCount: whole) else { return nil }
        let used = Self.usedBytes(of: byteCount)
        unsafe AddressSanitizer.poison(pages + used, whole - used)
        poisoned.add()
        return unsafe pages
    }

    func release(_ pages: UnsafeMutableRawPointer, byteCount: Int) {
        let whole = footprintBytes(of: byteCount) + Self.zoneBytes
        unsafe AddressSanitizer.unpoison(pages, whole)
        unsafe MappedPageSource().release(pages, byteCount: whole)
    }
}
