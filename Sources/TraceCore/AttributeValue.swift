// Attribute values of every type that OpenTelemetry knows, and their form as OTLP AnyValue messages.
// Source: OpenTelemetry specification, "Attribute"; common.proto, AnyValue.

/// A value of any attribute type. For values whose type is known where they are set, the typed setters of
/// `ActiveSpan` and `SpanAttributes` are the faster way; arrays and bytes only come this way, and allocate.
public enum AttributeValue: Sendable, Hashable {
    case string(String)
    case int(Int)
    case double(Double)
    case bool(Bool)
    case strings([String])
    case ints([Int])
    case doubles([Double])
    case bools([Bool])
    case bytes([UInt8])
}

extension AttributeValue: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .int(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
}

extension AttributeValue: CustomStringConvertible {
    /// The value alone, as text: for showing and for grouping.
    public var description: String {
        switch self {
        case .string(let value): value
        case .int(let value): "\(value)"
        case .double(let value): "\(value)"
        case .bool(let value): "\(value)"
        case .strings(let values): "\(values)"
        case .ints(let values): "\(values)"
        case .doubles(let values): "\(values)"
        case .bools(let values): "\(values)"
        case .bytes(let value): "\(value.count) bytes"
        }
    }
}

extension AttributeValue {
    /// What a length limit is compared with: the longest string in UTF-8 bytes, which is never less than
    /// its Unicode scalars; the bytes of a byte array; 0 for what has no length.
    var lengthMax: Int {
        switch self {
        case .string(let value): value.utf8.count
        case .strings(let values): values.lazy.map(\.utf8.count).max() ?? 0
        case .bytes(let value): value.count
        case .int, .double, .bool, .ints, .doubles, .bools: 0
        }
    }

    /// Strings cut to `limit` Unicode scalars, element by element in arrays; byte arrays to `limit` bytes.
    func truncated(to limit: Int) -> AttributeValue {
        guard lengthMax > limit else { return self }
        switch self {
        case .string(let value): return .string(Self.prefix(value, limit))
        case .strings(let values): return .strings(values.map { Self.prefix($0, limit) })
        case .bytes(let value): return .bytes(Array(value.prefix(limit)))
        case .int, .double, .bool, .ints, .doubles, .bools: return self
        }
    }

    private static func prefix(_ text: String, _ scalars: Int) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(scalars)))
    }

    /// The AnyValue message: string 1, bool 2, int 3, double 4, array 5 {values 1}, bytes 7.
    var encoded: [UInt8] {
        switch self {
        case .string(let value): return MessageBytes.field(0x0a, Array(value.utf8))
        case .bool(let value): return [0x10, value ? 1 : 0]
        case .int(let value): return [0x18] + MessageBytes.varint(UInt64(bitPattern: Int64(value)))
        case .double(let value):
            return [0x21] + (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
        case .bytes(let value): return MessageBytes.field(0x3a, value)
        case .strings(let values): return Self.array(values.map { .string($0) })
        case .ints(let values): return Self.array(values.map { .int($0) })
        case .doubles(let values): return Self.array(values.map { .double($0) })
        case .bools(let values): return Self.array(values.map { .bool($0) })
        }
    }

    private static func array(_ elements: [AttributeValue]) -> [UInt8] {
        MessageBytes.field(0x2a, elements.flatMap { MessageBytes.field(0x0a, $0.encoded) })
    }

    /// Reads an AnyValue message that this module wrote. An empty array is one of strings: the wire does
    /// not say.
    init(encoded bytes: ArraySlice<UInt8>) {
        var rest = bytes
        guard let tag = rest.popFirst() else {
            self = .string("")
            return
        }
        switch tag {
        case 0x10: self = .bool(MessageBytes.readVarint(&rest) != 0)
        case 0x18: self = .int(Int(Int64(bitPattern: MessageBytes.readVarint(&rest))))
        case 0x21:
            var bits: UInt64 = 0
            for (index, byte) in rest.prefix(8).enumerated() { bits |= UInt64(byte) << (8 * index) }
            self = .double(Double(bitPattern: bits))
        case 0x2a:
            _ = MessageBytes.readVarint(&rest)
            self = Self.array(of: rest)
        case 0x3a:
            let count = Int(MessageBytes.readVarint(&rest))
            self = .bytes(Array(rest.prefix(count)))
        default:
            let count = Int(MessageBytes.readVarint(&rest))
            self = .string(String(decoding: rest.prefix(count), as: UTF8.self))
        }
    }

    private static func array(of bytes: ArraySlice<UInt8>) -> AttributeValue {
        var rest = bytes
        var elements: [AttributeValue] = []
        while rest.popFirst() != nil {
            let count = Int(MessageBytes.readVarint(&rest))
            elements.append(AttributeValue(encoded: rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        switch elements.first {
        case .int:
            return .ints(
                elements.compactMap { if case .int(let value) = $0 { value } else { nil } })
        case .double:
            return .doubles(
                elements.compactMap { if case .double(let value) = $0 { value } else { nil } })
        case .bool:
            return .bools(
                elements.compactMap { if case .bool(let value) = $0 { value } else { nil } })
        default:
            return .strings(
                elements.compactMap { if case .string(let value) = $0 { value } else { nil } })
        }
    }
}

/// Length-delimited fields in arrays: for what is encoded once.
enum MessageBytes {
    static func field(_ tag: UInt8, _ payload: [UInt8]) -> [UInt8] {
        [tag] + varint(UInt64(payload.count)) + payload
    }

    static func varint(_ value: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
        return bytes
    }

    /// Takes a varint off the front. Only for bytes that this module wrote.
    static func readVarint(_ bytes: inout ArraySlice<UInt8>) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while let byte = bytes.popFirst() {
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { break }
            shift &+= 7
        }
        return value
    }
}
