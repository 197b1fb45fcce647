/// A protobuf reader of a few lines, and spans as it sees them: shares nothing with the encoder, and
/// keeps what a full decoder hides (fields that come twice, their order, fields it does not know).

/// One field of a message.
struct WireField {
    enum Value: Equatable {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes([UInt8])
    }
    var number: Int
    var value: Value

    var varint: UInt64 { if case .varint(let value) = value { value } else { .max } }
    var fixed64: UInt64 { if case .fixed64(let value) = value { value } else { .max } }
    var bytes: [UInt8] { if case .bytes(let value) = value { value } else { [] } }
    var text: String { String(decoding: bytes, as: UTF8.self) }
}

struct WireError: Error {
    var what: String
    var offset: Int
}

/// The fields of a message, in order. Throws for anything that is not exactly a message.
func wireFields(_ bytes: [UInt8]) throws -> [WireField] {
    var fields: [WireField] = []
    var offset = 0
    func varint() throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            guard offset < bytes.count else { throw WireError(what: "varint", offset: offset) }
            let byte = bytes[offset]
            offset += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        throw WireError(what: "varint of more than ten bytes", offset: offset)
    }
    func fixed(_ count: Int) throws -> UInt64 {
        guard offset + count <= bytes.count else { throw WireError(what: "fixed", offset: offset) }
        defer { offset += count }
        return (0..<count).reduce(UInt64(0)) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    }
    while offset < bytes.count {
        let key = try varint()
        let value: WireField.Value
        switch key & 7 {
        case 0: value = .varint(try varint())
        case 1: value = .fixed64(try fixed(8))
        case 5: value = .fixed32(UInt32(try fixed(4)))
        case 2:
            let count = Int(clamping: try varint())
            guard count <= bytes.count - offset else {
                throw WireError(what: "length \(count)", offset: offset)
            }
            value = .bytes(Array(bytes[offset..<offset + count]))
            offset += count
        default: throw WireError(what: "wire type \(key & 7)", offset: offset)
        }
        fields.append(WireField(number: Int(key >> 3), value: value))
    }
    return fields
}

/// A span as the wire shows it.
struct ReadSpan: Equatable {
    enum Value: Hashable {
        case string(String)
        case bool(Bool)
        case int(Int64)
        case double(Double)
        case bytes([UInt8])
        indirect case array([Value])
        case empty
    }
    struct Attribute: Equatable {
        var key: String
        var value: Value
    }
    struct Event: Equatable {
        var timeUnixNano: UInt64 = 0
        var name = ""
        var attributes: [Attribute] = []
        var droppedAttributes: UInt64 = 0
    }
    struct Link: Equatable {
        var traceID = ""
        var spanID = ""
        var traceState = ""
        var attributes: [Attribute] = []
        var droppedAttributes: UInt64 = 0
        var flags: UInt32 = 0
    }
    var traceID = ""
    var spanID = ""
    var parentSpanID = ""
    var traceState = ""
    var name: String?
    var kind: UInt64 = 0
    var startUnixNano: UInt64 = 0
    var endUnixNano: UInt64 = 0
    var flags: UInt32 = 0
    var attributes: [Attribute] = []
    var droppedAttributes: UInt64 = 0
    var events: [Event] = []
    var droppedEvents: UInt64 = 0
    var links: [Link] = []
    var droppedLinks: UInt64 = 0
    var statusCode: UInt64 = 0
    var statusMessage = ""
    /// The Span message itself.
    var message: [UInt8]

    subscript(key: String) -> Value? { attributes.first { $0.key == key }?.value }

    init(message: [UInt8]) throws {
        self.message = message
        var seen: Set<Int> = []
        for field in try wireFields(message) {
            if ![9, 11, 13].contains(field.number) {
                guard seen.insert(field.number).inserted else {
                    throw WireError(what: "field \(field.number) comes twice", offset: 0)
                }
            }
            switch field.number {
            case 1: traceID = hexDigits(field.bytes)
            case 2: spanID = hexDigits(field.bytes)
            case 3: traceState = field.text
            case 4: parentSpanID = hexDigits(field.bytes)
            case 5: name = field.text
            case 6: kind = field.varint
            case 7: startUnixNano = field.fixed64
            case 8: endUnixNano = field.fixed64
            case 9: attributes.append(try Self.attribute(field.bytes))
            case 10: droppedAttributes = field.varint
            case 11: events.append(try Self.event(field.bytes))
            case 12: droppedEvents = field.varint
            case 13: links.append(try Self.link(field.bytes))
            case 14: droppedLinks = field.varint
            case 15:
                for part in try wireFields(field.bytes) {
                    if part.number == 2 { statusMessage = part.text }
                    if part.number == 3 { statusCode = part.varint }
                }
            case 16: if case .fixed32(let value) = field.value { flags = value }
            default: throw WireError(what: "unknown field \(field.number)", offset: 0)
            }
        }
    }

    private static func attribute(_ bytes: [UInt8]) throws -> Attribute {
        var attribute = Attribute(key: "", value: .empty)
        for field in try wireFields(bytes) {
            if field.number == 1 { attribute.key = field.text }
            guard field.number == 2 else { continue }
            attribute.value = try value(field.bytes)
        }
        return attribute
    }

    private static func value(_ bytes: [UInt8]) throws -> Value {
        var value = Value.empty
        for part in try wireFields(bytes) {
            switch part.number {
            case 1: value = .string(part.text)
            case 2: value = .bool(part.varint != 0)
            case 3: value = .int(Int64(bitPattern: part.varint))
            case 4: value = .double(Double(bitPattern: part.fixed64))
            case 5: value = .array(try wireFields(part.bytes).map { try self.value($0.bytes) })
            case 7: value = .bytes(part.bytes)
            default: throw WireError(what: "value \(part.number)", offset: 0)
            }
        }
        return value
    }

    private static func event(_ bytes: [UInt8]) throws -> Event {
        var event = Event()
        for field in try wireFields(bytes) {
            switch field.number {
            case 1: event.timeUnixNano = field.fixed64
            case 2: event.name = field.text
            case 3: event.attributes.append(try attribute(field.bytes))
            case 4: event.droppedAttributes = field.varint
            default: throw WireError(what: "event field \(field.number)", offset: 0)
            }
        }
        return event
    }

    private static func link(_ bytes: [UInt8]) throws -> Link {
        var link = Link()
        for field in try wireFields(bytes) {
            switch field.number {
            case 1: link.traceID = hexDigits(field.bytes)
            case 2: link.spanID = hexDigits(field.bytes)
            case 3: link.traceState = field.text
            case 4: link.attributes.append(try attribute(field.bytes))
            case 5: link.droppedAttributes = field.varint
            case 6: if case .fixed32(let value) = field.value { link.flags = value }
            default: throw WireError(what: "link field \(field.number)", offset: 0)
            }
        }
        return link
    }
}

/// Lower-case hexadecimal digits, the slow way.
func hexDigits(_ bytes: [UInt8]) -> String {
    bytes.map { byte in
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
    }.joined()
}
