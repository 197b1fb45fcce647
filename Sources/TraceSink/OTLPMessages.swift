// The few protobuf messages that the sink itself sends. Source: opentelemetry-proto,
// collector/trace/v1/trace_service.proto; google/rpc/status.proto.

/// Messages the sink answers with.
enum OTLPMessages {
    /// An `ExportTraceServiceResponse` with a partial success.
    static func partialSuccess(rejected: Int, message: String) -> [UInt8] {
        var partial: [UInt8] = []
        if rejected != 0 {
            partial.append(0x08)
            appendVarint(UInt64(bitPattern: Int64(rejected)), to: &partial)
        }
        appendBytes(Array(message.utf8), tag: 0x12, to: &partial)
        var response: [UInt8] = [0x0A]
        appendVarint(UInt64(partial.count), to: &response)
        return response + partial
    }

    /// A `google.rpc.Status`, the body of every answer that is not a success.
    static func status(code: Int32, message: String) -> [UInt8] {
        var status: [UInt8] = [0x08]
        appendVarint(UInt64(bitPattern: Int64(code)), to: &status)
        appendBytes(Array(message.utf8), tag: 0x12, to: &status)
        return status
    }

    /// An `ExportTraceServiceResponse` of one unknown field: its tag and length, to be followed by
    /// `count` bytes.
    static func unknownFieldHead(count: Int) -> [UInt8] {
        var head: [UInt8] = [0x7A]
        appendVarint(UInt64(count), to: &head)
        return head
    }

    private static func appendBytes(_ bytes: [UInt8], tag: UInt8, to message: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        message.append(tag)
        appendVarint(UInt64(bytes.count), to: &message)
        message += bytes
    }

    private static func appendVarint(_ value: UInt64, to message: inout [UInt8]) {
        var value = value
        while value >= 0x80 {
            message.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        message.append(UInt8(value))
    }
}
