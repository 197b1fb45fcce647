import Glibc
import Synchronization
import TestSupport
import Testing

@testable import TraceCore

/// Closing against ending, and the exporter's sleep: races that must have one outcome.
@Suite struct SpanQueueShutdownTests {
    @Test(
        "A span that ends around the close is drained or counted after shutdown, never both",
        arguments: [2, 64, 1024], [false, true])
    func closeRace(capacity: Int, blocks: Bool) throws {
        let producers = 3
        let perProducer = 24
        let iterations = 25
        var generator = SeededGenerator(seed: UInt64(capacity))
        for _ in 0..<iterations {
            let harness = try CoreHarness {
                $0.liveSpansMax = 128
                $0.blocksMax = 8
                $0.queueSpans = capacity
                $0.queueBytesMax = 1 << 16
                $0.blocksWhenFull = blocks
                $0.sumsChecked = true
                $0.ringStartPosition = .max - 1
            }
            let (tracer, queue) = (harness.tracer, harness.recorder.queue)
            let started = SharedNumber()
            let ended = SharedNumber()
            let sealed = SharedNumber()
            let threads = OSThreads.start {
                OSThreads.run(count: producers) { producer in
                    let spans = (0..<perProducer).map { number in
                        tracer.startSpan(
                            "span", identity: SpanMark(producer: producer, number: number).identity)
                    }
                    started.add()
                    started.wait(for: producers)
                    for span in spans.dropLast() {
                        span.end()
                        ended.add()
                    }
                    // One of each that certainly comes too late.
                    sealed.wait(for: 1)
                    spans.last?.end()
                }
            }
            var body = ExportBody(capacityBytes: 1 << 16)
            var tally = SpanTally()
            // Somewhere between the first end and the last.
            let closeAt = Int(generator.next() % UInt64(producers * (perProducer - 1)))
            started.wait(for: producers)
            while ended.value < closeAt {
                // Only a queue that makes threads wait has to be drained on the way.
                if blocks, queue.fill(&body, spans: 5) > 0 { try tally.add(body) }
                yieldProcessor()
            }
            queue.close()
            while true {
                if queue.fill(&body, spans: 5) > 0 {
                    try tally.add(body)
                } else if queue.seal() {
                    break
                }
            }
            sealed.add()
            OSThreads.join(threads)
            let counters = harness.recorder.counters
            let total = UInt64(producers * perProducer)
            #expect(counters.droppedAfterShutdown >= UInt64(producers))
            #expect(tally.problems == [])
            #expect(counters.endedSampled == total && counters.live == 0)
            #expect(
                counters.published == UInt64(tally.count) && counters.drained == counters.published)
            #expect(
                counters.published + counters.droppedQueueFull + counters.droppedAfterShutdown
                    == total)
            if blocks { #expect(counters.droppedQueueFull == 0) }
            #expect(queue.pendingCount == 0 && queue.fill(&body, spans: 5) == 0)
            var issued: UInt64 = 0
            for producer in 0..<producers {
                for number in 0..<perProducer {
                    issued &+= SpanMark(producer: producer, number: number).identityHash
                }
            }
            #expect(tally.identitySum &+ counters.droppedIdentitySum == issued)
        }
    }

    @Test("After the close starts do not record; ends are taken until the seal, then counted")
    func afterClose() throws {
        let harness = try CoreHarness { $0.sumsChecked = true }
        let parent = SpanContext(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(rawValue: 3), flags: [.sampled])
        let first = harness.tracer.startSpan("first")
        let second = harness.tracer.startSpan(
            "second", identity: SpanMark(producer: 0, number: 1).identity)
        let large = harness.tracer.startSpan(
            "large", identity: SpanMark(producer: 0, number: 2).identity)
        large.setAttribute(AttributeKey("payload"), string: String(repeating: "x", count: 100_000))
        harness.recorder.queue.close()
        let late = harness.tracer.startSpan("late", parent: parent)
        #expect(!late.isRecording && late.context == parent)
        first.end()
        #expect(harness.recorder.queue.pendingCount == 1)
        #expect(!harness.recorder.queue.seal())
        #expect(try harness.drain().map(\.name) == ["first"])
        #expect(harness.recorder.queue.seal())
        second.end()
        large.end()
        second.end()
        let counters = harness.recorder.counters
        #expect(counters.droppedAfterShutdown == 2 && counters.published == 1)
        #expect(counters.notRecordedAfterShutdown == 1 && counters.live == 0)
        #expect(
            counters.droppedIdentitySum
                == SpanMark(producer: 0, number: 1).identityHash
                &+ SpanMark(producer: 0, number: 2).identityHash)
        #expect(try harness.drain().isEmpty)
    }

    @Test("A close lets go of threads that wait for room")
    func closeWakesWaiters() throws {
        let harness = try CoreHarness {
            $0.queueSpans = 2
            $0.blocksWhenFull = true
        }
        let tracer = harness.tracer
        let threads = OSThreads.start {
            OSThreads.run(count: 4) { _ in
                for _ in 0..<3 { tracer.startSpan("span").end() }
            }
        }
        while !harness.recorder.queue.hasWaiters { yieldProcessor() }
        harness.recorder.queue.close()
        OSThreads.join(threads)
        #expect(harness.recorder.queue.pendingCount == 2)
        let counters = harness.recorder.counters
        #expect(counters.published == 2 && counters.droppedQueueFull == 0)
        #expect(counters.droppedAfterShutdown == counters.endedSampled - 2)
    }

    @Test("What is discarded at a cut-off shutdown is counted with its identities")
    func discard() throws {
        let harness = try CoreHarness { $0.sumsChecked = true }
        var expected: UInt64 = 0
        for number in 0..<700 {
            let mark = SpanMark(producer: 0, number: number)
            harness.tracer.startSpan("span", identity: mark.identity).end()
            expected &+= mark.identityHash
        }
        harness.recorder.queue.close()
        let discarded = harness.recorder.queue.discardPending()
        #expect(discarded.spans == 700 && discarded.identitySum == expected)
        #expect(harness.recorder.queue.seal())
        #expect(harness.recorder.queue.discardPending().spans == 0)
    }

    @Test(
        "A span that ends after its recorder is gone does nothing, also where the index is used again"
    )
    func outlivesTheRecorder() throws {
        var spans: [ActiveSpan] = []
        for _ in 0..<100 {
            let harness = try CoreHarness {
                $0.liveSpansMax = 4
                $0.queueBytesMax = 1 << 16
            }
            harness.tracer.startSpan("ended").end()
            let span = harness.tracer.startSpan("lives on")
            _ = harness.recorder.queue.armWakeup(pendingAtLeast: 1)
            spans.append(span)
            // An older one ends in between: its recorder's index may be this one's.
            if spans.count > 1 { spans[spans.count - 2].end() }
            harness.tracer.startSpan("ended").end()
            #expect(harness.recorder.counters.published == 2)
            #expect(
                unsafe harness.recorder.core.pointee.producerCount.load(ordering: .relaxed) == 1)
        }
    }

    // MARK: The exporter's sleep

    /// Sleeps until the descriptor is readable. False when that takes half a minute: a lost wake-up.
    static func sleep(_ queue: SpanQueue) -> Bool {
        var descriptor = pollfd(fd: queue.eventFileDescriptor, events: Int16(POLLIN), revents: 0)
        var result: Int32
        repeat { result = unsafe poll(&descriptor, 1, 30_000) } while result < 0 && errno == EINTR
        queue.acknowledgeWakeup()
        return result == 1
    }

    @Test(
        "An exporter that sleeps over an empty queue is woken by the next span",
        arguments: [1, 2, 8], [1, 2, 64])
    func wakeOnAny(producers: Int, capacity: Int) throws {
        let harness = try CoreHarness {
            $0.queueSpans = capacity
            $0.blocksWhenFull = true
        }
        let queue = harness.recorder.queue
        let tracer = harness.tracer
        let rounds = 900 / producers
        let drained = SharedNumber()
        let threads = OSThreads.start {
            OSThreads.run(count: producers) { _ in
                for round in 1...rounds {
                    tracer.startSpan("span").end()
                    // In step with the others, so that the exporter runs dry and sleeps each round.
                    drained.wait(for: round * producers)
                }
            }
        }
        var body = ExportBody(capacityBytes: 1 << 16)
        var lost = 0
        var sleeps = 0
        while drained.value < rounds * producers, lost == 0 {
            let spans = queue.fill(&body, spans: 512)
            if spans > 0 {
                drained.add(spans)
            } else if queue.armWakeup(pendingAtLeast: 1) {
                sleeps += 1
                if !Self.sleep(queue) { lost += 1 }
                queue.disarm()
            }
        }
        drained.add(rounds * producers)
        OSThreads.join(threads)
        #expect(lost == 0, "the exporter slept on with spans in the queue")
        #expect(sleeps > 0)
    }

    @Test(
        "An exporter that waits for a full batch is woken once it is there",
        arguments: [2, 8, 40, 512])
    func wakeOnBatch(batch: Int) throws {
        let harness = try CoreHarness { $0.queueSpans = 4_096 }
        let queue = harness.recorder.queue
        let tracer = harness.tracer
        let woken = SharedNumber()
        let rounds = 40
        // Not one span more: the thread comes to rest over a batch that is just full.
        let published = batch
        let thread = OSThreads.start {
            for round in 1...rounds {
                for _ in 0..<published { tracer.startSpan("span").end() }
                woken.wait(for: round)
            }
        }
        var body = ExportBody(capacityBytes: 1 << 20)
        var lost = 0
        for _ in 0..<rounds where lost == 0 {
            var drained = 0
            while drained < published, lost == 0 {
                if drained < batch, queue.armWakeup(pendingAtLeast: batch - drained) {
                    if !Self.sleep(queue) { lost += 1 }
                    queue.disarm()
                }
                drained += queue.fill(&body, spans: 4_096)
            }
            woken.add()
        }
        woken.add(rounds)
        OSThreads.join(thread)
        #expect(lost == 0, "the exporter slept on over a full batch")
    }

    @Test("Threads that wait for room wake an exporter that waits for more than the queue holds")
    func waitersWake() throws {
        let harness = try CoreHarness {
            $0.queueSpans = 4
            $0.blocksWhenFull = true
        }
        let queue = harness.recorder.queue
        let tracer = harness.tracer
        let threads = OSThreads.start {
            OSThreads.run(count: 3) { _ in
                for _ in 0..<200 { tracer.startSpan("span").end() }
            }
        }
        var body = ExportBody(capacityBytes: 1 << 16)
        var total = 0
        var lost = 0
        while total < 600 - 4, lost == 0 {
            if queue.armWakeup(pendingAtLeast: 64), !Self.sleep(queue) { lost += 1 }
            queue.disarm()
            total += queue.fill(&body, spans: 64)
        }
        if lost > 0 { queue.close() }
        OSThreads.join(threads)
        #expect(lost == 0)
        total += queue.fill(&body, spans: 64)
        #expect(total == 600)
    }

    @Test("A queue that has enough already does not arm; taking back an arm leaves no signal")
    func armings() throws {
        let harness = try CoreHarness()
        let queue = harness.recorder.queue
        #expect(queue.armWakeup(pendingAtLeast: 1))
        queue.disarm()
        harness.tracer.startSpan("span").end()
        var descriptor = pollfd(fd: queue.eventFileDescriptor, events: Int16(POLLIN), revents: 0)
        #expect(unsafe poll(&descriptor, 1, 0) == 0)
        #expect(!queue.armWakeup(pendingAtLeast: 1))
        #expect(queue.armWakeup(pendingAtLeast: 2))
        queue.wake()
        #expect(unsafe poll(&descriptor, 1, 0) == 1)
        queue.acknowledgeWakeup()
        #expect(unsafe poll(&descriptor, 1, 0) == 0)
    }

    @Test("The hook runs on the ending thread after each span that got in, and may trace itself")
    func afterEndHook() throws {
        let harness = try CoreHarness { $0.queueSpans = 6 }
        let calls = SharedNumber()
        let tracer = harness.tracer
        harness.recorder.setAfterEnd {
            // A span of its own for each of the first two.
            if calls.add() <= 2 { tracer.startSpan("inner").end() }
        }
        for _ in 0..<3 { tracer.startSpan("outer").end() }
        #expect(calls.value == 5)
        harness.recorder.setAfterEnd(nil)
        tracer.startSpan("outer").end()
        #expect(calls.value == 5)
        // Dropped for want of room: not in, so no call.
        harness.recorder.setAfterEnd { calls.add() }
        tracer.startSpan("outer").end()
        #expect(calls.value == 5 && harness.recorder.counters.droppedQueueFull == 1)
        #expect(
            try harness.drain().map(\.name) == [
                "outer", "inner", "inner", "outer", "outer", "outer",
            ])
    }
}
