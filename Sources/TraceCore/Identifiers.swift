// Trace and span identifiers, flags and the span context: plain values.
// Source: OpenTelemetry specification, "SpanContext"; W3C Trace Context Level 2.

/// The 16 bytes that name a trace, as two big-endian numbers. All zero is invalid.
public struct TraceID: Hashable, Sendable {
    /// Bytes 0…7.
    public var high: UInt64
    /// Bytes 8…15. The low 56 bits of it are what ratio samplers look at.
    public var low: UInt64

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads 32 hexadecimal digits of either case; nil for anything else.
    public init?(hex: some StringProtocol) {
        var hex = String(hex)
        let parsed = hex.withUTF8 { bytes -> (UInt64, UInt64)? in
            guard bytes.count == 32, let high = unsafe Hexadecimal.number(bytes, from: 0),
                let low = unsafe Hexadecimal.number(bytes, from: 16)
            else { return nil }
            return (high, low)
        }
        guard let parsed else { return nil }
        self.init(high: parsed.0, low: parsed.1)
    }

    /// 32 lower-case hexadecimal digits.
    public var hex: String { Hexadecimal.text(high) + Hexadecimal.text(low) }

    @inlinable
    public var isValid: Bool { high | low != 0 }
}

/// The 8 bytes that name a span within its trace, as a big-endian number. Zero is invalid.
public struct SpanID: Hashable, Sendable {
    public var rawValue: UInt64

    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Reads 16 hexadecimal digits of either case; nil for anything else.
    public init?(hex: some StringProtocol) {
        var hex = String(hex)
        let parsed = hex.withUTF8 { bytes in
            unsafe bytes.count == 16 ? Hexadecimal.number(bytes, from: 0) : nil
        }
        guard let parsed else { return nil }
        self.init(rawValue: parsed)
    }

    /// 16 lower-case hexadecimal digits.
    public var hex: String { Hexadecimal.text(rawValue) }

    @inlinable
    public var isValid: Bool { rawValue != 0 }
}

/// W3C trace flags, bit 0 sampled and bit 1 random trace id, and what other propagation formats say that W3C
/// has no bit for. Only the lowest two bits ever leave the process in `traceparent` or OTLP.
public struct TraceFlags: OptionSet, Hashable, Sendable {
    public var rawValue: UInt8

    @inlinable
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The caller may have recorded this trace.
    public static let sampled = TraceFlags(rawValue: 1)
    /// The trace id's low 56 bits are uniformly random.
    public static let random = TraceFlags(rawValue: 2)
    /// B3's debug flag: kept, and passed on as debug.
    public static let debug = TraceFlags(rawValue: 4)
    /// The ids are to be continued, and nobody has decided yet (B3 without a sampling state).
    public static let deferred = TraceFlags(rawValue: 8)
    /// Without ids: a decision to drop the trace that begins here (B3 `0` alone). The other decision, to
    /// keep it, is `sampled` on a context without ids.
    public static let denied = TraceFlags(rawValue: 16)

    /// The bits that W3C and OTLP know.
    @inlinable
    public var onWire: UInt8 { rawValue & 3 }

    /// Whether these are W3C's flags and nothing else.
    @inline(__always)
    var isPlain: Bool { rawValue < 4 }
}

/// What travels between spans and services: who the span is, whether it was kept, vendor state.
/// A plain value; the trace state is an interned handle.
public struct SpanContext: Hashable, Sendable {
    public var traceID: TraceID
    public var spanID: SpanID
    public var traceState: TraceState
    public var flags: TraceFlags
    /// True when the context came out of a carrier.
    public var isRemote: Bool

    @inlinable
    public init(
        traceID: TraceID, spanID: SpanID, flags: TraceFlags = [], traceState: TraceState = .empty,
        isRemote: Bool = false
    ) {
        self.traceID = traceID
        self.spanID = spanID
        self.traceState = traceState
        self.flags = flags
        self.isRemote = isRemote
    }

    /// The context of nothing: zero ids.
    public static let invalid = SpanContext(
        traceID: TraceID(high: 0, low: 0), spanID: SpanID(rawValue: 0))

    @inlinable
    public var isValid: Bool { traceID.isValid && spanID.isValid }

    @inlinable
    public var isSampled: Bool { flags.rawValue & 1 != 0 }
}

/// Ids chosen by the caller instead of the generator: for replay, where an id tells which span it is.
public struct SpanIdentity: Sendable {
    /// Ignored when the span has a valid parent. Zero, which is no id: a random one is drawn.
    public var traceID: TraceID
    /// Zero, which is no id: a random one is drawn.
    public var spanID: SpanID
    /// Whether the trace ids' low 56 bits are uniformly random: then a root gets the flag that says so
    /// (W3C Trace Context Level 2, "random trace id flag"), and other services may sample by them.
    public var isTraceIDRandom: Bool

    @inlinable
    public init(traceID: TraceID, spanID: SpanID, isTraceIDRandom: Bool = false) {
        self.traceID = traceID
        self.spanID = spanID
        self.isTraceIDRandom = isTraceIDRandom
    }
}

/// OTLP's numbers for the kind of a span.
public enum SpanKind: UInt8, Sendable, CaseIterable {
    case `internal` = 1
    case server = 2
    case client = 3
    case producer = 4
    case consumer = 5
}

/// OTLP's numbers for the status of a span.
public enum SpanStatus: UInt8, Sendable, CaseIterable {
    case unset = 0
    case ok = 1
    case error = 2
}

/// Hexadecimal digits to numbers and back, on bytes.
enum Hexadecimal {
    /// The 16 digits from `offset` on as a number; nil when one is not a digit.
    static func number(_ bytes: UnsafeBufferPointer<UInt8>, from offset: Int) -> UInt64? {
        var value: UInt64 = 0
        for index in offset..<offset + 16 {
            guard let digit = unsafe digit(bytes[index]) else { return nil }
            value = value << 4 | UInt64(digit)
        }
        return value
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte &- 0x30
        case 0x61...0x66: byte &- 0x61 &+ 10
        case 0x41...0x46: byte &- 0x41 &+ 10
        default: nil
        }
    }

    static func text(_ value: UInt64) -> String {
        unsafe String(unsafeUninitializedCapacity: 16) { buffer in
            unsafe write(value, to: UnsafeMutableRawPointer(buffer.baseAddress!))
            return 16
        }
    }

    /// Writes 16 lower-case digits, without a table: each nibble is spread to a byte of its own.
    @inline(__always)
    static func write(_ value: UInt64, to destination: UnsafeMutableRawPointer) {
        unsafe destination.storeBytes(
            of: eightDigits(UInt32(truncatingIfNeeded: value >> 32)), as: UInt64.self)
        unsafe destination.storeBytes(
            of: eightDigits(UInt32(truncatingIfNeeded: value)), toByteOffset: 8, as: UInt64.self)
    }

    @inline(__always)
    private static func eightDigits(_ value: UInt32) -> UInt64 {
        var x = UInt64(value.byteSwapped)
        x = (x | x << 16) & 0x0000_FFFF_0000_FFFF
        x = (x | x << 8) & 0x00FF_00FF_00FF_00FF
        // Each 16-bit lane holds one byte; its high nibble goes first in memory.
        x = (x >> 4 & 0x000F_000F_000F_000F) | (x & 0x000F_000F_000F_000F) << 8
        let letters = (x &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return x &+ 0x3030_3030_3030_3030 &+ letters &* 0x27
    }
}
