// Reading OTEL_* variables (OpenTelemetry specification, "Environment Variable Specification").
// At start only; the caller's thread.

import Glibc
import Logging

/// The process's environment, or a table in its place, with the specification's rules: an empty
/// value is unset, and what cannot be parsed is warned of and left at its default.
struct Environment {
    private let lookUp: (String) -> String?
    private let logger: Logger

    /// - Parameter values: nil reads the process's environment.
    init(_ values: [String: String]?, logger: Logger) {
        self.logger = logger
        if let values {
            lookUp = { values[$0] }
        } else {
            // Safe as long as nobody changes the environment meanwhile, which is so at start.
            lookUp = { name in unsafe getenv(name).map { unsafe String(cString: $0) } }
        }
    }

    /// The first of `names` that is set and not empty, with the name it was found under.
    func first(_ names: String...) -> (name: String, value: String)? {
        for name in names {
            if let value = lookUp(name), !value.isEmpty { return (name, value) }
        }
        return nil
    }

    func string(_ names: String...) -> String? {
        for name in names {
            if let found = first(name) { return found.value }
        }
        return nil
    }

    /// A whole number within `range`.
    func integer(_ names: String..., in range: ClosedRange<Int>, default fallback: Int) -> Int {
        for name in names {
            guard let found = first(name) else { continue }
            let text = found.value.trimmedOfSpaces
            if let number = Int(text), range.contains(number) { return number }
            warn(
                found.name,
                "\"\(Self.shown(found.value))\" is no whole number from \(range.lowerBound) to "
                    + "\(range.upperBound); \(fallback) is used")
            return fallback
        }
        return fallback
    }

    /// `true` in any case is true; anything else is false, with a warning unless it is `false`.
    func flag(_ name: String) -> Bool {
        guard let found = first(name) else { return false }
        switch found.value.trimmedOfSpaces.lowercased() {
        case "true": return true
        case "false": return false
        default:
            warn(name, "\"\(Self.shown(found.value))\" is neither true nor false; false is used")
            return false
        }
    }

    /// One of an enumeration's names, in any case.
    func choice<Choice: RawRepresentable & CaseIterable>(
        _ names: String..., default fallback: Choice
    ) -> Choice where Choice.RawValue == String {
        for name in names {
            guard let found = first(name) else { continue }
            if let choice = Choice(rawValue: found.value.trimmedOfSpaces.lowercased()) {
                return choice
            }
            let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            warn(
                found.name,
                "\"\(Self.shown(found.value))\" is not one of \(known); \(fallback.rawValue) is used"
            )
            return fallback
        }
        return fallback
    }

    /// `key=value` pairs between commas, split at the first `=`, values percent-decoded. The values
    /// may be secrets: a warning names the place of a bad pair, not its text.
    func pairs(_ names: String...) -> [(key: String, value: String)]? {
        for name in names {
            guard let found = first(name) else { continue }
            var pairs: [(key: String, value: String)] = []
            for (index, member) in found.value.split(separator: ",").enumerated() {
                let text = String(member).trimmedOfSpaces
                if text.isEmpty { continue }
                guard let equals = text.firstIndex(of: "=") else {
                    warn(name, "entry \(index + 1) has no \"=\" and is left out")
                    continue
                }
                let key = String(text[..<equals]).trimmedOfSpaces
                let raw = String(text[text.index(after: equals)...]).trimmedOfSpaces
                guard !key.isEmpty, let decodedKey = PercentEncoding.decode(key),
                    let value = PercentEncoding.decode(raw)
                else {
                    warn(name, "entry \(index + 1) is not percent-encoded text and is left out")
                    continue
                }
                pairs.append((decodedKey, value))
            }
            return pairs
        }
        return nil
    }

    func warn(_ name: String, _ text: String) {
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
