// The forest plot of a gate: each relative budget a row, the change with its interval against the zone in
// which the budget holds.

import Glibc

extension ReportStudy {
    /// A forest plot for each gate that judged a change; the other budgets are in its table.
    func forests() -> [ReportFigure] {
        gates.compactMap { file, report in forest(file, report) }
    }

    /// The budgets of a gate as a table.
    func budgetTable(_ file: Int, _ report: GateReport) -> ReportTable {
        var table = ReportTable(
            caption: "Budgets\(inputs.count > 1 ? ", \(fileNames[file])" : "")",
            columns: [
                .text("metric"), .text("verdict"), .number(report.baseName),
                .number(report.headName), .number("change [interval]"),
                .number(report.kind == .paired ? "pairs" : "runs"), .text("budget"),
                .text("reason"),
            ])
        for row in report.rows {
            table.rows.append([
                .init(row.budget.metric),
                .init(row.label + (row.isAdvisory ? " (advisory)" : ""), row.verdict.tone),
                .init(row.base.map { GateText.value($0, unit: row.unit) } ?? "–"),
                .init(row.head.map { GateText.value($0, unit: row.unit) } ?? "–"),
                .init(row.ratio.map { GateText.change($0) } ?? "–"), .init("\(row.pairs)"),
                .init(row.budget.text(unit: row.unit)), .init(row.reason),
            ])
        }
        return table
    }

    private func forest(_ file: Int, _ report: GateReport) -> ReportFigure? {
        let rows = report.rows.filter { $0.ratio != nil }
        guard !rows.isEmpty else { return nil }
        let place = inputs.count > 1 ? ", \(fileNames[file])" : ""
        return ReportFigure(
            "forest-\(file)", "Change from \(report.baseName) to \(report.headName)\(place)",
            says:
                "Each row is a budget: the dot is the estimated change, the line its interval, the "
                + "shaded zone where the budget holds.",
            concludes: Self.conclusion(of: rows),
            tone: ExitCode.combining(rows.map(\.exitCode)).tone,
            table: Self.numbers(of: rows)
        ) { Self.draw(rows, $0) }
    }

    private static func numbers(of rows: [GateRow]) -> ReportTable {
        var table = ReportTable(
            caption: "Changes with their intervals",
            columns: [
                .text("metric"), .number("estimate"), .number("from"), .number("to"),
                .number("confidence"), .number("allowed"),
            ])
        for row in rows {
            guard let ratio = row.ratio else { continue }
            table.rows.append([
                .init(row.budget.metric), .init(GateText.change(ratio.estimate)),
                .init(ratio.lower > 0 ? GateText.change(ratio.lower) : "–"),
                .init(ratio.upper.isFinite ? GateText.change(ratio.upper) : "–"),
                .init(GateText.percent(row.confidence)),
                .init(GateText.change(1 + row.worse(row.budget.limit))),
            ])
        }
        return table
    }

    private static func conclusion(of rows: [GateRow]) -> String {
        func names(_ verdict: GateVerdict) -> [String] {
            rows.filter { $0.verdict == verdict }.map { row in
                "\(row.budget.metric) (\(row.ratio.map { GateText.change($0.estimate) } ?? "–"))"
            }
        }
        var parts: [String] = []
        let (good, bad, unsure) = (names(.pass), names(.regressed), names(.inconclusive))
        if !bad.isEmpty {
            parts.append("Worse than allowed, beyond the machine's noise: \(ReportText.list(bad)).")
        }
        if !unsure.isEmpty {
            parts.append(
                "Cannot be told from these runs: \(ReportText.list(unsure)); an interval that leaves "
                    + "the zone takes more rounds or longer runs.")
        }
        if !names(.error).isEmpty {
            parts.append("Not judged: \(ReportText.list(names(.error))).")
        }
        if !good.isEmpty { parts.append("Within its budget: \(ReportText.list(good)).") }
        return parts.joined(separator: " ")
    }

    private static func draw(_ rows: [GateRow], _ width: ChartFrame.Width) -> ChartFrame {
        let isNarrow = width == .narrow
        let rowHeight = isNarrow ? 52.0 : 40
        var covered = [-0.01, 0.01]
        for row in rows {
            guard let ratio = row.ratio else { continue }
            for value in [ratio.estimate, ratio.lower, ratio.upper] where value.isFinite {
                // A wild interval must not squeeze the others: it is cut at the plot's edge.
                covered.append(min(1, max(-0.6, value - 1)))
            }
            covered.append(min(1, row.worse(row.budget.limit)))
        }
        let axis = ChartAxis.linear("change", covering: covered, steps: isNarrow ? 4 : 8) {
            let percent = ($0 * 1000).rounded() / 10
            let text =
                percent == percent.rounded()
                ? NumberText.fixed(percent, decimals: 0) : NumberText.fixed(percent, decimals: 1)
            return (percent > 0 ? "+" : "") + text + "%"
        }
        let vertical = ChartAxis.linear("", covering: [0, 1]) { _ in "" }
        var frame = ChartFrame(
            width, height: rowHeight * Double(rows.count) + 62, x: axis, y: vertical,
            hidesVertical: true)
        for (place, row) in rows.enumerated() {
            draw(row, at: 14 + rowHeight * Double(place), rowHeight, in: &frame)
        }
        return frame
    }

    private static func draw(
        _ row: GateRow, at top: Double, _ rowHeight: Double, in frame: inout ChartFrame
    ) {
        guard let ratio = row.ratio else { return }
        let middle = top + rowHeight - 16
        let limit = row.worse(row.budget.limit)
        let edge = frame.across(limit)
        let zone = limit > 0 ? (frame.left, edge) : (edge, frame.right)
        frame.area(
            zone.0, middle - 9, width: zone.1 - zone.0, height: 18, style: "zone")
        frame.stroke(edge, middle - 9, edge, middle + 9, style: "limit")
        frame.stroke(
            frame.across(0), middle - 9, frame.across(0), middle + 12, style: "zero")
        let series = row.verdict.series
        let (left, right) = (frame.across(ratio.lower - 1), frame.across(ratio.upper - 1))
        let ink = "whisker \(ChartFrame.series(series))"
        frame.stroke(left, middle, right, middle, style: ink)
        for (end, isCut) in [
            (left, ratio.lower - 1 < frame.x.lower), (right, ratio.upper - 1 > frame.x.upper),
        ]
        where !isCut {
            frame.stroke(end, middle - 5, end, middle + 5, style: ink)
        }
        let words = GateText.change(ratio)
        frame.sign(
            frame.across(ratio.estimate - 1), middle, series: series,
            name: "\(row.budget.metric): \(words), \(row.label)")
        let sign = row.verdict.sign
        frame.label(
            "\(sign) \(row.label)", frame.right, top + 8, anchor: "end", style: row.verdict.style)
        let room = frame.right - frame.left - Double(row.label.count + 4) * ChartFrame.letterWidth
        let isNarrow = frame.width == .narrow
        frame.label(
            isNarrow ? row.budget.metric : "\(row.budget.metric)  \(words)", frame.left, top + 8,
            style: "strong", room: room)
        if isNarrow { frame.label(words, frame.left, top + 23, style: "small") }
    }
}

extension GateRow {
    /// A share of worsening as a change of the figure itself.
    fileprivate func worse(_ share: Double) -> Double {
        better == .higher ? 1 / (1 + share) - 1 : share
    }
}

extension GateVerdict {
    var tone: ReportTone {
        switch self {
        case .pass: .good
        case .regressed, .error: .bad
        case .inconclusive: .unsure
        }
    }

    /// A colour among the series' that goes with the tone.
    fileprivate var series: Int {
        switch self {
        case .pass: 2
        case .regressed, .error: 4
        case .inconclusive: 6
        }
    }

    fileprivate var style: StaticString {
        switch self {
        case .pass: "good"
        case .regressed, .error: "bad"
        case .inconclusive: "unsure"
        }
    }

    fileprivate var sign: String {
        switch self {
        case .pass: "✓"
        case .regressed, .error: "✗"
        case .inconclusive: "?"
        }
    }
}

extension ExitCode {
    var tone: ReportTone {
        switch self {
        case .pass: .good
        case .inconclusive: .unsure
        default: .bad
        }
    }
}
