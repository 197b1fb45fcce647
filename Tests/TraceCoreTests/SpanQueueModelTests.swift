import Synchronization
import TestSupport
import Testing

@testable import TraceCore

/// The queue as a whole, through the public API, against what must not happen: a span lost, a span
/// twice, a thread's spans out of order, a count that does not add up.
@Suite struct SpanQueueModelTests {
    struct Case: CustomTestStringConvertible {
        var capacity: Int
        var blocks: Bool
        var producers: Int
        var testDescription: String {
            "\(capacity) spans, \(blocks ? "waiting" : "dropping"), \(producers) threads"
        }
    }
    static let cases = [2, 64, 1024].flatMap { capacity in
        [false, true].flatMap { blocks in
            [1, 2, 8, 32].map { Case(capacity: capacity, blocks: blocks, producers: $0) }
        }
    }

    static func harness(_ which: Case, queueBytesMax: Int? = nil) throws -> CoreHarness {
        try CoreHarness {
            $0.queueSpans = which.capacity
            $0.blocksWhenFull = which.blocks
            $0.sumsChecked = true
            $0.queueBytesMax = queueBytesMax
            $0.ringStartPosition = .max - 3
        }
    }

    @Test(
        "Every span is drained once, in its thread's order, or counted as dropped", arguments: cases
    )
    func exactlyOnce(which: Case) throws {
        let harness = try Self.harness(which)
        let queue = harness.recorder.queue
        let perProducer = 1_920 / which.producers
        let total = perProducer * which.producers
        let running = SharedNumber(which.producers)
        let tracer = harness.tracer
        let threads = OSThreads.start {
            OSThreads.run(count: which.producers) { producer in
                for number in 0..<perProducer {
                    let mark = SpanMark(producer: producer, number: number)
                    tracer.startSpan("span", at: 1, identity: mark.identity).end(at: 2)
                    // Now and then the consumer gets to run, so that not all is dropped.
                    if number % 16 == 0 { yieldProcessor() }
                }
                running.add(-1)
            }
        }
        var generator = SeededGenerator(seed: UInt64(which.capacity * 100 + which.producers))
        var body = ExportBody(capacityBytes: 1 << 20)
        var tally = SpanTally()
        var disorders = 0
        while true {
            let wasRunning = running.value > 0
            let wanted = 1 + Int(generator.next() % 80)
            let spans = queue.fill(&body, spans: wanted)
            if spans > wanted { disorders += 1 }
            if spans > 0 { try tally.add(body) }
            let counters = harness.recorder.counters
            if !Self.holds(counters, capacity: which.capacity) { disorders += 1 }
            if spans == 0 {
                if !wasRunning { break }
                yieldProcessor()
            }
        }
        OSThreads.join(threads)
        let counters = harness.recorder.counters
        #expect(tally.problems == [] && disorders == 0)
        #expect(counters.startCalls == UInt64(total) && counters.recording == UInt64(total))
        #expect(counters.ended == UInt64(total) && counters.endedSampled == UInt64(total))
        #expect(counters.published == UInt64(tally.count) && counters.drained == counters.published)
        #expect(counters.published + counters.droppedQueueFull == UInt64(total))
        #expect(queue.pendingCount == 0 && counters.live == 0 && counters.queued == 0)
        if which.blocks { #expect(counters.droppedQueueFull == 0) }
        // The same spans on both sides: what was drained and what was dropped make up what was made.
        var issued: UInt64 = 0
        for producer in 0..<which.producers {
            for number in 0..<perProducer {
                issued &+= SpanMark(producer: producer, number: number).identityHash
            }
        }
        #expect(tally.identitySum &+ counters.droppedIdentitySum == issued)
    }

    /// The inequalities that hold at any moment.
    static func holds(_ counters: CoreCounters, capacity: Int) -> Bool {
        let dropped =
            counters.droppedQueueFull + counters.droppedAfterShutdown + counters.droppedOversize
        return counters.drained <= counters.published
            && counters.published + dropped <= counters.endedSampled
            && counters.endedSampled <= counters.ended && counters.ended <= counters.recording
            && counters.recording <= counters.startCalls
    }

    @Test(
        "The bound is in spans: so many wait, the next is dropped", arguments: [1, 2, 7, 64, 1024])
    func bound(capacity: Int) throws {
        let harness = try CoreHarness { $0.queueSpans = capacity }
        for round in 1...3 as ClosedRange<UInt64> {
            for _ in 0..<capacity + 5 { harness.tracer.startSpan("span").end() }
            #expect(harness.recorder.queue.pendingCount == capacity)
            #expect(harness.recorder.counters.droppedQueueFull == 5 * round)
            #expect(try harness.drain(spans: 100).count == capacity)
        }
    }

    @Test("Tracers made while the exporter drains are drained, too")
    func tracersOnTheWay() throws {
        // A small queue that makes threads wait: tracers are made between the drains.
        let harness = try CoreHarness {
            $0.queueSpans = 4
            $0.blocksWhenFull = true
        }
        let provider = harness.provider
        let running = SharedNumber(2)
        let threads = OSThreads.start {
            OSThreads.run(count: 2) { producer in
                for number in 0..<400 {
                    let tracer = provider.tracer(name: "scope \(producer) \(number)")
                    tracer.startSpan(
                        "span", identity: SpanMark(producer: producer, number: number).identity
                    ).end()
                }
                running.add(-1)
            }
        }
        var count = 0
        while true {
            let wasRunning = running.value > 0
            let found = try harness.drain(spans: 5)
            count += found.count
            if found.isEmpty, !wasRunning { break }
        }
        OSThreads.join(threads)
        #expect(count == 800)
    }

    @Test("Threads that come and go hand on what they had", arguments: [2, 64, 1024])
    func threadsComeAndGo(capacity: Int) throws {
        let which = Case(capacity: capacity, blocks: true, producers: 4)
        let harness = try Self.harness(which)
        let tracer = harness.tracer
        let running = SharedNumber(1)
        let threads = OSThreads.start {
            for wave in 0..<60 {
                OSThreads.run(count: 4) { index in
                    for number in 0..<9 {
                        let mark = SpanMark(producer: wave * 4 + index, number: number)
                        tracer.startSpan("span", identity: mark.identity).end()
                    }
                }
            }
            running.add(-1)
        }
        var body = ExportBody(capacityBytes: 1 << 20)
        var tally = SpanTally()
        while true {
            let wasRunning = running.value > 0
            if harness.recorder.queue.fill(&body, spans: 11) > 0 {
                try tally.add(body)
            } else if wasRunning {
                yieldProcessor()
            } else {
                break
            }
        }
        OSThreads.join(threads)
        #expect(tally.problems == [] && tally.count == 60 * 4 * 9)
        // 240 threads, never more than four at a time.
        #expect(unsafe harness.recorder.core.pointee.producerCount.load(ordering: .relaxed) <= 4)
    }

    @Test(
        "What ended before a drain began is in it, in order, however chunks move meanwhile",
        arguments: [1, 2])
    func completeDrain(producers: Int) throws {
        // A chunk is full after two spans, so that one is sent off wherever the consumer looks.
        let harness = try CoreHarness {
            $0.queueSpans = 256
            $0.blocksWhenFull = true
        }
        let tracer = harness.tracer
        var list = SpanAttributes()
        list.set(AttributeKey("payload"), String(repeating: "x", count: 30_000))
        let payload = list
        let ended = (0..<producers).map { _ in SharedNumber() }
        let perProducer = 6_000
        let threads = OSThreads.start {
            OSThreads.run(count: producers) { producer in
                for number in 0..<perProducer {
                    tracer.startSpan(
                        "span", identity: SpanMark(producer: producer, number: number).identity,
                        attributes: payload
                    ).end()
                    ended[producer].add()
                }
            }
        }
        var body = ExportBody(capacityBytes: 64 << 20)
        var next = [Int](repeating: 0, count: producers)
        var (missing, disorders) = (0, 0)
        while next.reduce(0, +) < producers * perProducer, missing == 0 {
            let before = ended.map(\.value)
            // More than can be pending: one look takes all.
            _ = harness.recorder.queue.fill(&body, spans: 1_000)
            for mark in try CoreHarness.marks(in: body) {
                if mark.number != next[mark.producer] { disorders += 1 }
                next[mark.producer] = max(next[mark.producer], mark.number + 1)
            }
            for producer in 0..<producers where next[producer] < before[producer] { missing += 1 }
        }
        if missing > 0 { harness.recorder.queue.close() }
        OSThreads.join(threads)
        #expect(missing == 0 && disorders == 0)
    }

    @Test("A drain waits for a chunk that its thread has put aside and not sent off yet")
    func pausedSendOff() throws {
        let harness = try CoreHarness()
        let queue = harness.recorder.queue
        harness.tracer.startSpan("first").end()
        // What a thread does when its chunk is full, stopped half-way: the new chunk can be seen, the
        // old one is in the ring not yet.
        let core = unsafe harness.recorder.core
        let producer = unsafe RecorderCore.producer(core)
        let old = unsafe try #require(producer.pointee.chunk)
        let new = unsafe try #require(core.pointee.chunks.take(producers: 1))
        unsafe new.pointee.producer = unsafe producer
        unsafe new.pointee.sequence = unsafe producer.pointee.nextSequence
        unsafe producer.pointee.nextSequence += 1
        unsafe producer.pointee.chunk = unsafe new
        unsafe producer.pointee.chunkBytes = 0
        unsafe producer.pointee.openChunk.store(UInt(bitPattern: new), ordering: .releasing)
        let begun = SharedNumber()
        let drained = SharedNumber()
        let done = SharedNumber()
        let thread = OSThreads.start {
            var body = ExportBody(capacityBytes: 1 << 16)
            begun.add()
            drained.add(queue.fill(&body, spans: 100))
            done.add()
        }
        begun.wait(for: 1)
        for _ in 0..<2_000 { yieldProcessor() }
        #expect(done.value == 0)
        let isPushed = unsafe core.pointee.chunks.full.push(UInt(bitPattern: old))
        OSThreads.join(thread)
        #expect(isPushed && drained.value == 1)
        harness.tracer.startSpan("second").end()
        #expect(try harness.drain().map(\.name) == ["second"])
    }

    @Test("Resources and scopes are told apart by their bytes, and grouped")
    func grouping() throws {
        let harness = try CoreHarness()
        let composed = "caf\u{e9}"
        let decomposed = "cafe\u{301}"
        for name in [composed, decomposed, composed] {
            harness.provider.tracer(name: name).startSpan("in \(name)" == "" ? "" : "span").end()
        }
        let other = TracerProvider(
            recorder: harness.recorder, resource: Resource(serviceName: "other"),
            sampler: .alwaysOn)
        other.tracer(name: "lib", version: "1.2", schemaURL: "https://example.org").startSpan(
            "span"
        ).end()
        harness.tracer.startSpan("span").end()
        var body = ExportBody(capacityBytes: 1 << 16)
        #expect(harness.recorder.queue.fill(&body, spans: 100) == 5)
        let request = unsafe try wireFields(Array(body.bytes))
        #expect(request.map(\.number) == [1, 1])
        let scopes = try request.map { resource in
            try wireFields(resource.bytes).filter { $0.number == 2 }.map { scope in
                let fields = try wireFields(scope.bytes)
                let name = try wireFields(fields.first { $0.number == 1 }?.bytes ?? [])
                return (
                    name.map(\.bytes), fields.filter { $0.number == 2 }.count,
                    fields.last { $0.number == 3 }?.text
                )
            }
        }
        #expect(scopes.map(\.count) == [3, 1])
        let counts = Dictionary(uniqueKeysWithValues: scopes[0].map { ($0.0.first ?? [], $0.1) })
        #expect(counts[Array(composed.utf8)] == 2 && counts[Array(decomposed.utf8)] == 1)
        #expect(scopes[1][0].0 == [Array("lib".utf8), Array("1.2".utf8)])
        #expect(scopes[1][0].2 == "https://example.org")
    }

    @Test("One end in so many carries its instant", arguments: [0, 1, 3, 64])
    func timedEnds(oneIn: Int) throws {
        let harness = try CoreHarness { $0.timeOneIn = oneIn }
        for _ in 0..<200 { harness.tracer.startSpan("span").end() }
        var body = ExportBody(capacityBytes: 1 << 20)
        #expect(harness.recorder.queue.fill(&body, spans: 512) == 200)
        #expect(body.timedEndCycles.count == (oneIn == 0 ? 0 : (200 + oneIn - 1) / oneIn))
        #expect(body.timedEndCycles == body.timedEndCycles.sorted())
    }
}
