// Writing protobuf where the room is known to be there: raw bytes at a moving cursor.
// Source: protobuf encoding guide; OTLP trace.proto field numbers.
import CThread
import Glibc

typealias Cursor = UnsafeMutableRawPointer

enum Wire {
    /// Copies may write up to this many bytes past what they copy; every buffer keeps that much spare.
    static let slackBytes = 32

    // Tags: field number << 3 | wire type.
    static let spanAttributesTag: UInt8 = 0x4a
    static let spanEventsTag: UInt8 = 0x5a
    static let spanLinksTag: UInt8 = 0x6a
    static let spanNameTag: UInt8 = 0x2a
    static let keyValueKeyTag: UInt8 = 0x0a
    static let keyValueValueTag: UInt8 = 0x12
    static let anyValueStringTag: UInt8 = 0x0a
    static let anyValueBoolTag: UInt8 = 0x10
    static let anyValueIntTag: UInt8 = 0x18
    static let anyValueDoubleTag: UInt8 = 0x21

    /// The bytes a varint takes, 1…10.
    @inline(__always)
    static func varintBytes(_ value: UInt64) -> Int {
        // 9 bits of work for each 64: (bits * 9 + 64) / 64, exact for every width.
        ((64 &- (value | 1).leadingZeroBitCount) &* 9 &+ 64) >> 6
    }

    @inline(__always)
    static func varintBytes(_ value: Int) -> Int { varintBytes(UInt64(bitPattern: Int64(value))) }

    @inline(__always)
    static func varint(_ value: UInt64, _ cursor: inout Cursor) {
        var rest = value
        while rest >= 0x80 {
            unsafe cursor.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, as: UInt8.self)
            unsafe cursor += 1
            rest >>= 7
        }
        unsafe cursor.storeBytes(of: UInt8(truncatingIfNeeded: rest), as: UInt8.self)
        unsafe cursor += 1
    }

    @inline(__always)
    static func varint(_ value: Int, _ cursor: inout Cursor) {
        unsafe varint(UInt64(bitPattern: Int64(value)), &cursor)
    }

    @inline(__always)
    static func byte(_ value: UInt8, _ cursor: inout Cursor) {
        unsafe cursor.storeBytes(of: value, as: UInt8.self)
        unsafe cursor += 1
    }

    @inline(__always)
    static func twoBytes(_ first: UInt8, _ second: UInt8, _ cursor: inout Cursor) {
        unsafe cursor.storeBytes(
            of: (UInt16(first) | UInt16(second) << 8).littleEndian, as: UInt16.self)
        unsafe cursor += 2
    }

    @inline(__always)
    static func fixed64(_ value: UInt64, _ cursor: inout Cursor) {
        unsafe cursor.storeBytes(of: value.littleEndian, as: UInt64.self)
        unsafe cursor += 8
    }

    @inline(__always)
    static func fixed32(_ value: UInt32, _ cursor: inout Cursor) {
        unsafe cursor.storeBytes(of: value.littleEndian, as: UInt32.self)
        unsafe cursor += 4
    }

    /// Copies `count` bytes without reading or writing past them: short ones as two overlapping words.
    @inline(__always)
    static func copy(_ source: UnsafeRawPointer, _ count: Int, _ cursor: inout Cursor) {
        if count >= 8 {
            if count <= 16 {
                let head = unsafe source.loadUnaligned(as: UInt64.self)
                let tail = unsafe source.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
                unsafe cursor.storeBytes(of: head, as: UInt64.self)
                unsafe cursor.storeBytes(of: tail, toByteOffset: count &- 8, as: UInt64.self)
            } else if count <= 32 {
                let head = unsafe source.loadUnaligned(as: SIMD16<UInt8>.self)
                let tail = unsafe source.loadUnaligned(
                    fromByteOffset: count &- 16, as: SIMD16<UInt8>.self)
                unsafe cursor.storeBytes(of: head, as: SIMD16<UInt8>.self)
                unsafe cursor.storeBytes(
                    of: tail, toByteOffset: count &- 16, as: SIMD16<UInt8>.self)
            } else {
                unsafe memcpy(cursor, source, count)
            }
        } else if count >= 4 {
            let head = unsafe source.loadUnaligned(as: UInt32.self)
            let tail = unsafe source.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
            unsafe cursor.storeBytes(of: head, as: UInt32.self)
            unsafe cursor.storeBytes(of: tail, toByteOffset: count &- 4, as: UInt32.self)
        } else if count > 0 {
            // 1…3: first, middle, last.
            let first = unsafe source.load(as: UInt8.self)
            let middle = unsafe source.load(fromByteOffset: count >> 1, as: UInt8.self)
            let last = unsafe source.load(fromByteOffset: count &- 1, as: UInt8.self)
            unsafe cursor.storeBytes(of: first, as: UInt8.self)
            unsafe cursor.storeBytes(of: middle, toByteOffset: count >> 1, as: UInt8.self)
            unsafe cursor.storeBytes(of: last, toByteOffset: count &- 1, as: UInt8.self)
        }
        unsafe cursor += count
    }

    /// Copies by 32-byte words, reading and writing up to 31 bytes past the end: both sides keep slack.
    @inline(__always)
    static func copyPadded(_ source: UnsafeRawPointer, _ count: Int, _ cursor: inout Cursor) {
        unsafe cursor.storeBytes(
            of: source.loadUnaligned(as: SIMD32<UInt8>.self), as: SIMD32<UInt8>.self)
        if count > 32 { unsafe copyRest(source, count, cursor) }
        unsafe cursor += count
    }

    @inline(__always)
    private static func copyRest(_ source: UnsafeRawPointer, _ count: Int, _ cursor: Cursor) {
        // Counts up to zero, at both ends' ends.
        let (sourceEnd, end) = unsafe (source + count, cursor + count)
        var offset = 32 &- count
        repeat {
            let word = unsafe sourceEnd.loadUnaligned(
                fromByteOffset: offset, as: SIMD32<UInt8>.self)
            unsafe end.storeBytes(of: word, toByteOffset: offset, as: SIMD32<UInt8>.self)
            offset &+= 32
        } while offset < 0
    }

    /// Reads a varint at `offset`, moving it on. Only for bytes that this module wrote.
    @inline(__always)
    static func readVarint(_ bytes: UnsafeRawPointer, _ offset: inout Int) -> Int {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = unsafe bytes.load(fromByteOffset: offset, as: UInt8.self)
            offset &+= 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return Int(truncatingIfNeeded: value) }
            shift &+= 7
        }
    }
}

/// A varint measured and, while at it, put together: most numbers take one or two bytes.
struct ShortVarint {
    /// Bytes of the varint.
    let count: Int
    /// The first two of them; longer ones are written byte by byte.
    private let encoded: UInt16

    @inline(__always)
    init(_ value: UInt64) {
        if value < 0x80 {
            count = 1
            encoded = UInt16(truncatingIfNeeded: value)
        } else if value < 0x4000 {
            count = 2
            encoded = UInt16(truncatingIfNeeded: value & 0x7f | 0x80 | (value >> 7) << 8)
        } else {
            count = Wire.varintBytes(value)
            encoded = 0
        }
    }

    /// May write a byte past the end.
    @inline(__always)
    func write(_ value: UInt64, _ cursor: inout Cursor) {
        guard count > 2 else {
            unsafe cursor.storeBytes(of: encoded.littleEndian, as: UInt16.self)
            unsafe cursor += count
            return
        }
        unsafe Wire.varint(value, &cursor)
    }
}

/// A value as OTLP's AnyValue message, measured before it is written.
/// Fields: string 1, bool 2, int 3, double 4.
enum ValueBytes {
    @inline(__always)
    static func count(int value: Int64) -> Int { 1 &+ Wire.varintBytes(UInt64(bitPattern: value)) }
    static let boolCount = 2
    static let doubleCount = 9
    @inline(__always)
    static func count(utf8Count: Int) -> Int { 1 &+ Wire.varintBytes(utf8Count) &+ utf8Count }

    @inline(__always)
    static func write(int value: Int64, _ cursor: inout Cursor) {
        unsafe Wire.byte(0x18, &cursor)
        unsafe Wire.varint(UInt64(bitPattern: value), &cursor)
    }

    @inline(__always)
    static func write(bool value: Bool, _ cursor: inout Cursor) {
        unsafe Wire.byte(0x10, &cursor)
        unsafe Wire.byte(value ? 1 : 0, &cursor)
    }

    @inline(__always)
    static func write(double value: Double, _ cursor: inout Cursor) {
        unsafe Wire.byte(0x21, &cursor)
        unsafe Wire.fixed64(value.bitPattern, &cursor)
    }

    @inline(__always)
    static func write(utf8 value: UnsafeRawPointer, _ count: Int, _ cursor: inout Cursor) {
        unsafe Wire.byte(0x0a, &cursor)
        unsafe Wire.varint(count, &cursor)
        unsafe Wire.copy(value, count, &cursor)
    }
}
