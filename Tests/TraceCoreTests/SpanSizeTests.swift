import TestSupport
import Testing

@testable import TraceCore

/// Spans of sizes that need chunks, bodies or memory of their own, or that find none.
@Suite struct SpanSizeTests {
    @Test("Large spans and small ones keep their order", arguments: [1, 2, 4])
    func largeSpans(producers: Int) throws {
        let which = SpanQueueModelTests.Case(capacity: 64, blocks: true, producers: producers)
        let harness = try SpanQueueModelTests.harness(which, queueBytesMax: 1 << 20)
        let queue = harness.recorder.queue
        let key = AttributeKey("payload")
        let sizes = [0, 10, 3_000, 65_300, 65_376, 65_400, 65_536, 131_072, 400_000]
        let perProducer = 60
        let running = SharedNumber(producers)
        let tracer = harness.tracer
        let threads = OSThreads.start {
            OSThreads.run(count: producers) { producer in
                var generator = SeededGenerator(seed: UInt64(producer))
                for number in 0..<perProducer {
                    let span = tracer.startSpan(
                        "span", identity: SpanMark(producer: producer, number: number).identity)
                    let size = generator.pick(sizes)
                    span.setAttribute(key, string: String(repeating: "x", count: size))
                    span.end()
                }
                running.add(-1)
            }
        }
        var body = ExportBody(capacityBytes: 2 << 20)
        var tally = SpanTally()
        while true {
            let wasRunning = running.value > 0
            if queue.fill(&body, spans: 7) > 0 {
                try tally.add(body, checksContents: false)
            } else if wasRunning {
                yieldProcessor()
            } else {
                break
            }
        }
        OSThreads.join(threads)
        #expect(tally.problems == [] && tally.count == producers * perProducer)
        #expect(harness.recorder.counters.droppedQueueFull == 0)
        #expect(harness.recorder.counters.droppedOversize == 0)
    }

    @Test("More threads than chunks: each gets on", arguments: [false, true])
    func moreThreadsThanChunks(blocks: Bool) throws {
        // Two chunks of 64 KiB in the queue, eight threads that keep one open each.
        let which = SpanQueueModelTests.Case(capacity: 1024, blocks: blocks, producers: 8)
        let harness = try SpanQueueModelTests.harness(which, queueBytesMax: 1 << 16)
        let tracer = harness.tracer
        let key = AttributeKey("payload")
        let ready = SharedNumber()
        let running = SharedNumber(8)
        let threads = OSThreads.start {
            OSThreads.run(count: 8) { producer in
                for number in 0..<40 {
                    let span = tracer.startSpan(
                        "span", identity: SpanMark(producer: producer, number: number).identity)
                    span.setAttribute(key, string: String(repeating: "x", count: 20_000))
                    span.end()
                    if number == 0 {
                        // All hold a chunk open at once.
                        ready.add()
                        ready.wait(for: 8)
                    }
                }
                running.add(-1)
            }
        }
        var body = ExportBody(capacityBytes: 1 << 20)
        var tally = SpanTally()
        while true {
            let wasRunning = running.value > 0
            if harness.recorder.queue.fill(&body, spans: 50) > 0 {
                try tally.add(body, checksContents: false)
            } else if wasRunning {
                yieldProcessor()
            } else {
                break
            }
        }
        OSThreads.join(threads)
        let counters = harness.recorder.counters
        #expect(tally.problems == [])
        #expect(UInt64(tally.count) + counters.droppedQueueFull == 320)
        // At least the first of each, which found a chunk to open.
        #expect(tally.count >= 8)
        if blocks { #expect(tally.count == 320) }
    }

    @Test(
        "A large span of an idle thread does not keep its memory from others",
        arguments: [false, true])
    func idleOwnChunk(blocks: Bool) throws {
        let harness = try CoreHarness {
            $0.queueBytesMax = 1 << 20
            $0.blocksWhenFull = blocks
        }
        let tracer = harness.tracer
        let key = AttributeKey("payload")
        let step = SharedNumber()
        let threads = OSThreads.start {
            OSThreads.run(count: 3) { index in
                step.wait(for: 2 * index)
                let span = tracer.startSpan("large")
                span.setAttribute(key, string: String(repeating: "x", count: 600_000))
                span.end()
                step.add()
                // Stays alive, with whatever it holds, until all are done.
                step.wait(for: 5)
            }
        }
        var found = 0
        for index in 0..<3 {
            step.wait(for: 2 * index + 1)
            found += try harness.drain().count
            step.add()
        }
        OSThreads.join(threads)
        #expect(found == 3 && harness.recorder.counters.droppedQueueFull == 0)
    }

    @Test("A span that no chunk could hold is counted oversize, also by a queue that waits")
    func largerThanTheQueue() throws {
        for blocks in [false, true] {
            let harness = try CoreHarness {
                $0.queueBytesMax = 1 << 16
                $0.blocksWhenFull = blocks
                $0.sumsChecked = true
            }
            let mark = SpanMark(producer: 3, number: 4)
            let span = harness.tracer.startSpan("span", identity: mark.identity)
            span.setAttribute(
                AttributeKey("payload"), string: String(repeating: "x", count: 90_000))
            span.end()
            let counters = harness.recorder.counters
            #expect(counters.droppedOversize == 1 && counters.published == 0)
            #expect(counters.droppedIdentitySum == mark.identityHash)
        }
    }

    @Test("A span that a request cannot hold is counted oversize")
    func largerThanARequest() throws {
        let harness = try CoreHarness {
            $0.blocksMax = 17_000
            $0.sumsChecked = true
        }
        let mark = SpanMark(producer: 0, number: 0)
        let span = harness.tracer.startSpan("span", identity: mark.identity)
        let text = String(repeating: "x", count: SpanAdmission.spanBytesMax)
        span.setAttribute(AttributeKey("payload"), string: text)
        span.end()
        harness.tracer.startSpan("small").end()
        let counters = harness.recorder.counters
        #expect(counters.droppedOversize == 1 && counters.published == 1)
        #expect(counters.droppedIdentitySum == mark.identityHash)
        #expect(try harness.drain().map(\.name) == ["small"])
    }

    @Test("What does not fit the exporter's body is passed over and counted, the rest goes on")
    func largerThanTheBody() throws {
        let harness = try CoreHarness { $0.sumsChecked = true }
        var dropped: UInt64 = 0
        for number in 0..<30 {
            let mark = SpanMark(producer: 0, number: number)
            let span = harness.tracer.startSpan("span", identity: mark.identity)
            if number % 3 == 1 {
                span.setAttribute(
                    AttributeKey("long"), string: String(repeating: "x", count: 5_000))
                dropped &+= mark.identityHash
            }
            span.end()
        }
        let found = try harness.drain(bodyBytes: 2_000)
        // Apart from the macro, and typed: together they were too much for the type checker.
        let foundNumbers: [UInt64?] = found.map { UInt64($0.spanID, radix: 16) }
        let keptNumbers: [UInt64?] = (UInt64(0)..<30).filter { $0 % 3 != 1 }.map { $0 + 1 }
        #expect(foundNumbers == keptNumbers)
        let counters = harness.recorder.counters
        #expect(counters.droppedOversize == 10 && counters.droppedIdentitySum == dropped)
        #expect(counters.published == 20 && counters.drained == 20 && counters.endedSampled == 30)
        #expect(harness.recorder.queue.pendingCount == 0)
        // Their room is free again.
        #expect(harness.recorder.queue.seal())
    }

    @Test(
        "A body is cut off at its bytes, and the next one goes on", arguments: [400, 1_000, 5_000])
    func bodyLimit(bodyBytes: Int) throws {
        let harness = try CoreHarness()
        for number in 0..<200 {
            harness.tracer.startSpan(
                "span", identity: SpanMark(producer: 0, number: number).identity
            ).end()
        }
        var body = ExportBody(capacityBytes: bodyBytes)
        var tally = SpanTally()
        var bodies = 0
        while harness.recorder.queue.fill(&body, spans: 512) > 0 {
            #expect(body.byteCount <= bodyBytes)
            bodies += 1
            try tally.add(body)
        }
        #expect(tally.count == 200 && bodies > 2)
    }
}
