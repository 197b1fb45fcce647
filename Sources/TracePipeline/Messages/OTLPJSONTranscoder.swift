// From a finished request body to OTLP/JSON, field by field, without a tree in between. Source: OTLP
// specification, "JSON Protobuf Encoding"; protobuf's JSON mapping.

/// Writes the JSON form of an `ExportTraceServiceRequest`.
///
/// Strict about what it reads: lengths, wire types, ids, UTF-8, a singular field that comes twice, messages
/// nested deeper than 64. Unknown fields are left out, fields with their default value are written when they
/// stand there. O(bytes); does not allocate once the writer has grown.
enum OTLPJSONTranscoder {
    /// The JSON in a body's bytes is at most this many times as long, for bodies that this SDK makes:
    /// a control character becomes six bytes, and nothing else in a span grows as much but dropped counts
    /// (2 bytes become 27), of which a span, an event or a link has too few to matter.
    static let growthMax = 6

    /// Appends the JSON of `request`, on one line.
    ///
    /// - Throws: for whatever is no such message; what was written by then is of no use. Whether it all
    ///   fitted is told by the writer.
    static func write(
        _ request: RawSpan, to output: inout JSONWriter
    ) throws(ProtobufError) {
        try write(.request, request, depth: 1, to: &output)
    }

    private static func write(
        _ message: OTLPMessage, _ bytes: RawSpan, depth: Int, to output: inout JSONWriter
    ) throws(ProtobufError) {
        guard depth <= ProtobufCursor.depthMax else { throw .tooDeep }
        output.put("{")
        // A bit for each field that is written; no message has a number above 16.
        var written: UInt32 = 0
        var cursor = ProtobufCursor(bytes)
        while !cursor.isAtEnd {
            let tag = try cursor.tag()
            guard let field = message.field(tag.field) else {
                try cursor.skip(tag)
                continue
            }
            guard tag == field.tag else { throw .malformed }
            let bit = UInt32(1) << tag.field
            let isFirst = written == 0
            if case .repeated(let element) = field.form {
                if written & bit != 0 {
                    // It was written with the first of its kind.
                    _ = try cursor.payload()
                    continue
                }
                output.put(field.name, dropFirst: isFirst ? 1 : 0)
                try write(all: element, field.tag, &cursor, depth: depth, to: &output)
                if output.isFull { return }
            } else {
                guard written & bit == 0, isFirst || !message.isChoice else { throw .malformed }
                output.put(field.name, dropFirst: isFirst ? 1 : 0)
                try write(field.form, &cursor, depth: depth, to: &output)
            }
            written |= bit
        }
        output.put("}")
    }

    /// Writes the list of the field whose first tag has just been read. The core writes attributes,
    /// events and links in the order in which they were set: others may stand in between.
    private static func write(
        all element: OTLPMessage, _ tag: ProtobufTag, _ cursor: inout ProtobufCursor, depth: Int,
        to output: inout JSONWriter
    ) throws(ProtobufError) {
        output.put("[")
        try write(element, cursor.payload(), depth: depth + 1, to: &output)
        var ahead = cursor
        var isAdjacent = true
        while !ahead.isAtEnd {
            let next = try ahead.tag()
            guard next == tag else {
                isAdjacent = false
                try ahead.skip(next)
                continue
            }
            output.put(",")
            try write(element, ahead.payload(), depth: depth + 1, to: &output)
            if output.isFull { return }
            if isAdjacent { cursor = ahead }
        }
        output.put("]")
    }

    @inline(__always)
    private static func write(
        _ form: OTLPForm, _ cursor: inout ProtobufCursor, depth: Int, to output: inout JSONWriter
    ) throws(ProtobufError) {
        switch form {
        case .string:
            guard output.put(string: try cursor.payload()) else { throw .invalidUTF8 }
        case .traceID: try write(id: cursor.payload(), count: 16, to: &output)
        case .spanID: try write(id: cursor.payload(), count: 8, to: &output)
        case .optionalSpanID:
            let payload = try cursor.payload()
            try write(id: payload, count: payload.isEmpty ? 0 : 8, to: &output)
        case .base64: output.put(base64: try cursor.payload())
        case .bool: output.put(try cursor.varint() == 0 ? "false" : "true")
        case .enumeration:
            output.put(number: Int64(Int32(truncatingIfNeeded: try cursor.varint())))
        case .unsigned32: output.put(number: UInt64(try cursor.uint32()))
        case .fixed32: output.put(number: UInt64(try cursor.fixed32()))
        case .fixed64:
            output.put("\"")
            output.put(number: try cursor.fixed64())
            output.put("\"")
        case .signed64:
            output.put("\"")
            output.put(number: Int64(bitPattern: try cursor.varint()))
            output.put("\"")
        case .double: output.put(number: Double(bitPattern: try cursor.fixed64()))
        case .message(let inner):
            try write(inner, cursor.payload(), depth: depth + 1, to: &output)
        case .repeated: preconditionFailure("lists are written whole")
        }
    }

    private static func write(
        id: RawSpan, count: Int, to output: inout JSONWriter
    ) throws(ProtobufError) {
        guard id.byteCount == count else { throw .identifierLength }
        output.put(hexadecimal: id)
    }
}
