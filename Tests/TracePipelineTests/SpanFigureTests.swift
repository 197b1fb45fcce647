import Testing
import TraceCore

@testable import TracePipeline

/// Where every span that was started is, from the metrics alone.
@Suite struct SpanFigureTests {
    static let names: [String] = [
        "tracemill.span.not_recorded", "tracemill.span.ended", "tracemill.span.swept",
        "tracemill.span.over_limit",
    ]

    private struct Figures {
        var metrics: PipelineMetrics

        func callAsFunction(_ name: String, _ attribute: String = "", _ value: String = "")
            -> UInt64
        {
            metrics.value(of: name, where: attribute.isEmpty ? [:] : [attribute: value]) ?? .max
        }
        func started(_ result: String) -> UInt64 {
            self("otel.sdk.span.started", "otel.span.sampling_result", result)
        }
        func notRecorded(_ reason: String) -> UInt64 {
            self("tracemill.span.not_recorded", "tracemill.not_recorded.reason", reason)
        }
        func swept(_ action: String) -> UInt64 {
            self("tracemill.span.swept", "tracemill.sweep.action", action)
        }
        /// What is started is somewhere, and what was dropped says why.
        var hold: Bool {
            self("otel.sdk.span.started")
                == self("tracemill.span.not_recorded") + self("tracemill.span.ended")
                + swept("drop") + self("otel.sdk.span.live")
                && started("DROP") == self("tracemill.span.not_recorded")
        }
    }

    @Test(
        "Spans that nobody ended are found again: dropped by the sweeper, or ended by it",
        arguments: [SweeperStrategy.drop, .endSpan])
    func forgotten(strategy: SweeperStrategy) throws {
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.sweeper.strategy = strategy
        }
        let tracer = pipeline.provider.tracer(name: "test")
        for _ in 0..<10 { _ = tracer.startSpan("forgotten", at: PipelineHarness.longAgo) }
        PipelineHarness.end(3, of: pipeline)
        var figures = Figures(metrics: pipeline.metrics)
        #expect(figures("otel.sdk.span.live") == 10 && figures.hold)
        #expect(pipeline.sweep()?.sweptSpans == 10)
        figures = Figures(metrics: pipeline.metrics)
        let isDrop = strategy.name == "drop"
        #expect(figures("otel.sdk.span.live") == 0)
        #expect(figures.started("RECORD_AND_SAMPLE") == 13)
        #expect(figures.swept("drop") == (isDrop ? 10 : 0))
        #expect(figures.swept("end") == (isDrop ? 0 : 10))
        #expect(figures("tracemill.span.ended") == (isDrop ? 3 : 13))
        #expect(figures.hold)
        #expect(pipeline.shutdown() == .completed)
    }

    @Test("What was started is not recorded, ended, swept or live, whatever became of it")
    func law() throws {
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.recorder.liveSpansMax = 100
            $0.sweeper.strategy = .drop
        }
        let sampling = pipeline.provider.tracer(name: "test")
        let dropping = pipeline.makeProvider(serviceName: "dropping", sampler: .alwaysOff)
            .tracer(name: "test")
        let recording = pipeline.makeProvider(
            serviceName: "recording", sampler: .alwaysRecord(.alwaysOff)
        ).tracer(name: "test")
        for _ in 0..<7 { dropping.startSpan("dropped").end() }
        for _ in 0..<5 { recording.startSpan("recorded").end() }
        for _ in 0..<11 { sampling.startSpan("sampled").end() }
        for _ in 0..<4 { _ = sampling.startSpan("old", at: PipelineHarness.longAgo) }
        #expect(pipeline.sweep()?.sweptSpans == 4)
        // One more than 100 fit, by what a thread keeps of slots: the figure is the recorder's.
        let live = (0..<300).map { _ in sampling.startSpan("live") }
        let recorded = UInt64(live.count { $0.isRecording })
        pipeline.recorder.isEnabled = false
        for _ in 0..<2 { sampling.startSpan("disabled").end() }
        pipeline.recorder.isEnabled = true
        var figures = Figures(metrics: pipeline.metrics)
        #expect(figures.hold)
        #expect(figures("otel.sdk.span.started") == 7 + 5 + 11 + 4 + 300 + 2)
        #expect(figures("otel.sdk.span.live") == recorded)
        #expect(figures.started("RECORD_ONLY") == 5)
        #expect(figures.started("RECORD_AND_SAMPLE") == 15 + recorded)
        #expect(recorded < 300)
        #expect(pipeline.shutdown() == .completed)
        for _ in 0..<6 { sampling.startSpan("late").end() }
        for span in live.prefix(9) { span.end() }
        figures = Figures(metrics: pipeline.metrics)
        #expect(figures.hold)
        #expect(figures.notRecorded("sampler") == 7)
        #expect(figures.notRecorded("store_full") == 300 - recorded)
        #expect(figures.notRecorded("disabled") == 2)
        #expect(figures.notRecorded("after_shutdown") == 6)
        #expect(figures.notRecorded("forked") == 0)
        #expect(figures("tracemill.span.ended") == 5 + 11 + 9)
        #expect(figures.swept("drop") == 4)
        #expect(figures("otel.sdk.span.live") == recorded - 9)
    }
}
