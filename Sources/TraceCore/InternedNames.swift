// Names and keys known ahead, encoded once. What is interned lives as long as the process: intern constants, not data.
import CThread

/// Interned bytes: padded so that copies may read past them, never freed.
/// Safe because the bytes are written before the handle is made and never change or go away.
@safe struct InternedBytes: @unchecked Sendable {
    let pointer: UnsafeRawPointer
    let count: Int
}

/// What is kept of an interned text, right before its bytes.
struct InternedText {
    /// Bytes of the text.
    var count: Int
    /// The same where it is 1…125, else far more than a short attribute can have: so that one comparison tells
    /// whether an attribute is of the usual kind.
    var usualCount: Int
    /// Which bit of a span's key filter stands for this text as a key.
    var filterBit: FilterBit

    /// From the record's start to the text's; tag and length of the field stand right before the text.
    static let textOffset = 48

    init(count: Int, filterBit: FilterBit) {
        self.count = count
        usualCount = (1...125).contains(count) ? count : 1 << 32
        self.filterBit = filterBit
    }

    /// The bytes of the text whose record this is.
    @inline(__always)
    static func bytes(_ record: UnsafePointer<InternedText>) -> UnsafeRawPointer {
        unsafe UnsafeRawPointer(record) + textOffset
    }
}

/// The process-wide table of interned texts. Any thread; a lock for each look-up, so not for the span path.
enum InternTable {
    // By bytes: Swift holds texts equal that differ in how they compose a character.
    static let table = Guarded<[[UInt8]: UInt]>([:])

    /// The text as the field with that tag: tag and length stand right before the text, so that a span takes
    /// the whole field in one copy, and behind the text stands the tag of a KeyValue's value.
    ///
    /// - Parameter literal: where the text stands in the program, if it does: then it is found there from now on.
    static func field(
        _ tag: UInt8, _ text: [UInt8], literal: UnsafeRawPointer? = nil
    ) -> UnsafePointer<InternedText> {
        let head = [tag] + MessageBytes.varint(UInt64(text.count))
        return unsafe table.withLock { table in
            if let known = table[head + text],
                let pointer = unsafe UnsafePointer<InternedText>(bitPattern: known)
            {
                unsafe addLiteral(literal, tag, pointer)
                return unsafe pointer
            }
            let bytes = head + text + [Wire.keyValueValueTag]
            let byteCount = InternedText.textOffset + bytes.count + 2 * Wire.slackBytes
            let record = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 16)
            unsafe record.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
            let isKey = tag == Wire.keyValueKeyTag
            unsafe record.initializeMemory(
                as: InternedText.self,
                to: InternedText(
                    count: text.count,
                    filterBit: isKey ? KeyNumbers.nextBit(for: text) : FilterBit(number: 0)))
            unsafe (record + InternedText.textOffset - head.count).copyMemory(
                from: bytes, byteCount: bytes.count)
            table[head + text] = UInt(bitPattern: record)
            let pointer = unsafe UnsafePointer(record.assumingMemoryBound(to: InternedText.self))
            if isKey { unsafe KeyNumbers.add(pointer) }
            unsafe addLiteral(literal, tag, pointer)
            return unsafe pointer
        }
    }

    /// The text that a literal stands for as that field: found by its address, interned when it is first seen.
    @inline(__always)
    static func field(_ tag: UInt8, literal: StaticString) -> UnsafePointer<InternedText> {
        if literal.hasPointerRepresentation,
            let found = unsafe tracemill_literal_find(
                literal.utf8Start, shape(tag, literal.utf8CodeUnitCount))
        {
            return unsafe found.assumingMemoryBound(to: InternedText.self)
        }
        return unsafe searchedField(tag, literal)
    }

    @inline(never)
    private static func searchedField(
        _ tag: UInt8, _ literal: StaticString
    ) -> UnsafePointer<InternedText> {
        // A literal of one character need not stand anywhere.
        let address =
            unsafe literal.hasPointerRepresentation ? UnsafeRawPointer(literal.utf8Start) : nil
        if let address = unsafe address,
            let found = unsafe tracemill_literal_search(
                address, shape(tag, literal.utf8CodeUnitCount))
        {
            return unsafe found.assumingMemoryBound(to: InternedText.self)
        }
        return literal.withUTF8Buffer {
            unsafe field(tag, Array($0), literal: address)
        }
    }

    /// What tells a literal from another at the same address.
    @inline(__always)
    private static func shape(_ tag: UInt8, _ count: Int) -> Int64 {
        Int64(count &<< 8 | Int(tag))
    }

    // With the lock held.
    private static func addLiteral(
        _ address: UnsafeRawPointer?, _ tag: UInt8, _ record: UnsafePointer<InternedText>
    ) {
        guard let address = unsafe address else { return }
        let shape = unsafe shape(tag, record.pointee.count)
        if unsafe tracemill_literal_search(address, shape) == nil {
            // Where the table is full, the text goes on being looked up by its bytes.
            _ = unsafe tracemill_literal_add(address, shape, record)
        }
    }
}

/// The name of a span or event, interned for ever. Make one for each name known ahead and keep it.
/// Safe because the record is written before the handle is made and never changes or goes away.
@safe public struct SpanName: @unchecked Sendable {
    let record: UnsafePointer<InternedText>

    /// Interns `name`. Any thread; takes a lock and may allocate.
    public init(_ name: String) {
        unsafe record = unsafe InternTable.field(Wire.spanNameTag, Array(name.utf8))
    }

    /// The name that a literal stands for, interned when it is first seen.
    @inline(__always)
    init(literal name: StaticString) {
        unsafe record = unsafe InternTable.field(Wire.spanNameTag, literal: name)
    }

    /// UTF-8 without tag or length.
    @inline(__always)
    var bytes: InternedBytes {
        unsafe InternedBytes(pointer: InternedText.bytes(record), count: record.pointee.count)
    }
}

/// The key of an attribute, interned for ever. Make one for each key known ahead and keep it.
/// Safe because the record is written before the handle is made and never changes or goes away.
@safe public struct AttributeKey: @unchecked Sendable {
    let record: UnsafePointer<InternedText>

    /// Interns `key`. Any thread; takes a lock and may allocate. An empty key is legal on the wire but
    /// OpenTelemetry asks for a non-empty one: setting it does nothing.
    public init(_ key: String) {
        unsafe record = unsafe InternTable.field(Wire.keyValueKeyTag, Array(key.utf8))
    }

    init(record: UnsafePointer<InternedText>) { unsafe self.record = unsafe record }

    /// The key that a literal stands for, interned when it is first seen.
    @inline(__always)
    init(literal key: StaticString) {
        unsafe record = unsafe InternTable.field(Wire.keyValueKeyTag, literal: key)
    }

    /// UTF-8 without tag or length.
    @inline(__always)
    var bytes: InternedBytes {
        unsafe InternedBytes(pointer: InternedText.bytes(record), count: record.pointee.count)
    }

    @inline(__always)
    var filterBit: FilterBit { unsafe record.pointee.filterBit }

    @inline(__always)
    var keyBytes: KeyBytes {
        unsafe KeyBytes(
            pointer: InternedText.bytes(record), count: record.pointee.count,
            usualCount: record.pointee.usualCount,
            filterBit: record.pointee.filterBit)
    }
}

/// A key for the length of one call: interned, or lent.
@safe struct KeyBytes {
    let pointer: UnsafeRawPointer
    let count: Int
    /// See `InternedText`.
    let usualCount: Int
    let filterBit: FilterBit
}
