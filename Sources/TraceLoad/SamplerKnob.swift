import Yams

/// The one number of a sampler that decides how much it keeps: a share, or traces or spans a second.
/// A budget turns it. Values only; any thread.
///
/// Of a tail stage it is the number of its last `ratio` policy, else of its last rate; of a head sampler its
/// argument, where samplers stand in one another that of the last that has one. Services with samplers of
/// their own are turned together with the pipeline's.
public struct SamplerKnob: Equatable, Sendable {
    public enum Kind: String, Sendable {
        /// From 0 to 1.
        case share
        /// A second.
        case rate
    }

    public var kind: Kind
    /// As the file has it.
    public var value: Double
    /// Which number it is, such as `traceidratio` or `ratio`.
    public var label: String

    /// What a knob may be turned to.
    public var range: ClosedRange<Double> { kind == .share ? 0...1 : 1e-3...1e9 }

    /// The knob of a pipeline; nil where nothing can be turned, or not all of it alike.
    init?(pipeline: Node) {
        var turner = KnobTurner(value: nil)
        _ = turner.pipeline(pipeline)
        guard let first = turner.found.first,
            turner.found.allSatisfy({ $0.kind == first.kind && $0.label == first.label })
                || turner.found.allSatisfy({ $0.kind == .share })
        else { return nil }
        self = first
    }

    init(kind: Kind, value: Double, label: String) {
        self.kind = kind
        self.value = value
        self.label = label
    }

    /// The pipeline with it turned to `value`.
    func set(_ value: Double, in pipeline: Node) -> Node {
        var turner = KnobTurner(value: min(max(value, range.lowerBound), range.upperBound))
        return turner.pipeline(pipeline)
    }
}

/// Walks through a pipeline's samplers, notes every knob and turns it where there is a value.
private struct KnobTurner {
    /// Nil to look only.
    let value: Double?
    var found: [SamplerKnob] = []

    init(value: Double?) { self.value = value }

    private var text: String {
        guard let value else { return "" }
        return value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
    }

    mutating func pipeline(_ node: Node) -> Node {
        guard case .mapping(var mapping) = node else { return node }
        if let tail = mapping["tail"], tail.string != "none" {
            mapping["tail"] = self.tail(tail)
            return .mapping(mapping)
        }
        if let sampler = mapping["sampler"] { mapping["sampler"] = self.sampler(sampler) }
        if case .mapping(let services)? = mapping["service_samplers"] {
            mapping["service_samplers"] = .mapping(
                Node.Mapping(services.map { ($0.key, sampler($0.value)) }))
        }
        return .mapping(mapping)
    }

    // MARK: Head samplers

    private static let shares = [
        "traceidratio", "parentbased_traceidratio", "probability", "foreign",
    ]
    private static let rates = [
        "ratelimiting", "ratelimit", "rate_limiting", "rate_limit", "adaptive",
    ]

    private func kind(of name: String) -> SamplerKnob.Kind? {
        if Self.shares.contains(name) { return .share }
        return Self.rates.contains(name) ? .rate : nil
    }

    private mutating func sampler(_ node: Node) -> Node {
        guard case .mapping(var mapping) = node else {
            return node.string.map { Node(line($0)) } ?? node
        }
        let name = mapping["name"]?.string?.lowercased() ?? ""
        if let kind = kind(of: name) {
            let written = mapping["argument"]?.string
            note(kind, number(written) ?? 1, name)
            if value != nil { mapping["argument"] = Node(text) }
            return .mapping(mapping)
        }
        for key in ["root", "sampler"] {
            if let child = mapping[key] { mapping[key] = sampler(child) }
        }
        // Of several the last that has one: in rules that is what all the rest gets.
        if case .sequence(let samplers)? = mapping["samplers"] {
            mapping["samplers"] = last(of: Array(samplers)) { $0.sampler($1) }
        }
        if case .sequence(let rules)? = mapping["rules"] {
            mapping["rules"] = last(of: Array(rules)) { turner, rule in
                guard case .mapping(var rule) = rule, let child = rule["sampler"] else {
                    return rule
                }
                rule["sampler"] = turner.sampler(child)
                return .mapping(rule)
            }
        }
        return .mapping(mapping)
    }

    /// Turns the last element that has a knob.
    private mutating func last(
        of elements: [Node], _ turn: (inout KnobTurner, Node) -> Node
    ) -> Node {
        var elements = elements
        for index in elements.indices.reversed() {
            let before = found.count
            elements[index] = turn(&self, elements[index])
            if found.count > before { break }
        }
        return .sequence(Node.Sequence(elements))
    }

    private mutating func line(_ line: String) -> String {
        var words = line.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard let place = words.lastIndex(where: { kind(of: $0.lowercased()) != nil }),
            let kind = kind(of: words[place].lowercased())
        else { return line }
        let isForeign = words[place].lowercased() == "foreign"
        let argument = place + (isForeign ? 2 : 1)
        if argument < words.count, let written = number(words[argument]) {
            note(kind, written, words[place].lowercased())
            if value != nil { words[argument] = text }
        } else if argument == words.count {
            note(kind, 1, words[place].lowercased())
            if value != nil { words.append(text) }
        }
        return words.joined(separator: ":")
    }

    // MARK: Tail stages

    private mutating func tail(_ node: Node) -> Node {
        switch node {
        case .scalar(let scalar): return Node(tailLine(scalar.string))
        case .sequence(let policies): return self.policies(Array(policies))
        case .mapping(var mapping):
            if case .sequence(let policies)? = mapping["policies"] {
                mapping["policies"] = self.policies(Array(policies))
            }
            return .mapping(mapping)
        case .alias: return node
        }
    }

    private mutating func policies(_ nodes: [Node]) -> Node {
        for (key, kind) in [
            ("probabilistic", SamplerKnob.Kind.share), ("rate_limiting", .rate), ("rate", .rate),
        ] {
            var elements = nodes
            for index in elements.indices.reversed() {
                let before = found.count
                elements[index] = policy(elements[index], key, kind)
                if found.count > before { return .sequence(Node.Sequence(elements)) }
            }
        }
        return .sequence(Node.Sequence(nodes))
    }

    private mutating func policy(_ node: Node, _ key: String, _ kind: SamplerKnob.Kind) -> Node {
        guard case .mapping(var mapping) = node else { return node }
        if let written = number(mapping[Node(key)]?.string) {
            note(kind, written, key)
            if value != nil { mapping[Node(key)] = Node(text) }
            return .mapping(mapping)
        }
        if let inner = mapping["composite"] {
            let before = found.count
            mapping["composite"] = policy(inner, key, kind)
            if found.count > before { return .mapping(mapping) }
        }
        // What `not` and `drop` let go is no measure of what is kept.
        for name in ["and", "policies"] {
            guard case .sequence(let parts)? = mapping[Node(name)] else { continue }
            var elements = Array(parts)
            for index in elements.indices.reversed() {
                let before = found.count
                elements[index] = policy(elements[index], key, kind)
                guard found.count > before else { continue }
                mapping[Node(name)] = .sequence(Node.Sequence(elements))
                return .mapping(mapping)
            }
        }
        return .mapping(mapping)
    }

    private mutating func tailLine(_ line: String) -> String {
        for (word, kind) in [
            ("ratio:", SamplerKnob.Kind.share), ("rate:", .rate), ("composite(", .rate),
        ] {
            var place = line.endIndex
            while let range = line[..<place].lastRange(of: word) {
                place = range.lowerBound
                let before = place > line.startIndex ? line[line.index(before: place)] : ":"
                // Not the end of another word, and not in a key or a value.
                guard ":+(,".contains(before) else { continue }
                let rest = line[range.upperBound...]
                let digits = rest.prefix { $0.isNumber || ".eE-%".contains($0) }
                guard let written = number(String(digits)) else { continue }
                note(kind, written, word.filter(\.isLetter))
                guard value != nil else { return line }
                return line[..<range.upperBound] + text + rest[digits.endIndex...]
            }
        }
        return line
    }

    // MARK: Numbers

    private mutating func note(_ kind: SamplerKnob.Kind, _ value: Double, _ label: String) {
        found.append(SamplerKnob(kind: kind, value: value, label: label))
    }

    private func number(_ text: String?) -> Double? {
        guard let text else { return nil }
        return text.hasSuffix("%")
            ? ScenarioUnits.probability(text) : ScenarioUnits.plainNumber(text[...])
    }
}

extension StringProtocol {
    /// Where `word` stands last.
    fileprivate func lastRange(of word: String) -> Range<Index>? {
        ranges(of: word).last
    }
}
