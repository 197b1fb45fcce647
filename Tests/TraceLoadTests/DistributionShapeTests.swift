import Foundation
import Testing

@testable import TraceLoad

/// A distribution as a scenario file writes it, in milliseconds, and its distribution function from a
/// textbook, in the same.
struct KnownDistribution: Sendable, CustomTestStringConvertible {
    var text: String
    /// P(X ≤ x).
    var upTo: @Sendable (Double) -> Double
    /// P(X < x), where it differs: values that many draws share.
    var below: @Sendable (Double) -> Double
    var testDescription: String { text }

    init(
        _ text: String, _ upTo: @escaping @Sendable (Double) -> Double,
        below: (@Sendable (Double) -> Double)? = nil
    ) {
        self.text = text
        self.upTo = upTo
        self.below = below ?? upTo
    }

    static func normal(_ z: Double) -> Double { erfc(-z / 2.0.squareRoot()) / 2 }

    /// The 99th percentile of a standard normal, from tables.
    static let z99 = 2.3263478740408408
}

/// Draws of every distribution against its closed form, by the test of Kolmogorov and Smirnov.
@Suite struct DistributionShapeTests {
    private static let count = 1_000_000
    /// Exceeded by chance once in a million (Kolmogorov's limit law); the seeds are fixed.
    private static let criticalDistance =
        (-log(1e-6 / 2) / 2).squareRoot()
        / Double(count).squareRoot()

    /// Linear between points of rank and value.
    private static func piecewise(_ points: [(Double, Double)], _ x: Double) -> Double {
        if x < points[0].1 { return 0 }
        for (low, high) in zip(points, points.dropFirst()) where x < high.1 {
            return low.0 + (high.0 - low.0) * (x - low.1) / (high.1 - low.1)
        }
        return 1
    }

    private static let percentiles = [(0.0, 1.0), (0.5, 2), (0.9, 2.5), (0.999, 40), (1, 100)]

    static let known: [KnownDistribution] = [
        .init("{uniform: [2ms, 10ms]}") { min(max(($0 - 2) / 8, 0), 1) },
        .init("{exponential: {mean: 7ms}}") { 1 - exp(-$0 / 7) },
        .init("{pareto: {min: 1ms, shape: 1.5}}") { $0 < 1 ? 0 : 1 - pow($0, -1.5) },
        .init("{normal: {mean: 10ms, stddev: 2ms}}") { KnownDistribution.normal(($0 - 10) / 2) },
        // Three in ten would be negative and are 0.
        .init(
            "{normal: {mean: 1ms, stddev: 2ms}}",
            { $0 < 0 ? 0 : KnownDistribution.normal(($0 - 1) / 2) },
            below: { $0 <= 0 ? 0 : KnownDistribution.normal(($0 - 1) / 2) }),
        .init("{lognormal: {p50: 3ms, p99: 20ms}}") {
            KnownDistribution.normal(log($0 / 3) / log(20.0 / 3) * KnownDistribution.z99)
        },
        .init("{percentiles: {p0: 1ms, p50: 2ms, p90: 2.5ms, p99.9: 40ms, p100: 100ms}}") {
            piecewise(percentiles, $0)
        },
        .init(
            "{mix: [{weight: 3, dist: {exponential: {mean: 1ms}}}, {weight: 1, dist: {uniform: [10ms, 20ms]}}, {weight: 0, dist: 1h}]}"
        ) { 0.75 * (1 - exp(-$0)) + 0.25 * min(max(($0 - 10) / 10, 0), 1) },
        .init(
            "{mix: [{weight: 1, dist: 4ms}, {weight: 1, dist: {uniform: [0ms, 8ms]}}]}",
            { ($0 >= 4 ? 0.5 : 0) + min($0 / 16, 0.5) },
            below: { ($0 > 4 ? 0.5 : 0) + min($0 / 16, 0.5) }),
        .init(
            "{exponential: {mean: 5ms}, clamp: [2ms, 9ms]}",
            { $0 < 2 ? 0 : $0 >= 9 ? 1 : 1 - exp(-$0 / 5) },
            below: { $0 <= 2 ? 0 : $0 > 9 ? 1 : 1 - exp(-$0 / 5) }),
        .init(
            "{lognormal: {p50: 3ms, p99: 20ms}, clamp: [1ms, 12ms]}",
            {
                $0 < 1
                    ? 0
                    : $0 >= 12
                        ? 1
                        : KnownDistribution.normal(
                            log($0 / 3) / log(20.0 / 3) * KnownDistribution.z99)
            },
            below: {
                $0 <= 1
                    ? 0
                    : $0 > 12
                        ? 1
                        : KnownDistribution.normal(
                            log($0 / 3) / log(20.0 / 3) * KnownDistribution.z99)
            }),
    ]

    /// The largest distance between the distribution of `count` values between 0 and 1 and the
    /// uniform one, at most 2^-16 too large: counted in cells instead of sorted.
    private static func distance(_ values: (Int) -> Double) -> Double {
        var cells = [Int32](repeating: 0, count: 1 << 16)
        for index in 0..<count {
            cells[min(Int(values(index) * 0x1p16), (1 << 16) - 1)] += 1
        }
        var (largest, sum) = (0.0, 0)
        for (index, cell) in cells.enumerated() {
            sum += Int(cell)
            let share = Double(sum) / Double(count)
            largest = max(largest, abs(share - Double(index + 1) * 0x1p-16))
        }
        return largest + 0x1p-16
    }

    private func draws(_ known: KnownDistribution, seed: UInt64) throws -> (Int) -> Double {
        let compiled = try compiled(
            services: "s: {operations: {o: {self: \(known.text)}}}", root: "s/o")
        let model = compiled.model
        let sampler = model.operations[0].ownWork
        var random = RandomStream(seed: seed, position: 0)
        var share = RandomStream(seed: seed, position: 1)
        return { _ in
            let value = model.draw(sampler, &random) / 1e6
            let low = known.below(value)
            // Equal values are spread over the share that they have.
            return low + (known.upTo(value) - low) * share.uniform()
        }
    }

    @Test(arguments: known)
    func `A million draws have the distribution of the closed form`(
        _ known: KnownDistribution
    ) throws {
        let distance = Self.distance(try draws(known, seed: 1))
        #expect(distance < Self.criticalDistance, "\(distance)")
    }

    /// That the test above can fail: by one percent of the scale.
    @Test func `A million draws of a slightly different distribution are told apart`() throws {
        let other = KnownDistribution("{exponential: {mean: 7ms}}") { 1 - exp(-$0 / 7.07) }
        #expect(Self.distance(try draws(other, seed: 1)) > Self.criticalDistance)
        let median = KnownDistribution("{lognormal: {p50: 3ms, p99: 20ms}}") {
            KnownDistribution.normal(log($0 / 3.03) / log(20.0 / 3) * KnownDistribution.z99)
        }
        #expect(Self.distance(try draws(median, seed: 1)) > Self.criticalDistance)
    }

    @Test(arguments: [
        ("{normal: {mean: -3ms, stddev: 20ms}}", -3.0, 20.0),
        ("{normal: {mean: 0ms, stddev: 5ms}}", 0, 5),
    ])
    func `The skew of a clock is a normal that may be negative`(
        _ text: String, _ mean: Double, _ deviation: Double
    ) throws {
        let scenario = try Scenario.parse(
            """
            version: 1
            name: skew
            services: {s: {clock_skew: \(text), operations: {o: {}}}}
            traffic: [{root: s/o, stages: [{duration: 1s, rate: 1}]}]
            """)
        var random = RandomStream(seed: 5, position: 0)
        let distance = Self.distance { _ in
            let value = scenario.services[0].clockSkew.draw(random.uniform()) / 1e6
            return KnownDistribution.normal((value - mean) / deviation)
        }
        #expect(distance < Self.criticalDistance)
    }

    @Test func `The sink is told a latency by its quantiles`() throws {
        #expect(PipelineSetup.latencyFault(.constant(0)) == nil)
        #expect(PipelineSetup.latencyFault(.constant(1_500_000)) == "latency=1500us")
        let rule = try #require(
            PipelineSetup.latencyFault(
                .mix([
                    .init(weight: 1, distribution: .constant(9e6)),
                    .init(weight: 1, distribution: .uniform(min: 0, max: 8e6)),
                ])))
        let quantiles = rule.dropFirst("latency=".count).split(separator: ":")
            .compactMap { Int($0.dropLast(2)) }
        #expect(quantiles.count == 257)
        #expect(quantiles == quantiles.sorted())
        #expect(abs(quantiles[64] - 4000) < 10 && quantiles[130] == 9000)
    }

    // MARK: Values

    /// Draws of an attribute's values over many spans.
    private func counts(_ generator: String, traces: Int, seed: Int) throws -> [String: Int] {
        let compiled = try compiled(
            services: """
                s:
                  operations:
                    o: {script: [{call: {to: s/p, repeat: 100}}]}
                    p: {attributes: {value: \(generator)}}
                """, root: "s/o", top: "seed: \(seed)")
        let batch = plans(compiled, count: traces)
        var counts: [UInt64: Int] = [:]
        for event in batch.events where event.kind == .attributeText {
            counts[event.value, default: 0] += 1
        }
        return Dictionary(
            uniqueKeysWithValues: counts.map { bits, count in
                let text = PlanText(bits: bits)
                return (String(decoding: compiled.text[text.range], as: UTF8.self), count)
            })
    }

    /// Pearson's statistic may exceed this once in a million (E. B. Wilson, M. M. Hilferty, 1931).
    private func chiSquareLimit(freedom: Int) -> Double {
        let k = Double(freedom)
        let root = 1 - 2 / (9 * k) + 4.753424308822899 * (2 / (9 * k)).squareRoot()
        return k * root * root * root
    }

    private func chiSquare(_ counts: [String: Int], _ shares: [String: Double]) -> Double {
        let total = Double(counts.values.reduce(0, +))
        let sum = shares.values.reduce(0, +)
        return shares.reduce(0) { statistic, entry in
            let expected = total * entry.value / sum
            let difference = Double(counts[entry.key] ?? 0) - expected
            return statistic + difference * difference / expected
        }
    }

    @Test(arguments: [(10, 1.0), (200, 1.1), (50, 0.0), (30, 2.5)])
    func `Zipf ranks have frequencies of rank to the power of minus s`(
        _ cardinality: Int, _ exponent: Double
    ) throws {
        let counts = try counts(
            "{zipf: {cardinality: \(cardinality), s: \(exponent), prefix: u}}", traces: 3000,
            seed: cardinality)
        let shares = Dictionary(
            uniqueKeysWithValues: (1...cardinality).map { ("u\($0)", pow(Double($0), -exponent)) })
        #expect(Set(counts.keys).isSubset(of: shares.keys))
        let limit = chiSquareLimit(freedom: cardinality - 1)
        #expect(chiSquare(counts, shares) < limit)
        // And not those of a neighbouring exponent.
        let other = Dictionary(
            uniqueKeysWithValues: (1...cardinality).map {
                ("u\($0)", pow(Double($0), -exponent - 0.1))
            })
        #expect(chiSquare(counts, other) > limit)
    }

    @Test func `One of several values is drawn by its weight`() throws {
        let counts = try counts(
            "{one_of: [visa, amex, cash, none, never], weights: [6, 2.5, 1, 0.5, 0]}", traces: 3000,
            seed: 3)
        let shares = ["visa": 6, "amex": 2.5, "cash": 1, "none": 0.5]
        #expect(Set(counts.keys) == Set(shares.keys))
        #expect(chiSquare(counts, shares) < chiSquareLimit(freedom: 3))
        let equal = try self.counts("{one_of: [a, b, c, d]}", traces: 1000, seed: 4)
        #expect(chiSquare(equal, ["a": 1, "b": 1, "c": 1, "d": 1]) < chiSquareLimit(freedom: 3))
    }
}
