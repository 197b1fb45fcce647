// The ledger's arithmetic on the sending side: order-free sums over spans, so that two parties who saw
// the same spans in any order hold the same number. The receiving side has its own implementation.
// The hash is in the manner of wyhash: 64×64→128-bit multiplications folded by exclusive or.

/// Sums over finished spans. All arithmetic wraps.
public enum SpanChecksum {
    /// A bijective mix of 64 bits (splitmix64's finaliser).
    @inline(__always)
    public static func mix(_ value: UInt64) -> UInt64 {
        var x = value
        x ^= x >> 30
        x = x &* 0xBF58_476D_1CE4_E5B9
        x ^= x >> 27
        x = x &* 0x94D0_49BB_1331_11EB
        x ^= x >> 31
        return x
    }

    /// Which span it is, as a number.
    @inline(__always)
    public static func identity(_ traceID: TraceID, _ spanID: SpanID) -> UInt64 {
        mix(
            spanID.rawValue ^ (traceID.low &* 0x9E37_79B9_7F4A_7C15)
                ^ (traceID.high &* 0xC2B2_AE3D_27D4_EB4F))
    }

    /// A hash of the bytes of a Span message.
    @inline(__always)
    public static func content(_ bytes: UnsafeRawPointer, _ count: Int) -> UInt64 {
        let size = UInt64(truncatingIfNeeded: count)
        var x = size ^ 0xA076_1D64_78BD_642F
        var y = size ^ 0xE703_7ED1_A0B4_28DB
        var offset = 0
        while offset &+ 32 <= count {
            unsafe fold(bytes + offset, &x, &y)
            offset &+= 32
        }
        if offset < count {
            var rest = SIMD32<UInt8>(repeating: 0)
            unsafe withUnsafeMutableBytes(of: &rest) {
                unsafe $0.baseAddress!.copyMemory(from: bytes + offset, byteCount: count &- offset)
                unsafe fold($0.baseAddress!, &x, &y)
            }
        }
        return mix(x ^ (y << 32 | y >> 32))
    }

    @inline(__always)
    private static func fold(_ block: UnsafeRawPointer, _ x: inout UInt64, _ y: inout UInt64) {
        let w0 = unsafe UInt64(littleEndian: block.loadUnaligned(as: UInt64.self))
        let w1 = unsafe UInt64(
            littleEndian: block.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        let w2 = unsafe UInt64(
            littleEndian: block.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        let w3 = unsafe UInt64(
            littleEndian: block.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
        x = multiplyFold(w0 ^ 0x8EBC_6AF0_9C88_C6E3, w1 ^ x)
        y = multiplyFold(w2 ^ 0x5899_65CC_7537_4CC3, w3 ^ y)
    }

    @inline(__always)
    private static func multiplyFold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.low ^ product.high
    }
}
