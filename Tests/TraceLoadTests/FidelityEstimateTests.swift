import Testing
import TraceCore
import TracePipeline
import TraceResults

@testable import TraceLoad

/// Estimates over many draws of the same traces: identifiers differ by their salt, and with them what a
/// sampler keeps.
@Suite struct FidelityEstimateTests {
    private static let draws: UInt64 = 200
    private static let traces: UInt64 = 400

    private static func planned(_ sampler: String, ofBack back: String = "") throws -> PlannedTruth
    {
        try PlannedTruth(
            """
            version: 1
            name: estimates
            seed: 11
            clock: simulated
            services:
              front: {operations: {get: {self: {lognormal: {p50: 3ms, p99: 30ms}}, error: {rate: 10%}, script: [{call: {to: back/work, repeat: {uniform: [1, 3]}}}, {call: {to: back/rare, probability: 0.1}}]}}}
              back:
                \(back)
                operations: {work: {self: {exponential: {mean: 2ms}}, error: {rate: 20%, propagate: 0.3}}, rare: {self: 1ms}}
            traffic: [{root: front/get, arrival: constant, stages: [{duration: 10s, rate: 40}]}]
            pipeline: {sampler: "\(sampler)"}
            """, arrivals: Self.traces)
    }

    private struct Hits {
        var hits = 0
        var all = 0

        mutating func add(_ estimate: Estimate) {
            guard let hit = estimate.isHit else { return }
            all += 1
            if hit { hits += 1 }
        }

        var share: Double { Double(hits) / Double(max(1, all)) }
    }

    /// Draws the sample again and again; counts hits and errors.
    private static func draw(
        _ planned: PlannedTruth
    ) throws -> (
        counts: Hits, rates: Hits, p50: Hits, p99: Hits, errors: [String: [Double]]
    ) {
        let recorder = try SpanRecorder()
        let scenario = planned.compiled.scenario
        let samplers = scenario.services.map {
            $0.sampler?.sampler ?? scenario.pipeline.sampler.sampler
        }
        let tracers = samplers.map {
            TracerProvider(
                recorder: recorder, resource: Resource(serviceName: "s"), sampler: $0
            ).tracer(name: "t")
        }
        let thresholds = samplers.map { sampler -> UInt64? in
            guard case .probability(let share, _) = sampler else { return nil }
            return ProbabilityThreshold.of(probability: share)
        }
        var (counts, rates, p50, p99) = (Hits(), Hits(), Hits(), Hits())
        var errors: [String: [Double]] = [:]
        for salt in 1...draws {
            let table = planned.kept(salt: salt) { service, trace in
                tracers[service].decide(parent: nil, traceID: trace) == .recordAndSample
                    ? .some(thresholds[service]) : nil
            }
            for operation in planned.study(table).figures.operations {
                counts.add(operation.count)
                rates.add(operation.errorRate)
                p50.add(operation.durationNsP50)
                p99.add(operation.durationNsP99)
                errors[operation.operation, default: []].append(
                    try #require(operation.count.relativeError))
            }
        }
        return (counts, rates, p50, p99, errors)
    }

    @Test(arguments: [
        ("probability:0.5", 0.5, ""),
        (
            "probability:0.25", 0.25, "sampler: \"probability:0.5\""
        ),
    ])
    func `Counts are right on average, and intervals hit at least 93 times of 100`(
        sampler: String, share: Double, back: String
    ) throws {
        let drawn = try Self.draw(try Self.planned(sampler, ofBack: back))
        #expect(drawn.counts.all == Int(Self.draws) * 5)
        print(
            "HITS", drawn.counts.share, drawn.rates.share, drawn.p50.share, drawn.p50.all,
            drawn.p99.share, drawn.p99.all)
        #expect(drawn.counts.share >= 0.93, "counts: \(drawn.counts)")
        #expect(drawn.rates.share >= 0.93, "error rates: \(drawn.rates)")
        #expect(drawn.p50.share >= 0.93, "p50: \(drawn.p50)")
        // Of few spans no p99 has a bound above it; where there are more it holds.
        #expect(drawn.p99.all >= Int(Self.draws) * 3 / 4)
        #expect(drawn.p99.share >= 0.93, "p99: \(drawn.p99)")
        for (operation, errors) in drawn.errors {
            let count = Double(errors.count)
            let mean = errors.reduce(0, +) / count
            let variance = errors.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
            #expect(
                abs(mean) <= 4 * (variance / count).squareRoot(), "\(operation): bias \(mean)")
        }
        // Roots: one a trace, each kept with p by itself: a variance of (1 − p)/p/N, to four standard
        // deviations of one that was estimated from so many draws.
        let roots = try #require(drawn.errors["get"])
        let found = roots.reduce(0) { $0 + $1 * $1 } / Double(roots.count)
        let expected = (1 - share) / share / Double(Self.traces)
        #expect(abs(found / expected - 1) < 4 * (2 / Double(Self.draws)).squareRoot())
    }

    @Test func `Without thresholds there are no estimates, but where all is kept`() throws {
        for (sampler, isDefined) in [
            ("always_on", true), ("parentbased_always_on", true), ("probability:0.5", true),
            ("parentbased:probability:0.5", true), ("traceidratio:0.5", false),
            ("parentbased:ratelimiting:30", false), ("foreign:go:0.5", false),
            ("parentbased:adaptive:20", false),
        ] {
            let planned = try Self.planned(sampler)
            let spans = try PipelineReplay(planned.compiled, arrivals: Self.traces).spans
            let reading = planned.reading(of: spans)
            #expect(reading.disagreement(with: books(of: spans)) == nil)
            let result = planned.study(reading.table)
            #expect(result.figures.hasAdjustedCounts == isDefined, "\(sampler)")
            #expect((result.metrics[.countEstimateBias] != nil) == isDefined, "\(sampler)")
            #expect(
                (result.figures.adjustedCountsMissing == nil) == isDefined, "\(sampler)")
            if sampler.contains("always_on") {
                #expect(result.metrics[.countEstimateRmse]?.value == 0)
                #expect(result.metrics[.durationP99Error]?.value == 0)
                #expect(result.metrics[.countIntervalHitShare]?.value == 1)
            }
        }
    }
}
