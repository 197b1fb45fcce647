import Testing

@testable import TraceResults

@Suite("Traces in a run's table")
struct TraceBlockTests {
    private var quality: TraceQualityFigures {
        var quality = TraceQualityFigures()
        quality.traces = 12_345
        quality.oneIn = 16
        quality.completeShare = 1
        quality.spans = 160_485
        quality.spansPerTraceP50 = 13
        quality.spansPerTraceMax = 28
        quality.depthMax = 9
        quality.services = ["a", "b"]
        quality.servicesDeclared = ["a", "b"]
        return quality
    }

    private func block(_ quality: TraceQualityFigures) -> String {
        ResultTable().traces(quality).joined(separator: "\n")
    }

    @Test("a run whose traces arrived whole says on how many that rests")
    func whole() {
        #expect(
            block(quality) == """
                  traces at the sink                12,345       1 in 16
                  complete end to end              100.00%
                  spans a trace, p50                    13  at most 28, 9 deep
                  services                               2  of 2 declared
                """)
    }

    @Test("what is wrong is told, and what is meant by it")
    func broken() {
        var quality = quality
        quality.oneIn = 1
        quality.completeShare = 0.9876
        quality.orphanSpans = 12
        quality.wrongParents = 6
        quality.extraRoots = 1
        quality.strayChildren = 2
        quality.cyclicSpans = 3
        quality.disconnectedCalls = 4
        quality.lateSpans = 5
        quality.quietNs = 30_000_000_000
        quality.services = ["a"]
        #expect(
            block(quality) == """
                  traces at the sink                12,345
                  complete end to end               98.76%
                  spans a trace, p50                    13  at most 28, 9 deep
                  orphan spans                          12  their parents did not come
                  wrong parents                          6  1 further root, 2 across services, 3 in circles
                  disconnected calls                     4  no span continues them
                  late spans                             5  more than 30.0 s after the others
                  services                               1  of 2 declared
                  nothing came from b
                """)
    }

    @Test("without traces there is nothing to say, and no figure")
    func none() {
        #expect(block(TraceQualityFigures()).isEmpty)
        var run = RunRecord()
        run.set(TraceQualityFigures())
        #expect(run.metrics.isEmpty)
        #expect(run.traceQuality != nil)
    }

    @Test("shares are figures of a run, with what they rest on")
    func metrics() {
        var run = RunRecord()
        var quality = quality
        quality.lateShare = 0.25
        quality.lateSpans = 5
        run.set(quality)
        #expect(run.value(.completeTraceShare) == 1)
        #expect(run.metrics["completeTraceShare"]?.better == .higher)
        #expect(run.metrics["completeTraceShare"]?.samples == 12_345)
        #expect(run.metrics["lateSpanShare"]?.samples == 160_490)
        #expect(run.metrics["orphanSpanShare"]?.better == .lower)
    }
}
