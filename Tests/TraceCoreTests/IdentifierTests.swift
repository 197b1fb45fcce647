import TestSupport
import Testing

@testable import TraceCore

@Suite struct IdentifierTests {
    private static func reference(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    static let edges: [UInt64] =
        [
            0, 1, 9, 10, 15, 16, 0x99, 0x9a, 0xaf, 0xff, .max, 0x0123_4567_89ab_cdef,
            0xfedc_ba98_7654_3210,
        ]
        + (0..<64).map { 1 << $0 }

    @Test(
        "Numbers to digits and back, as the library's radix does it",
        arguments: 0..<4 as Range<UInt64>)
    func hexadecimal(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let values =
            Self.edges + (0..<2_000).map { _ in generator.next() >> (generator.next() % 64) }
        for value in values {
            let digits = Self.reference(value)
            #expect(SpanID(rawValue: value).hex == digits)
            #expect(SpanID(hex: digits)?.rawValue == value)
            #expect(SpanID(hex: digits.uppercased())?.rawValue == value)
            let trace = TraceID(high: value, low: ~value)
            #expect(trace.hex == digits + Self.reference(~value))
            #expect(TraceID(hex: trace.hex) == trace)
        }
    }

    @Test(
        "Anything but so many digits is no id",
        arguments: [
            "", "0", "g000000000000001", "000000000000000", "00000000000000001", " 000000000000001",
            "+000000000000001", "0x00000000000001", "00000000000000é", "00000000:0000000",
            "00000000`0000000",
            "00000000@0000000", "00000000/0000000", "00000000G0000000",
        ])
    func malformed(text: String) {
        #expect(SpanID(hex: text) == nil)
        #expect(TraceID(hex: text + text) == nil)
        #expect(TraceID(hex: "0000000000000001" + text) == nil)
        #expect(TraceID(hex: text + "0000000000000001") == nil)
    }

    @Test("Substrings are read as they stand")
    func substrings() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        #expect(
            TraceID(hex: text.dropFirst(3).prefix(32))?.hex == "0af7651916cd43dd8448eb211c80319c")
        #expect(SpanID(hex: text.dropFirst(36).prefix(16))?.hex == "b7ad6b7169203331")
    }

    @Test("Only all zero is invalid")
    func validity() {
        #expect(!TraceID(high: 0, low: 0).isValid && !SpanID(rawValue: 0).isValid)
        #expect(TraceID(high: 1, low: 0).isValid && TraceID(high: 0, low: 1).isValid)
        #expect(!SpanContext.invalid.isValid)
    }

    @Test("Ids of many threads differ, and their bits are even")
    func generated() throws {
        let harness = try CoreHarness(sampler: .alwaysOff)
        let tracer = harness.tracer
        let all = Locked<[SpanContext]>([])
        OSThreads.run(count: 4) { _ in
            let mine = (0..<2_500).map { _ in tracer.startSpan("span").context }
            all.withLock { $0 += mine }
        }
        let contexts = all.withLock { $0 }
        #expect(Set(contexts.map(\.traceID)).count == 10_000)
        #expect(Set(contexts.map(\.spanID)).count == 10_000)
        #expect(contexts.allSatisfy { $0.isValid && $0.flags.contains(.random) })
        // Each bit is set in half of them: within seven standard deviations (50) of 10,000 coins.
        for bit in 0..<64 as Range<UInt64> {
            for part in [\SpanContext.traceID.high, \.traceID.low, \.spanID.rawValue] {
                let count = contexts.count { $0[keyPath: part] >> bit & 1 == 1 }
                #expect(abs(count - 5_000) < 350, "bit \(bit)")
            }
        }
    }

    @Test("The generator is MWC128 with the exclusive or of its words, by a published number")
    func multiplyWithCarry() {
        // SmokeRand's self-test of its generator MWC128X: the millionth number from state 12345, 67890.
        var generator = IDGenerator(x: 12_345, carry: 67_890)
        var last: UInt64 = 0
        for _ in 0..<1_000_000 { last = generator.next() }
        #expect(last == 0xde49_1906_5dbf_6449)
    }

    @Test("A seeded generator never comes to a state that stays as it is")
    func seeds() {
        for _ in 0..<1_000 {
            var generator = IDGenerator()
            generator.seed()
            #expect(generator.carry > 0 && generator.carry < 0xffeb_b71d_94fc_daf9)
        }
    }

    @Test("Ids that the caller chose are used; a parent's trace goes before")
    func chosen() throws {
        let harness = try CoreHarness()
        let identity = SpanIdentity(traceID: TraceID(high: 5, low: 6), spanID: SpanID(rawValue: 7))
        let root = harness.tracer.startSpan("root", identity: identity)
        #expect(root.context.traceID == identity.traceID && root.context.spanID == identity.spanID)
        let parent = SpanContext(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(rawValue: 3), flags: .sampled)
        let child = harness.tracer.startSpan("child", parent: parent, identity: identity)
        #expect(child.context.traceID == parent.traceID && child.context.spanID == identity.spanID)
    }

    @Test("A root says that its trace id is random when it is: drawn here, or declared so")
    func randomFlag() throws {
        let harness = try CoreHarness(sampler: .alwaysOff)
        func flags(_ identity: SpanIdentity?) -> TraceFlags {
            harness.tracer.startSpan("root", identity: identity).context.flags
        }
        let traceID = TraceID(high: 1, low: 1)
        let spanID = SpanID(rawValue: 1)
        #expect(flags(nil) == .random)
        #expect(flags(SpanIdentity(traceID: traceID, spanID: spanID)) == [])
        #expect(
            flags(SpanIdentity(traceID: traceID, spanID: spanID, isTraceIDRandom: true)) == .random)
        let sampled = try CoreHarness(sampler: .probability(1))
        let root = sampled.tracer.startSpan(
            "root", identity: SpanIdentity(traceID: traceID, spanID: spanID))
        #expect(root.context.flags == .sampled)
    }

    @Test("Zero is no id: a caller's zero is replaced by a random one")
    func zeroIdentity() throws {
        let harness = try CoreHarness()
        let none = SpanIdentity(traceID: TraceID(high: 0, low: 0), spanID: SpanID(rawValue: 0))
        let root = harness.tracer.startSpan("root", identity: none)
        #expect(root.context.isValid)
        #expect(root.context.flags == [.sampled, .random])
        let child = harness.tracer.startSpan("child", parent: root.context, identity: none)
        #expect(child.context.isValid && child.context.spanID != root.context.spanID)
    }
}
