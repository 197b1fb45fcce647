// A plot: two axes with their grid, and marks at values of them. Colours and strokes are classes of
// ChartPalette's style sheet, since a page with a strict content security policy has no style attributes.

/// A chart as an SVG image with a name and a description that are read aloud.
public struct ChartFrame: Sendable {
    /// The two widths that every chart is drawn for: a drawing scaled to a telephone could not be read.
    public enum Width: String, Sendable, CaseIterable {
        case wide
        case narrow

        /// In units of the drawing, of which a letter takes about six.
        public var units: Double { self == .wide ? 680 : 332 }
    }

    /// Width of a letter of a label, estimated: the drawing is made without a font to measure.
    static let letterWidth = 6.2

    /// Width of a label at an axis, in the widest of the usual fonts: digits and signs are wider than letters.
    static func tickWidth(_ label: String) -> Double {
        label.reduce(0) { sum, character in
            switch character {
            case "%", "m", "M", "W": sum + 11.5
            case "+", "−", "~": sum + 10.2
            case " ", ".", ",", "-", "i", "l": sum + 4.4
            default: sum + 7.7
            }
        }
    }

    public let width: Width
    public let x: ChartAxis
    public let y: ChartAxis
    let height: Double
    let left: Double
    let right: Double
    let top: Double
    let bottom: Double
    private var background = Markup()
    private var marks = Markup()

    /// A frame with its axes drawn.
    ///
    /// - Parameters:
    ///   - height: of the whole drawing.
    ///   - hidesVertical: whether the rows are drawn by hand instead of along the vertical axis.
    ///   - margins: room left of the plot and right of it, where rows have words there.
    public init(
        _ width: Width, height: Double, x: ChartAxis, y: ChartAxis, hidesVertical: Bool = false,
        margins: (left: Double, right: Double)? = nil
    ) {
        self.width = width
        self.height = height
        self.x = x
        self.y = y
        let labels = hidesVertical ? [] : y.ticks.map(\.label)
        let longest = labels.map { Self.tickWidth($0) }.max() ?? 0
        left =
            margins?.left ?? (hidesVertical ? 8 : min(96, longest + 12))
        right = width.units - (margins?.right ?? 18)
        top = hidesVertical || y.title.isEmpty ? 10 : 28
        bottom = height - 42
        if !hidesVertical { drawVertical() }
        drawHorizontal()
    }

    /// Where a value of the horizontal axis lies.
    public func across(_ value: Double) -> Double { left + (right - left) * x.share(of: value) }

    /// Where a value of the vertical axis lies.
    public func up(_ value: Double) -> Double { bottom - (bottom - top) * y.share(of: value) }

    // MARK: Marks

    /// A line through points, in the colour and stroke of a series.
    public mutating func line(
        _ points: [(x: Double, y: Double)], series: Int, isFaint: Bool = false
    ) {
        guard points.count > 1 else { return }
        let path = points.map { place($0.x, $0.y) }.joined(separator: " ")
        marks.element(
            "polyline",
            ["class": "line \(Self.series(series))\(isFaint ? " faint" : "")", "points": path])
    }

    /// The area between two lines over the same values.
    public mutating func band(_ points: [(x: Double, low: Double, high: Double)], series: Int) {
        guard points.count > 1 else { return }
        let outline =
            points.map { place($0.x, $0.high) } + points.reversed().map { place($0.x, $0.low) }
        background.element(
            "polygon",
            ["class": "band \(Self.series(series))", "points": outline.joined(separator: " ")])
    }

    /// A point, whose shape tells its series apart where colours do not; `name` is told on pointing at it.
    public mutating func dot(
        x value: Double, y height: Double, series: Int, isHollow: Bool = false, name: String
    ) {
        sign(across(value), up(height), series: series, isHollow: isHollow, name: name)
    }

    /// Such a point at a place of the drawing.
    public mutating func sign(
        _ x: Double, _ y: Double, series: Int, isHollow: Bool = false, name: String
    ) {
        let outline = Self.shape(series, x, y)
        marks.element(
            "path",
            ["class": "dot \(Self.series(series))\(isHollow ? " hollow" : "")", "d": outline]
        ) { $0.element("title", text: name) }
    }

    /// A straight line across the plot at a value of the horizontal axis.
    public mutating func rule(x value: Double, style: StaticString) {
        let x = Markup.coordinate(across(value))
        marks.element(
            "line",
            [
                "class": "\(style)", "x1": x, "x2": x, "y1": Markup.coordinate(top),
                "y2": Markup.coordinate(bottom),
            ])
    }

    /// A straight line across the plot at a value of the vertical axis.
    public mutating func rule(y value: Double, style: StaticString) {
        let y = Markup.coordinate(up(value))
        marks.element(
            "line",
            [
                "class": "\(style)", "x1": Markup.coordinate(left),
                "x2": Markup.coordinate(right), "y1": y, "y2": y,
            ])
    }

    /// A line from one place of the drawing to another.
    public mutating func stroke(
        _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, style: String
    ) {
        marks.element(
            "line",
            [
                "class": style, "x1": Markup.coordinate(x1), "y1": Markup.coordinate(y1),
                "x2": Markup.coordinate(x2), "y2": Markup.coordinate(y2),
            ])
    }

    /// A rectangle behind the marks.
    public mutating func area(
        _ x: Double, _ y: Double, width: Double, height: Double, style: String
    ) {
        background.element("rect", Self.box(x, y, width, height, style))
    }

    /// A rectangle among the marks, told by `name` on pointing at it.
    public mutating func bar(
        _ x: Double, _ y: Double, width: Double, height: Double, series: Int, name: String
    ) {
        marks.element("rect", Self.box(x, y, width, height, "bar \(Self.series(series))")) {
            $0.element("title", text: name)
        }
    }

    /// Words at a place of the drawing, cut to the room that there is.
    ///
    /// - Parameter anchor: `start`, `middle` or `end`.
    public mutating func label(
        _ words: String, _ x: Double, _ y: Double, anchor: StaticString = "start",
        style: StaticString = "label", room: Double = .infinity
    ) {
        Self.label(words, x, y, anchor: anchor, style: style, room: room, to: &marks)
    }

    /// The chart. Both names are read aloud, the description after the title.
    ///
    /// - Parameter id: unique in the page.
    public func svg(id: String, title: String, description: String) -> Markup {
        var inner = background
        inner.append(marks)
        return Self.image(
            width, height: height, id: id, title: title, description: description, inner)
    }

    /// An image around a drawing.
    static func image(
        _ width: Width, height: Double, id: String, title: String, description: String,
        _ drawing: Markup
    ) -> Markup {
        var markup = Markup()
        let size = "0 0 \(Markup.coordinate(width.units)) \(Markup.coordinate(height))"
        markup.element(
            "svg",
            [
                "class": "chart \(width.rawValue)", "viewBox": size, "role": "img",
                "tabindex": "0", "aria-labelledby": "\(id)-title \(id)-text",
            ]
        ) { svg in
            svg.element("title", ["id": "\(id)-title"], text: title)
            svg.element("desc", ["id": "\(id)-text"], text: description)
            svg.append(drawing)
        }
        return markup
    }

    static func box(
        _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ style: String
    ) -> Markup.Attributes {
        [
            "class": style, "x": Markup.coordinate(x), "y": Markup.coordinate(y),
            "width": Markup.coordinate(max(0, width)), "height": Markup.coordinate(max(0, height)),
        ]
    }

    static func label(
        _ words: String, _ x: Double, _ y: Double, anchor: StaticString = "start",
        style: StaticString = "label", room: Double = .infinity, to markup: inout Markup
    ) {
        let columns = room.isFinite ? Int(max(0, room) / letterWidth) : 120
        let shown = TerminalText.truncated(TerminalText.neutralised(words), columns: columns)
        guard !shown.isEmpty else { return }
        markup.element(
            "text",
            [
                "class": "\(style)", "x": Markup.coordinate(x), "y": Markup.coordinate(y),
                "text-anchor": "\(anchor)",
            ], text: shown)
    }

    /// The classes of a series: its colour, and a stroke that is another's only after eight.
    static func series(_ number: Int) -> String {
        "c\(abs(number) % ChartPalette.seriesCount)"
    }

    // MARK: Axes

    private mutating func drawVertical() {
        var lowest = Double.infinity
        for tick in y.ticks {
            let place = up(tick.value)
            background.element(
                "line",
                [
                    "class": "grid", "x1": Markup.coordinate(left), "y1": Markup.coordinate(place),
                    "x2": Markup.coordinate(right), "y2": Markup.coordinate(place),
                ])
            guard place <= lowest - 13 else { continue }
            lowest = place
            Self.label(
                tick.label, left - 8, place + 4, anchor: "end", style: "tick", to: &background)
        }
        if !y.title.isEmpty {
            Self.label(
                y.title, 2, 14, style: "axis", room: width.units - 4, to: &background)
        }
    }

    private mutating func drawHorizontal() {
        var taken = -Double.infinity
        for tick in x.ticks {
            let place = across(tick.value)
            background.element(
                "line",
                [
                    "class": "grid", "x1": Markup.coordinate(place), "y1": Markup.coordinate(top),
                    "x2": Markup.coordinate(place), "y2": Markup.coordinate(bottom),
                ])
            let half = Self.tickWidth(tick.label) / 2
            // A label at the end is moved in, so that it is not cut.
            let middle = min(max(place, half), width.units - half)
            guard middle - half > taken + 6 else { continue }
            taken = middle + half
            Self.label(
                tick.label, middle, bottom + 16, anchor: "middle", style: "tick", to: &background)
        }
        Self.label(
            x.title, (left + right) / 2, height - 6, anchor: "middle", style: "axis",
            room: width.units - 8, to: &background)
    }

    private func place(_ x: Double, _ y: Double) -> String {
        "\(Markup.coordinate(across(x))),\(Markup.coordinate(up(y)))"
    }

    /// Circle, square, triangle, diamond, and the same turned round.
    private static func shape(_ series: Int, _ x: Double, _ y: Double) -> String {
        func point(_ dx: Double, _ dy: Double) -> String {
            "\(Markup.coordinate(x + dx)) \(Markup.coordinate(y + dy))"
        }
        return switch abs(series) % 4 {
        case 0: "M\(point(-4, 0))a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z"
        case 1: "M\(point(-3.5, -3.5))h7v7h-7z"
        case 2: "M\(point(0, -4.5))L\(point(4.5, 3.5))L\(point(-4.5, 3.5))z"
        default: "M\(point(0, -5))L\(point(5, 0))L\(point(0, 5))L\(point(-5, 0))z"
        }
    }

    /// The sign of a series for a legend.
    ///
    /// - Parameter isArea: whether its marks are bars and boxes, not lines and points.
    static func legendSign(_ series: Int, isArea: Bool) -> Markup {
        var markup = Markup()
        guard !isArea else {
            markup.element(
                "svg", ["class": "sign", "viewBox": "0 0 28 12", "aria-hidden": "true"]
            ) { $0.element("rect", box(2, 1, 24, 10, "bar \(self.series(series))")) }
            return markup
        }
        markup.element(
            "svg", ["class": "sign", "viewBox": "0 0 28 12", "aria-hidden": "true"]
        ) { svg in
            svg.element(
                "line",
                [
                    "class": "line \(self.series(series))", "x1": "1", "x2": "27", "y1": "6",
                    "y2": "6",
                ]
            )
            svg.element(
                "path", ["class": "dot \(self.series(series))", "d": shape(series, 14, 6)])
        }
        return markup
    }
}
