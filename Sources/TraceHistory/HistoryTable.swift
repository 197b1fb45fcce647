// A history for people: the list of what was added, and a figure's course as a table with a bar for
// each point and the changes marked where they begin.

import TraceResults

/// Renders a history for a terminal of 100 columns.
public struct HistoryTable {
    private static let columns = 100
    private static let bars = Array("▁▂▃▄▅▆▇█")
    let style: TerminalStyle

    public init(style: TerminalStyle) {
        self.style = style
    }

    /// A line for each variant of each file.
    public func text(of rows: [HistoryRow]) -> String {
        guard !rows.isEmpty else { return "nothing was added yet\n" }
        var lines = [
            style.bold(
                Self.line(
                    [
                        "measured", "commit", "scenario", "variant", "build", "machine", "runs",
                        "left out",
                    ]))
        ]
        for row in rows {
            let origin = row.origin
            lines.append(
                Self.line([
                    Self.time(origin.measuredAt), Self.commit(origin.commit, origin.version),
                    row.scenario, origin.variant, origin.buildMode, origin.machine,
                    String(origin.runs),
                    row.runsLeftOut == 0 ? "" : String(row.runsLeftOut),
                ]))
        }
        for machine in Set(rows.map(\.origin).map { "\($0.machine)  \($0.machineText)" }).sorted() {
            lines.append(style.dim("  machine " + TerminalText.neutralised(machine)))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Every series, with its changes.
    public func text(of series: [HistorySeries]) -> String {
        series.map(text).joined(separator: "\n")
    }

    /// One series.
    public func text(of series: HistorySeries) -> String {
        var lines = [title(series)]
        lines.append("  " + sparkline(series))
        lines.append(
            style.bold(
                Self.row("measured", "commit", "median", "lowest", "highest", "runs", "change")))
        let changes = Dictionary(
            series.changes.map { ($0.index, $0) }, uniquingKeysWith: { first, _ in first })
        var previousDigest = series.points.first?.scenarioSHA256
        for (index, point) in series.points.enumerated() {
            if point.scenarioSHA256 != previousDigest {
                lines.append(style.warning("  · the scenario was edited here"))
                previousDigest = point.scenarioSHA256
            }
            let change = changes[index]
            let figure = point.figure
            let line = Self.row(
                Self.time(point.measuredAt), Self.commit(point.commit, point.version),
                value(figure.median, series), value(figure.lowest, series),
                value(figure.highest, series), String(figure.runs),
                change.map(mark) ?? "")
            lines.append(change.map { coloured(line, $0) } ?? line)
        }
        lines += verdict(series)
        return lines.joined(separator: "\n") + "\n"
    }

    private func title(_ series: HistorySeries) -> String {
        let key = series.key
        let parts = [
            key.scenario, key.variant == "default" ? nil : key.variant,
            key.scenarioSHA256.isEmpty ? nil : String(key.scenarioSHA256.prefix(8)), key.buildMode,
            "machine \(key.machine) (\(series.machineText))",
        ]
        let name = style.bold(TerminalText.neutralised(series.metric))
        let better =
            switch series.better {
            case .lower: ", lower is better"
            case .higher: ", higher is better"
            case .neither: ""
            }
        return name + better + "  "
            + style.dim(TerminalText.neutralised(parts.compactMap(\.self).joined(separator: " · ")))
    }

    /// A bar for each point, a rule where a level begins: `▁▂▁▁│▇█▇`.
    func sparkline(_ series: HistorySeries) -> String {
        let values = series.points.map(\.figure.median)
        guard let least = values.min(), let greatest = values.max() else { return "" }
        let starts = Set(series.changes.map(\.index))
        return values.enumerated().reduce(into: "") { text, item in
            if starts.contains(item.offset) { text += "│" }
            let share = greatest > least ? (item.element - least) / (greatest - least) : 0.5
            let bar = Int((share * Double(Self.bars.count - 1)).rounded())
            text.append(Self.bars[min(max(bar, 0), Self.bars.count - 1)])
        }
    }

    private func verdict(_ series: HistorySeries) -> [String] {
        let count = series.points.count
        if series.isExact {
            let text =
                series.changes.isEmpty
                ? "the same in \(FigureText.count(count, "file"))"
                : FigureText.count(series.changes.count, "change")
                    + " of a figure that follows from the seed"
            return [series.changes.isEmpty ? style.good("  " + text) : style.bad("  " + text)]
        }
        let needed = ChangePoints.valuesNeeded(penaltyFactor: series.penaltyFactor)
        // Levels without any noise in them show sooner.
        guard count >= needed || !series.changes.isEmpty else {
            return [
                style.dim(
                    "  \(FigureText.count(count, "file")): a change shows in \(needed) or more")
            ]
        }
        guard !series.changes.isEmpty else {
            return [style.good("  no change of level in \(FigureText.count(count, "file"))")]
        }
        return series.changes.map { change in
            let point = series.points[change.index]
            let text =
                "  \(mark(change)) from \(Self.commit(point.commit, point.version)) "
                + "(\(Self.time(point.measuredAt))): \(value(change.before, series)) → "
                + value(change.after, series)
            return coloured(text, change)
        }
    }

    private func value(_ value: Double, _ series: HistorySeries) -> String {
        series.isExact
            ? FigureText.exactValue(value) : FigureText.value(value, unit: series.unit)
    }

    private func mark(_ change: HistorySeries.Change) -> String {
        let word =
            switch change.isWorse {
            case true?: " worse"
            case false?: " better"
            case nil: ""
            }
        return "◆ " + FigureText.change(change.ratio) + word
    }

    private func coloured(_ text: String, _ change: HistorySeries.Change) -> String {
        switch change.isWorse {
        case true?: style.bad(text)
        case false?: style.good(text)
        case nil: style.warning(text)
        }
    }

    /// `2026-11-22 00:31`.
    static func time(_ text: String) -> String {
        TerminalText.neutralised(text.prefix(16)).replacing("T", with: " ")
    }

    /// Ten digits of the commit; the version where it is unknown.
    static func commit(_ commit: String, _ version: String) -> String {
        TerminalText.neutralised(commit.isEmpty ? "(\(version))" : String(commit.prefix(10)))
    }

    private static func row(
        _ time: String, _ commit: String, _ median: String, _ lowest: String, _ highest: String,
        _ runs: String, _ change: String
    ) -> String {
        var line = "  " + cell(time, 18) + cell(commit, 13)
        for text in [median, lowest, highest] {
            line += TerminalText.rightAligned(TerminalText.neutralised(text), columns: 12)
        }
        line += TerminalText.rightAligned(runs, columns: 6)
        return change.isEmpty ? line : line + "  " + change
    }

    private static func line(_ cells: [String]) -> String {
        let widths = [17, 12, 20, 14, 9, 14, 6, 9]
        var text = "  "
        for (cell, width) in zip(cells, widths) { text += self.cell(cell, width) }
        while text.last == " " { text.removeLast() }
        return text
    }

    private static func cell(_ text: String, _ width: Int) -> String {
        TerminalText.fitted(
            TerminalText.truncated(TerminalText.neutralised(text), columns: width - 1),
            columns: width)
    }
}
