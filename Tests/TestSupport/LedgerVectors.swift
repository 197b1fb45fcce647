/// Golden values of the ledger's arithmetic, computed in Python with big integers.
public enum LedgerVectors {
    /// Byte `i` of a message of `n` bytes.
    public static func message(byteCount: Int) -> [UInt8] {
        (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 * 7 + byteCount) }
    }

    /// Messages as ``message(byteCount:)`` makes them, and the hash of each.
    public static let contents: [(byteCount: Int, hash: UInt64)] = [
        (0, 0x8511_FE5E_F983_7505),
        (1, 0x0133_15EA_A448_6EFD),
        (8, 0xC469_FB09_A157_754D),
        (31, 0xE9BE_CE8B_A153_A0A1),
        (32, 0x79E3_13C4_B462_817B),
        (33, 0x190E_4AB4_5D5C_B436),
        (64, 0xB2B1_4EAF_195E_2F73),
        (127, 0xD081_0C95_90E8_26A6),
        (4096, 0x7C66_96F2_AD63_AC2E),
    ]

    /// Ids and the hash of each.
    public static let identities: [(high: UInt64, low: UInt64, span: UInt64, hash: UInt64)] = [
        (0, 0, 0, 0),
        (1, 2, 3, 0x89E8_4337_41A6_2774),
        (0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210, .max, 0xF856_5C79_BAFD_713C),
    ]
}
