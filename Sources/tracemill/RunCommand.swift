import ArgumentParser
import Glibc
import Synchronization
import TraceCore
import TraceLoad
import TraceResults

/// `tracemill run SCENARIO`.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run one scenario: a table, and a result file.",
        discussion: """
            Starts a receiver of its own on a free loopback port (unless the scenario or
            --endpoint names another), warms up, replays the scenario's traces through the
            pipeline, waits until every span is acknowledged or accounted for, and checks
            the books of both sides batch by batch. A run that breaks a conservation law
            exits with 4.

            EXAMPLES
              tracemill run scenarios/checkout.yaml
              tracemill run scenarios/checkout.yaml --duration 60s --workers 2
              tracemill run scenarios/checkout.yaml --verify --duration 2s
              tracemill run shop.yaml --shard 1/4 --endpoint http://127.0.0.1:4318/v1/traces
              tracemill run shop.yaml --endpoint http://127.0.0.1:4318/v1/traces
              tracemill run shop.yaml --variant sampled
              tracemill run shop.yaml --traces 100000
              tracemill run shop.yaml --traces 100000 --fidelity --variant tail
              tracemill run shop.yaml --json | jq .runs[0].metrics.spanEndNsP99

            --fidelity plans all traces before the run, has the receiver list the spans that
            came, and says what of the truth was kept and what can be estimated from it
            (docs/fidelity.md). The same seed and variant give the same figures.

            The scenario's `budgets` with max and min are judged: one that breaks exits with 1.
            """)

    @Argument(help: "Scenario file (YAML).", completion: .file(extensions: ["yaml", "yml"]))
    var scenario: String

    @Option(help: "Length of the measured part, such as 10s; default: what the stages say.")
    var duration: Duration?

    @Option(
        help: """
            Length of the measured part in traces (arrivals) instead; no warm-up unless --warmup says so.
            """)
    var traces: UInt64?

    @Flag(help: "Judge what was kept against all planned traces, at most 20 million spans.")
    var fidelity = false

    @Option(help: "Traces a second instead of what the stages say, all entries together.")
    var rate: Double?

    @Option(help: "Warm-up before it, such as 500ms or 0s; default: the scenario's run.warmup.")
    var warmup: Duration?

    @Option(help: "Seed instead of the scenario's.")
    var seed: UInt64?

    @Option(help: "Worker threads; default: the scenario's, or cores - 1.")
    var workers: Int?

    @Option(
        help: """
            Shard i of n, such as 0/4: every arrival is simulated and each n-th trace is sent. All \
            shards together send what one run would.
            """)
    var shard: ShardArgument?

    @Option(
        help: """
            Number that salted ids derive from; default: drawn, or one for all shards, or with --fidelity \
            one that follows from the seed.
            """)
    var salt: UInt64?

    @Option(help: "Variant of the scenario to run instead of its pipeline.")
    var variant: String?

    @Option(help: "OTLP/HTTP endpoint to send to instead of the embedded receiver.")
    var endpoint: String?

    @Flag(help: "Decode every field at the receiver and compare the contents with the plan.")
    var verify = false

    @Option(help: "Clock of the spans: cycles (the cycle counter) or system (clock_gettime).")
    var clock = ClockArgument.cycles

    @Option(
        name: [.customLong("fault")],
        help: "A fault of the embedded receiver, such as status=503,count=3; repeatable.")
    var faults: [String] = []

    @Option(
        help: "One call in so many is timed, on average: 1 for a tail from few spans (1-1000000).")
    var timedOneIn = 64

    @Option(name: .shortAndLong, help: "Result file; default: results/<scenario>-<time>.json.")
    var output: String?

    @Flag(help: "Write the result as one JSON document on standard output instead of the table.")
    var json = false

    @Flag(name: .shortAndLong, help: "No progress on standard error.")
    var quiet = false

    /// For `selftest`: extra work on the exporter's thread, as a share of all other processor time.
    @Option(help: .hidden)
    var extraWork = 0.0

    func validate() throws {
        if let workers, !(1...256).contains(workers) {
            throw ValidationError("--workers \(workers): write a number from 1 to 256")
        }
        if traces == 0 { throw ValidationError("--traces 0: write 1 or more") }
        if traces != nil, duration != nil {
            throw ValidationError(
                "--traces and --duration both say how long the measured part is: leave one of them out"
            )
        }
        guard (1...1_000_000).contains(timedOneIn) else {
            throw ValidationError(
                "--timed-one-in \(timedOneIn): write a number from 1, every call, to 1000000")
        }
        guard (0...10).contains(extraWork) else {
            throw ValidationError("--extra-work \(extraWork): write a share from 0 to 10")
        }
        if let rate, !(rate >= 0.001 && rate <= 1e7) {
            throw ValidationError("--rate \(rate): write traces a second, from 0.001 to 10000000")
        }
    }

    func run() throws {
        var scenario = try ScenarioFile.loaded(scenario, seed: seed)
        if let rate { scenario = scenario.offering(tracesPerS: rate) }
        if !quiet { for note in scenario.notes { Output.error("\(note)") } }
        // A gate pads names to equal lengths.
        let variant = variant.map { ScenarioFile.trimmed($0) }
        let compiled = CompiledScenario(
            try variant.map { try ScenarioFile.patched(scenario, variant: $0) } ?? scenario)
        let path = output ?? ResultPath.standard(for: compiled.scenario.name)
        // Before the load, not after it: a run whose result has no place to go is a run for nothing.
        try ResultPath.check(path)
        var options = RunOptions()
        options.durationNs = duration?.nanoseconds
        options.warmupNs = warmup?.nanoseconds
        options.traces = traces
        options.measuresFidelity = fidelity
        options.workers = workers
        options.shard = shard?.shard ?? .whole
        options.salt = salt
        options.endpoint = endpoint
        options.verifies = verify
        options.sinkFaults = faults
        options.clock = clock.source
        options.timedOneIn = timedOneIn
        options.extraWorkShare = extraWork
        options.allocatedBytesOfThread = { Heap.allocatedBytesOfThread() }
        options.allocatedBytes = { Heap.allocatedBytes() }
        if let pages = ArenaPageSource() {
            options.pages = pages
            options.heldBytesOfPages = { pages.heldBytes }
        }
        let progress = ProgressDisplay(name: compiled.scenario.name, isShown: !quiet)
        options.onProgress = { progress.update($0) }

        var record: RunRecord
        let run: ScenarioRun
        do {
            run = try ScenarioRun(compiled, options: options)
            if !json { Output.line("\(run.memoryStatement)\n") }
            let isQuiet = quiet
            let signals = SignalWatch { code in
                run.interrupt(code)
                guard !isQuiet else { return }
                // Over the line of the progress.
                if isatty(STDERR_FILENO) == 1 { Output.write("\r\u{1B}[2K", to: STDERR_FILENO) }
                Output.error(
                    "stopping: what is queued is still sent; a second signal ends it at once")
            }
            defer { signals.stop() }
            record = try run.run()
        } catch .unusable(let reason) {
            throw CommandFailure.usage(reason)
        } catch .cannotStart(let reason) {
            progress.finish()
            throw CommandFailure(message: reason, code: .invalidRun)
        }
        progress.finish()
        if let variant { record.variant = variant }
        let hasFixedTraces = traces != nil && scenario.clock == .simulated && warmup == nil
        if hasFixedTraces || duration == nil && scenario.hasFixedSchedule {
            record.setExactFigures(hasFixedIdentifiers: scenario.identifiers == .fixed)
        }
        let result = RunDocument.result(record, of: scenario)
        do {
            try ResultFile.write(result, to: path)
        } catch {
            throw CommandFailure.usage("\(error)")
        }
        if json {
            Output.text(try ResultFile.text(of: result))
        } else {
            let table = ResultTable(style: .detected(on: STDOUT_FILENO))
            Output.text(table.text(of: record, in: result, path: path))
        }
        if let code = run.interruption { throw CommandFailure(message: nil, code: code) }
        if !record.valid {
            throw CommandFailure(
                message: "invalid run: \(record.reason ?? "see the ledger in \(path)")",
                code: .invalidRun)
        }
        try RunBudgets.judge(record, of: scenario, showsTable: !json)
    }
}

/// `--shard`: i/n.
struct ShardArgument: ExpressibleByArgument {
    var shard: Shard

    init?(argument: String) {
        let parts = argument.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let index = Int(parts[0]), let count = Int(parts[1]),
            (1...1024).contains(count), (0..<count).contains(index)
        else { return nil }
        shard = Shard(index: index, count: count)
    }

    static var allValueStrings: [String] { ["0/4", "3/4"] }
}

/// `--clock`.
enum ClockArgument: String, ExpressibleByArgument, CaseIterable {
    case cycles
    case system

    var source: ClockSource { self == .cycles ? .cycleCounter : .system }
}

/// A duration on the command line, with its unit, as in scenario files.
struct Duration: ExpressibleByArgument {
    var nanoseconds: UInt64

    init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    init?(argument: String) {
        guard let value = ScenarioUnits.durationNs(argument), value >= 0 else { return nil }
        nanoseconds = UInt64(value)
    }

    static var allValueStrings: [String] { ["250us", "5ms", "2s", "1m"] }

    var defaultValueDescription: String {
        NumberText.duration(ns: Double(nanoseconds)).replacing(" ", with: "")
    }
}

/// The progress line, fed from the run's own thread.
final class ProgressDisplay: Sendable {
    private let reporter: Mutex<ProgressReporter?>

    init(name: String, isShown: Bool) {
        reporter = Mutex(isShown ? ProgressReporter(name: name) : nil)
    }

    func update(_ snapshot: ProgressSnapshot) {
        reporter.withLock { $0?.update(snapshot, atNs: HostClock.monotonicNs()) }
    }

    func finish() {
        reporter.withLock { $0?.finish() }
    }
}
