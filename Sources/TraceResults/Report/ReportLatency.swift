// Latency by percentile, from the distributions themselves: on an axis where each further nine takes the same
// room, the tail is as easy to see as the median.

extension ReportStudy {
    private static let latencyNames: [(name: LatencyName, label: String)] = [
        (.spanEnd, "Ending a span"), (.spanStart, "Starting a span"),
        (.samplerDecision, "Deciding to sample"), (.queueResidence, "Waiting in the queue"),
        (.exportRequest, "Export request"), (.delivery, "From end to acknowledgement"),
        (.scheduleLag, "Schedule lag"), (.traceLatency, "Whole trace"),
        (.traceService, "Whole trace, once begun"),
    ]

    /// One group: all its distributions in two charts, calls and ways. Several: a chart a distribution.
    func latencies() -> [ReportFigure] {
        let groups = shownGroups
        guard let only = groups.first else { return [] }
        guard groups.count > 1 else { return latencies(of: only) }
        return Self.latencyNames.compactMap { name, label in
            let curves = groups.compactMap { group in
                group.curve(name).map { (group.name, group.series, $0) }
            }
            guard curves.count > 1 else { return nil }
            return latencyFigure(
                "latency-\(name.rawValue)", "\(label), by percentile", curves,
                says: "Time a call of each variant takes, for every share of calls.\(omission)",
                concludes: Self.comparison(of: curves))
        }
    }

    private func latencies(of group: ReportGroup) -> [ReportFigure] {
        let parts: [(id: String, title: String, names: [LatencyName])] = [
            (
                "latency-calls", "Calls on the application's threads, by percentile",
                [.spanEnd, .spanStart, .samplerDecision]
            ),
            (
                "latency-ways", "Ways of a span, by percentile",
                [
                    .queueResidence, .exportRequest, .delivery, .scheduleLag, .traceLatency,
                    .traceService,
                ]
            ),
        ]
        return parts.compactMap { id, title, names in
            let curves = names.enumerated().compactMap { place, name in
                group.curve(name).map { curve in
                    (Self.latencyNames.first { $0.name == name }?.label ?? "", place, curve)
                }
            }
            guard !curves.isEmpty else { return nil }
            let runs = group.runs.count > 1 ? " All \(group.runs.count) runs are in it." : ""
            return latencyFigure(
                id, title, curves,
                says: "Time taken, for every share of samples: a line that stays flat has no tail."
                    + runs,
                concludes: Self.tails(of: curves))
        }
    }

    private typealias NamedCurve = (name: String, series: Int, curve: LatencyCurve)

    private func latencyFigure(
        _ id: String, _ title: String, _ curves: [NamedCurve], says: String, concludes: String
    ) -> ReportFigure {
        let points = curves.map { named in
            zip(named.curve.shares, named.curve.values(at: named.curve.shares)).map {
                (x: $0, y: max($1, 1))
            }
        }
        let last = points.compactMap(\.last?.x).max() ?? 0.99
        let dotted = " Thin parts have fewer than 100 samples beyond them."
        return ReportFigure(
            id, title, says: says + dotted, concludes: concludes,
            legend: curves.map { ($0.series, $0.name) }, table: Self.percentiles(curves, title)
        ) { width in
            var frame = ChartFrame(
                width, height: width == .wide ? 320 : 260,
                x: .percentiles("percentile", upTo: last),
                y: .logarithmic("time", covering: points.joined().map(\.y)) {
                    ReportText.tick($0, unit: "ns")
                })
            for (named, line) in zip(curves, points) {
                let sound = line.prefix { $0.x <= named.curve.soundShareMax }
                frame.line(Array(sound), series: named.series)
                let rest = line.dropFirst(max(0, sound.count - 1))
                frame.line(Array(rest), series: named.series, isFaint: true)
            }
            return frame
        }
    }

    private static let tableShares = [0.5, 0.9, 0.99, 0.999, 0.9999, 1]

    private static func percentiles(_ curves: [NamedCurve], _ title: String) -> ReportTable {
        var table = ReportTable(
            caption: title,
            columns: [.text("")]
                + ["p50", "p90", "p99", "p99.9", "p99.99", "max", "samples"].map { .number($0) })
        for (name, _, curve) in curves {
            let cells = zip(tableShares, curve.values(at: tableShares)).map { share, value in
                let isThin = share < 1 && share > curve.soundShareMax
                return ReportTable.Cell(
                    (isThin ? "~" : "") + NumberText.duration(ns: value))
            }
            table.rows.append(
                [.init(name)] + cells + [.init(NumberText.grouped(curve.total))])
        }
        return table
    }

    /// What one group's curves say of their tails.
    private static func tails(of curves: [NamedCurve]) -> String {
        let shares = [0.5, 0.99]
        let found = curves.map { named -> (name: String, median: Double, tail: Double) in
            let values = named.curve.values(at: shares)
            return (named.name, values[0], values[1])
        }
        guard let slowest = found.max(by: { $0.median < $1.median }),
            let widest = found.max(by: {
                $0.tail / max(1, $0.median) < $1.tail / max(1, $1.median)
            })
        else { return "" }
        var text =
            "\(slowest.name) takes longest: half of the samples take at most "
            + "\(NumberText.duration(ns: slowest.median)), one in a hundred more than "
            + "\(NumberText.duration(ns: slowest.tail))."
        let factor = widest.tail / max(1, widest.median)
        if found.count > 1, factor >= 2 {
            text +=
                " The longest tail is that of \(widest.name.lowercasedFirst): its p99 is "
                + "\(NumberText.short(factor)) times its median."
        }
        return text
    }

    /// What several groups' curves of one distribution say of each other.
    private static func comparison(of curves: [NamedCurve]) -> String {
        let sound = curves.allSatisfy { $0.curve.soundShareMax >= 0.99 }
        let share = sound ? 0.99 : 0.5
        let found = curves.map { ($0.name, max(1, $0.curve.values(at: [share])[0])) }
        guard let fastest = found.min(by: { $0.1 < $1.1 }),
            let slowest = found.max(by: { $0.1 < $1.1 })
        else { return "" }
        let percentile = sound ? "p99" : "the median"
        let ratio = slowest.1 / fastest.1
        guard ratio > 1.05 else {
            return "At \(percentile) all lie within 5% of each other, near "
                + "\(NumberText.duration(ns: slowest.1))."
        }
        guard found.count > 2 else {
            return "At \(percentile) \(fastest.0) takes \(NumberText.duration(ns: fastest.1)), "
                + "\(slowest.0) \(NumberText.duration(ns: slowest.1)), "
                + "\(NumberText.short(ratio)) times as much. Whether that is more than noise the "
                + "interval of a gate says."
        }
        return "At \(percentile) \(fastest.0) is fastest with "
            + "\(NumberText.duration(ns: fastest.1)), \(slowest.0) slowest with "
            + "\(NumberText.duration(ns: slowest.1)), \(NumberText.short(ratio)) times as much. "
            + "Whether that is more than noise the intervals of a gate or a comparison say."
    }
}

extension ReportGroup {
    /// The distribution of all its runs; nil where none has it. One that cannot be read is left out: a gate
    /// has said so.
    fileprivate func curve(_ name: LatencyName) -> LatencyCurve? {
        var curve = LatencyCurve()
        for run in runs {
            guard let histogram = try? run.histograms[name.rawValue]?.histogram() else { continue }
            curve.add(histogram)
        }
        return curve.total > 0 ? curve : nil
    }
}

extension String {
    /// For the middle of a sentence.
    fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}
