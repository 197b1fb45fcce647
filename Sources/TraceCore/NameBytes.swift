// A span's name on its way into the span: where its bytes are, and how long they stay there.

/// A name's bytes, lent or for ever. Two words, as a slot keeps it.
@safe struct NameBytes {
    /// Where a name's bytes are.
    enum Home: UInt64 {
        /// As `InternTable.field` makes it: the whole field can be copied from before the pointer.
        case interned = 0
        /// It stays where it is, and nothing may be read around it.
        case literal = 1
        /// There for the length of the call.
        case lent = 2
        /// In the span's chain already.
        case inline = 3
    }

    let pointer: UnsafeRawPointer
    /// Count << 2 | home.
    private let shape: UInt64

    @inline(__always)
    init(pointer: UnsafeRawPointer, count: Int, _ home: Home) {
        unsafe self.pointer = unsafe pointer
        shape = UInt64(truncatingIfNeeded: count) << 2 | home.rawValue
    }

    /// A name that is in the chain.
    static var inline: NameBytes {
        unsafe NameBytes(
            pointer: UnsafeRawPointer(bitPattern: 1).unsafelyUnwrapped, count: 0, .inline)
    }

    @inline(__always)
    var count: Int { Int(truncatingIfNeeded: shape >> 2) }
    @inline(__always)
    var isImmortal: Bool { shape & 2 == 0 }
    @inline(__always)
    var isInline: Bool { shape & 3 == Home.inline.rawValue }
    /// Interned, and its length takes one byte: then the field is two bytes longer than the name.
    @inline(__always)
    var isShortInterned: Bool { shape & ~(127 << 2) == 0 }

    /// Bytes of the name's field.
    @inline(__always)
    var fieldCount: Int { isInline ? 0 : 1 &+ Wire.varintBytes(count) &+ count }

    /// Writes the field (name 5), unless it is in the chain.
    @inline(__always)
    func write(_ cursor: inout Cursor) {
        if isInline { return }
        unsafe Wire.byte(Wire.spanNameTag, &cursor)
        unsafe Wire.varint(count, &cursor)
        unsafe Wire.copy(pointer, count, &cursor)
    }
}

extension SpanName {
    @inline(__always)
    var nameBytes: NameBytes {
        unsafe NameBytes(pointer: bytes.pointer, count: bytes.count, .interned)
    }
}

extension String {
    /// Lends the text's UTF-8: in place where it is there, as in every native string of Swift's, without a count
    /// of references.
    @inline(__always)
    func withLentUTF8<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        if let result = unsafe utf8.withContiguousStorageIfAvailable(body) { return result }
        var native = self
        return native.withUTF8(body)
    }
}
