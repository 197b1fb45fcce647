// An export request read back into a tree that prints as OTLP/JSON. For the console exporter; by
// the field numbers of trace.proto, common.proto and resource.proto, sharing nothing with the encoder.

/// A JSON value; objects keep their order.
indirect enum OTLPTree {
    case text(String)
    /// Printed as it is: a number.
    case literal(String)
    case list([OTLPTree])
    case object([(name: String, value: OTLPTree)])

    subscript(name: String) -> OTLPTree? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    var items: [OTLPTree] {
        if case .list(let items) = self { items } else { [] }
    }

    /// The text of a string, or of a number.
    var string: String {
        switch self {
        case .text(let text): text
        case .literal(let text): text
        case .list, .object: ""
        }
    }
}

/// How a field is written in OTLP/JSON (OTLP specification, "JSON Protobuf Encoding").
enum OTLPField {
    case string
    /// Ids: lower-case hexadecimal.
    case hexadecimal
    case base64
    case bool
    /// A 32-bit number or an enumeration: a JSON number.
    case number
    /// A 64-bit number: a JSON string.
    case unsigned64
    case signed64
    case double
    case message(OTLPMessage)
    case repeated(OTLPMessage)
}

/// The messages of an export request.
enum OTLPMessage {
    case request, resourceSpans, resource, scopeSpans, scope, span, event, link, status
    case keyValue, anyValue, arrayValue, keyValueList

    /// A field's name and form; nil for fields that are not known, which are left out.
    func field(_ number: Int) -> (name: String, form: OTLPField)? {
        switch (self, number) {
        case (.request, 1): ("resourceSpans", .repeated(.resourceSpans))
        case (.resourceSpans, 1): ("resource", .message(.resource))
        case (.resourceSpans, 2): ("scopeSpans", .repeated(.scopeSpans))
        case (.resourceSpans, 3), (.scopeSpans, 3): ("schemaUrl", .string)
        case (.resource, 1): ("attributes", .repeated(.keyValue))
        case (.resource, 2): ("droppedAttributesCount", .number)
        case (.scopeSpans, 1): ("scope", .message(.scope))
        case (.scopeSpans, 2): ("spans", .repeated(.span))
        case (.scope, 1): ("name", .string)
        case (.scope, 2): ("version", .string)
        case (.scope, 3): ("attributes", .repeated(.keyValue))
        case (.scope, 4): ("droppedAttributesCount", .number)
        case (.span, 1), (.link, 1): ("traceId", .hexadecimal)
        case (.span, 2), (.link, 2): ("spanId", .hexadecimal)
        case (.span, 3), (.link, 3): ("traceState", .string)
        case (.span, 4): ("parentSpanId", .hexadecimal)
        case (.span, 5): ("name", .string)
        case (.span, 6): ("kind", .number)
        case (.span, 7): ("startTimeUnixNano", .unsigned64)
        case (.span, 8): ("endTimeUnixNano", .unsigned64)
        case (.span, 9): ("attributes", .repeated(.keyValue))
        case (.span, 10): ("droppedAttributesCount", .number)
        case (.span, 11): ("events", .repeated(.event))
        case (.span, 12): ("droppedEventsCount", .number)
        case (.span, 13): ("links", .repeated(.link))
        case (.span, 14): ("droppedLinksCount", .number)
        case (.span, 15): ("status", .message(.status))
        case (.span, 16), (.link, 6): ("flags", .number)
        case (.event, 1): ("timeUnixNano", .unsigned64)
        case (.event, 2): ("name", .string)
        case (.event, 3), (.link, 4): ("attributes", .repeated(.keyValue))
        case (.event, 4), (.link, 5): ("droppedAttributesCount", .number)
        case (.status, 2): ("message", .string)
        case (.status, 3): ("code", .number)
        case (.keyValue, 1): ("key", .string)
        case (.keyValue, 2): ("value", .message(.anyValue))
        case (.anyValue, 1): ("stringValue", .string)
        case (.anyValue, 2): ("boolValue", .bool)
        case (.anyValue, 3): ("intValue", .signed64)
        case (.anyValue, 4): ("doubleValue", .double)
        case (.anyValue, 5): ("arrayValue", .message(.arrayValue))
        case (.anyValue, 6): ("kvlistValue", .message(.keyValueList))
        case (.anyValue, 7): ("bytesValue", .base64)
        case (.arrayValue, 1): ("values", .repeated(.anyValue))
        case (.keyValueList, 1): ("values", .repeated(.keyValue))
        default: nil
        }
    }
}

extension OTLPTree {
    private static let depthMax = 64

    /// Reads an `ExportTraceServiceRequest`.
    init(request: [UInt8]) throws(ProtobufError) {
        self = try Self.read(request[...], as: .request, depth: 0)
    }

    private static func read(
        _ bytes: ArraySlice<UInt8>, as message: OTLPMessage, depth: Int
    ) throws(ProtobufError) -> OTLPTree {
        guard depth < depthMax else { throw .malformed }
        var members: [(name: String, value: OTLPTree)] = []
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            guard let (name, form) = message.field(number) else { continue }
            let node = try Self.node(value, form, depth: depth)
            guard case .repeated = form else {
                members.append((name, node))
                continue
            }
            if let index = members.firstIndex(where: { $0.name == name }) {
                guard case .list(var items) = members[index].value else { throw .malformed }
                // Taken out first, so that the list grows in place.
                members[index].value = .list([])
                items.append(node)
                members[index].value = .list(items)
            } else {
                members.append((name, .list([node])))
            }
        }
        return .object(members)
    }

    private static func node(
        _ value: ProtobufReader.Value, _ form: OTLPField, depth: Int
    ) throws(ProtobufError) -> OTLPTree {
        switch (form, value) {
        case (.string, .bytes(let bytes)): return .text(String(decoding: bytes, as: UTF8.self))
        case (.hexadecimal, .bytes(let bytes)): return .text(hexadecimal(bytes))
        case (.base64, .bytes(let bytes)): return .text(base64(bytes))
        case (.bool, .varint(let bits)): return .literal(bits == 0 ? "false" : "true")
        case (.number, .varint(let bits)): return .literal(String(UInt32(truncatingIfNeeded: bits)))
        case (.number, .fixed32(let bits)): return .literal(String(bits))
        case (.unsigned64, .fixed64(let bits)): return .text(String(bits))
        case (.signed64, .varint(let bits)): return .text(String(Int64(bitPattern: bits)))
        case (.double, .fixed64(let bits)): return number(Double(bitPattern: bits))
        case (.message(let inner), .bytes(let bytes)), (.repeated(let inner), .bytes(let bytes)):
            return try read(bytes, as: inner, depth: depth + 1)
        default: throw .malformed
        }
    }

    private static func number(_ value: Double) -> OTLPTree {
        if value.isNaN { return .text("NaN") }
        if value.isInfinite { return .text(value < 0 ? "-Infinity" : "Infinity") }
        return .literal("\(value)")
    }

    private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
            as: UTF8.self)
    }

    static func base64(_ bytes: ArraySlice<UInt8>) -> String {
        let digits = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        var rest = bytes
        while !rest.isEmpty {
            let group = rest.prefix(3)
            rest = rest.dropFirst(3)
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for index in 0..<4 {
                let isPadding = index > group.count
                text.append(
                    isPadding ? UInt8(ascii: "=") : digits[bits >> (18 - 6 * index) & 63])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Appends the value as JSON on one line.
    func writeJSON(to output: inout [UInt8]) {
        switch self {
        case .text(let text): Self.writeString(text, to: &output)
        case .literal(let text): output += text.utf8
        case .list(let items):
            output.append(UInt8(ascii: "["))
            for (index, item) in items.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                item.writeJSON(to: &output)
            }
            output.append(UInt8(ascii: "]"))
        case .object(let members):
            output.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                Self.writeString(member.name, to: &output)
                output.append(UInt8(ascii: ":"))
                member.value.writeJSON(to: &output)
            }
            output.append(UInt8(ascii: "}"))
        }
    }

    /// A JSON string; control characters and DEL escaped, so that no terminal obeys them.
    static func writeString(_ text: String, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\"".utf8
            case "\\": output += "\\\\".utf8
            case "\n": output += "\\n".utf8
            case "\r": output += "\\r".utf8
            case "\t": output += "\\t".utf8
            default:
                if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
                    let digits = String(scalar.value, radix: 16)
                    output += "\\u".utf8
                    output += String(repeating: "0", count: 4 - digits.count).utf8
                    output += digits.utf8
                } else {
                    output += String(scalar).utf8
                }
            }
        }
        output.append(UInt8(ascii: "\""))
    }
}
