import Testing
import TraceCore

@testable import TracePipeline

/// Every span is in the books once, however a stage's life goes on and ends.
@Suite struct TailEndingTests {
    private static func spans(_ traces: Int, each: Int = 3) -> [TailSpan] {
        (0..<traces * each).map { number in
            let trace = UInt64(number % traces)
            return TailSpan(
                trace: trace, startMs: trace, endMs: trace + 5,
                status: trace % 5 == 0 ? .error : .unset)
        }
    }

    @Test("A flush decides what is due, sends what is kept, and lets the others wait")
    func flush() throws {
        let harness = try TailHarness(TailSampling(text: "tail:errors+wait:1s"))
        // Trace by trace; the last begins two seconds after the first.
        for trace in 0..<UInt64(20) {
            for number in 0..<UInt64(3) {
                harness.end(
                    TailSpan(
                        trace: trace, startMs: trace * 100, endMs: trace * 100 + 10,
                        status: trace % 5 == 0 ? .error : .unset),
                    number: trace * 3 + number)
            }
        }
        #expect(harness.pipeline.forceFlush() == .completed)
        let ledger = harness.pipeline.ledger
        // Those whose deadline lies before the start of the last but one: 0 to 7.
        #expect(harness.figures.keptTraces == 2 && harness.figures.droppedTraces == 6)
        #expect(ledger.acknowledged.spans == 6 && ledger.discardedByTail.spans == 18)
        #expect(ledger.waiting.spans == 36 && ledger.queued == 0 && ledger.isBalanced)
        #expect(harness.keptTraces() == [0, 5, 10, 15])
        #expect(harness.pipeline.ledger.waiting == FateTotals())
    }

    @Test("Counts and sums of identities add up to what was ended, before and after the end")
    func sums() throws {
        let harness = try TailHarness(TailSampling(text: "tail:errors"))
        let spans = Self.spans(100)
        harness.end(spans)
        let all = spans.enumerated().reduce(UInt64(0)) {
            $0
                &+ SpanChecksum.identity(
                    TailHarness.traceID($1.element.trace),
                    SpanID(rawValue: UInt64($1.offset) + 1))
        }
        #expect(harness.pipeline.forceFlush() == .completed)
        #expect(harness.pipeline.ledger.waiting.identitySum == all)
        #expect(harness.keptTraces().count == 20)
        let ledger = harness.pipeline.ledger
        #expect(ledger.acknowledged.spans == 60 && ledger.discardedByTail.spans == 240)
        #expect(
            ledger.acknowledged.identitySum &+ ledger.discardedByTail.identitySum == all)
        #expect(ledger.dropped == 0)
    }

    @Test("A shutdown whose time is up drops what it could not send, and counts it so")
    func shutdownWithoutTime() throws {
        let harness = try TailHarness(TailSampling(text: "tail:errors"))
        harness.end(Self.spans(50))
        #expect(harness.pipeline.forceFlush() == .completed)
        #expect(harness.pipeline.shutdown(timeoutMs: 0) == .timedOut)
        let ledger = harness.pipeline.ledger
        #expect(ledger.isBalanced && ledger.waiting == FateTotals())
        #expect(
            ledger.shutdown.spans + ledger.discardedByTail.spans + ledger.acknowledged.spans == 150)
        #expect(ledger.shutdown.spans > 0)
    }

    @Test("An exporter that refuses loses what was kept, and nothing else")
    func refused() throws {
        struct Refusing: SpanExporter {
            func export(request: RawSpan, spanCount: Int) -> BatchOutcome { .dropped(.refused) }
        }
        let harness = try TailHarness(TailSampling(text: "tail:errors")) {
            $0.exporter = .custom(Refusing())
            $0.batch.batchSpans = 7
        }
        harness.end(Self.spans(50))
        #expect(harness.pipeline.shutdown() == .completed)
        let ledger = harness.pipeline.ledger
        #expect(ledger.isBalanced)
        #expect(ledger.refused.spans == 30 && ledger.discardedByTail.spans == 120)
    }

    @Test("Small bodies and batches: everything kept goes out, in as many requests as it takes")
    func smallBatches() throws {
        let harness = try TailHarness(TailSampling(text: "tail:errors")) {
            $0.batch.batchSpans = 5
            $0.batch.bodyBytesMax = 64 << 10
        }
        var spans = Self.spans(40)
        for number in spans.indices {
            spans[number].attributes = [("text", .string(String(repeating: "x", count: 15_000)))]
        }
        harness.end(spans)
        #expect(harness.keptTraces().count == 8)
        #expect(harness.exported == 24)
        #expect(harness.pipeline.ledger.acknowledged.batches >= 6)
    }

    @Test("Traces of ten thousand spans go out whole, from memory that is given back")
    func largeTrace() throws {
        let harness = try TailHarness(TailSampling(text: "tail:spans:10000..10000"))
        for number in 0..<UInt64(10_003) {
            harness.end(TailSpan(trace: number < 10_000 ? 1 : 2, endMs: number), number: number)
        }
        #expect(harness.keptTraces() == [1])
        #expect(harness.exported == 10_000)
        #expect(harness.figures.usedBytes == 0 && harness.figures.usedBytesMax > 600 << 10)
    }

    @Test(
        "Too few traces: exactly those that are too many are let go, and recall suffers by them alone"
    )
    func droppedTooEarly() throws {
        let harness = try TailHarness(TailSampling(text: "tail:errors+traces:30+wait:1h"))
        harness.end(
            (0..<100).map { number in
                TailSpan(
                    trace: UInt64(number), startMs: UInt64(number), endMs: UInt64(number + 1),
                    status: .error)
            })
        #expect(harness.keptTraces() == Set(70..<100))
        #expect(harness.figures.droppedTooEarlyTraces == 70)
        #expect(harness.figures.droppedTooEarlySpans == 70)
        #expect(harness.pipeline.ledger.discardedByTail.spans == 70)
    }

    @Test(
        "The real clock decides, without anybody's help, and the thread sleeps when nothing waits")
    func realClock() throws {
        let records = RecordCounter()
        let harness = try TailHarness(
            TailSampling(text: "tail:errors+wait:1ms"), simulatesTime: false
        ) {
            $0.batch.scheduleDelayMs = 1
            $0.observer = { records.add($0.spans) }
        }
        harness.end(Self.spans(10))
        records.wait(for: 6)
        #expect(harness.keptTraces() == [0, 5])
    }

    @Test("A late span goes the way of its trace, and its age is told")
    func lateSpans() throws {
        let harness = try TailHarness(TailSampling(text: "tail:errors+wait:1s"))
        harness.end([
            TailSpan(trace: 1, startMs: 0, endMs: 10, status: .error),
            TailSpan(trace: 2, startMs: 0, endMs: 10),
            TailSpan(trace: 3, startMs: 9_000, endMs: 9_001),
            TailSpan(trace: 4, startMs: 9_000, endMs: 9_001),
            TailSpan(trace: 1, startMs: 5, endMs: 9_010),
            TailSpan(trace: 2, startMs: 5, endMs: 9_010),
            TailSpan(trace: 2, startMs: 5, endMs: 9_010, status: .error),
        ])
        #expect(harness.keptTraces() == [1])
        #expect(harness.exported == 2)
        let figures = harness.figures
        #expect(figures.lateKeptSpans == 1 && figures.lateDroppedSpans == 2)
        #expect(figures.lateAges.count == 3 && figures.lateAges.maxNs == 8_000_000_000)
        let bucket = TailAgeHistogram.boundsS.firstIndex(of: 10)!
        #expect(figures.lateAges.bucketCounts[bucket] == 3)
        #expect(figures.keptDecisions == 1 && figures.droppedDecisions == 3)
    }

    @Test("A processor with a stage keeps nothing from one without, and has books of its own")
    func twoProcessors() throws {
        let everything = InMemoryExporter()
        let harness = try TailHarness(TailSampling(text: "tail:errors")) {
            var plain = $0.batch
            plain.tail = nil
            $0.additionalProcessors = [.batch(plain, .custom(everything))]
        }
        harness.end(Self.spans(50))
        #expect(harness.keptTraces().count == 10)
        #expect(everything.finishedSpans.count == 150)
        let ledgers = harness.pipeline.ledgers.map(\.ledger)
        #expect(ledgers.map(\.discardedByTail.spans) == [120, 0])
        #expect(ledgers.map(\.isBalanced) == [true, true])
    }

    @Test("Figures about the stage are among the pipeline's own")
    func metrics() throws {
        let harness = try TailHarness(TailSampling(text: "tail:drop(spans:9)+errors+traces:40"))
        harness.end(Self.spans(50))
        #expect(harness.pipeline.forceFlush() == .completed)
        var metrics = harness.pipeline.metrics
        #expect(metrics.value(of: "tracemill.tail.span.waiting") == 120)
        #expect(metrics.value(of: "tracemill.tail.trace.waiting") == 40)
        #expect(
            metrics.value(
                of: "tracemill.tail.trace.dropped_too_early",
                where: ["tracemill.tail.shortage": "traces"]
            ) == 10)
        #expect(harness.pipeline.shutdown() == .completed)
        metrics = harness.pipeline.metrics
        let decided = "tracemill.tail.trace.decided"
        #expect(metrics.value(of: decided, where: ["tracemill.tail.policy": "errors"]) == 8)
        #expect(metrics.value(of: decided, where: ["tracemill.tail.decision": "dropped"]) == 32)
        #expect(metrics.value(of: "tracemill.tail.span.discarded") == 126)
        #expect(metrics.value(of: "tracemill.tail.span.waiting") == 0)
    }
}

/// Spans of settled batches, to be waited for.
private final class RecordCounter: Sendable {
    private let spans = Monitor(0)

    func add(_ count: Int) { spans.withLockAndSignal { $0 += count } }
    func wait(for count: Int) { _ = spans.wait(untilNs: .max) { $0 >= count } }
}
