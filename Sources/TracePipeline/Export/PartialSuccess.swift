// What a server says of a request that it took: the body of its answer.

/// `ExportTraceServiceResponse.partial_success` (opentelemetry-proto, trace_service.proto).
struct PartialSuccess: Equatable {
    /// Spans the server took note of but did not keep. Never negative: a negative count reads as 0.
    var rejectedSpans: UInt64 = 0
    var errorMessage = ""

    /// - Returns: nil when the response has no `partial_success` (an empty body: all is well).
    static func parse(_ response: [UInt8]) throws(ProtobufError) -> PartialSuccess? {
        var found: PartialSuccess?
        var cursor = ProtobufCursor(unsafe response.span.bytes)
        while !cursor.isAtEnd {
            let tag = try cursor.tag()
            guard tag.field == 1 else {
                try cursor.skip(tag)
                continue
            }
            guard tag == .bytes(1) else { throw .malformed }
            // A message field that comes twice is merged (protobuf encoding guide).
            var merged = found ?? PartialSuccess()
            try merged.merge(message: cursor.payload())
            found = merged
        }
        return found
    }

    private mutating func merge(message: RawSpan) throws(ProtobufError) {
        var cursor = ProtobufCursor(message)
        while !cursor.isAtEnd {
            let tag = try cursor.tag()
            switch tag {
            case .varint(1):
                rejectedSpans = UInt64(max(0, Int64(bitPattern: try cursor.varint())))
            case .bytes(2):
                let payload = try cursor.payload()
                errorMessage = unsafe payload.withUnsafeBytes {
                    unsafe String(decoding: $0, as: UTF8.self)
                }
            default:
                guard tag.field > 2 else { throw .malformed }
                try cursor.skip(tag)
            }
        }
    }
}

extension PartialSuccess {
    /// As ``parse(_:)`` of an answer in JSON. An empty body is an empty answer.
    static func parse(json response: [UInt8]) throws(JSONError) -> PartialSuccess? {
        var found: PartialSuccess?
        guard !response.isEmpty else { return nil }
        var reader = JSONReader(unsafe response.span.bytes)
        var isFirst = true
        while let name = try reader.member(isFirst: &isFirst) {
            guard name == "partialSuccess" else {
                try reader.skip(depth: 2)
                continue
            }
            found = try reader.takeNull() ? nil : Self.read(&reader)
        }
        try reader.end()
        return found
    }

    private static func read(_ reader: inout JSONReader) throws(JSONError) -> PartialSuccess {
        var partial = PartialSuccess()
        var isFirst = true
        while let name = try reader.member(isFirst: &isFirst) {
            switch name {
            case "rejectedSpans":
                guard try !reader.takeNull() else { continue }
                partial.rejectedSpans = UInt64(max(0, try reader.integer()))
            case "errorMessage":
                guard try !reader.takeNull() else { continue }
                partial.errorMessage = try reader.string()
            default: try reader.skip(depth: 3)
            }
        }
        return partial
    }
}
