// What can be wrong with a history and with what is added to it. Every message says what to do.

import TraceResults

/// Why a history cannot be used.
public enum HistoryError: Error, Sendable, Equatable, CustomStringConvertible {
    /// There is no such file.
    case missing(path: String)
    /// A file that is no SQLite database.
    case notADatabase(path: String)
    /// A SQLite database that somebody else made.
    case foreign(path: String)
    /// Made by a later version of this program.
    case newer(path: String, version: Int)
    /// Its pages contradict each other.
    case damaged(path: String, detail: String)
    /// Others kept writing for longer than anybody should.
    case busy(path: String)
    /// The system says no.
    case unusable(path: String, reason: String)
    /// A result that has no run to keep.
    case noValidRun(path: String, reason: String)

    public var description: String {
        switch self {
        case .missing(let path):
            return "there is no history '\(shown(path))' yet: begin one with "
                + "`tracemill history add RESULT… --database \(shown(path))`"
        case .notADatabase(let path):
            return "'\(shown(path))' is no SQLite database, so it is left as it is: name another "
                + "file with --database"
        case .foreign(let path):
            return "'\(shown(path))' is a SQLite database of another program, so it is left as it "
                + "is: name another file with --database"
        case .newer(let path, let version):
            return "the history '\(shown(path))' has format \(version), this version writes "
                + "\(HistoryDatabase.formatVersion): use the tracemill that wrote it, or name "
                + "another file with --database"
        case .damaged(let path, let detail):
            return "the history '\(shown(path))' is damaged (\(TerminalText.neutralised(detail))), "
                + "so it is left as it is: move it away and add the result files again, or try "
                + "`sqlite3 \(shown(path)) .recover`"
        case .busy(let path):
            return "the history '\(shown(path))' was in use by others for "
                + "\(Int(HistoryDatabase.busyTimeoutS)) s: try again"
        case .unusable(let path, let reason):
            return "cannot use the history '\(shown(path))': \(TerminalText.neutralised(reason)). "
                + "Name a folder you may write to with --database"
        case .noValidRun(let path, let reason):
            return "'\(shown(path))' has no valid run and is not added: "
                + TerminalText.neutralised(reason)
        }
    }

    private func shown(_ path: String) -> String { TerminalText.neutralised(path) }
}
