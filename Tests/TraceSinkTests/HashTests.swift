import Testing
import TraceResults

@testable import TraceSink

/// Vectors computed with Python's integers from the definition of the hashes.
@Suite("The ledger's hashes")
struct HashTests {
    @Test(
        "The content hash of bytes 0, 1, 2, … agrees with the vectors",
        arguments: [
            (0, 0x8511_FE5E_F983_7505), (1, 0x0C7F_AD5C_4E7A_E940), (8, 0x9F0F_BCE0_F60F_38BB),
            (31, 0xAA5B_E1EE_3612_AB33), (32, 0xDAFE_1668_8F1C_E285),
            (33, 0x2D61_B0F5_7AC4_3580), (64, 0x39BA_F8EE_E91F_E487),
            (100, 0x9426_601F_A286_789F), (255, 0x7953_20D2_3A2F_1A54),
            (1000, 0x02BC_41DF_AF76_16CA),
        ] as [(Int, UInt64)])
    func content(count: Int, expected: UInt64) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        let hash = unsafe bytes.withUnsafeBytes { unsafe LedgerHash.content($0) }
        #expect(hash == expected)
    }

    @Test("The content hash does not read past the end, nor depend on where the bytes lie")
    func contentPlacement() {
        let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        for count in 0..<100 {
            let exact = Array(bytes[3..<3 + count])
            let expected = unsafe exact.withUnsafeBytes { unsafe LedgerHash.content($0) }
            let within = unsafe bytes.withUnsafeBytes {
                unsafe LedgerHash.content(UnsafeRawBufferPointer(rebasing: $0[3..<3 + count]))
            }
            #expect(within == expected)
        }
    }

    @Test("Every bit of the content counts")
    func contentBits() {
        var bytes = [UInt8](repeating: 0x5A, count: 45)
        let before = unsafe bytes.withUnsafeBytes { unsafe LedgerHash.content($0) }
        for bit in 0..<bytes.count * 8 {
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            let after = unsafe bytes.withUnsafeBytes { unsafe LedgerHash.content($0) }
            #expect(after != before)
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        }
    }

    @Test(
        "mix agrees with the vectors",
        arguments: [
            (0, 0), (1, 0x5692_161D_100B_05E5), (2, 0xDBD2_3897_3A2B_148A),
            (0x0123_4567_89AB_CDEF, 0xB2C0_58E4_EBB5_112C),
            (0x9E37_79B9_7F4A_7C15, 0xE220_A839_7B1D_CDAF),
            (UInt64.max, 0xB4D0_55FC_F2CB_BD7B),
        ] as [(UInt64, UInt64)])
    func mix(value: UInt64, expected: UInt64) {
        #expect(LedgerHash.mix(value) == expected)
    }

    @Test("The folded product agrees with the vectors")
    func foldedProduct() {
        #expect(LedgerHash.foldedProduct(0, 5) == 0)
        #expect(
            LedgerHash.foldedProduct(0xA076_1D64_78BD_642F, 0xE703_7ED1_A0B4_28DB)
                == 0x1FF5_C292_3A78_8D2C)
        #expect(LedgerHash.foldedProduct(.max, .max) == .max)
        #expect(LedgerHash.foldedProduct(1 << 63, 2) == 1)
    }

    @Test("The identity hash agrees with the vectors")
    func identity() {
        #expect(LedgerHash.identity(traceHigh: 0, traceLow: 0, spanID: 0) == 0)
        #expect(
            LedgerHash.identity(traceHigh: 1, traceLow: 2, spanID: 3) == 0x89E8_4337_41A6_2774)
        #expect(
            LedgerHash.identity(
                traceHigh: 0x0AF7_6519_16CD_43DD, traceLow: 0x8448_EB21_1C80_319C,
                spanID: 0xB7AD_6B71_6920_3331) == 0x1DDD_A10F_DB86_AE38)
        #expect(
            LedgerHash.identity(traceHigh: .max, traceLow: .max, spanID: .max)
                == 0x4454_2F6B_4110_9923)
    }

    @Test("The span digest agrees with the vectors")
    func digest() {
        func digest(_ feed: (inout SpanDigest) -> Void) -> UInt64 {
            var digest = SpanDigest()
            feed(&digest)
            return digest.finish()
        }
        #expect(digest { _ in } == 0x7CB6_D558_B8A0_E1FD)
        #expect(digest { $0.add(0) } == 0xBFB7_B63B_2DF8_B50F)
        #expect(
            digest {
                $0.add(1)
                $0.add(2)
            } == 0xBDBA_8B85_BD9F_9064)
        #expect(
            digest {
                $0.add(2)
                $0.add(1)
            } == 0x17BC_D369_9370_1336)
        #expect(digest { $0.add(utf8: "") } == 0xBFB7_B63B_2DF8_B50F)
        #expect(digest { $0.add(utf8: "a") } == 0x5630_6A4A_05C0_2E7E)
        #expect(digest { $0.add(utf8: "12345678") } == 0x868F_2769_19AD_9661)
        #expect(digest { $0.add(utf8: "grüße, 世界") } == 0xADD6_5F79_A79D_FE9A)
    }
}
