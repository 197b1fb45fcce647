import TestSupport
import Testing

@testable import TraceCore

/// Most spans go a short way through the core, the others a long one. Whoever looks at what was exported must not be
/// able to tell which.
@Suite struct UsualPathTests {
    private static let keys = (0..<40).map { AttributeKey("key.\($0)") }
    private static let longKey = AttributeKey(String(repeating: "k", count: 125))
    private static let name = SpanName("name")

    /// Writes what may be written in any way; the same for every recorder.
    private static func write(_ span: ActiveSpan, _ generator: inout SeededGenerator) {
        for key in keys.prefix(Int(generator.next() % 40)) {
            switch generator.next() % 8 {
            case 0: span.setAttribute(key, Int(truncatingIfNeeded: generator.next()))
            case 1: span.setAttribute(key, Int(generator.next() % 0x80))
            case 2: span.setAttribute(key, Int(generator.next() % 0x4000))
            case 3: span.setAttribute(key, Double(generator.next() % 1_000) / 7)
            case 4: span.setAttribute(key, generator.next() % 2 == 0)
            case 5: span.setAttribute(key, "literal")
            case 6:
                let count = Int(generator.next() % 140)
                span.setAttribute(key, string: String(repeating: "v", count: count))
            default: span.setAttribute("literal.key", Int(generator.next() % 300))
            }
        }
        if generator.next() % 4 == 0 { span.setAttribute(longKey, true) }
    }

    /// Spans as exported, but for their ids and times.
    private func spans(
        seed: UInt64, _ configure: (inout RecorderOptions) -> Void, limits: SpanLimits
    ) throws -> [ReadSpan] {
        let harness = try CoreHarness(limits: limits) {
            $0.liveSpansMax = 4_096
            configure(&$0)
        }
        var generator = SeededGenerator(seed: seed)
        for number in 0..<200 {
            let span = harness.tracer.startSpan(
                Self.name, kind: number % 2 == 0 ? .server : .client)
            Self.write(span, &generator)
            span.end()
        }
        return try harness.drain().map { span in
            var span = span
            span.traceID = ""
            span.spanID = ""
            span.startUnixNano = 0
            span.endUnixNano = 0
            span.message = []
            return span
        }
    }

    @Test(
        "Spans that take turns on their slots, or come one at a time from a small store, are the same",
        arguments: 1...6 as ClosedRange<UInt64>)
    func sameSpans(seed: UInt64) throws {
        var limits = SpanLimits()
        if seed % 3 == 1 { limits.attributeCount = 8 }
        if seed % 3 == 2 { limits.attributeValueLength = 5 }
        let usual = try spans(seed: seed, { _ in }, limits: limits)
        #expect(usual.count == 200)
        #expect(try spans(seed: seed, { $0.fencesOpenly = true }, limits: limits) == usual)
        // No cache: every end goes the long way.
        #expect(try spans(seed: seed, { $0.liveSpansMax = 1 }, limits: limits) == usual)
    }

    @Test(
        "A limit beyond what is counted at once is counted to its end",
        arguments: [0, 1, 32_766, 32_767, 32_768, 40_000, Int.max])
    func manyAttributes(limit: Int) {
        var limits = SpanLimits()
        limits.attributeCount = limit
        let packed = unsafe limits.packed.pointee
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 16)
        defer { unsafe memory.deallocate() }
        var chain = unsafe ByteChain(inline: memory, capacity: 200)
        chain.room |= ByteChain.room(under: packed)
        chain.attributesBeyond = ByteChain.attributesBeyond(packed)
        let held = min(limit, 1 << 31 - 1)
        #expect(chain.attributesLeft == held && chain.bytesLeft == 200)
        for added in 1...max(1, min(held, 50_000)) where held > 0 {
            chain.countAttributes(1)
            guard chain.attributesLeft == held - added, chain.bytesLeft == 200 else {
                Issue.record("after \(added)")
                return
            }
            // The usual way has to see the end, and nothing before it.
            let isRefused = (chain.room &- ByteChain.oneAttribute) & ByteChain.overdrawn != 0
            guard isRefused == (chain.room >> 16 == 0) else {
                Issue.record("refused \(isRefused) after \(added)")
                return
            }
        }
        chain.countAttributes(-1)
        #expect(chain.attributesLeft == (held > 0 ? max(held - 50_000, 0) : 0) + 1)
    }
}
