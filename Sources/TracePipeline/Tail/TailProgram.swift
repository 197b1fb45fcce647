// The policies of a stage, ready to be asked. Exporter thread only.

import TraceCore

/// Decides about traces and counts who decided.
final class TailProgram: TraceDecider {
    private struct Policy {
        var name: String
        var node: TailNode
        var drops: Bool
        var traces: UInt64 = 0
    }

    private var policies: [Policy]
    /// Those that drop, then the others, each in the order in which they are written.
    private let order: [Int]
    private let conditions: TailConditions
    /// Traces that no policy wanted.
    private(set) var unwantedTraces: UInt64 = 0
    private(set) var lateAges = TailAgeHistogram()
    let scansSpans: Bool

    /// - Parameter resource: a stream's resource, as fields of ResourceSpans.
    init(
        _ settings: TailSampling, resource: @escaping (Int) -> [UInt8]
    ) throws(ConfigurationError) {
        try settings.validate()
        let conditions = TailConditions(resource: resource)
        var policies: [Policy] = []
        do {
            for policy in settings.policies {
                var drops = false
                var rule = policy.rule
                if case .drop(let rules) = rule {
                    drops = true
                    rule = .and(rules)
                }
                policies.append(
                    Policy(
                        name: policy.name, node: try TailNode(rule, conditions), drops: drops))
            }
        } catch {
            throw .invalidSetting(name: "tail.policies", reason: "\(error)")
        }
        self.policies = policies
        order =
            policies.indices.filter { policies[$0].drops }
            + policies.indices.filter { !policies[$0].drops }
        self.conditions = conditions
        scansSpans = conditions.allBits != 0
    }

    /// Traces that each policy decided, in the order in which they are written.
    var decisions: [TailFigures.Decisions] {
        policies.map {
            TailFigures.Decisions(
                policy: $0.name, drops: $0.drops, keptTraces: $0.drops ? 0 : $0.traces,
                droppedTraces: $0.drops ? $0.traces : 0)
        }
    }

    func scan(_ message: UnsafeRawBufferPointer, stream: Int, known: UInt64) -> UInt64 {
        unsafe conditions.scan(message, stream: stream, known: known)
    }

    func keeps(_ trace: borrowing HeldTrace) -> Bool {
        let facts = TraceFacts(trace)
        for index in order where policies[index].node.matches(facts) {
            policies[index].traces += 1
            policies[index].node.spend(facts)
            return !policies[index].drops
        }
        unwantedTraces += 1
        return false
    }

    func noteLate(ageNs: UInt64) { lateAges.add(ns: ageNs) }
}

/// What rules look at.
struct TraceFacts {
    var traceID: TraceID
    var durationNs: UInt64
    var spans: UInt32
    var statuses: UInt32
    var conditions: UInt64
    /// The instant of the decision: when the wait was over, whenever the thread came to it.
    var nowNs: UInt64

    init(_ trace: borrowing HeldTrace) {
        traceID = trace.traceID
        // A trace has an end and a start from its first span on, and no end is before its start.
        durationNs = trace.endUnixNano - min(trace.endUnixNano, trace.startUnixNano)
        spans = trace.spans
        statuses = trace.statuses
        conditions = trace.conditions
        nowNs = trace.deadlineNs
    }
}

/// A rule, ready to be asked. Asking changes nothing; who decides by it says so afterwards, and only then
/// budgets are spent.
final class TailNode {
    private enum Kind {
        case always
        case latency(atLeastNs: UInt64, atMostNs: UInt64?)
        case status(mask: UInt32)
        case condition(bit: UInt64, isInverted: Bool)
        case probabilistic(TraceShare)
        case rate(SpanBudget)
        case spanCount(ClosedRange<UInt32>)
        case and([TailNode])
        case not(TailNode)
        case composite([(node: TailNode, budget: SpanBudget)])
    }

    private let kind: Kind

    init(_ rule: TailRule, _ conditions: TailConditions) throws(TailPattern.Failure) {
        func nodes(_ rules: [TailRule]) throws(TailPattern.Failure) -> [TailNode] {
            var nodes: [TailNode] = []
            for rule in rules { nodes.append(try TailNode(rule, conditions)) }
            return nodes
        }
        switch rule {
        case .always: kind = .always
        case .latency(let atLeast, let atMost):
            kind = .latency(atLeastNs: atLeast, atMostNs: atMost)
        case .status(let statuses):
            kind = .status(mask: statuses.reduce(0) { $0 | 1 << UInt32($1.rawValue) })
        case .attribute(let condition):
            kind = .condition(bit: try conditions.add(condition), isInverted: condition.isInverted)
        case .traceState(let key, let values):
            kind = .condition(
                bit: conditions.addTraceState(key: key, values: values), isInverted: false)
        case .probabilistic(let share, let salt):
            kind = .probabilistic(TraceShare(share, salt: salt))
        case .rateLimiting(let rate): kind = .rate(SpanBudget(spansPerS: rate))
        case .spanCount(let atLeast, let atMost):
            let low = UInt32(clamping: atLeast)
            kind = .spanCount(low...max(low, UInt32(clamping: atMost ?? .max)))
        case .and(let rules), .drop(let rules): kind = .and(try nodes(rules))
        case .not(let rule): kind = .not(try TailNode(rule, conditions))
        case .composite(let composite):
            var parts: [(TailNode, SpanBudget)] = []
            for part in composite.parts {
                let share = part.share ?? composite.equalShare
                parts.append(
                    (
                        try TailNode(part.rule, conditions),
                        SpanBudget(spansPerS: composite.spansPerS * share)
                    ))
            }
            kind = .composite(parts)
        }
    }

    /// Whether the rule says yes.
    func matches(_ trace: TraceFacts) -> Bool {
        switch kind {
        case .always: true
        case .latency(let atLeast, nil): trace.durationNs >= atLeast
        case .latency(let above, let atMost?):
            trace.durationNs > above && trace.durationNs <= atMost
        case .status(let mask): trace.statuses & mask != 0
        case .condition(let bit, let isInverted): (trace.conditions & bit != 0) != isInverted
        case .probabilistic(let share): share.contains(trace.traceID)
        case .rate(let budget): budget.admits(trace.spans, atNs: trace.nowNs)
        case .spanCount(let range): range.contains(trace.spans)
        case .and(let nodes): nodes.allSatisfy { $0.matches(trace) }
        case .not(let node): !node.matches(trace)
        case .composite(let parts): Self.part(of: parts, for: trace) != nil
        }
    }

    /// The trace was decided by this rule, which has said yes.
    func spend(_ trace: TraceFacts) {
        switch kind {
        case .rate(let budget): budget.spend(trace.spans)
        case .and(let nodes): for node in nodes { node.spend(trace) }
        case .composite(let parts):
            guard let part = Self.part(of: parts, for: trace) else { return }
            part.budget.spend(trace.spans)
            part.node.spend(trace)
        default: break
        }
    }

    private static func part(
        of parts: [(node: TailNode, budget: SpanBudget)], for trace: TraceFacts
    ) -> (node: TailNode, budget: SpanBudget)? {
        parts.first {
            $0.node.matches(trace) && $0.budget.admits(trace.spans, atNs: trace.nowNs)
        }
    }
}

/// A share of traces by a hash of salt and trace id, as the OpenTelemetry Collector computes it: FNV-1a of
/// 64 bits, kept up to a threshold.
struct TraceShare {
    private static let prime: UInt64 = 0x100_0000_01b3

    private let salted: UInt64
    /// Nil keeps nothing.
    private let threshold: UInt64?

    init(_ share: Double, salt: String) {
        salted = (salt.isEmpty ? TailRule.defaultSalt : salt).utf8
            .reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* Self.prime }
        // Exact: a share is 53 bits, and 2⁶⁴ − 1 times it rounds towards zero.
        threshold =
            share <= 0 ? nil : share >= 1 ? .max : Self.scaled(share)
    }

    /// ⌊share · (2⁶⁴ − 1)⌋ for a share between 0 and 1, in whole numbers.
    private static func scaled(_ share: Double) -> UInt64 {
        // share = significand · 2^-shift, with a significand of 53 bits.
        let shift = 52 - Int(share.exponent)
        let significand = UInt64(share.significandBitPattern) | 1 << 52
        let product = UInt64.max.multipliedFullWidth(by: significand)
        if shift >= 128 { return 0 }
        return shift >= 64
            ? product.high >> UInt64(shift - 64)
            : product.high << UInt64(64 - shift) | product.low >> UInt64(shift)
    }

    func contains(_ traceID: TraceID) -> Bool {
        guard let threshold else { return false }
        return hash(traceID) <= threshold
    }

    func hash(_ traceID: TraceID) -> UInt64 {
        var hash = salted
        for word in [traceID.high, traceID.low] {
            for shift in stride(from: UInt64(56), through: 0, by: -8) {
                hash = (hash ^ (word >> shift & 0xff)) &* Self.prime
            }
        }
        return hash
    }
}
