import Glibc
import Testing
import TraceCore

@testable import TracePipeline

@Suite struct SweeperTests {
    /// A pipeline whose sweeper is run by hand, with an hour's TTL.
    private func pipeline(
        _ exporter: InMemoryExporter, _ strategy: SweeperStrategy = .drop,
        _ change: (inout TracingConfiguration) -> Void = { _ in }
    ) throws -> TracingPipeline {
        try PipelineHarness.pipeline(exporter: .custom(exporter)) {
            $0.sweeper.strategy = strategy
            $0.sweeper.spanTTLMs = 3_600_000
            change(&$0)
        }
    }

    private func live(_ count: Int, of pipeline: TracingPipeline, old: Bool) -> [ActiveSpan] {
        let tracer = pipeline.provider.tracer(name: "test")
        return (0..<count).map { _ in
            tracer.startSpan("left", at: old ? PipelineHarness.longAgo : nil)
        }
    }

    @Test("Spans older than the TTL are dropped, counted, and their owner's calls do nothing")
    func drop() throws {
        let exporter = InMemoryExporter()
        let pipeline = try pipeline(exporter)
        let old = live(3, of: pipeline, old: true)
        let young = live(2, of: pipeline, old: false)
        let result = try #require(pipeline.sweep())
        #expect(result.sweptSpans == 3)
        #expect(result.liveSpans == 2)
        #expect(result.oldestAgeNs < 3_600_000_000_000)
        #expect(old.allSatisfy { !$0.isRecording })
        for span in old + young {
            span.setAttribute(AttributeKey("after"), 1)
            span.end()
            span.end()
        }
        #expect(pipeline.shutdown() == .completed)
        #expect(Set(exporter.finishedSpans.map(\.spanID)) == Set(young.map(\.context.spanID)))
        let counters = pipeline.recorder.counters
        #expect(counters.sweptDropped == 3)
        #expect(counters.sweptEnded == 0)
        #expect(counters.ended == 2)
        #expect(counters.live == 0)
        #expect(PipelineHarness.holdsL1(pipeline.recorder))
        #expect(pipeline.ledger.isBalanced)
    }

    @Test(
        "Spans are ended, with or without the mark, and exported like any other",
        arguments: [true, false])
    func end(marked: Bool) throws {
        let exporter = InMemoryExporter()
        let custom = NotingProcessor()
        let pipeline = try pipeline(
            exporter, marked ? .failedAttributeAndEndSpan : .endSpan
        ) { $0.additionalProcessors = [.custom(custom)] }
        let old = live(1, of: pipeline, old: true)[0]
        old.setAttribute(AttributeKey("own"), 7)
        let before = TraceClock.unixNs
        #expect(pipeline.sweep()?.sweptSpans == 1)
        old.setAttribute(AttributeKey("after"), 1)
        old.end()
        #expect(pipeline.sweep()?.sweptSpans == 0)
        #expect(pipeline.shutdown() == .completed)
        let spans = exporter.finishedSpans
        #expect(spans.count == 1)
        #expect(spans[0].spanID == old.context.spanID)
        #expect(spans[0]["own"] == .int(7))
        #expect(spans[0]["finished_by_sweeper"] == (marked ? .bool(true) : nil))
        #expect(spans[0]["after"] == nil)
        #expect(spans[0].endUnixNano >= before)
        #expect(custom.seen.ended == spans)
        let counters = pipeline.recorder.counters
        #expect((counters.ended, counters.sweptEnded, counters.sweptDropped) == (1, 1, 0))
        #expect(PipelineHarness.holdsL1(pipeline.recorder))
        #expect(pipeline.ledger.acknowledged.spans == 1)
    }

    @Test("A closure gets the whole span; nobody exports it")
    func closure() throws {
        let exporter = InMemoryExporter()
        let handed = Monitor<[SpanData]>([])
        let pipeline = try pipeline(
            exporter, .hand { span in handed.withLock { $0.append(span) } })
        let tracer = pipeline.provider.tracer(name: "scope", version: "2")
        let parent = tracer.startSpan("parent", at: PipelineHarness.longAgo)
        let span = tracer.startSpan("left", kind: .client, parent: parent.context, at: 77)
        span.setAttribute(AttributeKey("own"), 7)
        span.addEvent(SpanName("event"))
        parent.end()
        #expect(pipeline.sweep()?.sweptSpans == 1)
        span.end()
        #expect(pipeline.shutdown() == .completed)
        let spans = handed.withLock { $0 }
        #expect(spans.count == 1)
        #expect(spans[0].spanID == span.context.spanID)
        #expect(spans[0].parentSpanID == parent.context.spanID)
        #expect(spans[0].startUnixNano == 77)
        #expect(spans[0].endUnixNano == 0)
        #expect(spans[0].kind == .client)
        #expect(spans[0]["own"] == .int(7))
        #expect(spans[0].events.map(\.name) == ["event"])
        #expect(spans[0].scope.version == "2")
        #expect(spans[0].serviceName == "harness")
        #expect(exporter.finishedSpans.map(\.name) == ["parent"])
        #expect(pipeline.recorder.counters.sweptDropped == 1)
    }

    @Test("At the storage size a tenth of the TTL is too old; at twice the size everything is")
    func storageSize() throws {
        let exporter = InMemoryExporter()
        // One empty span holds so much.
        let probe = try pipeline(exporter)
        _ = live(1, of: probe, old: false)
        let spanBytes = probe.recorder.liveBytes
        #expect(probe.shutdown() == .completed)

        // Half an hour old: younger than the TTL, older than a tenth of it.
        let halfAnHourAgo = TraceClock.unixNs - 1_800_000_000_000
        for (spans, swept) in [(3, 0), (4, 2), (7, 2), (8, 8)] {
            let pipeline = try pipeline(exporter) { $0.sweeper.storageBytes = 4 * spanBytes }
            let tracer = pipeline.provider.tracer(name: "test")
            let live = (0..<spans).map { index in
                tracer.startSpan("left", at: index < 2 ? halfAnHourAgo : nil)
            }
            #expect(pipeline.recorder.liveBytes == spans * spanBytes)
            #expect(pipeline.sweep()?.sweptSpans == swept, "\(spans) spans")
            #expect(live.filter(\.isRecording).count == spans - swept)
            #expect(pipeline.shutdown() == .completed)
        }
    }

    @Test("Large spans count with their blocks")
    func storageOfBlocks() throws {
        let pipeline = try pipeline(InMemoryExporter()) { $0.sweeper.storageBytes = 50_000 }
        let span = live(1, of: pipeline, old: false)[0]
        #expect(pipeline.sweep()?.sweptSpans == 0)
        span.setAttribute(AttributeKey("text"), string: String(repeating: "x", count: 100_000))
        #expect(pipeline.recorder.liveBytes >= 100_000)
        #expect(pipeline.sweep()?.sweptSpans == 1)
        #expect(pipeline.recorder.liveBytes == 0)
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("Without a TTL no age is too old, even where storage is short")
    func infinity() throws {
        let pipeline = try pipeline(InMemoryExporter()) {
            $0.sweeper.spanTTLMs = nil
            $0.sweeper.storageBytes = 1_500
        }
        _ = live(1, of: pipeline, old: true)
        let result = try #require(pipeline.sweep())
        #expect(result.sweptSpans == 0)
        #expect(result.liveSpans == 1)
        #expect(result.oldestAgeNs >= 3_600_000_000_000)
        _ = live(2, of: pipeline, old: true)
        #expect(pipeline.sweep()?.sweptSpans == 3)
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("A closure that sweeps by itself finds a sweep under way")
    func nested() throws {
        let results = Monitor<[SweepResult?]>([])
        let holder = Monitor<TracingPipeline?>(nil)
        let pipeline = try pipeline(
            InMemoryExporter(),
            .hand { _ in
                let inner = holder.withLock { $0 }?.sweep()
                results.withLock { $0.append(inner) }
            })
        holder.withLock { $0 = pipeline }
        _ = live(1, of: pipeline, old: true)
        #expect(pipeline.sweep()?.sweptSpans == 1)
        #expect(results.withLock { $0 } == [nil])
        holder.withLock { $0 = nil }
        #expect(pipeline.shutdown() == .completed)
    }

    // MARK: By the clock

    /// Waits until the thread has woken so many times.
    private func waitForWakeups(_ count: UInt64, of pipeline: TracingPipeline) {
        while pipeline.processor.exporterWakeups < count { usleep(1_000) }
    }

    @Test(
        "The exporter thread sweeps by itself, also a span that started while it slept without a timer"
    )
    func byTheClock() throws {
        let handed = Monitor<[SpanID]>([])
        let pipeline = try pipeline(
            InMemoryExporter(),
            .hand { span in handed.withLockAndSignal { $0.append(span.spanID) } }
        ) { $0.sweeper.intervalMs = 2 }
        for round in 1...3 {
            // After the last look no timer is left. No call of this test's wakes the thread.
            while !pipeline.recorder.callsObservers { usleep(1_000) }
            let span = live(1, of: pipeline, old: true)[0]
            #expect(handed.wait(untilNs: .max) { $0.count == round })
            #expect(handed.withLock { $0.last } == span.context.spanID)
        }
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("With nothing alive the sweeper wakes nobody, whether or not there ever was a span")
    func quiet() throws {
        let exporter = InMemoryExporter()
        let pipeline = try pipeline(exporter) { $0.sweeper.intervalMs = 1 }
        // A busy machine may be late with what is due, so it gets several tries; a timer that
        // goes on would wake it a hundred times in each.
        func isStill(_ comment: Comment) {
            for _ in 0..<30 {
                let before = pipeline.processor.exporterWakeups
                usleep(100_000)
                if pipeline.processor.exporterWakeups == before { return }
            }
            Issue.record(comment)
        }
        // A thread that has not slept yet would wake for what it was told while it was made.
        #expect(pipeline.forceFlush() == .completed)
        isStill("no span at all")
        PipelineHarness.end(3, of: pipeline)
        #expect(pipeline.forceFlush() == .completed)
        isStill("after spans")
        let old = live(1, of: pipeline, old: true)[0]
        while old.isRecording { usleep(1_000) }
        isStill("after a sweep")
        let young = live(1, of: pipeline, old: false)[0]
        // While something lives it does look, once an interval.
        waitForWakeups(pipeline.processor.exporterWakeups + 10, of: pipeline)
        young.end()
        #expect(pipeline.forceFlush() == .completed)
        isStill("after the last end")
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("Once the first start is noted, starts and ends call no hook for the sweeper's sake")
    func hookIsOff() throws {
        let pipeline = try pipeline(InMemoryExporter())
        #expect(pipeline.recorder.callsObservers)
        PipelineHarness.end(1, of: pipeline)
        #expect(!pipeline.recorder.callsObservers)
        PipelineHarness.end(5, of: pipeline)
        #expect(!pipeline.recorder.callsObservers)
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("A sweeper that is off leaves spans alone and no hook behind", arguments: [0, 1])
    func off(how: Int) throws {
        let pipeline = try pipeline(InMemoryExporter()) {
            if how == 0 { $0.sweeper.intervalMs = nil } else { $0.sweeper.spanTTLMs = nil }
        }
        #expect(!pipeline.recorder.callsObservers)
        _ = live(1, of: pipeline, old: true)
        #expect(pipeline.shutdown() == .completed)
        #expect(pipeline.recorder.counters.live == 1)
        #expect(PipelineHarness.holdsL1(pipeline.recorder))
    }

    @Test("The exporter thread ends spans into full queues that block, and waits for nobody")
    func neverWaits() throws {
        let gate = GatedExporter(isOpen: false)
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(gate)) {
            $0.batch.queueSpans = 8
            $0.batch.batchSpans = 4
            $0.batch.whenFull = .block
            $0.sweeper.strategy = .endSpan
            $0.additionalProcessors = [
                .batch($0.batch, $0.exporter), .batch(BatchSettings(), .none),
            ]
        }
        PipelineHarness.end(4, of: pipeline)
        gate.waitForExports(2)
        _ = live(20, of: pipeline, old: true)
        #expect(pipeline.sweep()?.sweptSpans == 20)
        #expect(pipeline.ledgers.map(\.ledger.queueFull) == [12, 12, 0])
        #expect(pipeline.ledgers.allSatisfy { $0.ledger.isBalanced })
        gate.open()
        #expect(pipeline.shutdown() == .completed)
        #expect(pipeline.ledgers.map(\.ledger.acknowledged.spans) == [12, 12, 24])
    }
}
