import FoundationEssentials
import Glibc
import Yams

/// From a file to a YAML node tree that is safe to walk: bounded in bytes and nodes, without
/// aliases. Aliases are refused from the text, before anything is composed: a few hundred bytes of
/// nested aliases stand for billions of nodes, and merely hashing such a node as a mapping key,
/// which the composer does to find duplicates, would visit them all.
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
            throw failure(.notYAML, "the file is not valid UTF-8; save it as UTF-8")
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
        if let position = firstAnchorOrAlias(in: text) {
            throw failure(
                .anchor, position,
                "YAML anchors (`&name`) and aliases (`*name`) are not accepted; write the value out, "
                    + "quote a text that begins with `&` or `*`, or use `defaults`")
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw Self.notYAML(error, file: file)
        }
        guard let root else {
            throw failure(.notYAML, start, "the file is empty; begin with `version: 1`")
        }
        var nodeCount = 0
        if let position = positionOverLimit(root, counting: &nodeCount) {
            throw failure(
                .tooLarge, position,
                "the file has more than \(nodesMax) values; generate fewer operations")
        }
        return root
    }

    private static func tooLargeMessage(byteCount: Int) -> String {
        "the file has \(byteCount) bytes, more than the \(bytesMax) (1 MiB) a scenario may have"
    }

    private static func positionOverLimit(_ node: Node, counting count: inout Int)
        -> SourcePosition?
    {
        count += 1
        if count > nodesMax { return node.position }
        switch node {
        case .mapping(let mapping):
            for (key, value) in mapping {
                if let position = positionOverLimit(key, counting: &count)
                    ?? positionOverLimit(value, counting: &count)
                {
                    return position
                }
            }
        case .sequence(let sequence):
            for element in sequence {
                if let position = positionOverLimit(element, counting: &count) { return position }
            }
        case .scalar, .alias: break
        }
        return nil
    }

    private static func notYAML(_ error: any Error, file: String) -> ScenarioErrors {
        var position = SourcePosition(line: 1, column: 1)
        var kind = ScenarioIssue.Kind.notYAML
        var message = "not YAML: \(error)"
        switch error {
        case YamlError.scanner(_, let problem, let mark, _),
            YamlError.parser(_, let problem, let mark, _),
            YamlError.composer(_, let problem, let mark, _):
            position = SourcePosition(line: mark.line, column: mark.column)
            message = "not YAML: \(problem)"
        case YamlError.reader(let problem, _, _, _):
            message = "not YAML: \(problem)"
        case YamlError.duplicatedKeysInMapping(let duplicates, let context):
            position = SourcePosition(line: context.mark.line, column: context.mark.column)
            kind = .duplicateKey
            let names = duplicates.map { "`\($0)`" }.joined(separator: ", ")
            message = "\(names) stands twice in the same mapping; keep one"
        default: break
        }
        return ScenarioErrors([
            ScenarioIssue(kind: kind, file: file, position: position, message: message)
        ])
    }
}

extension Node {
    /// Where the node begins; a composed node always has a mark.
    var position: SourcePosition {
        SourcePosition(line: mark?.line ?? 1, column: mark?.column ?? 1)
    }
}
