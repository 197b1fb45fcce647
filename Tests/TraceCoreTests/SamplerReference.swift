// Samplers by the letter of the specification, on header text, without any of what makes the real ones quick:
// what those are held against.
import TestSupport

@testable import TraceCore

/// A parent as the reference sees it.
struct ReferenceParent {
    var isSampled: Bool
    var isRemote: Bool
    var header: String
}

/// Slow, and written from the specification: "Built-in samplers", "CompositeSampler", "TraceState:
/// Probability Sampling".
enum SamplerReference {
    static func answer(
        _ sampler: Sampler, _ parent: ReferenceParent?, low: UInt64
    ) -> (decision: SamplingDecision, header: String) {
        let header = parent?.header ?? ""
        let randomness = randomness(header, low)
        func drop() -> (SamplingDecision, String) { (.drop, erase(header)) }
        switch sampler {
        case .alwaysOn:
            if let threshold = threshold(header), randomness < threshold {
                return (.recordAndSample, erase(header))
            }
            return (.recordAndSample, header)
        case .alwaysOff:
            return drop()
        case .traceIDRatio(let ratio):
            let own = ProbabilityThreshold.of(probability: ratio)
            guard randomness >= own else { return drop() }
            return (.recordAndSample, threshold(header) == own ? header : erase(header))
        case .probability(let probability, let precision):
            let own = ProbabilityThreshold.of(probability: probability, precision: precision)
            guard randomness >= own else { return drop() }
            return (.recordAndSample, write(own, header))
        case .parentBased(let root, let remote, let remoteNot, let local, let localNot):
            guard var parent else { return answer(root, nil, low: low) }
            if let threshold = threshold(parent.header),
                parent.isSampled != (randomness >= threshold)
            {
                parent.header = erase(parent.header)
            }
            let branch =
                parent.isRemote
                ? (parent.isSampled ? remote : remoteNot) : (parent.isSampled ? local : localNot)
            return answer(branch, parent, low: low)
        case .alwaysRecord(let inner):
            let (decision, header) = answer(inner, parent, low: low)
            return (decision == .drop ? .recordOnly : decision, header)
        case .composite(let composable):
            let intent = intent(composable, parent)
            guard let wanted = intent.threshold, randomness >= wanted else { return drop() }
            return (.recordAndSample, intent.isReliable ? write(wanted, header) : erase(header))
        case .foreign, .rateLimiting, .adaptive, .custom:
            fatalError("not in the reference")
        }
    }

    static func intent(
        _ sampler: ComposableSampler, _ parent: ReferenceParent?
    ) -> (threshold: UInt64?, isReliable: Bool) {
        switch sampler {
        case .alwaysOn: return (0, true)
        case .alwaysOff: return (nil, false)
        case .probability(let probability, let precision):
            guard probability > 0 else { return (nil, false) }
            return (
                ProbabilityThreshold.of(probability: probability, precision: precision), true
            )
        case .parentThreshold(let root):
            guard let parent else { return intent(root, nil) }
            if let threshold = threshold(parent.header) { return (threshold, true) }
            return (parent.isSampled ? 0 : nil, false)
        case .ruleBased(let rules):
            for rule in rules
            where rule.parents.isEmpty
                || rule.parents.contains(
                    parent == nil ? .none : parent!.isRemote ? .remote : .local)
            {
                return intent(rule.sampler, parent)
            }
            return (nil, false)
        case .annotating(_, let inner): return intent(inner, parent)
        case .anyOf(let samplers):
            let intents = samplers.map { intent($0, parent) }
            guard let lowest = intents.compactMap(\.threshold).min() else { return (nil, false) }
            return (lowest, intents.contains { $0.threshold == lowest && $0.isReliable })
        }
    }

    // MARK: Header text

    private static func members(_ header: String) -> [Substring] { header.split(separator: ",") }

    private static func pairs(_ header: String) -> [Substring] {
        members(header).first { $0.hasPrefix("ot=") }?.dropFirst(3).split(separator: ";") ?? []
    }

    private static func number(_ digits: Substring?) -> UInt64? {
        guard let digits, (1...14).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) })
        else { return nil }
        return UInt64(
            String(digits) + String(repeating: "0", count: 14 - digits.utf8.count), radix: 16)
    }

    static func threshold(_ header: String) -> UInt64? {
        number(pairs(header).first { $0.hasPrefix("th:") }?.dropFirst(3))
    }

    static func randomness(_ header: String, _ low: UInt64) -> UInt64 {
        let digits = pairs(header).first { $0.hasPrefix("rv:") }?.dropFirst(3)
        if let digits, digits.utf8.count == 14, let value = number(digits) { return value }
        return low % (1 << 56)
    }

    static func erase(_ header: String) -> String {
        guard pairs(header).contains(where: { $0.hasPrefix("th:") }) else { return header }
        return assemble(header, pairs(header).filter { !$0.hasPrefix("th:") }.map(String.init))
    }

    static func write(_ value: UInt64, _ header: String) -> String {
        if threshold(header) == value { return header }
        var digits = String(value, radix: 16)
        digits = String(repeating: "0", count: 14 - digits.count) + digits
        while digits.hasSuffix("0"), digits.count > 1 { digits.removeLast() }
        let others = pairs(header).filter { !$0.hasPrefix("th:") }.map(String.init)
        return assemble(header, ["th:\(digits)"] + others)
    }

    /// Whether a state is what the reference says, or says the same and was therefore left as it came.
    static func isSame(_ header: String, _ expected: String, parent: String?) -> Bool {
        if header == expected { return true }
        return header == parent && sorted(header) == sorted(expected)
    }

    /// Members and sub-keys without their order, `th` as a number.
    private static func sorted(_ header: String) -> [String] {
        let pairs = pairs(header).map { pair in
            pair.hasPrefix("th:")
                ? "th=\(String(describing: number(pair.dropFirst(3))))" : String(pair)
        }
        return pairs.sorted()
            + members(header).filter { !$0.hasPrefix("ot=") }.sorted().map(String.init)
    }

    private static func assemble(_ header: String, _ pairs: [String]) -> String {
        let others = members(header).filter { !$0.hasPrefix("ot=") }.map(String.init)
        let own = pairs.isEmpty ? [] : ["ot=" + pairs.joined(separator: ";")]
        return (own + others).joined(separator: ",")
    }
}

/// Samplers, parents and ids at random.
struct SamplerSource {
    var generator: SeededGenerator

    static let ratios = [0, 1, 0.5, 0.25, 0.1, 1 / 3.0, 0.75, 0.001]
    static let headers = [
        "", "", "v=1", "ot=th:0", "ot=th:8", "ot=th:c", "ot=th:e666", "ot=th:8,v=1",
        "v=1,ot=th:8;xx:y", "ot=rv:c0000000000000", "ot=rv:20000000000000;th:8",
        "ot=th:4;rv:60000000000000;k:v,w=2", "ot=th:bad!", "ot=th:800", "ot=k:v,v=1",
        "a=1,ot=th:XY;rv:ABCDEFABCDEFAB",
    ]

    mutating func sampler(depth: Int = 3) -> Sampler {
        switch generator.next() % (depth > 0 ? 12 : 4) {
        case 0: .alwaysOn
        case 1: .alwaysOff
        case 2: .traceIDRatio(generator.pick(Self.ratios))
        case 3:
            .probability(
                generator.pick(Self.ratios), precision: Int(generator.next() % 14) + 1)
        case 4...7:
            .parentBased(
                root: sampler(depth: depth - 1), remoteParentSampled: sampler(depth: depth - 1),
                remoteParentNotSampled: sampler(depth: depth - 1),
                localParentSampled: sampler(depth: depth - 1),
                localParentNotSampled: sampler(depth: depth - 1))
        case 8: .alwaysRecord(sampler(depth: depth - 1))
        default: .composite(composable(depth: depth))
        }
    }

    mutating func composable(depth: Int) -> ComposableSampler {
        switch generator.next() % (depth > 0 ? 8 : 3) {
        case 0: return .alwaysOn
        case 1: return .alwaysOff
        case 2: return .probability(generator.pick(Self.ratios))
        case 3, 4: return .parentThreshold(root: composable(depth: depth - 1))
        case 5:
            let rules = (0..<2).map { _ in
                SamplingRule(
                    parents: generator.pick([[.none], [.local], [.remote, .none], []]),
                    sampler: composable(depth: depth - 1))
            }
            return .ruleBased(rules)
        case 6:
            return .annotating(SpanAttributes(), composable(depth: depth - 1))
        default:
            return .anyOf([composable(depth: depth - 1), composable(depth: depth - 1)])
        }
    }

    mutating func parent() -> ReferenceParent? {
        if generator.oneIn(4) { return nil }
        return ReferenceParent(
            isSampled: generator.oneIn(2), isRemote: generator.oneIn(2),
            header: generator.pick(Self.headers))
    }

    /// Often near the thresholds that are about.
    mutating func low() -> UInt64 {
        let edges: [UInt64] = [
            0, 0x80_0000_0000_0000, 0xc0_0000_0000_0000, 0xe6_6600_0000_0000,
            0x40_0000_0000_0000, 0xff_be77_0000_0000,
        ]
        let low = generator.oneIn(2) ? generator.next() : generator.pick(edges)
        return generator.oneIn(3) ? low &- 1 : low
    }
}
