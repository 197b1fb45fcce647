import ArgumentParser
import TraceHistory
import TraceResults

/// `tracemill report`.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Show result files: one HTML page with charts, or Markdown, JUnit XML, CSV.",
        discussion: """
            Reads result files and nothing else: of single runs, gates, comparisons and merged
            shards, one or several. The page is one file without scripts that loads nothing:
            the change against the budget, latency by percentile, throughput, drift, cost
            against fidelity, the service graph, a typical and the slowest trace, the books,
            every figure. Each chart says what it shows and what to conclude. With --history
            also the course of figures over commits, with where their levels changed.
            How to read them: docs/report.md.

            EXAMPLES
              tracemill report results/checkout.json
              tracemill report results/gate-checkout.json -o gate.html
              tracemill report before.json after.json -o both.html
              tracemill report results/*.json -o summary.md
              tracemill report gate.json --history results/history.sqlite -o gate.html
              tracemill report results/gate-checkout.json -o gate.xml
              tracemill report results/*.json -o figures.csv
            """)

    @Argument(help: "Result files.", completion: .file(extensions: ["json"]))
    var files: [String]

    @Option(
        name: .shortAndLong,
        help: """
            Where the report goes: .html, .md, .xml (JUnit) or .csv; default: the first file's \
            name with .html.
            """)
    var output: String?

    @Option(
        help: "Show figures over commits, too: from what `tracemill history add` keeps (SQLite).",
        completion: .file())
    var history: String?

    @Option(
        name: [.customLong("metric")],
        help: """
            A figure to show over commits; repeatable; default: what gates among the files judged, \
            else the main ones.
            """)
    var metrics: [String] = []

    @Option(help: "The newest so many result files of a history (1-1000).")
    var last = 100

    func validate() throws {
        if history == nil, !metrics.isEmpty {
            throw ValidationError("--metric names figures of a history: add --history FILE")
        }
        guard (1...1000).contains(last) else {
            throw ValidationError("--last \(last): write a number of files from 1 to 1000")
        }
    }

    /// Runs in all; a page of more would be read by nobody.
    private static let runsMax = 5_000

    func run() throws {
        let path = output ?? Self.page(beside: files[0])
        guard let format = ReportFormat(path: path) else {
            throw CommandFailure.usage(
                "--output '\(TerminalText.neutralised(path))' has no ending that says what to write: "
                    + "end it in .html, .md, .xml or .csv")
        }
        guard !files.contains(path) else {
            throw CommandFailure.usage(
                "'\(TerminalText.neutralised(path))' is both read and written: name another --output"
            )
        }
        var inputs: [ReportInput] = []
        do {
            // Before the work, not after it.
            try AtomicFile.probe(path)
            for file in files {
                inputs.append(ReportInput(path: file, result: try ResultFile.read(file)))
            }
        } catch {
            throw CommandFailure.usage("\(error)")
        }
        let runs = inputs.reduce(0) { $0 + $1.result.runs.count }
        guard runs <= Self.runsMax else {
            throw CommandFailure.usage(
                "the files hold \(NumberText.grouped(runs)) runs, a report takes at most "
                    + "\(NumberText.grouped(Self.runsMax)): name fewer files")
        }
        let courses = try courses(of: inputs.map(\.result), in: format)
        try Self.write(format.text(of: inputs, courses: courses), to: path)
        Output.line("report: \(TerminalText.neutralised(path))")
    }

    /// What the history has of the files' scenarios; none without `--history`.
    private func courses(of results: [RunResult], in format: ReportFormat) throws -> [ReportCourse]
    {
        guard let history else { return [] }
        guard format.takesCourses else {
            throw CommandFailure.usage("--history goes into reports that end in .html or .md")
        }
        do {
            let database = try HistoryDatabase(reading: history)
            let found = try database.series(
                belongingTo: results, metrics: metrics, last: last)
            for metric in metrics where !found.drawn.contains(where: { $0.metric == metric }) {
                throw HistoryMetrics.notFound(metric, in: try database.metrics())
            }
            guard found.count > 0 else {
                let names = Set(results.map(\.scenario.name)).sorted().joined(separator: ", ")
                throw CommandFailure.usage(
                    "the history '\(TerminalText.neutralised(history))' has nothing of "
                        + "\(TerminalText.neutralised(names)): see `tracemill history list`")
            }
            if found.count > found.drawn.count {
                Output.error(
                    "\(found.drawn.count) of \(found.count) courses are drawn: choose with --metric"
                )
            }
            return found.drawn.map(\.course)
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure.usage("\(error)")
        }
    }

    /// Writes a report over the old one, or leaves that as it was.
    static func write(_ text: String, to path: String) throws {
        do {
            try AtomicFile.write(Array(text.utf8), to: path)
        } catch {
            throw CommandFailure.usage("\(error)")
        }
    }

    /// `results/checkout.json` makes `results/checkout.html`.
    private static func page(beside path: String) -> String {
        (path.hasSuffix(".json") ? String(path.dropLast(5)) : path) + ".html"
    }
}
