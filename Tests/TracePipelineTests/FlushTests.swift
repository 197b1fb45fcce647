import Foundation
import Glibc
import Testing
import TraceCore

@testable import TracePipeline

/// What a flush settles, and when it says so.
@Suite struct FlushTests {
    @Test("A flush settles every span that has ended, in batches of at most the batch size")
    func flushSettlesEverything() throws {
        let server = ScriptedServer()
        defer { server.stop() }
        let records = RecordCollector()
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint, records: records) {
            $0.batch.queueSpans = 10_000
        }
        PipelineHarness.end(1_300, of: pipeline)
        #expect(pipeline.forceFlush() == .completed)
        let ledger = pipeline.ledger
        #expect(ledger.endedSampled == 1_300)
        #expect(ledger.acknowledged.spans == 1_300)
        #expect(ledger.isBalanced)
        #expect(records.all.allSatisfy { $0.spans <= 512 })
        #expect(records.all.map(\.spans).reduce(0, +) == 1_300)
        let names = try server.requests.flatMap { try PipelineHarness.spanNames($0.body) }
        #expect(names == Array(repeating: "work", count: 1_300))
        #expect(server.requests.allSatisfy { $0.values("tracemill-batch").count == 1 })
        let numbers = server.requests.map { $0.values("tracemill-batch")[0] }
        #expect(numbers == (1...numbers.count).map(String.init))
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("A flush with nothing pending completes, also twice and from several threads")
    func emptyFlush() throws {
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none)
        #expect(pipeline.forceFlush() == .completed)
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<20 {
                PipelineHarness.end(3, of: pipeline)
                #expect(pipeline.forceFlush() == .completed)
            }
        }
        #expect(pipeline.ledger.acknowledged.spans == 480)
        #expect(pipeline.ledger.isBalanced)
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("What each thread ended before its flush is settled when the flush completes")
    func flushCoversOwnSpans() throws {
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.batch.queueSpans = 1_024
            $0.batch.whenFull = .block
            $0.keepsLedger = false
        }
        let isDone = Monitor(false)
        let producer = SystemThread {
            let tracer = pipeline.provider.tracer(name: "other")
            // Large spans: the thread's chunks are full, and pushed into the ring, all the time.
            var large = SpanAttributes()
            large.set(AttributeKey("text"), String(repeating: "x", count: 16_000))
            while !isDone.withLock({ $0 }) {
                for _ in 0..<8 { tracer.startSpan(SpanName("noise"), attributes: large).end() }
            }
        }
        for _ in 0..<200 {
            PipelineHarness.end(10, of: pipeline)
            // Not those ended: the other thread may be in the middle of an end.
            let published = pipeline.recorder.counters.published
            #expect(pipeline.forceFlush() == .completed)
            #expect(pipeline.ledger.acknowledged.spans >= published)
        }
        isDone.withLock { $0 = true }
        producer.join()
        #expect(pipeline.shutdown() == .completed)
        #expect(pipeline.ledger.isBalanced)
    }

    @Test("A flush whose exporter is stuck says that it timed out; a later one completes")
    func flushTimesOut() throws {
        let gate = GatedExporter(isOpen: false)
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(gate))
        PipelineHarness.end(1, of: pipeline)
        #expect(pipeline.forceFlush(timeoutMs: 20) == .timedOut)
        gate.waitForExports(1)
        #expect(pipeline.ledger.inFlight.spans == 1)
        gate.open()
        #expect(pipeline.forceFlush() == .completed)
        #expect(pipeline.ledger.acknowledged.spans == 1)
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("A flush asked for while another waits for the server completes too")
    func flushDuringFlush() throws {
        let server = ScriptedServer(then: .hold)
        defer { server.stop() }
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint) {
            $0.batch.batchSpans = 1
        }
        PipelineHarness.end(5, of: pipeline)
        let first = SystemThread { #expect(pipeline.forceFlush() == .completed) }
        server.waitForRequests(1)
        let turns = pipeline.processor.exporterWakeups
        let second = SystemThread { #expect(pipeline.forceFlush() == .completed) }
        // The exporter has seen the second flush while it had no body free for the first.
        while pipeline.processor.exporterWakeups == turns { sched_yield() }
        server.release()
        first.join()
        second.join()
        #expect(pipeline.ledger.acknowledged.spans == 5)
        #expect(pipeline.shutdown() == .completed)
    }
}
