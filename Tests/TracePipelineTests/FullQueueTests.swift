import Testing

@testable import TracePipeline

/// A queue without room: spans are dropped and counted, or `end` waits.
@Suite struct FullQueueTests {
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
}
