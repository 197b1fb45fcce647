import Testing
import TraceCore
import TracePipeline
import TraceResults

@testable import TraceLoad

/// Fleets in which every service decides for itself, against closed forms.
@Suite struct FidelityFleetTests {
    private static let names = ["erlang", "go", "java", "python", "js"]

    /// A calls all the others; each has the sampler named after it.
    private static func scenario(_ sampler: (String) -> String) -> String {
        let others = names.dropFirst()
        let services = others.map {
            "  \($0): {sampler: \"\(sampler($0))\", operations: {work: {self: 1ms}}}"
        }
        return """
            version: 1
            name: fleet
            seed: 3
            ids: fixed
            clock: simulated
            services:
              erlang:
                sampler: "\(sampler("erlang"))"
                operations: {get: {self: 1ms, script: [\(others.map { "{call: \($0)/work}" }.joined(separator: ", "))]}}
            \(services.joined(separator: "\n"))
            traffic: [{root: erlang/get, arrival: constant, stages: [{duration: 20s, rate: 1000}]}]
            """
    }

    @Test func `Ratios of different SDKs agree as their arithmetic says`() throws {
        let planned = try PlannedTruth(Self.scenario { "foreign:\($0):0.1" }, arrivals: 16_000)
        let spans = try PipelineReplay(planned.compiled, arrivals: 16_000).spans
        let result = planned.study(planned.reading(of: spans).table)
        let services = result.figures.services
        #expect(Set(services) == Set(Self.names))
        // Unlike the others, java, erlang and go take 63 bits, each in its way.
        let halves: [Set<String>] = [
            ["erlang", "java"], ["erlang", "go"], ["java", "go"], ["erlang", "python"],
            ["java", "python"],
        ]
        for (a, left) in services.enumerated() {
            for (b, right) in services.enumerated() where a != b {
                let share = try #require(result.figures.keptGivenKept[a][b])
                if Set([left, right]) == ["go", "python"] {
                    #expect(share == 1, "\(left) \(right)")
                    continue
                }
                let expected = halves.contains([left, right]) ? 0.5 : 0.1
                // Five standard deviations of a share of the 1600 traces that one keeps.
                let most = 5 * (expected * (1 - expected) / 1_600).squareRoot()
                #expect(abs(share - expected) < most, "\(left) \(right): \(share)")
            }
        }
        let agreement = try #require(result.metrics[.serviceAgreement]?.value)
        // One pair at 1, five at 1/3, four at 0.01 / 0.19.
        let expected = (1 + 5.0 / 3 + 4 * 0.01 / 0.19) / 10
        #expect(abs(agreement - expected) < 0.02, "\(agreement)")
    }

    @Test func `Consistent probability repairs it`() throws {
        let planned = try PlannedTruth(Self.scenario { _ in "probability:0.1" }, arrivals: 4_000)
        let spans = try PipelineReplay(planned.compiled, arrivals: 4_000).spans
        let result = planned.study(planned.reading(of: spans).table)
        #expect(result.metrics[.serviceAgreement]?.value == 1)
        #expect(result.metrics[.completeKeptTraceShare]?.value == 1)
        #expect(result.metrics[.keptOrphanSpanShare]?.value == 0)
        #expect(result.figures.hasAdjustedCounts)
    }

    @Test func `Services that decide by chance keep a trace whole with the power of their number`()
        throws
    {
        let planned = try PlannedTruth(Self.scenario { _ in "traceidratio:0.5" }, arrivals: 16_000)
        let share = 0.5
        let table = planned.kept(salt: 1) { service, trace in
            let draw = SpanChecksum.mix(trace.low ^ UInt64(service + 1) &* 0x9E37_79B9_7F4A_7C15)
            return Double(draw) < share * 0x1p64 ? .some(nil) : nil
        }
        let figures = planned.study(table).figures
        func expect(_ found: UInt64, _ probability: Double, _ what: String) {
            let count = Double(figures.truth.traces)
            let spread = 5 * (probability * (1 - probability) / count).squareRoot()
            #expect(abs(Double(found) / count - probability) < spread, "\(what)")
        }
        #expect(figures.truth.traces == 16_000)
        expect(figures.kept.completeTraces, 1.0 / 32, "whole")
        expect(figures.kept.traces, 31.0 / 32, "any")
        // Clients' and servers' spans: nine, five services with half of theirs.
        let spans = Double(figures.kept.spans) / Double(figures.truth.spans)
        #expect(abs(spans - 0.5) < 0.02)
    }
}
