import Yams

/// A value written out in a scenario.
public enum AttributeLiteral: Hashable, Sendable {
    case string(String)
    case integer(Int)
    case double(Double)
    case boolean(Bool)
}

/// Where an attribute's value comes from.
public struct AttributeGenerator: Hashable, Sendable {
    public enum Source: Hashable, Sendable {
        case literal(AttributeLiteral)
        /// Weights are relative and as many as the values.
        case oneOf([AttributeLiteral], weights: [Double])
        /// `prefix` and a rank from 1 to `cardinality`, of frequency rank^−exponent.
        case zipf(cardinality: Int, exponent: Double, prefix: String)
        case integer(ClosedRange<Int>)
        /// Letters and digits.
        case string(length: Distribution)
        /// Counts up over the run, in order of arrival.
        case sequence(start: Int)
        /// The prefix and 16 hexadecimal digits that no other span has.
        case unique(prefix: String)
        /// The value of a key of the nearest span above that has it; none when no span has.
        case inherit(key: String)
        /// What stands under that name in the baggage that arrived, or that the span's own operation
        /// added to it; none when nothing does.
        case baggage(key: String)
    }

    /// How often a value is drawn anew.
    public enum Scope: String, Hashable, Sendable {
        case span, trace, instance
    }

    public var source: Source
    public var scope: Scope

    public init(source: Source, scope: Scope = .span) {
        self.source = source
        self.scope = scope
    }
}

/// An attribute of an operation, an event or a resource.
public struct AttributeDeclaration: Hashable, Sendable {
    public var key: String
    public var generator: AttributeGenerator
    public var position: SourcePosition
}

extension ScenarioReader {
    /// Ranks a Zipf generator may have: its table takes 8 bytes a rank, and its texts about 20.
    static let zipfCardinalityMax = 1_000_000
    static let stringLengthMax = 65_536
    /// Attributes of one span, event or resource.
    static let attributesMax = 1000

    func attributes(_ node: Node) -> [AttributeDeclaration] {
        let entries = entries(node, "attributes")
        if entries.count > Self.attributesMax {
            report(
                .tooLarge, at: entries[Self.attributesMax].position,
                "at most \(Self.attributesMax) attributes in one place, found \(entries.count)")
        }
        return entries.prefix(Self.attributesMax).compactMap { entry in
            generator(entry.value).map {
                AttributeDeclaration(key: entry.name, generator: $0, position: entry.position)
            }
        }
    }

    /// A plain scalar by YAML's core schema (`true`, `false`, whole numbers, numbers); quoted, or
    /// anything else, a string.
    func literal(_ node: Node) -> AttributeLiteral? {
        guard case .scalar(let scalar) = node else {
            report(
                .notSupported, at: node.position,
                "\(node.phrase) as an attribute value is not supported in this version; "
                    + "write a text, a number, true or false")
            return nil
        }
        guard scalar.style == .plain else { return .string(scalar.string) }
        switch scalar.string {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "", "~", "null":
            report(
                .badGenerator, at: node.position, "an attribute needs a value; quote it if empty")
            return nil
        case let text:
            if let integer = Int(text) { return .integer(integer) }
            return ScenarioUnits.plainNumber(text[...]).map { .double($0) } ?? .string(text)
        }
    }

    func generator(_ node: Node) -> AttributeGenerator? {
        guard case .mapping = node else {
            return literal(node).map { AttributeGenerator(source: .literal($0)) }
        }
        guard let fields = fields(of: node, .generator) else { return nil }
        let forms = fields.presentKeys.filter { $0 != "per" && $0 != "weights" }
        guard forms.count == 1, let form = forms.first, let value = fields[form] else {
            if fields.hasUnknownKeys, forms.isEmpty { return nil }
            report(
                .badGenerator, at: node.position,
                "a generator has exactly one form, found \(forms.isEmpty ? "none" : forms.joined(separator: ", ")); "
                    + "write for example `{one_of: [a, b]}`")
            return nil
        }
        if form != "one_of", fields["weights"] != nil {
            report(
                .badGenerator, at: fields.keyPosition("weights"),
                "`weights` goes with `one_of`; remove it")
        }
        let scope: AttributeGenerator.Scope = fields.choice("per") ?? .span
        return source(form, value, fields).map { AttributeGenerator(source: $0, scope: scope) }
    }

    private func source(
        _ form: String, _ node: Node, _ fields: ScenarioFields
    ) -> AttributeGenerator.Source? {
        switch form {
        case "one_of": return oneOf(node, weights: fields["weights"])
        case "zipf":
            guard let zipf = self.fields(of: node, .zipf),
                let cardinality = zipf.integer("cardinality")
            else { return nil }
            let exponent = zipf["s"] == nil ? 1 : zipf.number("s")
            guard cardinality <= Self.zipfCardinalityMax, let exponent, exponent >= 0 else {
                report(
                    .badGenerator, at: node.position,
                    "zipf takes a cardinality up to \(Self.zipfCardinalityMax) and s ≥ 0; "
                        + "for more different values use `unique`")
                return nil
            }
            return .zipf(
                cardinality: cardinality, exponent: exponent, prefix: zipf.string("prefix") ?? "")
        case "int":
            guard let elements = list(node, "`[min, max]`") else { return nil }
            let numbers = elements.compactMap { integer($0, minimum: -(1 << 53)) }
            guard numbers.count == elements.count else { return nil }
            guard numbers.count == 2, numbers[0] <= numbers[1], numbers[1] <= 1 << 53 else {
                report(
                    .badGenerator, at: node.position,
                    "`int` takes `[min, max]`, the smaller first, within ±2^53")
                return nil
            }
            return .integer(numbers[0]...numbers[1])
        case "string":
            guard let section = self.fields(of: node, .randomString),
                let lengthNode = section["length"],
                let length = distribution(lengthNode, .number)
            else { return nil }
            guard length.least >= 0, length.most <= Double(Self.stringLengthMax) else {
                report(
                    .badGenerator, at: lengthNode.position,
                    "a length is between 0 and \(Self.stringLengthMax); add a `clamp`")
                return nil
            }
            return .string(length: length)
        case "sequence":
            return self.fields(of: node, .sequence).map {
                .sequence(start: $0.integer("start") ?? 0)
            }
        case "unique": return text(node, "a prefix").map { .unique(prefix: $0) }
        case "baggage": return text(node, "a name in the baggage").map { .baggage(key: $0) }
        default: return text(node, "an attribute key").map { .inherit(key: $0) }
        }
    }

    private func oneOf(_ node: Node, weights weightsNode: Node?) -> AttributeGenerator.Source? {
        guard let elements = list(node, "values") else { return nil }
        let literals = elements.compactMap { literal($0) }
        guard literals.count == elements.count else { return nil }
        guard !literals.isEmpty else {
            report(.badGenerator, at: node.position, "`one_of` needs at least one value")
            return nil
        }
        var weights = [Double](repeating: 1, count: literals.count)
        if let weightsNode {
            guard let nodes = list(weightsNode, "weights") else { return nil }
            weights = nodes.compactMap { weight($0) }
            guard weights.count == literals.count, weights.contains(where: { $0 > 0 }) else {
                report(
                    .badGenerator, at: weightsNode.position,
                    "`weights` needs a number for each of the \(literals.count) values, "
                        + "at least one above 0")
                return nil
            }
        }
        return .oneOf(literals, weights: weights)
    }
}
