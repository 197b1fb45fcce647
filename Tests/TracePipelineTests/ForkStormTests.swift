// Forks at any moment of a process that traces and sends as fast as it can: whatever a thread was in the
// middle of, the child does nothing, and the parent has lost nothing and sends nothing twice.

import Foundation
import Glibc
import Testing
import TraceCore
import TraceResults
import TraceSink

@testable import TracePipeline

@Suite struct ForkStormTests {
    /// More with TRACEMILL_FORKS=1000, as `make forks` does.
    private static let forks =
        ProcessInfo.processInfo.environment["TRACEMILL_FORKS"].flatMap { Int($0) } ?? 40
    private static let producers = 2

    @Test("Children of a process under load are inert, and each of its spans arrives once")
    func storm() async {
        await #expect(processExitsWith: .success) {
            try ForkTests.warmUp()
            let server = try SinkServer.start(SinkConfiguration())
            let records = RecordCollector()
            let pipeline = try PipelineHarness.pipeline(
                endpoint: "http://127.0.0.1:\(server.port)/v1/traces", records: records
            ) {
                $0.batch.queueSpans = 4_096
                $0.batch.batchSpans = 512
                $0.batch.scheduleDelayMs = 5
                $0.batch.whenFull = .block
                guard case .otlp(var settings) = $0.exporter else { return }
                settings.connections = 2
                settings.runName = "storm"
                $0.exporter = .otlp(settings)
            }
            let live = pipeline.provider.tracer(name: "test").startSpan("live")
            let isDone = Monitor(false)
            let ended = Monitor<UInt64>(0)
            let threads = (0..<ForkStormTests.producers).map { index in
                SystemThread {
                    var count: UInt64 = 0
                    while !isDone.withLock({ $0 }) {
                        PipelineHarness.end(50, of: pipeline)
                        count += 50
                        if index == 0, count % 5_000 == 0 { _ = pipeline.forceFlush() }
                    }
                    ended.withLock { $0 += count }
                }
            }
            var statuses: [Int32: Int] = [:]
            for _ in 0..<ForkStormTests.forks {
                // A child that hangs is ended by its alarm, and its status says so.
                statuses[
                    ForkTests.forkedChildStatus(pipeline, inherited: live, processors: 1),
                    default: 0] += 1
            }
            isDone.withLock { $0 = true }
            for thread in threads { thread.join() }
            live.end()
            #expect(pipeline.shutdown(timeoutMs: 120_000) == .completed)
            #expect(statuses == [0: ForkStormTests.forks])

            // L0 to L2 in the parent, and nothing of the children in it.
            let issued = Int(ended.withLock { $0 }) + 1
            let ledger = pipeline.ledger
            #expect(ledger.isBalanced)
            #expect(ledger.acknowledged.spans == UInt64(issued))
            #expect(pipeline.recorder.counters.notRecordedForked == 0)
            #expect(PipelineHarness.holdsL1(pipeline.recorder))

            // L3 at the sink: each span once, in the batch that the books say.
            let books = server.ledger()
            #expect(books.spansDistinct == issued)
            #expect(books.spansDuplicate == 0)
            #expect(books.badRequests == 0)
            #expect(books.identitySum == ledger.acknowledged.identitySum)
            var reconciler = BatchReconciler(comparing: [.identities, .contents])
            for record in records.all {
                reconciler.settle(
                    TraceResults.BatchRecord(
                        number: record.number, spans: record.spans,
                        identitySum: record.identitySum, contentSum: record.contentSum,
                        outcome: .acknowledged, isIndeterminate: record.indeterminate,
                        attempts: record.attempts))
            }
            let list = try httpRequest(
                method: "GET",
                url: "http://127.0.0.1:\(server.port)/tracemill/v1/batches"
                    + "?through=\(UInt64.max)&run=storm",
                timeoutMs: 60_000)
            try reconciler.receive(list: list.body)
            reconciler.finish()
            #expect(reconciler.mismatches == [])
            #expect(reconciler.totals.matchedSpans == UInt64(issued))
            server.shutdown()
        }
    }
}
