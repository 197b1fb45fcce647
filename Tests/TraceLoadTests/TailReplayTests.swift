import Testing
import TraceCore
import TracePipeline

@testable import TraceLoad

/// Tail sampling from a scenario: what it becomes, and a run by simulated time against what its plan says.
@Suite struct TailReplayTests {
    private static func scenario(_ tail: String, duration: String = "60s") throws -> Scenario {
        try Scenario.parse(
            """
            version: 1
            name: tail
            clock: simulated
            services:
              front:
                operations:
                  get: {self: 3ms, error: {rate: 5%}, script: [{call: back/work}]}
              back: {operations: {work: {self: {mix: [{weight: 9, dist: 2ms}, {weight: 1, dist: 300ms}]}}}}
            traffic: [{root: front/get, arrival: constant, stages: [{duration: \(duration), rate: 20}]}]
            pipeline:
              \(tail)
            """)
    }

    @Test func `A declaration becomes the stage that it says`() throws {
        let scenario = try Self.scenario(
            """
            tail:
                decision_wait: 5s
                num_traces: 1000
                kept_cache: 10
                dropped_cache: 20
                policies:
                  - {latency: {lower: 100ms, upper: 2s}}
                  - {latency: 3s}
                  - {name: bad, status_code: [error, unset]}
                  - {string_attribute: {key: k, values: ["a.b"], patterns: ["x*y"], invert: true}}
                  - {string_attribute: {key: k, values: [a]}}
                  - {numeric_attribute: {key: n, min: 5}}
                  - {boolean_attribute: {key: f, value: false}}
                  - {span_count: {min: 2}}
                  - {trace_state: {key: s, values: [v]}}
                  - {and: [{probabilistic: 50%}, {not: {always: true}}]}
                  - {drop: [{rate_limiting: 7}]}
                  - {composite: {rate: 100, policies: [{always: true, share: 25%}]}}
            """)
        let tail = try #require(scenario.pipeline.tail.map { TailSampling($0) })
        var expected = TailSampling(
            .latency(atLeastNs: 100_000_000, atMostNs: 2_000_000_000),
            .latency(atLeastNs: 3_000_000_000), .status([.error, .unset]),
            .attribute(.init("k", .patterns(["^a\\.b$", "^x(?:.|\\n)*y$"]), isInverted: true)),
            .attribute(.init("k", .texts(["a"]))), .attribute(.init("n", .number(atLeast: 5))),
            .attribute(.init("f", .flag(false))), .spanCount(atLeast: 2),
            .traceState(key: "s", values: ["v"]), .and([.probabilistic(0.5), .not(.always)]),
            .drop([.rateLimiting(spansPerS: 7)]),
            .composite(TailComposite(spansPerS: 100, [.init(.always, share: 0.25)])))
        expected.decisionWaitMs = 5_000
        expected.tracesMax = 1_000
        (expected.keptDecisionsMax, expected.droppedDecisionsMax) = (10, 20)
        #expect(tail.policies.map(\.rule) == expected.policies.map(\.rule))
        #expect(Set(tail.policies.map(\.name)).count == tail.policies.count)
        expected.policies = tail.policies
        #expect(tail == expected)
        try tail.validate()
    }

    @Test func `A run keeps every trace with an error and every slow one, and no other`() throws {
        let all = try PipelineReplay(CompiledScenario(try Self.scenario("sampler: always_on")))
        let kept = try PipelineReplay(
            CompiledScenario(
                try Self.scenario(
                    "tail: {decision_wait: 2s, policies: [{status_code: [error]}, {latency: 200ms}]}"
                )))
        let wanted = all.traces.filter { _, spans in
            let start = spans.map(\.startUnixNano).min() ?? 0
            let end = spans.map(\.endUnixNano).max() ?? 0
            return end - start >= 200_000_000 || spans.contains { $0.status == .error }
        }
        #expect(all.traces.count == 1_200 && wanted.count > 50 && wanted.count < 400)
        #expect(Set(kept.traces.keys) == Set(wanted.keys))
        #expect(kept.areTracesWhole)
        #expect(kept.violations.isEmpty, "\(kept.violations)")
    }

    @Test func `Simulated time takes one worker, since decisions go by it`() throws {
        let compiled = CompiledScenario(
            try Self.scenario("tail: [{always: true}]", duration: "1s"))
        var options = RunOptions()
        options.workers = 2
        #expect(throws: RunError.self) { try PipelineSetup(compiled.scenario).workers(options) }
        options.workers = nil
        #expect(try PipelineSetup(compiled.scenario).workers(options) == 1)
    }
}
