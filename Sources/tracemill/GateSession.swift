import Glibc
import TraceLoad
import TraceResults

/// One gate from its plan to its verdict: everything that can be refused is refused before the first run.
final class GateSession {
    private let command: GateCommand
    private let scenario: Scenario
    private let scenarioPath: String
    private var plan: GateSettings
    private let baseline: RunResult?
    private let folder: RunFolder
    private let stopping = StopFlag()
    private let signals: SignalWatch
    private let orderSeed: UInt64
    private let progress: CollectionProgress
    private let collector: RunCollector
    let resultPath: String

    init(_ command: GateCommand) throws {
        self.command = command
        // Before there is anything that would be left behind.
        let stopping = stopping
        signals = SignalWatch { stopping.stop($0) }
        scenarioPath = command.scenario ?? ""
        scenario = try ScenarioFile.loaded(scenarioPath, seed: command.pass.seed)
        let budgets = try GateBudgets.resolved(command.budgets, scenario)
        let judged = budgets.isEmpty ? GateBudget.standard : budgets
        let rounds = command.rounds ?? GateSettings.standardRounds
        plan =
            command.adaptive
            ? GateSettings(budgets: judged, looks: GateSettings.adaptiveLooks).withoutIdleLooks()
            : GateSettings(budgets: judged, rounds: rounds)
        plan.confirms = command.confirm
        plan.acceptsImprovement = command.acceptImprovement
        baseline = try command.record ? nil : command.baseline.map(Self.baseline)
        let refusal = Self.refusal(of: plan, baseline)
        if !command.record, let refusal {
            throw CommandFailure.usage("the plan is refused: \(refusal)")
        }
        resultPath =
            command.record
            ? command.baseline ?? ""
            : command.output ?? ResultPath.standard(for: "gate-\(scenario.name)")
        try ResultPath.check(resultPath)
        folder = try RunFolder()
        var random = SystemRandomNumberGenerator()
        orderSeed = command.orderSeed ?? UInt64.random(in: .min ... .max, using: &random)
        let arms = try Self.arms(command, scenario, folder)
        let progress = CollectionProgress(
            name: scenario.name, rounds: plan.rounds, arms: arms.count, isShown: !command.quiet)
        self.progress = progress
        collector = RunCollector(
            arms: arms, scenarioPath: scenarioPath, commonArguments: command.pass.arguments,
            timeoutNs: command.pass.timeoutNs(for: scenario), orderSeed: orderSeed,
            calibrationShare: plan.dependsOnTime ? command.calibrationShare : 0, folder: folder,
            stopping: stopping,
            scenario: baseline?.scenario,
            onProgress: { progress.update($0) })
    }

    deinit { signals.stop() }

    /// Collects, judges, writes the result.
    func run() throws -> GateReport {
        var collected = 0
        for look in plan.looks where !collector.isOver {
            try collector.collect(first: collected, count: look - collected)
            collected = look
            guard look < plan.rounds else { break }
            let report = GateJudge.report(on: result(), settings: plan)
            if report.rows.allSatisfy({ $0.verdict != .inconclusive }) { break }
        }
        var confirmsFrom: Int?
        if command.confirm, !collector.isOver {
            let report = GateJudge.report(on: result(), settings: plan)
            let isRegressed = report.rows.contains {
                $0.verdict == .regressed && $0.budget.rule == .regress
            }
            if isRegressed {
                confirmsFrom = collected
                // As many again as the first collection took.
                progress.rounds = 2 * collected
                try collector.collect(first: collected, count: collected)
            }
        }
        progress.finish()
        // A result without runs would only take the place of one that has some.
        if let code = stopping.code, collector.runs.isEmpty {
            throw CommandFailure(message: "no round was whole when it ended", code: code)
        }
        let result = result(confirmsFrom: confirmsFrom)
        try write(result, to: resultPath)
        var report = GateJudge.report(on: result, settings: plan)
        report.interruption = stopping.code
        return report
    }

    /// Writes the head's runs as the file that later gates compare with.
    func recordBaseline() throws {
        try collector.collect(first: 0, count: plan.rounds)
        progress.finish()
        if let code = stopping.code { throw CommandFailure(message: nil, code: code) }
        if let flawed = collector.runs.first(where: { !$0.valid }) {
            throw CommandFailure(
                message:
                    "no baseline is made of an invalid run: \(flawed.reason ?? "no reason given")",
                code: .invalidRun)
        }
        var result = result()
        result.design.kind = .single
        result.design.arms = nil
        result.design.budgets = nil
        result.design.looks = nil
        try write(result, to: resultPath)
        Output.line(
            "\(result.runs.count) runs of \(TerminalText.neutralised(scenario.name)): "
                + TerminalText.neutralised(resultPath))
    }

    private func write(_ result: RunResult, to path: String) throws {
        do {
            try ResultFile.write(result, to: path)
        } catch {
            throw CommandFailure.usage("\(error)")
        }
    }

    /// What was collected so far as a result.
    private func result(confirmsFrom: Int? = nil) -> RunResult {
        var result = RunResult()
        result.tool = ToolFacts.current(version: Build.version, commit: Build.commit)
        result.environment = HostReader().environment()
        if let scenario = collector.scenario {
            result.scenario = scenario
        } else {
            result.scenario = ScenarioFacts(scenario)
        }
        result.design.kind = baseline == nil ? .paired : .sequential
        result.design.orderSeed = orderSeed
        result.design.rounds = plan.rounds
        result.design.budgets = plan.budgets
        result.design.looks = plan.looks
        result.design.confirmsFromRound = confirmsFrom
        result.design.arms = collector.arms.map(\.facts)
        result.runs = collector.runs
        if let baseline {
            var arm = ArmFacts()
            arm.role = .base
            arm.variant = "base"
            arm.tool = baseline.tool
            arm.scenarioSHA256 = baseline.scenario.sha256
            arm.environment = baseline.environment
            result.design.arms?.insert(arm, at: 0)
            let stored = Self.usable(baseline).enumerated().map { round, run in
                var run = run
                run.variant = "base"
                run.round = round
                return run
            }
            result.runs = stored + result.runs
        }
        return result
    }

    private static func refusal(of plan: GateSettings, _ baseline: RunResult?) -> String? {
        guard let baseline else { return plan.refusal }
        return plan.refusal(againstRuns: usable(baseline).count)
    }

    private static func baseline(_ path: String) throws -> RunResult {
        do {
            return try ResultFile.read(path)
        } catch {
            throw CommandFailure.usage("\(error)")
        }
    }

    /// The runs of a stored result that a head is compared with: of a gate's file those of its head.
    private static func usable(_ baseline: RunResult) -> [RunRecord] {
        guard let head = baseline.design.arms?.first(where: { $0.role == .head }) else {
            return baseline.runs
        }
        return baseline.runs.filter { $0.variant == head.variant }
    }

    private static func arms(
        _ command: GateCommand, _ scenario: Scenario, _ folder: RunFolder
    ) throws -> [RunArm] {
        func arm(
            _ role: ArmFacts.Role, _ name: String, _ program: String, _ arguments: [String]
        ) throws -> RunArm {
            let copy = try folder.program(program, as: role.rawValue)
            var facts = ArmFacts()
            facts.role = role
            facts.variant = name
            facts.programCRC32 = copy.checksum
            return RunArm(name: name, program: copy.path, arguments: arguments, facts: facts)
        }
        let this = "/proc/self/exe"
        let extra = command.injectHead.map { ["--extra-work", String($0)] } ?? []
        if let left = command.variantBase, let right = command.variantHead {
            for name in [left, right] where !scenario.variants.contains(where: { $0.name == name })
            {
                throw CommandFailure.usage(ScenarioFile.noVariant(name, scenario))
            }
            guard left != right else {
                throw CommandFailure.usage(
                    "--variant-base and --variant-head are the same: '\(left)'")
            }
            // As long as each other, like the programs' paths: `run` cuts the spaces.
            let width = max(left.utf8.count, right.utf8.count)
            func padded(_ name: String) -> String {
                name + String(repeating: " ", count: width - name.utf8.count)
            }
            return [
                try arm(.base, left, command.head ?? this, ["--variant", padded(left)]),
                try arm(.head, right, command.head ?? this, ["--variant", padded(right)] + extra),
            ]
        }
        let head = try arm(.head, "head", command.head ?? this, extra)
        guard let base = command.base else { return [head] }
        return [try arm(.base, "base", base, []), head]
    }
}
