import FoundationEssentials
import Glibc
import Yams

/// From a file to a YAML node tree that is safe to walk: bounded in bytes and nodes, without
/// aliases. All of that is seen from the parser's events, before anything is composed.
///
/// Any thread; blocks on the file.
enum ScenarioDocument {
    static let bytesMax = 1 << 20
    static let nodesMax = 100_000

    /// The bytes of the file as text, at most `bytesMax` of them.
    static func read(path: String) throws(ScenarioErrors) -> String {
        func failure(_ kind: ScenarioIssue.Kind, _ message: String) -> ScenarioErrors {
            ScenarioErrors([
                ScenarioIssue(
                    kind: kind, file: path, position: SourcePosition(line: 1, column: 1),
                    message: message)
            ])
        }
        let data: Data
        do {
            // The size is asked for first, so that a huge file is never read; a file that grows
            // in between is caught below.
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            if let size = attributes[.size] as? UInt64
                ?? (attributes[.size] as? Int).map(UInt64.init),
                size > UInt64(bytesMax)
            {
                throw failure(.tooLarge, tooLargeMessage(byteCount: Int(clamping: size)))
            }
            data = try Data(contentsOf: URL(filePath: path))
        } catch let errors as ScenarioErrors {
            throw errors
        } catch {
            throw failure(
                .unreadable,
                "cannot read the scenario file: \(reason(of: path)); check the path and its rights")
        }
        guard data.count <= bytesMax else {
            throw failure(.tooLarge, tooLargeMessage(byteCount: data.count))
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw ScenarioErrors([
                ScenarioIssue(
                    kind: .notYAML, file: path,
                    position: SourcePosition(behind: data.prefix(validCount(data))),
                    message: "the file is not valid UTF-8 from here on; save it as UTF-8")
            ])
        }
        return text
    }

    /// Why a file cannot be read, in the system's words.
    private static func reason(of path: String) -> String {
        if unsafe access(path, R_OK) == 0 { return "it is not a regular file" }
        return unsafe String(cString: strerror(errno))
    }

    /// The root node of `text`.
    static func compose(_ text: String, file: String) throws(ScenarioErrors) -> Node {
        func failure(
            _ kind: ScenarioIssue.Kind, _ position: SourcePosition, _ message: String
        ) -> ScenarioErrors {
            ScenarioErrors([
                ScenarioIssue(kind: kind, file: file, position: position, message: message)
            ])
        }
        let start = SourcePosition(line: 1, column: 1)
        guard text.utf8.count <= bytesMax else {
            throw failure(.tooLarge, start, tooLargeMessage(byteCount: text.utf8.count))
        }
        // The mark that some editors begin a file with.
        let text = text.hasPrefix("\u{FEFF}") ? String(text.unicodeScalars.dropFirst()) : text
        var events = YAMLEvents(nodesMax: nodesMax)
        events.check(text)
        guard events.issues.isEmpty else {
            throw ScenarioErrors(
                events.issues.map {
                    ScenarioIssue(
                        kind: $0.kind, file: file, position: $0.position, message: $0.message)
                })
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            // What the parser says of it quotes the lines around, which may hold a secret.
            throw failure(.notYAML, start, "not YAML")
        }
        guard let root else {
            throw failure(.notYAML, start, "the file is empty; begin with `version: 1`")
        }
        return root
    }

    /// Bytes up to the first that is no UTF-8.
    private static func validCount(_ data: Data) -> Int {
        var decoder = UTF8.ForwardParser()
        var iterator = data.makeIterator()
        var count = 0
        while case .valid(let scalar) = decoder.parseScalar(from: &iterator) {
            count += scalar.count
        }
        return count
    }

    private static func tooLargeMessage(byteCount: Int) -> String {
        "the file has \(byteCount) bytes, more than the \(bytesMax) (1 MiB) a scenario may have"
    }
}

extension Node {
    /// Where the node begins; a composed node always has a mark.
    var position: SourcePosition {
        SourcePosition(line: mark?.line ?? 1, column: mark?.column ?? 1)
    }
}
