// What a gate found, before it is shown: a row a budget, the machine's fitness, the runs that do not
// count. Every rendering reads this and nothing else.

/// What is said of a budget.
public enum GateVerdict: String, Sendable, Codable, CaseIterable {
    case pass
    case regressed
    case inconclusive
    /// The question cannot be put: a figure is missing, or units differ.
    case error

    /// The exit code it asks for.
    public var exitCode: ExitCode {
        switch self {
        case .pass: .pass
        case .regressed: .regression
        case .inconclusive: .inconclusive
        case .error: .usage
        }
    }
}

/// One budget, judged.
public struct GateRow: Sendable, Equatable {
    /// The budget.
    public var budget: GateBudget
    /// The figure's unit; empty when no run has it.
    public var unit = ""
    /// Which way is better.
    public var better = Metric.Direction.neither
    /// The median of the base's runs.
    public var base: Double?
    /// The median of the head's runs.
    public var head: Double?
    /// head / base with the interval that decided; nil for exact budgets and single runs.
    public var ratio: IntervalEstimate?
    /// Pairs, or runs of the head where the runs are not paired.
    public var pairs = 0
    /// Whether the runs are paired.
    public var isPaired = true
    /// The confidence of the interval, divided already.
    public var confidence = 0.95
    /// What is said.
    public var verdict = GateVerdict.inconclusive
    /// Why it did not pass, or what is worth knowing where it did; empty otherwise.
    public var reason = ""
    /// Whether it is shown only: the other arm comes from another machine.
    public var isAdvisory = false
    /// The ratio of the medians by bootstrap, for information.
    public var bootstrap: IntervalEstimate?
    /// Mann and Whitney's p, for information.
    public var mannWhitneyP: Double?
    /// What the second collection gave, where there was one.
    public var confirmation: IntervalEstimate?

    init(_ budget: GateBudget) {
        self.budget = budget
    }

    /// The verdict in one word.
    public var label: String {
        switch (verdict, budget.rule) {
        case (.pass, _): "PASS"
        case (.regressed, .regress): "REGRESSED"
        case (.regressed, .exact): "CHANGED"
        case (.regressed, _): "BROKEN"
        case (.inconclusive, _): "INCONCLUSIVE"
        case (.error, _): "ERROR"
        }
    }

    /// The change with its interval: `+5.0% [+3.1%, +6.9%]`; nil where there is none.
    public var changeText: String? { ratio.map { GateText.change($0) } }

    /// The exit code it asks for.
    public var exitCode: ExitCode {
        isAdvisory && verdict != .error ? .pass : verdict.exitCode
    }
}

/// The outcome of a gate.
public struct GateReport: Sendable, Equatable {
    /// One run that does not count.
    public struct InvalidRun: Sendable, Equatable {
        public var variant: String
        public var round: Int
        public var reason: String
    }

    /// The scenario's name.
    public var scenario = ""
    /// What the arms are called.
    public var baseName = "base"
    public var headName = "head"
    /// How the runs were ordered.
    public var kind = DesignFacts.Kind.paired
    /// The rounds that were collected, those of a confirmation left out.
    public var rounds = 0
    /// The looks of the plan.
    public var looks: [Int] = []
    /// The budgets, judged.
    public var rows: [GateRow] = []
    /// What is wrong with the whole: digests or builds that differ.
    public var errors: [String] = []
    /// What is worth knowing.
    public var notes: [String] = []
    /// The runs that do not count.
    public var invalidRuns: [InvalidRun] = []
    /// Whether the machine was fit.
    public var fitness = RunnerFitness()
    /// The signal that ended the collection early.
    public var interruption: ExitCode?

    public init() {}

    /// The exit code: 2 > 4 > 1 > 3 > 0, a signal before all of them.
    public var exitCode: ExitCode {
        var findings = rows.map(\.exitCode)
        if !errors.isEmpty { findings.append(.usage) }
        if !invalidRuns.isEmpty { findings.append(.invalidRun) }
        if !fitness.isFit { findings.append(.inconclusive) }
        if rows.isEmpty { findings.append(.inconclusive) }
        if let interruption { findings.append(interruption) }
        return ExitCode.combining(findings)
    }

    /// The whole in a few words.
    public var verdictText: String {
        switch exitCode {
        case .pass:
            rows.contains { $0.isAdvisory && $0.verdict != .pass }
                ? "PASS (advisory rows did not)" : "PASS"
        case .regression:
            // The gravest of the rows' words.
            ["REGRESSED", "BROKEN"].first { word in
                rows.contains { $0.label == word && !$0.isAdvisory }
            } ?? "CHANGED"
        case .usage: "ERROR"
        case .inconclusive: "INCONCLUSIVE"
        case .invalidRun: "INVALID"
        case .interrupted, .terminated: "INTERRUPTED"
        case .internalError: "INTERNAL ERROR"
        }
    }

    /// Why the whole is not a pass where no row says it.
    public var findings: [String] {
        var lines = errors
        if !fitness.isFit { lines += fitness.reasons.map { "this machine is unfit: \($0)" } }
        lines += invalidRuns.prefix(8).map {
            "invalid run, round \($0.round + 1), \($0.variant): \($0.reason)"
        }
        if invalidRuns.count > 8 {
            lines.append("and \(GateText.count(invalidRuns.count - 8, "more invalid run"))")
        }
        if rows.isEmpty, errors.isEmpty { lines.append("nothing was judged") }
        return lines
    }
}
