import Glibc
import TraceLoad
import TraceResults

/// One comparison from its scenario to its result: everything that can be refused is refused before the first
/// run.
final class CompareSession {
    private let command: CompareCommand
    /// With the variants that are compared, and no others.
    private let scenario: Scenario
    private let scenarioPath: String
    private let facts: [VariantFacts]
    private let folder: RunFolder
    private let stopping = StopFlag()
    private let signals: SignalWatch
    private let orderSeed: UInt64
    private let notes: [String]
    private let progress: CollectionProgress
    private let collector: RunCollector
    let resultPath: String

    init(_ command: CompareCommand) throws {
        self.command = command
        // Before there is anything that would be left behind.
        let stopping = stopping
        signals = SignalWatch { stopping.stop($0) }
        let path = command.files[0]
        let base = try ScenarioFile.loaded(path, seed: command.pass.seed)
        resultPath = command.output ?? ResultPath.standard(for: "compare-\(base.name)")
        try ResultPath.check(resultPath)
        folder = try RunFolder()
        var random = SystemRandomNumberGenerator()
        orderSeed = command.orderSeed ?? UInt64.random(in: .min ... .max, using: &random)
        var plan = try ComparePlan(command, base)
        try plan.size(base)
        try plan.solve(base, isShown: !command.quiet, stopping: stopping)
        if let code = stopping.code { throw CommandFailure(message: nil, code: code) }
        notes = plan.notes
        (scenario, scenarioPath, facts) = try plan.scenario(path, folder)
        let program = try folder.program("/proc/self/exe", as: "base").path
        let names = scenario.variants.map(\.name)
        let width = names.map(\.utf8.count).max() ?? 0
        let arms = names.map { name in
            // As long as each other: `run` cuts the spaces.
            let padding = String(repeating: " ", count: width - name.utf8.count)
            return RunArm(
                name: name, program: program, arguments: ["--variant", name + padding],
                facts: ArmFacts())
        }
        var common = command.pass
        common.seed = nil
        let progress = CollectionProgress(
            name: scenario.name, rounds: command.rounds, arms: arms.count, isShown: !command.quiet)
        self.progress = progress
        let scenario = scenario
        collector = RunCollector(
            arms: arms, scenarioPath: scenarioPath,
            commonArguments: common.arguments + plan.runArguments,
            timeoutNs: plan.timeoutNs(command.pass.timeoutNs(for: scenario)),
            orderSeed: orderSeed, calibrationShare: 0, folder: folder, stopping: stopping,
            ofRound: { Self.plan(round: $0, of: scenario) },
            onProgress: { progress.update($0) })
    }

    /// Round r has seed base + r, and one salt for all its variants: they see the same identifiers.
    private static func plan(round: Int, of scenario: Scenario) -> RoundPlan {
        var scenario = scenario
        scenario.seed &+= UInt64(round)
        var plan = RoundPlan()
        plan.seed = scenario.seed
        plan.scenario = ScenarioFacts(scenario)
        plan.arguments = ["--seed", String(scenario.seed)]
        if scenario.identifiers == .salted {
            plan.arguments += ["--salt", String(ComparePlan.salt(seed: scenario.seed))]
        }
        return plan
    }

    deinit { signals.stop() }

    /// Collects, writes the result, compares.
    func run() throws -> Comparison {
        try collector.collect(first: 0, count: command.rounds)
        progress.finish()
        let result = result()
        // A result without runs would only take the place of one that has some.
        guard !result.runs.isEmpty else {
            throw CommandFailure(
                message: "no round was whole when it ended", code: stopping.code ?? .invalidRun)
        }
        do {
            try ResultFile.write(result, to: resultPath)
        } catch {
            throw CommandFailure.usage("\(error)")
        }
        do {
            var comparison = try ComparisonBuilder.comparison(
                of: [(nil, result)], settings: command.settings)
            comparison.notes = notes + comparison.notes
            comparison.interruption = stopping.code
            return comparison
        } catch {
            throw CommandFailure.usage("\(error); the runs are in \(resultPath)")
        }
    }

    private func result() -> RunResult {
        var result = RunResult()
        result.tool = ToolFacts.current(version: Build.version, commit: Build.commit)
        result.environment = HostReader().environment()
        result.scenario = ScenarioFacts(scenario)
        result.design.kind = .interleaved
        result.design.orderSeed = orderSeed
        result.design.rounds = command.rounds
        result.design.variants = facts
        result.runs = collector.runs
        return result
    }
}
