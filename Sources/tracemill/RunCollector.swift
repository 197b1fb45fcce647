// Collecting the runs of a gate or a comparison: every arm once in each round, in a seeded random order, a
// fresh process each, the calibration kernel between rounds where it is wanted. Whatever a child does, there is a record of it: one that
// crashes, hangs or writes what is no result leaves an invalid run with the reason.
import Glibc
import Synchronization
import TraceResults

/// One side of a gate or variant of a comparison, ready to run.
struct RunArm {
    /// What its runs are called.
    var name: String
    /// The program, under a path as long as the others'.
    var program: String
    /// What it is told beyond what all are told.
    var arguments: [String] = []
    /// What becomes known of it.
    var facts: ArmFacts
}

/// Collects rounds. One thread; `stop` from any.
final class RunCollector {
    /// After so many invalid runs nothing that follows could make a pass of it.
    static let invalidRunsMax = 3

    private(set) var arms: [RunArm]
    private(set) var runs: [RunRecord] = []
    /// The scenario that every run must resolve to; nil before the first run, without a stored one.
    private(set) var scenario: ScenarioFacts?
    private let scenarioPath: String
    private let commonArguments: [String]
    private let timeoutNs: UInt64
    private let orderSeed: UInt64
    private let calibrationShare: Double
    private let folder: RunFolder
    private let stopping: StopFlag
    private let onProgress: (RunStep) -> Void
    private let ofRound: (Int) -> RoundPlan
    private var lastCalibrationNs: UInt64?

    init(
        arms: [RunArm], scenarioPath: String, commonArguments: [String], timeoutNs: UInt64,
        orderSeed: UInt64, calibrationShare: Double, folder: RunFolder, stopping: StopFlag,
        scenario: ScenarioFacts? = nil,
        ofRound: @escaping (Int) -> RoundPlan = { _ in RoundPlan() },
        onProgress: @escaping (RunStep) -> Void
    ) {
        self.arms = arms
        self.scenario = scenario
        self.scenarioPath = scenarioPath
        self.commonArguments = commonArguments
        self.timeoutNs = timeoutNs
        self.orderSeed = orderSeed
        self.calibrationShare = calibrationShare
        self.folder = folder
        self.stopping = stopping
        self.onProgress = onProgress
        self.ofRound = ofRound
    }

    /// Whether collecting on is of any use.
    var isOver: Bool {
        stopping.code != nil || runs.count(where: { !$0.valid }) >= Self.invalidRunsMax
    }

    /// Collects rounds up to `count` of them from `first` on. A round that a signal cut short is left out.
    func collect(first: Int, count: Int) throws {
        for round in first..<first + count where !isOver {
            let before = calibrate()
            let plan = ofRound(round)
            var order = Array(arms.indices)
            var random = SeededRandom(seed: orderSeed &+ UInt64(round))
            order.shuffle(using: &random)
            var collected: [RunRecord] = []
            for (slot, index) in order.enumerated() {
                onProgress(RunStep(round: round, arm: arms[index].name, slot: slot))
                var record = try run(&arms[index], plan)
                guard stopping.code == nil else { break }
                record.variant = arms[index].name
                record.round = round
                record.slot = slot
                record.seed = plan.seed
                collected.append(record)
            }
            guard collected.count == arms.count else { return }
            lastCalibrationNs = nil
            let after = calibrate()
            for index in collected.indices {
                collected[index].host.calibrationBeforeNs = before
                collected[index].host.calibrationAfterNs = after
            }
            runs += collected
        }
    }

    /// The kernel's time; the end of one round is the beginning of the next.
    private func calibrate() -> UInt64? {
        guard calibrationShare > 0 else { return nil }
        if let lastCalibrationNs { return lastCalibrationNs }
        let time = CalibrationKernel.run(share: calibrationShare)
        lastCalibrationNs = time
        return time
    }

    /// One run. Throws only where every other run would fail likewise.
    private func run(_ arm: inout RunArm, _ plan: RoundPlan) throws -> RunRecord {
        unsafe unlink(folder.resultPath)
        let startedAt = HostClock.timestamp(wallNs: HostClock.wallNs())
        let words =
            [arm.program, "run", scenarioPath, "--quiet", "--output", folder.resultPath]
            + commonArguments + plan.arguments + arm.arguments
        let child = ChildRun.run(
            words, timeoutNs: timeoutNs, shouldStop: { stopping.code != nil })
        let said = child.lastWords.isEmpty ? "" : ": \(child.lastWords)"
        var invalid = RunRecord()
        invalid.startedAt = startedAt
        switch child.ending {
        case .stopped: return invalid
        case .timedOut:
            invalid.invalidate(
                "it did not end within \(NumberText.duration(ns: Double(timeoutNs))) and was killed\(said)"
            )
            return invalid
        case .signalled(let number):
            let name = unsafe strsignal(number).map { unsafe String(cString: $0) } ?? "unknown"
            invalid.invalidate("it was ended by signal \(number) (\(name))\(said)")
            return invalid
        case .cannotStart(let reason):
            throw CommandFailure.usage("cannot start the \(arm.name) program: \(reason)")
        case .exited(let code) where code == ExitCode.usage.rawValue || code == 64:
            throw CommandFailure.usage(
                "\(arm.name) does not take this scenario or its options\(said)")
        case .exited(let code):
            return try record(of: &arm, plan, exitCode: code, said, invalid)
        }
    }

    private func record(
        of arm: inout RunArm, _ plan: RoundPlan, exitCode: Int32, _ said: String,
        _ invalid: RunRecord
    ) throws -> RunRecord {
        var invalid = invalid
        let result: RunResult
        do {
            result = try ResultFile.read(folder.resultPath)
        } catch {
            invalid.invalidate("it ended with code \(exitCode) and left no result\(said)")
            if exitCode == 0 { invalid.reason = "it ended well and left no whole result: \(error)" }
            return invalid
        }
        guard result.runs.count == 1, var record = result.runs.first else {
            invalid.invalidate("its result holds \(result.runs.count) runs, not one")
            return invalid
        }
        // 0 and 1 are verdicts about budgets, 3 too; all else is no whole run, whatever its file says.
        if ![0, 1, 3].contains(exitCode) {
            record.invalidate("it ended with code \(exitCode)\(said)")
        }
        try enter(result, of: &arm, plan)
        return record
    }

    /// What a run says of its program and scenario must be the same all along.
    private func enter(
        _ result: RunResult, of arm: inout RunArm, _ plan: RoundPlan
    ) throws {
        if let scenario = plan.scenario ?? scenario, scenario.sha256 != result.scenario.sha256 {
            throw CommandFailure.usage(
                "the arms do not run the same scenario: "
                    + Self.firstDifference(scenario.resolved, result.scenario.resolved)
                    + "; both programs must read the file alike")
        }
        scenario = result.scenario
        arm.facts.tool = result.tool
        arm.facts.scenarioSHA256 = result.scenario.sha256
    }

    /// The first line in which two resolved scenarios differ.
    static func firstDifference(_ left: String, _ right: String) -> String {
        let lines = left.split(separator: "\n", omittingEmptySubsequences: false)
        let others = right.split(separator: "\n", omittingEmptySubsequences: false)
        for index in 0..<max(lines.count, others.count) {
            let (line, other) = (
                index < lines.count ? lines[index] : "(nothing)",
                index < others.count ? others[index] : "(nothing)"
            )
            if line != other {
                return "'\(TerminalText.neutralised(line.prefix(80)))' in one is "
                    + "'\(TerminalText.neutralised(other.prefix(80)))' in the other"
            }
        }
        return "their digests differ"
    }
}

/// What is particular about one round.
struct RoundPlan {
    /// Told to every arm's run.
    var arguments: [String] = []
    /// Kept with the runs; nil where it is the scenario's.
    var seed: UInt64?
    /// What every run must resolve to; nil for what the first run resolved to.
    var scenario: ScenarioFacts?
}

/// What is being collected.
struct RunStep {
    var round: Int
    var arm: String
    var slot: Int
}

/// Set by a signal, read by the collector.
final class StopFlag: Sendable {
    private let value = Mutex<ExitCode?>(nil)

    var code: ExitCode? { value.withLock { $0 } }

    func stop(_ code: ExitCode) {
        value.withLock { if $0 == nil { $0 = code } }
    }
}

/// Where a collection stands, on standard error: a line written over on a terminal, else a line a round.
final class CollectionProgress {
    private let name: String
    private let isShown: Bool
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let startedNs = HostClock.monotonicNs()
    private var runsDone = 0
    /// How many rounds there will be.
    var rounds: Int
    private let arms: Int
    private var isOpen = false

    init(name: String, rounds: Int, arms: Int, isShown: Bool) {
        self.name = TerminalText.truncated(TerminalText.neutralised(name), columns: 24)
        self.rounds = rounds
        self.arms = arms
        self.isShown = isShown
    }

    func update(_ step: RunStep) {
        defer { runsDone += 1 }
        guard isShown, isTerminal || step.slot == 0 else { return }
        let passed = Double(HostClock.monotonicNs() - startedNs)
        var text = "\(name)  round \(step.round + 1)/\(rounds)"
        if isTerminal { text += "  \(TerminalText.neutralised(step.arm))" }
        text += "  \(NumberText.duration(ns: passed))"
        if runsDone > 0 {
            let left = passed / Double(runsDone) * Double(max(0, rounds * arms - runsDone))
            text += ", about \(NumberText.duration(ns: left)) left"
        }
        let columns = TerminalStyle.columns(of: STDERR_FILENO)
        Output.write(
            isTerminal
                ? "\r\u{1B}[2K" + TerminalText.truncated(text, columns: max(1, columns - 1))
                : text + "\n", to: STDERR_FILENO)
        isOpen = isTerminal
    }

    func finish() {
        if isOpen { Output.write("\r\u{1B}[2K", to: STDERR_FILENO) }
        isOpen = false
    }
}
