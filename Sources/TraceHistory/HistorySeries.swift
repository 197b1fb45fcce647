// A figure's course: the medians of one scenario, variant, machine and build mode in order of time,
// and where its level changed.

import GRDB
import TraceResults

/// Which series are asked for; nil means any.
public struct HistoryQuery: Sendable, Equatable {
    /// The figure.
    public var metric: String
    /// The scenario's name.
    public var scenario: String?
    /// The variant's name.
    public var variant: String?
    /// The beginning of a machine's fingerprint.
    public var machine: String?
    /// `release` or `debug`.
    public var buildMode: String?
    /// No earlier than this: RFC 3339 in UTC, or the beginning of it, such as `2026-11`.
    public var since: String?
    /// The newest so many of each series.
    public var last = 100
    /// Whether a scenario that was edited goes on in the series of its name.
    public var joinsScenarioEdits = false
    /// What a change point costs; see ``TraceResults/ChangePoints``.
    public var penaltyFactor = ChangePoints.penaltyFactor

    /// Everything there is of a figure.
    public init(metric: String) {
        self.metric = metric
    }
}

/// One series.
public struct HistorySeries: Sendable, Equatable {
    /// What was measured, where, and how it was built.
    public struct Key: Sendable, Hashable {
        public var scenario: String
        /// Empty where edits of the scenario are joined.
        public var scenarioSHA256: String
        public var variant: String
        public var machine: String
        public var buildMode: String
    }

    /// One result file in it.
    public struct Point: Sendable, Equatable {
        public var measuredAt: String
        public var commit: String
        public var version: String
        public var path: String
        public var scenarioSHA256: String
        public var figure: HistoryFigure
    }

    /// A new level.
    public struct Change: Sendable, Equatable {
        /// The first point of it.
        public var index: Int
        /// The median of the level before, which reaches back to the change before it.
        public var before: Double
        /// The median of the new level, which reaches to the next change.
        public var after: Double
        /// Whether that is worse; nil where neither way is better.
        public var isWorse: Bool?

        /// The new level over the old one.
        public var ratio: Double { after / before }
    }

    public var key: Key
    public var metric: String
    public var machineText: String
    public var points: [Point]
    public var changes: [Change]
    public var penaltyFactor: Double

    /// How the figure is to be read: as the newest file has it.
    public var unit: String { points.last?.figure.unit ?? "1" }
    public var better: Metric.Direction { points.last?.figure.better ?? .neither }
    public var isExact: Bool { points.last?.figure.kind == .exact }

    init(
        key: Key, metric: String, machineText: String, points: [Point], penaltyFactor: Double
    ) {
        self.key = key
        self.metric = metric
        self.machineText = machineText
        self.points = points
        self.penaltyFactor = penaltyFactor
        changes = []
        let values = points.map(\.figure.median)
        // What follows from the seed has no noise: any difference is a change.
        let starts =
            isExact
            ? values.indices.dropFirst().filter { values[$0] != values[$0 - 1] }
            : ChangePoints.find(values, penaltyFactor: penaltyFactor)
        let bounds = [0] + starts + [values.count]
        for (position, index) in starts.enumerated() {
            let before = OrderStatistics.median(Array(values[bounds[position]..<index]))
            let after = OrderStatistics.median(Array(values[index..<bounds[position + 2]]))
            let isWorse: Bool? =
                switch better {
                case .lower: after > before
                case .higher: after < before
                case .neither: nil
                }
            changes.append(Change(index: index, before: before, after: after, isWorse: isWorse))
        }
    }
}

extension HistoryDatabase {
    /// The series that a query asks for, by their names; each at least one point long.
    public func series(_ query: HistoryQuery) throws(HistoryError) -> [HistorySeries] {
        let rows = try Self.orHistoryError(path) {
            try queue.read { database in
                try Row.fetchAll(
                    database,
                    sql: """
                        SELECT file.path AS path, file.scenario AS scenario, variant.name AS name,
                            variant.measuredAt AS measuredAt, variant.commitID AS commitID,
                            variant.version AS version, variant.buildMode AS buildMode,
                            variant.scenarioSHA256 AS scenarioSHA256, variant.machine AS machine,
                            variant.machineText AS machineText, figure.unit AS unit,
                            figure.better AS better, figure.kind AS kind, figure.median AS median,
                            figure.lowest AS lowest, figure.highest AS highest, figure.runs AS runs
                        FROM figure JOIN variant ON variant.id = figure.variant
                            JOIN file ON file.id = variant.file
                        WHERE figure.metric = :metric
                            AND (:scenario IS NULL OR scenario = :scenario)
                            AND (:variant IS NULL OR name = :variant)
                            AND (:machine IS NULL OR substr(machine, 1, length(:machine)) = :machine)
                            AND (:buildMode IS NULL OR buildMode = :buildMode)
                            AND (:since IS NULL OR measuredAt >= :since)
                        ORDER BY measuredAt, variant.id
                        """,
                    arguments: [
                        "metric": query.metric, "scenario": query.scenario,
                        "variant": query.variant, "machine": query.machine,
                        "buildMode": query.buildMode, "since": query.since,
                    ])
            }
        }
        var found: [HistorySeries.Key: (machine: String, points: [HistorySeries.Point])] = [:]
        for row in rows {
            let key = HistorySeries.Key(
                scenario: row["scenario"],
                scenarioSHA256: query.joinsScenarioEdits ? "" : row["scenarioSHA256"],
                variant: row["name"], machine: row["machine"], buildMode: row["buildMode"])
            found[key, default: (row["machineText"], [])].points.append(HistorySeries.Point(row))
        }
        let ordered = found.sorted { left, right in
            func words(_ key: HistorySeries.Key) -> [String] {
                [key.scenario, key.variant, key.buildMode, key.machine, key.scenarioSHA256]
            }
            return words(left.key).lexicographicallyPrecedes(words(right.key))
        }
        return ordered.map { key, series in
            HistorySeries(
                key: key, metric: query.metric, machineText: series.machine,
                points: series.points.suffix(query.last), penaltyFactor: query.penaltyFactor)
        }
    }
}

extension HistorySeries.Point {
    fileprivate init(_ row: Row) {
        measuredAt = row["measuredAt"]
        commit = row["commitID"]
        version = row["version"]
        path = row["path"]
        scenarioSHA256 = row["scenarioSHA256"]
        figure = HistoryFigure(
            unit: row["unit"], better: Metric.Direction(rawValue: row["better"]) ?? .neither,
            kind: Metric.Kind(rawValue: row["kind"]) ?? .total, median: row["median"],
            lowest: row["lowest"], highest: row["highest"], runs: row["runs"])
    }
}
