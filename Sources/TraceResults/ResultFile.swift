// Reading and writing result files.

import FoundationEssentials

/// Why a result file could not be read or made.
public enum ResultFileError: Error, Sendable, CustomStringConvertible {
    /// The file cannot be opened or read.
    case unreadable(path: String, reason: String)
    /// Larger than any result file.
    case tooLarge(path: String, byteCount: Int)
    /// Not JSON, or JSON of another shape: `where` names the field.
    case malformed(path: String, where: String, reason: String)
    /// JSON of another format, or of another version of it.
    case unsupportedSchema(path: String, schema: String?)
    /// A number that JSON cannot hold.
    case notFinite(where: String)
    /// The file cannot be written.
    case unwritable(FileWriteError)

    public var description: String {
        switch self {
        case .unreadable(let path, let reason):
            return "cannot read '\(TerminalText.neutralised(path))': \(reason)"
        case .tooLarge(let path, let byteCount):
            return "'\(TerminalText.neutralised(path))' has "
                + "\(NumberText.size(bytes: Double(byteCount))): a result file has at most "
                + NumberText.size(bytes: Double(ResultFile.byteCountMax))
        case .malformed(let path, let place, let reason):
            let place = place.isEmpty ? "" : " at \(TerminalText.neutralised(place))"
            return "'\(TerminalText.neutralised(path))' is not a whole result file\(place): "
                + TerminalText.neutralised(reason)
        case .unsupportedSchema(let path, let schema):
            let found = schema.map { "\"\(TerminalText.neutralised($0.prefix(60)))\"" } ?? "none"
            return "'\(TerminalText.neutralised(path))' has the schema \(found); this version "
                + "reads \"\(RunResult.currentSchema)\""
        case .notFinite(let place):
            return "the result cannot be written: \(TerminalText.neutralised(place)) is not a "
                + "finite number"
        case .unwritable(let error):
            return error.description
        }
    }
}

/// Result files on disk and their text.
public enum ResultFile {
    /// Files beyond this size are refused unread.
    public static let byteCountMax = 256 << 20

    /// The text of a result as it goes into a file: indented, sorted, ended by a line feed.
    public static func text(of result: RunResult) throws(ResultFileError) -> String {
        do {
            let data = try JSONEncoder().encode(result)
            return try JSONDecoder().decode(JSONValue.self, from: data).prettyText()
        } catch EncodingError.invalidValue(_, let context) {
            throw .notFinite(where: place(context.codingPath))
        } catch {
            throw .malformed(path: "(result)", where: "", reason: "\(error)")
        }
    }

    /// The result a text stands for. `path` is for messages only.
    public static func result(
        fromText text: some Sequence<UInt8>, path: String = "(text)"
    ) throws(ResultFileError) -> RunResult {
        let data = Data(text)
        do {
            let mark = try JSONDecoder().decode(SchemaMark.self, from: data)
            guard RunResult.isReadable(mark.schema) else {
                throw ResultFileError.unsupportedSchema(path: path, schema: mark.schema)
            }
            return try JSONDecoder().decode(RunResult.self, from: data)
        } catch let error as ResultFileError {
            throw error
        } catch let error as DecodingError {
            throw malformed(path, error)
        } catch {
            throw .malformed(path: path, where: "", reason: "\(error)")
        }
    }

    /// Writes a result file, replacing one that is there; see ``AtomicFile/write(_:to:)``.
    public static func write(_ result: RunResult, to path: String) throws(ResultFileError) {
        let bytes = Array(try text(of: result).utf8)
        do {
            try AtomicFile.write(bytes, to: path)
        } catch {
            throw .unwritable(error)
        }
    }

    /// Reads a result file.
    public static func read(_ path: String) throws(ResultFileError) -> RunResult {
        try result(fromText: try bytes(of: path), path: path)
    }

    /// Reads a result file, and says the SHA-256 of its bytes.
    public static func readWithDigest(
        _ path: String
    ) throws(ResultFileError) -> (result: RunResult, sha256: String) {
        let bytes = try bytes(of: path)
        return (try result(fromText: bytes, path: path), SHA256Digest.hex(of: bytes))
    }

    private static func bytes(of path: String) throws(ResultFileError) -> [UInt8] {
        do {
            return try FileBytes.read(path, atMost: byteCountMax)
        } catch {
            switch error {
            case .failed(let reason): throw .unreadable(path: path, reason: reason)
            case .tooLarge(let byteCount): throw .tooLarge(path: path, byteCount: byteCount)
            }
        }
    }

    /// The one field that is read before all others.
    private struct SchemaMark: Decodable {
        var schema: String?
    }

    private static func malformed(_ path: String, _ error: DecodingError) -> ResultFileError {
        switch error {
        case .keyNotFound(let key, let context):
            return .malformed(
                path: path, where: place(context.codingPath),
                reason: "the field '\(key.stringValue)' is missing")
        case .typeMismatch(_, let context), .valueNotFound(_, let context),
            .dataCorrupted(let context):
            return .malformed(
                path: path, where: place(context.codingPath), reason: context.debugDescription)
        @unknown default:
            return .malformed(path: path, where: "", reason: "\(error)")
        }
    }

    /// A path into the file such as `runs[3].metrics.spanEndNsP99.value`.
    private static func place(_ path: [any CodingKey]) -> String {
        path.reduce(into: "") { text, key in
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += (text.isEmpty ? "" : ".") + key.stringValue
            }
        }
    }
}
