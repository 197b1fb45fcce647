// The result file `tracemill.result/1`: everything a run, or several variants over several rounds,
// left behind. Comparisons, gates and reports read this and nothing else, so that any of them can
// be made again from disk. The parts of one run are in RunRecord.

/// A whole result file.
public struct RunResult: ResultObject {
    /// The format this version writes. It reads every minor version `tracemill.result/1.n`, too: those
    /// differ by fields alone.
    public static let currentSchema = "tracemill.result/1"

    /// Whether this version reads a format: its own, or a minor version of it.
    static func isReadable(_ schema: String?) -> Bool {
        guard let schema else { return false }
        if schema == currentSchema { return true }
        let minor = schema.dropFirst(currentSchema.count + 1)
        return schema.hasPrefix(currentSchema + ".") && (1...4).contains(minor.count)
            && minor.allSatisfy { $0.isASCII && $0.isNumber }
    }

    /// The format and its version.
    public var schema = RunResult.currentSchema
    /// What measured.
    public var tool = ToolFacts()
    /// What was run.
    public var scenario = ScenarioFacts()
    /// Where it was run.
    public var environment = EnvironmentFacts()
    /// In what order it was run.
    public var design = DesignFacts()
    /// The runs in the order of their execution.
    public var runs: [RunRecord] = []
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<RunResult>] = [
        .required("schema", \.schema),
        .required("tool", \.tool),
        .required("scenario", \.scenario),
        .required("environment", \.environment),
        .required("design", \.design),
        .required("runs", \.runs),
    ]
}

/// The program that measured.
public struct ToolFacts: ResultObject {
    /// Its version.
    public var version = ""
    /// The commit it was built from; empty when unknown.
    public var commit = ""
    /// `release` or `debug`.
    public var buildMode = ""
    /// The Swift compiler's version.
    public var swiftVersion = ""
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    /// The program this code is part of.
    ///
    /// - Parameters:
    ///   - version: the tool's version.
    ///   - commit: the commit it was built from, empty when unknown.
    public static func current(version: String, commit: String) -> ToolFacts {
        var facts = ToolFacts()
        facts.version = version
        facts.commit = commit
        #if DEBUG
            facts.buildMode = "debug"
        #else
            facts.buildMode = "release"
        #endif
        // The compiler tells no more of itself than what it can be asked.
        #if compiler(>=6.4)
            facts.swiftVersion = ">=6.4"
        #elseif compiler(>=6.3)
            facts.swiftVersion = "6.3"
        #else
            facts.swiftVersion = "6.2"
        #endif
        return facts
    }

    public static let fields: [ResultField<ToolFacts>] = [
        .required("version", \.version),
        .required("commit", \.commit),
        .required("buildMode", \.buildMode),
        .required("swiftVersion", \.swiftVersion),
    ]
}

/// The scenario that was run.
public struct ScenarioFacts: ResultObject {
    /// Its name.
    public var name = ""
    /// SHA-256 of `resolved` in UTF-8, in hexadecimal.
    public var sha256 = ""
    /// The seed everything derives from; a decimal string in the file.
    public var seed: UInt64 = 0
    /// The scenario in canonical form, values at their defaults left out, no secret in it.
    public var resolved = ""
    /// Those values, as the program that ran it has them; nil in older files. No part of the digest, so that
    /// a scenario keeps it when files can say more than before.
    public var defaults: String?
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    /// The facts of a scenario; the digest is made from `resolved`.
    public init(name: String, seed: UInt64, resolved: String, defaults: String? = nil) {
        self.name = name
        self.seed = seed
        self.resolved = resolved
        self.defaults = defaults
        sha256 = SHA256Digest.hex(of: resolved)
    }

    public static let fields: [ResultField<ScenarioFacts>] = [
        .required("name", \.name),
        .required("sha256", \.sha256),
        .decimal("seed", \.seed),
        .required("resolved", \.resolved),
        .optional("defaults", \.defaults),
    ]
}

/// The machine, split by whether figures from another one may be compared.
public struct EnvironmentFacts: ResultObject {
    /// What must be equal for two stored results to be comparable.
    public var hard = HardFacts()
    /// What should be equal and is told when it is not.
    public var soft = SoftFacts()
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<EnvironmentFacts>] = [
        .required("hard", \.hard),
        .required("soft", \.soft),
    ]
}

/// What decides how fast a machine is.
public struct HardFacts: ResultObject {
    /// Such as `x86_64` or `aarch64`.
    public var architecture = ""
    /// The processor's name.
    public var cpuModel = ""
    /// Processors this process may run on.
    public var cpuCount = 0
    /// The control group's limit in processors; nil when there is none.
    public var cpuQuota: Double?
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<HardFacts>] = [
        .required("architecture", \.architecture),
        .required("cpuModel", \.cpuModel),
        .required("cpuCount", \.cpuCount),
        .optional("cpuQuota", \.cpuQuota),
    ]
}

/// What may shift figures a little, and which machine it was.
public struct SoftFacts: ResultObject {
    /// The kernel's release.
    public var kernel = ""
    /// The C library and its version.
    public var libc = ""
    /// The hypervisor or container, `none` when nothing tells of one.
    public var virtualisation = ""
    /// A digest that is equal on the same machine and tells nothing else about it.
    public var hostHash = ""
    /// A digest that is equal until the machine starts anew.
    public var bootHash = ""
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<SoftFacts>] = [
        .required("kernel", \.kernel),
        .required("libc", \.libc),
        .required("virtualisation", \.virtualisation),
        .required("hostHash", \.hostHash),
        .required("bootHash", \.bootHash),
    ]
}

/// The plan behind the order of the runs.
public struct DesignFacts: ResultObject {
    /// How runs were ordered.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// One variant, once or several times.
        case single
        /// All runs of a variant, then those of the next.
        case sequential
        /// Every variant once in each round, in a seeded random order.
        case interleaved
        /// Two builds or variants, each once in every round, in a seeded random order.
        case paired
    }

    /// How runs were ordered.
    public var kind = Kind.single
    /// The seed of the order; a decimal string in the file.
    public var orderSeed: UInt64 = 0
    /// Rounds planned.
    public var rounds = 1
    /// The two sides of a gate; nil without one.
    public var arms: [ArmFacts]?
    /// What a gate judges by; nil without one.
    public var budgets: [GateBudget]?
    /// The numbers of pairs at which a gate looks; nil without one.
    public var looks: [Int]?
    /// The first round of a second collection, made to confirm what the first found; nil without one.
    public var confirmsFromRound: Int?
    /// The variants of a comparison, in their order; nil without one.
    public var variants: [VariantFacts]?
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<DesignFacts>] = [
        .required("kind", \.kind),
        .decimal("orderSeed", \.orderSeed),
        .required("rounds", \.rounds),
        .optional("arms", \.arms),
        .optional("budgets", \.budgets),
        .optional("looks", \.looks),
        .optional("confirmsFromRound", \.confirmsFromRound),
        .optional("variants", \.variants),
    ]
}

/// One side of a gate: which runs are its, and what they ran.
public struct ArmFacts: ResultObject {
    /// Which side.
    public enum Role: String, Codable, Sendable, CaseIterable {
        /// What was there before.
        case base
        /// What is judged.
        case head
    }

    /// Which side.
    public var role = Role.base
    /// The `variant` of its runs.
    public var variant = ""
    /// The program that ran it.
    public var tool: ToolFacts?
    /// CRC-32 of the program's file, in hexadecimal: whether both sides ran the same.
    public var programCRC32: String?
    /// SHA-256 of the scenario as that program resolved it.
    public var scenarioSHA256 = ""
    /// Where it ran, when that is not where the result was made.
    public var environment: EnvironmentFacts?
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<ArmFacts>] = [
        .required("role", \.role),
        .required("variant", \.variant),
        .optional("tool", \.tool),
        .optional("programCRC32", \.programCRC32),
        .required("scenarioSHA256", \.scenarioSHA256),
        .optional("environment", \.environment),
    ]
}
