// SHA-256 (FIPS 180-4), for the digest of a scenario and the hashed identities of a machine.
//
// Our own because the packaged one, swift-crypto, brings BoringSSL: minutes of compiling for a
// few kilobytes hashed a run. Nothing here guards a secret against somebody who can time it.
// Checked against NIST's vectors in the tests.

/// A SHA-256 digest of bytes given all at once or piece by piece.
public struct SHA256Digest: Sendable {
    private static let roundConstants: [UInt32] = [
        0x428A_2F98, 0x7137_4491, 0xB5C0_FBCF, 0xE9B5_DBA5, 0x3956_C25B, 0x59F1_11F1,
        0x923F_82A4, 0xAB1C_5ED5, 0xD807_AA98, 0x1283_5B01, 0x2431_85BE, 0x550C_7DC3,
        0x72BE_5D74, 0x80DE_B1FE, 0x9BDC_06A7, 0xC19B_F174, 0xE49B_69C1, 0xEFBE_4786,
        0x0FC1_9DC6, 0x240C_A1CC, 0x2DE9_2C6F, 0x4A74_84AA, 0x5CB0_A9DC, 0x76F9_88DA,
        0x983E_5152, 0xA831_C66D, 0xB003_27C8, 0xBF59_7FC7, 0xC6E0_0BF3, 0xD5A7_9147,
        0x06CA_6351, 0x1429_2967, 0x27B7_0A85, 0x2E1B_2138, 0x4D2C_6DFC, 0x5338_0D13,
        0x650A_7354, 0x766A_0ABB, 0x81C2_C92E, 0x9272_2C85, 0xA2BF_E8A1, 0xA81A_664B,
        0xC24B_8B70, 0xC76C_51A3, 0xD192_E819, 0xD699_0624, 0xF40E_3585, 0x106A_A070,
        0x19A4_C116, 0x1E37_6C08, 0x2748_774C, 0x34B0_BCB5, 0x391C_0CB3, 0x4ED8_AA4A,
        0x5B9C_CA4F, 0x682E_6FF3, 0x748F_82EE, 0x78A5_636F, 0x84C8_7814, 0x8CC7_0208,
        0x90BE_FFFA, 0xA450_6CEB, 0xBEF9_A3F7, 0xC671_78F2,
    ]

    private var state: [UInt32] = [
        0x6A09_E667, 0xBB67_AE85, 0x3C6E_F372, 0xA54F_F53A,
        0x510E_527F, 0x9B05_688C, 0x1F83_D9AB, 0x5BE0_CD19,
    ]
    private var block: [UInt8] = []
    private var byteCount: UInt64 = 0

    /// A digest of nothing yet.
    public init() {
        block.reserveCapacity(64)
    }

    /// The digest of `bytes` as 64 lower-case hexadecimal digits.
    public static func hex(of bytes: some Sequence<UInt8>) -> String {
        var digest = SHA256Digest()
        digest.update(bytes)
        return digest.finishedHex()
    }

    /// The digest of `text` in UTF-8 as 64 lower-case hexadecimal digits.
    public static func hex(of text: String) -> String {
        hex(of: text.utf8)
    }

    /// Adds `bytes` to what is digested.
    public mutating func update(_ bytes: some Sequence<UInt8>) {
        for byte in bytes {
            block.append(byte)
            byteCount &+= 1
            if block.count == 64 { absorbBlock() }
        }
    }

    /// The 32 bytes of the digest; what was added so far stays open for more.
    public func finished() -> [UInt8] {
        var last = self
        let bitCount = byteCount &* 8
        last.update(CollectionOfOne(0x80))
        while last.block.count != 56 { last.update(CollectionOfOne(0)) }
        last.update((0..<8).map { UInt8(truncatingIfNeeded: bitCount >> (56 - 8 * $0)) })
        return last.state.flatMap { word in
            (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) }
        }
    }

    /// The digest as 64 lower-case hexadecimal digits.
    public func finishedHex() -> String {
        finished().map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    private mutating func absorbBlock() {
        var schedule = [UInt32](repeating: 0, count: 64)
        for index in 0..<16 {
            schedule[index] = block[4 * index..<4 * index + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
        for index in 16..<64 {
            let early = schedule[index - 15]
            let late = schedule[index - 2]
            let smallSigma0 = early.rotated(7) ^ early.rotated(18) ^ early >> 3
            let smallSigma1 = late.rotated(17) ^ late.rotated(19) ^ late >> 10
            schedule[index] =
                schedule[index - 16] &+ smallSigma0 &+ schedule[index - 7] &+ smallSigma1
        }
        // The eight working variables a…h of the standard, by index.
        var working = state
        for index in 0..<64 {
            let bigSigma1 = working[4].rotated(6) ^ working[4].rotated(11) ^ working[4].rotated(25)
            let choice = working[4] & working[5] ^ ~working[4] & working[6]
            let first =
                working[7] &+ bigSigma1 &+ choice &+ Self.roundConstants[index] &+ schedule[index]
            let bigSigma0 = working[0].rotated(2) ^ working[0].rotated(13) ^ working[0].rotated(22)
            let majority =
                working[0] & working[1] ^ working[0] & working[2] ^ working[1] & working[2]
            let second = bigSigma0 &+ majority
            working = [
                first &+ second, working[0], working[1], working[2],
                working[3] &+ first, working[4], working[5], working[6],
            ]
        }
        for index in 0..<8 { state[index] &+= working[index] }
        block.removeAll(keepingCapacity: true)
    }
}

extension UInt32 {
    fileprivate func rotated(_ count: UInt32) -> UInt32 {
        self >> count | self << (32 - count)
    }
}
