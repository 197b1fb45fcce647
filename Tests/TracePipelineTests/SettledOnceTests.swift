// Two that want to settle the same span at the same moment, a million times: each span is settled once, by
// the books and by what was exported.

import Glibc
import Logging
import Testing
import TraceCore

@testable import TracePipeline

@Suite(.serialized) struct SettledOnceTests {
    private static let spans = 1_000_000

    /// Starts and ends the spans with these numbers in blocks; the number is the span id.
    private static func work(
        _ numbers: Range<Int>, block: Int, of pipeline: TracingPipeline, startUnixNano: UInt64?
    ) {
        let tracer = pipeline.provider.tracer(name: "race")
        let name = SpanName("raced")
        var live: [ActiveSpan] = []
        live.reserveCapacity(block)
        for first in stride(from: numbers.lowerBound, to: numbers.upperBound, by: block) {
            for number in first..<min(first + block, numbers.upperBound) {
                live.append(
                    tracer.startSpan(
                        name, at: startUnixNano,
                        identity: SpanIdentity(
                            traceID: TraceID(high: 1, low: UInt64(number)),
                            spanID: SpanID(rawValue: UInt64(number)))))
            }
            for span in live { span.end() }
            live.removeAll(keepingCapacity: true)
        }
    }

    @Test("An end that races the sweeper: the span is settled once", arguments: [false, true])
    func sweeperAgainstEnd(ends: Bool) throws {
        let exporter = CountingExporter(count: Self.spans)
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(exporter)) {
            $0.keepsLedger = false
            $0.batch.queueSpans = 65_536
            $0.batch.batchSpans = 8_192
            $0.batch.scheduleDelayMs = 1
            $0.batch.whenFull = .block
            $0.sweeper.strategy = ends ? .endSpan : .drop
            $0.sweeper.spanTTLMs = 1
            $0.logger.logLevel = .critical
        }
        let start = PipelineHarness.longAgo
        let workers = (0..<3).map { worker in
            SystemThread {
                Self.work(
                    (1 + worker * Self.spans / 3)..<(1 + (worker + 1) * Self.spans / 3), block: 24,
                    of: pipeline, startUnixNano: start)
            }
        }
        let sweeper = SystemThread {
            while pipeline.recorder.counters.startCalls < UInt64(Self.spans) {
                _ = pipeline.sweep()
            }
        }
        for worker in workers { worker.join() }
        sweeper.join()
        #expect(pipeline.shutdown() == .completed)
        let started = UInt64(Self.spans)
        let counters = pipeline.recorder.counters
        let ledger = pipeline.ledger
        #expect(counters.recording == started)
        #expect(counters.live == 0)
        #expect(PipelineHarness.holdsL1(pipeline.recorder))
        #expect(ledger.isBalanced)
        // Both have won, often.
        let swept = ends ? counters.sweptEnded : counters.sweptDropped
        #expect(swept > 100)
        #expect(swept < started - 100)
        #expect((ends ? counters.sweptDropped : counters.sweptEnded) == 0)
        #expect(counters.ended + counters.sweptDropped == started)
        let arrivals = exporter.arrivals
        #expect(arrivals.more == 0)
        // The sweeper never waits for room: what it ends into a full queue is dropped, counted.
        #expect(
            UInt64(arrivals.once) + ledger.queueFull + counters.sweptDropped == started)
        #expect(ledger.acknowledged.spans == UInt64(arrivals.once))
    }

    @Test("An end that races shutdown: the span is exported or counted as after shutdown, once")
    func shutdownAgainstEnd() throws {
        let rounds = 100
        let each = Self.spans / rounds
        var afterShutdown: UInt64 = 0
        var exported: UInt64 = 0
        for round in 0..<rounds {
            let exporter = CountingExporter(count: each)
            let pipeline = try PipelineHarness.pipeline(exporter: .custom(exporter)) {
                $0.keepsLedger = round % 2 == 0
                $0.batch.queueSpans = 16_384
                $0.batch.batchSpans = 512
                $0.recorder.liveSpansMax = 16_384
            }
            let tracer = pipeline.provider.tracer(name: "race")
            let name = SpanName("raced")
            let live = (1...each).map { number in
                tracer.startSpan(
                    name,
                    identity: SpanIdentity(
                        traceID: TraceID(high: 1, low: UInt64(number)),
                        spanID: SpanID(rawValue: UInt64(number))))
            }
            // Two threads end each span, from both sides: the race of ends among themselves, too.
            let ended = Monitor(0)
            let threads = (0..<3).map { part in
                SystemThread {
                    let share = each / 3 + 1
                    let own = live[min(part * share, each)..<min((part + 1) * share, each)]
                    for (index, span) in own.enumerated() {
                        span.end()
                        if index == own.count / 4 { ended.withLockAndSignal { $0 += 1 } }
                    }
                    for span in live[0..<each / 10].reversed() { span.end() }
                }
            }
            _ = ended.wait(untilNs: .max) { $0 >= 1 }
            #expect(pipeline.shutdown() == .completed)
            for thread in threads { thread.join() }
            let ledger = pipeline.ledger
            let counters = pipeline.recorder.counters
            let arrivals = exporter.arrivals
            #expect(arrivals.more == 0)
            #expect(counters.ended == UInt64(each))
            #expect(ledger.endedSampled == UInt64(each))
            #expect(ledger.acknowledged.spans == UInt64(arrivals.once))
            #expect(ledger.acknowledged.spans + ledger.afterShutdown == UInt64(each))
            #expect(ledger.isBalanced)
            #expect(PipelineHarness.holdsL1(pipeline.recorder))
            exported += ledger.acknowledged.spans
            afterShutdown += ledger.afterShutdown
        }
        #expect(exported > 0)
        #expect(afterShutdown > 0)
    }
}
