import Foundation
import Glibc
import Testing
import TraceCore

@testable import TracePipeline

@Suite struct CustomProcessorTests {
    @Test("A start can be read and written, and its ticket kept; after the end it does nothing")
    func startHook() throws {
        let key = AttributeKey("processor")
        let custom = NotingProcessor(mark: (key, 1))
        let exporter = InMemoryExporter()
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(exporter)) {
            $0.additionalProcessors = [.custom(custom)]
        }
        let tracer = pipeline.provider.tracer(name: "test")
        let parent = tracer.startSpan("parent")
        let child = tracer.startSpan("child", parent: parent.context)
        let kept = custom.seen.tickets[1]
        #expect(kept.context.spanID == child.context.spanID)
        kept.setAttribute(AttributeKey("later"), 2)
        child.end()
        #expect(!kept.isRecording)
        kept.setAttribute(AttributeKey("too late"), 3)
        kept.end()
        parent.end()
        #expect(pipeline.shutdown() == .completed)
        let seen = custom.seen
        #expect(seen.parents.map { $0?.spanID } == [nil, parent.context.spanID])
        #expect(seen.ended.map(\.name) == ["child", "parent"])
        #expect(
            seen.ended[0].attributes == [
                .init(key: "processor", value: .int(1)), .init(key: "later", value: .int(2)),
            ])
        #expect(exporter.finishedSpans.map(\.spanID) == seen.ended.map(\.spanID))
        #expect(exporter.finishedSpans[0].attributes == seen.ended[0].attributes)
    }

    @Test("Spans that are only recorded come to custom processors and to no exporter")
    func recordOnly() throws {
        let custom = NotingProcessor()
        let exporters = [InMemoryExporter(), InMemoryExporter()]
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(exporters[0])) {
            $0.sampler = .alwaysRecord(.alwaysOff)
            $0.additionalProcessors = [
                .custom(custom), .batch(BatchSettings(), .custom(exporters[1])),
            ]
        }
        PipelineHarness.end(5, of: pipeline)
        #expect(pipeline.shutdown() == .completed)
        #expect(custom.seen.started.count == 5)
        #expect(custom.seen.ended.count == 5)
        #expect(custom.seen.ended.allSatisfy { !$0.traceFlags.contains(.sampled) })
        #expect(exporters.allSatisfy { $0.finishedSpans.isEmpty })
        #expect(pipeline.ledgers[1].ledger.recordedOnly == 5)
        #expect(pipeline.ledgers[1].ledger.endedSampled == 0)
        #expect(pipeline.recorder.counters.recordingOnly == 5)
    }

    @Test("Dropped spans come to no processor; unsampled children of recorded ones neither")
    func dropped() throws {
        let custom = NotingProcessor()
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.sampler = .alwaysOff
            $0.additionalProcessors = [.custom(custom)]
        }
        PipelineHarness.end(5, of: pipeline)
        #expect(pipeline.shutdown() == .completed)
        #expect(custom.seen.started.isEmpty)
        #expect(custom.seen.ended.isEmpty)
    }

    @Test("Several are called in their order, for starts and for ends")
    func order() throws {
        let key = AttributeKey("last")
        let processors = (0..<3).map { NotingProcessor(mark: (key, $0)) }
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.additionalProcessors = processors.map { .custom($0) }
        }
        PipelineHarness.end(1, of: pipeline)
        // Each wrote over the one before it.
        for processor in processors { #expect(processor.seen.ended[0]["last"] == .int(2)) }
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("A processor of the user's alone is enough: the first one exports nowhere")
    func customOnly() throws {
        let custom = NotingProcessor()
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.additionalProcessors = [.custom(custom)]
        }
        PipelineHarness.end(1_000, of: pipeline)
        #expect(custom.seen.ended.count == 1_000)
        #expect(pipeline.forceFlush() == .completed)
        #expect(pipeline.shutdown() == .completed)
        #expect(custom.seen.ended.count == 1_000)
        #expect(pipeline.ledgers[1].ledger.isBalanced)
    }

    @Test("Flush and shutdown get the time that is left, and their results count")
    func results() throws {
        let late = NotingProcessor(result: .timedOut)
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.additionalProcessors = [.custom(NotingProcessor()), .custom(late)]
        }
        #expect(pipeline.forceFlush(timeoutMs: 60_000) == .timedOut)
        #expect(pipeline.shutdown(timeoutMs: 50_000) == .timedOut)
        #expect(late.seen.flushTimeouts.count == 1)
        #expect(late.seen.shutdownTimeouts.count == 1)
        #expect((0...60_000).contains(late.seen.flushTimeouts[0]))
        #expect((0...50_000).contains(late.seen.shutdownTimeouts[0]))
    }

    @Test(
        "A flush that hangs costs one thread, however often it is asked for; shutdown holds its time"
    )
    func hanging() throws {
        let stuck = NotingProcessor(isOpen: false)
        let other = NotingProcessor()
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.additionalProcessors = [.custom(stuck), .custom(other)]
        }
        PipelineHarness.end(3, of: pipeline)
        for _ in 0..<5 { #expect(pipeline.forceFlush(timeoutMs: 20) == .timedOut) }
        #expect(stuck.notes.wait(untilNs: .max) { $0.flushTimeouts.count >= 1 })
        #expect(other.notes.wait(untilNs: .max) { $0.flushTimeouts.count == 5 })
        while pipeline.ledger.acknowledged.spans < 3 { usleep(1_000) }
        #expect(pipeline.shutdown(timeoutMs: 20) == .timedOut)
        #expect(other.notes.wait(untilNs: .max) { $0.shutdownTimeouts.count == 1 })
        #expect(pipeline.ledger.acknowledged.spans == 3)
        stuck.open()
        // Now it comes back, and a second shutdown has nothing to wait for.
        #expect(pipeline.shutdown(timeoutMs: 60_000) == .completed)
        #expect(stuck.seen.shutdownTimeouts.count == 1)
        #expect(stuck.seen.flushTimeouts.count == 1)
    }

    @Test("A flush waits for an earlier one and then makes its own")
    func flushAfterFlush() throws {
        let custom = NotingProcessor(isOpen: false)
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.additionalProcessors = [.custom(custom)]
        }
        let threads = (0..<2).map { _ in
            SystemThread { #expect(pipeline.forceFlush() == .completed) }
        }
        #expect(custom.notes.wait(untilNs: .max) { $0.flushTimeouts.count >= 1 })
        custom.open()
        for thread in threads { thread.join() }
        // Both asked before the first came back, or the second asked after it: two calls in any case.
        #expect(custom.seen.flushTimeouts.count == 2)
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("Several shutdowns at once reach a processor once, and nothing comes after")
    func oneShutdown() throws {
        let custom = NotingProcessor()
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.additionalProcessors = [.custom(custom), .batch(BatchSettings(), .none)]
        }
        let tracer = pipeline.provider.tracer(name: "test")
        let live = tracer.startSpan("live")
        PipelineHarness.end(10, of: pipeline)
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            #expect(pipeline.shutdown() == .completed)
        }
        live.setAttribute(AttributeKey("late"), 1)
        live.end()
        let late = tracer.startSpan("late", parent: live.context)
        #expect(!late.isRecording)
        #expect(late.context.traceID == live.context.traceID)
        late.end()
        #expect(pipeline.forceFlush() == .completed)
        #expect(custom.seen.shutdownTimeouts.count == 1)
        #expect(custom.seen.started.count == 11)
        #expect(custom.seen.ended.count == 10)
        #expect(pipeline.ledger.afterShutdown == 1)
        #expect(pipeline.ledgers.allSatisfy { $0.ledger.isBalanced })
        #expect(pipeline.recorder.counters.notRecordedAfterShutdown == 1)
        #expect(PipelineHarness.holdsL1(pipeline.recorder))
    }

    @Test(
        "A processor that traces with the pipeline's own tracer goes away with it",
        arguments: [true, false])
    func noCycle(isShutDown: Bool) throws {
        final class Tracing: SpanProcessor {
            let provider = Monitor<TracerProvider?>(nil)
        }
        weak var recorder: SpanRecorder?
        weak var processor: Tracing?
        do {
            let tracing = Tracing()
            processor = tracing
            let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
                $0.additionalProcessors = [.custom(tracing)]
            }
            tracing.provider.withLock { $0 = pipeline.provider }
            recorder = pipeline.recorder
            PipelineHarness.end(1, of: pipeline)
            if isShutDown { #expect(pipeline.shutdown() == .completed) }
        }
        #expect(processor == nil)
        #expect(recorder == nil)
    }
}
