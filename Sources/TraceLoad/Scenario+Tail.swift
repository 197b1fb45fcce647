import TracePipeline
import Yams

/// What a scenario says about tail sampling. Value types; any thread.

/// The tail stage: traces wait, then policies decide on them as a whole.
public struct TailDeclaration: Hashable, Sendable {
    /// From a trace's first span to its decision, ns.
    public var decisionWaitNs: Double = 30e9
    /// Traces that wait at once; the oldest goes undecided when there are more.
    public var traceCountMax = 50_000
    /// Traces whose verdict is remembered for spans that come late.
    public var keptTracesRemembered = 50_000
    public var droppedTracesRemembered = 50_000
    /// At least one. A drop outweighs what samples; what no policy samples is dropped.
    public var policies: [TailPolicyDeclaration] = []
    /// One line that says it all, such as `tail:errors+slow:500ms`: then it has the policies, and the sizes here
    /// are what it says.
    public var line: String?
    public var position = SourcePosition(line: 1, column: 1)
}

public struct TailPolicyDeclaration: Hashable, Sendable {
    /// Span status as a tail policy names it.
    public enum Status: String, Hashable, Sendable, CaseIterable { case unset, ok, error }

    /// A part of a composite policy with its share of the whole's rate.
    public struct Allocation: Hashable, Sendable {
        public var policy: TailPolicyDeclaration
        /// 0…1 of `spansPerSecond`.
        public var share: Double
    }

    public indirect enum Rule: Hashable, Sendable {
        case always
        /// Duration of the trace, ns: at least `lower`; with an upper bound above `lower` and up to
        /// `upper`.
        case latency(lowerNs: Double, upperNs: Double?)
        /// Any span has one of these.
        case statusCode([Status])
        /// Any span or resource has the key with one of the values, or with a text that matches a
        /// pattern (`*` for any letters); `invert`: none has.
        case string(key: String, values: [String], patterns: [String], invert: Bool)
        /// Both ends belong to it.
        case number(key: String, min: Double, max: Double, invert: Bool)
        case boolean(key: String, value: Bool, invert: Bool)
        case probabilistic(share: Double)
        /// Spans a second.
        case rateLimiting(spansPerSecond: Double)
        /// Spans of the trace; both ends belong to it.
        case spanCount(min: Int, max: Int)
        /// The tracestate has the key with one of the values.
        case traceState(key: String, values: [String])
        /// All of them sample.
        case and([TailPolicyDeclaration])
        case not(TailPolicyDeclaration)
        /// All of them sample: the trace is dropped, whatever others say.
        case drop([TailPolicyDeclaration])
        /// In order; a policy over its share falls through to the next.
        case composite(spansPerSecond: Double, [Allocation])
    }

    /// The author's, or the rule's form with a number.
    public var name: String
    public var rule: Rule
    public var position: SourcePosition
}

extension TailDeclaration {
    /// What a line begins with, in a scenario optional.
    static let linePrefix = "tail:"
}

extension ScenarioReader {
    /// Policies one in another, and in all.
    private static let policyDepthMax = 16
    private static let policiesMax = 1000

    /// `{policies: […], decision_wait: …}`, only the list, or a line; `none` for no stage.
    func tail(_ node: Node) -> TailDeclaration? {
        var tail = TailDeclaration()
        tail.position = node.position
        if case .scalar(let scalar) = node {
            guard scalar.string != "none" else { return nil }
            let prefix = TailDeclaration.linePrefix
            let line = scalar.string.hasPrefix(prefix) ? scalar.string : prefix + scalar.string
            do throws(TailSamplingError) {
                let sampling = try TailSampling(text: line)
                tail.line = line
                tail.decisionWaitNs = Double(sampling.decisionWaitMs) * 1e6
                tail.traceCountMax = sampling.tracesMax
                tail.keptTracesRemembered = sampling.keptDecisionsMax
                tail.droppedTracesRemembered = sampling.droppedDecisionsMax
                return tail
            } catch {
                report(.badValue, at: node.position, "\(error)")
                return nil
            }
        }
        if case .sequence = node {
            tail.policies = policies(node, depth: 0)
            return tail
        }
        guard let fields = fields(of: node, .tail) else { return nil }
        tail.decisionWaitNs = fields.duration("decision_wait") ?? tail.decisionWaitNs
        tail.traceCountMax = fields.integer("num_traces") ?? tail.traceCountMax
        tail.keptTracesRemembered = fields.integer("kept_cache") ?? tail.keptTracesRemembered
        tail.droppedTracesRemembered =
            fields.integer("dropped_cache") ?? tail.droppedTracesRemembered
        for key in ["num_traces", "kept_cache", "dropped_cache"] {
            guard let node = fields[key], let count = fields.integer(key), count > 10_000_000 else {
                continue
            }
            report(.tooLarge, at: node.position, "at most 10000000 traces, found \(count)")
        }
        if let node = fields["policies"] { tail.policies = policies(node, depth: 0) }
        return tail
    }

    private func policies(_ node: Node, depth: Int) -> [TailPolicyDeclaration] {
        guard let elements = list(node, "tail policies") else { return [] }
        if elements.isEmpty {
            report(
                .missingKey, at: node.position,
                "at least one policy is needed, such as `{status_code: [error]}`")
        }
        return elements.compactMap { policy($0, depth: depth, mayShare: false)?.policy }
    }

    private func policy(
        _ node: Node, depth: Int, mayShare: Bool
    ) -> TailPolicyDeclaration.Allocation? {
        policyCount += 1
        guard depth < Self.policyDepthMax, policyCount <= Self.policiesMax else {
            report(
                .tooLarge, at: node.position,
                "at most \(Self.policiesMax) policies, nested at most \(Self.policyDepthMax) deep; "
                    + "write fewer")
            return nil
        }
        guard let fields = fields(of: node, .tailPolicy) else { return nil }
        let forms = fields.presentKeys.filter { $0 != "name" && $0 != "share" }
        guard forms.count == 1, let form = forms.first, let value = fields[form] else {
            if fields.hasUnknownKeys, forms.isEmpty { return nil }
            report(
                .badCombination, at: node.position,
                "a tail policy has exactly one form, found "
                    + "\(forms.isEmpty ? "none" : forms.joined(separator: ", ")); write for example "
                    + "`{latency: 500ms}`")
            return nil
        }
        if mayShare != (fields["share"] != nil) {
            report(
                .badCombination, at: mayShare ? node.position : fields.keyPosition("share"),
                mayShare
                    ? "a policy of `composite` needs its `share` of the rate, such as `share: 50%`"
                    : "`share` belongs to the policies of `composite`; remove it")
        }
        guard let rule = rule(form, value, fields, depth: depth) else { return nil }
        let policy = TailPolicyDeclaration(
            name: fields.string("name") ?? form, rule: rule, position: node.position)
        return .init(policy: policy, share: mayShare ? fields.probability("share") ?? 0 : 1)
    }

    private func rule(
        _ form: String, _ node: Node, _ fields: ScenarioFields, depth: Int
    ) -> TailPolicyDeclaration.Rule? {
        switch form {
        case "always": return choice(node, ["true"]).map { _ in .always }
        case "latency": return latencyRule(node)
        case "status_code": return statusRule(node)
        case "string_attribute", "trace_state":
            return textRule(node, isState: form == "trace_state")
        case "numeric_attribute": return numberRule(node)
        case "boolean_attribute":
            guard let fields = self.fields(of: node, .booleanRule), let key = fields.string("key")
            else { return nil }
            return .boolean(
                key: key, value: fields.boolean("value") ?? true,
                invert: fields.boolean("invert") ?? false)
        case "probabilistic": return probability(node).map { .probabilistic(share: $0) }
        case "rate_limiting": return spanRate(node).map { .rateLimiting(spansPerSecond: $0) }
        case "span_count": return spanCountRule(node)
        case "and": return .and(policies(node, depth: depth + 1))
        case "drop": return .drop(policies(node, depth: depth + 1))
        case "not": return policy(node, depth: depth + 1, mayShare: false).map { .not($0.policy) }
        default: return compositeRule(node, depth: depth)
        }
    }

    private func latencyRule(_ node: Node) -> TailPolicyDeclaration.Rule? {
        if case .scalar = node { return duration(node).map { .latency(lowerNs: $0, upperNs: nil) } }
        guard let fields = fields(of: node, .latencyRule), let lower = fields.duration("lower")
        else { return nil }
        let upper = fields.duration("upper")
        if let upper, upper <= lower, let node = fields["upper"] {
            report(.badValue, at: node.position, "`upper` must be above `lower`")
        }
        return .latency(lowerNs: lower, upperNs: upper)
    }

    private func statusRule(_ node: Node) -> TailPolicyDeclaration.Rule? {
        guard let elements = list(node, "statuses such as `[error]`") else { return nil }
        let names = TailPolicyDeclaration.Status.allCases.map(\.rawValue)
        let statuses = elements.compactMap { element in
            choice(element, names).flatMap(TailPolicyDeclaration.Status.init(rawValue:))
        }
        if elements.isEmpty {
            report(.missingKey, at: node.position, "at least one status is needed: `[error]`")
        }
        return .statusCode(statuses)
    }

    private func textRule(_ node: Node, isState: Bool) -> TailPolicyDeclaration.Rule? {
        guard let fields = fields(of: node, isState ? .traceStateRule : .stringRule),
            let key = fields.string("key")
        else { return nil }
        func texts(_ name: String) -> [String] {
            fields[name].flatMap { list($0, "texts") }?.compactMap { text($0, "a text") } ?? []
        }
        let values = texts("values")
        let patterns = isState ? [] : texts("patterns")
        if values.isEmpty, patterns.isEmpty {
            report(
                .missingKey, at: node.position,
                "no text would match; write for example `values: [a, b]`")
        }
        if isState { return .traceState(key: key, values: values) }
        return .string(
            key: key, values: values, patterns: patterns,
            invert: fields.boolean("invert") ?? false)
    }

    private func numberRule(_ node: Node) -> TailPolicyDeclaration.Rule? {
        guard let fields = fields(of: node, .numberRule), let key = fields.string("key") else {
            return nil
        }
        let (low, high) = (fields.number("min"), fields.number("max"))
        guard low != nil || high != nil, low ?? -.infinity <= high ?? .infinity else {
            report(
                .badValue, at: node.position,
                "a range of numbers has `min`, `max` or both, the smaller first")
            return nil
        }
        return .number(
            key: key, min: low ?? -.infinity, max: high ?? .infinity,
            invert: fields.boolean("invert") ?? false)
    }

    private func spanCountRule(_ node: Node) -> TailPolicyDeclaration.Rule? {
        guard let fields = fields(of: node, .spanCountRule) else { return nil }
        let (low, high) = (fields.integer("min"), fields.integer("max"))
        guard low != nil || high != nil, low ?? 0 <= high ?? .max else {
            report(
                .badValue, at: node.position,
                "a range of span counts has `min`, `max` or both, the smaller first")
            return nil
        }
        return .spanCount(min: low ?? 0, max: high ?? .max)
    }

    private func spanRate(_ node: Node) -> Double? {
        guard let rate = number(node, "spans a second") else { return nil }
        guard rate > 0, rate <= 1e9 else {
            report(
                .badRate, at: node.position, "`\(rate)` is no rate; write spans a second, above 0")
            return nil
        }
        return rate
    }

    private func compositeRule(_ node: Node, depth: Int) -> TailPolicyDeclaration.Rule? {
        guard let fields = fields(of: node, .compositeRule),
            let rate = fields["rate"].flatMap({ spanRate($0) }), let listNode = fields["policies"],
            let elements = list(listNode, "tail policies")
        else { return nil }
        let parts = elements.compactMap { policy($0, depth: depth + 1, mayShare: true) }
        let sum = parts.reduce(0) { $0 + $1.share }
        if elements.isEmpty || sum > 1 + 1e-9 {
            report(
                .badCombination, at: listNode.position,
                elements.isEmpty
                    ? "`composite` shares its rate among policies; write at least one"
                    : "the shares add up to \(sum), more than the whole; lower some")
        }
        return .composite(spansPerSecond: rate, parts)
    }
}
