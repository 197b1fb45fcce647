// Any JSON, for the fields of a result file that this version does not know, and the layout in
// which a result file is written: sorted, so that two files compare line by line; a list of plain
// numbers on one line, so that a series does not take a page.

import FoundationEssentials

/// Any JSON value. Whole numbers stay exact between −2⁶³ and 2⁶⁴ − 1.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// Only for what does not fit `integer`.
    case unsigned(UInt64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// Whether this is neither a list nor an object.
    private var isScalar: Bool {
        switch self {
        case .array, .object: false
        default: true
        }
    }
}

extension JSONValue: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(UInt64.self) {
            self = .unsigned(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .unsigned(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}

extension JSONValue {
    /// The value as indented text, ended by a line feed.
    ///
    /// Keys are sorted, `schema` first; empty containers and lists of plain values take one line.
    public func prettyText() -> String {
        var text = ""
        write(to: &text, indentation: "")
        text += "\n"
        return text
    }

    private func write(to text: inout String, indentation: String) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .unsigned(let value): text += String(value)
        case .number(let value): text += Self.text(of: value)
        case .string(let value): Self.write(value, to: &text)
        case .array(let values):
            guard values.contains(where: { !$0.isScalar }) else {
                text += "["
                for (index, value) in values.enumerated() {
                    if index > 0 { text += ", " }
                    value.write(to: &text, indentation: "")
                }
                text += "]"
                return
            }
            Self.write(values, between: "[", "]", to: &text, indentation: indentation) {
                value, text, inner in
                value.write(to: &text, indentation: inner)
            }
        case .object(let fields):
            guard !fields.isEmpty else {
                text += "{}"
                return
            }
            let ordered = fields.sorted { left, right in
                left.key == "schema" || (right.key != "schema" && left.key < right.key)
            }
            Self.write(ordered, between: "{", "}", to: &text, indentation: indentation) {
                field, text, inner in
                Self.write(field.key, to: &text)
                text += ": "
                field.value.write(to: &text, indentation: inner)
            }
        }
    }

    private static func write<Element>(
        _ elements: [Element], between opening: String, _ closing: String, to text: inout String,
        indentation: String, element: (Element, inout String, String) -> Void
    ) {
        let inner = indentation + "  "
        text += opening
        for (index, value) in elements.enumerated() {
            text += index > 0 ? ",\n" : "\n"
            text += inner
            element(value, &text, inner)
        }
        text += "\n" + indentation + closing
    }

    /// The shortest decimal that reads back as the same number; a whole number without a fraction.
    ///
    /// JSON has no word for what is not finite; `ResultFile` refuses such a number beforehand.
    private static func text(of value: Double) -> String {
        guard value.isFinite else { return "null" }
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        return value.description
    }

    private static func write(_ string: String, to text: inout String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            // Control characters as JSON asks; the two line separators for JavaScript's sake.
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
