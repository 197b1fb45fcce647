// The digest of what a span means, whatever its bytes: the load side computes it from what a span
// should say, the sink from what it decoded, and the sums over a run must agree.

/// A sequential 64-bit digest of one span's fields.
///
/// Not cryptographic. Each step is a bijection of the state and of the value, so that no single
/// change of a field goes unseen before the last 64-bit mixing. The caller feeds, in this order:
///
/// 1. trace identifier (high, low), span identifier, parent span identifier (0 for none)
/// 2. kind as OTLP numbers it, flags `& 0x3`, name
/// 3. start and end in Unix nanoseconds, status code, status message
/// 4. the number of attributes, then each one: key, type tag, value
/// 5. the number of events, then each one: time, name, its attributes as in 4
/// 6. the number of links, then each one: trace identifier (high, low), span identifier
/// 7. `service.name` of the resource (empty when it has none)
///
/// Type tags are the field numbers of OTLP's `AnyValue`: 1 string, 2 bool (0 or 1), 3 int (bit
/// pattern), 4 double (bit pattern); 5 array, 6 key-value list and 7 bytes are fed as their encoded
/// bytes; 0 is an empty value, followed by nothing. A run's digest is the wrapping sum over spans.
public struct SpanDigest: Sendable {
    @usableFromInline var state: UInt64 = 0x243F_6A88_85A3_08D3

    /// An empty digest.
    @inlinable
    public init() {}

    /// Feeds one number.
    @inlinable
    public mutating func add(_ value: UInt64) {
        let turned = (state &<< 29) | (state &>> 35)
        state = Self.mix((turned ^ value) &+ 0x9E37_79B9_7F4A_7C15)
    }

    /// Feeds text as UTF-8: its byte count, then its bytes in little-endian words of eight, the
    /// last one padded with zeros. O(byte count), does not allocate.
    @inlinable
    public mutating func add(utf8 bytes: UnsafeRawBufferPointer) {
        let count = bytes.count
        add(UInt64(count))
        var offset = 0
        while count &- offset >= 8 {
            add(
                UInt64(
                    littleEndian: unsafe bytes.loadUnaligned(
                        fromByteOffset: offset, as: UInt64.self)))
            offset &+= 8
        }
        guard offset < count else { return }
        var word: UInt64 = 0
        var shift: UInt64 = 0
        while offset < count {
            word |= UInt64(unsafe bytes[offset]) &<< shift
            shift &+= 8
            offset &+= 1
        }
        add(word)
    }

    /// Feeds text. O(byte count); allocates only for a string that is not native UTF-8.
    @inlinable
    public mutating func add(utf8 text: String) {
        var text = text
        text.withUTF8 { unsafe add(utf8: UnsafeRawBufferPointer($0)) }
    }

    /// The digest of what was fed so far.
    @inlinable
    public func finish() -> UInt64 {
        Self.mix(state ^ 0xD6E8_FEB8_6659_FD93)
    }

    /// The finaliser of splitmix64 (Steele, Lea, Flood 2014): a bijection of 64 bits.
    @inlinable
    static func mix(_ value: UInt64) -> UInt64 {
        var value = value
        value ^= value &>> 30
        value = value &* 0xBF58_476D_1CE4_E5B9
        value ^= value &>> 27
        value = value &* 0x94D0_49BB_1331_11EB
        value ^= value &>> 31
        return value
    }
}
