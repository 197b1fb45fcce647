// The history's file: SQLite through GRDB. It owns the format, refuses every file that is not its
// own, and lets several processes add at once. Any thread; blocks on the disk.
//
// The mark is SQLite's `application_id`, the version its `user_version`: both stand in the first page
// and are read before anything is written (https://www.sqlite.org/fileformat2.html, 1.3).

import GRDB
import Glibc
import TraceResults

/// A history in a file.
public final class HistoryDatabase: Sendable {
    /// The format that this version writes.
    public static let formatVersion = 1
    /// "TMHS": tracemill history.
    static let applicationID: Int32 = 0x544D_4853
    /// How long to wait for others who write, in seconds.
    public static let busyTimeoutS = 15.0

    let path: String
    let queue: DatabaseQueue

    /// Opens a history to read it. Nothing in it is changed.
    public init(reading path: String) throws(HistoryError) {
        guard try Self.examine(path) else { throw .missing(path: path) }
        var configuration = Self.configuration
        configuration.readonly = true
        self.path = path
        queue = try Self.opened(path, configuration)
        try Self.orHistoryError(path) { [queue] in
            try queue.read { database in
                try Self.checkMark(database, path)
                try Self.checkPages(database, path)
            }
        }
    }

    /// Opens a history to add to it, and makes it where there is none.
    public init(writing path: String) throws(HistoryError) {
        if try Self.examine(path) {
            // Looked at first by a reader: to open somebody else's file for writing may already
            // change it, or the log beside it.
            _ = try HistoryDatabase(reading: path)
        } else {
            try Self.create(path)
        }
        self.path = path
        queue = try Self.opened(path, Self.configuration)
        try Self.orHistoryError(path) { [queue] in
            try queue.inTransaction(.immediate) { database in
                // Of several that come at once the first makes the tables, the others find them.
                if try Self.isEmpty(database) { try Self.makeTables(database) }
                try Self.checkMark(database, path)
                return .commit
            }
            queue.writeWithoutTransaction { database in
                // Readers and a writer at once, from now on: the file keeps it. SQLite refuses while
                // others are at work in it, and then whoever comes next makes it so.
                _ = try? String.fetchOne(database, sql: "PRAGMA journal_mode = WAL")
            }
        }
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.busyMode = .timeout(busyTimeoutS)
        configuration.foreignKeysEnabled = true
        configuration.label = "tracemill-history"
        return configuration
    }

    /// Whether there is a file with something in it that may be ours, by its first bytes.
    private static func examine(_ path: String) throws(HistoryError) -> Bool {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            if errno == ENOENT { return false }
            throw .unusable(path: path, reason: systemReason())
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .unusable(path: path, reason: "it is not a plain file")
        }
        guard status.st_size > 0 else { return false }
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unusable(path: path, reason: systemReason()) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
        }
        guard count == 16, bytes.elementsEqual("SQLite format 3\0".utf8) else {
            throw .notADatabase(path: path)
        }
        return true
    }

    /// An empty file that its owner alone may read; SQLite gives its companions the same rights.
    private static func create(_ path: String) throws(HistoryError) {
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .unusable(path: path, reason: systemReason()) }
        close(descriptor)
    }

    private static func opened(
        _ path: String, _ configuration: Configuration
    ) throws(HistoryError) -> DatabaseQueue {
        try orHistoryError(path) { try DatabaseQueue(path: path, configuration: configuration) }
    }

    /// Whether nobody has put anything into it, not even a mark.
    private static func isEmpty(_ database: Database) throws -> Bool {
        try Int.fetchOne(
            database,
            sql: """
                SELECT (SELECT count(*) FROM sqlite_schema)
                    + (SELECT application_id <> 0 FROM pragma_application_id)
                    + (SELECT user_version <> 0 FROM pragma_user_version)
                """) == 0
    }

    /// Refuses what is not ours, and what is of a later version.
    private static func checkMark(_ database: Database, _ path: String) throws {
        let mark = try Int32.fetchOne(database, sql: "PRAGMA application_id")
        guard mark == applicationID else { throw HistoryError.foreign(path: path) }
        let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        guard version <= formatVersion else {
            throw HistoryError.newer(path: path, version: version)
        }
    }

    /// Refuses what contradicts itself.
    private static func checkPages(_ database: Database, _ path: String) throws {
        let finding = try String.fetchOne(database, sql: "PRAGMA quick_check(1)") ?? "no answer"
        guard finding == "ok" else { throw HistoryError.damaged(path: path, detail: finding) }
    }

    private static func makeTables(_ database: Database) throws {
        try database.execute(
            sql: """
                PRAGMA application_id = \(applicationID);
                PRAGMA user_version = \(formatVersion);
                CREATE TABLE file (
                    id INTEGER PRIMARY KEY,
                    sha256 TEXT NOT NULL UNIQUE,
                    path TEXT NOT NULL,
                    scenario TEXT NOT NULL,
                    seed TEXT NOT NULL,
                    runsLeftOut INTEGER NOT NULL
                ) STRICT;
                CREATE TABLE variant (
                    id INTEGER PRIMARY KEY,
                    file INTEGER NOT NULL REFERENCES file(id) ON DELETE CASCADE,
                    name TEXT NOT NULL,
                    measuredAt TEXT NOT NULL,
                    commitID TEXT NOT NULL,
                    version TEXT NOT NULL,
                    buildMode TEXT NOT NULL,
                    scenarioSHA256 TEXT NOT NULL,
                    machine TEXT NOT NULL,
                    machineText TEXT NOT NULL,
                    runs INTEGER NOT NULL,
                    UNIQUE (file, name)
                ) STRICT;
                CREATE TABLE figure (
                    variant INTEGER NOT NULL REFERENCES variant(id) ON DELETE CASCADE,
                    metric TEXT NOT NULL,
                    unit TEXT NOT NULL,
                    better TEXT NOT NULL,
                    kind TEXT NOT NULL,
                    median REAL NOT NULL,
                    lowest REAL NOT NULL,
                    highest REAL NOT NULL,
                    runs INTEGER NOT NULL,
                    PRIMARY KEY (metric, variant)
                ) STRICT, WITHOUT ROWID;
                """)
    }

    /// What GRDB and SQLite throw, as an error that says what to do.
    static func orHistoryError<Value>(
        _ path: String, _ body: () throws -> Value
    ) throws(HistoryError) -> Value {
        do {
            return try body()
        } catch let error as HistoryError {
            throw error
        } catch let error as DatabaseError {
            let detail = error.message ?? "\(error.resultCode)"
            switch error.resultCode {
            case .SQLITE_NOTADB: throw .notADatabase(path: path)
            case .SQLITE_CORRUPT: throw .damaged(path: path, detail: detail)
            case .SQLITE_BUSY, .SQLITE_LOCKED: throw .busy(path: path)
            case .SQLITE_FULL: throw .unusable(path: path, reason: "the disk is full")
            case .SQLITE_IOERR:
                throw .unusable(
                    path: path,
                    reason:
                        "\(detail): the disk fails or is full, or a limit on file sizes (ulimit -f) is in "
                        + "force")
            default: throw .unusable(path: path, reason: detail)
            }
        } catch {
            throw .unusable(path: path, reason: "\(error)")
        }
    }

    private static func systemReason() -> String { unsafe String(cString: strerror(errno)) }
}
