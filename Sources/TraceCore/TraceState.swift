// Vendor state that travels with a trace, interned so that a context stays a plain value.
// Source: W3C Trace Context Level 2, "tracestate header".

/// A handle on tracestate members. Empty is zero. A state of nothing but a sampling threshold, `ot=th:…`, is
/// the handle itself; others are interned. The table is bounded: when 65,536 newer states have come since,
/// or 16 MiB of them, the oldest is forgotten and reads as empty, so that no traffic can fill memory.
public struct TraceState: Hashable, Sendable {
    /// 0 is empty. Bit 63: there is an `ot` member. Bit 62: `ot=th:` and nothing else, and the low 56
    /// bits are the threshold. Otherwise the low 48 bits are the state's number in the table.
    let handle: UInt64

    static let otelBit: UInt64 = 1 << 63
    static let thresholdBit: UInt64 = 1 << 62
    static let numberMask: UInt64 = (1 << 48) - 1

    @inlinable
    public static var empty: TraceState { TraceState() }

    public init() { handle = 0 }

    init(handle: UInt64) { self.handle = handle }

    /// `ot=th:` with a threshold below 2⁵⁶, and nothing else. Takes no lock and no memory.
    @inline(__always)
    init(threshold: UInt64) { handle = Self.otelBit | Self.thresholdBit | threshold }

    @inline(__always)
    public var isEmpty: Bool { handle == 0 }

    /// Whether OpenTelemetry's own member is there.
    @inline(__always)
    var hasOTelMember: Bool { handle & Self.otelBit != 0 }

    /// Whether a threshold is all there is.
    @inline(__always)
    var isThresholdAlone: Bool { handle & Self.thresholdBit != 0 }

    /// Parses a tracestate header value (several header lines joined with commas).
    /// Nil when any member is malformed or there are more than 32: the whole state is discarded then.
    /// Of members with the same key the first is kept; empty members are dropped.
    public init?(header: String) {
        guard let members = TraceStateSyntax.normalize(Array(header.utf8)) else { return nil }
        self = TraceStateTable.intern(members)
    }

    /// The members as a header value; empty when there are none or the table forgot them.
    public var header: String { String(decoding: bytes, as: UTF8.self) }

    /// The header value's bytes.
    var bytes: [UInt8] {
        if isThresholdAlone { return unsafe withUTF8 { unsafe Array($0) } }
        return isEmpty ? [] : TraceStateTable.bytes(of: self) ?? []
    }

    /// Lends the header value's bytes. A state that is a threshold alone takes no lock and no memory.
    @inline(__always)
    func withUTF8<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        guard isThresholdAlone else { return unsafe interned.withUnsafeBytes(body) }
        return unsafe withUnsafeTemporaryAllocation(byteCount: 24, alignment: 8) { text in
            let start = text.baseAddress!
            // "ot=th:" in the order of bytes in memory.
            unsafe start.storeBytes(of: UInt32(0x743d_746f).littleEndian, as: UInt32.self)
            unsafe start.storeBytes(
                of: UInt16(0x3a68).littleEndian, toByteOffset: 4, as: UInt16.self)
            let digits = unsafe ProbabilityThreshold.writeText(
                of: handle & (ProbabilityThreshold.never - 1), to: start + 6)
            return unsafe body(UnsafeRawBufferPointer(start: start, count: 6 + digits))
        }
    }

    private var interned: [UInt8] { isEmpty ? [] : TraceStateTable.bytes(of: self) ?? [] }
}

/// The grammar of tracestate, on bytes.
enum TraceStateSyntax {
    static let memberCountMax = 32

    /// The members without blanks, empties and duplicates, joined with commas; nil when malformed.
    static func normalize(_ header: [UInt8]) -> [UInt8]? {
        var result: [UInt8] = []
        var keys: [ArraySlice<UInt8>] = []
        var memberCount = 0
        for part in header.split(separator: UInt8(ascii: ",")) {
            let member = trim(part)
            if member.isEmpty { continue }
            memberCount += 1
            guard memberCount <= memberCountMax,
                let equals = member.firstIndex(of: UInt8(ascii: "="))
            else { return nil }
            let key = member[..<equals]
            guard isKey(key), isValue(member[(equals + 1)...]) else { return nil }
            if keys.contains(key) { continue }
            keys.append(key)
            if !result.isEmpty { result.append(UInt8(ascii: ",")) }
            result.append(contentsOf: member)
        }
        return result
    }

    private static func trim(_ part: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
        var part = part.drop(while: isBlank)
        while let last = part.last, isBlank(last) { part.removeLast() }
        return part
    }

    /// `[a-z0-9][a-z0-9_\-*/@]{0,255}`
    private static func isKey(_ key: ArraySlice<UInt8>) -> Bool {
        guard let first = key.first, key.count <= 256, isLowerAlphanumeric(first) else {
            return false
        }
        return key.allSatisfy {
            isLowerAlphanumeric($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
                || $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "@")
        }
    }

    private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
        (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte)
    }

    /// 1…256 printable characters without comma and equals sign, not ending in a space.
    private static func isValue(_ value: ArraySlice<UInt8>) -> Bool {
        guard let last = value.last, value.count <= 256, last != 0x20 else {
            return false
        }
        return value.allSatisfy { (0x20...0x7e).contains($0) && $0 != 0x2c && $0 != 0x3d }
    }
}
