@testable import TraceResults

/// Results of comparisons whose outcome is known beforehand.
enum SampleComparison {
    /// What a variant is like.
    struct Variant {
        var name: String
        var cost: Double
        var recall: Double?
        var kept = 0.1
    }

    static let shop = [
        Variant(name: "everything", cost: 10, recall: 1, kept: 1),
        Variant(name: "ratio", cost: 4, recall: 0.41),
        Variant(name: "limit", cost: 4.4, recall: 0.38),
        Variant(name: "tail", cost: 8, recall: 1, kept: 0.2),
    ]

    /// An interleaved result: a run of each variant in every round. The machine drifts from round to round by
    /// far more than `noise`, the largest relative deviation of a single run.
    static func result(
        _ variants: [Variant] = shop, rounds: Int = 5, noise: Double = 0, seed: UInt64 = 1,
        name: String = "shop"
    ) -> RunResult {
        var random = SeededRandom(seed: seed)
        var result = RunResult()
        result.scenario = ScenarioFacts(
            name: name, seed: 42, resolved: "name: shop\nseed: 42\nservices.0.name: a\n")
        result.design.kind = .interleaved
        result.design.rounds = rounds
        result.design.variants = variants.map { variant in
            var facts = VariantFacts()
            facts.name = variant.name
            facts.sampler = "Sampler{\(variant.name)}"
            return facts
        }
        for round in 0..<rounds {
            let pace = 1 + 0.3 * Double(round % 5)
            for (slot, variant) in variants.enumerated() {
                var run = SampleGate.run(factor: 1)
                let deviation = 1 + Double.random(in: -noise...noise, using: &random)
                run.variant = variant.name
                run.round = round
                run.slot = slot
                run.seed = 42 + UInt64(round)
                let cost = noise > 0 ? variant.cost * pace * deviation : variant.cost
                run.set(FidelityMetric.cpuMsPerThousandTraces, cost)
                run.set(FidelityMetric.keptSpanShare, variant.kept)
                run.set(FidelityMetric.errorTraceRecall, variant.recall)
                run.set(FidelityMetric.heldBytesMax, 1_000_000 * variant.cost)
                result.runs.append(run)
            }
        }
        return result
    }

    static func comparison(
        _ result: RunResult, _ settings: ComparisonSettings = ComparisonSettings()
    ) throws -> Comparison {
        try ComparisonBuilder.comparison(of: [(nil, result)], settings: settings)
    }
}
