import Testing

@testable import TraceCore

/// Spans kept back by trace: where they are, when they are decided, and what goes when there is no room.
@Suite struct TraceHoldTests {
    /// Keeps what it is told to, and notes what it was asked about.
    private final class Decider: TraceDecider {
        var keeps: (TraceID) -> Bool = { _ in true }
        var asked: [(trace: UInt64, spans: UInt32, durationNs: UInt64, deadlineNs: UInt64)] = []
        var lateAges: [UInt64] = []
        var scansSpans: Bool { false }

        func scan(_ message: UnsafeRawBufferPointer, stream: Int, known: UInt64) -> UInt64 { known }
        func keeps(_ trace: borrowing HeldTrace) -> Bool {
            asked.append(
                (
                    trace.traceID.low, trace.spans, trace.endUnixNano - trace.startUnixNano,
                    trace.deadlineNs
                ))
            return keeps(trace.traceID)
        }
        func noteLate(ageNs: UInt64) { lateAges.append(ageNs) }
    }

    /// A recorder, a hold on its queue, and a body. Times are nanoseconds from an arbitrary epoch.
    private final class Rig {
        let recorder: SpanRecorder
        let tracers: [Tracer]
        var hold: TraceHold
        var body = ExportBody(capacityBytes: 1 << 20)
        let decider = Decider()
        let name = SpanName("held")
        let key = AttributeKey("payload")
        private var number: UInt64 = 0

        var counts: TraceHoldCounts { hold.counts }
        var waitingTraces: Int { hold.waitingTraces }
        var nextDeadlineNs: UInt64? { hold.nextDeadlineNs }
        var usedBytes: Int { hold.usedBytes }
        var heldBlockBytes: Int { hold.heldBlockBytes }
        var takesMore: Bool { hold.takesMore }
        var isEmpty: Bool { hold.isEmpty }

        init(
            simulated: Bool = false, waitNs: UInt64 = 1_000, tracesMax: Int = 100,
            blocks: Int = 1_000, decisions: Int = 100
        ) throws {
            var options = RecorderOptions()
            (options.liveSpansMax, options.blocksMax) = (64, 4_096)
            (options.queueSpans, options.queueBytesMax) = (100_000, 8 << 20)
            options.sumsChecked = true
            options.simulatesTime = simulated
            let recorder = try SpanRecorder(options: options)
            self.recorder = recorder
            tracers = ["a", "b", "c"].map {
                TracerProvider(
                    recorder: recorder, resource: Resource(serviceName: $0), sampler: .alwaysOn,
                    limits: SpanLimits()
                ).tracer(name: "scope \($0)")
            }
            var sizes = TraceHoldSizes(
                tracesMax: tracesMax, memoryBytesMax: 0, keptDecisions: decisions,
                droppedDecisions: decisions)
            sizes.memoryBytesMax =
                sizes.tableBytes(pages: MappedPageSource()) + blocks * 1_024
            hold = TraceHold(
                sizes: sizes, waitNs: waitNs, queue: recorder.queue, pages: MappedPageSource())
        }

        static func traceID(_ trace: UInt64) -> TraceID { TraceID(high: 7, low: trace) }

        func end(
            _ trace: UInt64, from start: UInt64 = 100, to end: UInt64 = 200, payload: Int = 0,
            service: Int = 0, status: SpanStatus = .unset
        ) {
            number += 1
            let span = tracers[service].startSpan(
                name, at: start,
                identity: SpanIdentity(
                    traceID: Self.traceID(trace), spanID: SpanID(rawValue: number)))
            if payload > 0 {
                span.setAttribute(
                    key, string: String(repeating: "\(number % 10)", count: payload))
            }
            if status != .unset { span.setStatus(status) }
            span.end(at: end)
        }

        @discardableResult
        func takeIn(now: UInt64 = 0, spans: Int = 10_000) -> Int {
            hold.decideDue(nowNs: now, decider)
            return hold.takeIn(
                recorder.queue, spans: spans, nowNs: now, bodyBytesMax: body.capacityBytes, decider)
        }

        func decideDue(_ nowNs: UInt64) { hold.decideDue(nowNs: nowNs, decider) }
        func decideAll() { hold.decideAll(decider) }
        func dropAll() -> TraceHoldCounts.Spans { hold.dropAll() }

        /// Span ids of all that is released, and their sums checked.
        func drain(spansMax: Int = 1_000) throws -> [UInt64] {
            var found: [UInt64] = []
            while hold.fill(&body, spans: spansMax, through: recorder.queue) > 0 {
                let messages = try CoreHarness.messages(in: body)
                var sum: UInt64 = 0
                for message in messages {
                    let id = message[20..<28].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                    let low = message[10..<18].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                    sum &+= SpanChecksum.identity(Self.traceID(low), SpanID(rawValue: id))
                    found.append(id)
                }
                #expect(body.identitySum == sum)
                #expect(
                    body.contentSum
                        == messages.reduce(UInt64(0)) { sum, message in
                            unsafe message.withUnsafeBytes {
                                unsafe sum &+ SpanChecksum.content($0.baseAddress!, $0.count)
                            }
                        })
            }
            return found
        }
    }

    @Test("A trace waits until its deadline, counted from its first span, and is decided whole")
    func deadline() throws {
        let rig = try Rig(waitNs: 1_000)
        rig.end(1, from: 50, to: 60)
        rig.takeIn(now: 5_000)
        rig.end(1, from: 10, to: 20)
        rig.end(2)
        rig.takeIn(now: 5_500)
        rig.decideDue(5_999)
        #expect(rig.decider.asked.isEmpty && rig.waitingTraces == 2)
        #expect(rig.nextDeadlineNs == 6_000)
        rig.decideDue(6_000)
        #expect(rig.decider.asked.map(\.trace) == [1])
        #expect(rig.decider.asked[0].spans == 2 && rig.decider.asked[0].durationNs == 50)
        #expect(try rig.drain() == [1, 2])
        #expect(rig.counts.waiting.count == 1)
        rig.decideDue(6_500)
        #expect(try rig.drain() == [3])
        #expect(rig.isEmpty && rig.usedBytes == 0)
    }

    @Test(
        "Spans of any size come out as they went in, in bodies of any size",
        arguments: [1, 2, 3, 7, 1_000])
    func contents(spansMax: Int) throws {
        let rig = try Rig()
        var random = SplitMix(seed: 11)
        var expected: [UInt64: [UInt64]] = [:]
        for number in 1...UInt64(600) {
            let trace = random.next() % 37
            let payload = [0, 1, 40, 900, 1_000, 1_016, 5_000][Int(random.next() % 7)]
            rig.end(trace, payload: payload, service: Int(random.next() % 3))
            expected[trace, default: []].append(number)
            if random.next() % 16 == 0 { rig.takeIn() }
        }
        rig.takeIn()
        rig.decider.keeps = { $0.low % 3 != 0 }
        rig.decideAll()
        let kept = expected.filter { $0.key % 3 != 0 }.flatMap(\.value)
        #expect(rig.counts.discarded.count == UInt64(600 - kept.count))
        #expect(try rig.drain(spansMax: spansMax).sorted() == kept.sorted())
        #expect(rig.usedBytes == 0)
    }

    @Test(
        "More traces than there is room for: the oldest goes undecided, exactly as many as are too many"
    )
    func tooManyTraces() throws {
        let rig = try Rig(tracesMax: 10)
        for trace in 0..<UInt64(25) {
            rig.end(trace)
            rig.end(trace)
        }
        rig.takeIn()
        #expect(rig.counts.letGoTraces == 15 && rig.counts.letGoSpans == 30)
        #expect(rig.counts.letGoForMemoryTraces == 0)
        // What comes of one that was let go follows it.
        rig.end(3)
        rig.takeIn()
        #expect(rig.counts.lateDropped == 1 && rig.counts.discarded.count == 31)
        rig.decideAll()
        #expect(rig.decider.asked.map(\.trace) == Array(15..<25))
        #expect(try rig.drain().count == 20)
    }

    @Test("As many as there is room for: none is let go")
    func exactlyAsMany() throws {
        let rig = try Rig(tracesMax: 10)
        for _ in 0..<3 { for trace in 0..<UInt64(10) { rig.end(trace) } }
        rig.takeIn()
        rig.decideAll()
        #expect(rig.counts.letGoTraces == 0 && rig.counts.keptTraces == 10)
    }

    @Test(
        "Memory is a bound: the oldest traces go when it is used up, a trace larger than all of it with them"
    )
    func memoryBound() throws {
        let rig = try Rig(blocks: 64)
        for trace in 0..<UInt64(40) {
            for _ in 0..<4 { rig.end(trace, payload: 900) }
            rig.takeIn()
            #expect(rig.usedBytes <= 64 * 1_024)
        }
        #expect(rig.counts.letGoForMemoryTraces > 20)
        #expect(rig.counts.letGoForMemoryTraces == rig.counts.letGoTraces)
        // One trace of ten thousand spans needs ten thousand KiB.
        for _ in 0..<10 {
            for _ in 0..<1_000 { rig.end(99, payload: 900) }
            rig.takeIn()
        }
        #expect(rig.usedBytes <= 64 * 1_024)
        rig.decideAll()
        let kept = try rig.drain().count
        #expect(kept + Int(rig.counts.discarded.count) == 10_160)
        #expect(rig.usedBytes == 0 && rig.heldBlockBytes <= 64 * 1_024)
    }

    @Test("What is kept and cannot be sent holds back what comes, half of the memory at most")
    func backlog() throws {
        let rig = try Rig(blocks: 64)
        #expect(rig.takesMore)
        for trace in 0..<UInt64(40) { rig.end(trace, payload: 900) }
        rig.takeIn()
        rig.decideAll()
        #expect(!rig.takesMore)
        #expect(try rig.drain().count == 40)
        #expect(rig.takesMore)
    }

    @Test(
        "Late spans go the way of their trace, with their age; without caches they begin a new one")
    func late() throws {
        let rig = try Rig(waitNs: 100)
        rig.decider.keeps = { $0.low == 1 }
        rig.end(1)
        rig.end(2)
        rig.takeIn(now: 1_000)
        rig.end(1)
        rig.end(2)
        rig.end(1)
        rig.takeIn(now: 1_350)
        #expect(rig.counts.lateKept == 2 && rig.counts.lateDropped == 1)
        #expect(rig.decider.lateAges == [250, 250, 250])
        #expect(try rig.drain() == [1, 3, 5])
        // Late ones again, when nothing else is on its way.
        rig.end(1, payload: 3_000)
        rig.takeIn(now: 1_400)
        #expect(try rig.drain() == [6])
        #expect(rig.usedBytes == 0)

        let forgetful = try Rig(waitNs: 100, decisions: 0)
        forgetful.end(1)
        forgetful.takeIn(now: 1_000)
        forgetful.end(1)
        forgetful.takeIn(now: 2_000)
        #expect(forgetful.counts.traces == 2 && forgetful.counts.lateKept == 0)
    }

    @Test("Decisions are remembered for so many traces, the oldest forgotten first")
    func caches() throws {
        let rig = try Rig(waitNs: 1, tracesMax: 1_000, decisions: 50)
        rig.decider.keeps = { $0.low % 2 == 0 }
        for trace in 0..<UInt64(200) { rig.end(trace) }
        rig.takeIn()
        rig.decideAll()
        _ = try rig.drain()
        for trace in 0..<UInt64(200) { rig.end(trace) }
        rig.takeIn(now: 10)
        // The last fifty of each kind.
        #expect(rig.counts.lateKept == 50 && rig.counts.lateDropped == 50)
        #expect(rig.counts.traces == 300)
    }

    @Test("Under simulated time spans' own times decide, in whatever order traces are replayed")
    func simulated() throws {
        let rig = try Rig(simulated: true, waitNs: 1_000)
        rig.decider.keeps = { _ in true }
        // Trace by trace, in the order of their starts; the first is long, the second ends within it.
        rig.end(1, from: 500, to: 600)
        rig.end(1, from: 100, to: 5_000)
        rig.end(2, from: 210, to: 230)
        rig.end(2, from: 200, to: 240)
        rig.end(3, from: 1_900, to: 1_950)
        rig.end(4, from: 10_000, to: 10_100)
        rig.end(5, from: 10_001, to: 10_200)
        rig.takeIn(now: 77)
        // By deadline: 2 at 1,230, 1 at 1,600, 3 at 2,950; 4 and 5 wait.
        #expect(rig.decider.asked.map(\.trace) == [2, 1, 3])
        #expect(rig.decider.asked.map(\.deadlineNs) == [1_230, 1_600, 2_950])
        // The long root came after its trace's deadline: kept with it, and not part of what was decided.
        #expect(rig.decider.asked.map(\.spans) == [2, 1, 1])
        #expect(rig.decider.lateAges == [3_400])
        #expect(rig.nextDeadlineNs == nil)
        rig.decideAll()
        #expect(try rig.drain().sorted() == [1, 2, 3, 4, 5, 6, 7])
    }

    @Test("A span that fits into no body is passed over, and the queue counts it")
    func tooLarge() throws {
        let rig = try Rig(blocks: 8_192)
        rig.body = ExportBody(capacityBytes: 1 << 16)
        rig.end(1, payload: 70_000)
        rig.end(1, payload: 60_000)
        #expect(rig.takeIn() == 2)
        rig.decideAll()
        #expect(try rig.drain() == [2])
        let counters = rig.recorder.counters
        #expect(counters.droppedOversize == 1 && counters.drained == 1 && counters.queued == 0)
    }

    @Test("Giving everything up says how much that was, and leaves nothing")
    func dropAll() throws {
        let rig = try Rig()
        for trace in 0..<UInt64(10) { rig.end(trace, payload: 2_000) }
        rig.takeIn(now: 0)
        rig.decideDue(1_000)
        for trace in 10..<UInt64(15) { rig.end(trace) }
        rig.takeIn(now: 0)
        let dropped = rig.dropAll()
        #expect(dropped.count == 15)
        let sum = (0..<UInt64(15)).reduce(UInt64(0)) {
            $0
                &+ SpanChecksum.identity(
                    TraceID(high: 7, low: $1), SpanID(rawValue: $1 + 1))
        }
        #expect(dropped.identitySum == sum)
        #expect(rig.isEmpty && rig.usedBytes == 0 && rig.waitingTraces == 0)
    }
}

/// Random numbers from a seed (splitmix64).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return SpanChecksum.mix(state)
    }
}
