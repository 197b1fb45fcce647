// Reading OTEL_* variables (OpenTelemetry specification, "Environment Variable Specification").
// At start only; the caller's thread.

import Logging

/// The process's environment, or a table in its place, with the specification's rules: an empty value
/// is unset, and what cannot be parsed is warned of and left at its default. Remembers what it was asked
/// for and what it made of it. One thread.
final class Environment {
    private let values: [String: String]?
    private let logger: Logger
    /// What was taken over and what was warned of so far.
    private(set) var readings = EnvironmentReadings()

    /// - Parameter values: nil reads the process's environment.
    init(_ values: [String: String]?, logger: Logger) {
        self.values = values
        self.logger = logger
    }

    /// The first of `names` that is set and not empty, with the name it was found under.
    func first(_ names: [String]) -> (name: String, value: String)? {
        for name in names {
            let value = values.map { $0[name] } ?? ProcessEnvironment.value(name)
            if let value, !value.isEmpty { return (name, value) }
        }
        return nil
    }

    /// The first of `names` as text, spaces around it left out.
    func string(_ names: String...) -> String? {
        guard let found = first(names) else { return nil }
        readings.used.insert(found.name)
        return found.value.trimmedOfSpaces
    }

    /// A whole number within `range`.
    func integer(_ names: String..., in range: ClosedRange<Int>, default fallback: Int) -> Int {
        guard let found = first(names) else { return fallback }
        guard let number = Int(found.value.trimmedOfSpaces), range.contains(number) else {
            warn(
                found.name,
                "\"\(Self.shown(found.value))\" is no whole number from \(range.lowerBound) to "
                    + "\(range.upperBound); \(fallback) is used")
            return fallback
        }
        readings.used.insert(found.name)
        return number
    }

    /// A whole number within `range`, or `infinity`: nil.
    func integerOrInfinity(
        _ names: String..., in range: ClosedRange<Int>, default fallback: Int?
    ) -> Int? {
        guard let found = first(names) else { return fallback }
        let text = found.value.trimmedOfSpaces.lowercased()
        let number = Int(text)
        guard text == "infinity" || number.map(range.contains) == true else {
            warn(
                found.name,
                "\"\(Self.shown(found.value))\" is neither infinity nor a whole number from "
                    + "\(range.lowerBound) to \(range.upperBound); "
                    + "\(fallback.map(String.init) ?? "infinity") is used")
            return fallback
        }
        readings.used.insert(found.name)
        return number
    }

    /// `true` or `false` in any case.
    func flag(_ name: String, default fallback: Bool) -> Bool {
        guard let found = first([name]) else { return fallback }
        switch found.value.trimmedOfSpaces.lowercased() {
        case "true":
            readings.used.insert(name)
            return true
        case "false":
            readings.used.insert(name)
            return false
        default:
            warn(
                name,
                "\"\(Self.shown(found.value))\" is neither true nor false; \(fallback) is used")
            return fallback
        }
    }

    /// One of an enumeration's names, in any case.
    func choice<Choice: RawRepresentable & CaseIterable>(
        _ names: String..., default fallback: Choice
    ) -> Choice where Choice.RawValue == String {
        guard let found = first(names) else { return fallback }
        guard let choice = Choice(rawValue: found.value.trimmedOfSpaces.lowercased()) else {
            warn(
                found.name,
                "\"\(Self.shown(found.value))\" is not one of "
                    + Choice.allCases.map(\.rawValue).joined(separator: ", ")
                    + "; \(fallback.rawValue) is used")
            return fallback
        }
        readings.used.insert(found.name)
        return choice
    }

    /// The words of a list between commas in lower case, the empty ones left out, each once; nil when
    /// the variable is not set. Nothing is marked as used: what the words mean is the caller's to say.
    func words(_ name: String) -> [String]? {
        guard let found = first([name]) else { return nil }
        var words: [String] = []
        for part in found.value.split(separator: ",") {
            let word = String(part).trimmedOfSpaces.lowercased()
            if !word.isEmpty, !words.contains(word) { words.append(word) }
        }
        return words
    }

    /// What is wrong with an entry of a list of pairs.
    enum BadEntry {
        /// The rest of the list is good without it.
        case leftOut
        /// The whole list is not used.
        case spoilsAll
    }

    /// `key=value` pairs between commas, split at the first `=`, keys and values percent-decoded. The
    /// values may be secrets: a warning names the place of a bad pair, not its text. Nothing is marked
    /// as used.
    func pairs(_ names: String..., badEntry: BadEntry) -> [(key: String, value: String)] {
        guard let (name, list) = first(names) else { return [] }
        var pairs: [(key: String, value: String)] = []
        let fate = badEntry == .leftOut ? "it is left out" : "the whole variable is not used"
        for (index, member) in list.split(separator: ",").enumerated() {
            let text = String(member).trimmedOfSpaces
            if text.isEmpty { continue }
            var problem: String?
            if let equals = text.firstIndex(of: "=") {
                let key = PercentEncoding.decode(String(text[..<equals]).trimmedOfSpaces)
                let value = PercentEncoding.decode(
                    String(text[text.index(after: equals)...]).trimmedOfSpaces)
                if let key, let value, !key.isEmpty {
                    pairs.append((key, value))
                } else {
                    problem = key?.isEmpty == true ? "has no name" : "is not percent-encoded text"
                }
            } else {
                problem = "has no \"=\""
            }
            guard let problem else { continue }
            warn(name, "entry \(index + 1) \(problem); \(fate)")
            if badEntry == .spoilsAll { return [] }
        }
        return pairs
    }

    /// Marks a variable as one whose value is in the configuration.
    func use(_ name: String) { readings.used.insert(name) }

    func warn(_ name: String, _ text: String) {
        readings.warnings.append(ConfigurationWarning(variable: name, text: text))
        logger.warning("\(name): \(text)")
    }

    /// At most 80 characters, control characters replaced.
    static func shown(_ text: String) -> String {
        let scalars = text.unicodeScalars.prefix(80).map {
            $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? "?" : $0
        }
        return String(String.UnicodeScalarView(scalars))
    }
}

/// RFC 3986 §2.1.
enum PercentEncoding {
    /// The text meant; nil when a `%` is not followed by two hexadecimal digits or the bytes are not
    /// UTF-8. `+` is a plus sign.
    static func decode(_ text: String) -> String? {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit),
                let low = rest.popFirst().flatMap(digit)
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Everything but the unreserved characters of RFC 3986 §2.3 as `%` and two digits.
    static func encode(_ text: String) -> String {
        text.utf8.map { byte in
            let character = Character(Unicode.Scalar(byte))
            let isPlain =
                byte < 0x80
                && (character.isLetter || character.isNumber || "-._~".contains(character))
            let digits = String(byte, radix: 16, uppercase: true)
            return isPlain ? String(character) : "%" + (byte < 16 ? "0" : "") + digits
        }.joined()
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}

extension String {
    /// Without leading and trailing spaces and tabs.
    var trimmedOfSpaces: String {
        String(decoding: Array(utf8).trimmedOfWhitespace, as: UTF8.self)
    }
}
