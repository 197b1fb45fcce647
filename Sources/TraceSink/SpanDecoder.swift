// Verify mode's decoder: every field of an encoded span, checked, as views into its bytes. Written
// from the protobuf definitions, apart from the encoder, so that each checks the other.
// Source: opentelemetry-proto, trace/v1/trace.proto and common/v1/common.proto.

/// A value of an attribute. Its bytes point into the message it was decoded from, and are good only
/// as long as that.
@safe
struct DecodedValue {
    /// Field number in `AnyValue`: 1 string, 2 bool, 3 int, 4 double, 5 array, 6 key-value list,
    /// 7 bytes; 0 for none.
    var type: UInt8 = 0
    /// The bit pattern of a bool, int or double.
    var number: UInt64 = 0
    /// The contents of a string, the bytes of the others.
    var bytes = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
}

/// An attribute; as good as its message.
@safe
struct DecodedAttribute {
    var key = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    var value = DecodedValue()
}

/// An event; as good as its message.
@safe
struct DecodedEvent {
    var timeUnixNano: UInt64 = 0
    var name = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    /// Where its attributes are in `DecodedSpan.attributes`.
    var attributes = 0..<0
    var droppedAttributes: UInt32 = 0
}

/// A link; as good as its message.
@safe
struct DecodedLink {
    var traceHigh: UInt64 = 0
    var traceLow: UInt64 = 0
    var spanID: UInt64 = 0
    var traceState = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    var flags: UInt32 = 0
    /// Where its attributes are in `DecodedSpan.attributes`.
    var attributes = 0..<0
    var droppedAttributes: UInt32 = 0
}

/// A span; as good as its message. Decoding into one that was used before does not allocate, as
/// long as it has no more attributes, events and links than any before.
@safe
struct DecodedSpan {
    var traceHigh: UInt64 = 0
    var traceLow: UInt64 = 0
    var spanID: UInt64 = 0
    var parentSpanID: UInt64 = 0
    var flags: UInt32 = 0
    var kind: UInt64 = 0
    var startUnixNano: UInt64 = 0
    var endUnixNano: UInt64 = 0
    var statusCode: UInt64 = 0
    var statusMessage = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    var name = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    var traceState = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    var droppedAttributes: UInt32 = 0
    var droppedEvents: UInt32 = 0
    var droppedLinks: UInt32 = 0
    /// The span's attributes, then those of its events and links.
    var attributes: [DecodedAttribute] = []
    /// How many of `attributes` are the span's own.
    var ownAttributes = 0
    var events: [DecodedEvent] = []
    var links: [DecodedLink] = []

    // Everything anew but the arrays' memory; swapped, since a copy would not be unique.
    private mutating func reset() {
        var fresh = DecodedSpan()
        swap(&fresh.attributes, &attributes)
        swap(&fresh.events, &events)
        swap(&fresh.links, &links)
        fresh.attributes.removeAll(keepingCapacity: true)
        fresh.events.removeAll(keepingCapacity: true)
        fresh.links.removeAll(keepingCapacity: true)
        self = fresh
    }

    /// Decodes a `Span` message.
    /// - Throws: `WireError` for whatever is not one.
    mutating func decode(_ message: UnsafeRawBufferPointer) throws(WireError) {
        reset()
        // The span's own attributes come first, wherever they stand in the message.
        unsafe try decodeFields(message)
        ownAttributes = attributes.count
        if hasNested { unsafe try decodeNested(message) }
    }

    private var hasNested = false

    private mutating func decodeFields(_ message: UnsafeRawBufferPointer) throws(WireError) {
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case .bytes(1): (traceHigh, traceLow) = unsafe try Identifier.trace(reader.bytes())
            case .bytes(2): spanID = unsafe try Identifier.span(reader.bytes())
            case .bytes(3): unsafe traceState = try reader.text()
            case .bytes(4): parentSpanID = unsafe try Identifier.span(reader.bytes())
            case .bytes(5): unsafe name = try reader.text()
            case .varint(6): kind = try reader.varint()
            case .fixed64(7): startUnixNano = try reader.fixed64()
            case .fixed64(8): endUnixNano = try reader.fixed64()
            case .bytes(9): attributes.append(unsafe try DecodedAttribute(reader.bytes(), depth: 5))
            case .varint(10): droppedAttributes = try reader.uint32()
            case .bytes(11), .bytes(13):
                hasNested = true
                _ = unsafe try reader.bytes()
            case .varint(12): droppedEvents = try reader.uint32()
            case .varint(14): droppedLinks = try reader.uint32()
            case .bytes(15): unsafe try decodeStatus(reader.bytes())
            case .fixed32(16): flags = try reader.fixed32()
            default: try reader.skip(tag, depth: 4)
            }
        }
    }

    private mutating func decodeNested(_ message: UnsafeRawBufferPointer) throws(WireError) {
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case .bytes(11): unsafe try decodeEvent(reader.bytes())
            case .bytes(13): unsafe try decodeLink(reader.bytes())
            default: try reader.skip(tag, depth: 4)
            }
        }
    }

    private mutating func decodeStatus(_ message: UnsafeRawBufferPointer) throws(WireError) {
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case .bytes(2): unsafe statusMessage = try reader.text()
            case .varint(3): statusCode = try reader.varint()
            default: try reader.skip(tag, depth: 5)
            }
        }
    }

    private mutating func decodeEvent(_ message: UnsafeRawBufferPointer) throws(WireError) {
        var event = DecodedEvent()
        let first = attributes.count
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case .fixed64(1): event.timeUnixNano = try reader.fixed64()
            case .bytes(2): unsafe event.name = try reader.text()
            case .bytes(3): attributes.append(unsafe try DecodedAttribute(reader.bytes(), depth: 6))
            case .varint(4): event.droppedAttributes = try reader.uint32()
            default: try reader.skip(tag, depth: 5)
            }
        }
        event.attributes = first..<attributes.count
        events.append(event)
    }

    private mutating func decodeLink(_ message: UnsafeRawBufferPointer) throws(WireError) {
        var link = DecodedLink()
        let first = attributes.count
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case .bytes(1):
                (link.traceHigh, link.traceLow) = unsafe try Identifier.trace(reader.bytes())
            case .bytes(2): link.spanID = unsafe try Identifier.span(reader.bytes())
            case .bytes(3): unsafe link.traceState = try reader.text()
            case .bytes(4): attributes.append(unsafe try DecodedAttribute(reader.bytes(), depth: 6))
            case .varint(5): link.droppedAttributes = try reader.uint32()
            case .fixed32(6): link.flags = try reader.fixed32()
            default: try reader.skip(tag, depth: 5)
            }
        }
        link.attributes = first..<attributes.count
        links.append(link)
    }
}

extension DecodedAttribute {
    /// Decodes a `KeyValue` message that is `depth` messages deep.
    init(_ message: UnsafeRawBufferPointer, depth: Int) throws(WireError) {
        guard depth <= WireReader.depthMax else { throw .tooDeep }
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case .bytes(1): unsafe key = try reader.text()
            case .bytes(2): value = unsafe try DecodedValue(reader.bytes(), depth: depth + 1)
            default: try reader.skip(tag, depth: depth)
            }
        }
    }
}

extension DecodedValue {
    /// Decodes an `AnyValue` message that is `depth` messages deep; what is inside an array or a
    /// list is checked, not kept.
    init(_ message: UnsafeRawBufferPointer, depth: Int) throws(WireError) {
        guard depth <= WireReader.depthMax else { throw .tooDeep }
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            var value = DecodedValue()
            value.type = UInt8(truncatingIfNeeded: tag.field)
            // Of several values the last one counts, as in any oneof.
            switch tag {
            case .bytes(1): unsafe value.bytes = try reader.text()
            case .varint(2): value.number = try reader.varint() == 0 ? 0 : 1
            case .varint(3): value.number = try reader.varint()
            case .fixed64(4): value.number = try reader.fixed64()
            case .bytes(5):
                unsafe value.bytes = try reader.bytes()
                unsafe try Self.checkArray(value.bytes, depth: depth + 1)
            case .bytes(6):
                unsafe value.bytes = try reader.bytes()
                unsafe try Self.checkList(value.bytes, depth: depth + 1)
            case .bytes(7): unsafe value.bytes = try reader.bytes()
            default:
                try reader.skip(tag, depth: depth)
                continue
            }
            self = value
        }
    }

    private static func checkArray(
        _ message: UnsafeRawBufferPointer, depth: Int
    ) throws(WireError) {
        guard depth <= WireReader.depthMax else { throw .tooDeep }
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == .bytes(1) {
                _ = unsafe try DecodedValue(reader.bytes(), depth: depth + 1)
            } else {
                try reader.skip(tag, depth: depth)
            }
        }
    }

    private static func checkList(
        _ message: UnsafeRawBufferPointer, depth: Int
    ) throws(WireError) {
        guard depth <= WireReader.depthMax else { throw .tooDeep }
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == .bytes(1) {
                _ = unsafe try DecodedAttribute(reader.bytes(), depth: depth + 1)
            } else {
                try reader.skip(tag, depth: depth)
            }
        }
    }
}

extension WireReader {
    /// Reads a length and that many bytes of UTF-8.
    mutating func text() throws(WireError) -> UnsafeRawBufferPointer {
        let bytes = unsafe try bytes()
        guard unsafe isUTF8(bytes) else { throw .invalidUTF8 }
        return unsafe bytes
    }

    /// Reads a varint into 32 bits; protobuf drops the upper ones.
    mutating func uint32() throws(WireError) -> UInt32 {
        UInt32(truncatingIfNeeded: try varint())
    }
}

/// Whether the bytes are UTF-8. Eight at a time as long as they are ASCII.
func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var offset = 0
    while bytes.count - offset >= 8 {
        let word = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        if word & 0x8080_8080_8080_8080 != 0 { break }
        offset += 8
    }
    // A word of ASCII ends where a character ends, so that the rest can be judged alone.
    let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[offset...])
    return unsafe rest.allSatisfy { $0 < 0x80 }
        || (try? UTF8Span(validating: Span<UInt8>(_unsafeBytes: rest))) != nil
}
