import TestSupport
import Testing

@testable import TraceCore

/// What is stated of a recorder before there is one, and what it holds at full use.
@Suite struct RecorderMemoryTests {
    struct Size: Sendable, CustomTestStringConvertible {
        var live: Int
        var blocks: Int
        var queueSpans: Int
        var queueBytes: Int
        var roundsTo = 4096
        var testDescription: String { "\(live) live, \(blocks) blocks, \(queueBytes) bytes" }
    }

    @Test(
        "A store and a ring that are full hold what was stated, and at no time more",
        arguments: [
            Size(live: 1, blocks: 1, queueSpans: 4_000, queueBytes: 1 << 16),
            Size(live: 500, blocks: 100, queueSpans: 20_000, queueBytes: 1 << 20),
            Size(live: 5_000, blocks: 2_000, queueSpans: 80_000, queueBytes: 5 << 20),
            Size(
                live: 3_000, blocks: 600, queueSpans: 40_000, queueBytes: 3 << 20, roundsTo: 65_536),
        ])
    func full(size: Size) throws {
        let pages = CountingPageSource(roundsTo: size.roundsTo)
        var options = RecorderOptions()
        options.liveSpansMax = size.live
        options.blocksMax = size.blocks
        options.queueSpans = size.queueSpans
        options.queueBytesMax = size.queueBytes
        options.pages = pages
        let stated = options.memory(threads: 1)
        let harness = try CoreHarness {
            $0 = options
        }
        #expect(pages.heldBytes <= stated.storeBytes + stated.ringBytes)

        // Live spans up to the bound, blocks up to theirs.
        let key = AttributeKey("key")
        let large = String(repeating: "x", count: 4_000)
        let live = (0..<size.live).map { number in
            let span = harness.tracer.startSpan("live")
            if number < size.blocks { span.setAttribute(key, string: large) }
            return span
        }
        #expect(live.allSatisfy { $0.isRecording })
        #expect(!harness.tracer.startSpan("too many").isRecording)
        for span in live.prefix(1) {
            for _ in 0..<max(0, size.blocks - size.live) {
                span.setAttribute(AttributeKey("more"), string: large)
            }
        }
        // One gives way to those that fill the queue, until there is no chunk left.
        live[0].end()
        let before = harness.recorder.counters.droppedQueueFull
        while harness.recorder.counters.droppedQueueFull == before {
            harness.tracer.startSpan("finished").end()
        }
        #expect(harness.recorder.counters.queued < size.queueSpans)
        let chunksOnly = pages.heldBytes
        #expect(chunksOnly <= stated.storeBytes + stated.ringBytes)
        // All but what large records may take beside the chunks.
        #expect(chunksOnly == stated.storeBytes + stated.ringBytes - size.queueBytes)
        for span in live.dropFirst() { span.end() }
        #expect(pages.heldBytes == chunksOnly)
    }

    @Test("Spans of more than 64 KiB hold their own share of the ring, and give it back")
    func largeRecords() throws {
        let pages = CountingPageSource(roundsTo: 16_384)
        let harness = try CoreHarness {
            $0.liveSpansMax = 4
            $0.blocksMax = 64
            $0.queueBytesMax = 4 << 20
            $0.pages = pages
        }
        let before = pages.heldBytes
        let text = String(repeating: "x", count: 100_000)
        let key = AttributeKey("key")
        while harness.recorder.counters.droppedQueueFull == 0 {
            let span = harness.tracer.startSpan("large")
            span.setAttribute(key, string: text)
            span.end()
        }
        // A chunk of the pool may have been opened for the first of them.
        let own = pages.heldBytes - before
        #expect(own <= 4 << 20)
        #expect(own > (4 << 20) - (120 << 10))
        #expect(try harness.drain().count == Int(harness.recorder.counters.drained))
        #expect(pages.heldBytes == before)
    }
}
