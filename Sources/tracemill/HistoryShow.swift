// `tracemill history show`: the course of one figure.
import ArgumentParser
import TraceHistory
import TraceResults

/// `tracemill history show`.
struct HistoryShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show a figure's course, and where its level changed.",
        discussion: """
            A series is one scenario (with everything in it, its seed, too), variant,
            machine and build mode: other figures do not belong in one row. `--joined`
            lets a scenario that was edited go on in the series of its name.

            Changes of level are found by PELT on ranks. Each costs --penalty times ln n; at
            the default at most one in twenty unchanged series shows any. A figure that
            follows from the seed changes whenever it differs.

            EXAMPLES
              tracemill history show cpuNsPerSpan
              tracemill history show deliveredSpansPerS --scenario checkout --last 50
              tracemill history show spanEndNsP99 --machine 3f2a --csv course.csv --svg course.svg
              tracemill history show cpuNsPerSpan --html course.html

            EXIT CODES
              0, changes or none · 1 with --fail-on-worse: the newest change was for the worse
              2 no such figure, no history, or one that cannot be used
            """)

    @Argument(help: "The figure; `tracemill history list --metrics` names them all.")
    var metric: String

    @OptionGroup var place: HistoryPlace

    @Option(help: "Only this scenario.")
    var scenario: String?

    @Option(help: "Only this variant.")
    var variant: String?

    @Option(help: "Only the machine whose fingerprint begins so.")
    var machine: String?

    @Option(help: ArgumentHelp("Only this build.", valueName: "release|debug"))
    var build: String?

    @Option(help: ArgumentHelp("Nothing older, in UTC.", valueName: "2026[-11[-22[T12:30]]]"))
    var since: String?

    @Option(help: "The newest so many of each series.")
    var last = 100

    @Option(help: "What a change costs: times ln n. More finds fewer.")
    var penalty = ChangePoints.penaltyFactor

    @Flag(help: "Join the series of a scenario that was edited; marks where.")
    var joined = false

    @Flag(help: "End with code 1 when a series changed for the worse last.")
    var failOnWorse = false

    @Flag(help: "Write one JSON document.")
    var json = false

    @Option(help: "Write a line for each point into this file.", completion: .file())
    var csv: String?

    @Option(help: "Draw it into this SVG file.", completion: .file(extensions: ["svg"]))
    var svg: String?

    @Option(
        help: "Write a page with the charts, what to conclude and the numbers into this file.",
        completion: .file(extensions: ["html"]))
    var html: String?

    func validate() throws {
        guard (1...100_000).contains(last) else {
            throw ValidationError("--last takes 1 to 100000 files")
        }
        guard ChangePoints.penaltyFactors.contains(penalty) else {
            let range = ChangePoints.penaltyFactors
            throw ValidationError(
                "--penalty takes \(Int(range.lowerBound)) to \(Int(range.upperBound)), such as 2.5")
        }
        if let build, build != "release", build != "debug" {
            throw ValidationError("--build takes release or debug")
        }
        if let since, !HistoryTime.isBeginning(since) {
            throw ValidationError(
                "--since takes the beginning of a time in UTC: 2026, 2026-11, 2026-11-22 or 2026-11-22T12:30"
            )
        }
    }

    func run() throws {
        let series: [HistorySeries]
        do {
            let history = try HistoryDatabase(reading: place.database)
            series = try history.series(query)
            if series.isEmpty { throw HistoryMetrics.notFound(metric, in: try history.metrics()) }
            if let csv { try AtomicFile.write(Array(HistoryCSV.text(of: series).utf8), to: csv) }
            if let svg {
                try AtomicFile.write(Array(CourseChart.file(series.map(\.chart)).utf8), to: svg)
            }
            if let html {
                let page = ReportPage.html(of: [], courses: series.map(\.course))
                try AtomicFile.write(Array(page.utf8), to: html)
            }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure.usage("\(error)")
        }
        Output.text(
            json
                ? HistoryDocument.text(of: series, metric: metric)
                : HistoryTable(style: .detected(on: 1)).text(of: series))
        if failOnWorse, series.contains(where: { $0.changes.last?.isWorse == true }) {
            throw CommandFailure(message: nil, code: .regression)
        }
    }

    private var query: HistoryQuery {
        var query = HistoryQuery(metric: metric)
        query.scenario = scenario
        query.variant = variant
        query.machine = machine
        query.buildMode = build
        query.since = since
        query.last = last
        query.joinsScenarioEdits = joined
        query.penaltyFactor = penalty
        return query
    }
}

/// What to say of a figure that a history does not show.
enum HistoryMetrics {
    static func notFound(_ metric: String, in metrics: [String]) -> CommandFailure {
        let shown = TerminalText.neutralised(metric.prefix(80))
        if metrics.contains(metric) {
            return .usage(
                "nothing in the history has '\(shown)' with this scenario, variant, machine, "
                    + "build and time: see `tracemill history list`")
        }
        let near = metrics.filter {
            $0.lowercased().hasPrefix(metric.lowercased().prefix(5))
        }
        let hint =
            near.isEmpty
            ? "see `tracemill history list --metrics`"
            : "it has " + TerminalText.neutralised(near.prefix(8).joined(separator: ", "))
        return .usage("the history has no figure '\(shown)'; \(hint)")
    }
}
