// What a comparison runs: the variants of the scenario and the command line, how many traces, and the
// samplers' arguments where a budget decides them.
import Glibc
import TraceLoad
import TraceResults

/// The plan of a comparison, made step by step before the first run.
struct ComparePlan {
    private let command: CompareCommand
    private var variants: ScenarioVariants
    /// By variant: what a budget came to.
    private var solved: [String: VariantFacts] = [:]
    private var isChanged = false
    /// All traces, unsampled; nil where nobody needed to know.
    private var truth: VolumeTrial.Outcome?
    private(set) var notes: [String] = []
    /// Traces of a run; nil for the schedule's.
    private var traces: UInt64?
    private let hasFidelity: Bool

    /// Traces of a run at `rate: max`, where nobody says.
    private static let tracesAtFullSpeed: UInt64 = 20_000

    init(_ command: CompareCommand, _ scenario: Scenario) throws {
        self.command = command
        do {
            variants = try ScenarioVariants(path: command.files[0])
        } catch {
            throw CommandFailure.usage("\(error)")
        }
        if !command.variants.isEmpty {
            for name in command.variants where !variants.names.contains(name) {
                throw CommandFailure.usage(ScenarioFile.noVariant(name, scenario))
            }
            variants.keep(command.variants)
            isChanged = true
        } else if !command.samplers.isEmpty, scenario.variants.isEmpty {
            // The pipeline as it is was not asked for.
            variants.keep([])
        }
        for text in command.samplers {
            let (name, sampler) = Self.named(text)
            do {
                try variants.add(sampler: sampler, name: name)
            } catch {
                throw CommandFailure.usage(
                    "--sampler '\(TerminalText.neutralised(text))': \(error)")
            }
            isChanged = true
        }
        if scenario.variants.isEmpty { isChanged = true }
        let isSimulated = scenario.clock == .simulated
        hasFidelity = command.pass.duration == nil && isSimulated
        guard isSimulated || command.budget == nil && command.sweep == nil else {
            throw CommandFailure.usage(
                "--budget and --sweep count traces of simulated time: write `clock: simulated`")
        }
    }

    /// `NAME=SAMPLER`, or a sampler that is its own name.
    private static func named(_ text: String) -> (name: String, sampler: String) {
        guard let sign = text.firstIndex(of: "="), sign > text.startIndex,
            !text[..<sign].contains(":"), !text[..<sign].contains("(")
        else { return (text, text) }
        return (String(text[..<sign]), String(text[text.index(after: sign)...]))
    }

    /// The salt of a seed's identifiers: one for all variants.
    static func salt(seed: UInt64) -> UInt64 {
        var random = SeededRandom(seed: seed ^ 0x636F_6D70_6172_6573)
        return max(1, random.next())
    }

    // MARK: Size

    /// How many traces a run has.
    mutating func size(_ scenario: Scenario) throws {
        guard hasFidelity else { return }
        let isFixed = scenario.hasFixedSchedule
        if let traces = command.traces {
            self.traces = UInt64(traces)
        } else if !isFixed {
            traces = Self.tracesAtFullSpeed
        }
        guard let spans = command.spans else { return }
        let sample = try trial(scenario.unsampled, Self.tracesAtFullSpeed)
        guard sample.traces > 0 else { return }
        let perTrace = Double(sample.spans) / Double(sample.traces)
        traces = UInt64(max(1, (Double(spans) / max(perTrace, 1)).rounded()))
    }

    private func trial(
        _ scenario: Scenario, _ traces: UInt64
    ) throws -> VolumeTrial.Outcome {
        let salt = scenario.identifiers == .salted ? Self.salt(seed: scenario.seed) : 0
        do {
            return try VolumeTrial(seed: scenario.seed, salt: salt, traces: traces).run(scenario)
        } catch {
            throw CommandFailure.usage("\(error)")
        }
    }

    /// What every run is told.
    var runArguments: [String] {
        guard hasFidelity else { return [] }
        return ["--fidelity"] + (traces.map { ["--traces", String($0)] } ?? [])
    }

    /// Long enough for so many traces on a slow machine.
    func timeoutNs(_ ofStages: UInt64) -> UInt64 {
        guard command.pass.timeout == nil, let traces else { return ofStages }
        return ofStages &+ 60_000_000_000 &+ traces &* 2_000_000
    }

    // MARK: Budgets

    /// Turns every sampler until it keeps its budget.
    mutating func solve(_ scenario: Scenario, isShown: Bool, stopping: StopFlag) throws {
        guard command.budget != nil || command.sweep != nil else { return }
        let arrivals = traces ?? .max
        let truth = try trial(scenario.unsampled, arrivals)
        self.truth = truth
        guard truth.spans > 0 else { throw CommandFailure.usage("the scenario has no spans") }
        let targets: [Double]
        if let text = command.budget, let budget = VolumeBudget(text) {
            let share = budget.share(ofSpansPerS: truth.spansPerS)
            guard share <= 1 else {
                throw CommandFailure.usage(
                    "--budget '\(TerminalText.neutralised(text))' is more than there is: the scenario has "
                        + "\(NumberText.short(truth.spansPerS)) spans a second; write less")
            }
            targets = [share]
        } else {
            targets = command.sweep.flatMap { BudgetSweep($0)?.shares(command.points) } ?? []
        }
        let families = variants.names
        var kept: [String] = []
        for family in families {
            var known: [Double: Double] = [:]
            for target in targets {
                if stopping.code != nil { return }
                let name =
                    targets.count > 1 && variants.knob(of: family) != nil
                    ? "\(family) @ \(NumberText.percent(share: target))" : family
                if isShown { CompareProgress.show("solving \(name)") }
                try solve(
                    family, as: name, target: target, truth: truth, arrivals: arrivals, &known,
                    scenario)
                kept.append(name)
                // What has no knob, or none left to turn, is the same at every budget.
                if solved[name]?.argument == nil { break }
            }
        }
        if isShown { CompareProgress.clear() }
        variants.keep(kept)
        isChanged = true
        if let share = targets.first, targets.count == 1 {
            notes.append(
                "budget: \(NumberText.percent(share: share)) of all spans, "
                    + "\(NumberText.short(share * truth.spansPerS)) of \(NumberText.short(truth.spansPerS)) "
                    + "a second of simulated time, solved with seed \(scenario.seed)")
        }
    }

    private mutating func solve(
        _ family: String, as name: String, target: Double, truth: VolumeTrial.Outcome,
        arrivals: UInt64, _ known: inout [Double: Double], _ scenario: Scenario
    ) throws {
        var facts = VariantFacts()
        facts.name = name
        facts.budgetSpanShare = target
        facts.budgetSpansPerS = target * truth.spansPerS
        if name != family { facts.family = family }
        guard let knob = variants.knob(of: family) else {
            let share = try Self.keptShare(
                variants, family, seed: scenario.seed, arrivals,
                isSalted: scenario.identifiers == .salted)
            facts.solvedSpanShare = share
            facts.residualShare = share / target - 1
            facts.unreachable =
                "\(family) has no number to turn: it keeps \(NumberText.percent(share: share)) at any budget"
            solved[name] = facts
            return
        }
        let solver = BudgetSolver(tolerance: command.tolerance)
        let variants = variants
        let solution = try solver.solve(
            target, in: knob.range, isLogarithmic: knob.kind == .rate, known: &known
        ) { argument in
            var turned = variants
            turned.set(argument, of: family)
            return try Self.keptShare(
                turned, family, seed: scenario.seed, arrivals,
                isSalted: scenario.identifiers == .salted)
        }
        facts.argumentName = knob.label
        facts.argument = solution.argument
        facts.solvedSpanShare = solution.volume
        facts.residualShare = solution.residual
        let share = NumberText.percent(share: solution.volume)
        switch solution.limit {
        case nil: break
        case .floor:
            facts.unreachable =
                "\(name) keeps \(share) even with \(knob.label) turned down: what it always keeps is more "
                + "than the budget"
        case .ceiling:
            facts.unreachable = "\(name) keeps no more than \(share), with \(knob.label) turned up"
        case .step:
            facts.unreachable =
                "\(name) jumps over the budget: so few traces are kept that the next one is "
                + "\(NumberText.percent(share: abs(solution.residual))) of it; use more traces"
        }
        solved[name] = facts
        self.variants.set(solution.argument, of: family, as: name == family ? nil : name)
    }

    private static func keptShare(
        _ variants: ScenarioVariants, _ name: String, seed: UInt64, _ arrivals: UInt64,
        isSalted: Bool
    ) throws -> Double {
        do {
            let whole = try Scenario.parse(variants.text())
            guard let variant = whole.variants.first(where: { $0.name == name }) else { return 0 }
            let trial = VolumeTrial(
                seed: seed, salt: isSalted ? salt(seed: seed) : 0, traces: arrivals)
            return try trial.run(whole.applying(variant)).keptShare
        } catch {
            throw CommandFailure.usage("\(error)")
        }
    }

    // MARK: The file

    /// The scenario that runs read, its path, and what is known of its variants.
    func scenario(
        _ path: String, _ folder: RunFolder
    ) throws -> (Scenario, String, [VariantFacts]) {
        var runPath = path
        do {
            if isChanged {
                runPath = folder.scenarioPath
                try AtomicFile.write(Array(try variants.text().utf8), to: runPath)
            }
            let scenario = try ScenarioFile.loaded(runPath, seed: command.pass.seed)
            let facts = scenario.variants.map { variant in
                var facts = solved[variant.name] ?? VariantFacts()
                facts.name = variant.name
                facts.sampler = variant.samplerText
                return facts
            }
            return (scenario, runPath, facts)
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure.usage("\(error)")
        }
    }
}

/// What is being solved, on standard error.
enum CompareProgress {
    static func show(_ text: String) {
        guard isatty(STDERR_FILENO) == 1 else { return }
        let columns = TerminalStyle.columns(of: STDERR_FILENO)
        Output.write(
            "\r\u{1B}[2K"
                + TerminalText.truncated(
                    TerminalText.neutralised(text), columns: max(1, columns - 1)),
            to: STDERR_FILENO)
    }

    static func clear() {
        guard isatty(STDERR_FILENO) == 1 else { return }
        Output.write("\r\u{1B}[2K", to: STDERR_FILENO)
    }
}
