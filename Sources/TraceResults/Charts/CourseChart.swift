// A figure's course over result files: the medians as points at equal distances, the range of each
// file's runs as a band, each level as a line of its own, a rule where a level begins.

/// A figure's course as a chart.
public struct CourseChart: Sendable {
    /// One result file.
    public struct Point: Sendable {
        /// What it is called on the axis, such as a commit.
        public var label: String
        /// What is told on pointing at it.
        public var name: String
        public var median: Double
        public var lowest: Double
        public var highest: Double

        /// A point.
        public init(
            label: String, name: String, median: Double, lowest: Double, highest: Double
        ) {
            self.label = label
            self.name = name
            self.median = median
            self.lowest = lowest
            self.highest = highest
        }
    }

    /// Where a level begins.
    public struct Change: Sendable {
        /// The first point of it.
        public var index: Int
        /// Such as `+12.3% worse`.
        public var text: String
        /// Whether it is for the worse.
        public var isWorse: Bool
        /// The level before and from here on.
        public var before: Double
        public var after: Double

        /// A change.
        public init(index: Int, text: String, isWorse: Bool, before: Double, after: Double) {
            self.index = index
            self.text = text
            self.isWorse = isWorse
            self.before = before
            self.after = after
        }
    }

    /// Labels of changes stand below each other in so many rows at most.
    private static let labelRowsMax = 12

    /// The height of a drawing, in its units.
    public static let height = 280.0

    public var title: String
    public var description: String
    public var unit: String
    public var points: [Point]
    public var changes: [Change]

    /// A chart; `points` may be empty.
    public init(
        title: String, description: String, unit: String, points: [Point], changes: [Change]
    ) {
        self.title = title
        self.description = description
        self.unit = unit
        self.points = points
        self.changes = changes
    }

    /// The drawing, for a page that has the palette's style sheet.
    ///
    /// - Parameter id: unique in the page.
    public func markup(_ width: ChartFrame.Width, id: String) -> Markup {
        let unit = unit
        let values = points.flatMap { [$0.lowest, $0.median, $0.highest] }
        // Around 0 alone there would be room below, where no such figure can be.
        let y = ChartAxis.linear(
            title, covering: values, includesZero: values.allSatisfy { $0 == 0 }
        ) { GateText.value($0, unit: unit) }
        let x = ChartAxis.linear(
            "result files, oldest first", covering: [0, Double(max(1, points.count - 1))], steps: 6
        ) { place in
            let index = Int(place.rounded())
            guard points.indices.contains(index), Double(index) == place else { return "" }
            return points[index].label
        }
        var frame = ChartFrame(width, height: Self.height, x: x, y: y)
        frame.band(
            points.enumerated().map { (Double($0.offset), $0.element.lowest, $0.element.highest) },
            series: 0)
        drawLevels(&frame)
        drawChanges(&frame)
        for (index, point) in points.enumerated() {
            frame.dot(x: Double(index), y: point.median, series: 0, name: point.name)
        }
        return frame.svg(id: id, title: title, description: description)
    }

    /// A rule where a level begins and what it is: above the plot beside the axis's title and the others, or
    /// below them.
    private func drawChanges(_ frame: inout ChartFrame) {
        var ends = [8 + ChartFrame.tickWidth(title)]
        for change in changes {
            let place = frame.across(Double(change.index) - 0.5)
            frame.rule(x: Double(change.index) - 0.5, style: change.isWorse ? "limit" : "zero")
            let length = ChartFrame.tickWidth(change.text)
            let fits = place + 4 + length <= frame.width.units
            let start = fits ? place + 4 : place - 4 - length
            let row = ends.firstIndex { $0 + 6 <= start } ?? ends.count
            // The table has every change.
            guard row < Self.labelRowsMax, start >= 0 else { continue }
            if row == ends.count { ends.append(0) }
            ends[row] = start + length
            frame.label(
                change.text, fits ? start : place - 4, row == 0 ? 14 : 28 + 14 * Double(row),
                anchor: fits ? "start" : "end", style: change.isWorse ? "bad" : "good")
        }
    }

    private func drawLevels(_ frame: inout ChartFrame) {
        guard let first = changes.first else {
            frame.line(
                points.enumerated().map { (Double($0.offset), $0.element.median) }, series: 0,
                isFaint: true)
            return
        }
        var levels = [(start: 0, value: first.before)]
        levels += changes.map { ($0.index, $0.after) }
        for (place, level) in levels.enumerated() {
            let end = place + 1 < levels.count ? levels[place + 1].start : points.count
            frame.line(
                [
                    (Double(level.start) - 0.5, level.value), (Double(end) - 0.5, level.value),
                ], series: 0)
        }
    }

    /// Several charts in one SVG file, below each other: no script, nothing from elsewhere, and dark
    /// where the reader's system is.
    public static func file(_ charts: [CourseChart]) -> String {
        let width = ChartFrame.Width.wide.units + 24
        let height = (Self.height + 24) * Double(max(1, charts.count)) + 12
        var markup = Markup()
        markup.element(
            "svg",
            [
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": "0 0 \(Markup.coordinate(width)) \(Markup.coordinate(height))",
                "width": Markup.coordinate(width), "height": Markup.coordinate(height),
            ]
        ) { svg in
            svg.element("style") { style in
                style.writeOwn(
                    ":root{\(ChartPalette.light.variables)}"
                        + "@media(prefers-color-scheme:dark){:root{\(ChartPalette.dark.variables)}}"
                        + ChartPalette.chartRules + ".back{fill:var(--card)}")
            }
            svg.element("rect", ["class": "back", "width": "100%", "height": "100%"])
            for (index, chart) in charts.enumerated() {
                svg.element(
                    "svg",
                    [
                        "x": "12",
                        "y": Markup.coordinate(12 + (Self.height + 24) * Double(index)),
                        "width": Markup.coordinate(ChartFrame.Width.wide.units),
                        "height": Markup.coordinate(Self.height),
                    ]
                ) { $0.append(chart.markup(.wide, id: "course-\(index)")) }
            }
        }
        return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + markup.text + "\n"
    }
}
