import TestSupport
import Testing
import TraceCore

/// The sending side's sums against golden values from Python and against the slow oracle.
@Suite struct ChecksumTests {
    private static func content(_ bytes: [UInt8]) -> UInt64 {
        // A copy of exactly this size on the heap, so that the address sanitizer sees a read too many.
        unsafe bytes.withUnsafeBytes { source in
            let copy = UnsafeMutableRawPointer.allocate(
                byteCount: max(1, bytes.count), alignment: 1)
            defer { unsafe copy.deallocate() }
            if let base = source.baseAddress {
                unsafe copy.copyMemory(from: base, byteCount: bytes.count)
            }
            return unsafe SpanChecksum.content(copy, bytes.count)
        }
    }

    /// Bytes 0, 1, 2… and their hash.
    static let contents: [(Int, UInt64)] = [
        (0, 0x8511_FE5E_F983_7505), (1, 0x0C7F_AD5C_4E7A_E940), (8, 0x9F0F_BCE0_F60F_38BB),
        (31, 0xAA5B_E1EE_3612_AB33), (32, 0xDAFE_1668_8F1C_E285),
        (33, 0x2D61_B0F5_7AC4_3580), (64, 0x39BA_F8EE_E91F_E487), (100, 0x9426_601F_A286_789F),
        (255, 0x7953_20D2_3A2F_1A54), (1_000, 0x02BC_41DF_AF76_16CA),
    ]

    @Test("Content hashes are the golden ones", arguments: contents)
    func golden(byteCount: Int, hash: UInt64) {
        #expect(Self.content((0..<byteCount).map { UInt8(truncatingIfNeeded: $0) }) == hash)
    }

    @Test("The shared golden values hold, too")
    func sharedVectors() {
        for (byteCount, hash) in LedgerVectors.contents {
            #expect(Self.content(LedgerVectors.message(byteCount: byteCount)) == hash)
        }
        for vector in LedgerVectors.identities {
            let identity = SpanChecksum.identity(
                TraceID(high: vector.high, low: vector.low), SpanID(rawValue: vector.span))
            #expect(identity == vector.hash)
        }
    }

    @Test(
        "The mix is the golden one",
        arguments: [
            (0, 0), (1, 0x5692_161D_100B_05E5), (2, 0xDBD2_3897_3A2B_148A),
            (0x0123_4567_89AB_CDEF, 0xB2C0_58E4_EBB5_112C),
            (0x9E37_79B9_7F4A_7C15, 0xE220_A839_7B1D_CDAF), (.max, 0xB4D0_55FC_F2CB_BD7B),
        ] as [(UInt64, UInt64)])
    func mix(value: UInt64, expected: UInt64) {
        #expect(SpanChecksum.mix(value) == expected)
    }

    @Test(
        "The identity of a span is the golden one",
        arguments: [
            (0, 0, 0, 0), (1, 2, 3, 0x89E8_4337_41A6_2774),
            (
                0x0AF7_6519_16CD_43DD, 0x8448_EB21_1C80_319C, 0xB7AD_6B71_6920_3331,
                0x1DDD_A10F_DB86_AE38
            ),
            (.max, .max, .max, 0x4454_2F6B_4110_9923),
        ] as [(UInt64, UInt64, UInt64, UInt64)])
    func identity(high: UInt64, low: UInt64, span: UInt64, expected: UInt64) {
        #expect(
            SpanChecksum.identity(TraceID(high: high, low: low), SpanID(rawValue: span)) == expected
        )
    }

    @Test("Every length from 0 to 300 agrees with the slow oracle, wherever the bytes lie")
    func oracle() {
        var generator = SeededGenerator(seed: 5)
        for byteCount in 0...300 {
            let bytes = (0..<byteCount).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            #expect(Self.content(bytes) == LedgerOracle.content(bytes))
            let shift = Int(generator.next() % 8)
            let moved = [UInt8](repeating: 0xAA, count: shift) + bytes
            let hash = unsafe moved.withUnsafeBytes {
                unsafe SpanChecksum.content($0.baseAddress! + shift, byteCount)
            }
            if !moved.isEmpty { #expect(hash == LedgerOracle.content(bytes)) }
        }
    }

    @Test("A flipped bit anywhere changes the hash")
    func flips() {
        let bytes = (0..<97).map { UInt8($0) }
        let hash = Self.content(bytes)
        for offset in bytes.indices {
            for bit in 0..<8 {
                var flipped = bytes
                flipped[offset] ^= 1 << UInt8(bit)
                #expect(Self.content(flipped) != hash)
            }
        }
    }

    @Test("A body's sums are those of its spans, whatever their order; a flipped bit shows")
    func bodySums() throws {
        let harness = try CoreHarness { $0.sumsChecked = true }
        for number in 0..<50 {
            let span = harness.tracer.startSpan(
                "span", identity: SpanMark(producer: 0, number: number).identity)
            span.setAttribute(AttributeKey("n"), number)
            span.end()
        }
        var body = ExportBody(capacityBytes: 1 << 16)
        #expect(harness.recorder.queue.fill(&body, spans: 100) == 50)
        let messages = try CoreHarness.messages(in: body)
        let content = messages.reversed().reduce(UInt64(0)) { $0 &+ LedgerOracle.content($1) }
        #expect(body.contentSum == content)
        #expect(
            body.identitySum
                == (0..<50).reduce(UInt64(0)) {
                    $0 &+ SpanMark(producer: 0, number: $1).identityHash
                })
        body.flipBit(atByte: body.byteCount - 1)
        let flipped = try CoreHarness.messages(in: body).reduce(UInt64(0)) {
            $0 &+ LedgerOracle.content($1)
        }
        #expect(flipped != body.contentSum)
    }

    @Test("Without sums a recorder keeps none")
    func withoutSums() throws {
        let harness = try CoreHarness { $0.queueSpans = 1 }
        harness.tracer.startSpan("span").end()
        harness.tracer.startSpan("dropped").end()
        var body = ExportBody(capacityBytes: 1 << 16)
        #expect(harness.recorder.queue.fill(&body, spans: 100) == 1)
        #expect(body.identitySum == 0 && body.contentSum == 0)
        #expect(harness.recorder.counters.droppedIdentitySum == 0)
    }
}
