import TestSupport
import Testing

@testable import TraceCore

/// The same shares kept in dictionaries of what happened when, and worked out anew for every decision.
private struct SlowShares {
    let settings: AdaptiveSettings
    var firstSeen: [String: UInt64] = [:]
    /// Decisions of each closed or open interval, by the interval's number.
    var counts: [String: [Int: Int]] = [:]

    mutating func keeps(_ name: String, randomness: UInt64, at now: UInt64) -> Bool {
        let first = firstSeen[name] ?? now
        firstSeen[name] = first
        let number = Int((now - first) / UInt64(settings.intervalS * 1e9))
        let seen = counts[name] ?? [:]
        counts[name, default: [:]][number, default: 0] += 1
        guard number > 0 else { return true }
        var average = Double(seen[0] ?? 0)
        for interval in 1..<max(number, 1) {
            average =
                settings.weight * Double(seen[interval] ?? 0)
                + (1 - settings.weight) * average
        }
        let target = settings.targetPerS * settings.intervalS
        guard average > target else { return true }
        // R ≥ (1 − p)·2⁵⁶, to within what a double holds.
        return Double(randomness) >= (1 - target / average) * 0x1p56
    }
}

@Suite struct AdaptiveSamplerTests {
    static let start: UInt64 = 1_700_000_000_000_000_000
    static let second: UInt64 = 1_000_000_000

    @Test(
        "As a slow reading of the rule at random times",
        arguments: [
            AdaptiveSettings(targetPerS: 2), AdaptiveSettings(targetPerS: 0.3, intervalS: 4),
            AdaptiveSettings(targetPerS: 5, intervalS: 1, weight: 0.1),
            AdaptiveSettings(targetPerS: 1, intervalS: 2.5, weight: 1),
        ], [11, 12] as [UInt64])
    func againstModel(settings: AdaptiveSettings, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let program = SamplerProgram(.adaptive(settings))
        var model = SlowShares(settings: settings)
        let names = ["GET /", "POST /orders", "a", ""]
        var now = Self.start
        var dropped = 0
        for step in 0..<4000 {
            now += generator.next() % (step / 1000 % 2 == 0 ? 30_000_000 : 700_000_000)
            // The first name comes most often.
            let name = generator.oneIn(2) ? names[0] : generator.pick(names)
            let low = generator.next()
            let isKept =
                program.ask(traceID: TraceID(high: 1, low: low), name: name, at: now).decision
                == .recordAndSample
            let expected = model.keeps(name, randomness: low & 0xff_ffff_ffff_ffff, at: now)
            #expect(isKept == expected, "\(name) at \(now)")
            if !isKept { dropped += 1 }
        }
        #expect(dropped > 100)
    }

    @Test("Each operation comes out at the target, whatever comes in", arguments: [1.0, 10])
    func target(targetPerS: Double) {
        let program = SamplerProgram(.adaptive(AdaptiveSettings(targetPerS: targetPerS)))
        var generator = SeededGenerator(seed: 3)
        for (name, perS) in [("rare", 1), ("usual", 100), ("frequent", 1000)] as [(String, UInt64)]
        {
            var kept = 0.0
            // Two minutes; the first of them is for settling.
            for number in 0..<120 * perS {
                let low = generator.next()
                let decision = program.ask(
                    traceID: TraceID(high: 1, low: low), name: name,
                    at: Self.start + number * Self.second / perS
                ).decision
                if number >= 60 * perS, decision == .recordAndSample { kept += 1 }
            }
            let expected = min(Double(perS), targetPerS) * 60
            #expect(abs(kept - expected) <= 5 * expected.squareRoot())
        }
    }

    @Test("An operation that is new is kept for an interval, and so is one that fell asleep")
    func unseen() {
        let program = SamplerProgram(.adaptive(AdaptiveSettings(targetPerS: 0.01)))
        func keeps(_ seconds: Double) -> Bool {
            let at = Self.start + UInt64(seconds * 1e9)
            return program.ask(traceID: TraceID(high: 1, low: 1), at: at).decision != .drop
        }
        for step in 0..<1499 { #expect(keeps(Double(step) / 100)) }
        #expect(!keeps(15) && !keeps(20))
        // A year without it, and the average has gone.
        #expect(keeps(31_536_000))
    }

    @Test("Runs repeat: the same spans are kept, and other operations change nothing")
    func repeatable() {
        func run(withOthers: Bool) -> [Bool] {
            let program = SamplerProgram(.adaptive(AdaptiveSettings(targetPerS: 3)))
            var generator = SeededGenerator(seed: 8)
            return (0..<3000).map { number in
                let at = Self.start + UInt64(number) * 20_000_000
                let id = TraceID(high: 1, low: generator.next())
                if withOthers { _ = program.ask(traceID: id, name: "other \(number % 50)", at: at) }
                return program.ask(traceID: id, name: "one", at: at).decision != .drop
            }
        }
        let first = run(withOthers: false)
        #expect(first == run(withOthers: false) && first == run(withOthers: true))
        #expect(first.contains(false))
    }

    @Test("Keys are bounded: all further operations share one share")
    func keysMax() {
        let program = SamplerProgram(
            .adaptive(AdaptiveSettings(targetPerS: 1, intervalS: 1, keysMax: 10)))
        var keptOfMany = 0
        // Ten keys are taken; then a million names would each be new, and all be kept.
        for number in 0..<10 { _ = program.ask(name: "key \(number)", at: Self.start) }
        for number in 0..<20_000 as Range<UInt64> {
            let decision = program.ask(
                traceID: TraceID(high: 1, low: number &* 0x9E37_79B9_7F4A_7C15),
                name: "user \(number)", at: Self.start + number * 1_000_000
            ).decision
            if number >= 2000, decision != .drop { keptOfMany += 1 }
        }
        #expect((5...40).contains(keptOfMany))
        // One of the ten still has its own.
        #expect(
            program.ask(name: "key 3", at: Self.start + 30 * Self.second).decision != .drop)
    }

    @Test("A clock that is set back starts an interval instead of counting for ever")
    func clockSetBack() {
        let program = SamplerProgram(.adaptive(AdaptiveSettings(targetPerS: 1, intervalS: 1)))
        func count(from start: UInt64, seconds: UInt64) -> Int {
            (0..<seconds * 100).filter { step in
                program.ask(
                    traceID: TraceID(high: 1, low: step &* 0x9E37_79B9_7F4A_7C15),
                    at: start + step * 10_000_000
                ).decision != .drop
            }.count
        }
        _ = count(from: Self.start, seconds: 5)
        let kept = count(from: Self.start - 3600 * Self.second, seconds: 60)
        #expect((30...100).contains(kept))
        for at in [0, UInt64.max, 1, UInt64.max - 1] { _ = program.ask(at: at) }
    }

    @Test(
        "Settings out of range are brought into it",
        arguments: [
            AdaptiveSettings(targetPerS: -1, intervalS: -1, weight: -1, keysMax: -1),
            AdaptiveSettings(targetPerS: .nan, intervalS: .nan, weight: .nan, keysMax: 0),
            AdaptiveSettings(
                targetPerS: .infinity, intervalS: .infinity, weight: .infinity, keysMax: 1 << 30),
        ])
    func oddSettings(settings: AdaptiveSettings) {
        let program = SamplerProgram(.adaptive(settings))
        for step in 0..<50 as Range<UInt64> {
            _ = program.ask(at: Self.start + step * Self.second)
        }
    }

    @Test("Names that differ have different keys, whatever their length")
    func keys() {
        var seen: Set<UInt64> = []
        var texts = (0..<5000).map { "operation \($0)" }
        texts += (0..<40).map { String(repeating: "a", count: $0) }
        texts += (1..<40).map { String(repeating: "\0", count: $0) }
        for text in texts {
            seen.insert(
                unsafe Array(text.utf8).withUnsafeBytes { unsafe AdaptiveShares.key(ofName: $0) })
        }
        #expect(seen.count == texts.count)
    }

    @Test("Several threads lose no count")
    func threads() {
        let shares = AdaptiveShares(AdaptiveSettings(targetPerS: 1, intervalS: 1))
        OSThreads.run(count: 4) { thread in
            for _ in 0..<5000 {
                _ = shares.keeps(key: UInt64(thread % 2 + 7), randomness: 0, at: Self.start)
            }
        }
        // 10,000 in a second for a target of 1: one in ten thousand is the share now.
        for key in [7, 8] as [UInt64] {
            let edge = ProbabilityThreshold.of(probability: 1e-4, precision: 14)
            let at = Self.start + Self.second
            #expect(shares.keeps(key: key, randomness: edge, at: at))
            #expect(!shares.keeps(key: key, randomness: edge - 1, at: at))
        }
    }
}
