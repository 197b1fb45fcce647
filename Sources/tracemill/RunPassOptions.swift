import ArgumentParser
import TraceLoad
import TraceResults

/// What gate, compare and selftest say about a single run, passed on to it.
struct RunPassOptions: ParsableArguments {
    @Option(help: "Length of the measured part of each run; default: what the stages say.")
    var duration: Duration?

    @Option(help: "Warm-up before it; default: the scenario's run.warmup.")
    var warmup: Duration?

    @Option(help: "Seed instead of the scenario's.")
    var seed: UInt64?

    @Option(help: "Worker threads of each run; default: the scenario's, or cores - 1.")
    var workers: Int?

    @Option(
        help: "A run that takes longer is killed and invalid; default: three times its parts + 30s."
    )
    var timeout: Duration?

    /// The same, for the child's command line.
    var arguments: [String] {
        var words: [String] = []
        if let duration { words += ["--duration", "\(duration.nanoseconds)ns"] }
        if let warmup { words += ["--warmup", "\(warmup.nanoseconds)ns"] }
        if let seed { words += ["--seed", "\(seed)"] }
        if let workers { words += ["--workers", "\(workers)"] }
        return words
    }

    /// The longest a run may take.
    func timeoutNs(for scenario: Scenario) -> UInt64 {
        if let timeout { return max(1, timeout.nanoseconds) }
        let stages = scenario.traffic.map { $0.stages.reduce(0) { $0 + $1.durationNs } }.max() ?? 0
        let measured = duration.map { Double($0.nanoseconds) } ?? stages
        let warm = warmup.map { Double($0.nanoseconds) } ?? scenario.run.warmupNs
        return UInt64(3 * (measured + warm + scenario.run.drainNs) + 30e9)
    }
}

/// Budgets of scenario files and of the command line.
enum GateBudgets {
    /// Those of the command line where there are any, else the scenario's.
    static func resolved(_ lines: [String], _ scenario: Scenario) throws -> [GateBudget] {
        guard !lines.isEmpty else { return scenario.budgets.map(GateBudget.init) }
        return try lines.map { line in
            do {
                return try GateBudget(parsing: line)
            } catch {
                throw CommandFailure.usage("\(error)")
            }
        }
    }
}

extension GateBudget {
    /// A scenario's budget; its limits are in the metric's unit already.
    init(_ declaration: BudgetDeclaration) {
        let (rule, limit): (Rule, Double) =
            switch declaration.bound {
            case .max(let limit): (.max, limit)
            case .min(let limit): (.min, limit)
            case .regress(let share): (.regress, share)
            }
        self.init(declaration.metric, rule, limit, confidence: declaration.confidence)
    }
}
