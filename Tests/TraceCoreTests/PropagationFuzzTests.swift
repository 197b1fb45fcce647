import TestSupport
import Testing

@testable import TraceCore

/// A million header lines a run, damaged and random: whatever comes in, no propagator traps, and what it
/// says is something that may be said.
@Suite struct PropagationFuzzTests {
    static let linesPerSeed = 125_000

    @Test("No header line makes a propagator fail", arguments: 0..<8 as Range<UInt64>)
    func anyInput(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var source = LineSource()
        let every = Propagator.composite([.traceContext, .baggage, .b3])
        var headers = HeaderBuffer()
        var lineCount = 0
        var foundCount = 0
        var baggageCount = 0
        while lineCount < Self.linesPerSeed {
            headers.removeAll()
            for _ in 0...generator.next() % 4 {
                source.append(to: &headers, &generator)
                lineCount += 1
            }
            let found = every.extract(from: headers)
            if let complaint = Self.complaint(found) {
                Issue.record("\(complaint): seed \(seed), \(headers.headers)")
                return
            }
            if found.spanContext.isValid { foundCount += 1 }
            if !found.baggage.isEmpty { baggageCount += 1 }
            guard generator.oneIn(16) else { continue }
            // What has been read can be written, and reads the same.
            var written = HeaderBuffer()
            every.inject(found, into: &written)
            let again = every.extract(from: written)
            if again.spanContext != found.spanContext || again.baggage != found.baggage {
                Issue.record("not the same again: seed \(seed), \(headers.headers)")
                return
            }
        }
        // Damage is mild enough for the deeper code to be reached.
        #expect(foundCount > Self.linesPerSeed / 50)
        #expect(baggageCount > Self.linesPerSeed / 50)
    }

    /// What may not be; nil when all is well.
    private static func complaint(_ found: TraceContext) -> String? {
        let context = found.spanContext
        let known: TraceFlags = [.sampled, .random, .debug, .deferred, .denied]
        if !context.flags.isSubset(of: known) { return "unknown flags" }
        if context.isValid {
            if !context.isRemote { return "not remote" }
            if context.flags.contains(.denied) { return "ids with a bare decision" }
            if context.flags.isSuperset(of: [.deferred, .sampled]) {
                return "deferred and decided"
            }
        } else {
            if context.traceID.isValid || context.spanID.isValid { return "half a context" }
            if !context.traceState.isEmpty { return "state without ids" }
        }
        if found.baggage.count > BaggagePropagator.memberCountMax { return "too much baggage" }
        return nil
    }
}

/// Header lines: some well-formed, most damaged, some random.
private struct LineSource {
    /// Names as `append` wants them, and values to begin with.
    private let seeds: [(name: StaticString, values: [[UInt8]])] = [
        (
            "traceparent",
            [
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-more",
                " 00-80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-02\t",
            ]
        ),
        ("TraceState", ["ot=th:8;rv:0123456789abcd,vendor=value", "a=1, b=2,,c@d=3"]),
        (
            "baggage",
            [
                "key1=value1;property1;property2, key2 = value2, key3=%C3%A9;p=q",
                "a=%20%ff,b=1=2,c=;;d,,e", "userId=alice",
            ]
        ),
        (
            "b3",
            [
                "80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-1-e457b5a2e4d86bd1",
                "05e3ac9a4f6e3b90-05e3ac9a4f6e3b90-d", "0", "d",
            ]
        ),
        ("X-B3-TraceId", ["80f198ee56343ba864fe8b2a57d3eff7", "05e3ac9a4f6e3b90"]),
        ("x-b3-spanid", ["05e3ac9a4f6e3b90"]), ("x-b3-sampled", ["0", "1", "true", "false"]),
        ("x-b3-flags", ["1", "0"]), ("x-b3-parentspanid", ["05e3ac9a4f6e3b90"]),
        ("other", ["value"]),
    ].map { seed in (seed.0, seed.1.map { Array($0.utf8) }) }
    private let telling = Array("0123456789abcdefABCDEFghdz-_=,;%+ \t\"\\\0\u{7f}\u{e9}".utf8)
    private var value: [UInt8] = []

    mutating func append(to headers: inout HeaderBuffer, _ generator: inout SeededGenerator) {
        let word = generator.next()
        let seed = seeds[Int(word % UInt64(seeds.count))]
        value.removeAll(keepingCapacity: true)
        if word >> 8 & 15 == 0 {
            // Random from the start.
            for _ in 0..<Int(word >> 16 & 127) { value.append(byte(&generator)) }
        } else {
            value += seed.values[Int(word >> 32 % UInt64(seed.values.count))]
            // None to three edits.
            for _ in 0..<Int(word >> 24 & 3) { damage(&generator) }
        }
        let count = value.count
        unsafe headers.append(seed.name, valueCount: count) { line in
            unsafe value.withUnsafeBytes { unsafe line.copyMemory(from: $0) }
        }
    }

    private func byte(_ generator: inout SeededGenerator) -> UInt8 {
        let word = generator.next()
        return word & 1 == 0 ? UInt8(word >> 8 & 255) : telling[Int(word >> 8) % telling.count]
    }

    private mutating func damage(_ generator: inout SeededGenerator) {
        let word = generator.next()
        guard !value.isEmpty else { return value.append(byte(&generator)) }
        let offset = Int(word >> 8 & 0xffff) % value.count
        switch word & 7 {
        case 0, 1: value[offset] = byte(&generator)
        case 2: value[offset] ^= 1 << UInt8(word >> 32 & 7)
        case 3: value.insert(byte(&generator), at: offset)
        case 4: value.remove(at: offset)
        case 5: value.removeSubrange(offset...)
        case 6: value += value[offset...]
        default: value.removeSubrange(..<offset)
        }
    }
}
