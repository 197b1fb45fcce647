import TraceCore

/// The part of the key table that samplers take. What goes with which name is in `SamplerForm`.
extension ScenarioSection {
    var samplerKeys: [ScenarioKey] {
        switch self {
        case .sampler:
            [
                .init("name", .string, .required, "Its name; see Samplers above."),
                .init(
                    "argument", .either([.probability, .number]),
                    "The share it keeps, or traces per second."),
                .init(
                    "precision", .integer(minimum: 1), default: "4", "Hex digits of `th`, to 14."),
                .init(
                    "algorithm", .choice(ForeignRatioAlgorithm.allCases.map(\.rawValue)),
                    "Of `foreign`: whose rule."),
                .init(
                    "interval", .duration, default: "15s",
                    "Of `adaptive`: how often shares are set anew."),
                .init(
                    "weight", .number, default: "0.5",
                    "Of `adaptive`: weight of the latest interval."),
                .init(
                    "keys", .integer(minimum: 1), default: "1000",
                    "Of `adaptive`: operations told apart."),
                .init("root", .sampler, "Of `parentbased`, `parent_threshold`: without a parent."),
                .init(
                    "remote_parent_sampled", .sampler, default: "always_on",
                    "Of `parentbased`: below a sampled span of another service."),
                .init(
                    "remote_parent_not_sampled", .sampler, default: "always_off",
                    "Of `parentbased`: below one that is not."),
                .init(
                    "local_parent_sampled", .sampler, default: "always_on",
                    "Of `parentbased`: below a sampled span of the same service."),
                .init(
                    "local_parent_not_sampled", .sampler, default: "always_off",
                    "Of `parentbased`: below one that is not."),
                .init(
                    "sampler", .sampler, "Of `always_record`, `composite`, `annotating`: within."),
                .init("samplers", .list(.sampler), "Of `any_of`: what wants most decides."),
                .init(
                    "rules", .list(.section(.samplingRule)),
                    "Of `rule_based`: the first that matches decides; without a match, drop."),
                .init("attributes", .map(.literal), "Of `annotating`: set on sampled spans."),
            ]
        default:
            [
                .init("names", .list(.string), default: "any", "Span names; `*` for any letters."),
                .init(
                    "kinds",
                    .list(.choice(["internal", "server", "client", "producer", "consumer"])),
                    default: "any", "Span kinds."),
                .init(
                    "parents", .list(.choice(SamplingRule.Parent.allCases.map(\.rawValue))),
                    default: "any", "No parent, one in the same service, or in another."),
                .init(
                    "attributes", .map(.either([.literal, .list(.literal)])), default: "any",
                    "Keys with the value, or one of the values."),
                .init(
                    "patterns", .map(.either([.string, .list(.string)])), default: "any",
                    "Keys with patterns of texts, such as `/api/*`."),
                .init("present", .list(.string), default: "any", "Keys that must be there."),
                .init("sampler", .sampler, .required, "A part of `composite`, asked then."),
            ]
        }
    }
}
