import Synchronization
import TestSupport
import Testing

@testable import TraceCore

/// A bucket as a child would write it: a level, a time, floating-point numbers.
private struct SlowBucket {
    let rate: Double
    let capacity: Double
    var level: Double
    var time: Double?

    init(rate: Double) {
        self.rate = rate
        capacity = max(1, rate)
        level = capacity
    }

    mutating func refill(to seconds: Double) {
        level = min(capacity, level + max(0, seconds - (time ?? seconds)) * rate)
        time = max(time ?? seconds, seconds)
    }
}

/// What threads share.
private final class Tally: Sendable {
    let clock = Atomic<UInt64>(0)
    let kept = Atomic<Int>(0)
}

@Suite struct TokenBucketTests {
    static let start: UInt64 = 1_700_000_000_000_000_000

    @Test(
        "As a slow bucket at random times",
        arguments: [0.001, 0.1, 1, 3, 7.5, 100, 12_345, 1e6, 1e9], [1, 2, 3] as [UInt64])
    func againstModel(rate: Double, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let bucket = TokenBucket(ratePerS: rate)
        var model = SlowBucket(rate: rate)
        var elapsedNs: UInt64 = 0
        var kept = 0
        for _ in 0..<3000 {
            // Gaps around what one token takes, now and then long enough to fill the bucket.
            let tokenNs = 1e9 / rate
            let span = generator.oneIn(200) ? 3 * max(tokenNs, 1e9) : 2 * tokenNs
            if !generator.oneIn(3) {
                elapsedNs += UInt64(Double(generator.next() >> 11) * 0x1p-53 * span)
            }
            model.refill(to: Double(elapsedNs) / 1e9)
            let isKept = bucket.take(at: Self.start + elapsedNs)
            // Where the slow one stands within rounding of a whole token, either answer will do.
            if abs(model.level - 1) > 1e-6 * max(1, rate) { #expect(isKept == (model.level >= 1)) }
            if isKept {
                model.level -= 1
                kept += 1
            }
        }
        #expect(kept > 0)
    }

    @Test("Starts full, and holds a second's worth but never less than one")
    func capacity() {
        for (rate, burst) in [(0.001, 1), (0.5, 1), (1, 1), (2.5, 2), (500, 500)] {
            let bucket = TokenBucket(ratePerS: rate)
            #expect((0..<1000).filter { _ in bucket.take(at: Self.start) }.count == burst)
            // A year later it holds no more.
            let later = Self.start + 31_536_000_000_000_000
            #expect((0..<1000).filter { _ in bucket.take(at: later) }.count == burst)
        }
    }

    @Test("One token takes its time to the nanosecond")
    func refill() {
        for (rate, tokenNs) in [(1, 1_000_000_000), (4, 250_000_000), (0.001, 1_000_000_000_000)]
            as [(Double, UInt64)]
        {
            let bucket = TokenBucket(ratePerS: rate)
            while bucket.take(at: Self.start) {}
            #expect(!bucket.take(at: Self.start + tokenNs - 2))
            #expect(bucket.take(at: Self.start + tokenNs + 1))
            #expect(!bucket.take(at: Self.start + tokenNs + 1))
        }
    }

    @Test("Nothing drifts: a hundred years at any rate", arguments: [0.001, 1, 1000, 1e6, 1e9])
    func hundredYears(rate: Double) {
        let bucket = TokenBucket(ratePerS: rate)
        let century: UInt64 = 3_155_760_000_000_000_000
        for at in [Self.start, Self.start + century / 2, Self.start + century] {
            #expect(bucket.take(at: at))
        }
        // Empty it there, in steps that a token needs, and see the rate once more.
        let tokenNs = UInt64(max(1, 1e9 / rate))
        let end = Self.start + century
        var kept = 0
        for step in 1...100 where bucket.take(at: end + UInt64(step) * tokenNs) { kept += 1 }
        #expect(rate > 1 ? kept == 100 : kept >= 98)
    }

    @Test("Time in the wrong order refills nothing and starves nobody")
    func disorder() {
        let bucket = TokenBucket(ratePerS: 10)
        var generator = SeededGenerator(seed: 5)
        var kept = 0
        let spanNs: UInt64 = 60_000_000_000
        var now: UInt64 = 0
        while now < spanNs {
            now += 1_000_000
            // Up to half a second late.
            let late = generator.next() % 500_000_000
            if bucket.take(at: Self.start + (now > late ? now - late : 0)) { kept += 1 }
        }
        // Capacity and what flowed in, and nearly all of it.
        #expect(kept <= 10 + 600 && kept >= 590)
    }

    @Test("A thread that stood still for an hour mints nothing")
    func stalledThread() {
        let bucket = TokenBucket(ratePerS: 5)
        var kept = 0
        for second in 3600..<3700 as Range<UInt64> {
            for _ in 0..<10 where bucket.take(at: Self.start + second * 1_000_000_000) { kept += 1 }
            #expect(!bucket.take(at: Self.start))
        }
        #expect(kept == 5 + 99 * 5)
    }

    @Test("A clock that is set back begins an empty bucket at the new time")
    func clockSetBack() {
        let bucket = TokenBucket(ratePerS: 2)
        while bucket.take(at: Self.start) {}
        let hour: UInt64 = 3_600_000_000_000
        // A late decision or two are threads that stood still; a hundred are a clock.
        for _ in 0...TokenBucket.lateCountMax { #expect(!bucket.take(at: Self.start - hour)) }
        #expect(!bucket.take(at: Self.start - hour + 400_000_000))
        #expect(bucket.take(at: Self.start - hour + 600_000_000))
        // From zero, or to the end of time, it traps nothing.
        for at in [0, 1, UInt64.max, UInt64.max - 1, Self.start] { _ = bucket.take(at: at) }
    }

    @Test(
        "Rates that are none: nothing below zero, 10⁹ above that",
        arguments: [0, -1, -.infinity, .nan] as [Double])
    func noRate(rate: Double) {
        let program = SamplerProgram(.rateLimiting(tracesPerS: rate))
        #expect(program.isSimple(for: .empty) && !program.keepsRoot(traceLow: .max))
        #expect(program.ask(at: Self.start).decision == .drop)
        let fast = SamplerProgram(.rateLimiting(tracesPerS: .infinity))
        #expect(fast.ask(at: Self.start).decision == .recordAndSample)
        _ = SamplerProgram(.rateLimiting(tracesPerS: 1e300)).ask(at: Self.start)
        _ = SamplerProgram(.rateLimiting(tracesPerS: .leastNonzeroMagnitude)).ask(at: Self.start)
    }

    @Test(
        "Several threads never get more than capacity and what flowed in", arguments: [5.0, 1000])
    func threads(rate: Double) {
        let program = SamplerProgram(.rateLimiting(tracesPerS: rate))
        let tally = Tally()
        // Each attempt moves time on by a fifth of what a token takes.
        let step = UInt64(2e8 / rate)
        let attempts = 20_000
        OSThreads.run(count: 4) { _ in
            var own = 0
            for _ in 0..<attempts {
                let now = tally.clock.add(step, ordering: .relaxed).newValue
                if program.ask(at: Self.start + now).decision == .recordAndSample { own += 1 }
            }
            tally.kept.add(own, ordering: .relaxed)
        }
        let flowed = Double(4 * attempts) * Double(step) / 1e9 * rate
        let count = Double(tally.kept.load(ordering: .relaxed))
        #expect(count <= max(1, rate) + flowed)
        #expect(count >= flowed * 0.99)
    }

    @Test("One provider's tracers share the bucket; two providers have one each")
    func shared() throws {
        let sampler = Sampler.rateLimiting(tracesPerS: 1)
        let harness = try CoreHarness(sampler: sampler) { $0.liveSpansMax = 8 }
        let tracers = [harness.tracer, harness.provider.tracer(name: "another")]
        let kept = tracers.filter { $0.startSpan("root", at: Self.start).isRecording }
        #expect(kept.count == 1)
        let other = try CoreHarness(sampler: sampler) { $0.liveSpansMax = 8 }
        #expect(other.tracer.startSpan("root", at: Self.start).isRecording)
    }

    @Test("A rate says nothing of what a kept trace stands for: a parent's threshold goes")
    func traceState() {
        let program = SamplerProgram(.rateLimiting(tracesPerS: 1))
        for (state, result) in [
            ("ot=th:8", ""), ("v=1,ot=th:8;rv:c0000000000000", "ot=rv:c0000000000000,v=1"),
        ] {
            let verdict = program.ask(
                parent: SpanContext(low: .max, .sampled, state: state), at: Self.start)
            #expect(verdict.traceState.header == result)
        }
    }

    @Test("Start times of the caller's empty no bucket and fill none, unless they are the time")
    func callersTimes() throws {
        let hour: UInt64 = 3_600_000_000_000
        let harness = try CoreHarness(sampler: .rateLimiting(tracesPerS: 0.01)) {
            $0.liveSpansMax = 8
        }
        #expect(harness.tracer.startSpan("of a clock ahead", at: Self.start + hour).isRecording)
        for passed: UInt64 in [0, 60, 1_000_000] {
            #expect(
                !harness.tracer.startSpan("later", at: Self.start + hour + passed * 1_000_000_000)
                    .isRecording)
        }
        let simulated = try CoreHarness(sampler: .rateLimiting(tracesPerS: 0.01)) {
            $0.liveSpansMax = 8
            $0.simulatesTime = true
        }
        #expect(simulated.tracer.startSpan("first", at: Self.start).isRecording)
        #expect(
            !simulated.tracer.startSpan("too soon", at: Self.start + 60_000_000_000).isRecording)
        #expect(simulated.tracer.startSpan("in time", at: Self.start + 101_000_000_000).isRecording)
    }
}
