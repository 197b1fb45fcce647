#if canImport(Glibc)
    import Glibc
#endif

/// Distributions and generators in the form the simulation draws from: plain values and shared
/// tables, without enumerations that hold references. One thread.

struct CompiledSampler: Sendable {
    enum Form: UInt8 { case constant, uniform, normal, lognormal, exponential, pareto, general }

    var form: Form
    var a: Double
    var b: Double
    /// Lognormal: where its quantiles begin.
    var quantiles = 0

    /// The middle seven eighths of a lognormal are drawn by linear interpolation between so many
    /// quantiles, within 0.03% of the exact ones and in a fifth of the time; the tails are exact.
    static let quantileCells = 256.0
    private static let tail = 1.0 / 16

    static func isInTail(_ u: Double) -> Bool { u < tail || u >= 1 - tail }

    /// Draws beyond a day are cut there, which only heavy tails reach.
    static let drawMax = ScenarioUnits.longestDurationNs

    init(
        _ distribution: Distribution, general: inout [Distribution], quantiles table: inout [Double]
    ) {
        switch distribution {
        case .constant(let value): (form, a, b) = (.constant, value, 0)
        case .uniform(let min, let max): (form, a, b) = (.uniform, min, max - min)
        case .normal(let mean, let deviation): (form, a, b) = (.normal, mean, deviation)
        case .lognormal(let mu, let sigma):
            (form, a, b) = (.lognormal, mu, sigma)
            quantiles = table.count
            for cell in 0...Int(Self.quantileCells) {
                let u = Double(cell) / Self.quantileCells
                table.append(Self.isInTail(u) && u != 15 / 16 ? 0 : distribution.draw(u))
            }
        case .exponential(let mean): (form, a, b) = (.exponential, mean, 0)
        case .pareto(let min, let shape): (form, a, b) = (.pareto, min, -1 / shape)
        case .percentiles, .mix, .clamped, .uncutNormal:
            (form, a, b) = (.general, Double(general.count), 0)
            general.append(distribution)
        }
    }
}

extension SimulationModel {
    /// A draw of a compiled distribution, at least 0.
    func draw(_ index: Int, _ random: inout RandomStream) -> Double {
        let sampler = samplers[index]
        let value: Double
        switch sampler.form {
        case .constant: return sampler.a
        case .uniform: value = sampler.a + sampler.b * random.uniform()
        case .normal: value = sampler.a + sampler.b * normalQuantile(random.uniform())
        case .lognormal:
            let u = random.uniform()
            if CompiledSampler.isInTail(u) {
                value = exp(sampler.a + sampler.b * normalQuantile(u))
            } else {
                let place = u * CompiledSampler.quantileCells
                let cell = Int(place)
                let low = quantiles[sampler.quantiles + cell]
                let high = quantiles[sampler.quantiles + cell + 1]
                value = low + (high - low) * (place - Double(cell))
            }
        case .exponential: value = -sampler.a * log(random.uniform())
        case .pareto: value = sampler.a * pow(random.uniform(), sampler.b)
        case .general: value = distributions[Int(sampler.a)].draw(random.uniform())
        }
        return min(max(value, 0), CompiledSampler.drawMax)
    }

    func drawNs(_ index: Int, _ random: inout RandomStream) -> UInt64 {
        UInt64(draw(index, &random))
    }
}

/// A cell of Walker's alias table (A. J. Walker, 1977; M. D. Vose, 1991): constant time a draw.
struct AliasCell: Sendable {
    /// The cell's own value is taken below this, out of 2^32.
    var threshold: UInt32
    var alias: UInt32
}

struct CompiledGenerator: Sendable {
    enum Form: UInt8 { case fixed, table, integer, string, sequence, unique, inherit, baggage }

    var form: Form
    var scope: AttributeGenerator.Scope
    /// `fixed`: the value. `unique`: the prefix, as a text known ahead.
    var value = PlanValue.missing
    /// `table`: values and alias cells. Instance scope: a value an instance.
    var values = IndexRange(first: 0, count: 0)
    var firstAlias: Int32 = 0
    /// `integer`: least value. `sequence`: start.
    var base = 0
    /// `integer`: how many different values.
    var width: UInt64 = 0
    /// `string`: sampler of the length. `sequence`: its counter. `inherit`: its slot.
    /// `baggage`: the name's number.
    var auxiliary = 0
    /// Trace scope: where the value of the trace is kept.
    var traceSlot = -1
}

/// Tables shared by generators, as the compiler fills them.
struct GeneratorTables {
    var text: [UInt8] = []
    private var texts: [String: PlanText] = [:]
    var values: [PlanValue] = []
    var aliases: [AliasCell] = []

    mutating func intern(_ string: String) -> PlanText {
        if let known = texts[string] { return known }
        let result = append(string)
        texts[string] = result
        return result
    }

    /// Without looking for an equal one.
    mutating func append(_ string: String) -> PlanText {
        let offset = text.count
        text.append(contentsOf: string.utf8)
        return PlanText(offset: offset, byteCount: text.count - offset, isKnownAhead: true)
    }

    mutating func value(_ literal: AttributeLiteral) -> PlanValue {
        switch literal {
        case .string(let text): PlanValue(kind: .attributeText, bits: intern(text).bits)
        case .integer(let value):
            PlanValue(kind: .attributeInteger, bits: UInt64(bitPattern: Int64(value)))
        case .double(let value): PlanValue(kind: .attributeDouble, bits: value.bitPattern)
        case .boolean(let value): PlanValue(kind: .attributeBoolean, bits: value ? 1 : 0)
        }
    }

    /// Appends values with their relative weights; the range is that of the values.
    mutating func appendTable(
        _ entries: [PlanValue], weights: [Double]
    ) -> (values: IndexRange, firstAlias: Int32) {
        let range = IndexRange(first: values.count, count: entries.count)
        let firstAlias = Int32(aliases.count)
        values.append(contentsOf: entries)
        let total = weights.reduce(0, +)
        var scaled = weights.map { $0 / total * Double(weights.count) }
        var small = scaled.indices.filter { scaled[$0] < 1 }
        var large = scaled.indices.filter { scaled[$0] >= 1 }
        var cells = [AliasCell](
            repeating: AliasCell(threshold: .max, alias: 0), count: weights.count)
        for index in cells.indices { cells[index].alias = UInt32(index) }
        while let little = small.popLast(), let big = large.last {
            cells[little] = AliasCell(
                threshold: UInt32(min(scaled[little] * 0x1p32, 0x1p32 - 1)), alias: UInt32(big))
            scaled[big] -= 1 - scaled[little]
            if scaled[big] < 1 {
                large.removeLast()
                small.append(big)
            }
        }
        aliases.append(contentsOf: cells)
        return (range, firstAlias)
    }
}
