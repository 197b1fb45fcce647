import Testing
import TraceCore
import TracePipeline
import TraceResults

@testable import TraceLoad

/// Tail stages with enough room and with too little, judged by the truth.
@Suite struct FidelityTailTests {
    private static func planned(_ tail: String) throws -> PlannedTruth {
        try PlannedTruth(
            """
            version: 1
            name: tail
            seed: 8
            ids: fixed
            clock: simulated
            services:
              front: {operations: {get: {self: 3ms, error: {rate: 5%}, script: [{call: back/work}]}}}
              back: {operations: {work: {self: {mix: [{weight: 97, dist: 2ms}, {weight: 3, dist: 20ms}]}, error: {rate: 2%, propagate: 0.5}}}}
            traffic: [{root: front/get, arrival: constant, stages: [{duration: 50s, rate: 20}]}]
            pipeline: {tail: \(tail), processor: {type: batch, on_full: block}}
            """, arrivals: 1_000)
    }

    private static func result(_ tail: String) throws -> FidelityResult {
        let planned = try planned(tail)
        let spans = try PipelineReplay(planned.compiled, arrivals: 1_000).spans
        let reading = planned.reading(of: spans)
        #expect(reading.disagreement(with: books(of: spans)) == nil)
        return planned.study(reading.table)
    }

    @Test func `With room every wanted trace is kept, whole, and no other`() throws {
        let errors = try Self.result("{decision_wait: 2s, policies: [{status_code: [error]}]}")
        #expect(errors.metrics[.errorTraceRecall]?.value == 1)
        #expect(errors.metrics[.errorTracePrecision]?.value == 1)
        #expect(errors.metrics[.completeKeptTraceShare]?.value == 1)
        #expect(errors.figures.kept.traces == errors.figures.truth.errorTraces)
        #expect(errors.figures.truth.errorTraces > 40)
        let slow = try Self.result("{decision_wait: 2s, policies: [{latency: 20ms}]}")
        #expect(slow.metrics[.slowTraceRecall]?.value ?? 1 == 1)
        #expect(slow.figures.kept.traces > 10 && slow.figures.kept.traces < 60)
        for result in [errors, slow] {
            #expect(!result.figures.hasAdjustedCounts)
            #expect(result.metrics[.countEstimateBias] == nil)
            // The wait begins with the first end, a little behind the trace's beginning.
            let delayNs = try #require(result.metrics[.decisionDelayNsP50]?.value)
            #expect(delayNs > 2e9 && delayNs < 2.1e9)
        }
    }

    @Test func `Without room the oldest go undecided: all but as many as there is room for`() throws
    {
        // Twenty a second wait two seconds each: forty of them, and there is room for thirty. From the 31st
        // on each one lets the oldest go, and the last thirty are decided.
        let full = try Self.result(
            "{decision_wait: 2s, num_traces: 30, policies: [{always: true}]}")
        #expect(full.figures.kept.traces == 30)
        let enough = try Self.result(
            "{decision_wait: 2s, num_traces: 60, policies: [{always: true}]}")
        #expect(enough.figures.kept.traces == 1_000)
        #expect(enough.metrics[.keptTraceShare]?.value == 1)
        #expect(enough.metrics[.budgetErrorShare] == nil)
        let errors = try Self.result(
            "{decision_wait: 2s, num_traces: 30, policies: [{status_code: [error]}]}")
        #expect(try #require(errors.metrics[.errorTraceRecall]?.value) < 0.2)
    }

    @Test func `Two runs of the same tail are equal to the last digit`() throws {
        let tail = "{decision_wait: 1s, policies: [{status_code: [error]}, {probabilistic: 20%}]}"
        let (first, second) = (try Self.result(tail), try Self.result(tail))
        #expect(first.figures == second.figures)
        #expect(first.metrics.mapValues(\.value) == second.metrics.mapValues(\.value))
        #expect(first.metrics[.errorTraceRecall]?.value == 1)
    }
}
