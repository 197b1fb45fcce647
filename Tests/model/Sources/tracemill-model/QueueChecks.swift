// The queue of finished spans: each one drained once, in its thread's order, or counted as dropped.
import Glibc
import Synchronization

@testable import TraceCore

enum QueueChecks {
    static let all = [
        Check(name: "queue-bound", share: 0.5, body: bound),
        Check(name: "queue-threads", share: 4, body: threads),
        Check(name: "queue-large", share: 0.05, body: large),
        Check(name: "queue-complete", share: 0.1, body: complete),
        Check(name: "queue-paused", share: 0.001, body: paused),
        Check(name: "queue-come-and-go", share: 0.2, body: comeAndGo),
        Check(name: "queue-room-returned", share: 0.05, body: roomReturned),
    ]

    static func threads(operations: Int, seed: UInt64) throws -> Int {
        let shapes = [2, 64, 1024].flatMap { capacity in
            [false, true].flatMap { blocks in [1, 2, 8, 32].map { (capacity, blocks, $0) } }
        }
        var done = 0
        for (capacity, blocks, producers) in shapes {
            // A queue of two spans changes threads with every span: the fewer the places, the fewer the spans.
            let share = capacity == 2 ? 0.02 : capacity == 64 ? 0.18 : 0.8
            // A start, an attribute, an end, a drain; eight shapes of a capacity.
            let each = max(64, Int(Double(operations) * share) / (4 * 8))
            done += 4 * (try race(capacity, blocks, producers, each, textBytes: 0, seed))
        }
        return done
    }

    /// Spans of which two fill a chunk: chunks go round all the time, in drops and in waits.
    static func large(operations: Int, seed: UInt64) throws -> Int {
        var done = 0
        for (capacity, blocks, producers) in [
            (64, false, 2), (64, true, 2), (1024, false, 8), (1024, true, 8),
        ] {
            let each = max(64, operations / 16)
            done += 4 * (try race(capacity, blocks, producers, each, textBytes: 30_000, seed))
        }
        return done
    }

    private static func race(
        _ capacity: Int, _ blocks: Bool, _ producers: Int, _ spans: Int, textBytes: Int,
        _ seed: UInt64
    ) throws -> Int {
        let rig = try Rig {
            $0.queueSpans = capacity
            $0.blocksWhenFull = blocks
            if textBytes > 0 { $0.queueBytesMax = 1 << 17 }
        }
        let perProducer = max(2, spans / producers)
        let total = perProducer * producers
        let running = SharedNumber(producers)
        let tracer = rig.tracer
        let threads = OSThreads.start {
            OSThreads.run(count: producers) { producer in
                let key = AttributeKey("n")
                for number in 0..<perProducer {
                    let mark = Mark(producer: producer, number: number)
                    let span = tracer.startSpan("span", at: 1, identity: mark.identity)
                    span.setAttribute(key, number)
                    if textBytes > 0 {
                        let letter = String(UnicodeScalar(UInt8(97 + number % 26)))
                        span.setAttribute(
                            AttributeKey("t"), string: String(repeating: letter, count: textBytes))
                    }
                    span.end(at: UInt64(number) + 2)
                    // Now and then the consumer gets to run, so that not all is dropped.
                    if number % 16 == 0 { sched_yield() }
                }
                running.add(-1)
            }
        }
        let shape =
            "\(capacity) spans, \(blocks ? "waiting" : "dropping"), \(producers) threads"
            + (textBytes > 0 ? ", large" : "") + ": "
        var tally = Tally(producers: producers, perProducer: perProducer, textBytes: textBytes)
        var draws = Draws(seed &+ UInt64(capacity * 100 + producers))
        var body = ExportBody(capacityBytes: 8 << 20)
        var turn = 0
        while true {
            let wasRunning = running.value > 0
            let wanted = 1 + draws.below(80)
            let count = rig.queue.fill(&body, spans: wanted)
            if count > wanted { tally.note("\(count) spans where \(wanted) were asked for") }
            if count > 0 {
                tally.add(body)
                Watchdog.beat()
            }
            turn += 1
            if turn & 0x3f == 0 { tally.check(rig.recorder.counters) }
            if count == 0 {
                if !wasRunning || tally.problems.count > 3 { break }
                sched_yield()
            }
        }
        if !tally.problems.isEmpty { rig.queue.close() }
        OSThreads.join(threads)
        try demand(tally.problems.isEmpty, shape + tally.problems.prefix(3).joined(separator: "; "))
        let counters = rig.recorder.counters
        try demand(
            counters.startCalls == UInt64(total) && counters.recording == UInt64(total)
                && counters.endedSampled == UInt64(total),
            shape + "\(total) spans were made, and \(counters) counted")
        try demand(
            counters.published == UInt64(tally.count) && counters.drained == counters.published
                && counters.published + counters.droppedQueueFull == UInt64(total),
            shape + "\(tally.count) drained, \(counters) counted")
        try demand(
            !blocks || counters.droppedQueueFull == 0, shape + "a queue that waits dropped some")
        try demand(
            rig.queue.pendingCount == 0 && rig.recorder.liveSlotCount == 0, shape + "some are left")
        var issued: UInt64 = 0
        for producer in 0..<producers {
            for number in 0..<perProducer {
                let identity = Mark(producer: producer, number: number).identity
                issued &+= SpanChecksum.identity(identity.traceID, identity.spanID)
            }
        }
        try demand(
            tally.identitySum &+ counters.droppedIdentitySum == issued,
            shape + "what was drained and what was dropped are not what was made")
        return total
    }

    /// What ended before a drain began is in it, however chunks move meanwhile.
    static func complete(operations: Int, seed: UInt64) throws -> Int {
        let perProducer = max(100, operations / 12)
        var done = 0
        for producers in [1, 2] {
            let rig = try Rig {
                $0.queueSpans = 256
                $0.blocksWhenFull = true
            }
            let tracer = rig.tracer
            let text = String(repeating: "x", count: 30_000)
            let ended = (0..<producers).map { _ in SharedNumber() }
            let threads = OSThreads.start {
                OSThreads.run(count: producers) { producer in
                    for number in 0..<perProducer {
                        let span = tracer.startSpan(
                            "span", at: 1,
                            identity: Mark(producer: producer, number: number).identity)
                        span.setAttribute(AttributeKey("t"), string: text)
                        span.end(at: UInt64(number) + 2)
                        ended[producer].add()
                    }
                }
            }
            var body = ExportBody(capacityBytes: 64 << 20)
            var next = [Int](repeating: 0, count: producers)
            var problem: String?
            while next.reduce(0, +) < producers * perProducer, problem == nil {
                let before = ended.map(\.value)
                // More than can be pending: one look takes all.
                _ = rig.queue.fill(&body, spans: 1_000)
                try SpanMessageView.each(of: body.bytes) { span in
                    let mark = span.mark
                    if mark.number != next[mark.producer] { problem = "\(mark) out of order" }
                    next[mark.producer] = mark.number + 1
                }
                for producer in 0..<producers where next[producer] < before[producer] {
                    problem = "a span that had ended is not in the drain that began after it"
                }
                Watchdog.beat()
            }
            if problem != nil { rig.queue.close() }
            OSThreads.join(threads)
            if let problem { throw Failure(problem) }
            done += 3 * producers * perProducer
        }
        return done
    }

    /// A thread has put its full chunk aside and not sent it off yet: a drain waits for it.
    static func paused(operations: Int, seed: UInt64) throws -> Int {
        let rig = try Rig { _ in }
        let queue = rig.queue
        rig.tracer.startSpan("first").end()
        let core = rig.recorder.core
        let producer = RecorderCore.producer(core)
        guard let old = producer.pointee.chunk, let new = core.pointee.chunks.take(producers: 1)
        else { throw Failure("no chunk is open") }
        new.pointee.producer = producer
        new.pointee.sequence = producer.pointee.nextSequence
        producer.pointee.nextSequence += 1
        producer.pointee.chunk = new
        producer.pointee.chunkBytes = 0
        producer.pointee.openChunk.store(UInt(bitPattern: new), ordering: .releasing)
        let (begun, drained, done) = (SharedNumber(), SharedNumber(), SharedNumber())
        let thread = OSThreads.start {
            var body = ExportBody(capacityBytes: 1 << 16)
            begun.add()
            drained.add(queue.fill(&body, spans: 100))
            done.add()
        }
        begun.wait(for: 1)
        for _ in 0..<500 { sched_yield() }
        let wentAhead = done.value != 0
        let isPushed = core.pointee.chunks.full.push(UInt(bitPattern: old))
        OSThreads.join(thread)
        try demand(!wentAhead, "a drain went ahead of a chunk on its way")
        try demand(isPushed && drained.value == 1, "the span of that chunk did not come")
        return 4
    }

    /// Threads that end hand on their credits, slots and open chunk; the next one takes them over.
    static func comeAndGo(operations: Int, seed: UInt64) throws -> Int {
        var done = 0
        for capacity in [2, 64, 1024] {
            let rig = try Rig {
                $0.queueSpans = capacity
                $0.blocksWhenFull = true
                $0.liveSpansMax = 64
            }
            let tracer = rig.tracer
            let waves = max(8, operations / (3 * 3 * 4 * 9))
            let running = SharedNumber(1)
            let threads = OSThreads.start {
                for wave in 0..<waves {
                    OSThreads.run(count: 4) { index in
                        for number in 0..<9 {
                            let mark = Mark(producer: wave * 4 + index, number: number)
                            tracer.startSpan("span", at: 1, identity: mark.identity)
                                .end(at: UInt64(number) + 2)
                        }
                    }
                }
                running.add(-1)
            }
            var tally = Tally(producers: waves * 4, perProducer: 9, textBytes: 0)
            tally.hasNumber = false
            var body = ExportBody(capacityBytes: 1 << 20)
            while true {
                let wasRunning = running.value > 0
                if rig.queue.fill(&body, spans: 11) > 0 {
                    tally.add(body)
                    Watchdog.beat()
                } else if wasRunning {
                    sched_yield()
                } else {
                    break
                }
            }
            OSThreads.join(threads)
            try demand(tally.problems.isEmpty, tally.problems.prefix(3).joined(separator: "; "))
            try demand(tally.count == waves * 36, "\(tally.count) of \(waves * 36) spans came")
            let producers = rig.recorder.core.pointee.producerCount.load(ordering: .relaxed)
            try demand(producers <= 4, "\(producers) producers for four threads at a time")
            try demand(
                rig.recorder.counters.notRecordedStoreFull == 0, "slots of ended threads are lost")
            done += 3 * waves * 36
        }
        return done
    }
}

/// What a consumer saw: each span once at most, each producer's in order, each whole.
struct Tally {
    private let perProducer: Int
    private let textBytes: Int
    private var last: [Int]
    /// Whether each span carries its number as an attribute.
    var hasNumber = true
    private(set) var count = 0
    private(set) var identitySum: UInt64 = 0
    private(set) var problems: [String] = []

    init(producers: Int, perProducer: Int, textBytes: Int) {
        self.perProducer = perProducer
        self.textBytes = textBytes
        last = Array(repeating: -1, count: producers)
    }

    mutating func note(_ problem: String) { problems.append(problem) }

    mutating func add(_ body: borrowing ExportBody) {
        var found = 0
        do {
            let bytes = body.bytes
            try SpanMessageView.each(of: bytes) { span in
                found += 1
                try look(at: span)
            }
        } catch {
            note("\(error)")
        }
        if found != body.spanCount { note("\(found) spans in a body of \(body.spanCount)") }
        count += found
        identitySum &+= body.identitySum
    }

    private mutating func look(at span: SpanMessageView) throws {
        guard span.isWhole else { throw Failure("a span that does not begin as one") }
        let mark = span.mark
        guard last.indices.contains(mark.producer), mark.number >= 0, mark.number < perProducer
        else { throw Failure("a span that nobody made: \(mark)") }
        // Ascending alone says that none comes twice.
        if mark.number <= last[mark.producer] {
            note("\(mark) came after \(last[mark.producer])")
        }
        last[mark.producer] = mark.number
        if span.endUnixNano != UInt64(mark.number) + 2 {
            note("\(mark) ended at \(span.endUnixNano)")
        }
        guard hasNumber else { return }
        let attributes = try span.attributes
        guard attributes.count == (textBytes > 0 ? 2 : 1) else {
            return note("\(mark) has \(attributes.count) attributes")
        }
        if textBytes > 0, let text = attributes.last {
            // All of it is one letter: each byte equals the one before it.
            let all = UnsafeRawBufferPointer(rebasing: text.suffix(textBytes))
            let start = all.baseAddress!
            if all.first != UInt8(97 + mark.number % 26)
                || memcmp(start, start + 1, textBytes - 1) != 0
            {
                note("the text of \(mark) is another span's")
            }
        }
    }

    /// The inequalities that hold at any moment.
    mutating func check(_ counters: CoreCounters) {
        let dropped =
            counters.droppedQueueFull + counters.droppedAfterShutdown + counters.droppedOversize
        let holds =
            counters.drained <= counters.published
            && counters.published + dropped <= counters.endedSampled
            && counters.endedSampled <= counters.ended && counters.ended <= counters.recording
            && counters.recording <= counters.startCalls
        if !holds { note("counters in disorder: \(counters)") }
    }
}
