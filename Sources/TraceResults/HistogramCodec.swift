// The portable form of a histogram: HdrHistogram V2, compressed, base64, as the Java, C, Python,
// Go and JavaScript libraries read and write it.
//
//   compressed:  cookie 0x1C849314 · length u32 · zlib(payload)
//   payload:     cookie 0x1C849313 · counts length u32 · normalizing index offset u32 (0) ·
//                significant digits u32 · lowest u64 · highest u64 · conversion ratio f64 · counts
//   counts:      ZigZag LEB128 of at most nine bytes; a negative number −n stands for n zeros
//
// All integers big-endian. Source: HdrHistogram's AbstractHistogram.encodeIntoByteBuffer and
// ZigZagEncoding (public domain); checked against the Python library in the tests.

import CZlib
import FoundationEssentials

/// Why text is not a histogram this tool can read.
public enum HistogramCodecError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not base64.
    case notBase64
    /// Ends before byte `needed` of its `available` bytes.
    case truncated(needed: Int, available: Int)
    /// Not version 2, or not a histogram at all.
    case unknownCookie(UInt32)
    /// zlib refused the compressed part, or it would inflate beyond what any histogram needs.
    case notInflatable(status: Int32)
    /// Recorded with other digits or another unit than three and 1 ns.
    case foreignLayout(significantDigits: UInt32, lowest: UInt64)
    /// Counts that run past the last counter, past 2⁶², or a malformed number.
    case badCounts(at: Int)

    public var description: String {
        switch self {
        case .notBase64:
            "the histogram is not base64"
        case .truncated(let needed, let available):
            "the histogram ends after \(available) of at least \(needed) bytes"
        case .unknownCookie(let cookie):
            "the histogram begins with 0x\(String(cookie, radix: 16)), not with the mark of a "
                + "compressed HdrHistogram V2"
        case .notInflatable(let status):
            "the histogram's compressed part is damaged or far too large (zlib status \(status))"
        case .foreignLayout(let digits, let lowest):
            "the histogram has \(digits) significant digits from \(lowest) up; "
                + "only 3 digits from 1 ns up can be read"
        case .badCounts(let offset):
            "the histogram's counts are damaged at byte \(offset)"
        }
    }
}

extension LatencyHistogram {
    private static let encodingCookie: UInt32 = 0x1C84_9303 | 0x10
    private static let compressedCookie: UInt32 = 0x1C84_9304 | 0x10
    private static let headerByteCount = 40
    /// No counter takes more than nine bytes; anything larger is not one of ours.
    private static let payloadByteCountMax = headerByteCount + 9 * (64 << 10)
    /// Total samples beyond which percentile arithmetic could overflow.
    private static let totalCountMax: UInt64 = 1 << 62

    /// The histogram as compressed HdrHistogram V2 in base64. A few hundred microseconds.
    public func base64Encoded() -> String {
        Data(encodedCompressed()).base64EncodedString()
    }

    /// Reads what ``base64Encoded()`` or another language's library wrote.
    public init(base64 text: String) throws(HistogramCodecError) {
        guard let bytes = Data(base64Encoded: text) else { throw .notBase64 }
        try self.init(compressed: [UInt8](bytes))
    }

    /// The compressed form before base64.
    public func encodedCompressed() -> [UInt8] {
        let payload = encodedPayload()
        var deflated = [UInt8](repeating: 0, count: Int(compressBound(uLong(payload.count))))
        var deflatedCount = uLongf(deflated.count)
        let status = unsafe compress2(
            &deflated, &deflatedCount, payload, uLong(payload.count), Z_DEFAULT_COMPRESSION)
        precondition(status == Z_OK, "compressBound() is always enough room")
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + Int(deflatedCount))
        bytes.appendBigEndian(Self.compressedCookie)
        bytes.appendBigEndian(UInt32(deflatedCount))
        bytes.append(contentsOf: deflated.prefix(Int(deflatedCount)))
        return bytes
    }

    /// Reads the compressed form before base64.
    public init(compressed bytes: [UInt8]) throws(HistogramCodecError) {
        var reader = BigEndianReader(bytes: bytes)
        let cookie: UInt32 = try reader.next()
        guard cookie & ~0xF0 == Self.compressedCookie & ~0xF0 else {
            throw .unknownCookie(cookie)
        }
        let length = Int(try reader.next() as UInt32)
        guard bytes.count - reader.offset >= length else {
            throw .truncated(needed: reader.offset + length, available: bytes.count)
        }
        var payload = [UInt8](repeating: 0, count: Self.payloadByteCountMax)
        var payloadCount = uLongf(payload.count)
        let deflated = [UInt8](bytes[reader.offset..<reader.offset + length])
        let status = unsafe uncompress(&payload, &payloadCount, deflated, uLong(length))
        guard status == Z_OK else { throw .notInflatable(status: status) }
        payload.removeLast(payload.count - Int(payloadCount))
        try self.init(payload: payload)
    }

    /// The form inside the compression: header and counts up to the last that is not zero.
    func encodedPayload() -> [UInt8] {
        var counts: [UInt8] = []
        var nextIndex = 0
        forEachBucket { value, count in
            let index = HistogramLayout.index(of: value)
            // A single zero too is a run of one, as in C and Python; Java writes the count 0.
            // Both are read.
            if index > nextIndex { counts.appendZigZag(-Int64(index - nextIndex)) }
            counts.appendZigZag(Int64(count))
            nextIndex = index + 1
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.headerByteCount + counts.count)
        bytes.appendBigEndian(Self.encodingCookie)
        bytes.appendBigEndian(UInt32(counts.count))
        bytes.appendBigEndian(UInt32(0))
        bytes.appendBigEndian(UInt32(3))
        bytes.appendBigEndian(UInt64(1))
        bytes.appendBigEndian(Self.highestTrackableNs)
        bytes.appendBigEndian((1.0).bitPattern)
        bytes.append(contentsOf: counts)
        return bytes
    }

    /// Reads the form inside the compression; bytes after the counts are ignored.
    init(payload: [UInt8]) throws(HistogramCodecError) {
        self.init()
        var reader = BigEndianReader(bytes: payload)
        let cookie: UInt32 = try reader.next()
        guard cookie & ~0xF0 == Self.encodingCookie & ~0xF0 else { throw .unknownCookie(cookie) }
        let countsByteCount = Int(try reader.next() as UInt32)
        let normalizingOffset: UInt32 = try reader.next()
        let digits: UInt32 = try reader.next()
        let lowest: UInt64 = try reader.next()
        let _: UInt64 = try reader.next()
        let _: UInt64 = try reader.next()
        guard digits == 3, lowest == 1, normalizingOffset == 0 else {
            throw .foreignLayout(significantDigits: digits, lowest: lowest)
        }
        let end = reader.offset + countsByteCount
        guard end <= payload.count else {
            throw .truncated(needed: end, available: payload.count)
        }
        var index = 0
        var total: UInt64 = 0
        while reader.offset < end {
            let start = reader.offset
            let number = try reader.nextZigZag(end: end)
            let step = number < 0 ? -(number + 1) : 0
            guard step < HistogramLayout.counterCount else { throw .badCounts(at: start) }
            if number > 0 {
                total += UInt64(number)
                guard index < HistogramLayout.counterCount, total <= Self.totalCountMax else {
                    throw .badCounts(at: start)
                }
                record(HistogramLayout.lowestValue(at: index), count: UInt64(number))
            }
            index += Int(step) + 1
            guard index <= HistogramLayout.counterCount else { throw .badCounts(at: start) }
        }
    }
}

/// A cursor over big-endian integers that never reads past the end.
private struct BigEndianReader {
    let bytes: [UInt8]
    var offset = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func next<Integer: FixedWidthInteger>() throws(HistogramCodecError) -> Integer {
        let width = Integer.bitWidth / 8
        guard bytes.count - offset >= width else {
            throw .truncated(needed: offset + width, available: bytes.count)
        }
        let value = bytes[offset..<offset + width].reduce(Integer(0)) { $0 << 8 | Integer($1) }
        offset += width
        return value
    }

    mutating func nextZigZag(end: Int) throws(HistogramCodecError) -> Int64 {
        let start = offset
        var raw: UInt64 = 0
        for position in 0..<9 {
            guard offset < end else { throw .badCounts(at: start) }
            let byte = bytes[offset]
            offset += 1
            if position == 8 {
                // The ninth byte has no continuation bit: all eight bits count.
                raw |= UInt64(byte) << 56
                break
            }
            raw |= UInt64(byte & 0x7F) << (7 * UInt64(position))
            if byte & 0x80 == 0 { break }
        }
        return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
    }
}

extension [UInt8] {
    fileprivate mutating func appendBigEndian(_ value: some FixedWidthInteger) {
        for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    fileprivate mutating func appendZigZag(_ value: Int64) {
        var raw = UInt64(bitPattern: value << 1 ^ value >> 63)
        for _ in 0..<8 {
            guard raw > 0x7F else { break }
            append(UInt8(truncatingIfNeeded: raw) | 0x80)
            raw >>= 7
        }
        append(UInt8(truncatingIfNeeded: raw))
    }
}
