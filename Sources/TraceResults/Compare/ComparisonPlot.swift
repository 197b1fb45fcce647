// A comparison as a picture: cost against gain with the Pareto front, and for a sweep the gain over the
// budget, a line for each sampler. One SVG without scripts or links, light and dark by the reader's
// preference, with a title and a description for those who do not see it.

/// Draws comparisons as SVG.
public struct ComparisonPlot: Sendable {
    private static let width = 860.0
    private static let height = 520.0
    private static let left = 92.0
    private static let right = 36.0
    private static let top = 64.0
    private static let bottom = 72.0
    private static let characterWidth = 7.0

    private let comparison: Comparison

    private init(_ comparison: Comparison) { self.comparison = comparison }

    /// The picture; curves over budgets where the variants are a sweep's, else points of cost and gain.
    public static func svg(of comparison: Comparison) -> String {
        let plot = ComparisonPlot(comparison)
        let isSweep = comparison.variants.contains { $0.facts?.family != nil }
        return isSweep ? plot.curves() : plot.points()
    }

    // MARK: Points

    private func points() -> String {
        let (cost, gain) = (column(comparison.axes.cost), column(comparison.axes.gain))
        let placed = comparison.variants.filter { $0.standing != .unplaced }
        let costs = placed.compactMap { $0.figures[cost.metric] }
        let gains = placed.compactMap { $0.figures[gain.metric] }
        let across = PlotScale(
            costs.flatMap { [$0.smallest, $0.largest] }, of: cost,
            from: Self.left, to: Self.width - Self.right)
        let up = PlotScale(
            gains.flatMap { [$0.smallest, $0.largest] }, of: gain,
            from: Self.height - Self.bottom, to: Self.top)
        var body = axes(across, up)
        let front = comparison.front.compactMap { variant in
            place(variant, cost, gain, across, up)
        }
        if front.count > 1 {
            let steps = front.map { "\(Self.digits($0.x)),\(Self.digits($0.y))" }
            body += "<polyline class=\"front\" points=\"\(steps.joined(separator: " "))\"/>\n"
        }
        var labels = PlotLabels(
            within: (Self.left, Self.top, Self.width - 8, Self.height - Self.bottom))
        let places = placed.compactMap { variant in
            place(variant, cost, gain, across, up).map { (variant, $0) }
        }
        for (_, place) in places { labels.avoid(x: place.x - 6, y: place.y - 6, 12, 12) }
        // From the right on: of two that are close the right one's label stands to its right.
        for (variant, place) in places.sorted(by: { $0.1.x > $1.1.x }) {
            body += point(variant, place, cost, gain, across, up, &labels)
        }
        let title =
            "\(comparison.scenario): \(ComparisonColumns.title(gain.metric)) against "
            + ComparisonColumns.title(cost.metric)
        return document(title, description(placed, cost, gain), body)
    }

    private func place(
        _ variant: ComparedVariant, _ cost: ComparedColumn, _ gain: ComparedColumn,
        _ across: PlotScale, _ up: PlotScale
    ) -> (x: Double, y: Double)? {
        guard let x = variant.median(cost.metric), let y = variant.median(gain.metric) else {
            return nil
        }
        return (across.place(x), up.place(y))
    }

    private func point(
        _ variant: ComparedVariant, _ place: (x: Double, y: Double), _ cost: ComparedColumn,
        _ gain: ComparedColumn, _ across: PlotScale, _ up: PlotScale, _ labels: inout PlotLabels
    ) -> String {
        let isDominated = variant.standing == .dominated
        var text = "<g class=\"\(isDominated ? "dominated" : "best")\">"
        text += "<title>\(EscapedText.markup(words(variant, cost, gain)))</title>"
        if let figure = variant.figures[cost.metric], figure.largest > figure.smallest {
            text += line(
                "range", across.place(figure.smallest), place.y, across.place(figure.largest),
                place.y)
        }
        if let figure = variant.figures[gain.metric], figure.largest > figure.smallest {
            text += line(
                "range", place.x, up.place(figure.smallest), place.x, up.place(figure.largest))
        }
        let (x, y) = (Self.digits(place.x), Self.digits(place.y))
        text += "<circle cx=\"\(x)\" cy=\"\(y)\" r=\"5\"/>"
        let name = TerminalText.truncated(TerminalText.neutralised(variant.name), columns: 34)
        let label = labels.place(
            Double(TerminalText.width(name)) * Self.characterWidth, besideX: place.x, y: place.y)
        text += self.text(name, label.x, label.y, label.anchor)
        return text + "</g>\n"
    }

    // MARK: Curves

    private func curves() -> String {
        let gain = column(comparison.axes.gain)
        let share = column("keptSpanShare")
        let families = self.families(gain)
        let all = families.flatMap(\.points)
        let across = PlotScale(
            all.map(\.x), of: share, from: Self.left, to: Self.width - Self.right - 150,
            isLogarithmic: true)
        let up = PlotScale(
            all.map(\.y), of: gain, from: Self.height - Self.bottom, to: Self.top)
        var body = axes(across, up)
        var labels = PlotLabels(
            within: (Self.left, Self.top, Self.width - 4, Self.height - Self.bottom))
        for (number, family) in families.enumerated() {
            let places = family.points.map { (across.place($0.x), up.place($0.y)) }
            let steps = places.map { "\(Self.digits($0.0)),\(Self.digits($0.1))" }
            let described = family.points.map {
                "\(ComparisonColumns.percent($0.x)): \(ComparisonColumns.text($0.y, gain))"
            }.joined(separator: ", ")
            body += "<g class=\"curve c\(number % 8)\">"
            body += "<title>\(EscapedText.markup("\(family.name): \(described)"))</title>"
            body += "<polyline points=\"\(steps.joined(separator: " "))\"/>"
            for place in places {
                body +=
                    "<circle cx=\"\(Self.digits(place.0))\" cy=\"\(Self.digits(place.1))\" r=\"3.5\"/>"
            }
            if let last = places.last {
                let name = TerminalText.truncated(
                    TerminalText.neutralised(family.name), columns: 24)
                let label = labels.place(
                    Double(TerminalText.width(name)) * Self.characterWidth, besideX: last.0,
                    y: last.1)
                body += text(name, label.x, label.y, label.anchor)
            }
            body += "</g>\n"
        }
        let title =
            "\(comparison.scenario): \(ComparisonColumns.title(gain.metric)) over the share of "
            + "spans kept"
        let words = families.map { family in
            let ends = [family.points.first, family.points.last].compactMap { $0 }.map {
                "\(ComparisonColumns.text($0.y, gain)) at \(ComparisonColumns.percent($0.x))"
            }
            return "\(family.name): \(ends.joined(separator: ", "))"
        }
        return document(title, words.joined(separator: "; "), body)
    }

    private func families(
        _ gain: ComparedColumn
    ) -> [(name: String, points: [(x: Double, y: Double)])] {
        var names: [String] = []
        var points: [String: [(x: Double, y: Double)]] = [:]
        for variant in comparison.variants {
            let name = variant.facts?.family ?? variant.name
            guard let y = variant.median(gain.metric),
                let x = variant.median("keptSpanShare") ?? variant.facts?.solvedSpanShare, x > 0
            else { continue }
            if points[name] == nil { names.append(name) }
            points[name, default: []].append((x, y))
        }
        return names.sorted().map { name in
            (name, (points[name] ?? []).sorted { $0.x < $1.x })
        }
    }

    // MARK: Frame

    private func axes(
        _ across: PlotScale, _ up: PlotScale
    ) -> String {
        let bottom = Self.height - Self.bottom
        var text = ""
        for tick in across.axis.ticks {
            let x = across.place(tick.value)
            text += line("grid", x, Self.top, x, bottom)
            text += self.text(tick.label, x, bottom + 20, "middle")
        }
        for tick in up.axis.ticks {
            let y = up.place(tick.value)
            text += line("grid", Self.left, y, across.end, y)
            text += self.text(tick.label, Self.left - 8, y + 4, "end")
        }
        text += line("axis", Self.left, bottom, across.end, bottom)
        text += line("axis", Self.left, Self.top, Self.left, bottom)
        text += self.text(
            across.axis.title, (Self.left + across.end) / 2, Self.height - 24, "middle")
        text += self.text(up.axis.title, Self.left, Self.top - 14, "start")
        return text + "\n"
    }

    private func document(_ title: String, _ description: String, _ body: String) -> String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(Self.width)) \
        \(Int(Self.height))" role="img" aria-labelledby="title description">
        <title id="title">\(EscapedText.markup(title))</title>
        <desc id="description">\(EscapedText.markup(description))</desc>
        <style>
        svg { background: #ffffff; font: 13px system-ui, sans-serif }
        text { fill: #1f2328; paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round }
        .heading { font-weight: 600; font-size: 15px }
        .grid { stroke: #e3e6ea } .axis { stroke: #6b7280 }
        .range { stroke: currentColor; stroke-opacity: .45 }
        .best { color: #0b62c4 } .best circle { fill: #0b62c4 }
        .dominated { color: #8a9099 } .dominated circle { fill: #ffffff; stroke: #8a9099; stroke-width: 2 }
        .dominated text { fill: #5c636d }
        .front { fill: none; stroke: #0b62c4; stroke-width: 2; stroke-dasharray: 6 4 }
        .curve polyline { fill: none; stroke-width: 2; stroke: currentColor }
        .curve circle, .curve text { fill: currentColor }
        .c0 { color: #0b62c4 } .c1 { color: #b3470b } .c2 { color: #1a7f37 } .c3 { color: #8250df }
        .c4 { color: #bf2761 } .c5 { color: #6b5900 } .c6 { color: #0a7580 } .c7 { color: #5c636d }
        @media (prefers-color-scheme: dark) {
        svg { background: #0f1419 }
        text { fill: #e6e9ed; stroke: #0f1419 } .grid { stroke: #2a313a } .axis { stroke: #8b949e }
        .best { color: #6cb2ff } .best circle { fill: #6cb2ff } .front { stroke: #6cb2ff }
        .dominated { color: #8b949e } .dominated circle { fill: #0f1419; stroke: #8b949e }
        .dominated text { fill: #a5adb8 }
        .c0 { color: #6cb2ff } .c1 { color: #ffa366 } .c2 { color: #56d364 } .c3 { color: #c9a5ff }
        .c4 { color: #ff8fb8 } .c5 { color: #d9c04a } .c6 { color: #5ad1dd } .c7 { color: #a5adb8 }
        }
        </style>
        \(text(title, Self.left, 28, "start", isHeading: true))
        \(body)</svg>

        """
    }

    private func description(
        _ placed: [ComparedVariant], _ cost: ComparedColumn, _ gain: ComparedColumn
    ) -> String {
        placed.map { words($0, cost, gain) }.joined(separator: "; ")
    }

    private func words(
        _ variant: ComparedVariant, _ cost: ComparedColumn, _ gain: ComparedColumn
    ) -> String {
        let figures = [cost, gain].compactMap { column in
            variant.median(column.metric).map {
                "\(ComparisonColumns.title(column.metric)) \(ComparisonColumns.text($0, column))"
            }
        }
        let standing = variant.standing == .dominated ? " (dominated)" : ""
        return "\(variant.name): \(figures.joined(separator: ", "))\(standing)"
    }

    // MARK: Elements

    private func column(_ metric: String) -> ComparedColumn {
        comparison.columns.first { $0.metric == metric } ?? comparison.hiddenColumns[metric]
            ?? ComparedColumn(metric: metric, unit: "1", better: .neither)
    }

    private func line(
        _ name: String, _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double
    ) -> String {
        "<line class=\"\(name)\" x1=\"\(Self.digits(x1))\" y1=\"\(Self.digits(y1))\" "
            + "x2=\"\(Self.digits(x2))\" y2=\"\(Self.digits(y2))\"/>"
    }

    private func text(
        _ text: String, _ x: Double, _ y: Double, _ anchor: String, isHeading: Bool = false
    ) -> String {
        let heading = isHeading ? " class=\"heading\"" : ""
        return "<text\(heading) x=\"\(Self.digits(x))\" y=\"\(Self.digits(y))\" "
            + "text-anchor=\"\(anchor)\">\(EscapedText.markup(text))</text>"
    }

    private static func digits(_ value: Double) -> String {
        let rounded = (value * 10).rounded() / 10
        return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
    }
}
