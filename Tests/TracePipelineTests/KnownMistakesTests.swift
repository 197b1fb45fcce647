// Mistakes that tracing SDKs are known to have made in their processors, one test each. Those that had a
// test before have it still:
//
// - a shutdown that ignores its timeout: ShutdownTests.cutsRequest, .hangingExporter
// - a shutdown that drains one batch only: ShutdownTests.drainsAll
// - a full batch that waits for the timer: BatchProcessorTests.fullBatch
// - a wait to try again that a shutdown does not interrupt: ShutdownTests.interruptsBackoff
// - drops of a full queue that nobody counts: FullQueueTests.fullQueueDrops
// - a second processor that is starved: SeveralProcessorsTests.stuckAndFull, .hangingFirst
// - a forked child that sends its parent's queue again: ForkTests.childIsInert
//
// The table is in docs/pipeline.md.

import Testing
import TraceCore

@testable import TracePipeline

@Suite struct KnownMistakesTests {
    @Test("A flush misses no span: it is counted before it can be seen, not after")
    func flushMissesNothing() throws {
        let exporter = InMemoryExporter()
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(exporter)) {
            $0.batch.scheduleDelayMs = Int(Int32.max)
        }
        let threads = (0..<3).map { _ in
            SystemThread {
                let tracer = pipeline.provider.tracer(name: "test")
                for _ in 0..<100 {
                    let span = tracer.startSpan("one")
                    span.end()
                    #expect(pipeline.forceFlush() == .completed)
                    let isThere = exporter.finishedSpans.contains {
                        $0.spanID == span.context.spanID
                    }
                    #expect(isThere)
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("A flush does not return before what it flushes is exported")
    func flushWaits() throws {
        let gate = GatedExporter(isOpen: false)
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(gate)) {
            $0.batch.batchSpans = 10
        }
        PipelineHarness.end(35, of: pipeline)
        let flushed = Monitor<FlushResult?>(nil)
        let thread = SystemThread {
            let result = pipeline.forceFlush()
            #expect(pipeline.ledger.acknowledged.spans == 35)
            flushed.withLockAndSignal { $0 = result }
        }
        gate.waitForExports(1)
        #expect(flushed.withLock { $0 } == nil)
        gate.open()
        #expect(flushed.wait(untilNs: .max) { $0 == .completed })
        thread.join()
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("Spans do not count as sent while their export runs, nor when it fails")
    func sentBeforeExport() throws {
        let gate = GatedExporter(isOpen: false)
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(gate)) {
            $0.batch.batchSpans = 4
            $0.additionalProcessors = [.batch($0.batch, .custom(RefusingExporter()))]
        }
        PipelineHarness.end(4, of: pipeline)
        gate.waitForExports(1)
        #expect(pipeline.ledger.inFlight.spans == 4)
        #expect(pipeline.ledger.acknowledged.spans == 0)
        let name = "otel.sdk.exporter.span.exported"
        let first = ["otel.component.name": "TracePipelineTests.GatedExporter/0"]
        #expect(pipeline.metrics.value(of: name, where: first) == 0)
        gate.open()
        #expect(pipeline.forceFlush() == .completed)
        #expect(pipeline.metrics.value(of: name, where: first) == 4)
        #expect(pipeline.ledgers[1].ledger.acknowledged.spans == 0)
        #expect(pipeline.ledgers[1].ledger.refused.spans == 4)
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("The time of a span whose end the clock puts before its start does not wrap around")
    func clockStepsBack() throws {
        let exporter = InMemoryExporter()
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(exporter)) {
            $0.sweeper.strategy = .endSpan
        }
        let tracer = pipeline.provider.tracer(name: "test")
        let nowUnixNano = TraceClock.unixNs
        let anHour: UInt64 = 3_600_000_000_000
        // The caller's clock stepped back between start and end.
        let stepped = tracer.startSpan("stepped", at: nowUnixNano)
        stepped.end(at: nowUnixNano - anHour)
        // The machine's clock stepped back after the caller had read it: the start is in the future.
        let ahead = tracer.startSpan("ahead", at: nowUnixNano + anHour)
        // No age of centuries for the sweeper, either.
        let result = try #require(pipeline.sweep())
        #expect(result.sweptSpans == 0)
        #expect(result.oldestAgeNs == 0)
        ahead.end()
        #expect(pipeline.shutdown() == .completed)
        let spans = exporter.finishedSpans
        #expect(spans.map(\.name) == ["stepped", "ahead"])
        #expect(spans.allSatisfy { $0.endUnixNano == $0.startUnixNano })
        #expect(spans.allSatisfy { $0.durationNs == 0 })
    }
}
