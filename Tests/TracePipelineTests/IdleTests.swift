import Synchronization
import Testing
import TraceCore

@testable import TracePipeline

/// What wakes the exporter thread: spans, and nothing while there are none.
@Suite struct IdleTests {
    private static let hourMs = 3_600_000

    @Test("Without spans the exporter thread is not woken, however long another pipeline goes on")
    func noWakeups() throws {
        let idle = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.batch.scheduleDelayMs = 1
        }
        PipelineHarness.end(5, of: idle)
        #expect(idle.forceFlush() == .completed)
        // The other one's work is the measure of time here: a hundred flushes wake its thread, and it this
        // one, a hundred times.
        let busy = try PipelineHarness.pipeline(exporter: ExporterChoice.none)
        func work() {
            for _ in 0..<100 {
                PipelineHarness.end(1, of: busy)
                #expect(busy.forceFlush() == .completed)
            }
        }
        // A wake-up of the flush may still be under way, and on a loaded machine for long; a thread that
        // looks for work by itself never comes to rest.
        var isStill = false
        for _ in 0..<50 where !isStill {
            let before = idle.processor.exporterWakeups
            work()
            isStill = idle.processor.exporterWakeups == before
        }
        #expect(isStill)
        let before = idle.processor.exporterWakeups
        let busyBefore = busy.processor.exporterWakeups
        for _ in 0..<20 { work() }
        #expect(idle.processor.exporterWakeups == before)
        #expect(busy.processor.exporterWakeups > busyBefore)
        // It is asleep, not dead.
        PipelineHarness.end(1, of: idle)
        #expect(idle.forceFlush() == .completed)
        #expect(idle.processor.exporterWakeups > before)
        #expect(idle.shutdown() == .completed)
        #expect(busy.shutdown() == .completed)
    }

    @Test(
        "A batch that is just full goes out, hours before the schedule delay and without another span",
        arguments: [(8, 64), (512, 2_048), (512, 4_096), (100, 131_072)])
    func fullBatch(batch: Int, queue: Int) throws {
        let records = RecordCollector()
        let pipeline = try PipelineHarness.pipeline(
            exporter: ExporterChoice.none, records: records
        ) {
            $0.batch.queueSpans = queue
            $0.batch.batchSpans = batch
            $0.batch.scheduleDelayMs = Self.hourMs
        }
        for round in 1...20 {
            PipelineHarness.end(batch, of: pipeline)
            #expect(records.wait(for: round).map(\.spans) == [Int](repeating: batch, count: round))
        }
        // When the spans came, when there were all but enough, when there were enough, and where a thread had
        // kept some to itself: not with every span.
        #expect(pipeline.processor.exporterWakeups <= 20 * 6)
        #expect(pipeline.shutdown() == .completed)
    }

    @Test(
        "It goes out when threads that stay at rest have filled it together", arguments: [2, 3, 4])
    func fullBatchOfThreads(threads: Int) throws {
        let records = RecordCollector()
        let pipeline = try PipelineHarness.pipeline(
            exporter: ExporterChoice.none, records: records
        ) { $0.batch.scheduleDelayMs = Self.hourMs }
        let go = Monitor(0)
        let (rounds, batch) = (12, 512)
        let producers = (0..<threads).map { thread in
            SystemThread {
                for round in 1...rounds {
                    _ = go.wait(untilNs: .max) { $0 >= round }
                    // Odd shares, so that credits are left over everywhere.
                    let share =
                        thread == 0 ? batch - (threads - 1) * (97 + round) : 97 + round
                    PipelineHarness.end(share, of: pipeline)
                }
                _ = go.wait(untilNs: .max) { $0 > rounds }
            }
        }
        for round in 1...rounds {
            go.withLockAndSignal { $0 = round }
            #expect(
                records.wait(for: round).map(\.spans) == [Int](repeating: batch, count: round))
        }
        go.withLockAndSignal { $0 = rounds + 1 }
        for producer in producers { producer.join() }
        #expect(pipeline.shutdown() == .completed)
        #expect(pipeline.ledger.acknowledged.spans == UInt64(rounds * batch))
    }

    @Test("What is left over from a full batch goes out after the schedule delay, not before")
    func rest() throws {
        let records = RecordCollector()
        let pipeline = try PipelineHarness.pipeline(
            exporter: ExporterChoice.none, records: records
        ) {
            $0.batch.queueSpans = 64
            $0.batch.batchSpans = 8
            $0.batch.scheduleDelayMs = 1_000
        }
        PipelineHarness.end(8, of: pipeline)
        #expect(records.wait(for: 1).map(\.spans) == [8])
        PipelineHarness.end(5, of: pipeline)
        var settled = records.wait(for: 2)
        // Between two exports, whether the thread saw the rest before it slept or was woken by it.
        #expect(settled[1].buildStartedNs >= settled[0].buildStartedNs + 1_000_000_000)
        // In one batch, if this thread was not held up between two spans for longer than the delay.
        while settled.map(\.spans).reduce(0, +) < 13 {
            settled = records.wait(for: settled.count + 1)
        }
        #expect(settled.map(\.spans).reduce(0, +) == 13)
        #expect(pipeline.shutdown() == .completed)
    }
}
