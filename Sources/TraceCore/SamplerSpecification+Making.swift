// From what was written to the sampler, and from short text to what was written.

extension Sampler {
    /// Every name that `init(name:argument:)` knows: those of OTEL_TRACES_SAMPLER.
    public static let names = [
        "always_on", "always_off", "traceidratio", "parentbased_always_on",
        "parentbased_always_off", "parentbased_traceidratio",
    ]

    /// A sampler by its OTEL_TRACES_SAMPLER name, in any case.
    /// - Parameter argument: the ratio, 0…1, of the two that take one; 1 when absent. The others do not
    ///   look at it.
    public init(name: String, argument: String? = nil) throws(SamplerError) {
        switch name.lowercased() {
        case "always_on": self = .alwaysOn
        case "always_off": self = .alwaysOff
        case "traceidratio": self = .traceIDRatio(try Self.ratio(argument))
        case "parentbased_always_on": self = .parentBased(root: .alwaysOn)
        case "parentbased_always_off": self = .parentBased(root: .alwaysOff)
        case "parentbased_traceidratio":
            self = .parentBased(root: .traceIDRatio(try Self.ratio(argument)))
        default: throw .unknownName(name)
        }
    }

    private static func ratio(_ argument: String?) throws(SamplerError) -> Double {
        guard let argument, !argument.isEmpty else { return 1 }
        guard let ratio = Double(argument), ratio >= 0, ratio <= 1 else {
            throw .badRatio(argument)
        }
        return ratio
    }

    /// The sampler that was written down.
    public init(specification: SamplerSpecification) throws(SamplerError) {
        self = try SpecificationReader.sampler(specification, at: "")
    }

    /// The sampler in one line of text: a name, its argument and the sampler within, parted by colons, such as
    /// `traceidratio:0.1`, `parentbased:ratelimiting:500`, `foreign:go:0.1`,
    /// `composite:parent_threshold:probability:0.1`.
    public init(text: String) throws(SamplerError) {
        try self.init(specification: SamplerSpecification(text: text))
    }
}

extension SamplerSpecification {
    /// Reads one line of text. What takes rules, attributes or several samplers cannot be said in one.
    public init(text: String) throws(SamplerError) {
        let words = text.split(separator: ":", omittingEmptySubsequences: false).map {
            String($0.drop { $0 == " " })
        }
        guard words.count <= Self.wordsMax else {
            throw .badSpecification(
                path: "\"\(words[0]):…\"", problem: "it has more than \(Self.wordsMax) parts",
                remedy: "fewer samplers one in another")
        }
        self = try Self.read(words[...], forms: SamplerForm.samplers, path: "")
    }

    private static let wordsMax = 32

    private static func read(
        _ words: ArraySlice<String>, forms: [SamplerForm], path: String
    ) throws(SamplerError) -> SamplerSpecification {
        let name = words.first?.lowercased() ?? ""
        let form = try SpecificationReader.form(name, in: forms, at: path)
        let path = SpecificationReader.join(path, name)
        var specification = SamplerSpecification(name: name)
        var rest = words.dropFirst()
        if form.takesRules || form.takesSamplers || form.takesAttributes {
            throw .badSpecification(
                path: path, problem: "it cannot be said in one line",
                remedy: "it as a tree in a scenario file")
        }
        if form.settings.contains("algorithm"), let algorithm = rest.popFirst() {
            specification.settings["algorithm"] = algorithm
        }
        if form.argument != .none { specification.argument = rest.popFirst() }
        if let part = form.requiredChildren.first {
            let within = name == "composite" || name == "parent_threshold"
            specification.children[part] = try read(
                rest, forms: within ? SamplerForm.composables : SamplerForm.samplers,
                path: SpecificationReader.join(path, part))
        } else if !rest.isEmpty {
            throw .badSpecification(
                path: path, problem: "\"\(rest.joined(separator: ":"))\" is too much",
                remedy: SpecificationReader.usage(form))
        }
        return specification
    }
}

/// Checks a specification and makes the sampler.
enum SpecificationReader {
    static func sampler(
        _ specification: SamplerSpecification, at path: String
    ) throws(SamplerError) -> Sampler {
        let (form, path) = try check(specification, forms: SamplerForm.samplers, at: path)
        switch form.name {
        case "always_on": return .alwaysOn
        case "always_off": return .alwaysOff
        case "traceidratio": return .traceIDRatio(try ratio(specification, form, path))
        case "parentbased_always_on": return .parentBased(root: .alwaysOn)
        case "parentbased_always_off": return .parentBased(root: .alwaysOff)
        case "parentbased_traceidratio":
            return .parentBased(root: .traceIDRatio(try ratio(specification, form, path)))
        case "parentbased":
            func branch(_ part: String, _ fallback: Sampler) throws(SamplerError) -> Sampler {
                guard let child = specification.children[part] else { return fallback }
                return try sampler(child, at: join(path, part))
            }
            return .parentBased(
                root: try branch("root", .alwaysOn),
                remoteParentSampled: try branch("remote_parent_sampled", .alwaysOn),
                remoteParentNotSampled: try branch("remote_parent_not_sampled", .alwaysOff),
                localParentSampled: try branch("local_parent_sampled", .alwaysOn),
                localParentNotSampled: try branch("local_parent_not_sampled", .alwaysOff))
        case "probability":
            return .probability(
                try ratio(specification, form, path),
                precision: try precision(specification, path))
        case "always_record":
            return .alwaysRecord(
                try sampler(specification.children["sampler"]!, at: join(path, "sampler")))
        case "composite":
            return .composite(
                try composable(specification.children["sampler"]!, at: join(path, "sampler")))
        case "ratelimiting": return .rateLimiting(tracesPerS: try rate(specification, form, path))
        case "adaptive":
            var settings = AdaptiveSettings(targetPerS: try rate(specification, form, path))
            settings.intervalS =
                try number(specification, "interval", path, "a number of seconds, such as 15") {
                    $0 > 0 && $0 <= 1e9
                } ?? settings.intervalS
            settings.weight =
                try number(specification, "weight", path, "a number above 0, at most 1") {
                    $0 > 0 && $0 <= 1
                } ?? settings.weight
            settings.keysMax =
                try number(specification, "keys", path, "a whole number from 1 to 1048576") {
                    $0 >= 1 && $0 <= 1_048_576 && $0 == $0.rounded()
                }.map { Int($0) } ?? settings.keysMax
            return .adaptive(settings)
        default:
            return .foreign(
                try algorithm(specification, path), try ratio(specification, form, path))
        }
    }

    static func composable(
        _ specification: SamplerSpecification, at path: String
    ) throws(SamplerError) -> ComposableSampler {
        let (form, path) = try check(specification, forms: SamplerForm.composables, at: path)
        switch form.name {
        case "always_on": return .alwaysOn
        case "always_off": return .alwaysOff
        case "probability":
            return .probability(
                try ratio(specification, form, path),
                precision: try precision(specification, path))
        case "parent_threshold":
            return .parentThreshold(
                root: try composable(specification.children["root"]!, at: join(path, "root")))
        case "annotating":
            var attributes = SpanAttributes()
            for (key, value) in specification.attributes.sorted(by: { $0.key < $1.key }) {
                attributes.set(AttributeKey(key), value)
            }
            return .annotating(
                attributes,
                try composable(
                    specification.children["sampler"]!, at: join(path, "sampler")))
        case "any_of":
            var samplers: [ComposableSampler] = []
            for (index, sampler) in specification.samplers.enumerated() {
                samplers.append(try composable(sampler, at: "\(path)[\(index)]"))
            }
            return .anyOf(samplers)
        default:
            var rules: [SamplingRule] = []
            for (index, rule) in specification.rules.enumerated() {
                rules.append(try Self.rule(rule, at: "\(path)[\(index)]"))
            }
            return .ruleBased(rules)
        }
    }

    private static func rule(
        _ rule: SamplingRuleSpecification, at path: String
    ) throws(SamplerError) -> SamplingRule {
        var kinds: [SpanKind] = []
        for text in rule.kinds {
            kinds.append(
                try choice(text, SpanKind.allCases.map { ("\($0)", $0) }, join(path, "kinds")))
        }
        var parents: [SamplingRule.Parent] = []
        for text in rule.parents {
            parents.append(
                try choice(
                    text, SamplingRule.Parent.allCases.map { ($0.rawValue, $0) },
                    join(path, "parents")))
        }
        let equal = rule.attributes.sorted { $0.key < $1.key }.map {
            $0.value.isEmpty
                ? SamplingRule.AttributeCondition.present($0.key) : .equal($0.key, $0.value)
        }
        let matching = rule.attributePatterns.sorted { $0.key < $1.key }.map {
            SamplingRule.AttributeCondition.matching($0.key, $0.value)
        }
        return SamplingRule(
            names: rule.names, kinds: kinds, parents: parents, attributes: equal + matching,
            sampler: try composable(rule.sampler, at: join(path, "sampler")))
    }
}
