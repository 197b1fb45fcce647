import Testing
import TraceCore
import TracePipeline

@testable import TraceLoad

@Suite struct SweeperReplayTests {
    @Test(arguments: ["drop", "end_span", "failed_attribute_and_end_span"])
    func `Spans that the sweeper takes are in the books, and their owner's end is not`(
        _ strategy: String
    ) throws {
        let compiled = CompiledScenario(
            try Scenario.parse(
                """
                version: 1
                name: swept
                clock: realtime
                services:
                  a: {operations: {long: {self: 2s, script: [{call: b/short}]}}}
                  b: {operations: {short: {self: 1ms}}}
                traffic: [{root: a/long, arrival: constant, stages: [{duration: 100ms, rate: 100}]}]
                pipeline:
                  sweeper: {interval: 20ms, span_ttl: 200ms, strategy: \(strategy)}
                """))
        let replay = try PipelineReplay(compiled)
        #expect(replay.violations.isEmpty, "\(replay.violations)")
        #expect(replay.summary.total.traces == 10)
        let total = replay.summary.total
        let swept = strategy == "drop" ? replay.counters.sweptDropped : replay.counters.sweptEnded
        #expect(swept > 0)
        #expect(total.spansEnded + swept == total.spansStarted)
        #expect(replay.spans.count == Int(total.spansEnded + replay.counters.sweptEnded))
        let marked = replay.spans.count { $0["finished_by_sweeper"] == true }
        #expect(UInt64(marked) == (strategy.hasPrefix("failed") ? swept : 0))
    }
}
