import Testing
import TraceCore

@testable import TracePipeline

/// When a batch goes out, how many at once, and when the thread stays asleep.
@Suite struct BatchProcessorTests {
    @Test("A full batch goes out at once, without a flush and long before the schedule delay")
    func fullBatch() throws {
        let records = RecordCollector()
        let pipeline = try PipelineHarness.pipeline(
            exporter: ExporterChoice.none, records: records
        ) {
            $0.batch.queueSpans = 64
            $0.batch.batchSpans = 8
            $0.batch.scheduleDelayMs = Int(Int32.max)
        }
        PipelineHarness.end(8, of: pipeline)
        #expect(records.wait(for: 1).map(\.spans) == [8])
        PipelineHarness.end(16, of: pipeline)
        #expect(records.wait(for: 3).map(\.spans) == [8, 8, 8])
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("A batch that is not full goes out after the schedule delay, not before")
    func scheduleDelay() throws {
        let records = RecordCollector()
        let pipeline = try PipelineHarness.pipeline(
            exporter: ExporterChoice.none, records: records
        ) { $0.batch.scheduleDelayMs = 100 }
        let before = TraceClock.monotonicNs
        PipelineHarness.end(3, of: pipeline)
        let settled = records.wait(for: 1)
        #expect(settled.map(\.spans).reduce(0, +) == 3)
        #expect(settled[0].buildStartedNs >= before + 100_000_000)
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("Two requests are in flight at once on two connections, and never more")
    func twoInFlight() throws {
        let server = ScriptedServer(then: .hold)
        defer { server.stop() }
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint) {
            guard case .otlp(var settings) = $0.exporter else { return }
            settings.connections = 2
            $0.exporter = .otlp(settings)
            $0.batch.batchSpans = 8
        }
        PipelineHarness.end(80, of: pipeline)
        server.waitForRequests(2)
        #expect(server.connectionsAccepted == 2)
        #expect(server.requests.count == 2)
        server.release()
        #expect(pipeline.shutdown() == .completed)
        #expect(server.connectionsAccepted == 2)
        #expect(pipeline.ledger.acknowledged.spans == 80)
    }

    @Test("The simple processor's end returns when its span is settled")
    func simpleProcessor() throws {
        let server = ScriptedServer()
        defer { server.stop() }
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint) {
            $0.processor = .simple
        }
        let tracer = pipeline.provider.tracer(name: "test")
        for count in 1...5 {
            tracer.startSpan("one").end()
            #expect(server.requests.count == count)
            #expect(pipeline.ledger.acknowledged.spans == UInt64(count))
        }
        let threads = (0..<4).map { _ in
            SystemThread { for _ in 0..<5 { tracer.startSpan("many").end() } }
        }
        for thread in threads { thread.join() }
        #expect(server.requests.count == 25)
        #expect(pipeline.shutdown() == .completed)
        tracer.startSpan("late").end()
        #expect(server.requests.count == 25)
    }

    @Test("A disabled pipeline records nothing and stops in good order")
    func disabled() throws {
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.isDisabled = true
        }
        PipelineHarness.end(5, of: pipeline)
        #expect(pipeline.recorder.counters.notRecordedDisabled == 5)
        #expect(pipeline.shutdown() == .completed)
        #expect(pipeline.ledger.endedSampled == 0)
    }
}
