// Lists of attributes, encoded once, and how encoded attributes are walked over.
import CThread
import Glibc

/// A list of attributes, encoded once and copied whole: for attributes that many spans share, for events,
/// links and resources. A value type; setting a present key overwrites it in place.
public struct SpanAttributes: Sendable {
    /// Each entry: the tag of span attributes, the length, the KeyValue message.
    private(set) var entries: [UInt8] = []
    /// How many entries there are.
    public private(set) var count = 0
    /// The union of the keys' filter bits.
    private(set) var filter = KeyFilter()
    /// The longest string or byte array in it, in bytes: no longer than a limit means nothing to cut.
    private(set) var utf8CountMax = 0

    public init() {}

    public mutating func set(_ key: AttributeKey, _ value: String) {
        var value = value
        value.withUTF8 { utf8 in
            utf8CountMax = max(utf8CountMax, utf8.count)
            let valueCount = ValueBytes.count(utf8Count: utf8.count)
            unsafe append(key, valueCount: valueCount) { cursor in
                guard let base = utf8.baseAddress else {
                    unsafe Wire.byte(0x0a, &cursor)
                    unsafe Wire.byte(0, &cursor)
                    return
                }
                unsafe ValueBytes.write(utf8: base, utf8.count, &cursor)
            }
        }
    }

    public mutating func set(_ key: AttributeKey, _ value: Int) {
        unsafe append(key, valueCount: ValueBytes.count(int: Int64(value))) {
            unsafe ValueBytes.write(int: Int64(value), &$0)
        }
    }

    public mutating func set(_ key: AttributeKey, _ value: Double) {
        unsafe append(key, valueCount: ValueBytes.doubleCount) {
            unsafe ValueBytes.write(double: value, &$0)
        }
    }

    public mutating func set(_ key: AttributeKey, _ value: Bool) {
        unsafe append(key, valueCount: ValueBytes.boolCount) {
            unsafe ValueBytes.write(bool: value, &$0)
        }
    }

    /// Sets a value of any type; the arrays, and bytes, come this way alone. Disfavoured, so that a literal
    /// goes to the setter for its type.
    @_disfavoredOverload
    public mutating func set(_ key: AttributeKey, _ value: AttributeValue) {
        let encoded = value.encoded
        utf8CountMax = max(utf8CountMax, value.lengthMax)
        unsafe append(key, valueCount: encoded.count) { cursor in
            unsafe encoded.withUnsafeBytes { unsafe Wire.copy($0.baseAddress!, $0.count, &cursor) }
        }
    }

    /// The value of `key`; nil when it is not there. Linear in the list.
    public subscript(key: AttributeKey) -> AttributeValue? {
        unsafe withEncodedValue(of: key) { value in
            unsafe value.map { unsafe AttributeValue(encoded: Array($0)[...]) }
        }
    }

    /// Lends the encoded AnyValue of `key`; nil when it is not there. Linear in the list; allocates nothing.
    func withEncodedValue<Result>(
        of key: AttributeKey, _ body: (UnsafeRawBufferPointer?) -> Result
    ) -> Result {
        guard filter.mayContain(key.filterBit) else { return body(nil) }
        return unsafe entries.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress,
                let entry = unsafe EntryWalker.find(
                    key.bytes.pointer, key.bytes.count, in: base, from: 0, to: bytes.count)
            else { return body(nil) }
            let value = unsafe EntryWalker.valueRange(in: base, entry, key.bytes.count)
            return unsafe body(UnsafeRawBufferPointer(rebasing: bytes[value]))
        }
    }

    /// Keys and values in order, decoded: for looking at them, not for the span path.
    public var pairs: [(key: String, value: AttributeValue)] {
        var pairs: [(key: String, value: AttributeValue)] = []
        unsafe entries.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            unsafe EntryWalker.forEachAttribute(in: base, from: 0, to: bytes.count) { entry, key in
                unsafe pairs.append(
                    (
                        String(decoding: bytes[key], as: UTF8.self),
                        AttributeValue(
                            encoded: entries[EntryWalker.valueRange(in: base, entry, key.count)])
                    ))
            }
        }
        return pairs
    }

    private mutating func append(
        _ key: AttributeKey, valueCount: Int, _ writeValue: (inout Cursor) -> Void
    ) {
        guard key.bytes.count > 0 else { return }
        let encoded = unsafe [UInt8](
            unsafeUninitializedCapacity: KeyValueBytes.entryCount(
                keyCount: key.bytes.count, valueCount: valueCount) + Wire.slackBytes
        ) { buffer, initialized in
            let start = UnsafeMutableRawPointer(buffer.baseAddress!)
            var cursor = unsafe start
            unsafe KeyValueBytes.writeHead(
                tag: Wire.spanAttributesTag, key.bytes.pointer, key.bytes.count,
                valueCount: valueCount, &cursor)
            unsafe writeValue(&cursor)
            initialized = unsafe cursor - start
        }
        unsafe insert(encoded, key: key.bytes.pointer, key.bytes.count, filterBit: key.filterBit)
    }

    /// Adds every attribute of `other`, overwriting those with the same key.
    public mutating func append(contentsOf other: SpanAttributes) {
        utf8CountMax = max(utf8CountMax, other.utf8CountMax)
        unsafe other.entries.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            unsafe EntryWalker.forEachAttribute(in: base, from: 0, to: bytes.count) { entry, key in
                let keyBytes = unsafe base + key.lowerBound
                unsafe insert(
                    Array(UnsafeRawBufferPointer(rebasing: bytes[entry])), key: keyBytes, key.count,
                    filterBit: KeyNumbers.filterBit(
                        of: UnsafeRawBufferPointer(start: keyBytes, count: key.count)))
            }
        }
    }

    private mutating func insert(
        _ entry: [UInt8], key: UnsafeRawPointer, _ keyCount: Int, filterBit: FilterBit
    ) {
        var present: Range<Int>?
        if filter.mayContain(filterBit) {
            present = unsafe entries.withUnsafeBytes { bytes in
                unsafe bytes.baseAddress.flatMap {
                    unsafe EntryWalker.find(key, keyCount, in: $0, from: 0, to: bytes.count)
                }
            }
        }
        if let present {
            entries.replaceSubrange(present, with: entry)
        } else {
            entries.append(contentsOf: entry)
            filter.insert(filterBit)
            count += 1
        }
    }
}

extension SpanAttributes: ExpressibleByDictionaryLiteral {
    /// Interns every key, for ever: for keys written in the program, not for keys that are data.
    public init(dictionaryLiteral elements: (String, AttributeValue)...) {
        for (key, value) in elements { set(AttributeKey(key), value) }
    }
}

extension SpanAttributes: Equatable {
    /// The same attributes in the same order.
    public static func == (left: SpanAttributes, right: SpanAttributes) -> Bool {
        left.entries == right.entries
    }
}

/// A KeyValue message as a field: tag, length, key (field 1), then the head of the value (field 2).
enum KeyValueBytes {
    @inline(__always)
    static func messageCount(keyCount: Int, valueCount: Int) -> Int {
        1 &+ Wire.varintBytes(keyCount) &+ keyCount &+ 1 &+ Wire.varintBytes(valueCount)
            &+ valueCount
    }

    @inline(__always)
    static func entryCount(keyCount: Int, valueCount: Int) -> Int {
        let message = messageCount(keyCount: keyCount, valueCount: valueCount)
        return 1 &+ Wire.varintBytes(message) &+ message
    }

    /// Everything up to the AnyValue message, which the caller writes next.
    @inline(__always)
    static func writeHead(
        tag: UInt8, _ key: UnsafeRawPointer, _ keyCount: Int, valueCount: Int,
        _ cursor: inout Cursor
    ) {
        unsafe Wire.byte(tag, &cursor)
        unsafe Wire.varint(messageCount(keyCount: keyCount, valueCount: valueCount), &cursor)
        unsafe Wire.byte(Wire.keyValueKeyTag, &cursor)
        unsafe Wire.varint(keyCount, &cursor)
        unsafe Wire.copy(key, keyCount, &cursor)
        unsafe Wire.byte(Wire.keyValueValueTag, &cursor)
        unsafe Wire.varint(valueCount, &cursor)
    }
}

/// Steps over fields that this module wrote: each a one-byte tag, a length, a payload.
enum EntryWalker {
    /// The range of the attribute entry with that key, tag included; nil when there is none.
    static func find(
        _ key: UnsafeRawPointer, _ keyCount: Int, in bytes: UnsafeRawPointer, from start: Int,
        to end: Int
    ) -> Range<Int>? {
        var offset = start
        while offset < end {
            let entry = offset
            let tag = unsafe bytes.load(fromByteOffset: offset, as: UInt8.self)
            offset += 1
            let length = unsafe Wire.readVarint(bytes, &offset)
            let next = offset + length
            if tag == Wire.spanAttributesTag {
                offset += 1  // the key's own tag
                let foundCount = unsafe Wire.readVarint(bytes, &offset)
                if foundCount == keyCount, unsafe isEqual(bytes + offset, key, keyCount) {
                    return entry..<next
                }
            }
            offset = next
        }
        return nil
    }

    /// Where the value message of an attribute entry is.
    static func valueRange(
        in bytes: UnsafeRawPointer, _ entry: Range<Int>, _ keyCount: Int
    ) -> Range<Int> {
        var offset = entry.lowerBound + 1
        _ = unsafe Wire.readVarint(bytes, &offset)
        offset += 1
        _ = unsafe Wire.readVarint(bytes, &offset)
        offset += keyCount + 1
        _ = unsafe Wire.readVarint(bytes, &offset)
        return offset..<entry.upperBound
    }

    /// The last byte first: keys of one family differ in their ends.
    @inline(__always)
    static func isEqual(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ count: Int) -> Bool {
        guard count > 0 else { return true }
        let last = count &- 1
        return unsafe a.load(fromByteOffset: last, as: UInt8.self)
            == b.load(fromByteOffset: last, as: UInt8.self) && memcmp(a, b, last) == 0
    }
}
