// A checked cursor over protobuf's wire format, for bytes that are decoded or transcoded here. It shares
// nothing with the encoder. Source: protobuf encoding guide.

import TraceCore

/// Bytes that are not the protobuf message they should be.
public enum ProtobufError: Error, Equatable, Sendable {
    /// A value or a length reaches beyond the end of its message.
    case truncated
    /// A varint of more than 64 bits, a tag that is none, a field of another wire type than its own.
    case malformed
    /// A trace or span identifier of a length that is not its own.
    case identifierLength
    /// A string that is not UTF-8.
    case invalidUTF8
    /// Messages inside each other beyond what is read.
    case tooDeep
}

extension ProtobufError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .truncated: "a value reaches beyond the end of its message"
        case .malformed: "a tag, a number or a wire type is none that belongs there"
        case .identifierLength: "a trace id has not 16 bytes, or a span id not 8"
        case .invalidUTF8: "a string is not UTF-8"
        case .tooDeep: "messages are nested deeper than \(ProtobufCursor.depthMax)"
        }
    }
}

/// A field number and a wire type, as they stand before a field.
struct ProtobufTag: Equatable {
    let rawValue: UInt32

    @inline(__always)
    init(rawValue: UInt32) { self.rawValue = rawValue }

    @inline(__always)
    var field: UInt32 { rawValue >> 3 }

    @inline(__always)
    static func varint(_ field: UInt32) -> ProtobufTag { ProtobufTag(rawValue: field << 3) }
    @inline(__always)
    static func fixed64(_ field: UInt32) -> ProtobufTag { ProtobufTag(rawValue: field << 3 | 1) }
    @inline(__always)
    static func bytes(_ field: UInt32) -> ProtobufTag { ProtobufTag(rawValue: field << 3 | 2) }
    @inline(__always)
    static func fixed32(_ field: UInt32) -> ProtobufTag { ProtobufTag(rawValue: field << 3 | 5) }
}

/// Reads one message's fields in the order in which they stand.
///
/// Every length is compared with what is left before it is used; varints have at most ten bytes; groups
/// are refused, since no message of ours has ever had one. Does not allocate.
struct ProtobufCursor: ~Escapable {
    /// Messages inside each other, beyond which a reader gives up.
    static let depthMax = 64

    private let bytes: RawSpan
    private var position = 0

    @inline(__always)
    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) {
        self.bytes = bytes
    }

    @inline(__always)
    var isAtEnd: Bool { position == bytes.byteCount }

    /// The next field's tag.
    ///
    /// - Throws: for field number 0 or above 2^29 − 1.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func tag() throws(ProtobufError) -> ProtobufTag {
        let value = try varint()
        guard value <= 0xFFFF_FFFF, value >= 8 else { throw .malformed }
        return ProtobufTag(rawValue: UInt32(truncatingIfNeeded: value))
    }

    @inline(__always)
    @_lifetime(self: copy self)
    mutating func varint() throws(ProtobufError) -> UInt64 {
        guard position < bytes.byteCount else { throw .truncated }
        let first = unsafe bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self)
        if first < 0x80 {
            position &+= 1
            return UInt64(first)
        }
        return try longVarint()
    }

    @_lifetime(self: copy self)
    private mutating func longVarint() throws(ProtobufError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < bytes.byteCount {
            let byte = unsafe bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self)
            position &+= 1
            // The tenth byte has room for the 64th bit alone.
            if shift == 63, byte > 1 { throw .malformed }
            value |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { return value }
            shift &+= 7
        }
        throw .truncated
    }

    /// A varint as a 32-bit number; protobuf drops the upper bits.
    @_lifetime(self: copy self)
    mutating func uint32() throws(ProtobufError) -> UInt32 {
        UInt32(truncatingIfNeeded: try varint())
    }

    /// A length and that many bytes.
    @inline(__always)
    @_lifetime(self: copy self)
    @_lifetime(copy self)
    mutating func payload() throws(ProtobufError) -> RawSpan {
        let length = try varint()
        guard length <= UInt64(bytes.byteCount &- position) else { throw .truncated }
        let end = position &+ Int(truncatingIfNeeded: length)
        defer { position = end }
        return bytes.extracting(position..<end)
    }

    @inline(__always)
    @_lifetime(self: copy self)
    mutating func fixed64() throws(ProtobufError) -> UInt64 {
        guard bytes.byteCount &- position >= 8 else { throw .truncated }
        defer { position &+= 8 }
        return UInt64(
            littleEndian: unsafe bytes.unsafeLoadUnaligned(
                fromByteOffset: position, as: UInt64.self))
    }

    @inline(__always)
    @_lifetime(self: copy self)
    mutating func fixed32() throws(ProtobufError) -> UInt32 {
        guard bytes.byteCount &- position >= 4 else { throw .truncated }
        defer { position &+= 4 }
        return UInt32(
            littleEndian: unsafe bytes.unsafeLoadUnaligned(
                fromByteOffset: position, as: UInt32.self))
    }

    /// Passes over the field that `tag` begins, as protobuf asks for unknown ones.
    @_lifetime(self: copy self)
    mutating func skip(_ tag: ProtobufTag) throws(ProtobufError) {
        switch tag.rawValue & 7 {
        case 0: _ = try varint()
        case 1: _ = try fixed64()
        case 2: _ = try payload()
        case 5: _ = try fixed32()
        default: throw .malformed
        }
    }

    /// A length and a string's bytes, which must be UTF-8.
    @_lifetime(self: copy self)
    mutating func string() throws(ProtobufError) -> String {
        let payload = try payload()
        let text = unsafe payload.withUnsafeBytes {
            unsafe String(validating: $0, as: UTF8.self)
        }
        guard let text else { throw .invalidUTF8 }
        return text
    }

    /// A length and the 16 bytes of a trace id.
    @_lifetime(self: copy self)
    mutating func traceID() throws(ProtobufError) -> TraceID {
        let payload = try payload()
        guard payload.byteCount == 16 else { throw .identifierLength }
        let high = unsafe payload.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self)
        let low = unsafe payload.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self)
        return TraceID(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
    }

    /// A length and the 8 bytes of a span id.
    @_lifetime(self: copy self)
    mutating func spanID() throws(ProtobufError) -> SpanID {
        let payload = try payload()
        guard payload.byteCount == 8 else { throw .identifierLength }
        return SpanID(
            rawValue: UInt64(
                bigEndian: unsafe payload.unsafeLoadUnaligned(
                    fromByteOffset: 0, as: UInt64.self)))
    }
}
