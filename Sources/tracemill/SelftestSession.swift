import Glibc
import TraceLoad
import TraceResults

/// Runs the gates of a self-test, one after the other, keeping each as it ends.
final class SelftestSession {
    /// Steps of the calibrating injection: large enough to be seen in one run.
    private static let pilotSteps = 400
    private static let pilotPairs = 5

    private let command: SelftestCommand
    private let shares: [Double]
    private let scenario: Scenario
    private let scenarioPath: String
    private let budget: GateBudget
    private let folder: RunFolder
    private let program: String
    private let stopping = StopFlag()
    private var state: SelftestState

    /// The signal that ended the test early.
    var interruption: ExitCode? { stopping.code }

    init(_ command: SelftestCommand, shares: [Double]) throws {
        self.command = command
        self.shares = shares
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
        try ResultPath.check(command.state)
        state = try SelftestState.resumed(from: command.state, fresh: fresh)
        program = try folder.program("/proc/self/exe", as: "base").path
        _ = try folder.program("/proc/self/exe", as: "head")
    }

    /// All gates that are still to be run.
    func run() throws -> SelftestState {
        let stopping = stopping
        let signals = SignalWatch { stopping.stop($0) }
        defer { signals.stop() }
        if !shares.isEmpty, state.costPerStep == nil { try calibrate() }
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
        let result = try collect(
            steps: try steps(for: share), rounds: command.rounds, orderSeed: orderSeed)
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

    /// Steps for each span that cost this share of a span.
    private func steps(for share: Double) throws -> Int {
        guard share > 0 else { return 0 }
        guard let plain = state.plainCost, let step = state.costPerStep, step > 0 else {
            throw CommandFailure(
                message:
                    "the extra work could not be calibrated: its cost was lost in the noise. Use a "
                    + "longer scenario, or a quieter machine", code: .inconclusive)
        }
        return max(1, Int((share * plain / step).rounded()))
    }

    /// What a step of extra work costs, in the budget's own metric, by the median of pairs.
    private func calibrate() throws {
        let result = try collect(
            steps: Self.pilotSteps, rounds: Self.pilotPairs, orderSeed: 1)
        guard stopping.code == nil else { return }
        func values(_ variant: String) -> [Double] {
            result.runs.filter { $0.variant == variant && $0.valid }
                .compactMap { $0.metrics[budget.metric]?.value }
        }
        let (base, head) = (values("base"), values("head"))
        guard !base.isEmpty, !head.isEmpty else {
            throw CommandFailure(
                message: "no run of the calibration was valid: \(result.runs.first?.reason ?? "")",
                code: .invalidRun)
        }
        let plain = OrderStatistics.median(base)
        state.plainCost = plain
        state.costPerStep = (OrderStatistics.median(head) - plain) / Double(Self.pilotSteps)
        try state.write(to: command.state)
    }

    /// A gate's result: this program on both sides, the head with extra work.
    private func collect(steps: Int, rounds: Int, orderSeed: UInt64) throws -> RunResult {
        let arms = [ArmFacts.Role.base, .head].map { role -> RunArm in
            var facts = ArmFacts()
            facts.role = role
            facts.variant = role.rawValue
            // Both are told so, or the head's command line would be longer.
            let work = role == .head ? steps : 0
            let digits = String(work)
            let padded = String(repeating: "0", count: max(0, 9 - digits.count)) + digits
            return RunArm(
                name: role.rawValue, program: folder.copy(of: role),
                arguments: ["--extra-work", padded], facts: facts)
        }
        let collector = RunCollector(
            arms: arms, scenarioPath: scenarioPath, commonArguments: command.pass.arguments,
            timeoutNs: command.pass.timeoutNs(for: scenario), orderSeed: orderSeed,
            calibrationShare: command.calibrationShare, folder: folder, stopping: stopping,
            onProgress: { _ in })
        try collector.collect(first: 0, count: rounds)
        var result = RunResult()
        result.environment = HostReader().environment()
        if let scenario = collector.scenario { result.scenario = scenario }
        result.design.kind = .paired
        result.design.orderSeed = orderSeed
        result.design.rounds = rounds
        result.design.budgets = [budget]
        result.design.looks = [rounds]
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
