// A history as drawings: each series a chart, in an SVG file or among the charts of a report.

import TraceResults

extension HistorySeries {
    /// The series as a chart.
    public var chart: CourseChart {
        let unit = unit
        let course =
            changes.isEmpty
            ? "No change of level in \(FigureText.count(points.count, "result file"))."
            : changes.map { change in
                "\(FigureText.change(change.ratio)) from \(label(change.index)): "
                    + "\(shown(change.before)) to \(shown(change.after))."
            }.joined(separator: " ")
        let place = [key.scenario, key.variant, key.buildMode, "machine \(key.machine)"]
        return CourseChart(
            title: "\(metric), \(place.joined(separator: ", "))", description: course, unit: unit,
            points: points.enumerated().map { index, point in
                .init(
                    label: label(index),
                    name: "\(label(index)), \(HistoryTable.time(point.measuredAt)): "
                        + "\(shown(point.figure.median)) "
                        + "(\(shown(point.figure.lowest)) to \(shown(point.figure.highest)), "
                        + "\(FigureText.count(point.figure.runs, "run")))",
                    median: point.figure.median, lowest: point.figure.lowest,
                    highest: point.figure.highest)
            },
            changes: changes.map { change in
                let word = change.isWorse.map { $0 ? " worse" : " better" } ?? ""
                return .init(
                    index: change.index, text: FigureText.change(change.ratio) + word,
                    isWorse: change.isWorse == true, before: change.before, after: change.after)
            })
    }

    /// A value of the figure, to its last digit where every digit counts.
    func shown(_ value: Double) -> String {
        isExact ? FigureText.exactValue(value) : FigureText.value(value, unit: unit)
    }

    /// The file's commit, its day where the commit is unknown.
    func label(_ index: Int) -> String {
        let point = points[index]
        return point.commit.isEmpty
            ? String(HistoryTable.time(point.measuredAt).prefix(10))
            : String(point.commit.prefix(8))
    }
}
