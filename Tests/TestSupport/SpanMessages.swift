/// The bytes of each span in an export request as they stand there, which swift-protobuf does not
/// give: a walk along resource_spans (1), scope_spans (2) and spans (2), all length-delimited.
public enum SpanMessages {
    /// What can be wrong with the bytes.
    public enum Malformed: Error {
        case truncated(offset: Int)
        case wireType(offset: Int)
    }

    /// The payloads of all ScopeSpans.spans, in order of occurrence.
    public static func payloads(in request: [UInt8]) throws -> [[UInt8]] {
        try fields(1, in: request[...])
            .flatMap { try fields(2, in: $0) }
            .flatMap { try fields(2, in: $0) }
            .map(Array.init)
    }

    private static func fields(_ number: UInt64, in bytes: ArraySlice<UInt8>) throws -> [ArraySlice<
        UInt8
    >] {
        var found: [ArraySlice<UInt8>] = []
        var offset = bytes.startIndex
        while offset < bytes.endIndex {
            let tag = try varint(bytes, &offset)
            guard tag & 7 == 2 else { throw Malformed.wireType(offset: offset) }
            let count = try varint(bytes, &offset)
            guard count <= UInt64(bytes.endIndex - offset) else {
                throw Malformed.truncated(offset: offset)
            }
            if tag >> 3 == number { found.append(bytes[offset..<offset + Int(count)]) }
            offset += Int(count)
        }
        return found
    }

    private static func varint(_ bytes: ArraySlice<UInt8>, _ offset: inout Int) throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard offset < bytes.endIndex else { throw Malformed.truncated(offset: offset) }
            let byte = bytes[offset]
            offset += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        throw Malformed.truncated(offset: offset)
    }
}
