// A small reader of protobuf's wire format, for what comes back: the answer to an export, and our own
// bodies when the console exporter prints them. It shares nothing with the encoder.

/// Reads one message's fields in the order in which they stand.
///
/// Every length is checked against what remains before it is used; varints have at most ten bytes;
/// groups are refused.
struct ProtobufReader {
    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case bytes(ArraySlice<UInt8>)
        case fixed32(UInt32)
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    /// The next field's number and value, or nil at the end.
    mutating func next() throws(ProtobufError) -> (number: Int, value: Value)? {
        if rest.isEmpty { return nil }
        let tag = try varint()
        let number = Int(truncatingIfNeeded: tag >> 3)
        guard number > 0, tag >> 3 <= 0x1FFF_FFFF else { throw .malformed }
        switch tag & 7 {
        case 0: return (number, .varint(try varint()))
        case 1: return (number, .fixed64(try fixed(bytes: 8)))
        case 2:
            let length = try varint()
            guard length <= UInt64(rest.count) else { throw .truncated }
            let payload = rest.prefix(Int(length))
            rest = rest.dropFirst(Int(length))
            return (number, .bytes(payload))
        case 5: return (number, .fixed32(UInt32(try fixed(bytes: 4))))
        default: throw .malformed
        }
    }

    private mutating func varint() throws(ProtobufError) -> UInt64 {
        var value: UInt64 = 0
        for shift in 0..<10 {
            guard let byte = rest.popFirst() else { throw .truncated }
            // The tenth byte has room for the 64th bit alone.
            if shift == 9, byte > 1 { throw .malformed }
            value |= UInt64(byte & 0x7F) << (7 * UInt64(shift))
            if byte < 0x80 { return value }
        }
        throw .malformed
    }

    private mutating func fixed(bytes count: Int) throws(ProtobufError) -> UInt64 {
        guard rest.count >= count else { throw .truncated }
        var value: UInt64 = 0
        for (index, byte) in rest.prefix(count).enumerated() {
            value |= UInt64(byte) << UInt64(8 * index)
        }
        rest = rest.dropFirst(count)
        return value
    }
}

/// `ExportTraceServiceResponse.partial_success` (opentelemetry-proto, trace_service.proto).
struct PartialSuccess: Equatable {
    /// Spans the server took note of but did not keep. Never negative: a negative count reads as 0.
    var rejectedSpans: UInt64 = 0
    var errorMessage = ""

    /// - Returns: nil when the response has no `partial_success` (an empty body: all is well).
    static func parse(_ response: [UInt8]) throws(ProtobufError) -> PartialSuccess? {
        var found: PartialSuccess?
        var reader = ProtobufReader(response[...])
        while let field = try reader.next() {
            guard field.number == 1 else { continue }
            guard case .bytes(let payload) = field.value else { throw .malformed }
            // A message field that comes twice is merged (protobuf encoding guide).
            var merged = found ?? PartialSuccess()
            var inner = ProtobufReader(payload)
            while let part = try inner.next() {
                switch (part.number, part.value) {
                case (1, .varint(let count)):
                    merged.rejectedSpans = UInt64(max(0, Int64(bitPattern: count)))
                case (2, .bytes(let text)):
                    merged.errorMessage = String(decoding: text, as: UTF8.self)
                case (1, _), (2, _): throw .malformed
                default: break
                }
            }
            found = merged
        }
        return found
    }
}
