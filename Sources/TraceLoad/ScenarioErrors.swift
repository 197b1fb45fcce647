/// What can be wrong with a scenario file: one issue a mistake, with the place it stands at, and
/// all of them together in one error, so that a file is mended in one go.
///
/// Values only: any thread.

/// A position in a scenario file. Lines and columns count from 1; columns count Unicode scalars.
public struct SourcePosition: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var line: Int
    public var column: Int

    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    /// Right behind a text of UTF-8.
    init(behind bytes: some Sequence<UInt8>) {
        self.init(line: 1, column: 1)
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
    }

    /// `line:column`.
    public var description: String { "\(line):\(column)" }

    public static func < (left: SourcePosition, right: SourcePosition) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// One mistake in a scenario file: what is wrong, where, and what to write instead.
public struct ScenarioIssue: Error, Hashable, Sendable, CustomStringConvertible {
    /// The family a mistake belongs to, for programs; people read `message`.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case unreadable, tooLarge, notYAML, anchor, duplicateKey
        case unknownKey, missingKey, notSupported, wrongType, badValue
        case badDuration, badProbability, badRate, badDistribution, badGenerator
        case unknownOperation, cycle, emptyScript, badCombination, conflict
    }

    public var kind: Kind
    public var file: String
    public var position: SourcePosition
    public var message: String

    public init(kind: Kind, file: String, position: SourcePosition, message: String) {
        self.kind = kind
        self.file = file
        self.position = position
        self.message = message
    }

    /// `file:line:column: message`, as compilers and editors know it.
    public var description: String { "\(file):\(position): \(message)" }
}

/// Every mistake found in one scenario file, in file order; never empty.
public struct ScenarioErrors: Error, Hashable, Sendable, CustomStringConvertible {
    public let issues: [ScenarioIssue]

    init(_ issues: [ScenarioIssue]) {
        precondition(!issues.isEmpty, "an error without an issue says nothing")
        self.issues = issues.enumerated().sorted {
            ($0.element.position, $0.offset) < ($1.element.position, $1.offset)
        }.map(\.element)
    }

    /// One line an issue.
    public var description: String { issues.map(\.description).joined(separator: "\n") }
}

/// The candidate nearest to `word` by edit distance, when it is near enough to be what was meant
/// (at most a third of the longer word, at least two edits).
///
/// O(candidates × length²), for error messages only; words of more than 200 bytes and candidates of
/// quite another length are not looked at. The first candidate wins a tie.
func nearestWord(to word: String, among candidates: some Sequence<String>) -> String? {
    var best: (word: String, distance: Int)?
    let bytes = Array(word.lowercased().utf8)
    guard bytes.count <= 200 else { return nil }
    for candidate in candidates {
        let other = Array(candidate.lowercased().utf8)
        let limit = min(max(2, max(bytes.count, other.count) / 3), (best?.distance ?? .max) - 1)
        guard abs(bytes.count - other.count) <= limit else { continue }
        let distance = editDistance(bytes, other)
        if distance <= limit { best = (candidate, distance) }
    }
    return best?.word
}

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost 1.
func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    if left.isEmpty || right.isEmpty { return max(left.count, right.count) }
    var beforePrevious = [Int](repeating: 0, count: right.count + 1)
    var previous = Array(0...right.count)
    var current = previous
    for row in 1...left.count {
        current[0] = row
        for column in 1...right.count {
            let substitution = left[row - 1] == right[column - 1] ? 0 : 1
            var cost = min(
                previous[column] + 1, current[column - 1] + 1, previous[column - 1] + substitution)
            if row > 1, column > 1, left[row - 1] == right[column - 2],
                left[row - 2] == right[column - 1]
            {
                cost = min(cost, beforePrevious[column - 2] + 1)
            }
            current[column] = cost
        }
        (beforePrevious, previous, current) = (previous, current, beforePrevious)
    }
    return previous[right.count]
}
