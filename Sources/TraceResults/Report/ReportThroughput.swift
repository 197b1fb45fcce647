// Throughput over time, intended against achieved; and runs in the order of their execution.

import Glibc

extension ReportStudy {
    private static let pointsMax = 300

    /// Over time. One group: what was intended, started and acknowledged; several: what each started.
    func throughput() -> ReportFigure? {
        let groups = shownGroups
        guard let only = groups.first else { return nil }
        return groups.count == 1 ? throughput(of: only) : throughput(of: groups)
    }

    private typealias Course = (name: String, series: Int, points: [CoursePoint])

    struct CoursePoint: Sendable {
        var seconds: Double
        var value: Double
        var low: Double
        var high: Double
    }

    private func throughput(of group: ReportGroup) -> ReportFigure? {
        // Where a rate was asked for, it was asked for in traces.
        let hasIntended = group.runs.contains { $0.load.intendedTracesPerS != nil }
        let columns =
            hasIntended
            ? [("intendedTracesPerS", "intended", 1), ("tracesPerS", "achieved", 0)]
            : [("startedSpansPerS", "started", 0), ("acknowledgedSpansPerS", "acknowledged", 1)]
        let courses = columns.compactMap { column, name, series -> Course? in
            let points = group.course(column)
            return points.isEmpty ? nil : (name, series, points)
        }
        guard !courses.isEmpty else { return nil }
        let unit = hasIntended ? "traces/s" : "spans/s"
        return throughputFigure(
            courses, unit: unit, runs: group.runs.count,
            says: hasIntended
                ? "Traces that should have started in each second, and those that were carried out."
                : "Spans started and acknowledged in each second; as fast as possible was asked for, "
                    + "so there is no intended rate.",
            conclusion: conclusion(of: group, unit: unit))
    }

    private func throughput(of groups: [ReportGroup]) -> ReportFigure? {
        let courses = groups.compactMap { group -> Course? in
            let points = group.course("startedSpansPerS")
            return points.isEmpty ? nil : (group.name, group.series, points)
        }
        guard !courses.isEmpty else { return nil }
        let means = courses.map { course in
            (course.name, OrderStatistics.median(course.points.map(\.value)))
        }
        var conclusion = ""
        if let least = means.min(by: { $0.1 < $1.1 }), let most = means.max(by: { $0.1 < $1.1 }) {
            conclusion =
                most.1 < least.1 * 1.05
                ? "All start about \(NumberText.compact(most.1)) spans/s."
                : "\(most.0) starts most, \(NumberText.compact(most.1)) spans/s in its median "
                    + "second, \(least.0) least with \(NumberText.compact(least.1))."
        }
        let late = groups.flatMap(\.runs).reduce(0.0) { $0 + Double($1.load.lateStarts) }
        if late > 0 { conclusion += " \(NumberText.compact(late)) traces began late." }
        return throughputFigure(
            courses, unit: "spans/s", runs: groups.map(\.runs.count).max() ?? 1,
            says: "Spans started in each second.\(omission)", conclusion: (conclusion, .plain))
    }

    private func conclusion(
        of group: ReportGroup, unit: String
    ) -> (text: String, tone: ReportTone) {
        let loads = group.runs.map(\.load)
        func sum(_ path: KeyPath<LoadFacts, UInt64>) -> Double {
            loads.reduce(0) { $0 + Double($1[keyPath: path]) }
        }
        let (intended, achieved) = (sum(\.intendedTraces), sum(\.achievedTraces))
        let (late, skipped) = (sum(\.lateStarts), sum(\.skippedTraces))
        guard loads.contains(where: { $0.intendedTracesPerS != nil }), intended > 0 else {
            let rate = OrderStatistics.median(loads.map(\.achievedSpansPerS))
            let dropped = group.median("droppedSpanShare") ?? 0
            let loss =
                dropped > 0 ? "; \(NumberText.percent(share: dropped)) of them were dropped" : ""
            return (
                "The pipeline took \(NumberText.compact(rate)) spans/s\(loss).",
                dropped > 0 ? .unsure : .plain
            )
        }
        let share = achieved / intended
        var text = "\(NumberText.percent(share: share)) of the intended traces were started"
        text += late > 0 ? ", \(NumberText.compact(late)) of them late" : ", none of them late"
        if skipped > 0 {
            text += "; \(NumberText.compact(skipped)) were left out, too many were in flight"
        }
        let isKept = share > 0.999 && late == 0 && skipped == 0
        return (
            text + (isKept ? ": the schedule was kept." : ": read times with that in mind."),
            isKept ? .good : .unsure
        )
    }

    private func throughputFigure(
        _ courses: [Course], unit: String, runs: Int, says: String,
        conclusion: (text: String, tone: ReportTone)
    ) -> ReportFigure {
        let several =
            runs > 1
            ? " Lines are medians of the runs, bands reach from the least to the most." : ""
        var table = ReportTable(
            caption: "Throughput over time, \(unit)",
            columns: [.text("second")] + courses.map { .number($0.name) })
        let rows = courses.map(\.points.count).max() ?? 0
        for row in 0..<min(rows, Self.pointsMax) {
            let times = courses.compactMap { course in
                course.points.indices.contains(row) ? course.points[row].seconds : nil
            }
            table.rows.append(
                [.init(NumberText.short(times.first ?? 0))]
                    + courses.map { course in
                        course.points.indices.contains(row)
                            ? .init(NumberText.compact(course.points[row].value)) : "–"
                    })
        }
        return ReportFigure(
            "chart-throughput", "Throughput over time", says: says + several,
            concludes: conclusion.text, tone: conclusion.tone,
            legend: courses.map { ($0.series, $0.name) }, table: table
        ) { width in
            let all = courses.flatMap(\.points)
            let reach = courses.flatMap { course in
                course.points.count > 1
                    ? course.points.flatMap { [$0.low, $0.high] } : course.points.map(\.value)
            }
            var frame = ChartFrame(
                width, height: width == .wide ? 280 : 230,
                x: .linear(
                    "seconds since the start", covering: all.map(\.seconds), includesZero: true,
                    endsAtValues: true, steps: width == .wide ? 8 : 4
                ) { ReportText.tick($0, unit: "") },
                y: .linear(
                    unit, covering: reach, includesZero: true, steps: 4
                ) { $0 == 0 ? "0" : ReportText.compactTick($0) })
            for course in courses {
                if runs > 1 {
                    frame.band(
                        course.points.map { ($0.seconds, $0.low, $0.high) }, series: course.series)
                }
                frame.line(
                    course.points.map { ($0.seconds, $0.value) }, series: course.series)
                if course.points.count == 1, let point = course.points.first {
                    frame.dot(
                        x: point.seconds, y: point.value, series: course.series,
                        name: "\(course.name): \(NumberText.compact(point.value)) \(unit)")
                }
            }
            return frame
        }
    }
}

extension ReportText {
    /// A count at an axis: `2M`, `1.5k`.
    static func compactTick(_ value: Double) -> String {
        let text = NumberText.compact(value)
        guard text.contains("."), let last = text.last, !last.isNumber else { return text }
        var digits = text.dropLast()
        while digits.last == "0" { digits.removeLast() }
        if digits.last == "." { digits.removeLast() }
        return String(digits) + String(last)
    }
}

extension ReportGroup {
    /// A column of the runs' series: median, least and most of the runs in each interval, thinned where
    /// there are too many to draw.
    func course(_ column: String) -> [ReportStudy.CoursePoint] {
        let columns = runs.compactMap { run -> [Double]? in
            run.series.columns[column].map { $0.map { $0.isFinite ? $0 : 0 } }
        }
        let interval = Double(runs.first?.series.intervalMs ?? 1000) / 1e3
        let rows = columns.map(\.count).max() ?? 0
        let step = max(1, (rows + 299) / 300)
        return stride(from: 0, to: rows, by: step).map { row in
            let values = columns.flatMap { column in
                column.indices.contains(row)
                    ? Array(column[row..<min(column.count, row + step)]) : []
            }
            let seconds = (Double(row) + Double(min(step, rows - row))) * interval
            return ReportStudy.CoursePoint(
                seconds: seconds, value: OrderStatistics.median(values),
                low: values.min() ?? 0, high: values.max() ?? 0)
        }
    }
}
