// Vendor state that travels with a trace, interned so that a context stays a plain value.
// Source: W3C Trace Context Level 2, "tracestate header".

/// A handle on interned tracestate members. Empty is zero. The table is bounded: when 65,536 newer states
/// have come since, or 16 MiB of them, the oldest is forgotten and reads as empty, so that no traffic can
/// fill memory.
public struct TraceState: Hashable, Sendable {
    /// The state's number in the table, and a bit for what its members are; 0 is empty.
    let handle: UInt64

    /// In a handle: there is an `ot` member.
    static let otelBit: UInt64 = 1 << 63
    /// In a handle: the state's number.
    static let numberMask: UInt64 = (1 << 48) - 1

    /// Whether OpenTelemetry's own member is there.
    @inline(__always)
    var hasOTelMember: Bool { handle & Self.otelBit != 0 }

    @inlinable
    public static var empty: TraceState { TraceState() }

    public init() { handle = 0 }

    init(handle: UInt64) { self.handle = handle }

    @inline(__always)
    public var isEmpty: Bool { handle == 0 }

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
    var bytes: [UInt8] { isEmpty ? [] : TraceStateTable.bytes(of: self) ?? [] }
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

/// The interned states: the newest 65,536, and no more than 16 MiB of them.
enum TraceStateTable {
    struct Table {
        /// The state with number n is at n % `entryCountMax`; kept are `oldest` ..< `next`.
        var entries: [[UInt8]] = []
        /// Numbers begin at 1: handle 0 is the empty state.
        var oldest: UInt64 = 1
        var next: UInt64 = 1
        var byteCount = 0
        var known: [[UInt8]: UInt64] = [:]

        mutating func forgetOldest() {
            let index = Int(oldest % entryCountMax)
            known.removeValue(forKey: entries[index])
            byteCount -= entries[index].count
            entries[index] = []
            oldest += 1
        }
    }
    static let entryCountMax: UInt64 = 65_536
    static let byteCountMax = 16 << 20
    static let table = Guarded(Table())

    static func intern(_ bytes: [UInt8]) -> TraceState {
        guard !bytes.isEmpty else { return .empty }
        return table.withLock { table in
            if let handle = table.known[bytes] { return TraceState(handle: handle) }
            while table.next - table.oldest == entryCountMax
                || table.byteCount + bytes.count > byteCountMax
            {
                table.forgetOldest()
            }
            let index = Int(table.next % entryCountMax)
            let handle = table.next | (hasOTelMember(bytes) ? TraceState.otelBit : 0)
            while table.entries.count <= index { table.entries.append([]) }
            table.entries[index] = bytes
            table.byteCount += bytes.count
            table.known[bytes] = handle
            table.next += 1
            return TraceState(handle: handle)
        }
    }

    static func bytes(of state: TraceState) -> [UInt8]? {
        let number = state.handle & TraceState.numberMask
        return table.withLock { table in
            guard number >= table.oldest, number < table.next else { return nil }
            return table.entries[Int(number % entryCountMax)]
        }
    }

    private static func hasOTelMember(_ bytes: [UInt8]) -> Bool {
        let key = Array("ot=".utf8)
        return bytes.split(separator: UInt8(ascii: ",")).contains { $0.starts(with: key) }
    }
}
