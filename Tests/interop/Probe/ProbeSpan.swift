// What a span is expected to be when another decoder reads it, in plain values: the side of the
// comparison that no encoder has touched.

import TraceCore

/// A span as the other side must find it. The names are this probe's own.
struct ProbeSpan: Encodable {
    struct Attribute: Encodable {
        var key: String
        var value: ProbeValue
    }

    struct Event: Encodable {
        var time: String
        var name: String
        var attributes: [Attribute]
        var dropped: Int
    }

    struct Link: Encodable {
        var trace: String
        var span: String
        var state: String
        var flags: UInt32
        var attributes: [Attribute]
        var dropped: Int
    }

    struct Scope: Encodable {
        var name: String
        var version: String
        var schemaURL: String
    }

    var trace = ""
    var span = ""
    /// Empty for a root.
    var parent = ""
    var state = ""
    var flags: UInt32 = 0
    var name = ""
    var kind: UInt8 = 0
    var start = ""
    var end = ""
    var attributes: [Attribute] = []
    var droppedAttributes = 0
    var events: [Event] = []
    var droppedEvents = 0
    var links: [Link] = []
    var droppedLinks = 0
    var status: UInt8 = 0
    var message = ""
    var resource: [Attribute] = []
    var scope = Scope(name: "", version: "", schemaURL: "")
}

/// A value with its type: doubles by their bits, integers as text, bytes in hexadecimal.
enum ProbeValue: Encodable {
    case string(String)
    case int(Int)
    case double(Double)
    case bool(Bool)
    case bytes([UInt8])
    case array([ProbeValue])

    private enum Key: String, CodingKey { case string, int, double, bool, bytes, array }

    init(_ value: AttributeValue) {
        switch value {
        case .string(let value): self = .string(value)
        case .int(let value): self = .int(value)
        case .double(let value): self = .double(value)
        case .bool(let value): self = .bool(value)
        case .bytes(let value): self = .bytes(value)
        case .strings(let values): self = .array(values.map { .string($0) })
        case .ints(let values): self = .array(values.map { .int($0) })
        case .doubles(let values): self = .array(values.map { .double($0) })
        case .bools(let values): self = .array(values.map { .bool($0) })
        }
    }

    /// Strings cut to `limit` Unicode scalars, byte arrays to `limit` bytes.
    func cut(to limit: Int?) -> ProbeValue {
        guard let limit else { return self }
        switch self {
        case .string(let value):
            return .string(String(String.UnicodeScalarView(value.unicodeScalars.prefix(limit))))
        case .bytes(let value): return .bytes(Array(value.prefix(limit)))
        case .array(let values): return .array(values.map { $0.cut(to: limit) })
        case .int, .double, .bool: return self
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .string(let value): try container.encode(value, forKey: .string)
        case .int(let value): try container.encode(String(value), forKey: .int)
        case .double(let value):
            // A NaN has many bit patterns, and JSON has one word for all of them.
            try container.encode(
                value.isNaN ? "nan" : String(value.bitPattern, radix: 16), forKey: .double)
        case .bool(let value): try container.encode(value, forKey: .bool)
        case .bytes(let value):
            let digits = value.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
            try container.encode(digits.joined(), forKey: .bytes)
        case .array(let values): try container.encode(values, forKey: .array)
        }
    }
}

/// Attributes as a span keeps them: a key that comes again overwrites in place, what is beyond the limit
/// is dropped and counted.
struct KeptAttributes {
    private(set) var list: [ProbeSpan.Attribute] = []
    private(set) var dropped = 0
    var countMax: Int
    var lengthMax: Int?

    mutating func set(_ key: String, _ value: AttributeValue) {
        let kept = ProbeValue(value).cut(to: lengthMax)
        if let index = list.firstIndex(where: { $0.key == key }) {
            list[index].value = kept
        } else if list.count < countMax {
            list.append(ProbeSpan.Attribute(key: key, value: kept))
        } else {
            dropped += 1
        }
    }
}
