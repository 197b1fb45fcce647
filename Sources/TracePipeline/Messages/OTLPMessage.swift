// The messages of an export request as OTLP/JSON names them. Source: opentelemetry-proto,
// trace_service.proto, trace.proto, common.proto, resource.proto; OTLP specification, "JSON Protobuf
// Encoding".

/// How a field is written in OTLP/JSON.
enum OTLPForm {
    case string
    /// 16 bytes, as hexadecimal digits.
    case traceID
    /// 8 bytes, as hexadecimal digits.
    case spanID
    /// 8 bytes or none.
    case optionalSpanID
    case base64
    case bool
    /// An enumeration: a JSON number, not a name.
    case enumeration
    case unsigned32
    case fixed32
    /// 64 bits: a JSON string.
    case fixed64
    case signed64
    case double
    case message(OTLPMessage)
    case repeated(OTLPMessage)
}

/// A field of a message.
struct OTLPField {
    /// With the comma before it and the colon behind it: `,"name":`.
    let name: StaticString
    /// How it stands in protobuf, its number included.
    let tag: ProtobufTag
    let form: OTLPForm

    @inline(__always)
    init(_ name: StaticString, _ tag: ProtobufTag, _ form: OTLPForm) {
        self.name = name
        self.tag = tag
        self.form = form
    }
}

enum OTLPMessage: UInt32 {
    case request, resourceSpans, resource, scopeSpans, scope, span, event, link, status
    case keyValue, anyValue, arrayValue, keyValueList

    /// Of several fields only one may be there (`oneof`).
    var isChoice: Bool { self == .anyValue }

    /// The field with that number; nil for one that is not known.
    @inline(__always)
    func field(_ number: UInt32) -> OTLPField? {
        switch self {
        case .span: Self.span(number)
        case .keyValue: Self.keyValue(number)
        case .anyValue: Self.anyValue(number)
        case .event: Self.event(number)
        case .link: Self.link(number)
        default: Self.envelope(self, number)
        }
    }

    @inline(__always)
    private static func span(_ number: UInt32) -> OTLPField? {
        switch number {
        case 1: .init(",\"traceId\":", .bytes(1), .traceID)
        case 2: .init(",\"spanId\":", .bytes(2), .spanID)
        case 3: .init(",\"traceState\":", .bytes(3), .string)
        case 4: .init(",\"parentSpanId\":", .bytes(4), .optionalSpanID)
        case 5: .init(",\"name\":", .bytes(5), .string)
        case 6: .init(",\"kind\":", .varint(6), .enumeration)
        case 7: .init(",\"startTimeUnixNano\":", .fixed64(7), .fixed64)
        case 8: .init(",\"endTimeUnixNano\":", .fixed64(8), .fixed64)
        case 9: .init(",\"attributes\":", .bytes(9), .repeated(.keyValue))
        case 10: .init(",\"droppedAttributesCount\":", .varint(10), .unsigned32)
        case 11: .init(",\"events\":", .bytes(11), .repeated(.event))
        case 12: .init(",\"droppedEventsCount\":", .varint(12), .unsigned32)
        case 13: .init(",\"links\":", .bytes(13), .repeated(.link))
        case 14: .init(",\"droppedLinksCount\":", .varint(14), .unsigned32)
        case 15: .init(",\"status\":", .bytes(15), .message(.status))
        case 16: .init(",\"flags\":", .fixed32(16), .fixed32)
        default: nil
        }
    }

    @inline(__always)
    private static func event(_ number: UInt32) -> OTLPField? {
        switch number {
        case 1: .init(",\"timeUnixNano\":", .fixed64(1), .fixed64)
        case 2: .init(",\"name\":", .bytes(2), .string)
        case 3: .init(",\"attributes\":", .bytes(3), .repeated(.keyValue))
        case 4: .init(",\"droppedAttributesCount\":", .varint(4), .unsigned32)
        default: nil
        }
    }

    @inline(__always)
    private static func link(_ number: UInt32) -> OTLPField? {
        switch number {
        case 1: .init(",\"traceId\":", .bytes(1), .traceID)
        case 2: .init(",\"spanId\":", .bytes(2), .spanID)
        case 3: .init(",\"traceState\":", .bytes(3), .string)
        case 4: .init(",\"attributes\":", .bytes(4), .repeated(.keyValue))
        case 5: .init(",\"droppedAttributesCount\":", .varint(5), .unsigned32)
        case 6: .init(",\"flags\":", .fixed32(6), .fixed32)
        default: nil
        }
    }

    @inline(__always)
    private static func keyValue(_ number: UInt32) -> OTLPField? {
        switch number {
        case 1: .init(",\"key\":", .bytes(1), .string)
        case 2: .init(",\"value\":", .bytes(2), .message(.anyValue))
        default: nil
        }
    }

    @inline(__always)
    private static func anyValue(_ number: UInt32) -> OTLPField? {
        switch number {
        case 1: .init(",\"stringValue\":", .bytes(1), .string)
        case 2: .init(",\"boolValue\":", .varint(2), .bool)
        case 3: .init(",\"intValue\":", .varint(3), .signed64)
        case 4: .init(",\"doubleValue\":", .fixed64(4), .double)
        case 5: .init(",\"arrayValue\":", .bytes(5), .message(.arrayValue))
        case 6: .init(",\"kvlistValue\":", .bytes(6), .message(.keyValueList))
        case 7: .init(",\"bytesValue\":", .bytes(7), .base64)
        default: nil
        }
    }

    private static func envelope(_ message: OTLPMessage, _ number: UInt32) -> OTLPField? {
        switch (message, number) {
        case (.request, 1): .init(",\"resourceSpans\":", .bytes(1), .repeated(.resourceSpans))
        case (.resourceSpans, 1): .init(",\"resource\":", .bytes(1), .message(.resource))
        case (.resourceSpans, 2): .init(",\"scopeSpans\":", .bytes(2), .repeated(.scopeSpans))
        case (.resourceSpans, 3): .init(",\"schemaUrl\":", .bytes(3), .string)
        case (.resource, 1): .init(",\"attributes\":", .bytes(1), .repeated(.keyValue))
        case (.resource, 2): .init(",\"droppedAttributesCount\":", .varint(2), .unsigned32)
        case (.scopeSpans, 1): .init(",\"scope\":", .bytes(1), .message(.scope))
        case (.scopeSpans, 2): .init(",\"spans\":", .bytes(2), .repeated(.span))
        case (.scopeSpans, 3): .init(",\"schemaUrl\":", .bytes(3), .string)
        case (.scope, 1): .init(",\"name\":", .bytes(1), .string)
        case (.scope, 2): .init(",\"version\":", .bytes(2), .string)
        case (.scope, 3): .init(",\"attributes\":", .bytes(3), .repeated(.keyValue))
        case (.scope, 4): .init(",\"droppedAttributesCount\":", .varint(4), .unsigned32)
        case (.status, 2): .init(",\"message\":", .bytes(2), .string)
        case (.status, 3): .init(",\"code\":", .varint(3), .enumeration)
        case (.arrayValue, 1): .init(",\"values\":", .bytes(1), .repeated(.anyValue))
        case (.keyValueList, 1): .init(",\"values\":", .bytes(1), .repeated(.keyValue))
        default: nil
        }
    }
}
