import Testing
import TraceCore

@testable import TracePipeline

/// A sampler's warnings reach the pipeline's log.
@Suite struct SamplerWarningLogTests {
    @Test("A ratio that decides below a remote parent is warned of once, in the log")
    func ratioBelowRemoteParent() throws {
        let log = LogCapture()
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.sampler = .traceIDRatio(0.5)
            $0.logger = log.logger()
        }
        let tracer = pipeline.provider.tracer(name: "test")
        let parent = SpanContext(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(rawValue: 3), flags: .sampled,
            isRemote: true)
        for _ in 0..<3 { tracer.startSpan("child", parent: parent).end() }
        let other = pipeline.makeProvider(serviceName: "other").tracer(name: "test")
        other.startSpan("child", parent: parent).end()
        #expect(pipeline.shutdown() == .completed)
        let warnings = log.lines.filter { $0.contains("parentbased_traceidratio") }
        #expect(warnings.count == 2, "once for each provider")
    }
}
