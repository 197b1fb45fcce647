// A protobuf writer for tests only: small, slow, and able to write what no writer should.

/// Bytes of a message under construction.
struct ProtobufWriter {
    var bytes: [UInt8] = []

    init(_ build: (inout ProtobufWriter) -> Void = { _ in }) {
        build(&self)
    }

    mutating func rawVarint(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }

    mutating func tag(_ field: UInt64, _ wireType: UInt64) {
        rawVarint(field << 3 | wireType)
    }

    mutating func varint(_ field: UInt64, _ value: UInt64) {
        tag(field, 0)
        rawVarint(value)
    }

    mutating func fixed64(_ field: UInt64, _ value: UInt64) {
        tag(field, 1)
        for shift in stride(from: 0, to: 64, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
        }
    }

    mutating func fixed32(_ field: UInt64, _ value: UInt32) {
        tag(field, 5)
        for shift in stride(from: 0, to: 32, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift)))
        }
    }

    mutating func bytes(_ field: UInt64, _ value: [UInt8]) {
        tag(field, 2)
        rawVarint(UInt64(value.count))
        bytes += value
    }

    mutating func text(_ field: UInt64, _ value: String) {
        bytes(field, Array(value.utf8))
    }

    mutating func message(_ field: UInt64, _ build: (inout ProtobufWriter) -> Void) {
        bytes(field, ProtobufWriter(build).bytes)
    }

    mutating func group(_ field: UInt64, _ build: (inout ProtobufWriter) -> Void) {
        tag(field, 3)
        build(&self)
        tag(field, 4)
    }
}

/// Big-endian bytes of a number, as identifiers are written.
func bigEndianBytes(_ value: UInt64) -> [UInt8] {
    stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> UInt64($0)) }
}

/// A span for tests; `message` writes it as OTLP.
struct WrittenSpan {
    var traceHigh: UInt64 = 0x1111
    var traceLow: UInt64 = 0x2222
    var spanID: UInt64 = 0x3333
    var parent: UInt64 = 0
    var name = "span"
    var start: UInt64 = 1_000
    var end: UInt64 = 2_000
    var more: (@Sendable (inout ProtobufWriter) -> Void)?

    var message: [UInt8] {
        ProtobufWriter { span in
            span.bytes(1, bigEndianBytes(traceHigh) + bigEndianBytes(traceLow))
            span.bytes(2, bigEndianBytes(spanID))
            if parent != 0 { span.bytes(4, bigEndianBytes(parent)) }
            span.text(5, name)
            span.varint(6, 2)
            span.fixed64(7, start)
            span.fixed64(8, end)
            more?(&span)
        }.bytes
    }
}

/// An `ExportTraceServiceRequest` of these encoded spans, in one resource and scope.
func exportRequest(_ spans: [[UInt8]], service: String = "test") -> [UInt8] {
    ProtobufWriter { request in
        request.message(1) { resourceSpans in
            resourceSpans.message(1) { resource in
                resource.message(1) { attribute in
                    attribute.text(1, "service.name")
                    attribute.message(2) { $0.text(1, service) }
                }
            }
            resourceSpans.message(2) { scopeSpans in
                scopeSpans.message(1) { $0.text(1, "scope") }
                for span in spans { scopeSpans.bytes(2, span) }
            }
        }
    }.bytes
}

/// A generator with a seed (splitmix64), for tests that can be told which numbers they drew.
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
