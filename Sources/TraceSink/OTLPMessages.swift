// The few messages that the sink itself sends, in the encoding of the request. Source:
// opentelemetry-proto, collector/trace/v1/trace_service.proto; google/rpc/status.proto; protobuf's JSON
// mapping.

import FoundationEssentials

/// Messages the sink answers with.
enum OTLPMessages {
    /// An `ExportTraceServiceResponse` that says nothing.
    static func empty(_ encoding: BodyEncoding) -> [UInt8] {
        switch encoding {
        case .protobuf: []
        case .json: Array("{}".utf8)
        }
    }

    /// An `ExportTraceServiceResponse` with a partial success.
    static func partialSuccess(
        rejected: Int, message: String, _ encoding: BodyEncoding
    ) -> [UInt8] {
        if encoding == .json {
            return json([
                "partialSuccess": JSONPartialSuccess(
                    rejectedSpans: String(rejected), errorMessage: message)
            ])
        }
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
    static func status(code: Int32, message: String, _ encoding: BodyEncoding) -> [UInt8] {
        if encoding == .json { return json(JSONStatus(code: code, message: message)) }
        var status: [UInt8] = [0x08]
        appendVarint(UInt64(bitPattern: Int64(code)), to: &status)
        appendBytes(Array(message.utf8), tag: 0x12, to: &status)
        return status
    }

    /// An `ExportTraceServiceResponse` of one unknown field: its tag and length, to be followed by
    /// `count` bytes.
    private static func unknownFieldHead(count: Int) -> [UInt8] {
        var head: [UInt8] = [0x7A]
        appendVarint(UInt64(count), to: &head)
        return head
    }

    /// The beginning of an answer whose end never comes, or only after `count` more bytes.
    static func unknownFieldHead(count: Int, _ encoding: BodyEncoding) -> [UInt8] {
        switch encoding {
        case .protobuf: unknownFieldHead(count: count)
        case .json: Array("{\"unknown\":\"".utf8)
        }
    }

    private struct JSONPartialSuccess: Encodable {
        var rejectedSpans: String
        var errorMessage: String
    }

    private struct JSONStatus: Encodable {
        var code: Int32
        var message: String
    }

    private static func json(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(value)).map { Array($0) } ?? []
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
