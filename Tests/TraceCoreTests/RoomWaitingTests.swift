import Glibc
import Synchronization
import TestSupport
import Testing

@testable import TraceCore

/// Threads that wait for room in a queue that blocks: a drain wakes one while there is more to drain, all when there is
/// not, and what room is left is for all before the exporter turns to something else.
@Suite struct RoomWaitingTests {
    private static let waiting = 6

    private static func harness() throws -> CoreHarness {
        try CoreHarness {
            $0.queueSpans = 64
            $0.blocksWhenFull = true
        }
    }

    /// Fills the queue and has threads wait, each for room for one span.
    private static func waiters(
        _ harness: CoreHarness, _ ended: SharedNumber
    ) -> pthread_t {
        let core = unsafe harness.recorder.queue.core
        let tracer = harness.tracer
        while harness.recorder.queue.pendingCount < 64 { tracer.startSpan("filler").end() }
        let threads = OSThreads.start {
            OSThreads.run(count: waiting) { _ in
                tracer.startSpan("waiter").end()
                ended.add()
            }
        }
        while unsafe core.pointee.shared.pointee.waiters.load(ordering: .relaxed) < waiting {
            yieldProcessor()
        }
        return threads
    }

    @Test("Room that one woken thread leaves is offered to all others")
    func offered() throws {
        let harness = try Self.harness()
        let ended = SharedNumber()
        let threads = Self.waiters(harness, ended)
        let queue = harness.recorder.queue
        var body = ExportBody(capacityBytes: 1 << 16)
        // Half stays: a drain with more behind it.
        #expect(queue.fill(&body, spans: 32) == 32)
        queue.offerRoom()
        OSThreads.join(threads)
        #expect(ended.value == Self.waiting)
        #expect(queue.pendingCount == 32 + Self.waiting)
    }

    @Test("A drain with nothing behind it lets all threads in")
    func lastDrain() throws {
        let harness = try Self.harness()
        let ended = SharedNumber()
        let threads = Self.waiters(harness, ended)
        var body = ExportBody(capacityBytes: 1 << 16)
        #expect(harness.recorder.queue.fill(&body, spans: 64) == 64)
        OSThreads.join(threads)
        #expect(ended.value == Self.waiting)
    }

    @Test("Drains that go on bring every thread through, one by one")
    func oneByOne() throws {
        let harness = try Self.harness()
        let tracer = harness.tracer
        let threads = OSThreads.start {
            OSThreads.run(count: 8) { _ in
                for _ in 0..<2_000 { tracer.startSpan("span").end() }
            }
        }
        var body = ExportBody(capacityBytes: 1 << 16)
        var total = 0
        while total < 16_000 { total += harness.recorder.queue.fill(&body, spans: 7) }
        OSThreads.join(threads)
        #expect(total == 16_000)
        #expect(harness.recorder.counters.droppedQueueFull == 0)
    }
}
