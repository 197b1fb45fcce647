// JSON text written into one buffer that is used again: RFC 8259, with the forms that protobuf's JSON
// mapping asks for (hexadecimal ids are OTLP's). Used by one thread at a time.

import Glibc
import TraceCore

/// A growing buffer that JSON is written into, piece by piece. The caller sees to commas and brackets.
///
/// Does not allocate once it has grown to the size of what is written.
/// Safe because it is not copyable: whoever has it is the only one to touch its memory, and every
/// write is preceded by `reserve`.
@safe struct JSONWriter: ~Copyable, @unchecked Sendable {
    private var memory: UnsafeMutableRawPointer?
    private var capacity = 0
    /// Bytes written.
    private(set) var count = 0
    /// Something did not fit within `bytesMax`; from then on nothing more is written.
    private(set) var isFull = false
    private let bytesMax: Int

    /// - Parameter bytesMax: what the text may have at most.
    init(bytesMax: Int = .max) {
        self.bytesMax = bytesMax
    }

    deinit { unsafe free(memory) }

    /// The text so far, valid until the next change.
    var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: memory, count: count)
    }

    /// Forgets the text, keeps the memory.
    mutating func removeAll() {
        count = 0
        isFull = false
    }

    // MARK: Room

    @inline(__always)
    private mutating func reserve(_ extra: Int) -> Bool {
        if count &+ extra <= capacity { return true }
        return grow(extra)
    }

    @inline(never)
    private mutating func grow(_ extra: Int) -> Bool {
        guard !isFull else { return false }
        let needed = count + extra
        guard needed <= bytesMax else {
            isFull = true
            // What is full takes nothing more, not even something that would still fit.
            capacity = count
            return false
        }
        let size = min(max(needed, capacity + capacity / 2, 4096), bytesMax)
        guard let moved = unsafe realloc(memory, size) else {
            fatalError("tracemill: no memory for \(size) bytes of JSON")
        }
        unsafe memory = moved
        capacity = size
        return true
    }

    /// Where the next byte goes; only behind a `reserve`.
    @inline(__always)
    private var cursor: UnsafeMutableRawPointer { unsafe memory.unsafelyUnwrapped + count }

    // MARK: Pieces

    @inline(__always)
    mutating func put(byte: UInt8) {
        guard reserve(1) else { return }
        unsafe cursor.storeBytes(of: byte, as: UInt8.self)
        count &+= 1
    }

    /// Text that is JSON already; `dropFirst` leaves out that many bytes of it.
    @inline(__always)
    mutating func put(_ text: StaticString, dropFirst: Int = 0) {
        let length = text.utf8CodeUnitCount &- dropFirst
        guard reserve(length) else { return }
        unsafe memcpy(cursor, text.utf8Start + dropFirst, length)
        count &+= length
    }

    /// Text that is JSON already, or belongs between pieces of it: ASCII without control characters.
    mutating func put(ascii text: String) {
        for byte in text.utf8 { put(byte: byte) }
    }

    /// A decimal number.
    mutating func put(number value: UInt64) {
        var rest = value
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var start = 20
        repeat {
            start &-= 1
            digits[start] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest != 0
        guard reserve(20) else { return }
        for index in start..<20 {
            unsafe cursor.storeBytes(
                of: digits[index], toByteOffset: index &- start, as: UInt8.self)
        }
        count &+= 20 &- start
    }

    /// A decimal number.
    mutating func put(number value: Int64) {
        if value < 0 { put(byte: UInt8(ascii: "-")) }
        put(number: value.magnitude)
    }

    /// A number with as many digits as tell it from any other, or one of the strings that protobuf's
    /// JSON mapping has for what JSON has no number for.
    mutating func put(number value: Double) {
        guard value.isFinite else {
            put(value.isNaN ? "\"NaN\"" : value < 0 ? "\"-Infinity\"" : "\"Infinity\"")
            return
        }
        var text = NumberText()
        value.write(to: &text)
        guard reserve(32) else { return }
        for index in 0..<text.count {
            unsafe cursor.storeBytes(of: text.bytes[index], toByteOffset: index, as: UInt8.self)
        }
        count &+= text.count
    }

    /// A string of lower-case hexadecimal digits, two a byte, most significant first.
    mutating func put(hexadecimal bytes: RawSpan) {
        guard reserve(2 * bytes.byteCount + 2) else { return }
        put(byte: UInt8(ascii: "\""))
        for index in 0..<bytes.byteCount {
            let byte = unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
            // Both digits at once, the high one in the low byte: that one goes first in memory.
            let pair = UInt16(byte >> 4) | UInt16(byte & 15) << 8
            let letters = (pair &+ 0x0606) >> 4 & 0x0101
            unsafe cursor.storeBytes(
                of: (pair &+ 0x3030 &+ letters &* 0x27).littleEndian, as: UInt16.self)
            count &+= 2
        }
        put(byte: UInt8(ascii: "\""))
    }

    /// A string in base64.
    mutating func put(base64 bytes: RawSpan) {
        guard reserve(Base64.digitCount(bytes.byteCount) + 2) else { return }
        put(byte: UInt8(ascii: "\""))
        Base64.encode(bytes) { put(byte: $0) }
        put(byte: UInt8(ascii: "\""))
    }

    // MARK: Strings

    /// A string, its quotes and escapes included. Control characters are escaped all, DEL and those of
    /// C1 too, so that no terminal obeys them.
    ///
    /// - Returns: whether the bytes are UTF-8; if not, what was written is of no use.
    mutating func put(string bytes: RawSpan) -> Bool {
        unsafe bytes.withUnsafeBytes { unsafe put(string: $0) }
    }

    /// As for bytes.
    mutating func put(string text: String) {
        var text = text
        let isUTF8 = text.withUTF8 { unsafe put(string: UnsafeRawBufferPointer($0)) }
        precondition(isUTF8, "a String is always UTF-8")
    }

    @inline(__always)
    private mutating func put(string bytes: UnsafeRawBufferPointer) -> Bool {
        put(byte: UInt8(ascii: "\""))
        defer { put(byte: UInt8(ascii: "\"")) }
        guard let base = bytes.baseAddress, bytes.count > 0 else { return true }
        guard reserve(bytes.count) else { return true }
        if unsafe Self.copyPlain(from: base, bytes.count, to: cursor) {
            count &+= bytes.count
            return true
        }
        return unsafe putEscaped(bytes)
    }

    /// Copies while all is printable ASCII but for quotation mark and backslash: such bytes are their own
    /// JSON. Eight at a time; the last word overlaps the one before it.
    ///
    /// - Returns: whether all of them are; if not, some may have been copied.
    @inline(__always)
    private static func copyPlain(
        from source: UnsafeRawPointer, _ count: Int, to target: UnsafeMutableRawPointer
    ) -> Bool {
        guard count >= 8 else {
            var word: UInt64 = 0x2020_2020_2020_2020
            for index in 0..<count {
                let byte = unsafe source.load(fromByteOffset: index, as: UInt8.self)
                unsafe target.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
                word = word << 8 | UInt64(byte)
            }
            return isPlain(word)
        }
        var offset = 0
        while true {
            let word = unsafe source.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            guard isPlain(word) else { return false }
            unsafe target.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
            if offset == count &- 8 { return true }
            offset = min(offset &+ 8, count &- 8)
        }
    }

    /// Whether each of eight bytes is plain. What each term finds sets the byte's top bit; a borrow or a
    /// carry out of a byte only comes from one that is found itself.
    @inline(__always)
    private static func isPlain(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let belowSpace = word &- ones &* 0x20
        let delete = word &+ ones
        let quotationMark = (word ^ ones &* 0x22) &- ones
        let backslash = (word ^ ones &* 0x5C) &- ones
        let special = word | belowSpace | delete | quotationMark | backslash
        return special & (ones &* 0x80) == 0
    }

    @inline(never)
    private mutating func putEscaped(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var scalars = unsafe UTF8Decoder(bytes)
        while let next = scalars.next() {
            guard let scalar = next.scalar else { return false }
            guard reserve(6) else { return true }
            switch scalar {
            case UInt32(UInt8(ascii: "\"")): put("\\\"")
            case UInt32(UInt8(ascii: "\\")): put("\\\\")
            case 0x0A: put("\\n")
            case 0x0D: put("\\r")
            case 0x09: put("\\t")
            case 0..<0x20, 0x7F...0x9F:
                put("\\u00")
                let digit = { (value: UInt32) in
                    UInt8(truncatingIfNeeded: value < 10 ? 0x30 + value : 0x57 + value)
                }
                put(byte: digit(scalar >> 4))
                put(byte: digit(scalar & 15))
            default:
                for index in next.bytes { unsafe put(byte: bytes[index]) }
            }
        }
        return true
    }
}

extension JSONWriter {
    /// An attribute's value as plain JSON, without OTLP's type names; bytes in base64.
    mutating func put(value: AttributeValue) {
        switch value {
        case .string(let text): put(string: text)
        case .int(let number): put(number: Int64(number))
        case .double(let number): put(number: number)
        case .bool(let isTrue): put(isTrue ? "true" : "false")
        case .bytes(let bytes): unsafe put(base64: bytes.span.bytes)
        case .strings(let texts): put(list: texts) { $0.put(string: $1) }
        case .ints(let numbers): put(list: numbers) { $0.put(number: Int64($1)) }
        case .doubles(let numbers): put(list: numbers) { $0.put(number: $1) }
        case .bools(let values): put(list: values) { $0.put($1 ? "true" : "false") }
        }
    }

    private mutating func put<Element>(
        list: [Element], _ write: (inout JSONWriter, Element) -> Void
    ) {
        put("[")
        for (index, element) in list.enumerated() {
            if index > 0 { put(",") }
            write(&self, element)
        }
        put("]")
    }
}

/// Scalar by scalar over bytes that may not be UTF-8 (RFC 3629: the shortest form, no surrogates).
@safe private struct UTF8Decoder {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = bytes
    }

    /// The next scalar and where it stands; its value is nil when there is none that is well-formed.
    /// Nil at the end.
    mutating func next() -> (scalar: UInt32?, bytes: Range<Int>)? {
        guard unsafe position < bytes.count else { return nil }
        let start = position
        let first = unsafe bytes[start]
        let (length, least): (Int, UInt32) =
            switch first {
            case 0..<0x80: (1, 0)
            case 0xC0..<0xE0: (2, 0x80)
            case 0xE0..<0xF0: (3, 0x800)
            case 0xF0..<0xF8: (4, 0x1_0000)
            default: (0, 0)
            }
        guard length > 0, unsafe bytes.count - start >= length else { return (nil, start..<start) }
        position = start + length
        if length == 1 { return (UInt32(first), start..<position) }
        var value = UInt32(first & (0x7F >> UInt8(length)))
        for index in start + 1..<position {
            let byte = unsafe bytes[index]
            guard byte & 0xC0 == 0x80 else { return (nil, start..<start) }
            value = value << 6 | UInt32(byte & 0x3F)
        }
        guard value >= least, Unicode.Scalar(value) != nil else { return (nil, start..<start) }
        return (value, start..<position)
    }
}

/// Takes a number's text as the standard library writes it, without a string in between.
private struct NumberText: TextOutputStream {
    var bytes = InlineArray<32, UInt8>(repeating: 0)
    var count = 0

    mutating func write(_ string: String) {
        for byte in string.utf8 { append(byte) }
    }

    // What the standard library calls for ASCII; without it, it would make a string first.
    mutating func _writeASCII(_ buffer: UnsafeBufferPointer<UInt8>) {
        for index in buffer.indices { unsafe append(buffer[index]) }
    }

    private mutating func append(_ byte: UInt8) {
        bytes[count] = byte
        count += 1
    }
}
