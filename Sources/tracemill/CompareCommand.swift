import ArgumentParser
import TraceLoad
import TraceResults

/// `tracemill compare`.
struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "What each sampler or pipeline costs and what it loses, side by side.",
        discussion: """
            Grinds the same seeded traces through every variant of a scenario: once in every
            round, in random order, a fresh process each, every round with a seed of its own.
            Shows cost and fidelity against the unsampled truth, which variants are dominated,
            and what each choice gives up. Or compares result files that are there already.
            How it collects and how to read it: docs/compare.md.

            EXAMPLES
              tracemill compare scenarios/samplers.yaml
              tracemill compare scenarios/samplers.yaml --svg samplers.svg --markdown out.md
              tracemill compare scenarios/checkout.yaml --traces 20000 \\
                --sampler traceidratio:0.1 --sampler parentbased:ratelimit:500 \\
                --sampler tail:errors+slow:500ms+ratio:0.01
              tracemill compare shop.yaml --sampler 'calm=parentbased:adaptive:20'
              tracemill compare scenarios/samplers.yaml --budget '2000 spans/s'
              tracemill compare scenarios/samplers.yaml --sweep 0.1%..50% --svg curves.svg
              tracemill compare scenarios/processors.yaml --duration 2s
              tracemill compare results/monday.json results/tuesday.json --sort cpuNsPerSpan

            EXIT CODES
              0 compared · 2 usage, bad file, scenarios that differ · 4 a run does not count
              130, 143 interrupted: the whole rounds are kept
            """)

    @Argument(
        help: "A scenario file (YAML), or result files (JSON).",
        completion: .file(extensions: ["yaml", "yml", "json"]))
    var files: [String]

    @Option(
        name: [.customLong("sampler")],
        help: "A sampler as a variant, as SAMPLER or NAME=SAMPLER; repeatable.")
    var samplers: [String] = []

    @Option(
        name: [.customLong("variant")],
        help: "Only this variant of the scenario; repeatable. Default: all.")
    var variants: [String] = []

    @Option(help: "Rounds, a run of each variant in each (1-200).")
    var rounds = 5

    @Option(help: "Traces of each run; default: the whole schedule, 20000 at rate: max.")
    var traces: Int?

    @Option(help: "About so many spans in each run, before sampling, instead of --traces.")
    var spans: Int?

    @OptionGroup var pass: RunPassOptions

    @Option(help: "Seed of the order of the runs; default: drawn, and kept in the result.")
    var orderSeed: UInt64?

    @Option(
        help: """
            What every variant is to keep, such as '2000 spans/s' (of simulated time) or 5%: each \
            sampler's argument is solved for it.
            """)
    var budget: String?

    @Option(help: "Budgets from a share of all spans to another, such as 0.1%..50%.")
    var sweep: String?

    @Option(help: "Budgets of a sweep (2-20).")
    var points = 6

    @Option(help: "By how much a solved budget may be off, as a share of it.")
    var tolerance = 0.005

    @Option(help: "Figure to sort by; default: the gain of --axes.")
    var sort: String?

    @Option(
        name: [.customLong("metric")],
        help: "Figures to show, by comma or repeatable; default: cost and fidelity.")
    var metrics: [String] = []

    @Option(
        help: """
            COST,GAIN: the two figures of the plot, which also say who is dominated; default: \
            cpuMsPerThousandTraces,errorTraceRecall.
            """)
    var axes: String?

    @Option(help: "Variant that ratios in JSON and CSV are taken over; default: the first.")
    var relativeTo: String?

    @Option(
        name: .shortAndLong, help: "Result file; default: results/compare-<scenario>-<time>.json.")
    var output: String?

    @Flag(help: "One JSON document on standard output instead of the table.")
    var json = false

    @Option(help: "Also write Markdown to this file.")
    var markdown: String?

    @Option(help: "Also write CSV to this file: every figure of every variant.")
    var csv: String?

    @Option(help: "Also draw a plot into this file (SVG).")
    var svg: String?

    @Option(help: "Also write a page with charts to this file, as `tracemill report` does.")
    var html: String?

    @Flag(name: .shortAndLong, help: "No progress on standard error.")
    var quiet = false

    func validate() throws {
        guard (1...GateSettings.roundsMax).contains(rounds) else {
            throw ValidationError(
                "--rounds \(rounds): write a number from 1 to \(GateSettings.roundsMax)")
        }
        if let traces, traces < 1 {
            throw ValidationError("--traces \(traces): write a number of at least 1")
        }
        if let spans, spans < 1 {
            throw ValidationError("--spans \(spans): write a number of at least 1")
        }
        if traces != nil, spans != nil {
            throw ValidationError("--traces and --spans say the same: choose one")
        }
        if pass.duration != nil, traces != nil || spans != nil || budget != nil || sweep != nil {
            throw ValidationError(
                "--duration measures cost alone, by the clock; --traces, --spans, --budget and "
                    + "--sweep count traces: choose one")
        }
        if budget != nil, sweep != nil {
            throw ValidationError("--budget is one budget, --sweep several: choose one")
        }
        if let budget, VolumeBudget(budget) == nil {
            throw ValidationError(
                "--budget '\(TerminalText.neutralised(budget))': write spans a second, such as "
                    + "'2000 spans/s', or a share, such as 5%")
        }
        if let sweep, BudgetSweep(sweep) == nil {
            throw ValidationError(
                "--sweep '\(TerminalText.neutralised(sweep))': write two shares above 0, the "
                    + "smaller first, such as 0.1%..50%")
        }
        guard (2...20).contains(points) else {
            throw ValidationError("--points \(points): write a number from 2 to 20")
        }
        guard tolerance > 0, tolerance < 1 else {
            throw ValidationError("--tolerance \(tolerance): write a share such as 0.005 or 0.02")
        }
        if let axes, chosenAxes == nil {
            throw ValidationError(
                "--axes '\(TerminalText.neutralised(axes))': write two figures with a comma, such as "
                    + "cpuMsPerThousandTraces,errorTraceRecall")
        }
        let stored = files.count { $0.hasSuffix(".json") }
        guard stored == 0 || stored == files.count else {
            throw ValidationError(
                "a comparison is of one scenario or of result files, not of both at once")
        }
        if stored == 0, files.count > 1 {
            throw ValidationError("one scenario at a time: \(files.count) were named")
        }
        if stored > 0 {
            guard samplers.isEmpty, variants.isEmpty, budget == nil, sweep == nil, traces == nil,
                spans == nil, pass.duration == nil, pass.seed == nil, output == nil
            else {
                throw ValidationError(
                    "result files are compared as they are: leave out --sampler, --variant, "
                        + "--budget, --sweep, --traces, --spans, --duration, --seed and --output")
            }
        }
    }

    private var chosenAxes: (cost: String, gain: String)? {
        let names = (axes ?? "").split(separator: ",", omittingEmptySubsequences: false)
        guard names.count == 2, names.allSatisfy({ !$0.isEmpty }) else { return nil }
        return (String(names[0]), String(names[1]))
    }

    /// What is to be shown.
    var settings: ComparisonSettings {
        var settings = ComparisonSettings()
        let names = metrics.flatMap { $0.split(separator: ",").map(String.init) }
        settings.metrics = names.isEmpty ? nil : names
        settings.sort = sort
        settings.cost = chosenAxes?.cost
        settings.gain = chosenAxes?.gain
        settings.reference = relativeTo
        return settings
    }

    func run() throws {
        let output = CompareOutput(json: json, markdown: markdown, csv: csv, svg: svg, html: html)
        try output.check()
        let comparison: Comparison
        var path: String?
        if files[0].hasSuffix(".json") {
            comparison = try stored()
        } else {
            let session = try CompareSession(self)
            comparison = try session.run()
            path = session.resultPath
        }
        try output.write(comparison, path: path, files: path.map { [$0] } ?? files)
        guard comparison.exitCode == .pass else {
            throw CommandFailure(message: nil, code: comparison.exitCode)
        }
    }

    private func stored() throws -> Comparison {
        do {
            let results = try files.map { path in
                (path: Optional(path), result: try ResultFile.read(path))
            }
            return try ComparisonBuilder.comparison(of: results, settings: settings)
        } catch {
            throw CommandFailure.usage("\(error)")
        }
    }
}
