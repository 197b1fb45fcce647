import Foundation
import Testing
import TraceCore

@testable import TracePipeline

@Suite struct ShutdownTests {
    @Test("Shutdown exports everything that has ended, in more batches than one")
    func drainsAll() throws {
        let server = ScriptedServer()
        defer { server.stop() }
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint) {
            $0.batch.batchSpans = 10
        }
        PipelineHarness.end(95, of: pipeline)
        #expect(pipeline.shutdown() == .completed)
        #expect(pipeline.ledger.acknowledged.spans == 95)
        #expect(server.requests.count >= 10)
    }

    @Test("Ends after shutdown are counted, and flushes return at once")
    func afterShutdown() throws {
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none)
        let tracer = pipeline.provider.tracer(name: "test")
        let live = tracer.startSpan("live")
        #expect(pipeline.shutdown() == .completed)
        live.end()
        tracer.startSpan("late").end()
        #expect(pipeline.forceFlush() == .completed)
        #expect(pipeline.shutdown() == .completed)
        #expect(pipeline.ledger.afterShutdown == 1)
        #expect(pipeline.ledger.isBalanced)
        #expect(pipeline.recorder.counters.notRecordedAfterShutdown == 1)
    }

    @Test("Shutdown interrupts a wait to try again, and says that time was up")
    func interruptsBackoff() throws {
        let server = ScriptedServer(
            then: .answer(status: 503, headers: ["Retry-After: 20"]))
        defer { server.stop() }
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint)
        PipelineHarness.end(5, of: pipeline)
        let flusher = SystemThread { _ = pipeline.forceFlush() }
        server.waitForRequests(1)
        #expect(pipeline.shutdown(timeoutMs: 50) == .timedOut)
        flusher.join()
        #expect(pipeline.ledger.shutdown.spans == 5)
        #expect(pipeline.ledger.isBalanced)
        #expect(server.requests.count == 1)
    }

    @Test("Shutdown does not wait for a server that wants to be left alone for longer")
    func givesUpAtOnce() throws {
        let server = ScriptedServer(
            then: .answer(status: 503, headers: ["Retry-After: 100"]))
        defer { server.stop() }
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint) {
            $0.batch.batchSpans = 10
            $0.batch.exportTimeoutMs = 600_000
        }
        PipelineHarness.end(95, of: pipeline)
        server.waitForRequests(1)
        // Far longer than a test may take, far shorter than the server asks for.
        #expect(pipeline.shutdown(timeoutMs: 60_000) == .timedOut)
        #expect(pipeline.ledger.shutdown.spans == 95)
        #expect(pipeline.ledger.isBalanced)
        #expect(server.requests.count == 1)
    }

    @Test("Shutdown cuts off a request in flight at its deadline: the server may have the spans")
    func cutsRequest() throws {
        let server = ScriptedServer(then: .hang)
        defer { server.stop() }
        let records = RecordCollector()
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint, records: records) {
            $0.batch.batchSpans = 5
        }
        PipelineHarness.end(50, of: pipeline)
        server.waitForRequests(1)
        #expect(pipeline.shutdown(timeoutMs: 30) == .timedOut)
        let ledger = pipeline.ledger
        #expect(ledger.shutdown.spans == 50)
        #expect(ledger.indeterminate.spans == 5)
        #expect(ledger.queued == 0)
        #expect(ledger.isBalanced)
        #expect(records.all.filter(\.indeterminate).count == 1)
    }

    @Test("A shutdown without time drops what is left, and counts it")
    func withoutTime() throws {
        let gate = GatedExporter(isOpen: true)
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(gate)) {
            $0.batch.scheduleDelayMs = Int(Int32.max)
        }
        PipelineHarness.end(100, of: pipeline)
        #expect(pipeline.shutdown(timeoutMs: 0) == .timedOut)
        #expect(pipeline.ledger.shutdown.spans == 100)
        #expect(pipeline.ledger.shutdown.identitySum != 0)
        #expect(pipeline.ledger.isBalanced)
    }

    @Test("Shutdown frees threads that wait for room in a full queue")
    func freesBlockedThreads() throws {
        let server = ScriptedServer(then: .hang)
        defer { server.stop() }
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint) {
            $0.batch.queueSpans = 8
            $0.batch.batchSpans = 4
            $0.batch.whenFull = .block
        }
        let producers = (0..<2).map { _ in
            SystemThread { PipelineHarness.end(100, of: pipeline) }
        }
        server.waitForRequests(1)
        #expect(pipeline.shutdown(timeoutMs: 30) == .timedOut)
        for producer in producers { producer.join() }
        let ledger = pipeline.ledger
        #expect(ledger.isBalanced)
        #expect(ledger.queued == 0)
    }

    @Test("A race of ends against shutdown loses no span from the books", arguments: 0..<8)
    func endsAgainstShutdown(kind: Int) throws {
        for _ in 0..<25 {
            let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
                $0.batch.queueSpans = 64
                $0.batch.batchSpans = 16
                $0.batch.whenFull = kind % 2 == 0 ? .drop : .block
                $0.keepsLedger = kind < 4
            }
            let stage = Monitor((started: 0, isOver: false))
            let producers = (0..<3).map { _ in
                SystemThread {
                    stage.withLockAndSignal { $0.started += 1 }
                    repeat {
                        PipelineHarness.end(20, of: pipeline)
                    } while !stage.withLock { $0.isOver }
                }
            }
            _ = stage.wait(untilNs: .max) { $0.started == 3 }
            #expect(pipeline.shutdown() == .completed)
            let ended = pipeline.ledger
            stage.withLock { $0.isOver = true }
            for producer in producers { producer.join() }
            let ledger = pipeline.ledger
            #expect(ledger.isBalanced)
            #expect(ledger.queued == 0)
            #expect(ledger.inFlight.spans == 0)
            #expect(ledger.acknowledged == ended.acknowledged)
        }
    }

    @Test("Several threads may shut down at once; all of them see the end")
    func concurrentShutdown() throws {
        let server = ScriptedServer()
        defer { server.stop() }
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint)
        PipelineHarness.end(100, of: pipeline)
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            #expect(pipeline.shutdown() == .completed)
            #expect(pipeline.ledger.acknowledged.spans == 100)
        }
    }

    @Test("An exporter that hangs holds up neither shutdown nor the pipeline's going away")
    func hangingExporter() throws {
        let gate = GatedExporter(isOpen: false)
        do {
            let pipeline = try PipelineHarness.pipeline(exporter: .custom(gate)) {
                $0.batch.batchSpans = 1
            }
            PipelineHarness.end(1, of: pipeline)
            gate.waitForExports(1)
            #expect(pipeline.shutdown(timeoutMs: 10) == .timedOut)
            #expect(pipeline.ledger.inFlight.spans == 1)
            #expect(pipeline.ledger.isBalanced)
        }
        #expect(!gate.wasShutDown)
        gate.open()
    }

    @Test("A pipeline that goes away without shutdown stops its thread and warns")
    func goesAwayWithoutShutdown() throws {
        let log = LogCapture()
        let gate = GatedExporter(isOpen: true)
        do {
            let pipeline = try PipelineHarness.pipeline(exporter: .custom(gate)) {
                $0.logger = log.logger()
            }
            PipelineHarness.end(1, of: pipeline)
        }
        #expect(gate.wasShutDown)
        #expect(log.lines.count == 1)
    }
}

@Suite struct ResourceTests {
    @Test("Pipelines that came and went leave no descriptor and no thread behind")
    func nothingLeaks() async {
        await #expect(processExitsWith: .success) {
            func open(_ folder: String) -> Int {
                (try? FileManager.default.contentsOfDirectory(atPath: folder).count) ?? 0
            }
            let server = ScriptedServer()
            func round() throws {
                let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint)
                PipelineHarness.end(10, of: pipeline)
                #expect(pipeline.shutdown() == .completed)
                #expect(pipeline.ledger.acknowledged.spans == 10)
            }
            // The first ones bring what stays for the process: libcurl's and Foundation's own.
            for _ in 0..<3 { try round() }
            let descriptors = open("/proc/self/fd")
            for _ in 0..<20 { try round() }
            // The server notices the end of a connection a moment later.
            server.stop()
            #expect(open("/proc/self/fd") <= descriptors)
            #expect(open("/proc/self/task") <= 16)
        }
    }
}
