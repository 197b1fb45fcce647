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

    init(_ text: [UInt8]) {
        count = text.count
        usualCount = (1...125).contains(text.count) ? text.count : 1 << 32
        filterBit = unsafe text.withUnsafeBytes { bytes in
            unsafe bytes.baseAddress.map { unsafe FilterBit(key: $0, bytes.count) } ?? FilterBit(0)
        }
    }
}

/// The process-wide table of interned texts. Any thread; a lock for each look-up, so not for the span path.
enum InternTable {
    // By bytes: Swift holds texts equal that differ in how they compose a character.
    static let table = Guarded<[[UInt8]: UInt]>([:])

    /// The text as the field with that tag: tag and length stand right before the text, so that a span takes
    /// the whole field in one copy, and behind the text stands the tag of a KeyValue's value.
    static func field(_ tag: UInt8, _ text: String) -> UnsafePointer<InternedText> {
        let text = Array(text.utf8)
        let head = [tag] + MessageBytes.varint(UInt64(text.count))
        return unsafe table.withLock { table in
            if let known = table[head + text],
                let pointer = unsafe UnsafePointer<InternedText>(bitPattern: known)
            {
                return unsafe pointer
            }
            let bytes = head + text + [Wire.keyValueValueTag]
            let byteCount = InternedText.textOffset + bytes.count + 2 * Wire.slackBytes
            let record = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 16)
            unsafe record.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
            unsafe record.initializeMemory(as: InternedText.self, to: InternedText(text))
            unsafe (record + InternedText.textOffset - head.count).copyMemory(
                from: bytes, byteCount: bytes.count)
            table[head + text] = UInt(bitPattern: record)
            return unsafe UnsafePointer(record.assumingMemoryBound(to: InternedText.self))
        }
    }
}

/// The name of a span or event, interned for ever. Make one for each name known ahead and keep it.
/// Safe because the record is written before the handle is made and never changes or goes away.
@safe public struct SpanName: @unchecked Sendable {
    let record: UnsafePointer<InternedText>

    /// Interns `name`. Any thread; takes a lock and may allocate.
    public init(_ name: String) { unsafe record = unsafe InternTable.field(Wire.spanNameTag, name) }

    /// UTF-8 without tag or length.
    @inline(__always)
    var bytes: InternedBytes {
        unsafe InternedBytes(
            pointer: UnsafeRawPointer(record) + InternedText.textOffset,
            count: record.pointee.count)
    }
}

/// The key of an attribute, interned for ever. Make one for each key known ahead and keep it.
/// Safe because the record is written before the handle is made and never changes or goes away.
@safe public struct AttributeKey: @unchecked Sendable {
    let record: UnsafePointer<InternedText>

    /// Interns `key`. Any thread; takes a lock and may allocate. An empty key is legal on the wire but
    /// OpenTelemetry asks for a non-empty one: setting it does nothing.
    public init(_ key: String) {
        unsafe record = unsafe InternTable.field(Wire.keyValueKeyTag, key)
    }

    /// UTF-8 without tag or length.
    @inline(__always)
    var bytes: InternedBytes {
        unsafe InternedBytes(
            pointer: UnsafeRawPointer(record) + InternedText.textOffset,
            count: record.pointee.count)
    }

    @inline(__always)
    var filterBit: FilterBit { unsafe record.pointee.filterBit }

    @inline(__always)
    var keyBytes: KeyBytes {
        unsafe KeyBytes(
            pointer: UnsafeRawPointer(record) + InternedText.textOffset,
            count: record.pointee.count, usualCount: record.pointee.usualCount,
            filterBit: record.pointee.filterBit, isInterned: true)
    }
}

/// A key for the length of one call: interned, or lent.
@safe struct KeyBytes {
    let pointer: UnsafeRawPointer
    let count: Int
    /// See `InternedText`.
    let usualCount: Int
    let filterBit: FilterBit
    /// It stands as `InternTable.field` makes it, and copies may read past it.
    let isInterned: Bool
}

/// Three bits in one of the eight words of a key filter (a blocked Bloom filter; Putze, Sanders and Singler, "Cache-,
/// hash- and space-efficient Bloom filters", 2007).
struct FilterBit: Hashable {
    var word: Int
    var mask: UInt64

    /// - Parameter hash: its lowest 21 bits count.
    @inline(__always)
    init(_ hash: UInt64) {
        word = Int(hash & 7)
        mask = 1 &<< (hash >> 3) | 1 &<< (hash >> 9) | 1 &<< (hash >> 15)
    }

    /// By a cheap hash of a key: its length, its first and its last eight bytes, folded by one multiplication
    /// to 128 bits, so that keys that differ in one character only still part ways.
    @inline(__always)
    init(key bytes: UnsafeRawPointer, _ count: Int) {
        var head: UInt64 = 0
        var tail: UInt64 = 0
        if count >= 8 {
            head = unsafe bytes.loadUnaligned(as: UInt64.self)
            tail = unsafe bytes.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
        } else {
            for index in 0..<count {
                head = unsafe head << 8 | UInt64(bytes.load(fromByteOffset: index, as: UInt8.self))
            }
        }
        let length = UInt64(truncatingIfNeeded: count) &* 0x1656_67B1_9E37_79F9
        let product = (head ^ 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(
            by: tail ^ 0xC2B2_AE3D_27D4_EB4F ^ length)
        let folded = (product.high ^ product.low) &* 0x9E37_79B9_7F4A_7C15
        self.init((folded ^ folded >> 32) >> 10)
    }
}

/// 512 bits that say which keys a span surely has not got: of a span's 128 attributes five are looked for in vain, of 64
/// hardly ever one. Twice as many would make lists of attributes too large to be passed on in registers.
struct KeyFilter: Sendable {
    private var words = InlineArray<8, UInt64>(repeating: 0)

    @inline(__always)
    func mayContain(_ bit: FilterBit) -> Bool {
        unsafe words[unchecked: bit.word] & bit.mask == bit.mask
    }

    @inline(__always)
    mutating func insert(_ bit: FilterBit) { unsafe words[unchecked: bit.word] |= bit.mask }

    /// Clears a filter in place: as a value it would be made elsewhere and copied.
    @inline(__always)
    static func clear(_ filter: UnsafeMutablePointer<KeyFilter>) {
        let bytes = UnsafeMutableRawPointer(filter)
        unsafe bytes.storeBytes(of: .zero, as: SIMD64<UInt8>.self)
    }
}
