import Glibc
import Testing
import TraceCore

@testable import TracePipeline

/// Notes the time that it is given, and whether it is called while it is busy.
private final class TimedExporter: SpanExporter {
    struct Notes: Sendable {
        var timeoutsMs: [Int] = []
        var spans = 0
        var callsUnderWay = 0
        var overlaps = 0
        var callsAfterShutdown = 0
        var shutdowns = 0
    }

    let notes = Monitor(Notes())

    func export(request: RawSpan, spanCount: Int) -> BatchOutcome {
        Issue.record("the call with the time was to be made")
        return .dropped(.refused)
    }

    func export(request: RawSpan, spanCount: Int, timeoutMs: Int) -> BatchOutcome {
        notes.withLock {
            $0.timeoutsMs.append(timeoutMs)
            $0.spans += spanCount
            $0.callsUnderWay += 1
            if $0.callsUnderWay > 1 { $0.overlaps += 1 }
            if $0.shutdowns > 0 { $0.callsAfterShutdown += 1 }
        }
        // Room for a second call, if one were made.
        for _ in 0..<20 { sched_yield() }
        notes.withLock { $0.callsUnderWay -= 1 }
        return .acknowledged
    }

    func shutdown() {
        notes.withLock {
            $0.shutdowns += 1
            if $0.callsUnderWay > 0 { $0.overlaps += 1 }
        }
    }
}

/// The batch's timeout: what an exporter of the user's is told, and what bounds a batch over OTLP.
@Suite struct ExportTimeoutTests {
    @Test(
        "A custom exporter is told what is left of its batch's timeout",
        arguments: [(1_000_000_000, 999_000_000...1_000_000_000), (0, Int.max...Int.max)])
    func told(exportTimeoutMs: Int, expected: ClosedRange<Int>) throws {
        let exporter = TimedExporter()
        let second = TimedExporter()
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(exporter)) {
            $0.batch.exportTimeoutMs = exportTimeoutMs
            $0.additionalProcessors = [.batch($0.batch, .custom(second))]
        }
        for _ in 0..<3 {
            PipelineHarness.end(2, of: pipeline)
            #expect(pipeline.forceFlush() == .completed)
        }
        #expect(pipeline.shutdown() == .completed)
        for exporter in [exporter, second] {
            let timeouts = exporter.notes.withLock { $0.timeoutsMs }
            #expect(!timeouts.isEmpty && timeouts.allSatisfy(expected.contains), "\(timeouts)")
        }
    }

    @Test("In a shutdown it is told what is left of that, where it is less")
    func toldOfShutdown() throws {
        let exporter = TimedExporter()
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(exporter)) {
            $0.batch.exportTimeoutMs = 0
            $0.batch.scheduleDelayMs = Int(Int32.max)
        }
        PipelineHarness.end(2, of: pipeline)
        #expect(pipeline.shutdown(timeoutMs: 1_000_000) == .completed)
        let timeouts = exporter.notes.withLock { $0.timeoutsMs }
        #expect(timeouts.count == 1)
        #expect(timeouts.allSatisfy { (1...1_000_000).contains($0) }, "\(timeouts)")
    }

    @Test(
        "An exporter is never called while its last call runs, nor after its shutdown",
        arguments: [false, true])
    func noOverlap(isSimple: Bool) throws {
        let exporter = TimedExporter()
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(exporter)) {
            if isSimple { $0.processor = .simple }
            $0.batch.queueSpans = 64
            $0.batch.batchSpans = 8
            $0.batch.scheduleDelayMs = 1
            $0.batch.whenFull = .block
        }
        let count = isSimple ? 50 : 2_000
        let enders = (0..<3).map { _ in
            SystemThread { PipelineHarness.end(count, of: pipeline) }
        }
        let flushers = (0..<3).map { _ in
            SystemThread { for _ in 0..<30 { #expect(pipeline.forceFlush() == .completed) } }
        }
        for thread in enders + flushers { thread.join() }
        let stoppers = (0..<2).map { _ in
            SystemThread { #expect(pipeline.shutdown() == .completed) }
        }
        PipelineHarness.end(100, of: pipeline)
        for thread in stoppers { thread.join() }
        let notes = exporter.notes.withLock { $0 }
        #expect(notes.overlaps == 0)
        #expect(notes.callsAfterShutdown == 0)
        #expect(notes.shutdowns == 1)
        #expect(notes.spans >= 3 * count)
        #expect(pipeline.ledger.isBalanced)
    }

    @Test("A batch over OTLP that is refused again and again is given up at the batch's timeout")
    func boundsBatch() throws {
        let server = ScriptedServer(then: .answer(status: 503))
        defer { server.stop() }
        let records = RecordCollector()
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint, records: records) {
            $0.batch.exportTimeoutMs = 1_500
            guard case .otlp(var settings) = $0.exporter else { return }
            settings.timeoutMs = 0
            settings.retry.maxAttempts = 0
            $0.exporter = .otlp(settings)
        }
        PipelineHarness.end(3, of: pipeline)
        #expect(pipeline.forceFlush(timeoutMs: 60_000) == .completed)
        #expect(pipeline.ledger.retriesExhausted.spans == 3)
        #expect(pipeline.ledger.isBalanced)
        for record in records.all {
            #expect(record.outcome == .dropped(.retriesExhausted))
            #expect(record.attempts > 1)
            // Given up when its time was up, not before.
            #expect(record.settledNs - record.buildStartedNs >= 1_400_000_000)
        }
        #expect(pipeline.shutdown(timeoutMs: 1_000) == .completed)
    }

    @Test("A request that hangs ends with the batch's timeout where an attempt has none of its own")
    func boundsAttempt() throws {
        let server = ScriptedServer(then: .hang)
        defer { server.stop() }
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint) {
            $0.batch.exportTimeoutMs = 300
            guard case .otlp(var settings) = $0.exporter else { return }
            settings.timeoutMs = 0
            $0.exporter = .otlp(settings)
        }
        PipelineHarness.end(3, of: pipeline)
        #expect(pipeline.forceFlush(timeoutMs: 60_000) == .completed)
        #expect(pipeline.ledger.retriesExhausted.spans == 3)
        #expect(pipeline.shutdown(timeoutMs: 1_000) == .completed)
    }
}
