// Memory over the time of a run that is long enough to show a course.

extension ReportStudy {
    /// Shorter runs show how pools fill, and no more.
    private static let secondsMin = 30

    /// Resident memory, and of one group's runs what of it is allocated and held by the pipeline; nil for short
    /// runs.
    func memory() -> ReportFigure? {
        let groups = shownGroups.filter { group in
            group.runs.contains {
                ($0.series.columns["residentBytes"]?.count ?? 0) >= Self.secondsMin
            }
        }
        guard let only = groups.first else { return nil }
        let wanted: [(name: String, series: Int, points: [CoursePoint])]
        if groups.count == 1 {
            wanted = [
                ("resident", 0, only.course("residentBytes")),
                ("allocated", 1, only.course("allocatedBytes")),
                ("held by the pipeline", 2, only.course("heldBytes")),
            ]
        } else {
            wanted = groups.map { ($0.name, $0.series, $0.course("residentBytes")) }
        }
        let mebibyte = 1024.0 * 1024
        let courses = wanted.filter { !$0.points.isEmpty }.map { course in
            (
                name: course.name, series: course.series,
                points: course.points.map { ($0.seconds, $0.value / mebibyte) }
            )
        }
        var table = ReportTable(
            caption: "Memory over time, MiB",
            columns: [.text("second")] + courses.map { .number($0.name) })
        for row in 0..<(courses.map(\.points.count).max() ?? 0) {
            let second = courses.first { $0.points.indices.contains(row) }?.points[row].0 ?? 0
            table.rows.append(
                [.init(NumberText.short(second))]
                    + courses.map { course in
                        course.points.indices.contains(row)
                            ? .init(NumberText.fixed(course.points[row].1, decimals: 2)) : "–"
                    })
        }
        return ReportFigure(
            "chart-memory", "Memory over time",
            says: groups.count == 1
                ? "Resident memory of the process in each second, load and all; what of it its allocator has "
                    + "given out; and of that the pages of store, ring and bodies."
                : "Resident memory of the process in each second, load and all.",
            concludes: Self.conclusion(of: groups), tone: .plain,
            legend: courses.map { ($0.series, $0.name) }, table: table
        ) { width in
            let all = courses.flatMap(\.points)
            var frame = ChartFrame(
                width, height: width == .wide ? 240 : 210,
                x: .linear(
                    "seconds since the start", covering: all.map(\.0), includesZero: true,
                    endsAtValues: true, steps: width == .wide ? 8 : 4
                ) { ReportText.tick($0, unit: "") },
                y: .linear("MiB", covering: all.map(\.1), includesZero: true, steps: 4) {
                    ReportText.tick($0, unit: "")
                })
            for course in courses {
                frame.line(course.points.map { ($0.0, $0.1) }, series: course.series)
            }
            return frame
        }
    }

    private static func conclusion(of groups: [ReportGroup]) -> String {
        let runs = groups.flatMap(\.runs)
        guard runs.count == 1, let run = runs.first else {
            let peaks = runs.compactMap { $0.series.columns["residentBytes"]?.max() }
            return "The most in any second is \(NumberText.size(bytes: peaks.max() ?? 0))."
        }
        let peak = NumberText.size(bytes: run.series.columns["residentBytes"]?.max() ?? 0)
        let study = SoakStudy(
            run,
            limits: SoakStudy.Limits(
                settleNs: run.load.durationNs / 6, slopeBytesPerHour: 0, wantsOutage: false))
        guard let slope = study.slope(of: "residentBytes") else {
            return "The most in any second is \(peak)."
        }
        return
            "The most in any second is \(peak); after the first sixth resident memory changes by "
            + "\(SoakStudy.text(slope))."
    }
}
