import Foundation
import Testing
import TraceCore

@testable import TracePipeline

@Suite struct SeveralProcessorsTests {
    private func ids(_ exporter: InMemoryExporter) -> Set<SpanID> {
        Set(exporter.finishedSpans.map(\.spanID))
    }

    @Test("Each of several processors gets every span, in queues and batches of its own")
    func eachSeesAll() throws {
        let exporters = (0..<4).map { _ in InMemoryExporter() }
        let custom = NotingProcessor()
        var small = BatchSettings()
        small.batchSpans = 7
        small.scheduleDelayMs = 0
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(exporters[0])) {
            $0.additionalProcessors = [
                .batch(BatchSettings(), .custom(exporters[1])),
                .batch(small, .custom(exporters[2])),
                .custom(custom), .simple(.custom(exporters[3])),
            ]
        }
        let threads = (0..<3).map { _ in
            SystemThread { PipelineHarness.end(200, of: pipeline) }
        }
        for thread in threads { thread.join() }
        #expect(pipeline.forceFlush() == .completed)
        let first = ids(exporters[0])
        #expect(first.count == 600)
        for exporter in exporters {
            #expect(exporter.finishedSpans.count == 600)
            #expect(ids(exporter) == first)
        }
        #expect(Set(custom.seen.ended.map(\.spanID)) == first)
        #expect(custom.seen.ended.count == 600)
        #expect(
            exporters[2].finishedSpans == exporters[2].finishedSpans.filter { $0.name == "work" })
        #expect(pipeline.shutdown() == .completed)
        #expect(exporters.allSatisfy { $0.isShutDown })
        #expect(custom.seen.shutdownTimeouts.count == 1)
        for entry in pipeline.ledgers {
            #expect(entry.ledger.endedSampled == 600)
            #expect(entry.ledger.acknowledged.spans == 600)
            #expect(entry.ledger.isBalanced)
        }
    }

    @Test("A copy in a further processor's request is the span that the first one exported")
    func copiesAreEqual() throws {
        let exporters = (InMemoryExporter(), InMemoryExporter())
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(exporters.0)) {
            $0.additionalProcessors = [.batch(BatchSettings(), .custom(exporters.1))]
        }
        let other = pipeline.makeProvider(serviceName: "other").tracer(name: "second")
        let parent = other.startSpan("parent", kind: .server)
        parent.setAttribute(AttributeKey("text"), string: String(repeating: "long ", count: 2_000))
        parent.setStatus(.error, "no")
        let child = pipeline.provider.tracer(name: "first").startSpan(
            named: "a child", parent: parent.context,
            links: [SpanLink(context: parent.context)])
        child.addEvent(SpanName("event"))
        child.end()
        parent.end()
        #expect(pipeline.shutdown() == .completed)
        #expect(exporters.0.finishedSpans.count == 2)
        #expect(Set(exporters.0.finishedSpans) == Set(exporters.1.finishedSpans))
    }

    @Test("Ledgers have the processors' names, in order; the pipeline's own is the first's")
    func names() throws {
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.additionalProcessors = [
                .simple(.none), .custom(NotingProcessor()), .batch(BatchSettings(), .none),
                .custom(NotingProcessor()),
            ]
        }
        PipelineHarness.end(1, of: pipeline)
        #expect(pipeline.shutdown() == .completed)
        let type = "TracePipelineTests.NotingProcessor"
        #expect(
            pipeline.ledgers.map(\.name) == [
                "batching_span_processor/0", "simple_span_processor/0", "\(type)/0",
                "batching_span_processor/1", "\(type)/1",
            ])
        #expect(pipeline.ledgers[0].ledger == pipeline.ledger)
    }

    @Test("An exporter that refuses everything costs the others nothing", arguments: [0, 1])
    func failing(position: Int) throws {
        let good = InMemoryExporter()
        let choices = [ExporterChoice.custom(good), .custom(RefusingExporter())]
        let pipeline = try PipelineHarness.pipeline(exporter: choices[position]) {
            $0.additionalProcessors = [.batch(BatchSettings(), choices[1 - position])]
        }
        PipelineHarness.end(100, of: pipeline)
        #expect(pipeline.forceFlush() == .completed)
        #expect(good.finishedSpans.count == 100)
        #expect(pipeline.ledgers[1 - position].ledger.refused.spans == 100)
        #expect(pipeline.ledgers[position].ledger.acknowledged.spans == 100)
        #expect(pipeline.shutdown() == .completed)
    }

    @Test(
        "The second of two processors is not starved, whichever of the two is stuck and full",
        arguments: [0, 1])
    func stuckAndFull(stuck: Int) throws {
        let gate = GatedExporter(isOpen: false)
        let good = InMemoryExporter()
        let choices = [ExporterChoice.custom(gate), .custom(good)]
        var small = BatchSettings()
        small.queueSpans = 15
        small.batchSpans = 5
        var wide = BatchSettings()
        wide.queueSpans = 10_000
        let settings = stuck == 0 ? [small, wide] : [wide, small]
        let pipeline = try PipelineHarness.pipeline(exporter: choices[stuck]) {
            $0.batch = settings[0]
            $0.additionalProcessors = [.batch(settings[1], choices[1 - stuck])]
        }
        PipelineHarness.end(5, of: pipeline)
        gate.waitForExports(1)
        PipelineHarness.end(995, of: pipeline)
        #expect(pipeline.forceFlush(timeoutMs: 5_000) == .timedOut)
        #expect(good.finishedSpans.count == 1_000)
        let ledgers = pipeline.ledgers.map(\.ledger)
        #expect(ledgers[stuck].inFlight.spans == 5)
        #expect(ledgers[stuck].queued == 15)
        #expect(ledgers[stuck].queueFull == 980)
        #expect(ledgers[1 - stuck].acknowledged.spans == 1_000)
        #expect(ledgers.allSatisfy { $0.isBalanced })
        gate.open()
        #expect(pipeline.shutdown() == .completed)
        #expect(pipeline.ledgers[stuck].ledger.acknowledged.spans == 20)
    }

    @Test("A shutdown whose first processor hangs still finishes the others")
    func hangingFirst() throws {
        let gate = GatedExporter(isOpen: false)
        let good = InMemoryExporter()
        let custom = NotingProcessor()
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(gate)) {
            $0.batch.batchSpans = 1
            $0.additionalProcessors = [.batch(BatchSettings(), .custom(good)), .custom(custom)]
        }
        PipelineHarness.end(3, of: pipeline)
        gate.waitForExports(1)
        #expect(pipeline.shutdown(timeoutMs: 2_000) == .timedOut)
        #expect(good.finishedSpans.count == 3)
        #expect(good.isShutDown)
        #expect(custom.seen.shutdownTimeouts.count == 1)
        #expect(!gate.wasShutDown)
        gate.open()
    }

    @Test("An end waits for a simple processor, wherever it stands", arguments: [0, 1])
    func simple(position: Int) throws {
        let exporters = [InMemoryExporter(), InMemoryExporter()]
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(exporters[0])) {
            $0.batch.scheduleDelayMs = Int(Int32.max)
            if position == 0 {
                $0.processor = .simple
                var slow = BatchSettings()
                slow.scheduleDelayMs = Int(Int32.max)
                $0.additionalProcessors = [.batch(slow, .custom(exporters[1]))]
            } else {
                $0.additionalProcessors = [.simple(.custom(exporters[1]))]
            }
        }
        for count in 1...20 {
            PipelineHarness.end(1, of: pipeline)
            #expect(exporters[position].finishedSpans.count == count)
            #expect(exporters[1 - position].finishedSpans.isEmpty)
        }
        #expect(pipeline.shutdown() == .completed)
        #expect(exporters[1 - position].finishedSpans.count == 20)
    }

    @Test("A simple processor that hangs keeps no span from the others, and shutdown frees the end")
    func hangingSimple() throws {
        let gate = GatedExporter(isOpen: false)
        let good = InMemoryExporter()
        let custom = NotingProcessor()
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(gate)) {
            $0.processor = .simple
            $0.additionalProcessors = [.custom(custom), .simple(.custom(good))]
        }
        let thread = SystemThread { PipelineHarness.end(1, of: pipeline) }
        gate.waitForExports(1)
        #expect(custom.notes.wait(untilNs: .max) { $0.ended.count == 1 })
        #expect(pipeline.forceFlush(timeoutMs: 2_000) == .timedOut)
        #expect(good.finishedSpans.count == 1)
        #expect(pipeline.shutdown(timeoutMs: 50) == .timedOut)
        thread.join()
        gate.open()
    }

    @Test("A setting that cannot be used, in whichever processor, leaves nothing running")
    func badSetting() async {
        var bad = BatchSettings()
        bad.queueSpans = 0
        #expect(throws: ConfigurationError.self) {
            try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
                $0.additionalProcessors = [.batch(bad, .none)]
            }
        }
        await #expect(processExitsWith: .success) {
            func threads() -> Int {
                (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count) ?? 0
            }
            var many = TracingConfiguration()
            many.exporter = .none
            let before = threads()
            many.additionalProcessors = Array(
                repeating: .batch(BatchSettings(), .none), count: 70)
            #expect(throws: ConfigurationError.recorder(.tooManyRecorders)) {
                try TracingPipeline(many)
            }
            #expect(threads() <= before)
            many.additionalProcessors.removeLast(10)
            let pipeline = try TracingPipeline(many)
            PipelineHarness.end(3, of: pipeline)
            #expect(pipeline.shutdown() == .completed)
            #expect(pipeline.ledgers.allSatisfy { $0.ledger.acknowledged.spans == 3 })
        }
    }
}
