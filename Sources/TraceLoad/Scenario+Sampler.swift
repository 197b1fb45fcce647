import TraceCore
import Yams

/// Samplers from their nodes: a line of text such as `parentbased:ratelimiting:500`, or a mapping that
/// may hold further samplers. Each part is made as it is read, so that what is wrong is said where it
/// stands.
extension ScenarioReader {
    /// Samplers one in another.
    private static let samplerDepthMax = 16

    func sampler(_ node: Node) -> SamplerDeclaration? {
        guard let specification = specification(node, .whole, depth: 0) else { return nil }
        // A part that could not be made has been reported.
        return (try? Sampler(specification: specification)).map {
            SamplerDeclaration(sampler: $0, position: node.position)
        }
    }

    /// Which samplers may stand at a place.
    private enum SamplerPlace {
        case whole
        /// Within a composite one.
        case part

        var forms: [SamplerForm] {
            self == .whole ? SamplerForm.samplers : SamplerForm.composables
        }

        /// As a sampler that can be made.
        func whole(_ specification: SamplerSpecification) -> SamplerSpecification {
            self == .whole
                ? specification
                : SamplerSpecification(name: "composite", children: ["sampler": specification])
        }
    }

    private func specification(
        _ node: Node, _ place: SamplerPlace, depth: Int
    ) -> SamplerSpecification? {
        guard depth < Self.samplerDepthMax else {
            report(
                .badValue, at: node.position,
                "samplers are nested more than \(Self.samplerDepthMax) deep; write fewer")
            return nil
        }
        guard case .scalar(let scalar) = node else {
            guard let fields = fields(of: node, .sampler), let nameNode = fields["name"],
                let name = text(nameNode, "a sampler's name"),
                let form = form(name, place, at: nameNode.position)
            else { return nil }
            return specification(fields, form, place, depth: depth)
        }
        return line(scalar.string, place, node)
    }

    private func form(
        _ name: String, _ place: SamplerPlace, at position: SourcePosition
    ) -> SamplerForm? {
        let name = Self.usualName(name)
        if let form = place.forms.first(where: { $0.name == name.lowercased() }) { return form }
        let names = place.forms.map(\.name)
        if name.lowercased() == "custom" {
            report(
                .notSupported, at: position,
                "a custom sampler is code, which a file cannot hold; write one of "
                    + "\(names.joined(separator: ", ")), or replay with its provider from Swift")
            return nil
        }
        let hint =
            nearest(to: name, among: names).map { "did you mean `\($0)`?" }
            ?? "write one of \(names.joined(separator: ", "))"
        let what = place == .whole ? "no sampler" : "no part of a composite sampler"
        report(.badValue, at: position, "`\(name)` is \(what); \(hint)")
        return nil
    }

    /// The name that a sampler has here, of one that it has elsewhere.
    private static func usualName(_ name: String) -> String {
        ["ratelimit", "rate_limiting", "rate_limit"].contains(name.lowercased())
            ? "ratelimiting" : name
    }

    // MARK: Text

    private func line(_ text: String, _ place: SamplerPlace, _ node: Node) -> SamplerSpecification?
    {
        let words = text.split(separator: ":", omittingEmptySubsequences: false).map { word in
            guard word.hasSuffix("%"), let share = ScenarioUnits.probability(String(word)) else {
                return Self.usualName(String(word))
            }
            return "\(share)"
        }
        // The first name stands for itself; one further on is found by its place among the others.
        guard form(words[0], place, at: node.position) != nil else { return nil }
        do throws(SamplerError) {
            let prefix = place == .whole ? "" : "composite:"
            let whole = try SamplerSpecification(text: prefix + words.joined(separator: ":"))
            _ = try Sampler(specification: whole)
            return place == .whole ? whole : whole.children["sampler"]
        } catch {
            report(.badValue, at: node.position, "\(error)\(hint(words))")
            return nil
        }
    }

    /// For a word that is neither a name nor a number.
    private func hint(_ words: [String]) -> String {
        let names =
            (SamplerForm.samplers + SamplerForm.composables).map(\.name)
            + ForeignRatioAlgorithm.allCases.map(\.rawValue)
        for word in words
        where !names.contains(word.lowercased()) && ScenarioUnits.plainNumber(word[...]) == nil {
            if let nearest = nearest(to: word, among: names) {
                return "; did you mean `\(nearest)`?"
            }
        }
        return ""
    }

    // MARK: Mapping

    private func specification(
        _ fields: ScenarioFields, _ form: SamplerForm, _ place: SamplerPlace, depth: Int
    ) -> SamplerSpecification? {
        guard checkKeys(of: fields, form) else { return nil }
        let issuesBefore = issues.count
        var specification = SamplerSpecification(name: form.name)
        if let node = fields["argument"] {
            specification.argument =
                form.argument == .rate
                ? number(node, "a number of traces per second").map { "\($0)" }
                : probability(node).map { "\($0)" }
        }
        for setting in form.settings {
            guard let node = fields[setting] else { continue }
            specification.settings[setting] =
                setting == "interval"
                ? duration(node).map { "\($0 / 1e9)" } : text(node, "a number or a word")
        }
        let within: SamplerPlace = place == .part || form.name == "composite" ? .part : .whole
        for part in form.requiredChildren + form.optionalChildren {
            guard let node = fields[part] else { continue }
            specification.children[part] = self.specification(node, within, depth: depth + 1)
        }
        if let node = fields["samplers"] {
            specification.samplers = (list(node, "samplers") ?? []).compactMap {
                self.specification($0, .part, depth: depth + 1)
            }
        }
        if let node = fields["rules"] {
            specification.rules = (list(node, "rules") ?? []).compactMap {
                rule($0, depth: depth + 1)
            }
        }
        if let node = fields["attributes"] {
            for entry in entries(node, "attributes") {
                specification.attributes[entry.name] = literal(entry.value)?.attributeValue
            }
        }
        guard issues.count == issuesBefore else { return nil }
        return make(specification, fields, place) ? specification : nil
    }

    /// Nothing that the sampler does not take is there, and nothing that it needs is missing.
    private func checkKeys(of fields: ScenarioFields, _ form: SamplerForm) -> Bool {
        var needed = form.requiredChildren
        if form.argument == .ratio || form.argument == .rate { needed.append("argument") }
        if form.settings.contains("algorithm") { needed.append("algorithm") }
        if form.takesSamplers { needed.append("samplers") }
        if form.takesRules { needed.append("rules") }
        if form.takesAttributes { needed.append("attributes") }
        var known = needed + form.settings + form.optionalChildren
        if form.argument == .optionalRatio { known.append("argument") }
        let issuesBefore = issues.count
        for key in fields.presentKeys where key != "name" && !known.contains(key) {
            report(
                .badCombination, at: fields.keyPosition(key),
                "`\(form.name)` takes no `\(key)`; "
                    + (known.isEmpty
                        ? "it takes nothing" : "it takes \(known.joined(separator: ", "))"))
        }
        for key in needed where fields[key] == nil {
            report(
                .missingKey, at: fields.position,
                "the sampler `\(form.name)` needs the key `\(key)`")
        }
        return issues.count == issuesBefore
    }

    /// Whether the sampler can be made. Its parts can be, so that what is wrong is wrong here.
    private func make(
        _ specification: SamplerSpecification, _ fields: ScenarioFields, _ place: SamplerPlace
    ) -> Bool {
        do throws(SamplerError) {
            _ = try Sampler(specification: place.whole(specification))
            return true
        } catch {
            guard case .badSpecification(let path, let problem, let remedy) = error else {
                report(.badValue, at: fields.position, "\(error)")
                return false
            }
            // The path ends with the setting, where it is one.
            let last = path.split(separator: ".").last.map(String.init) ?? ""
            let key = fields.presentKeys.contains(last) && last != "name" ? last : "argument"
            report(
                .badValue, at: fields[key]?.position ?? fields.position,
                "\(key) of `\(specification.name)`: \(problem); write \(remedy)")
            return false
        }
    }

    private func rule(_ node: Node, depth: Int) -> SamplingRuleSpecification? {
        guard let fields = fields(of: node, .samplingRule), let samplerNode = fields["sampler"],
            let sampler = specification(samplerNode, .part, depth: depth)
        else { return nil }
        var rule = SamplingRuleSpecification(sampler: sampler)
        rule.names = texts(fields["names"], "span names")
        rule.kinds = choices("kinds", fields)
        rule.parents = choices("parents", fields)
        if let node = fields["attributes"] {
            for entry in entries(node, "attributes") {
                let nodes: [Node]
                if case .sequence(let sequence) = entry.value {
                    nodes = Array(sequence)
                } else {
                    nodes = [entry.value]
                }
                rule.attributes[entry.name] = nodes.compactMap { literal($0)?.attributeValue }
                if nodes.isEmpty {
                    report(
                        .badValue, at: entry.value.position,
                        "no value can match an empty list; write one, or put `\(entry.name)` "
                            + "under `present`")
                }
            }
        }
        if let node = fields["patterns"] {
            for entry in entries(node, "patterns") {
                let isList = if case .sequence = entry.value { true } else { false }
                rule.attributePatterns[entry.name] =
                    isList
                    ? texts(entry.value, "patterns")
                    : text(entry.value, "a pattern").map { [$0] } ?? []
            }
        }
        for (key, node) in keys(fields["present"]) {
            if rule.attributes[key] != nil {
                report(
                    .badCombination, at: node.position,
                    "`\(key)` has a value under `attributes` already; remove it here")
            } else {
                rule.attributes[key] = []
            }
        }
        return rule
    }

    private func texts(_ node: Node?, _ what: String) -> [String] {
        keys(node, what).map(\.text)
    }

    private func keys(_ node: Node?, _ what: String = "keys") -> [(text: String, node: Node)] {
        guard let node, let elements = list(node, what) else { return [] }
        if elements.isEmpty {
            report(.badValue, at: node.position, "the list is empty; remove the key for any")
        }
        return elements.compactMap { element in
            text(element, "a text").map { ($0, element) }
        }
    }

    /// A list of the words that the key table allows at this key.
    private func choices(_ key: String, _ fields: ScenarioFields) -> [String] {
        guard let node = fields[key],
            case .list(.choice(let names)) = fields.section.keys.first(where: { $0.name == key })?
                .type
        else { return [] }
        return (list(node, key) ?? []).compactMap { choice($0, names) }
    }
}

extension Scenario {
    /// Every sampler, the pipeline's first.
    var samplers: [SamplerDeclaration] { [pipeline.sampler] + services.compactMap(\.sampler) }

    /// The first sampler whose decisions depend on earlier ones.
    var statefulSampler: SamplerDeclaration? { samplers.first { $0.sampler.keepsState } }
}

extension AttributeLiteral {
    fileprivate var attributeValue: AttributeValue {
        switch self {
        case .string(let value): .string(value)
        case .integer(let value): .int(value)
        case .double(let value): .double(value)
        case .boolean(let value): .bool(value)
        }
    }
}

extension Sampler {
    /// Whether a decision depends on those before it: then their order counts, and a question too many
    /// would change the answers.
    var keepsState: Bool {
        switch self {
        case .rateLimiting, .adaptive, .custom: true
        case .parentBased(let root, let remote, let remoteNot, let local, let localNot):
            [root, remote, remoteNot, local, localNot].contains { $0.keepsState }
        case .alwaysRecord(let sampler): sampler.keepsState
        case .alwaysOn, .alwaysOff, .traceIDRatio, .probability, .composite, .foreign: false
        }
    }

    /// Whether it may have spans recorded that it does not sample.
    var recordsUnsampled: Bool {
        switch self {
        case .alwaysRecord, .custom: true
        case .parentBased(let root, let remote, let remoteNot, let local, let localNot):
            [root, remote, remoteNot, local, localNot].contains { $0.recordsUnsampled }
        default: false
        }
    }

    /// Whether it may set attributes on spans.
    var setsAttributes: Bool {
        switch self {
        case .custom: true
        case .parentBased(let root, let remote, let remoteNot, let local, let localNot):
            [root, remote, remoteNot, local, localNot].contains { $0.setsAttributes }
        case .alwaysRecord(let sampler): sampler.setsAttributes
        case .composite(let part): part.setsAttributes
        case .alwaysOn, .alwaysOff, .traceIDRatio, .probability, .rateLimiting, .adaptive,
            .foreign:
            false
        }
    }
}

extension ComposableSampler {
    fileprivate var setsAttributes: Bool {
        switch self {
        case .annotating: true
        case .parentThreshold(let root): root.setsAttributes
        case .ruleBased(let rules): rules.contains { $0.sampler.setsAttributes }
        case .anyOf(let parts): parts.contains { $0.setsAttributes }
        case .alwaysOn, .alwaysOff, .probability: false
        }
    }
}
