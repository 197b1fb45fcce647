// From a body in OTLP/JSON to the protobuf that counting and verifying work on. Source: OTLP
// specification, "JSON Protobuf Encoding"; protobuf's JSON mapping; the definitions of opentelemetry-proto.

/// The messages of an export request, each with its fields.
enum OTLPJSONMessage {
    case request, resourceSpans, resource, scopeSpans, scope, span, event, link, status
    case keyValue, anyValue, arrayValue, keyValueList

    /// What a field's value is, and its number.
    enum Field {
        case string(UInt32)
        /// An identifier of so many bytes, in hexadecimal digits.
        case identifier(UInt32, bytes: Int)
        case base64(UInt32)
        case bool(UInt32)
        case enumeration(UInt32)
        case unsigned32(UInt32)
        case fixed32(UInt32)
        case fixed64(UInt32)
        case signed64(UInt32)
        case double(UInt32)
        case message(UInt32, OTLPJSONMessage)
        case repeated(UInt32, OTLPJSONMessage)
    }

    /// The field of that name; nil for one that is not known and is to be passed over. Names in
    /// snake_case are not known ("original field names are not valid").
    func field(_ name: JSONText) -> Field? {
        Self.fields(self).first { name.isEqual(to: $0.name) }?.field
    }

    private typealias Entry = (name: StaticString, field: Field)

    private static func fields(_ message: OTLPJSONMessage) -> [Entry] {
        switch message {
        case .request: requestFields
        case .resourceSpans: resourceSpansFields
        case .resource: resourceFields
        case .scopeSpans: scopeSpansFields
        case .scope: scopeFields
        case .span: spanFields
        case .event: eventFields
        case .link: linkFields
        case .status: statusFields
        case .keyValue: keyValueFields
        case .anyValue: anyValueFields
        case .arrayValue: arrayValueFields
        case .keyValueList: keyValueListFields
        }
    }

    private static let requestFields: [Entry] = [("resourceSpans", .repeated(1, .resourceSpans))]
    private static let resourceSpansFields: [Entry] = [
        ("resource", .message(1, .resource)), ("scopeSpans", .repeated(2, .scopeSpans)),
        ("schemaUrl", .string(3)),
    ]
    private static let resourceFields: [Entry] = [
        ("attributes", .repeated(1, .keyValue)), ("droppedAttributesCount", .unsigned32(2)),
    ]
    private static let scopeSpansFields: [Entry] = [
        ("scope", .message(1, .scope)), ("spans", .repeated(2, .span)), ("schemaUrl", .string(3)),
    ]
    private static let scopeFields: [Entry] = [
        ("name", .string(1)), ("version", .string(2)), ("attributes", .repeated(3, .keyValue)),
        ("droppedAttributesCount", .unsigned32(4)),
    ]
    private static let spanFields: [Entry] = [
        ("traceId", .identifier(1, bytes: 16)), ("spanId", .identifier(2, bytes: 8)),
        ("parentSpanId", .identifier(4, bytes: 8)), ("name", .string(5)),
        ("kind", .enumeration(6)), ("startTimeUnixNano", .fixed64(7)),
        ("endTimeUnixNano", .fixed64(8)), ("attributes", .repeated(9, .keyValue)),
        ("flags", .fixed32(16)), ("status", .message(15, .status)), ("traceState", .string(3)),
        ("events", .repeated(11, .event)), ("links", .repeated(13, .link)),
        ("droppedAttributesCount", .unsigned32(10)), ("droppedEventsCount", .unsigned32(12)),
        ("droppedLinksCount", .unsigned32(14)),
    ]
    private static let eventFields: [Entry] = [
        ("timeUnixNano", .fixed64(1)), ("name", .string(2)),
        ("attributes", .repeated(3, .keyValue)), ("droppedAttributesCount", .unsigned32(4)),
    ]
    private static let linkFields: [Entry] = [
        ("traceId", .identifier(1, bytes: 16)), ("spanId", .identifier(2, bytes: 8)),
        ("traceState", .string(3)), ("attributes", .repeated(4, .keyValue)),
        ("droppedAttributesCount", .unsigned32(5)), ("flags", .fixed32(6)),
    ]
    private static let statusFields: [Entry] = [("code", .enumeration(3)), ("message", .string(2))]
    private static let keyValueFields: [Entry] = [
        ("key", .string(1)), ("value", .message(2, .anyValue)),
    ]
    private static let anyValueFields: [Entry] = [
        ("stringValue", .string(1)), ("intValue", .signed64(3)), ("boolValue", .bool(2)),
        ("doubleValue", .double(4)), ("arrayValue", .message(5, .arrayValue)),
        ("bytesValue", .base64(7)), ("kvlistValue", .message(6, .keyValueList)),
    ]
    private static let arrayValueFields: [Entry] = [("values", .repeated(1, .anyValue))]
    private static let keyValueListFields: [Entry] = [("values", .repeated(1, .keyValue))]
}

/// Turns an `ExportTraceServiceRequest` in JSON into protobuf: members in the order in which they stand,
/// lengths as short as they can be. O(bytes); the result is never longer than the text.
@safe
struct OTLPJSONTranslator {
    private var scanner: JSONScanner
    private var output: ProtobufBuilder

    /// Appends the protobuf form of `text` to `buffer`.
    /// - Throws: for whatever is not such a request in JSON, and when the buffer cannot grow.
    static func translate(
        _ text: UnsafeRawBufferPointer, into buffer: BodyBuffer
    ) throws(JSONBodyError) {
        guard unsafe isUTF8(text) else { throw JSONBodyError(problem: .notUTF8, offset: 0) }
        var translator = unsafe OTLPJSONTranslator(
            scanner: JSONScanner(text), output: ProtobufBuilder(buffer))
        try translator.object(.request, depth: 1)
        try translator.scanner.end()
        guard !translator.output.isFull else {
            throw translator.scanner.failure(.noMemory)
        }
    }

    private mutating func object(
        _ message: OTLPJSONMessage, depth: Int
    ) throws(JSONBodyError) {
        guard depth <= WireReader.depthMax else { throw scanner.failure(.tooDeep) }
        try scanner.expect(UInt8(ascii: "{"))
        if try scanner.take(UInt8(ascii: "}")) { return }
        repeat {
            let name = try scanner.string()
            try scanner.expect(UInt8(ascii: ":"))
            guard let field = message.field(name) else {
                try scanner.skip(depth: depth + 1)
                continue
            }
            // Null stands for a field that is not there.
            guard try !scanner.takeNull() else { continue }
            try value(field, depth: depth)
        } while try scanner.take(UInt8(ascii: ","))
        try scanner.expect(UInt8(ascii: "}"))
    }

    private mutating func value(
        _ field: OTLPJSONMessage.Field, depth: Int
    ) throws(JSONBodyError) {
        switch field {
        case .message(let number, let inner):
            let mark = output.begin(number)
            try object(inner, depth: depth + 1)
            output.end(mark)
        case .repeated(let number, let inner):
            try scanner.expect(UInt8(ascii: "["))
            if try scanner.take(UInt8(ascii: "]")) { return }
            repeat {
                let mark = output.begin(number)
                try object(inner, depth: depth + 1)
                output.end(mark)
                guard !output.isFull else { throw scanner.failure(.noMemory) }
            } while try scanner.take(UInt8(ascii: ","))
            try scanner.expect(UInt8(ascii: "]"))
        case .string(let number): try string(number)
        case .identifier(let number, let count): try identifier(number, bytes: count)
        case .base64(let number): try base64(number)
        case .bool(let number):
            output.varint(UInt64(WireTag.varint(number).rawValue))
            output.byte(try scanner.bool() ? 1 : 0)
        case .enumeration(let number):
            // "Names are not valid": a string is only taken where protobuf has one for a number.
            guard try scanner.peek() != UInt8(ascii: "\"") else { throw scanner.failure(.number) }
            let value = try integer(in: Int64(Int32.min)...Int64(Int32.max))
            output.varint(UInt64(WireTag.varint(number).rawValue))
            output.varint(UInt64(bitPattern: value))
        case .unsigned32(let number):
            let value = try integer(in: 0...Int64(UInt32.max))
            output.varint(UInt64(WireTag.varint(number).rawValue))
            output.varint(UInt64(value))
        case .fixed32(let number):
            let value = try integer(in: 0...Int64(UInt32.max))
            output.varint(UInt64(WireTag.fixed32(number).rawValue))
            output.fixed32(UInt32(value))
        case .fixed64(let number):
            let value = try number64(UInt64.self)
            output.varint(UInt64(WireTag.fixed64(number).rawValue))
            output.fixed64(value)
        case .signed64(let number):
            let value = try number64(Int64.self)
            output.varint(UInt64(WireTag.varint(number).rawValue))
            output.varint(UInt64(bitPattern: value))
        case .double(let number):
            let value = try double()
            output.varint(UInt64(WireTag.fixed64(number).rawValue))
            output.fixed64(value.bitPattern)
        }
    }

    // MARK: Scalars

    private mutating func string(_ number: UInt32) throws(JSONBodyError) {
        let text = try scanner.string()
        guard text.hasEscapes else {
            output.varint(UInt64(WireTag.bytes(number).rawValue))
            unsafe output.varint(UInt64(text.bytes.count))
            unsafe output.append(text.bytes)
            return
        }
        let mark = output.begin(number)
        var pieces = JSONUnescaper(text)
        while let piece = try pieces.next() {
            switch piece {
            case .plain(let bytes): unsafe output.append(bytes)
            case .scalar(let scalar):
                for byte in String(scalar).utf8 { output.byte(byte) }
            }
        }
        output.end(mark)
    }

    /// Two digits of either case a byte, or none at all.
    private mutating func identifier(
        _ number: UInt32, bytes count: Int
    ) throws(JSONBodyError) {
        let text = try scanner.string()
        let digits = unsafe text.bytes
        guard digits.count == 2 * count || digits.count == 0 else {
            throw JSONBodyError(problem: .identifier, offset: text.offset)
        }
        output.varint(UInt64(WireTag.bytes(number).rawValue))
        output.varint(UInt64(digits.count / 2))
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = unsafe HexDigit.value(digits[index]),
                let low = unsafe HexDigit.value(digits[index + 1])
            else { throw JSONBodyError(problem: .identifier, offset: text.offset) }
            output.byte(high << 4 | low)
        }
    }

    /// Base64 of either alphabet, with padding or without.
    private mutating func base64(_ number: UInt32) throws(JSONBodyError) {
        let text = try scanner.string()
        let failure = JSONBodyError(problem: .base64, offset: text.offset)
        let digits = unsafe text.bytes
        var count = digits.count
        for _ in 0..<2 where unsafe count > 0 && digits[count - 1] == UInt8(ascii: "=") {
            count -= 1
        }
        let mark = output.begin(number)
        var bits: UInt32 = 0
        var bitCount: UInt32 = 0
        for index in 0..<count {
            let digit = unsafe digits[index]
            let value: UInt8 =
                switch digit {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit - UInt8(ascii: "A")
                case UInt8(ascii: "a")...UInt8(ascii: "z"): digit - UInt8(ascii: "a") + 26
                case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0") + 52
                case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
                case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
                default: throw failure
                }
            bits = bits << 6 | UInt32(value)
            bitCount += 6
            guard bitCount >= 8 else { continue }
            bitCount -= 8
            output.byte(UInt8(truncatingIfNeeded: bits >> bitCount))
        }
        // One digit left over is not a byte.
        guard bitCount < 6 else { throw failure }
        output.end(mark)
    }

    /// The text of a number, in quotation marks or without.
    private mutating func numberText() throws(JSONBodyError) -> String {
        if try scanner.peek() == UInt8(ascii: "\"") {
            let text = try scanner.string()
            guard !text.hasEscapes else { throw scanner.failure(.number) }
            return unsafe String(decoding: text.bytes, as: UTF8.self)
        }
        return unsafe String(decoding: try scanner.number(), as: UTF8.self)
    }

    private mutating func number64<Number: FixedWidthInteger>(
        _ type: Number.Type
    ) throws(JSONBodyError) -> Number {
        let text = try numberText()
        // Swift would read a plus sign, protobuf's JSON has none.
        guard text.utf8.first != UInt8(ascii: "+") else { throw scanner.failure(.number) }
        if let value = Number(text) { return value }
        // `1e3` and `5.0` are whole numbers too.
        guard text.utf8.contains(where: { $0 == UInt8(ascii: ".") || $0 | 0x20 == 0x65 }),
            let value = Double(text), let whole = Number(exactly: value)
        else { throw scanner.failure(.number) }
        return whole
    }

    private mutating func integer(in range: ClosedRange<Int64>) throws(JSONBodyError) -> Int64 {
        let value = try number64(Int64.self)
        guard range.contains(value) else { throw scanner.failure(.number) }
        return value
    }

    private mutating func double() throws(JSONBodyError) -> Double {
        let isQuoted = try scanner.peek() == UInt8(ascii: "\"")
        let text = try numberText()
        switch text {
        case "NaN" where isQuoted: return .nan
        case "Infinity" where isQuoted: return .infinity
        case "-Infinity" where isQuoted: return -.infinity
        default: break
        }
        // Swift would read names and hexadecimal digits, too; beyond the range it reads infinity.
        guard text.utf8.allSatisfy({ Self.belongsToNumber($0) }), let value = Double(text),
            value.isFinite
        else { throw scanner.failure(.number) }
        return value
    }

    private static func belongsToNumber(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
            UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }
}
