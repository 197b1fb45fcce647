// What a sampler costs against how true the picture is that it leaves: a point a variant, and the front of
// those that no other beats.

extension ReportStudy {
    private static let costNames = [
        "keptByteShare", "keptSpanShare", "exportedBytesPerS", "cpuMsPerThousandTraces",
    ]
    private static let gainNames: [(name: String, words: String)] = [
        ("errorTraceRecall", "traces with an error that were kept"),
        ("slowTraceRecall", "slow traces that were kept"),
        ("patternCoverage", "call shapes that were kept"),
        ("completeKeptTraceShare", "kept traces that are whole"),
    ]

    /// The charts of what was measured; none without figures of fidelity for two variants or more.
    func fidelities() -> [ReportFigure] {
        let costs = Self.costNames.filter { name in
            groups.count { $0.median(name) != nil } >= 2
        }
        guard let share = costs.first else { return [] }
        var figures = Self.gainNames.compactMap { fidelity(share, $0.name, $0.words) }
        // The traffic kept is one cost, the work of keeping it another.
        let work = "cpuMsPerThousandTraces"
        if share != work, costs.contains(work) {
            figures += [fidelity(work, Self.gainNames[0].name, Self.gainNames[0].words)]
                .compactMap(\.self)
        }
        return figures
    }

    private struct FidelityPoint: Sendable {
        var name: String
        var series: Int
        var cost: Double
        var gain: Double
        var isOnFront = false
    }

    private func fidelity(_ cost: String, _ gain: String, _ words: String) -> ReportFigure? {
        var points = groups.compactMap { group -> FidelityPoint? in
            guard let x = group.median(cost), let y = group.median(gain), x.isFinite, y.isFinite
            else { return nil }
            return FidelityPoint(name: group.name, series: group.series, cost: x, gain: y)
        }
        guard points.count >= 2, let metric = metric(cost) else { return nil }
        let dominators = Dominance.dominators(of: points.map { [$0.cost, -$0.gain] })
        for place in points.indices { points[place].isOnFront = dominators[place].isEmpty }
        let front = points.filter(\.isOnFront).sorted { $0.cost < $1.cost }
        let costWords = ReportText.words(cost)
        var table = ReportTable(
            caption: "\(gain) against \(cost), medians of the runs",
            columns: [.text("variant"), .number(cost), .number(gain), .text("on the front")])
        for point in points.sorted(by: { ($0.cost, $1.gain) < ($1.cost, $0.gain) }) {
            table.rows.append([
                .init(point.name),
                .init(ReportText.value(point.cost, of: cost, unit: metric.unit)),
                .init(ReportText.value(point.gain, of: gain, unit: "1")),
                .init(point.isOnFront ? "yes" : "no", point.isOnFront ? .good : .plain),
            ])
        }
        let shown = points
        return ReportFigure(
            "fidelity-\(cost)-\(gain)", "\(gain) against \(cost)",
            says:
                "Share of \(words), against \(costWords): better is up and to the left; the dotted line "
                + "joins the variants that no other beats.",
            concludes: Self.conclusion(front, points, gain, cost, metric.unit),
            legend: points.prefix(24).map { ($0.series, $0.name) }, table: table
        ) { Self.draw(shown, front, $0, cost, metric.unit, gain) }
    }

    private static func conclusion(
        _ front: [FidelityPoint], _ points: [FidelityPoint], _ gain: String, _ cost: String,
        _ unit: String
    ) -> String {
        func told(_ point: FidelityPoint) -> String {
            "\(point.name) (\(ReportText.value(point.gain, of: gain, unit: "1")) for "
                + "\(ReportText.value(point.cost, of: cost, unit: unit)))"
        }
        let beaten = points.filter { !$0.isOnFront }.map(\.name)
        var text =
            "No other gives more for as little: \(ReportText.list(front.map(told), max: 5))."
        if !beaten.isEmpty {
            text += " Beaten by one of them: \(ReportText.list(beaten))."
        }
        return text
    }

    private static func draw(
        _ points: [FidelityPoint], _ front: [FidelityPoint], _ width: ChartFrame.Width,
        _ cost: String, _ unit: String, _ gain: String
    ) -> ChartFrame {
        let isWide = width == .wide
        var frame = ChartFrame(
            width, height: isWide ? 320 : 270,
            x: .linear(
                cost, covering: points.map(\.cost), includesZero: true, steps: isWide ? 8 : 4
            ) { axisText($0, unit) },
            y: .linear(gain, covering: points.map(\.gain) + [1], includesZero: true, steps: 5) {
                axisText($0, "1")
            })
        let steps = front.map { (x: $0.cost, y: $0.gain) }
        for (left, right) in zip(steps, steps.dropFirst()) {
            frame.stroke(
                frame.across(left.x), frame.up(left.y), frame.across(right.x), frame.up(right.y),
                style: "front")
        }
        var taken: [(left: Double, right: Double, y: Double)] = []
        for point in points {
            let (x, y) = (frame.across(point.cost), frame.up(point.gain))
            frame.sign(
                x, y, series: point.series, isHollow: !point.isOnFront,
                name: "\(point.name): \(axisText(point.gain, "1")), \(axisText(point.cost, unit))")
            taken.append((x - 6, x + 6, y))
        }
        for point in points where isWide || point.isOnFront {
            let (x, y) = (frame.across(point.cost), frame.up(point.gain))
            let length = Double(min(24, TerminalText.width(point.name))) * ChartFrame.letterWidth
            // To the right, to the left, above, below: the first place that is free.
            let places: [(Double, Double, StaticString)] = [
                (x + 9, y + 4, "start"), (x - 9, y + 4, "end"), (x + 4, y - 9, "start"),
                (x + 4, y + 17, "start"), (x - 4, y - 9, "end"), (x - 4, y + 17, "end"),
            ]
            for (left, baseline, anchor) in places {
                let start = anchor.description == "end" ? left - length : left
                let end = start + length
                guard start >= 2, end <= frame.width.units - 2, baseline > frame.top + 6,
                    baseline < frame.bottom - 2,
                    !taken.contains(where: {
                        abs($0.y - (baseline - 4)) < 12 && $0.left < end && $0.right > start
                    })
                else { continue }
                taken.append((start, end, baseline - 4))
                frame.label(
                    point.name, left, baseline, anchor: anchor, room: length + 7)
                break
            }
        }
        return frame
    }

    private static func axisText(_ value: Double, _ unit: String) -> String {
        guard unit == "1" else { return value == 0 ? "0" : ReportText.tick(value, unit: unit) }
        return ReportText.tick((value * 1000).rounded() / 10, unit: "") + "%"
    }
}
