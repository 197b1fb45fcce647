import TestSupport
import Testing

@testable import TraceCore

/// How many of a million traces a share keeps.
@Suite struct SamplerShareTests {
    static let ids = 1_000_000
    static let ratios = [0.0001, 0.001, 0.01, 0.1, 0.25, 1 / 3.0, 0.5, 0.75, 0.9, 0.999]

    /// The three that keep a share by thresholds; they agree span by span (below), so one of them a ratio is
    /// counted over a million ids, each in its turn.
    static let samplers: [@Sendable (Double) -> Sampler] = [
        { .traceIDRatio($0) }, { .probability($0) }, { .composite(.probability($0)) },
    ]

    @Test(
        "The share of a million ids that is kept is the ratio",
        arguments: Array(ratios.enumerated()))
    func share(number: Int, ratio: Double) {
        let program = SamplerProgram(Self.samplers[number % 3](ratio))
        var generator = SeededGenerator(seed: 2026)
        var kept = 0
        for _ in 0..<Self.ids {
            let id = TraceID(high: 1, low: generator.next())
            let decision = program.decide(parent: nil, traceID: id, nowUnixNano: 0).decision
            if decision == .recordAndSample { kept += 1 }
        }
        // Four standard deviations of a binomial, and what four digits round away.
        let rounding =
            abs(
                ProbabilityThreshold.probability(of: ProbabilityThreshold.of(probability: ratio))
                    - ratio) * Double(Self.ids)
        let expected = Double(Self.ids) * ratio
        #expect(
            abs(Double(kept) - expected) <= 4 * (expected * (1 - ratio)).squareRoot() + rounding)
    }

    @Test(
        "Foreign ratios keep their share as well, and not the same traces",
        arguments: ForeignRatioAlgorithm.allCases, [0.001, 0.1, 0.9])
    func foreignShare(algorithm: ForeignRatioAlgorithm, ratio: Double) {
        let rule = ForeignRatioRule(algorithm, ratio: ratio)
        let own = SamplerProgram(.traceIDRatio(ratio))
        var generator = SeededGenerator(seed: 7)
        let trials = Self.ids
        var kept = 0.0
        var both = 0.0
        for _ in 0..<trials {
            let id = TraceID(high: generator.next(), low: generator.next())
            guard rule.keeps(id) else { continue }
            kept += 1
            if own.keepsRoot(traceLow: id.low) { both += 1 }
        }
        let expected = Double(trials) * ratio
        #expect(abs(kept - expected) <= 4 * (expected * (1 - ratio)).squareRoot())
        // As if thrown anew: what a fleet of two kinds loses. Not quite: where a ratio ends within one value
        // of the bits above our 56, these decide there, so a 128th of the share may go together or apart.
        let same = kept * ratio
        let sliver = Double(trials) * ratio / 128
        #expect(abs(both - same) <= 4 * (same * (1 - ratio)).squareRoot() + sliver + 1)
    }

    @Test("What a smaller share keeps, a larger one keeps, whoever it is that samples")
    func consistent() {
        var generator = SeededGenerator(seed: 4)
        let shares = [0.01, 0.1, 0.3, 0.5, 0.9]
        let programs = shares.flatMap { share in
            [
                SamplerProgram(.traceIDRatio(share)), SamplerProgram(.probability(share)),
                SamplerProgram(.composite(.probability(share))),
            ]
        }
        for _ in 0..<3000 {
            let id = TraceID(high: generator.next(), low: generator.next())
            let kept = programs.map {
                $0.decide(parent: nil, traceID: id, nowUnixNano: 0).decision == .recordAndSample
            }
            for index in 0..<kept.count - 3 where kept[index] {
                let larger = kept.dropFirst((index / 3 + 1) * 3)
                #expect(larger.allSatisfy { $0 })
            }
            for index in stride(from: 0, to: kept.count, by: 3) {
                #expect(kept[index] == kept[index + 1] && kept[index] == kept[index + 2])
            }
        }
    }

    @Test("Adjusted counts of what is kept add up to what there was", arguments: [0.01, 0.2, 0.6])
    func adjustedCounts(probability: Double) throws {
        let program = SamplerProgram(
            .composite(
                .ruleBased([
                    SamplingRule(names: ["checkout"], sampler: .alwaysOn),
                    SamplingRule(sampler: .probability(probability)),
                ])))
        var generator = SeededGenerator(seed: 10)
        let trials = 100_000
        var estimate = 0.0
        for number in 0..<trials {
            let verdict = program.ask(
                traceID: TraceID(high: 1, low: generator.next()),
                name: number % 10 == 0 ? "checkout" : "other")
            guard verdict.decision == .recordAndSample else { continue }
            let threshold = try #require(OTelTraceState.member(of: verdict.traceState).threshold)
            estimate += ProbabilityThreshold.adjustedCount(of: threshold)
        }
        let deviation = (Double(trials) * 0.9 * (1 - probability) / probability).squareRoot()
        #expect(abs(estimate - Double(trials)) <= 4 * deviation)
    }
}
