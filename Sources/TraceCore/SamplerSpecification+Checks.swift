// What can be wrong with a specification, said so that it can be put right.

extension SpecificationReader {
    static func join(_ path: String, _ part: String) -> String {
        path.isEmpty ? part : "\(path).\(part)"
    }

    static func form(
        _ name: String, in forms: [SamplerForm], at path: String
    ) throws(SamplerError) -> SamplerForm {
        if let form = forms.first(where: { $0.name == name }) { return form }
        throw .badSpecification(
            path: path.isEmpty ? "\"\(name)\"" : path,
            problem: name.isEmpty ? "there is none" : "\"\(name)\" is no sampler's name",
            remedy: "one of \(forms.map(\.name).joined(separator: ", "))")
    }

    /// How a sampler is written in one line.
    static func usage(_ form: SamplerForm) -> String {
        switch form.argument {
        case .none: "`\(form.name)` alone"
        case .optionalRatio, .ratio:
            form.settings.contains("algorithm")
                ? "`\(form.name):go:0.1`" : "`\(form.name):0.1`"
        case .rate: "`\(form.name):500`"
        }
    }

    /// The form of what is written, when nothing that it does not take is there and nothing that it needs
    /// is missing; and the path of what is within.
    static func check(
        _ specification: SamplerSpecification, forms: [SamplerForm], at path: String
    ) throws(SamplerError) -> (form: SamplerForm, path: String) {
        let form = try form(specification.name.lowercased(), in: forms, at: path)
        let path = join(path, form.name)
        if form.argument == .none, let argument = specification.argument {
            throw .badSpecification(
                path: path, problem: "it takes no argument, and \"\(argument)\" is there",
                remedy: "`\(form.name)` without one")
        }
        for key in specification.settings.keys.sorted() where !form.settings.contains(key) {
            throw .badSpecification(
                path: path, problem: "it has no setting \"\(key)\"",
                remedy: list(form.settings, orElse: "no settings"))
        }
        let parts = form.requiredChildren + form.optionalChildren
        for key in specification.children.keys.sorted() where !parts.contains(key) {
            throw .badSpecification(
                path: path, problem: "it has no part \"\(key)\"",
                remedy: list(parts, orElse: "no sampler within"))
        }
        for part in form.requiredChildren where specification.children[part] == nil {
            throw .badSpecification(
                path: path, problem: "its part \"\(part)\" is missing",
                remedy: "a sampler there, such as `always_on`")
        }
        try checkLists(specification, form, path)
        return (form, path)
    }

    private static func checkLists(
        _ specification: SamplerSpecification, _ form: SamplerForm, _ path: String
    ) throws(SamplerError) {
        if !form.takesSamplers, !specification.samplers.isEmpty {
            throw .badSpecification(
                path: path, problem: "it takes no list of samplers", remedy: "`any_of` for one")
        }
        if form.takesSamplers, specification.samplers.isEmpty {
            throw .badSpecification(
                path: path, problem: "its list of samplers is empty",
                remedy: "at least one sampler")
        }
        if !form.takesRules, !specification.rules.isEmpty {
            throw .badSpecification(
                path: path, problem: "it takes no rules", remedy: "`rule_based` for them")
        }
        if form.takesRules, specification.rules.isEmpty {
            throw .badSpecification(
                path: path, problem: "it has no rules, and would keep nothing",
                remedy: "at least one rule, or `always_off`")
        }
        if !form.takesAttributes, !specification.attributes.isEmpty {
            throw .badSpecification(
                path: path, problem: "it takes no attributes", remedy: "`annotating` for them")
        }
        if form.takesAttributes, specification.attributes.isEmpty {
            throw .badSpecification(
                path: path, problem: "it has no attributes to set",
                remedy: "at least one attribute, or the sampler within alone")
        }
    }

    static func ratio(
        _ specification: SamplerSpecification, _ form: SamplerForm, _ path: String
    ) throws(SamplerError) -> Double {
        guard let text = specification.argument, !text.isEmpty else {
            if form.argument == .optionalRatio { return 1 }
            throw .badSpecification(
                path: path, problem: "its share is missing",
                remedy: "a number from 0 to 1, such as \(usage(form))")
        }
        guard let ratio = Double(text), ratio >= 0, ratio <= 1 else {
            throw .badSpecification(
                path: path, problem: "\"\(text)\" is not a number from 0 to 1",
                remedy: "a share such as 0.1 or 1e-3")
        }
        return ratio
    }

    static func rate(
        _ specification: SamplerSpecification, _ form: SamplerForm, _ path: String
    ) throws(SamplerError) -> Double {
        guard let text = specification.argument, !text.isEmpty else {
            throw .badSpecification(
                path: path, problem: "its traces per second are missing",
                remedy: "a number above 0, such as \(usage(form))")
        }
        guard let rate = Double(text), rate > 0, rate <= TokenBucket.ratePerSMax else {
            throw .badSpecification(
                path: path, problem: "\"\(text)\" is not a number above 0, at most 1e9",
                remedy: "traces per second such as 500 or 0.1, or `always_off` to keep none")
        }
        return rate
    }

    static func precision(
        _ specification: SamplerSpecification, _ path: String
    ) throws(SamplerError) -> Int {
        try number(specification, "precision", path, "a whole number from 1 to 14") {
            $0 >= 1 && $0 <= 14 && $0 == $0.rounded()
        }.map { Int($0) } ?? ProbabilityThreshold.defaultPrecision
    }

    static func algorithm(
        _ specification: SamplerSpecification, _ path: String
    ) throws(SamplerError) -> ForeignRatioAlgorithm {
        try choice(
            specification.settings["algorithm"] ?? "",
            ForeignRatioAlgorithm.allCases.map { ($0.rawValue, $0) }, join(path, "algorithm"))
    }

    static func number(
        _ specification: SamplerSpecification, _ setting: String, _ path: String,
        _ remedy: String, _ isFit: (Double) -> Bool
    ) throws(SamplerError) -> Double? {
        guard let text = specification.settings[setting] else { return nil }
        guard let number = Double(text), isFit(number) else {
            throw .badSpecification(
                path: join(path, setting), problem: "\"\(text)\" does not fit", remedy: remedy)
        }
        return number
    }

    static func choice<Value>(
        _ text: String, _ choices: [(name: String, value: Value)], _ path: String
    ) throws(SamplerError) -> Value {
        if let found = choices.first(where: { $0.name == text.lowercased() }) {
            return found.value
        }
        throw .badSpecification(
            path: path, problem: text.isEmpty ? "it is missing" : "there is no \"\(text)\"",
            remedy: "one of \(choices.map(\.name).joined(separator: ", "))")
    }

    private static func list(_ names: [String], orElse none: String) -> String {
        names.isEmpty ? none : "one of \(names.joined(separator: ", "))"
    }
}
