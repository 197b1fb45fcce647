// A history in a report: which series belong to the result files that it shows, and each series with what
// it shows, what to conclude and its numbers.

import TraceResults

extension HistorySeries {
    /// The series as a report shows it.
    package var course: ReportCourse {
        var drawing = chart
        drawing.title = metric
        let conclusion = conclusion
        return ReportCourse(
            metric: metric, says: says, concludes: conclusion.text, tone: conclusion.tone,
            chart: drawing, table: table)
    }

    private var says: String {
        let direction =
            switch better {
            case .lower: "; lower is better"
            case .higher: "; higher is better"
            case .neither: ""
            }
        let parts = [
            key.scenario, key.variant == "default" ? nil : key.variant,
            key.scenarioSHA256.isEmpty ? nil : String(key.scenarioSHA256.prefix(8)),
            "\(key.buildMode) build", "machine \(key.machine) (\(machineText))",
        ]
        return "The median of each result file's runs, the band from the least to the most of them"
            + "\(direction). A line is a level, a rule where it changed. "
            + parts.compactMap(\.self).joined(separator: ", ") + "."
    }

    private var conclusion: (text: String, tone: ReportTone) {
        let files = FigureText.count(points.count, "result file")
        guard let last = changes.last else {
            let needed = ChangePoints.valuesNeeded(penaltyFactor: penaltyFactor)
            let isSame = Set(points.map(\.figure.median)).count == 1
            if points.count > 1, isExact || isSame { return ("The same in \(files).", .good) }
            return points.count < needed
                ? ("\(files): a change of level shows in \(needed) or more.", .unsure)
                : ("No change of level in \(files): what differs between them is noise.", .good)
        }
        let place = last.index
        let ways = "\(shown(last.before)) → \(shown(last.after))"
        let since = "\(label(place)) (\(HistoryTable.time(points[place].measuredAt)))"
        let others =
            changes.count > 1
            ? " \(FigureText.count(changes.count - 1, "earlier change")): see the numbers." : ""
        let change = FigureText.change(last.ratio)
        switch last.isWorse {
        case true?:
            return (
                "Worse since \(since): \(ways), \(change). Look at what came between "
                    + "\(label(place - 1)) and \(label(place)).\(others)", .bad
            )
        case false?:
            return ("Better since \(since): \(ways), \(change).\(others)", .good)
        case nil:
            return ("Another level since \(since): \(ways), \(change).\(others)", .plain)
        }
    }

    private var table: ReportTable {
        var table = ReportTable(
            caption: "\(metric) by result file, oldest first",
            columns: [
                .text("measured"), .text("commit"), .text("version"), .number("median"),
                .number("lowest"), .number("highest"), .number("runs"), .text("change of level"),
            ])
        let changes = Dictionary(
            changes.map { ($0.index, $0) }, uniquingKeysWith: { first, _ in first })
        for (index, point) in points.enumerated() {
            let figure = point.figure
            let change = changes[index].map { change -> ReportTable.Cell in
                let text = FigureText.change(change.ratio)
                return switch change.isWorse {
                case true?: .init(text + " worse", .bad)
                case false?: .init(text + " better", .good)
                case nil: .init(text)
                }
            }
            table.rows.append([
                .init(HistoryTable.time(point.measuredAt)),
                .init(point.commit.isEmpty ? "unknown" : String(point.commit.prefix(12))),
                .init(point.version), .init(shown(figure.median)), .init(shown(figure.lowest)),
                .init(shown(figure.highest)), .init("\(figure.runs)"), change ?? "",
            ])
        }
        return table
    }
}

extension HistoryDatabase {
    /// Beyond so many, series are counted and not drawn.
    package static let coursesMax = 40
    /// What is shown where no gate says what matters.
    private static let mainMetrics = [
        "cpuNsPerSpan", "achievedSpansPerS", "spanEndNsP99", "wireBytesPerSpan", "droppedSpanShare",
    ]

    /// The series that results belong to: of their scenarios, and of those, where there are any, the ones with the
    /// same digest, machine, build and variant. A gate's base is left out where its head is there.
    ///
    /// - Parameters:
    ///   - metrics: the figures; empty for those that gates among the results judged, or else the main ones.
    ///   - last: the newest so many files of each series.
    /// - Returns: at most ``coursesMax`` series, and how many there would have been.
    package func series(
        belongingTo results: [RunResult], metrics: [String], last: Int
    ) throws(HistoryError) -> (drawn: [HistorySeries], count: Int) {
        let known = Set(try self.metrics())
        var names = metrics
        if names.isEmpty {
            let judged = results.flatMap { $0.design.budgets ?? [] }.map(\.metric)
            names = (judged.isEmpty ? Self.mainMetrics : judged).filter(known.contains)
        }
        var seen: Set<String> = []
        var found: [HistorySeries] = []
        for name in names where seen.insert(name).inserted {
            for scenario in Set(results.map(\.scenario.name)).sorted() {
                var query = HistoryQuery(metric: name)
                query.scenario = scenario
                query.last = last
                let own = results.filter { $0.scenario.name == scenario }
                found += Self.narrowed(try series(query), to: own)
            }
        }
        return (Array(found.prefix(Self.coursesMax)), found.count)
    }

    private static func narrowed(
        _ series: [HistorySeries], to results: [RunResult]
    ) -> [HistorySeries] {
        func narrowed(
            _ series: [HistorySeries], _ part: (HistorySeries.Key) -> String, _ wanted: [String]
        ) -> [HistorySeries] {
            let wanted = Set(wanted)
            let fitting = series.filter { wanted.contains(part($0.key)) }
            return fitting.isEmpty ? series : fitting
        }
        let arms = results.flatMap { $0.design.arms ?? [] }
        var kept = narrowed(
            series, \.scenarioSHA256,
            results.map(\.scenario.sha256) + arms.map(\.scenarioSHA256))
        kept = narrowed(kept, \.machine, results.map(\.environment.hard.fingerprint))
        kept = narrowed(
            kept, \.buildMode, results.map(\.tool.buildMode) + arms.compactMap(\.tool?.buildMode))
        let variants = Set(results.flatMap(\.runs).map { HistoryEntry.trimmed($0.variant) })
        kept = narrowed(kept, \.variant, Array(variants))
        return kept.filter { one in
            one.key.variant != "base" || !kept.contains { $0.key.variant == "head" }
        }
    }
}
