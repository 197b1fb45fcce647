// Whether the spans of a piece are really there: the request bodies are read, field by field, down to the span
// ids. Slow and simple; nothing of it is measured. Source: opentelemetry-proto, trace_service.proto, trace.proto.

/// The spans that request bodies held.
struct SeenSpans {
    private var spanIDs: Set<UInt64> = []
    /// Bytes of all bodies.
    private(set) var bytes = 0

    /// Different spans.
    var count: Int { spanIDs.count }

    /// Adds those of one ExportTraceServiceRequest.
    mutating func add(_ request: [UInt8]) throws {
        bytes += request.count
        for resourceSpans in try Self.messages(1, in: request[...]) {
            for scopeSpans in try Self.messages(2, in: resourceSpans) {
                for span in try Self.messages(2, in: scopeSpans) {
                    guard let id = try Self.messages(2, in: span).first, id.count == 8 else {
                        throw PieceFailure(description: "a span without an id was delivered")
                    }
                    spanIDs.insert(id.reduce(0) { $0 << 8 | UInt64($1) })
                }
            }
        }
    }

    /// The length-delimited fields of that number, in order.
    private static func messages(
        _ number: UInt64, in message: ArraySlice<UInt8>
    ) throws -> [ArraySlice<UInt8>] {
        var found: [ArraySlice<UInt8>] = []
        var rest = message
        while !rest.isEmpty {
            let tag = try varint(&rest)
            let count: Int
            switch tag & 7 {
            case 0:
                _ = try varint(&rest)
                continue
            case 1: count = 8
            case 2: count = Int(truncatingIfNeeded: try varint(&rest))
            case 5: count = 4
            default: throw PieceFailure(description: "a request body is not protobuf")
            }
            guard count >= 0, count <= rest.count else {
                throw PieceFailure(description: "a request body ends within a field")
            }
            if tag == number << 3 | 2 { found.append(rest.prefix(count)) }
            rest = rest.dropFirst(count)
        }
        return found
    }

    private static func varint(_ rest: inout ArraySlice<UInt8>) throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 64, by: 7) {
            guard let byte = rest.popFirst() else {
                throw PieceFailure(description: "a request body ends within a number")
            }
            value |= UInt64(byte & 0x7f) << UInt64(shift)
            if byte < 0x80 { return value }
        }
        throw PieceFailure(description: "a request body holds a number of more than ten bytes")
    }
}
