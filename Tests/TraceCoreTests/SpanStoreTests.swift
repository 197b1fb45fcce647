import Synchronization
import TestSupport
import Testing

@testable import TraceCore

/// Slots, tickets and blocks: who may touch a span, and what remains when there is no room.
@Suite struct SpanStoreTests {
    static let key = AttributeKey("key")

    @Test("The parts of a slot, a chunk and a block do not overlap")
    func layout() {
        #expect(MemoryLayout<SpanSlot>.size <= SlotLayout.inlineOffset)
        #expect(
            SlotLayout.inlineOffset + SlotLayout.inlineBytes + Wire.slackBytes
                == SlotLayout.strideBytes)
        #expect(SlotLayout.strideBytes % MemoryLayout<SpanSlot>.alignment == 0)
        #expect(MemoryLayout<Chunk>.size <= Chunk.headerBytes)
        #expect(Chunk.headerBytes % MemoryLayout<RecordPrefix>.alignment == 0)
        #expect(Block.headerBytes >= MemoryLayout<NodeHeader>.size)
        #expect(Block.headerBytes + Block.payloadBytes + Wire.slackBytes == Block.strideBytes)
        #expect(MemoryLayout<RecordPrefix>.stride == MemoryLayout<RecordPrefix>.size)
        #expect(Self.freeListOffsets == [0, 8])
        #expect(unsafe MemoryLayout<BlockHeader>.offset(of: \.next) == 0)
        #expect(unsafe MemoryLayout<NodeHeader>.offset(of: \.next) == 0)
        #expect(MemoryLayout<NodeHeader>.offset(of: \.batchCount) == 8)
        // Records begin where a prefix may be read in place.
        for bytes in 1...100 {
            let record = RecordPrefix.recordBytes(spanBytes: bytes)
            #expect(
                record % 8 == 0 && record >= RecordPrefix.bytes + bytes
                    && record < RecordPrefix.bytes + bytes + 8)
        }
        // The largest header: parent and all; then a trace state and a name still fit.
        #expect(SlotLayout.headerBytes + 10 < SlotLayout.inlineBytes)
    }

    /// Where a slot keeps the words that it shares with every free node.
    private static var freeListOffsets: [Int] {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 4_096, alignment: 128)
        defer { unsafe memory.deallocate() }
        let slot = unsafe memory.bindMemory(to: SpanSlot.self, capacity: 1)
        let start = UInt(bitPattern: memory)
        let next = unsafe withUnsafePointer(to: &slot.pointee.next) { UInt(bitPattern: $0) }
        let count = unsafe withUnsafePointer(to: &slot.pointee.batchCount) { UInt(bitPattern: $0) }
        return [Int(next - start), Int(count - start)]
    }

    @Test("A ticket whose span has ended does nothing, and still names its context")
    func staleTicket() throws {
        let harness = try CoreHarness { $0.liveSpansMax = 2 }
        let stale = harness.tracer.startSpan("stale", at: 5)
        let context = stale.context
        stale.end(at: 6)
        // The next span lives in the same slot.
        let fresh = harness.tracer.startSpan("fresh", at: 7)
        #expect(!stale.isRecording && fresh.isRecording)
        stale.setAttribute(Self.key, 1)
        stale.setAttribute(Self.key, string: "text")
        stale.setAttributes(SpanAttributes([("other", 1)]))
        stale.addEvent(SpanName("event"))
        stale.recordException(type: "type", message: "message")
        stale.addLink(context)
        stale.setStatus(.error, "wrong")
        stale.updateName("wrong")
        stale.updateName(SpanName("wrong"))
        stale.end(at: 9)
        #expect(stale.context == context)
        fresh.end(at: 10)
        let spans = try harness.drain()
        #expect(spans.map(\.name) == ["stale", "fresh"])
        #expect(spans[1].attributes == [] && spans[1].events == [] && spans[1].links == [])
        #expect(spans[1].statusCode == 0 && spans[1].endUnixNano == 10)
        #expect(harness.recorder.counters.ended == 2)
    }

    @Test(
        "A span ended by many threads at once ends once, also without process barriers",
        arguments: [2, 4], [false, true])
    func doubleEnd(threads: Int, fencesOpenly: Bool) throws {
        let harness = try CoreHarness {
            $0.blocksWhenFull = true
            $0.fencesOpenly = fencesOpenly
        }
        let rounds = 300
        let spans = (0..<rounds).map {
            harness.tracer.startSpan(
                "span", at: 1, identity: SpanMark(producer: 0, number: $0).identity)
        }
        let arrived = SharedNumber()
        OSThreads.run(count: threads) { _ in
            for round in 0..<rounds {
                arrived.add()
                arrived.wait(for: (round + 1) * threads)
                spans[round].end(at: 2)
                spans[round].end(at: 3)
            }
        }
        for span in spans { span.end() }
        let counters = harness.recorder.counters
        #expect(counters.ended == UInt64(rounds) && counters.live == 0)
        #expect(counters.published == UInt64(rounds))
        #expect(Set(try harness.drain().map(\.spanID)).count == rounds)
    }

    @Test(
        "A full store gives spans that do not record, with the sampled flag cleared, and counts them",
        arguments: [1, 2, 64, 1024])
    func storeFull(capacity: Int) throws {
        let harness = try CoreHarness { $0.liveSpansMax = capacity }
        let parent = SpanContext(
            traceID: TraceID(high: 7, low: 8), spanID: SpanID(rawValue: 9),
            flags: [.sampled, .random], isRemote: true)
        for round in 1...3 as ClosedRange<UInt64> {
            let spans = (0..<capacity).map { _ in harness.tracer.startSpan("span") }
            #expect(spans.allSatisfy { $0.isRecording && $0.context.isSampled })
            let refused = harness.tracer.startSpan("refused", parent: parent)
            #expect(!refused.isRecording && !refused.context.isSampled)
            #expect(refused.context.isValid && refused.context.traceID == parent.traceID)
            #expect(refused.context.flags == .random)
            refused.setAttribute(Self.key, 1)
            refused.end()
            #expect(harness.recorder.counters.notRecordedStoreFull == round)
            #expect(harness.recorder.counters.live == UInt64(capacity))
            for span in spans { span.end() }
            #expect(try harness.drain().count == capacity)
        }
    }

    @Test("Slots come back: a great many spans through a small store", arguments: [1, 64])
    func slotsComeBack(capacity: Int) throws {
        let harness = try CoreHarness {
            $0.liveSpansMax = capacity
            $0.queueSpans = 4_096
        }
        var body = ExportBody(capacityBytes: 1 << 20)
        let rounds = capacity == 1 ? 20_000 : 250_000
        for round in 0..<rounds {
            harness.tracer.startSpan("span").end()
            if round % 1_024 == 0 { while harness.recorder.queue.fill(&body, spans: 4_096) > 0 {} }
        }
        #expect(harness.recorder.counters.recording == UInt64(rounds))
        #expect(harness.recorder.counters.notRecordedStoreFull == 0)
    }

    @Test("Without blocks what does not fit the slot is dropped and counted, and the span goes on")
    func blocksExhausted() throws {
        let harness = try CoreHarness { $0.blocksMax = 1 }
        let long = String(repeating: "x", count: 3_000)
        let hoarder = harness.tracer.startSpan("hoarder")
        hoarder.setAttribute(Self.key, string: long)
        let span = harness.tracer.startSpan("span")
        span.setAttribute(AttributeKey("short"), 1)
        span.setAttribute(AttributeKey("long"), string: long)
        span.setAttributes(SpanAttributes([("a", 1), ("b", 2)]))
        span.setAttribute(AttributeKey("short"), string: long)
        var list = SpanAttributes()
        list.set(AttributeKey("long"), long)
        span.addEvent(SpanName("event"), at: 1, attributes: list)
        span.addLink(.invalid, attributes: list)
        span.setStatus(.error, "message")
        span.updateName("another name")
        span.end()
        // The hoarder's block is free after its end.
        hoarder.end()
        let last = harness.tracer.startSpan("last")
        last.setAttribute(Self.key, string: long)
        last.end()
        let spans = try harness.drain()
        #expect(spans.map(\.name) == ["span", "hoarder", "last"])
        #expect(spans[0].attributes.map(\.key) == ["short", "a", "b"])
        #expect(spans[0]["short"] == .int(1))
        #expect(spans[0].droppedAttributes == 2)
        #expect(spans[0].events == [] && spans[0].droppedEvents == 1)
        #expect(spans[0].links == [] && spans[0].droppedLinks == 1)
        #expect(spans[0].statusCode == 2 && spans[0].statusMessage == "")
        #expect(spans[1]["key"] == .string(long) && spans[2]["key"] == .string(long))
    }

    @Test("Blocks come back from spans of many blocks, whichever thread ends them")
    func blocksComeBack() throws {
        let harness = try CoreHarness {
            $0.blocksMax = 8
            $0.blocksWhenFull = true
        }
        let tracer = harness.tracer
        let long = String(repeating: "x", count: 12_000)
        for round in 0..<200 {
            let span = tracer.startSpan("span")
            span.setAttribute(Self.key, string: long)
            span.setAttribute(AttributeKey("again"), string: long)
            span.setStatus(.error, "message")
            if round % 20 == 0 {
                OSThreads.run(count: 1) { _ in span.end() }
            } else {
                span.end()
            }
            let read = try #require(try harness.drain().first)
            #expect(read.attributes.count == 2 && read.droppedAttributes == 0)
            #expect(read.statusMessage == "message")
        }
    }

    @Test("A slot's generations wrap without trouble")
    func generationWrap() throws {
        let harness = try CoreHarness { $0.liveSpansMax = 1 }
        // The one slot of this store, at the last generation there is.
        let probe = harness.tracer.startSpan("probe")
        probe.end()
        let slot = unsafe SlotPointer(try #require(harness.theOneFreeSlot))
        unsafe slot.pointee.state.store(.max << 8, ordering: .relaxed)
        var previous = probe
        for number in 0..<4 {
            let span = harness.tracer.startSpan("span")
            #expect(span.isRecording && !previous.isRecording)
            span.setAttribute(Self.key, number)
            previous.setAttribute(Self.key, -1)
            previous.end()
            #expect(span.isRecording)
            span.end()
            previous = span
        }
        #expect(try harness.drain().compactMap { $0["key"] } == (0..<4).map { .int($0) })
    }

    @Test("A switched-off recorder starts nothing and lets live spans end")
    func disabled() throws {
        let harness = try CoreHarness()
        let live = harness.tracer.startSpan("live")
        harness.recorder.isEnabled = false
        #expect(!harness.recorder.isEnabled)
        let parent = live.context
        let child = harness.tracer.startSpan("child", parent: parent)
        #expect(!child.isRecording && child.context == parent)
        live.end()
        harness.recorder.isEnabled = true
        harness.tracer.startSpan("later").end()
        #expect(try harness.drain().map(\.name) == ["live", "later"])
        #expect(harness.recorder.counters.notRecordedDisabled == 1)
    }

    @Test("Options that make no sense are refused with the least that does")
    func options() {
        for (name, change) in [
            ("liveSpansMax", { $0.liveSpansMax = 0 }), ("blocksMax", { $0.blocksMax = -1 }),
            ("queueSpans", { $0.queueSpans = 0 }), ("timeOneIn", { $0.timeOneIn = -1 }),
            ("queueBytesMax", { $0.queueBytesMax = 65_535 }),
        ] as [(String, (inout RecorderOptions) -> Void)] {
            let error = #expect(throws: RecorderError.self) { try CoreHarness(change) }
            guard case .badOption(name, _, _)? = error else {
                Issue.record("\(name): \(String(describing: error))")
                continue
            }
        }
    }
}

extension CoreHarness {
    /// The free slot of a store that has one, by way of its pool.
    var theOneFreeSlot: UnsafeMutablePointer<SpanSlot>? {
        var cache = NodeCache()
        guard let node = unsafe recorder.core.pointee.slots.take(&cache) else { return nil }
        unsafe recorder.core.pointee.slots.give(node, &cache)
        return unsafe node.assumingMemoryBound(to: SpanSlot.self)
    }
}

extension SpanAttributes {
    /// Whole numbers by key.
    init(_ values: [(String, Int)]) {
        self.init()
        for (key, value) in values { set(AttributeKey(key), value) }
    }
}
