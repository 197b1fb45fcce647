import Testing
import TraceCore

@testable import TracePipeline

/// The warning of spans that lost something to their limits. The clock is the test's.
@Suite struct LimitsWatchTests {
    private static func endOverLimit(_ count: Int, _ tracer: Tracer) {
        for _ in 0..<count {
            let span = tracer.startSpan("span")
            span.setStatus(.error)
            span.setAttribute(AttributeKey("kept"), 1)
            span.setAttribute(AttributeKey("lost"), 2)
            span.end()
        }
    }

    private static func tracer(_ recorder: SpanRecorder) -> Tracer {
        var limits = SpanLimits()
        limits.attributeCount = 1
        return TracerProvider(
            recorder: recorder, resource: Resource(serviceName: "test"), sampler: .alwaysOn,
            limits: limits
        ).tracer(name: "test")
    }

    @Test(
        "Said at once, then once in the interval with what came since, and at the end what is left")
    func limited() throws {
        let log = LogCapture()
        let recorder = try SpanRecorder()
        let watch = LimitsWatch(recorder: recorder, logger: log.logger(), intervalNs: 100)
        let tracer = Self.tracer(recorder)
        watch.runIfDue(nowNs: 1_000)
        #expect(log.lines.isEmpty && watch.nextDueNs == nil)
        Self.endOverLimit(3, tracer)
        watch.runIfDue(nowNs: 1_001)
        #expect(log.lines.count == 1)
        #expect(log.lines.last?.hasPrefix("3 spans lost attributes, events or links") == true)
        #expect(log.lines.last?.contains("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT") == true)
        watch.runIfDue(nowNs: 5_000)
        #expect(log.lines.count == 1 && watch.nextDueNs == nil)
        Self.endOverLimit(1, tracer)
        watch.runIfDue(nowNs: 5_001)
        #expect(log.lines.count == 2)
        Self.endOverLimit(4, tracer)
        watch.runIfDue(nowNs: 5_100)
        // The thread is woken for what waits, and for nothing else.
        #expect(log.lines.count == 2 && watch.nextDueNs == 5_101)
        Self.endOverLimit(1, tracer)
        watch.runIfDue(nowNs: 5_101)
        #expect(log.lines.count == 3 && watch.nextDueNs == nil)
        #expect(log.lines.last?.hasPrefix("5 spans") == true)
        Self.endOverLimit(2, tracer)
        watch.runIfDue(nowNs: 5_102)
        watch.runLast()
        #expect(log.lines.count == 4)
        #expect(log.lines.last?.hasPrefix("2 spans") == true)
        watch.runLast()
        #expect(log.lines.count == 4)
    }

    @Test("A pipeline says it by its shutdown, and nothing where no span lost anything")
    func pipeline() throws {
        for count in [0, 5] {
            let log = LogCapture()
            let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
                $0.logger = log.logger()
                $0.limits.attributeCount = 1
                $0.batch.scheduleDelayMs = Int(Int32.max)
            }
            PipelineHarness.end(4, of: pipeline)
            Self.endOverLimit(count, pipeline.provider.tracer(name: "test"))
            #expect(pipeline.shutdown() == .completed)
            #expect(pipeline.metrics.value(of: "tracemill.span.over_limit") == UInt64(count))
            #expect(log.lines.isEmpty == (count == 0))
            let said = log.lines.compactMap { Int($0.prefix { $0 != " " }) }
            #expect(said.reduce(0, +) == count)
        }
    }
}
