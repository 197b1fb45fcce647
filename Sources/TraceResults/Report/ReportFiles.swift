// A report for other readers: Markdown for a step summary, JUnit XML for test reports, CSV for spreadsheets. A
// gate is shown as `tracemill gate` shows it; runs of other files have a form of their own.

/// The forms of a report, by the ending of its file's name.
public enum ReportFormat: String, Sendable, CaseIterable {
    case html
    case markdown = "md"
    case junit = "xml"
    case csv

    /// The form that a file's name asks for; nil for a name that asks for none.
    public init?(path: String) {
        guard let dot = path.lastIndex(of: "."), !path[dot...].contains("/") else { return nil }
        switch path[path.index(after: dot)...].lowercased() {
        case "html", "htm": self = .html
        case "md", "markdown": self = .markdown
        case "xml": self = .junit
        case "csv": self = .csv
        default: return nil
        }
    }

    /// The report in this form.
    public func text(of inputs: [ReportInput]) -> String { text(of: inputs, courses: []) }

    /// Whether figures over commits go into it.
    package var takesCourses: Bool { self == .html || self == .markdown }

    /// Likewise with figures over commits, where the form takes them.
    package func text(of inputs: [ReportInput], courses: [ReportCourse]) -> String {
        switch self {
        case .html: ReportPage.html(of: inputs, courses: courses)
        case .markdown: ReportMarkdown.text(of: ReportStudy(inputs, courses: courses))
        case .junit: ReportJUnit.text(of: ReportStudy(inputs))
        case .csv: ReportCSV.text(of: ReportStudy(inputs))
        }
    }
}

/// A report as GitHub-flavoured Markdown.
enum ReportMarkdown {
    /// Gates first, then the main figures, what does not count, and what the charts conclude.
    static func text(of study: ReportStudy) -> String {
        var text = ""
        func room() -> Int { GateMarkdown.characterCountMax - text.unicodeScalars.count - 1_000 }
        for (_, report) in study.gates {
            let part = GateMarkdown.text(of: report) + "\n"
            guard part.unicodeScalars.count < room() else {
                text += "- a further gate is left out for length\n"
                continue
            }
            text += part
        }
        let flawed = study.runs.count { $0.flaw != nil }
        text +=
            "### tracemill report: \(GateText.count(study.runs.count, "run")) in "
            + "\(GateText.count(study.inputs.count, "file"))"
            + (flawed > 0 ? ", \(flawed) do not count" : "") + "\n\n"
        let conclusions =
            study.forests() + study.courseFigures() + study.latencies()
            + [study.throughput(), study.memory(), study.drift()].compactMap(\.self)
            + study.fidelities() + study.graphs() + study.waterfalls()
        for figure in conclusions {
            let line =
                "- **\(EscapedText.markdown(figure.title))**: "
                + "\(EscapedText.markdown(figure.concludes))\n"
            if line.unicodeScalars.count < room() { text += line }
        }
        let tables = [study.mainTable(), study.flawTable(), study.ledgerTable()].compactMap(\.self)
        for table in tables { append(table, to: &text, room: room()) }
        let metrics = study.metricTable()
        text += "\n<details><summary>All figures</summary>\n"
        append(metrics, to: &text, room: room())
        return text + "\n</details>\n"
    }

    private static func append(_ table: ReportTable, to text: inout String, room: Int) {
        func line(_ cells: [String]) -> String {
            "| " + cells.map { EscapedText.markdown($0) }.joined(separator: " | ") + " |\n"
        }
        var part = "\n\(EscapedText.markdown(table.caption))\n\n"
        part += line(table.columns.map(\.title))
        part += "|" + table.columns.map { $0.isNumber ? "--:|" : "---|" }.joined() + "\n"
        var size = part.unicodeScalars.count
        var omitted = 0
        for row in table.rows {
            let next = line(row.map(\.text))
            size += next.unicodeScalars.count
            if size < room { part += next } else { omitted += 1 }
        }
        if omitted > 0 { part += "\n\(GateText.count(omitted, "row")) left out for length\n" }
        text += part
    }
}

/// A report as JUnit XML: a suite for each gate, and one of all runs.
enum ReportJUnit {
    static func text(of study: ReportStudy) -> String {
        var suites = study.gates.map { GateJUnit.suite(of: $0.report) }
        let cases = study.runs.map { run -> String in
            let name = "round \(run.run.round &+ 1), started \(run.run.startedAt)"
            return GateJUnit.testCase(
                name, run.flaw.map { GateJUnit.element("error", "INVALID", $0) } ?? "",
                in: study.groups[run.group].name)
        }
        let errors = study.runs.count { $0.flaw != nil }
        suites.append(
            "<testsuite name=\"tracemill runs\" tests=\"\(cases.count)\" failures=\"0\" "
                + "errors=\"\(errors)\" skipped=\"0\">\n" + cases.joined(separator: "\n")
                + "\n</testsuite>")
        return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
            + suites.joined(separator: "\n") + "\n</testsuites>\n"
    }
}

/// A report as CSV (RFC 4180). Gates alone: a line a budget, as `tracemill gate --csv` writes it. Otherwise a
/// line for each figure of each run.
enum ReportCSV {
    private static let heading =
        "file,scenario,variant,round,slot,started,counts,metric,value,unit,better,samples,kind\r\n"

    static func text(of study: ReportStudy) -> String {
        if !study.gates.isEmpty, study.gates.count == study.inputs.count {
            let parts = study.gates.map { GateCSV.text(of: $0.report) }
            let rows = parts.map { part in
                part.split(separator: "\r\n", omittingEmptySubsequences: true).dropFirst()
            }
            let first = parts.first?.split(separator: "\r\n").first.map(String.init) ?? ""
            return first + "\r\n" + rows.joined().map { $0 + "\r\n" }.joined()
        }
        var text = heading
        for run in study.runs {
            let record = run.run
            let start = [
                GateCSV.field(study.fileNames[run.file]),
                GateCSV.field(study.inputs[run.file].result.scenario.name),
                GateCSV.field(record.variant), "\(record.round)", "\(record.slot)",
                GateCSV.field(record.startedAt), run.flaw == nil ? "true" : "false",
            ].joined(separator: ",")
            for name in record.metrics.keys.sorted() {
                guard let metric = record.metrics[name], metric.value.isFinite else { continue }
                text +=
                    "\(start),\(GateCSV.field(name)),\(metric.value),\(GateCSV.field(metric.unit)),"
                    + "\(metric.better.rawValue),\(metric.samples),\(metric.kind.rawValue)\r\n"
            }
        }
        return text
    }
}
