import Glibc
import TraceLoad
import TraceResults

/// Runs the gates of a self-test, one after the other, keeping each as it ends.
final class SelftestSession {
    private let command: SelftestCommand
    private let shares: [Double]
    private let scenario: Scenario
    private let scenarioPath: String
    private let budget: GateBudget
    private let folder: RunFolder
    private let program: String
    private let stopping = StopFlag()
    private let signals: SignalWatch
    private var state: SelftestState

    /// The signal that ended the test early.
    var interruption: ExitCode? { stopping.code }

    init(_ command: SelftestCommand, shares: [Double]) throws {
        self.command = command
        self.shares = shares
        // Before there is anything that would be left behind.
        let stopping = stopping
        signals = SignalWatch { stopping.stop($0) }
        folder = try RunFolder()
        if let path = command.scenario {
            scenarioPath = path
        } else {
            scenarioPath = folder.scenarioPath
            do {
                try AtomicFile.write(Array(Self.standardScenario.utf8), to: scenarioPath)
            } catch {
                throw CommandFailure.usage("\(error)")
            }
        }
        scenario = try ScenarioFile.loaded(scenarioPath, seed: command.pass.seed)
        do {
            budget = try GateBudget(parsing: command.budget)
        } catch {
            throw CommandFailure.usage("\(error)")
        }
        guard budget.rule == .regress else {
            throw CommandFailure.usage(
                "a self-test judges a 'regress' budget, such as 'cpuNsPerSpan regress 5%'")
        }
        let plan = GateSettings(budgets: [budget], rounds: command.rounds)
        if let refusal = plan.refusal {
            throw CommandFailure.usage("the plan is refused: \(refusal)")
        }
        let hard = HostReader().hardFacts()
        let digest = SHA256Digest.hex(
            of: scenario.canonicalText + command.pass.arguments.joined(separator: " "))
        let fresh = SelftestState(
            scenarioSHA256: digest, budget: "\(budget.metric) \(budget.text(unit: ""))",
            rounds: command.rounds, machine: "\(hard.cpuCount) × \(hard.cpuModel)")
        try ResultPath.check(command.state, option: "--state")
        state = try SelftestState.resumed(from: command.state, fresh: fresh)
        program = try folder.program("/proc/self/exe", as: "base").path
        _ = try folder.program("/proc/self/exe", as: "head")
    }

    deinit { signals.stop() }

    /// All gates that are still to be run.
    func run() throws -> SelftestState {
        for share in (command.aa > 0 ? [0.0] : []) + shares {
            let wanted = share == 0 ? command.aa : command.trials
            while stopping.code == nil, state.trials(injecting: share).count < wanted {
                try trial(share, number: state.trials(injecting: share).count + 1, of: wanted)
            }
        }
        return state
    }

    /// One gate.
    private func trial(_ share: Double, number: Int, of wanted: Int) throws {
        var random = SystemRandomNumberGenerator()
        let orderSeed = UInt64.random(in: .min ... .max, using: &random)
        let result = try collect(share, orderSeed: orderSeed)
        guard stopping.code == nil else { return }
        let report = GateJudge.report(on: result)
        guard let row = report.rows.first else { return }
        let isWhole = report.invalidRuns.isEmpty && report.errors.isEmpty
        let ratio = (row.ratio?.estimate).flatMap { $0.isFinite ? $0 : nil }
        state.trials.append(
            SelftestTrial(
                injectedShare: share, orderSeed: String(orderSeed),
                verdict: isWhole ? row.verdict : .error, estimate: ratio,
                isFit: report.fitness.isFit))
        try state.write(to: command.state)
        guard !command.quiet else { return }
        let kind = share == 0 ? "A/A" : "+\(NumberText.fixed(share * 100, decimals: 1))%"
        let change = row.changeText ?? "–"
        Output.write(
            "\(kind) \(number)/\(wanted): \(isWhole ? row.label : "INVALID") \(change)\n",
            to: STDERR_FILENO)
    }

    /// A gate's result: this program on both sides, the head with extra work.
    private func collect(_ share: Double, orderSeed: UInt64) throws -> RunResult {
        let arms = [ArmFacts.Role.base, .head].map { role -> RunArm in
            var facts = ArmFacts()
            facts.role = role
            facts.variant = role.rawValue
            // Both are told so, or the head's command line would be longer.
            let work = NumberText.fixed(role == .head ? share : 0, decimals: 6)
            return RunArm(
                name: role.rawValue, program: folder.copy(of: role),
                arguments: ["--extra-work", work], facts: facts)
        }
        let collector = RunCollector(
            arms: arms, scenarioPath: scenarioPath, commonArguments: command.pass.arguments,
            timeoutNs: command.pass.timeoutNs(for: scenario), orderSeed: orderSeed,
            calibrationShare: command.calibrationShare, folder: folder, stopping: stopping,
            onProgress: { _ in })
        try collector.collect(first: 0, count: command.rounds)
        var result = RunResult()
        result.environment = HostReader().environment()
        if let scenario = collector.scenario { result.scenario = scenario }
        result.design.kind = .paired
        result.design.orderSeed = orderSeed
        result.design.rounds = command.rounds
        result.design.budgets = [budget]
        result.design.looks = [command.rounds]
        result.design.arms = collector.arms.map(\.facts)
        result.runs = collector.runs
        return result
    }

    /// Two services, a third of a second at full speed.
    private static let standardScenario = """
        version: 1
        name: selftest
        seed: 1
        services:
          gateway:
            operations:
              POST /orders:
                type: http
                self: 2ms
                attributes: {user.id: {zipf: {cardinality: 100, prefix: u}}}
                script:
                  - call: orders/POST /orders
          orders:
            operations:
              POST /orders:
                type: http
                script:
                  - work: {lognormal: {p50: 1ms, p99: 9ms}}
        traffic:
          - root: gateway/POST /orders
            stages: [{duration: 300ms, rate: max}]
        pipeline:
          processor: {queue: 65536, batch: 4096, delay: 50ms, on_full: block}
        run: {warmup: 50ms, drain: 20s, workers: 1}

        """
}
