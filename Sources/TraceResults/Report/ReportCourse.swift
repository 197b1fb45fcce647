// Figures over commits in a report. The history is another module's, which makes these of its series: this one
// draws them among the other charts.

/// A figure's course over result files, as a report shows it.
package struct ReportCourse: Sendable {
    /// The figure.
    package var metric: String
    /// Whose figure it is, what the drawing shows.
    package var says: String
    /// Where its level changed, and how.
    package var concludes: String
    package var tone: ReportTone
    package var chart: CourseChart
    /// A row for each result file.
    package var table: ReportTable

    /// A course.
    package init(
        metric: String, says: String, concludes: String, tone: ReportTone, chart: CourseChart,
        table: ReportTable
    ) {
        self.metric = metric
        self.says = says
        self.concludes = concludes
        self.tone = tone
        self.chart = chart
        self.table = table
    }
}

extension ReportStudy {
    /// A chart for each course.
    func courseFigures() -> [ReportFigure] {
        courses.enumerated().map { place, course in
            let id = "course-\(place)"
            return ReportFigure(
                id, "\(course.metric) over commits", says: course.says,
                concludes: course.concludes, tone: course.tone, table: course.table,
                drawings: ChartFrame.Width.allCases.map { width in
                    course.chart.markup(width, id: "\(id)-\(width.rawValue)")
                })
        }
    }

    /// What the courses come to, in a word and a sentence; nil without any.
    func courseVerdict() -> (ReportTone, String, String)? {
        guard !courses.isEmpty else { return nil }
        let worse = courses.filter { $0.tone == .bad }
        let all = GateText.count(courses.count, "course")
        guard worse.isEmpty else {
            let names = ReportText.list(Self.distinct(worse.map(\.metric)))
            return (
                .bad, "WORSE",
                "over commits: the newest change was for the worse in \(worse.count) of \(all) "
                    + "(\(names))"
            )
        }
        let open = courses.count { $0.tone == .unsure }
        guard open < courses.count else {
            return (.unsure, "OPEN", "over commits: too few result files to see a change")
        }
        return (.good, "STEADY", "over commits: no newest change for the worse in \(all)")
    }
}
