// A gate as Markdown for a step summary or a comment: the verdict and what did not pass first, the rest
// folded.

/// Renders a gate as GitHub-flavoured Markdown.
public enum GateMarkdown {
    /// Summaries and comments hold a little more than this many characters.
    public static let characterCountMax = 59_000
    private static let findingsMax = 16

    /// The gate as Markdown, at most ``characterCountMax`` characters: rows that do not fit are counted.
    public static func text(of report: GateReport) -> String {
        var text = "### \(mark(report.exitCode)) tracemill gate: \(escaped(report.verdictText))\n\n"
        text +=
            "\(escaped(report.scenario, limit: 200)): \(escaped(report.headName, limit: 200)) against "
            + "\(escaped(report.baseName, limit: 200)), \(GateText.count(report.rounds, "round"))\n\n"
        for finding in report.findings.prefix(findingsMax) { text += "- \(escaped(finding))\n" }
        if report.findings.count > findingsMax {
            text += "- and \(report.findings.count - findingsMax) more\n"
        }
        if !report.findings.isEmpty { text += "\n" }
        let failing = report.rows.filter { $0.verdict != .pass }
        let passing = report.rows.filter { $0.verdict == .pass }
        // What is folded gets a third of the room at most, so that no failing row makes way for it.
        let footer = facts(report)
        append(
            failing, to: &text, kind: report.kind,
            room: characterCountMax - footer.count - 2000)
        if !passing.isEmpty {
            text +=
                "<details><summary>\(GateText.count(passing.count, "budget")) passed</summary>\n\n"
            append(
                passing, to: &text, kind: report.kind, room: characterCountMax - footer.count - 500)
            text += "</details>\n\n"
        }
        return text + footer
    }

    private static func append(
        _ rows: [GateRow], to text: inout String, kind: DesignFacts.Kind, room: Int
    ) {
        guard !rows.isEmpty else { return }
        let counted = kind == .paired ? "pairs" : "runs"
        text += "| metric | base | head | change [interval] | \(counted) | budget | verdict |\n"
        text += "|---|--:|--:|--:|--:|---|---|\n"
        var size = text.unicodeScalars.count
        var omitted = 0
        for row in rows {
            let line = self.line(row)
            guard size + line.unicodeScalars.count < room else {
                omitted += 1
                continue
            }
            size += line.unicodeScalars.count
            text += line
        }
        text += "\n"
        if omitted > 0 { text += "\(GateText.count(omitted, "row")) left out for length\n\n" }
    }

    private static func line(_ row: GateRow) -> String {
        let cells = [
            row.budget.metric, row.base.map { GateText.value($0, unit: row.unit) } ?? "–",
            row.head.map { GateText.value($0, unit: row.unit) } ?? "–",
            row.ratio.map { GateText.change($0) } ?? "–", String(row.pairs),
            row.budget.text(unit: row.unit),
            "\(row.label)\(row.isAdvisory ? " (advisory)" : "")"
                + (row.reason.isEmpty ? "" : ": \(row.reason)"),
        ]
        return "| " + cells.map { escaped($0) }.joined(separator: " | ") + " |\n"
    }

    private static func facts(_ report: GateReport) -> String {
        var text = ""
        for note in report.notes.prefix(6) { text += "- \(escaped(note))\n" }
        if let machine = report.fitness.text { text += "- machine: \(escaped(machine))\n" }
        return text
    }

    private static func mark(_ code: ExitCode) -> String {
        switch code {
        case .pass: "✅"
        case .inconclusive: "⚠️"
        default: "❌"
        }
    }

    private static func escaped(_ text: String, limit: Int = 800) -> String {
        EscapedText.markdown(text, limit: limit)
    }
}
