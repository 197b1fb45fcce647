import Foundation
import Glibc
import Testing
import TraceCore

@testable import TracePipeline

@Suite struct BatchProcessorTests {
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

    @Test("A full queue drops spans and counts them")
    func fullQueueDrops() throws {
        let gate = GatedExporter(isOpen: false)
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(gate)) {
            $0.batch.queueSpans = 32
            $0.batch.batchSpans = 8
        }
        PipelineHarness.end(8, of: pipeline)
        gate.waitForExports(1)
        // The exporter has taken 8 and is stuck: 32 fit, the rest do not.
        PipelineHarness.end(100, of: pipeline)
        let ledger = pipeline.ledger
        #expect(ledger.endedSampled == 108)
        #expect(ledger.inFlight.spans == 8)
        #expect(ledger.queued == 32)
        #expect(ledger.queueFull == 68)
        #expect(ledger.isBalanced)
        gate.open()
        #expect(pipeline.shutdown() == .completed)
        #expect(pipeline.ledger.acknowledged.spans == 40)
        #expect(pipeline.ledger.isBalanced)
        #expect(gate.wasShutDown)
    }

    @Test("A full queue that blocks makes end wait and loses nothing")
    func fullQueueBlocks() throws {
        let gate = GatedExporter(isOpen: false)
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(gate)) {
            $0.batch.queueSpans = 32
            $0.batch.batchSpans = 8
            $0.batch.whenFull = .block
        }
        let ended = Monitor(0)
        let producers = (0..<3).map { _ in
            SystemThread {
                PipelineHarness.end(1_000, of: pipeline)
                ended.withLockAndSignal { $0 += 1 }
            }
        }
        gate.waitForExports(1)
        #expect(ended.withLock { $0 } == 0)
        gate.open()
        for producer in producers { producer.join() }
        #expect(pipeline.shutdown() == .completed)
        #expect(pipeline.ledger.acknowledged.spans == 3_000)
        #expect(pipeline.ledger.queueFull == 0)
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
        let turns = pipeline.processor.exporterTurns
        let second = SystemThread { #expect(pipeline.forceFlush() == .completed) }
        // The exporter has seen the second flush while it had no body free for the first.
        while pipeline.processor.exporterTurns == turns { sched_yield() }
        server.release()
        first.join()
        second.join()
        #expect(pipeline.ledger.acknowledged.spans == 5)
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("Room held back by an idle thread does not make a waiting one wait for the timer")
    func waitingThreadIsServed() throws {
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.batch.queueSpans = 64
            $0.batch.batchSpans = 64
            $0.batch.scheduleDelayMs = Int(Int32.max)
            $0.batch.whenFull = .block
        }
        let stage = Monitor(0)
        let idle = SystemThread {
            PipelineHarness.end(1, of: pipeline)
            stage.withLockAndSignal { $0 = 1 }
            // Keeps its credits until the other has got through.
            _ = stage.wait(untilNs: .max) { $0 == 2 }
        }
        _ = stage.wait(untilNs: .max) { $0 == 1 }
        let busy = SystemThread { PipelineHarness.end(500, of: pipeline) }
        busy.join()
        stage.withLockAndSignal { $0 = 2 }
        idle.join()
        #expect(pipeline.shutdown() == .completed)
        #expect(pipeline.ledger.acknowledged.spans == 501)
    }

    @Test("A server that rejects more spans than it got rejects those")
    func rejectsTooMany() throws {
        let server = ScriptedServer([.answer(status: 200, body: [0x0A, 3, 0x08, 0xE8, 0x07])])
        defer { server.stop() }
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint)
        PipelineHarness.end(5, of: pipeline)
        #expect(pipeline.shutdown() == .completed)
        #expect(pipeline.ledger.rejected + pipeline.ledger.acknowledged.spans == 5)
        #expect(pipeline.ledger.rejected > 0)
        #expect(pipeline.ledger.partlyAcknowledged.spans == 0)
        #expect(pipeline.ledger.isBalanced)
    }

    @Test("An idle pipeline does not wake up")
    func idleMakesNoTurns() throws {
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.batch.scheduleDelayMs = 1
        }
        PipelineHarness.end(5, of: pipeline)
        #expect(pipeline.forceFlush() == .completed)
        // The turn that completed the flush may still be on its way to sleep; after that, none.
        let before = pipeline.processor.exporterTurns
        usleep(200_000)
        #expect(pipeline.processor.exporterTurns <= before + 1)
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("Spans of all threads add up under load, with every sum equal at both ends")
    func conservationUnderLoad() throws {
        let server = ScriptedServer([
            .answer(status: 503), .reset(afterBodyBytes: nil), .answer(status: 200), .close,
            .answer(status: 200, body: [0x0A, 2, 0x08, 7]), .answer(status: 400),
        ])
        defer { server.stop() }
        let records = RecordCollector()
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint, records: records)
        let threads = (0..<4).map { _ in
            SystemThread { PipelineHarness.end(5_000, of: pipeline) }
        }
        for thread in threads { thread.join() }
        #expect(pipeline.forceFlush() == .completed)
        #expect(pipeline.shutdown() == .completed)
        let ledger = pipeline.ledger
        #expect(ledger.endedSampled == 20_000)
        #expect(ledger.isBalanced)
        #expect(ledger.queued == 0)
        #expect(ledger.inFlight == FateTotals())
        #expect(ledger.rejected == 7)
        #expect(ledger.refused.batches == 1)
        let all = records.all
        #expect(
            ledger.acknowledged.identitySum &+ ledger.partlyAcknowledged.identitySum
                &+ ledger.refused.identitySum == all.reduce(0) { $0 &+ $1.identitySum })
        #expect(Set(all.map(\.number)).count == all.count)
        #expect(all.allSatisfy { $0.identitySum != 0 && $0.contentSum != 0 })
        #expect(all.allSatisfy { $0.builtNs >= $0.buildStartedNs && $0.firstSentNs >= $0.builtNs })
        #expect(all.reduce(0) { $0 + $1.attempts } == server.requests.count)
        #expect(ledger.attempts == UInt64(server.requests.count))
    }

    @Test("A server that is restarted again and again has every batch that it acknowledged")
    func restarts() throws {
        var server = ScriptedServer()
        let port = server.port
        let records = RecordCollector()
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint, records: records) {
            $0.batch.batchSpans = 16
            $0.batch.whenFull = .block
        }
        let isDone = Monitor(false)
        let producer = SystemThread {
            repeat { PipelineHarness.end(50, of: pipeline) } while !isDone.withLock { $0 }
        }
        var received: [ReceivedRequest] = []
        for _ in 0..<8 {
            server.waitForRequests(20)
            server.stop()
            received += server.requests
            server = ScriptedServer(port: port)
        }
        isDone.withLock { $0 = true }
        producer.join()
        #expect(pipeline.shutdown() == .completed)
        received += server.requests
        server.stop()

        #expect(pipeline.ledger.isBalanced)
        #expect(pipeline.ledger.dropped == 0)
        let numbers = Set(received.map { UInt64($0.values("tracemill-batch")[0])! })
        let all = records.all
        #expect(all.allSatisfy { numbers.contains($0.number) })
        #expect(numbers == Set(all.map(\.number)))
        // What came twice had been sent again.
        #expect(received.count <= all.reduce(0) { $0 + $1.attempts })
        #expect(
            received.count - numbers.count <= all.reduce(0) { $0 + ($1.attempts - 1) })
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
