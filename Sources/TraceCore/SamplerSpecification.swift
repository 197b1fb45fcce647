// A sampler as somebody wrote it down, in a scenario file or on a command line: plain data that any reader can
// fill, checked and made into a sampler here.

/// What was written of a sampler: a name, what it takes, and the samplers within.
///
/// The names and what each takes are in `SamplerForm.samplers` and `SamplerForm.composables`.
public struct SamplerSpecification: Sendable, Hashable {
    /// In any case, such as `traceidratio`.
    public var name: String
    /// The one number that a sampler takes: a share, a rate, a target.
    public var argument: String?
    /// What else it takes, by name: `algorithm`, `precision`, `interval`, `weight`, `keys`.
    public var settings: [String: String]
    /// The samplers within, by their part: `root`, `remote_parent_sampled`, …, `sampler`.
    public var children: [String: SamplerSpecification]
    /// Of `any_of`.
    public var samplers: [SamplerSpecification]
    /// Of `rule_based`.
    public var rules: [SamplingRuleSpecification]
    /// Of `annotating`.
    public var attributes: [String: AttributeValue]

    public init(
        name: String, argument: String? = nil, settings: [String: String] = [:],
        children: [String: SamplerSpecification] = [:], samplers: [SamplerSpecification] = [],
        rules: [SamplingRuleSpecification] = [], attributes: [String: AttributeValue] = [:]
    ) {
        self.name = name
        self.argument = argument
        self.settings = settings
        self.children = children
        self.samplers = samplers
        self.rules = rules
        self.attributes = attributes
    }
}

/// What was written of a rule: conditions that must all hold, and a composable sampler.
public struct SamplingRuleSpecification: Sendable, Hashable {
    /// Patterns, where `*` stands for any characters.
    public var names: [String]
    /// `internal`, `server`, `client`, `producer`, `consumer`.
    public var kinds: [String]
    /// `none`, `local`, `remote`.
    public var parents: [String]
    /// Keys with the values that are wanted; no values: the key must be there.
    public var attributes: [String: [AttributeValue]]
    /// Keys with patterns of strings.
    public var attributePatterns: [String: [String]]
    public var sampler: SamplerSpecification

    public init(
        names: [String] = [], kinds: [String] = [], parents: [String] = [],
        attributes: [String: [AttributeValue]] = [:],
        attributePatterns: [String: [String]] = [:], sampler: SamplerSpecification
    ) {
        self.names = names
        self.kinds = kinds
        self.parents = parents
        self.attributes = attributes
        self.attributePatterns = attributePatterns
        self.sampler = sampler
    }
}

/// What a sampler of some name takes: for checking, for completing, for documenting.
public struct SamplerForm: Sendable {
    /// The number it takes.
    public enum Argument: String, Sendable {
        /// It takes none; one that is there is not looked at in the environment, and an error elsewhere.
        case none
        /// A number from 0 to 1; 1 when absent.
        case optionalRatio
        /// A number from 0 to 1.
        case ratio
        /// A number above 0.
        case rate
    }

    public var name: String
    public var argument = Argument.none
    public var settings: [String] = []
    /// Samplers it must have within, by their part.
    public var requiredChildren: [String] = []
    /// Samplers it may have within, by their part.
    public var optionalChildren: [String] = []
    public var takesSamplers = false
    public var takesRules = false
    public var takesAttributes = false

    /// Every sampler.
    public static let samplers: [SamplerForm] = [
        SamplerForm(name: "always_on"),
        SamplerForm(name: "always_off"),
        SamplerForm(name: "traceidratio", argument: .optionalRatio),
        SamplerForm(name: "parentbased_always_on"),
        SamplerForm(name: "parentbased_always_off"),
        SamplerForm(name: "parentbased_traceidratio", argument: .optionalRatio),
        SamplerForm(
            name: "parentbased", requiredChildren: ["root"],
            optionalChildren: [
                "remote_parent_sampled", "remote_parent_not_sampled", "local_parent_sampled",
                "local_parent_not_sampled",
            ]),
        SamplerForm(name: "probability", argument: .ratio, settings: ["precision"]),
        SamplerForm(name: "always_record", requiredChildren: ["sampler"]),
        SamplerForm(name: "composite", requiredChildren: ["sampler"]),
        SamplerForm(name: "ratelimiting", argument: .rate),
        SamplerForm(name: "adaptive", argument: .rate, settings: ["interval", "weight", "keys"]),
        SamplerForm(name: "foreign", argument: .ratio, settings: ["algorithm"]),
    ]

    /// Every part of a composite sampler.
    public static let composables: [SamplerForm] = [
        SamplerForm(name: "always_on"),
        SamplerForm(name: "always_off"),
        SamplerForm(name: "probability", argument: .ratio, settings: ["precision"]),
        SamplerForm(name: "parent_threshold", requiredChildren: ["root"]),
        SamplerForm(name: "rule_based", takesRules: true),
        SamplerForm(name: "annotating", requiredChildren: ["sampler"], takesAttributes: true),
        SamplerForm(name: "any_of", takesSamplers: true),
    ]
}

/// Why a sampler could not be made.
public enum SamplerError: Error, Equatable, CustomStringConvertible {
    /// No sampler of the environment has that name.
    case unknownName(String)
    /// Not a number from 0 to 1.
    case badRatio(String)
    /// Something in a specification: where (names of the parts on the way, such as `parentbased.root`),
    /// what is wrong, and what to write.
    case badSpecification(path: String, problem: String, remedy: String)

    public var description: String {
        switch self {
        case .unknownName(let name):
            "unknown sampler \"\(name)\": write one of \(Sampler.names.joined(separator: ", "))"
        case .badRatio(let text):
            "sampler ratio \"\(text)\" is not a number from 0 to 1, such as 0.1 or 1e-3"
        case .badSpecification(let path, let problem, let remedy):
            "sampler \(path): \(problem); write \(remedy)"
        }
    }
}
