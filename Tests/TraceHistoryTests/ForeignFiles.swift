import Foundation
import GRDB
import TraceHistory

/// Files that stand where a history should be.
enum Foreign: String, CaseIterable, Sendable {
    case text, shortFile, otherDatabase, emptyMark, newer, damagedPages, cutShort

    /// What the error says.
    var hint: String {
        switch self {
        case .text, .shortFile: "no SQLite database"
        case .otherDatabase, .emptyMark: "another program"
        case .newer: "format 99"
        case .damagedPages, .cutShort: "damaged"
        }
    }

    func make(at path: String) throws {
        let url = URL(fileURLWithPath: path)
        switch self {
        case .text: try Data("version: 1\nname: precious, and not a database\n".utf8).write(to: url)
        case .shortFile: try Data("SQLite".utf8).write(to: url)
        case .otherDatabase:
            try change(path) { try $0.execute(sql: "CREATE TABLE bookmark (url TEXT)") }
        case .emptyMark:
            try change(path) { try $0.execute(sql: "PRAGMA user_version = 3") }
        case .newer:
            try history(path)
            try change(path) { try $0.execute(sql: "PRAGMA user_version = 99") }
        case .damagedPages:
            try history(path)
            var bytes = try Data(contentsOf: url)
            for index in stride(from: 4096 * 2, to: bytes.count - 8, by: 512) {
                for offset in 0..<8 { bytes[index + offset] = 0xA5 }
            }
            try bytes.write(to: url)
        case .cutShort:
            try history(path)
            let bytes = try Data(contentsOf: url)
            try bytes.prefix(bytes.count / 4096 / 2 * 4096).write(to: url)
        }
    }

    /// A history with enough in it to have pages, all of it in the one file.
    private func history(_ path: String) throws {
        try fill(path)
        try change(path) { _ in }
    }

    /// Closed again when it returns.
    private func fill(_ path: String) throws {
        let history = try HistoryDatabase(writing: path)
        for _ in 0..<40 {
            try history.add(SampleHistory.entry(SampleHistory.result([1, 2], kept: 3)))
        }
    }

    private func change(_ path: String, _ body: (Database) throws -> Void) throws {
        let queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction { database in
            try body(database)
            try database.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
            try database.execute(sql: "PRAGMA journal_mode = DELETE")
        }
        try queue.close()
    }
}
