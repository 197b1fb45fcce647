@testable import TraceSink

/// A span for the tests of whole traces: what it says, and nothing about how it came.
struct StudySpan {
    var trace: UInt64 = 1
    var id: UInt64
    var parent: UInt64 = 0
    var service = "a"
    var kind = SpanKind.internal
    var name = "span"
    var start: UInt64 = 1_000
    var duration: UInt64 = 100
    var isError = false
    var attributes: [(key: String, value: String)] = []

    /// The span in protobuf.
    var message: [UInt8] {
        ProtobufWriter { span in
            span.bytes(1, bigEndianBytes(0x1111) + bigEndianBytes(trace))
            span.bytes(2, bigEndianBytes(id))
            if parent != 0 { span.bytes(4, bigEndianBytes(parent)) }
            span.text(5, name)
            span.varint(6, UInt64(kind.rawValue))
            span.fixed64(7, start)
            span.fixed64(8, start + duration)
            for (key, value) in attributes {
                span.message(9) {
                    $0.text(1, key)
                    $0.message(2) { $0.text(1, value) }
                }
            }
            if isError { span.message(15) { $0.varint(3, 2) } }
        }.bytes
    }

    /// A request with each of these in a resource of its service.
    static func request(_ spans: [StudySpan]) -> [UInt8] {
        spans.flatMap { exportRequest([$0.message], service: $0.service) }
    }
}

extension TraceStudy {
    /// Takes in spans as verify mode does.
    mutating func add(_ spans: [StudySpan], atMs milliseconds: UInt64 = 0) throws {
        let request = StudySpan.request(spans)
        try unsafe request.withUnsafeBytes {
            let verified = unsafe try RequestVerifier.verify($0)
            noteServices(verified.services)
            add(
                verified.spans.map(\.observed), services: verified.services, undecodable: 0,
                nowNs: milliseconds * 1_000_000)
        }
    }
}
