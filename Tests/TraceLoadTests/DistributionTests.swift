import Foundation
import Testing

@testable import TraceLoad

@Suite struct DistributionTests {
    static let cases: [Distribution] = [
        .constant(5), .uniform(min: 2, max: 10), .normal(mean: 10, standardDeviation: 2),
        .normal(mean: 1, standardDeviation: 2), .lognormal(p50: 3, p99: 20), .exponential(mean: 7),
        .pareto(min: 1, shape: 3),
        .percentiles([
            .init(rank: 0, value: 1), .init(rank: 0.5, value: 2), .init(rank: 0.99, value: 10),
            .init(rank: 1, value: 30),
        ]),
        .mix([
            .init(weight: 3, distribution: .exponential(mean: 1)),
            .init(weight: 0, distribution: .constant(1e9)),
            .init(weight: 1, distribution: .uniform(min: 10, max: 20)),
        ]),
        .clamped(.exponential(mean: 5), min: 2, max: 9),
    ]

    /// A model with this one distribution.
    private func model(_ distribution: Distribution) -> SimulationModel {
        var model = emptyModel
        model.samplers = [
            CompiledSampler(
                distribution, general: &model.distributions, quantiles: &model.quantiles)
        ]
        return model
    }

    private var emptyModel: SimulationModel {
        SimulationModel(
            text: [], operations: [], steps: [], branches: [], attributes: [],
            inheritedLiterals: [],
            events: [], generators: [], values: [], aliases: [], samplers: [], distributions: [],
            quantiles: [],
            breakers: [], instanceRanges: [], errorTypeKey: 0, timeoutType: PlanText(bits: 0),
            resendCountKey: 0, inheritSlotCount: 0, traceScopedCount: 0, sequenceCount: 0, roots: []
        )
    }

    @Test(arguments: cases)
    func `The mean of draws is the mean in closed form`(_ distribution: Distribution) {
        let model = model(distribution)
        var random = RandomStream(seed: 11, position: 0)
        let count = 400_000
        var (sum, squares) = (0.0, 0.0)
        for _ in 0..<count {
            let value = model.draw(0, &random)
            sum += value
            squares += value * value
        }
        let mean = sum / Double(count)
        let deviation = max(0, squares / Double(count) - mean * mean).squareRoot()
        // Five standard errors: one in two million by chance, and the seed is fixed.
        let tolerance = 5 * deviation / Double(count).squareRoot() + 1e-9
        #expect(abs(mean - distribution.mean) < tolerance, "\(mean) against \(distribution.mean)")
    }

    @Test(arguments: cases.filter { if case .mix = $0 { false } else { true } })
    func `The share of draws below a quantile is its rank`(_ distribution: Distribution) {
        let model = model(distribution)
        var random = RandomStream(seed: 12, position: 0)
        let count = 100_000
        var values: [Double] = []
        for _ in 0..<count { values.append(model.draw(0, &random)) }
        for rank in [0.01, 0.25, 0.5, 0.9, 0.99] {
            let quantile = distribution.draw(rank)
            let below = Double(values.count { $0 < quantile }) / Double(count)
            let upTo = Double(values.count { $0 <= quantile }) / Double(count)
            let tolerance = 5 * (rank * (1 - rank) / Double(count)).squareRoot() + 1e-12
            // Where draws pile up on one value, the rank lies between the two.
            #expect(below <= rank + tolerance && rank - tolerance <= upTo, "\(rank)")
        }
    }

    @Test func `A lognormal has the median and the tail it was asked for`() {
        let distribution = Distribution.lognormal(p50: 3e6, p99: 20e6)
        #expect(abs(distribution.draw(0.5) / 3e6 - 1) < 1e-12)
        #expect(abs(distribution.draw(0.99) / 20e6 - 1) < 1e-12)
    }

    @Test(arguments: [1e-300, 1e-20, 1e-6, 0.02, 0.075, 0.3, 0.5, 0.7, 0.925, 0.98, 1 - 1e-9])
    func `The normal quantile inverts the normal probability`(_ u: Double) {
        let back = normalProbability(normalQuantile(u))
        #expect(abs(back - u) <= 1e-13 * max(u, 1e-3) + abs(u) * 1e-12)
    }

    // From R's qnorm and tables.
    @Test(arguments: [
        (0.975, 1.959963984540054), (0.99, 2.326347874040841), (0.001, -3.090232306167813),
        (0.5, 0), (1e-10, -6.361340902404056),
    ])
    func `The normal quantile agrees with published values`(_ u: Double, _ z: Double) {
        #expect(abs(normalQuantile(u) - z) < 1e-12)
    }

    @Test func `The generator gives the published sequence of xoshiro256 and SplitMix64`() {
        // SplitMix64 from state 0, first output (Vigna's reference code).
        #expect(splitMix(0x9E37_79B9_7F4A_7C15) == 0xE220_A839_7B1D_CDAF)
        var stream = RandomStream(seed: 1, position: 0)
        let again = (0..<4).map { _ in stream.next() }
        var other = RandomStream(seed: 1, position: 0)
        #expect(again == (0..<4).map { _ in other.next() })
        var neighbour = RandomStream(seed: 1, position: 1)
        #expect(neighbour.next() != again[0])
    }

    @Test func `Uniform draws never reach 0 or 1`() {
        var random = RandomStream(seed: 3, position: 9)
        var (low, high) = (1.0, 0.0)
        for _ in 0..<100_000 {
            let u = random.uniform()
            (low, high) = (min(low, u), max(high, u))
        }
        #expect(low > 0 && high < 1 && low < 1e-3 && high > 0.999)
    }

    @Test func `Zipf draws follow rank to the power of minus s`() throws {
        let compiled = try compiled(
            services: """
                s:
                  operations:
                    o: {attributes: {user: {zipf: {cardinality: 20, s: 1.2, prefix: u}}}}
                """, root: "s/o")
        let batch = plans(compiled, count: 8000)
        var counts: [String: Int] = [:]
        for event in batch.events where event.kind == .attributeText {
            let text = PlanText(bits: event.value)
            #expect(text.isKnownAhead)
            counts[String(decoding: compiled.text[text.range], as: UTF8.self), default: 0] += 1
        }
        let total = (1...20).reduce(0.0) { $0 + pow(Double($1), -1.2) }
        for rank in 1...20 {
            let p = pow(Double(rank), -1.2) / total
            let expected = 8000 * p
            let tolerance = 5 * (8000 * p * (1 - p)).squareRoot()
            #expect(abs(Double(counts["u\(rank)"] ?? 0) - expected) < tolerance, "rank \(rank)")
        }
    }

    @Test func `What instances draw from a Zipf for good follows the same law`() throws {
        let compiled = try compiled(
            services: """
                s:
                  instances: 9000
                  resource: {tenant: {zipf: {cardinality: 4, s: 1, prefix: t}}}
                  operations: {o: {}}
                """, root: "s/o")
        var counts: [AttributeLiteral: Int] = [:]
        for instance in compiled.instances {
            for attribute in instance.resource where attribute.key == "tenant" {
                counts[attribute.value, default: 0] += 1
            }
        }
        #expect(counts.values.reduce(0, +) == 9000)
        // 1 + 1/2 + 1/3 + 1/4 = 25/12.
        for rank in 1...4 {
            let p = 12 / (25 * Double(rank))
            let tolerance = 5 * (9000 * p * (1 - p)).squareRoot()
            let count = Double(counts[.string("t\(rank)")] ?? 0)
            #expect(abs(count - 9000 * p) < tolerance, "rank \(rank)")
        }
    }
}
