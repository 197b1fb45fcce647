// Runs in the order of their execution: whether the machine drifted under them. The test is Mann's for a
// trend (Kendall's τ, Econometrica 13, 1945): it asks for no shape of the drift, and one wild run moves it
// little.

import Glibc

/// A trend of values in their order.
struct TrendTest: Sendable, Equatable {
    /// Kendall's τ: 1 for ever rising, −1 for ever falling.
    var tau: Double
    /// How likely so strong a τ is without a trend, two-sided, by the normal approximation with its
    /// correction for continuity and ties. For ten values or more it is good to a hundredth.
    var pValue: Double

    /// Of values in their order; nil for fewer than eight. O(n²).
    init?(_ values: [Double]) {
        let count = values.count
        guard count >= 8 else { return nil }
        var score = 0
        for later in values.indices {
            for earlier in 0..<later where values[earlier] != values[later] {
                score += values[earlier] < values[later] ? 1 : -1
            }
        }
        let n = Double(count)
        var variance = n * (n - 1) * (2 * n + 5)
        for ties in Dictionary(grouping: values, by: { $0 }).values where ties.count > 1 {
            let t = Double(ties.count)
            variance -= t * (t - 1) * (2 * t + 5)
        }
        variance /= 18
        tau = Double(score) / (n * (n - 1) / 2)
        guard variance > 0, score != 0 else {
            pValue = 1
            return
        }
        let z = (abs(Double(score)) - 1) / variance.squareRoot()
        pValue = min(1, erfc(z / 2.0.squareRoot()))
    }
}

extension ReportStudy {
    private static let drawnMax = 400

    /// The figure that is judged, or processor time a span, of every run in order; nil for fewer than three.
    func drift() -> ReportFigure? {
        let judged = gates.first?.report.rows.first { $0.budget.rule == .regress }?.budget.metric
        let candidates = [judged, "cpuNsPerSpan", "achievedSpansPerS", "spanEndNsP50"]
        // A group of one run is its own median, whatever the machine did.
        let usable = runs.filter { $0.flaw == nil && groups[$0.group].runs.count > 1 }
        let name = candidates.compactMap(\.self).first { name in
            usable.count { $0.run.metrics[name] != nil } >= 3
        }
        guard let name, let metric = metric(name) else { return nil }
        // Each run against the median of its group: variants that differ do not look like a drift.
        let points = usable.enumerated().compactMap { place, run -> DriftPoint? in
            guard let value = run.run.metrics[name]?.value, value.isFinite,
                let middle = groups[run.group].median(name), middle > 0
            else { return nil }
            return DriftPoint(
                order: place + 1, group: run.group, value: value, share: value / middle - 1)
        }.prefix(Self.drawnMax)
        guard points.count >= 3 else { return nil }
        let verdict = Self.conclusion(Array(points))
        var table = ReportTable(
            caption: "\(name) in order of execution",
            columns: [
                .text("run"), .text("group"), .number(name), .number("against its group's median"),
            ])
        for point in points {
            table.rows.append([
                .init("\(point.order)"), .init(groups[point.group].name),
                .init(GateText.value(point.value, unit: metric.unit)),
                .init(GateText.change(1 + point.share)),
            ])
        }
        let present = Set(points.map(\.group))
        let shown = present.sorted().prefix(Self.chartGroupsMax).map { groups[$0] }
        return ReportFigure(
            "chart-drift", "Runs in order of execution",
            says: "\(name) of each run against the median of its own group, first run to last.",
            concludes: verdict.text, tone: verdict.tone,
            legend: shown.map { ($0.series, $0.name) }, table: table
        ) { Self.draw(Array(points), $0) }
    }

    private struct DriftPoint: Sendable {
        var order: Int
        var group: Int
        var value: Double
        var share: Double
    }

    private static func conclusion(_ points: [DriftPoint]) -> (text: String, tone: ReportTone) {
        let shares = points.map(\.share)
        let spread = (shares.max() ?? 0) - (shares.min() ?? 0)
        let reach = "The runs lie within \(GateText.percent(spread)) of each other"
        guard let trend = TrendTest(shares) else {
            return ("\(reach); fewer than eight cannot show a drift.", .plain)
        }
        let third = max(1, shares.count / 3)
        let change =
            (1 + OrderStatistics.median(Array(shares.suffix(third))))
            / (1 + OrderStatistics.median(Array(shares.prefix(third))))
        let tau = "Kendall's τ = \(NumberText.fixed(trend.tau, decimals: 2)), "
        guard trend.pValue < 0.01, abs(change - 1) > 0.02 else {
            return (
                "\(reach), with no drift to be seen (\(tau)p = \(NumberText.short(trend.pValue))).",
                .good
            )
        }
        return (
            "The machine drifted: from the first third to the last the figure changed by "
                + "\(GateText.change(change)) (\(tau)p \(trend.pValue < 0.001 ? "< 0.001" : "= " + NumberText.short(trend.pValue))). "
                + "Pairs within a round cancel that; runs compared across it do not.", .unsure
        )
    }

    private static func draw(_ points: [DriftPoint], _ width: ChartFrame.Width) -> ChartFrame {
        var frame = ChartFrame(
            width, height: width == .wide ? 240 : 210,
            x: .linear(
                "run", covering: points.map { Double($0.order) }, endsAtValues: true,
                steps: width == .wide ? 10 : 5
            ) { $0 == $0.rounded() && $0 >= 1 ? ReportText.tick($0, unit: "") : "" },
            y: .linear(
                "against the group's median", covering: points.map(\.share) + [-0.01, 0.01],
                steps: 4
            ) {
                let percent = ($0 * 1000).rounded() / 10
                return (percent > 0 ? "+" : "") + ReportText.tick(percent, unit: "") + "%"
            })
        frame.rule(y: 0, style: "zero")
        for point in points {
            frame.dot(
                x: Double(point.order), y: point.share,
                series: point.group % ChartPalette.seriesCount,
                name: "run \(point.order): \(GateText.change(1 + point.share))")
        }
        return frame
    }
}
