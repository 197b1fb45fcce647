// A checked cursor over protobuf bytes. It shares nothing with the encoder of the load side.
// Every length is checked against what is left before it is used, varints end after ten bytes, and
// nesting ends at `WireReader.depthMax`, also in groups that are only skipped.

/// Why bytes are not a message.
enum WireError: Error, Equatable {
    /// A value or a length reaches beyond the end of its message.
    case truncated
    /// A varint of more than ten bytes, or one that does not fit in 64 bits.
    case varintTooLong
    /// A tag with field number 0, above 2^29 - 1, or with wire type 6 or 7.
    case invalidTag
    /// An end-group tag without its start, or a group that never ends.
    case unbalancedGroup
    /// More messages and groups inside each other than `WireReader.depthMax`.
    case tooDeep
    /// A trace, span or parent identifier of a length that is neither its own nor 0.
    case identifierLength
    /// A string field that is not UTF-8.
    case invalidUTF8
}

extension WireError: CustomStringConvertible {
    var description: String {
        switch self {
        case .truncated: "a value reaches beyond the end of its message"
        case .varintTooLong: "a varint is longer than ten bytes or 64 bits"
        case .invalidTag: "a tag has an invalid field number or wire type"
        case .unbalancedGroup: "a group has no start or no end"
        case .tooDeep: "messages are nested deeper than \(WireReader.depthMax)"
        case .identifierLength: "an identifier has a wrong length"
        case .invalidUTF8: "a string is not UTF-8"
        }
    }
}

/// A cursor over one message. A value on the stack; it does not own the bytes, which must outlive
/// it: making one is the unsafe step, reading from it is checked.
@safe
struct WireReader {
    /// Messages and groups inside each other, the outermost message included.
    static let depthMax = 100

    // Safe because every access below is preceded by a comparison with `end`, and both belong to
    // the one buffer given to the initialiser.
    private var position: UnsafeRawPointer
    private let end: UnsafeRawPointer

    /// A cursor at the start of `bytes`.
    @inline(__always)
    init(_ bytes: UnsafeRawBufferPointer) {
        if let base = bytes.baseAddress {
            unsafe position = base
            unsafe end = base + bytes.count
        } else {
            unsafe position = Self.emptyBase
            unsafe end = Self.emptyBase
        }
    }

    // Never read: it only stands for the start of no bytes.
    private static var emptyBase: UnsafeRawPointer {
        unsafe UnsafeRawPointer(bitPattern: 16).unsafelyUnwrapped
    }

    /// Bytes not yet read.
    @inline(__always)
    var remaining: Int { unsafe end - position }

    /// Whether everything was read.
    @inline(__always)
    var isAtEnd: Bool { unsafe position == end }

    /// Reads a varint.
    @inline(__always)
    mutating func varint() throws(WireError) -> UInt64 {
        guard !isAtEnd else { throw .truncated }
        let first = unsafe position.load(as: UInt8.self)
        if first < 0x80 {
            unsafe position += 1
            return UInt64(first)
        }
        return try longVarint()
    }

    private mutating func longVarint() throws(WireError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while !isAtEnd {
            let byte = unsafe position.load(as: UInt8.self)
            unsafe position += 1
            // The tenth byte holds the 64th bit and no other.
            if shift == 63, byte > 1 { throw .varintTooLong }
            value |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { return value }
            shift &+= 7
        }
        throw .truncated
    }

    /// Reads the tag of the next field.
    @inline(__always)
    mutating func tag() throws(WireError) -> WireTag {
        let value = try varint()
        guard value <= 0xFFFF_FFFF else { throw .invalidTag }
        let tag = WireTag(rawValue: UInt32(truncatingIfNeeded: value))
        guard tag.field != 0 else { throw .invalidTag }
        return tag
    }

    /// Reads a length and that many bytes.
    @inline(__always)
    mutating func bytes() throws(WireError) -> UnsafeRawBufferPointer {
        let length = try varint()
        guard length <= UInt64(remaining) else { throw .truncated }
        let count = Int(truncatingIfNeeded: length)
        let result = unsafe UnsafeRawBufferPointer(start: position, count: count)
        unsafe position += count
        return unsafe result
    }

    /// Reads eight little-endian bytes.
    @inline(__always)
    mutating func fixed64() throws(WireError) -> UInt64 {
        guard remaining >= 8 else { throw .truncated }
        let value = unsafe position.loadUnaligned(as: UInt64.self)
        unsafe position += 8
        return UInt64(littleEndian: value)
    }

    /// Reads four little-endian bytes.
    @inline(__always)
    mutating func fixed32() throws(WireError) -> UInt32 {
        guard remaining >= 4 else { throw .truncated }
        let value = unsafe position.loadUnaligned(as: UInt32.self)
        unsafe position += 4
        return UInt32(littleEndian: value)
    }

    /// Skips the field that `tag` begins, as protobuf asks for unknown ones. `depth` is that of the
    /// message the field is in.
    mutating func skip(_ tag: WireTag, depth: Int) throws(WireError) {
        switch tag.wireType {
        case 0: _ = try varint()
        case 1: _ = try fixed64()
        case 2: _ = unsafe try bytes()
        case 3: try skipGroup(field: tag.field, depth: depth)
        case 4: throw .unbalancedGroup
        case 5: _ = try fixed32()
        default: throw .invalidTag
        }
    }

    private mutating func skipGroup(field: UInt32, depth: Int) throws(WireError) {
        guard depth < Self.depthMax else { throw .tooDeep }
        while !isAtEnd {
            let inner = try tag()
            if inner.wireType == 4 {
                guard inner.field == field else { throw .unbalancedGroup }
                return
            }
            try skip(inner, depth: depth + 1)
        }
        throw .unbalancedGroup
    }
}

/// A field number and a wire type, as they stand before a field.
struct WireTag: Equatable {
    let rawValue: UInt32

    @inline(__always)
    init(rawValue: UInt32) { self.rawValue = rawValue }

    /// 0 varint, 1 eight bytes, 2 length and bytes, 3 start group, 4 end group, 5 four bytes.
    @inline(__always)
    var wireType: UInt32 { rawValue & 7 }

    @inline(__always)
    var field: UInt32 { rawValue &>> 3 }

    /// The tag of a field that is a length and bytes.
    @inline(__always)
    static func bytes(_ field: UInt32) -> WireTag { WireTag(rawValue: field &<< 3 | 2) }
    /// The tag of a varint field.
    @inline(__always)
    static func varint(_ field: UInt32) -> WireTag { WireTag(rawValue: field &<< 3) }
    /// The tag of an eight-byte field.
    @inline(__always)
    static func fixed64(_ field: UInt32) -> WireTag { WireTag(rawValue: field &<< 3 | 1) }
    /// The tag of a four-byte field.
    @inline(__always)
    static func fixed32(_ field: UInt32) -> WireTag { WireTag(rawValue: field &<< 3 | 5) }
}
