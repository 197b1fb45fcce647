// Consistent probability sampling, put together from parts that say which share they want instead of deciding.
// Source: OpenTelemetry specification, "CompositeSampler", "Built-in ComposableSamplers"; OTEP 250 for any-of;
// the conditions of rules are those of OpenTelemetry's declarative configuration.

/// A part of `Sampler.composite`. It gives a threshold, or none to drop, and whether that threshold says how
/// many spans a kept one stands for. The whole then keeps a span when R ≥ T, and writes `th` when it does.
public indirect enum ComposableSampler: Sendable, Equatable, CustomStringConvertible {
    /// Wants everything: threshold 0.
    case alwaysOn
    /// Wants nothing: no threshold.
    case alwaysOff
    /// Wants this share. 0 is as `alwaysOff`.
    case probability(Double, precision: Int = ProbabilityThreshold.defaultPrecision)
    /// Wants what the parent's `th` says, whatever its flag says. A parent without `th`: all or nothing,
    /// by its flag, and no longer a share that counts can be adjusted by. No parent: `root`.
    case parentThreshold(root: ComposableSampler)
    /// Asks the sampler of the first rule that matches; wants nothing when none does.
    case ruleBased([SamplingRule])
    /// Wants what the other wants, and sets these attributes on sampled spans.
    case annotating(SpanAttributes, ComposableSampler)
    /// Wants the most that one of them wants: the lowest threshold. Every one of them sets its attributes.
    case anyOf([ComposableSampler])

    public static func == (left: ComposableSampler, right: ComposableSampler) -> Bool {
        left.description == right.description
    }

    public var description: String {
        switch self {
        case .alwaysOn: "ComposableAlwaysOnSampler"
        case .alwaysOff: "ComposableAlwaysOffSampler"
        case .probability(let probability, let precision):
            "ComposableProbabilitySampler{\(DecimalText.of(probability))"
                + "\(DecimalText.suffix(precision: precision))}"
        case .parentThreshold(let root): "ComposableParentThresholdSampler{\(root)}"
        case .ruleBased(let rules):
            "ComposableRuleBasedSampler{\(rules.map(\.description).joined(separator: ","))}"
        case .annotating(let attributes, let sampler):
            "ComposableAnnotatingSampler{\(sampler),{\(Self.text(attributes))}}"
        case .anyOf(let samplers):
            "ComposableAnyOfSampler{\(samplers.map(\.description).joined(separator: ","))}"
        }
    }

    private static func text(_ attributes: SpanAttributes) -> String {
        attributes.pairs.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    }
}

/// A rule of a rule-based sampler: conditions that must all hold, and what is asked then. A rule without
/// conditions always matches.
public struct SamplingRule: Sendable, CustomStringConvertible {
    /// Which parent a span has.
    public enum Parent: String, Sendable, CaseIterable {
        case none, local, remote
    }

    /// What an attribute must be. Only attributes that are given at the start can match.
    public enum AttributeCondition: Sendable, Hashable, CustomStringConvertible {
        /// The attribute is there.
        case present(String)
        /// The attribute has one of these values, of the same type.
        case equal(String, [AttributeValue])
        /// The attribute is a string that one of these patterns matches.
        case matching(String, [String])

        public var description: String {
            switch self {
            case .present(let key): key
            case .equal(let key, let values):
                "\(key)=\(values.map(\.description).joined(separator: "|"))"
            case .matching(let key, let patterns): "\(key)~\(patterns.joined(separator: "|"))"
            }
        }
    }

    /// A condition of one's own, with a name for the description. It must not look at the trace id or
    /// the parent's flag: shares would no longer be what they say.
    public struct Condition: Sendable {
        public var name: String
        public var holds: @Sendable (SamplingRequest) -> Bool

        public init(_ name: String, _ holds: @escaping @Sendable (SamplingRequest) -> Bool) {
            self.name = name
            self.holds = holds
        }
    }

    /// Span names, one of which must match; none: any name. `*` stands for any characters, `?` for one byte.
    public var names: [String]
    /// Kinds, one of which the span must have; none: any kind.
    public var kinds: [SpanKind]
    /// Parents, one of which the span must have; none: any parent.
    public var parents: [Parent]
    /// Attributes that must all be as they say.
    public var attributes: [AttributeCondition]
    public var condition: Condition?
    public var sampler: ComposableSampler

    public init(
        names: [String] = [], kinds: [SpanKind] = [], parents: [Parent] = [],
        attributes: [AttributeCondition] = [], condition: Condition? = nil,
        sampler: ComposableSampler
    ) {
        self.names = names
        self.kinds = kinds
        self.parents = parents
        self.attributes = attributes
        self.condition = condition
        self.sampler = sampler
    }

    public var description: String {
        var conditions: [String] = []
        if !names.isEmpty { conditions.append("name=\(names.joined(separator: "|"))") }
        if !kinds.isEmpty { conditions.append("kind=\(Self.alternatives(kinds))") }
        if !parents.isEmpty { conditions.append("parent=\(Self.alternatives(parents))") }
        conditions += attributes.map(\.description)
        if let condition { conditions.append(condition.name) }
        return "(\(conditions.isEmpty ? "*" : conditions.joined(separator: " & ")):\(sampler))"
    }

    private static func alternatives<Value>(_ values: [Value]) -> String {
        values.map { "\($0)" }.joined(separator: "|")
    }
}
