// A gate on the terminal: a line of figures for each budget and under it the verdict with its reason.
// Plain lines for 80 columns.

/// Renders a gate as text.
public struct GateTable: Sendable {
    private static let columns = 80

    /// How the text is coloured.
    public var style: TerminalStyle

    /// A renderer.
    public init(style: TerminalStyle = .plain) {
        self.style = style
    }

    /// The gate as a table, ended by a line feed.
    ///
    /// - Parameters:
    ///   - report: what was found.
    ///   - path: where the runs were written; nil when they were not.
    public func text(of report: GateReport, path: String?) -> String {
        var blocks = [[title(report)], rows(report), findings(report), facts(report)]
        var last = [coloured("  \(report.verdictText)", report.exitCode)]
        if let path { last.append("  result: " + TerminalText.neutralised(path)) }
        blocks.append(last)
        return blocks.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") }
            .joined(separator: "\n\n") + "\n"
    }

    /// The objectives of a single run, a line each.
    public func lines(ofSingle rows: [GateRow]) -> [String] {
        rows.flatMap { row -> [String] in
            let found = row.head.map { GateText.value($0, unit: row.unit) } ?? "–"
            let reason = row.verdict == .pass || row.verdict == .regressed ? "" : ": \(row.reason)"
            let text =
                "budget \(row.budget.metric) \(row.budget.text(unit: row.unit)): \(found) "
                + "\(row.label)\(reason)"
            return TerminalText.wrapped(
                TerminalText.neutralised(text), columns: Self.columns - 2, indent: "  "
            ).map { coloured("  " + $0, row.verdict.exitCode) }
        }
    }

    private func title(_ report: GateReport) -> String {
        let name = TerminalText.truncated(TerminalText.neutralised(report.scenario), columns: 30)
        var rest =
            "\(report.headName) against \(report.baseName), "
            + GateText.count(report.rounds, "round")
        if report.looks.count > 1 {
            rest += ", looks at " + report.looks.map(String.init).joined(separator: ", ")
        }
        let safe = TerminalText.truncated(
            TerminalText.neutralised(rest), columns: Self.columns - 8 - TerminalText.width(name))
        return "gate " + style.bold(name) + "  " + style.dim(safe)
    }

    private func rows(_ report: GateReport) -> [String] {
        guard !report.rows.isEmpty else { return [] }
        var lines = [
            style.bold(
                line(
                    "metric", report.baseName, report.headName, "change [interval]",
                    report.kind == .paired ? "pairs" : "runs", "budget"))
        ]
        for row in report.rows {
            lines.append(
                line(
                    row.budget.metric, row.base.map { GateText.value($0, unit: row.unit) } ?? "–",
                    row.head.map { GateText.value($0, unit: row.unit) } ?? "–",
                    row.ratio.map { GateText.change($0) } ?? "–", String(row.pairs),
                    row.budget.text(unit: row.unit)))
            let advisory = row.isAdvisory ? " (advisory)" : ""
            let reason = row.reason.isEmpty ? "" : ": " + row.reason
            let text = TerminalText.neutralised("\(row.label)\(advisory)\(reason)")
            for said in TerminalText.wrapped(text, columns: Self.columns - 4, indent: "  ") {
                lines.append(coloured("    " + said, row.verdict.exitCode))
            }
        }
        return lines
    }

    private func findings(_ report: GateReport) -> [String] {
        report.findings.flatMap { finding in
            TerminalText.wrapped(
                "! " + TerminalText.neutralised(finding), columns: Self.columns - 2, indent: "  "
            ).map { style.warning("  " + $0) }
        }
    }

    private func facts(_ report: GateReport) -> [String] {
        var lines = report.notes
        if let text = report.fitness.text { lines.append("machine: \(text)") }
        return lines.flatMap { line in
            TerminalText.wrapped(
                TerminalText.neutralised(line), columns: Self.columns - 2, indent: "  "
            ).map { style.dim("  " + $0) }
        }
    }

    private func line(
        _ metric: String, _ base: String, _ head: String, _ change: String, _ pairs: String,
        _ budget: String
    ) -> String {
        func cell(_ text: String, _ width: Int) -> String {
            let cut = TerminalText.truncated(TerminalText.neutralised(text), columns: width - 1)
            return TerminalText.rightAligned(cut, columns: width)
        }
        return "  "
            + TerminalText.fitted(TerminalText.neutralised(metric), columns: 18) + cell(base, 9)
            + cell(head, 9) + cell(change, 24) + cell(pairs, 6) + cell(budget, 12)
    }

    private func coloured(_ text: String, _ code: ExitCode) -> String {
        switch code {
        case .pass: style.good(text)
        case .inconclusive: style.warning(text)
        default: style.bad(text)
        }
    }
}
