import Yams

/// The walk over a scenario's node tree: typed access to keys, with every mistake noted and none
/// thrown, so that one reading finds them all. One thread, one file.
final class ScenarioReader {
    let file: String
    private(set) var issues: [ScenarioIssue] = []
    private var reported: Set<ScenarioIssue> = []
    /// By service and operation, as they are read: what stands in the file for it.
    var writtenOperations: [[Node]] = []
    /// Nodes read again for patches so far.
    var patchedNodes = 0
    /// Words compared with others for the sake of hints.
    private var comparisons = 0
    private static let comparisonsMax = 20_000
    /// Tail policies read so far.
    var policyCount = 0
    /// Enough for any human; a file of garbage stops adding here.
    private static let issuesMax = 1000

    init(file: String) {
        self.file = file
    }

    /// The message is made only when it is wanted.
    func report(
        _ kind: ScenarioIssue.Kind, at position: SourcePosition,
        _ message: @autoclosure () -> String
    ) {
        guard issues.count < Self.issuesMax else { return }
        let issue = ScenarioIssue(
            kind: kind, file: file, position: position, message: Self.clipped(message()))
        // What a patch leaves as it was is read once more.
        if reported.insert(issue).inserted { issues.append(issue) }
    }

    /// A value may be as long as the file; what is wrong with it stands at both ends of a message.
    private static func clipped(_ message: String) -> String {
        message.utf8.count > 1200 ? "\(message.prefix(600)) … \(message.suffix(400))" : message
    }

    /// Names for a message, the first twenty of them.
    static func listed(_ names: some Collection<String>) -> String {
        names.prefix(20).joined(separator: ", ")
            + (names.count > 20 ? " and \(names.count - 20) more" : "")
    }

    /// The nearest of these words, as long as there has not been too much to compare.
    func nearest(to word: String, among candidates: some Collection<String>) -> String? {
        guard comparisons < Self.comparisonsMax else { return nil }
        comparisons += candidates.count
        return nearestWord(to: word, among: candidates)
    }

    /// The fields of a mapping, checked against the section's key table. Nil, with an issue, when
    /// the node is no mapping.
    func fields(of node: Node, _ section: ScenarioSection) -> ScenarioFields? {
        guard case .mapping(let mapping) = node else {
            let first = section.keys.first.map { " with keys such as `\($0.name)`" } ?? ""
            report(
                .wrongType, at: node.position,
                "\(section.phrase) is a mapping\(first), not \(node.phrase)")
            return nil
        }
        let keys = section.keys
        var values: [String: (key: Node, value: Node)] = [:]
        var hasUnknownKeys = false
        for (keyNode, value) in mapping {
            guard case .scalar(let key) = keyNode else {
                report(.wrongType, at: keyNode.position, "a key must be a plain word")
                continue
            }
            guard let known = keys.first(where: { $0.name == key.string }) else {
                report(
                    .unknownKey, at: keyNode.position,
                    "unknown key `\(key.string.prefix(60))` in \(section.phrase); "
                        + hint(for: key.string, among: keys))
                hasUnknownKeys = true
                continue
            }
            if known.support == .notYet {
                report(
                    .notSupported, at: keyNode.position,
                    "`\(key.string)` is not supported in this version; remove it")
                continue
            }
            values[key.string] = (keyNode, value)
        }
        for key in keys where key.support == .required && values[key.name] == nil {
            report(
                .missingKey, at: node.position,
                "\(section.phrase) needs the key `\(key.name)`: \(key.summary)")
        }
        return ScenarioFields(
            reader: self, section: section, node: node, values: values,
            hasUnknownKeys: hasUnknownKeys)
    }

    private func hint(for key: String, among keys: [ScenarioKey]) -> String {
        nearest(to: key, among: keys.map(\.name)).map { "did you mean `\($0)`?" }
            ?? "known here: "
            + keys.filter { $0.support != .notYet }.map(\.name).joined(separator: ", ")
    }

    /// The text of a scalar; nil, with an issue naming what is expected, for anything else.
    func text(_ node: Node, _ what: String, kind: ScenarioIssue.Kind = .wrongType) -> String? {
        guard case .scalar(let scalar) = node else {
            report(kind, at: node.position, "expected \(what), found \(node.phrase)")
            return nil
        }
        return scalar.string
    }

    func list(_ node: Node, _ what: String) -> [Node]? {
        guard case .sequence(let sequence) = node else {
            report(.wrongType, at: node.position, "expected \(what), a list, found \(node.phrase)")
            return nil
        }
        return Array(sequence)
    }

    /// Entries of a mapping with names of the author's choosing, in file order.
    ///
    /// - Parameter isSecret: what stands there instead is left out of messages.
    func entries(_ node: Node, _ what: String, isSecret: Bool = false) -> [(
        name: String, position: SourcePosition, value: Node
    )] {
        guard case .mapping(let mapping) = node else {
            let found = isSecret ? node.kindPhrase : node.phrase
            report(.wrongType, at: node.position, "expected \(what), a mapping, found \(found)")
            return []
        }
        return mapping.compactMap { key, value in
            guard case .scalar(let scalar) = key, !scalar.string.isEmpty else {
                report(.wrongType, at: key.position, "a name must be a word that is not empty")
                return nil
            }
            return (scalar.string, key.position, value)
        }
    }

    func integer(_ node: Node, minimum: Int) -> Int? {
        guard let text = text(node, "a whole number") else { return nil }
        guard let value = Int(text), value >= minimum else {
            report(
                .badValue, at: node.position,
                "`\(text)` is not a whole number of at least \(minimum); write for example `\(max(minimum, 1))`"
            )
            return nil
        }
        return value
    }

    func number(_ node: Node, _ what: String) -> Double? {
        guard let text = text(node, what) else { return nil }
        guard let value = ScenarioUnits.plainNumber(text[...]) else {
            report(
                .badValue, at: node.position, "`\(text)` is not \(what); write for example `1.5`")
            return nil
        }
        return value
    }

    func boolean(_ node: Node) -> Bool? {
        guard let text = text(node, "true or false") else { return nil }
        switch text {
        case "true": return true
        case "false": return false
        default:
            report(.badValue, at: node.position, "`\(text)` is neither `true` nor `false`")
            return nil
        }
    }

    /// Nanoseconds.
    func duration(_ node: Node) -> Double? { duration(node, isSigned: false) }

    /// Nanoseconds; below 0 only when signed.
    func duration(_ node: Node, isSigned: Bool) -> Double? {
        guard let text = text(node, "a duration such as `5ms`", kind: .badDuration) else {
            return nil
        }
        if isSigned, text.hasPrefix("-"),
            let ns = ScenarioUnits.durationNs(String(text.dropFirst()))
        {
            return -ns
        }
        if let ns = ScenarioUnits.durationNs(text) { return ns }
        let advice =
            ScenarioUnits.plainNumber(text[...]) != nil
            ? "it needs a unit: write `\(text)ms`, `\(text)s` …"
            : "write a number with ns, us, ms, s, m or h, at most 24h, such as `250us`"
        report(.badDuration, at: node.position, "`\(text)` is not a duration; \(advice)")
        return nil
    }

    func probability(_ node: Node) -> Double? {
        guard let text = text(node, "a probability such as `0.05`", kind: .badProbability) else {
            return nil
        }
        guard let value = ScenarioUnits.probability(text) else {
            report(
                .badProbability, at: node.position,
                "`\(text)` is not a probability; write 0 to 1, or a percentage such as `0.5%`")
            return nil
        }
        return value
    }

    /// Bytes.
    func size(_ node: Node) -> Int? {
        guard let text = text(node, "a size such as `64MiB`") else { return nil }
        if let bytes = ScenarioUnits.bytes(text) { return bytes }
        report(
            .badValue, at: node.position,
            "`\(text)` is not a size; write whole bytes, or KiB, MiB, GiB, such as `64MiB`")
        return nil
    }

    func choice(_ node: Node, _ names: [String]) -> String? {
        guard let text = text(node, "one of \(names.joined(separator: ", "))") else { return nil }
        if names.contains(text) { return text }
        let hint =
            nearest(to: text, among: names).map { "did you mean `\($0)`?" }
            ?? "write one of \(names.joined(separator: ", "))"
        report(.badValue, at: node.position, "`\(text)` is not known here; \(hint)")
        return nil
    }
}

/// The fields of one mapping that passed the key table.
struct ScenarioFields {
    let reader: ScenarioReader
    let section: ScenarioSection
    let node: Node
    fileprivate let values: [String: (key: Node, value: Node)]
    /// A key was reported: what is missing is probably that one, misspelt.
    let hasUnknownKeys: Bool

    var position: SourcePosition { node.position }
    var presentKeys: [String] { section.keys.map(\.name).filter { values[$0] != nil } }

    fileprivate init(
        reader: ScenarioReader, section: ScenarioSection, node: Node,
        values: [String: (key: Node, value: Node)], hasUnknownKeys: Bool
    ) {
        self.hasUnknownKeys = hasUnknownKeys
        self.reader = reader
        self.section = section
        self.node = node
        self.values = values
    }

    /// The node at a key. Asking for a key the table does not have is a mistake of ours.
    subscript(key: String) -> Node? {
        precondition(
            section.keys.contains { $0.name == key && $0.support != .notYet },
            "key \(key) of \(section) is read but not declared as supported")
        return values[key]?.value
    }

    func keyPosition(_ key: String) -> SourcePosition { values[key]?.key.position ?? position }

    func string(_ key: String) -> String? { self[key].flatMap { reader.text($0, "a text") } }
    func boolean(_ key: String) -> Bool? { self[key].flatMap { reader.boolean($0) } }
    func duration(_ key: String) -> Double? { self[key].flatMap { reader.duration($0) } }
    func probability(_ key: String) -> Double? { self[key].flatMap { reader.probability($0) } }
    func number(_ key: String) -> Double? { self[key].flatMap { reader.number($0, "a number") } }

    /// The minimum comes from the table.
    func integer(_ key: String) -> Int? {
        guard let node = self[key],
            case .integer(let minimum) = section.keys.first(where: { $0.name == key })?.type
        else { return nil }
        return reader.integer(node, minimum: minimum)
    }

    /// One of the names in the table, as the enumeration that spells them.
    func choice<Choice: RawRepresentable<String>>(_ key: String) -> Choice? {
        guard let node = self[key],
            case .choice(let names) = section.keys.first(where: { $0.name == key })?.type
        else { return nil }
        return reader.choice(node, names).flatMap(Choice.init(rawValue:))
    }
}

extension Node {
    /// What the node is, for messages.
    var phrase: String {
        switch self {
        case .scalar(let scalar) where !scalar.string.isEmpty: "`\(scalar.string.prefix(60))`"
        default: kindPhrase
        }
    }

    /// The same without any of its text.
    var kindPhrase: String {
        switch self {
        case .scalar(let scalar): scalar.string.isEmpty ? "nothing" : "a text"
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }
}
