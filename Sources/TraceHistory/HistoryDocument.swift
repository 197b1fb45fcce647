// A history for other programs: one JSON document, or CSV with a line for each point.

import FoundationEssentials
import TraceResults

/// Renders a history as JSON, `tracemill.history/1`.
public enum HistoryDocument {
    private static let schema = JSONValue.string("tracemill.history/1")

    /// Every series with its points and changes.
    public static func text(of series: [HistorySeries], metric: String) -> String {
        JSONValue.object([
            "schema": schema, "metric": .string(metric),
            "series": .array(series.map(object)),
        ]).prettyText()
    }

    /// What was added.
    public static func text(of rows: [HistoryRow]) -> String {
        JSONValue.object([
            "schema": schema,
            "files": .array(
                rows.map { row in
                    let origin = row.origin
                    return .object([
                        "path": .string(row.path), "scenario": .string(row.scenario),
                        "seed": .string(row.seed),
                        "variant": .string(origin.variant),
                        "measuredAt": .string(origin.measuredAt),
                        "commit": .string(origin.commit),
                        "version": .string(origin.version),
                        "buildMode": .string(origin.buildMode),
                        "scenarioSHA256": .string(origin.scenarioSHA256),
                        "machine": .string(origin.machine),
                        "machineText": .string(origin.machineText),
                        "runs": .integer(Int64(origin.runs)),
                        "runsLeftOut": .integer(Int64(row.runsLeftOut)),
                        "figures": .integer(Int64(row.figures)),
                    ])
                }),
        ]).prettyText()
    }

    private static func object(_ series: HistorySeries) -> JSONValue {
        .object([
            "scenario": .string(series.key.scenario),
            "scenarioSHA256": series.key.scenarioSHA256.isEmpty
                ? .null : .string(series.key.scenarioSHA256),
            "variant": .string(series.key.variant), "machine": .string(series.key.machine),
            "machineText": .string(series.machineText),
            "buildMode": .string(series.key.buildMode), "unit": .string(series.unit),
            "better": .string(series.better.rawValue),
            "penaltyFactor": .number(series.penaltyFactor),
            "points": .array(
                series.points.map { point in
                    .object([
                        "measuredAt": .string(point.measuredAt), "commit": .string(point.commit),
                        "version": .string(point.version), "path": .string(point.path),
                        "scenarioSHA256": .string(point.scenarioSHA256),
                        "median": .number(point.figure.median),
                        "lowest": .number(point.figure.lowest),
                        "highest": .number(point.figure.highest),
                        "runs": .integer(Int64(point.figure.runs)),
                    ])
                }),
            "changes": .array(
                series.changes.map { change in
                    .object([
                        "index": .integer(Int64(change.index)),
                        "commit": .string(series.points[change.index].commit),
                        "measuredAt": .string(series.points[change.index].measuredAt),
                        "before": .number(change.before), "after": .number(change.after),
                        "ratio": change.ratio.isFinite ? .number(change.ratio) : .null,
                        "worse": change.isWorse.map(JSONValue.bool) ?? .null,
                    ])
                }),
        ])
    }
}

/// Renders a history as CSV (RFC 4180).
public enum HistoryCSV {
    /// A line for each point; `changeRatio` is filled where a new level begins.
    public static func text(of series: [HistorySeries]) -> String {
        let heading = [
            "scenario", "scenarioSHA256", "variant", "machine", "buildMode", "metric", "unit",
            "measuredAt", "commit", "version", "median", "lowest", "highest", "runs",
            "changeRatio", "path",
        ]
        var lines = [heading.joined(separator: ",")]
        for series in series {
            for (index, point) in series.points.enumerated() {
                let change = series.changes.first { $0.index == index }
                let texts = [
                    series.key.scenario, point.scenarioSHA256, series.key.variant,
                    series.key.machine, series.key.buildMode, series.metric, series.unit,
                    point.measuredAt, point.commit, point.version,
                ].map(FigureText.csvField)
                let numbers = [
                    point.figure.median.description, point.figure.lowest.description,
                    point.figure.highest.description, String(point.figure.runs),
                    change.map { $0.ratio.isFinite ? $0.ratio.description : "" } ?? "",
                ]
                lines.append(
                    (texts + numbers + [FigureText.csvField(point.path)]).joined(separator: ","))
            }
        }
        return lines.map { $0 + "\r\n" }.joined()
    }
}
