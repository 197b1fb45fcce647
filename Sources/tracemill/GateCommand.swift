import ArgumentParser
import Glibc
import TraceLoad
import TraceResults

/// `tracemill gate`.
struct GateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gate",
        abstract: "Did it get slower? Pairs of runs, and a verdict with its reasons.",
        discussion: """
            Runs both sides once in every round, in random order, a fresh process each, and
            judges every budget by the pairs: REGRESSED when the exact interval lies beyond
            no change and the estimate beyond the budget, PASS when the interval lies within
            the budget, INCONCLUSIVE otherwise. Budgets are the scenario's `budgets`, or
            --budget; without any: cpuNsPerSpan and achievedSpansPerS, 5% each.
            How it decides, with an example: docs/gate.md.

            EXAMPLES
              tracemill gate scenarios/checkout.yaml --base ./old/tracemill --duration 3s
              tracemill gate shop.yaml --base old/tracemill --head new/tracemill --adaptive
              tracemill gate shop.yaml --variant-base plain --variant-head sampled
              tracemill gate shop.yaml --baseline results/baseline/shop.json
              tracemill gate shop.yaml --baseline results/baseline/shop.json --record
              tracemill gate shop.yaml --base old/tracemill --budget 'spanEndNsP99 regress 10%'
              tracemill gate --results results/gate-shop.json --markdown summary.md

            EXIT CODES
              0 pass · 1 regression or budget broken · 2 usage, digest mismatch, missing metric
              3 inconclusive or machine unfit · 4 an invalid run · 130, 143 interrupted
            """)

    @Argument(help: "Scenario file (YAML).", completion: .file(extensions: ["yaml", "yml"]))
    var scenario: String?

    @Option(help: "Program to compare with: a built tracemill.")
    var base: String?

    @Option(help: "Program to judge; default: this one.")
    var head: String?

    @Option(help: "Variant of the scenario to compare with.")
    var variantBase: String?

    @Option(help: "Variant of the scenario to judge.")
    var variantHead: String?

    @Option(help: "Stored result to compare with; decides where the machine is the same.")
    var baseline: String?

    @Flag(help: "Write the runs of the head to --baseline instead of judging.")
    var record = false

    @Option(help: "Judge a stored result of a gate again, without running anything.")
    var results: String?

    @Option(
        name: [.customLong("budget")],
        help: "Such as 'cpuNsPerSpan regress 5%'; repeatable; instead of the scenario's.")
    var budgets: [String] = []

    @Option(help: "Rounds, a run of each side in each (1-200).")
    var rounds: Int?

    @Flag(help: "Look after 8, 16 and 24 rounds, and stop as soon as all is decided.")
    var adaptive = false

    @Flag(help: "Let a regression stand only if further rounds show it again.")
    var confirm = false

    @Flag(help: "Let an improvement by more than half pass.")
    var acceptImprovement = false

    @Option(help: "Seed of the order of the runs; default: drawn, and kept in the result.")
    var orderSeed: UInt64?

    @OptionGroup var pass: RunPassOptions

    @Option(name: .shortAndLong, help: "Result file; default: results/gate-<scenario>-<time>.json.")
    var output: String?

    @Flag(help: "One JSON document on standard output instead of the table.")
    var json = false

    @Option(help: "Also write Markdown to this file.")
    var markdown: String?

    @Option(help: "Also write JUnit XML to this file.")
    var junit: String?

    @Option(help: "Also write CSV to this file.")
    var csv: String?

    @Option(help: "Also write a page with charts to this file, as `tracemill report` does.")
    var html: String?

    @Flag(name: .shortAndLong, help: "No progress on standard error.")
    var quiet = false

    /// For tests: a shorter calibration kernel, or none.
    @Option(help: .hidden)
    var calibrationShare = 1.0

    /// For tests: extra work in the head, as a share of its other processor time.
    @Option(help: .hidden)
    var injectHead: Double?

    func validate() throws {
        if let rounds, !(1...GateSettings.roundsMax).contains(rounds) {
            throw ValidationError(
                "--rounds \(rounds): write a number from 1 to \(GateSettings.roundsMax)")
        }
        if adaptive, rounds != nil {
            throw ValidationError("--adaptive chooses the rounds itself: leave out --rounds")
        }
        if results != nil {
            guard scenario == nil, base == nil, head == nil, variantBase == nil, baseline == nil
            else {
                throw ValidationError(
                    "--results judges what is stored: leave out the scenario and sides")
            }
            return
        }
        guard scenario != nil else {
            throw ValidationError("name a scenario file, or a stored result with --results FILE")
        }
        guard (variantBase == nil) == (variantHead == nil) else {
            throw ValidationError("--variant-base and --variant-head go together: name both")
        }
        let sides = [base != nil, variantBase != nil, baseline != nil].count { $0 }
        guard sides == 1 else {
            throw ValidationError(
                sides == 0
                    ? "nothing to compare with: name --base PROGRAM, --variant-base and --variant-head, "
                        + "or --baseline FILE"
                    : "--base, --variant-base and --baseline are three ways to compare: choose one")
        }
        if record, baseline == nil {
            throw ValidationError("--record writes to --baseline: name it")
        }
        if baseline != nil, adaptive || confirm {
            throw ValidationError("--adaptive and --confirm take pairs, which --baseline has not")
        }
        guard (0...1).contains(calibrationShare) else {
            throw ValidationError("--calibration-share is from 0 (none) to 1")
        }
    }

    func run() throws {
        let outputs = GateOutput(
            json: json, markdown: markdown, junit: junit, csv: csv, html: html)
        try outputs.check()
        let report: GateReport
        var resultPath = results
        if let results {
            report = try judged(results)
        } else {
            let session = try GateSession(self)
            if record {
                try session.recordBaseline()
                return
            }
            report = try session.run()
            resultPath = session.resultPath
        }
        try outputs.write(report, resultPath: resultPath)
        guard report.exitCode == .pass else {
            throw CommandFailure(message: nil, code: report.exitCode)
        }
    }

    /// A stored result, judged again by its own plan, or by the budgets given.
    private func judged(_ path: String) throws -> GateReport {
        let result: RunResult
        do {
            result = try ResultFile.read(path)
        } catch {
            throw CommandFailure.usage("\(error)")
        }
        var settings = GateJudge.settings(of: result)
        if !budgets.isEmpty {
            settings.budgets = try budgets.map { line in
                do {
                    return try GateBudget(parsing: line)
                } catch {
                    throw CommandFailure.usage("\(error)")
                }
            }
        }
        settings.acceptsImprovement = acceptImprovement
        return GateJudge.report(on: result, settings: settings)
    }
}
