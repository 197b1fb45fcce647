import Glibc
import TestSupport
import Testing

@testable import TraceCore

/// Every buffer keeps spare bytes for copies by words. Here a page that nobody may touch begins where
/// the buffers end: a byte too far ends the process.
@Suite struct PageBoundaryTests {
    /// A harness whose last slot, last block, large chunks and bodies each end at a guard page.
    private func guarded(_ configure: (inout RecorderOptions) -> Void = { _ in }) throws
        -> CoreHarness
    {
        try CoreHarness {
            // 64 · 1,088 and 32 · 4,224 bytes are whole pages.
            $0.liveSpansMax = 64
            $0.blocksMax = 32
            $0.pages = GuardedPageSource()
            configure(&$0)
        }
    }

    @Test("The sizes are such that slots and blocks end with their pages")
    func sizes() {
        #expect(64 * SlotLayout.strideBytes % 4_096 == 0)
        #expect(32 * Block.strideBytes % 4_096 == 0)
        #expect(ChunkPool.strideBytes % 4_096 == 0)
    }

    @Test("A slot is filled to its last byte, and not beyond")
    func slots() throws {
        let harness = try guarded()
        // All but the last one are taken.
        let others = (0..<63).map { _ in harness.tracer.startSpan("other") }
        #expect(others.allSatisfy { $0.isRecording })
        let key = AttributeKey("key")
        let second = AttributeKey("a second key of some length")
        for byteCount in 0...(SlotLayout.inlineBytes + 40) {
            let text = String(repeating: "x", count: byteCount)
            let span = harness.tracer.startSpan("span")
            span.setAttribute(key, string: text)
            span.setAttribute(second, byteCount)
            span.setAttribute(AttributeKey("k"), true)
            span.addEvent(SpanName("event"), at: 1)
            span.end()
            harness.tracer.startSpan(named: text).end()
            let read = try harness.drain(spans: 2)
            #expect(read.count == 2 && read.last?.name == text)
            #expect(read.first?.attributes.count == 3 && read.first?["key"] == .string(text))
        }
        for other in others { other.end() }
    }

    @Test("A block is filled to its last byte, and not beyond")
    func blocks() throws {
        let harness = try guarded()
        // All but the last one are taken: each status message takes one.
        let others = (0..<31).map { _ in
            let span = harness.tracer.startSpan("other")
            span.setStatus(.error, "message")
            return span
        }
        let key = AttributeKey("key")
        let edges = [-40, -33, -32, -31, -9, -8, -1, 0, 1, 8]
        let starts = [
            0, SlotLayout.inlineBytes, Block.payloadBytes,
            SlotLayout.inlineBytes + Block.payloadBytes,
        ]
        for byteCount in starts.flatMap({ start in edges.map { start + $0 - 70 } })
        where byteCount >= 0 {
            for extra in 0..<12 {
                let text = String(repeating: "x", count: byteCount + 3 * extra)
                let span = harness.tracer.startSpan("span")
                span.setAttribute(key, string: text)
                span.setAttribute(AttributeKey("more"), -1)
                span.setAttribute(AttributeKey("and more"), string: "0123456789")
                span.end()
                let read = try #require(try harness.drain().first)
                #expect(UInt64(read.attributes.count) + read.droppedAttributes == 3)
                if let value = read["key"] { #expect(value == .string(text)) }
            }
        }
        // A message and a name of the largest size there is.
        let span = harness.tracer.startSpan("span")
        span.setStatus(.error, String(repeating: "m", count: 5_000))
        span.end()
        #expect(try harness.drain().first?.statusMessage.utf8.count == Block.payloadBytes)
        let renamed = harness.tracer.startSpan("span")
        renamed.updateName(String(repeating: "n", count: 5_000))
        renamed.end()
        #expect(try harness.drain().first?.name?.utf8.count == Block.payloadBytes)
        for other in others { other.end() }
    }

    @Test("A chunk of one large span ends with its record")
    func ownChunks() throws {
        let harness = try guarded { $0.sumsChecked = true }
        let name = String(repeating: "n", count: ChunkPool.recordBytesMax - 120)
        for extra in stride(from: 0, through: 4_200, by: 13) {
            let text = name + String(repeating: "n", count: extra)
            harness.tracer.startSpan(named: text).end()
            #expect(try harness.drain().first?.name?.utf8.count == text.utf8.count)
        }
    }

    @Test("A body is filled to its last byte, and not beyond")
    func bodies() throws {
        let harness = try guarded { $0.sumsChecked = true }
        var body = ExportBody(capacityBytes: 8_192 - Wire.slackBytes, pages: GuardedPageSource())
        var fullest = 0
        for byteCount in 0..<700 {
            var ended = 0
            for _ in 0..<60 {
                let span = harness.tracer.startSpan("span")
                span.setAttribute(
                    AttributeKey("k"), string: String(repeating: "x", count: byteCount))
                span.end()
                ended += 1
            }
            while harness.recorder.queue.fill(&body, spans: 512) > 0 {
                fullest = max(fullest, body.byteCount)
                ended -= try CoreHarness.messages(in: body).count
            }
            #expect(ended == 0)
        }
        #expect(fullest <= 8_192 - Wire.slackBytes && fullest > 8_192 - Wire.slackBytes - 40)
    }
}

/// Mappings with a page behind them that nobody may touch.
private struct GuardedPageSource: PageSource {
    private func rounded(_ byteCount: Int) -> Int { (byteCount + 4_095) & ~4_095 }

    func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
        let bytes = rounded(byteCount)
        guard let pages = unsafe MappedPageSource().allocate(byteCount: bytes + 4_096) else {
            return nil
        }
        let status = unsafe mprotect(pages + bytes, 4_096, PROT_NONE)
        precondition(status == 0)
        return unsafe pages
    }

    func release(_ pages: UnsafeMutableRawPointer, byteCount: Int) {
        unsafe MappedPageSource().release(pages, byteCount: rounded(byteCount) + 4_096)
    }
}
