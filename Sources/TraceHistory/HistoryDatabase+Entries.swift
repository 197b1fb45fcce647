// Adding result files, and what there is.

import GRDB
import TraceResults

extension HistoryDatabase {
    /// Keeps a result file, whole or not at all.
    ///
    /// - Returns: false where the same file is there already.
    @discardableResult
    public func add(_ entry: HistoryEntry) throws(HistoryError) -> Bool {
        try Self.orHistoryError(path) {
            var isNew = false
            try queue.inTransaction(.immediate) { database in
                try database.execute(
                    sql: """
                        INSERT INTO file (sha256, path, scenario, seed, runsLeftOut)
                        VALUES (?, ?, ?, ?, ?) ON CONFLICT (sha256) DO NOTHING
                        """,
                    arguments: [
                        entry.fileSHA256, entry.path, entry.scenario, String(entry.seed),
                        entry.leftOut.count,
                    ])
                isNew = database.changesCount == 1
                if isNew {
                    let file = database.lastInsertedRowID
                    for variant in entry.variants {
                        try Self.insert(variant, of: file, into: database)
                    }
                }
                return .commit
            }
            return isNew
        }
    }

    private static func insert(
        _ variant: HistoryVariant, of file: Int64, into database: Database
    ) throws {
        let origin = variant.origin
        try database.execute(
            sql: """
                INSERT INTO variant (file, name, measuredAt, commitID, version, buildMode,
                    scenarioSHA256, machine, machineText, runs)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                file, origin.variant, origin.measuredAt, origin.commit, origin.version,
                origin.buildMode, origin.scenarioSHA256, origin.machine, origin.machineText,
                origin.runs,
            ])
        let number = database.lastInsertedRowID
        let statement = try database.makeStatement(
            sql: """
                INSERT INTO figure (variant, metric, unit, better, kind, median, lowest, highest, runs)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        for (metric, figure) in variant.figures.sorted(by: { $0.key < $1.key }) {
            try statement.execute(arguments: [
                number, metric, figure.unit, figure.better.rawValue, figure.kind.rawValue,
                figure.median, figure.lowest, figure.highest, figure.runs,
            ])
        }
    }

    /// Everything that was added, oldest first: a row for each variant of each file.
    public func list() throws(HistoryError) -> [HistoryRow] {
        try Self.orHistoryError(path) {
            try queue.read { database in
                try Row.fetchAll(
                    database,
                    sql: """
                        SELECT file.path AS path, file.scenario AS scenario, file.seed AS seed,
                            file.runsLeftOut AS runsLeftOut, variant.*,
                            (SELECT count(*) FROM figure WHERE figure.variant = variant.id) AS figures
                        FROM variant JOIN file ON file.id = variant.file
                        ORDER BY measuredAt, variant.id
                        """
                ).map(HistoryRow.init)
            }
        }
    }

    /// The names of the figures there are.
    public func metrics() throws(HistoryError) -> [String] {
        try Self.orHistoryError(path) {
            try queue.read {
                try String.fetchAll($0, sql: "SELECT DISTINCT metric FROM figure ORDER BY metric")
            }
        }
    }
}

/// A variant of a result file, as listed.
public struct HistoryRow: Sendable, Equatable {
    public var path: String
    public var scenario: String
    public var seed: String
    public var origin: HistoryOrigin
    public var runsLeftOut: Int
    public var figures: Int

    init(_ row: Row) {
        path = row["path"]
        scenario = row["scenario"]
        seed = row["seed"]
        origin = HistoryOrigin(
            variant: row["name"], measuredAt: row["measuredAt"], commit: row["commitID"],
            version: row["version"], buildMode: row["buildMode"],
            scenarioSHA256: row["scenarioSHA256"], machine: row["machine"],
            machineText: row["machineText"], runs: row["runs"])
        runsLeftOut = row["runsLeftOut"]
        figures = row["figures"]
    }
}
