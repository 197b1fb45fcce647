/// The ledger's arithmetic once more, on plain arrays and slowly, for both of its fast writings to
/// be checked against. All of it wraps; the golden values in its test were computed in Python.
public enum LedgerOracle {
    /// The finaliser of SplitMix64.
    public static func mix(_ value: UInt64) -> UInt64 {
        var word = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// What stands for a span's ids in the sums.
    public static func identity(traceHigh: UInt64, traceLow: UInt64, spanID: UInt64) -> UInt64 {
        mix(
            spanID ^ (traceLow &* 0x9E37_79B9_7F4A_7C15) ^ (traceHigh &* 0xC2B2_AE3D_27D4_EB4F))
    }

    /// What stands for the bytes of a span's OTLP message in the sums.
    public static func content(_ message: [UInt8]) -> UInt64 {
        let padding = (32 - message.count % 32) % 32
        let padded = message + [UInt8](repeating: 0, count: padding)
        let words = stride(from: 0, to: padded.count, by: 8).map { start in
            (0..<8).reduce(UInt64(0)) { $0 | UInt64(padded[start + $1]) << UInt64(8 * $1) }
        }
        var x = UInt64(message.count) ^ 0xA076_1D64_78BD_642F
        var y = UInt64(message.count) ^ 0xE703_7ED1_A0B4_28DB
        for block in stride(from: 0, to: words.count, by: 4) {
            x = fold(words[block] ^ 0x8EBC_6AF0_9C88_C6E3, words[block + 1] ^ x)
            y = fold(words[block + 2] ^ 0x5899_65CC_7537_4CC3, words[block + 3] ^ y)
        }
        return mix(x ^ (y << 32 | y >> 32))
    }

    private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (high, low) = left.multipliedFullWidth(by: right)
        return high ^ low
    }
}
