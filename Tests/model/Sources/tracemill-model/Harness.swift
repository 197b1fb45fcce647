// A recorder with a tracer, and what a consumer can tell of the spans in a request body.
import Glibc
import Synchronization

@testable import TraceCore

/// Which thread made a span and which of its spans it is; both stand in its ids.
struct Mark: Hashable {
    var producer: Int
    var number: Int

    var identity: SpanIdentity {
        SpanIdentity(
            traceID: TraceID(high: UInt64(producer) + 1, low: 0xABCD),
            spanID: SpanID(rawValue: UInt64(number) + 1))
    }

    var hash: UInt64 { Draws.mix(UInt64(producer) << 40 | UInt64(number)) }
}

/// A recorder, its tracer and its queue. Recorders keep their memory: 64 at a time, one after the other.
struct Rig {
    let recorder: SpanRecorder
    let tracer: Tracer
    var queue: SpanQueue { recorder.queue }

    init(_ configure: (inout RecorderOptions) -> Void) throws {
        var options = RecorderOptions()
        options.liveSpansMax = 4096
        options.blocksMax = 1024
        options.sumsChecked = true
        options.ringStartPosition = .max - 3
        configure(&options)
        recorder = try SpanRecorder(options: options)
        tracer = TracerProvider(
            recorder: recorder, resource: Resource(serviceName: "model"), sampler: .alwaysOn
        ).tracer(name: "model")
    }
}

/// A span as it stands in a request: where its message begins and ends.
struct SpanMessageView {
    let bytes: UnsafeRawBufferPointer

    var mark: Mark {
        Mark(
            producer: Int(truncatingIfNeeded: bigEndian(2)) - 1,
            number: Int(truncatingIfNeeded: bigEndian(20)) - 1)
    }

    var spanID: UInt64 { bigEndian(20) }

    /// The end time, at its fixed place.
    var endUnixNano: UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 40, as: UInt64.self))
    }

    /// Whether it begins as every span does.
    var isWhole: Bool {
        bytes.count >= 54 && bytes[0] == 0x0a && bytes[1] == 16 && bytes[18] == 0x12
            && bytes[39] == 0x41
    }

    private func bigEndian(_ offset: Int) -> UInt64 {
        UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The payloads of the attributes (field 9), in order.
    var attributes: [UnsafeRawBufferPointer] {
        get throws {
            var found: [UnsafeRawBufferPointer] = []
            var offset = 48
            // Flags come first, as a fixed32 with a tag of two bytes.
            offset += 6
            if offset < bytes.count, bytes[offset] == 0x22 { offset += 10 }
            while offset < bytes.count {
                let tag = bytes[offset]
                offset += 1
                guard tag & 7 == 2 else { throw Failure("a field \(tag) within a span") }
                let length = try varint(bytes, &offset)
                guard length <= bytes.count - offset else { throw Failure("a field is cut off") }
                if tag == 0x4a {
                    found.append(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length]))
                }
                offset += length
            }
            return found
        }
    }

    /// Calls `body` with each span of a request.
    static func each(
        of request: UnsafeRawBufferPointer, _ body: (SpanMessageView) throws -> Void
    ) throws {
        try fields(request, 0x0a) { resource in
            try fields(resource, 0x12) { scope in
                try fields(scope, 0x12) { try body(SpanMessageView(bytes: $0)) }
            }
        }
    }

    private static func fields(
        _ bytes: UnsafeRawBufferPointer, _ wanted: UInt8,
        _ visit: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var offset = 0
        while offset < bytes.count {
            let tag = bytes[offset]
            offset += 1
            guard tag & 7 == 2 else { throw Failure("a field \(tag) of another kind in a request") }
            let length = try varint(bytes, &offset)
            guard length <= bytes.count - offset else { throw Failure("a request is cut off") }
            if tag == wanted {
                try visit(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length]))
            }
            offset += length
        }
    }
}

private func varint(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) throws -> Int {
    var value = 0
    var shift = 0
    while offset < bytes.count, shift < 63 {
        let byte = bytes[offset]
        offset += 1
        value |= Int(byte & 0x7f) << shift
        if byte < 0x80 { return value }
        shift += 7
    }
    throw Failure("a number is cut off")
}
