import TestSupport
import Testing

@testable import TraceCore

@Suite struct ClockTests {
    @Test(
        "No duration is negative, and starts follow the wall clock",
        arguments: [ClockSource.cycleCounter, .system])
    func durations(clock: ClockSource) throws {
        let harness = try CoreHarness {
            $0.clock = clock
            $0.queueSpans = 4_096
        }
        let before = TraceClock.unixNs
        for _ in 0..<2_000 { harness.tracer.startSpan("span").end() }
        let after = TraceClock.unixNs
        let spans = try harness.drain(spans: 4_096)
        #expect(spans.count == 2_000)
        #expect(spans.allSatisfy { $0.endUnixNano >= $0.startUnixNano })
        // A minute either way: the machine's own clock may be adjusted meanwhile.
        let slack: UInt64 = 60_000_000_000
        #expect(
            spans.allSatisfy {
                $0.startUnixNano + slack >= before && $0.endUnixNano <= after + slack
            })
        // One thread's starts go forward, but for a new anchor.
        let backward = zip(spans, spans.dropFirst()).count { $0.startUnixNano > $1.startUnixNano }
        #expect(backward <= 100)
    }

    @Test(
        "A duration is the monotonic time that passed",
        arguments: [ClockSource.cycleCounter, .system])
    func monotonic(clock: ClockSource) throws {
        let harness = try CoreHarness { $0.clock = clock }
        let outside = TraceClock.monotonicNs
        let span = harness.tracer.startSpan("span")
        let inside = TraceClock.monotonicNs
        while TraceClock.monotonicNs &- inside < 3_000_000 { yieldProcessor() }
        let atLeast = TraceClock.monotonicNs - inside
        span.end()
        let atMost = TraceClock.monotonicNs - outside
        let read = try #require(try harness.drain().first)
        let duration = read.endUnixNano - read.startUnixNano
        // The cycle counter is calibrated to some parts in 100,000.
        #expect(duration + duration / 1_000 + 1_000 >= atLeast)
        #expect(duration <= atMost + atMost / 1_000 + 1_000)
    }

    @Test(
        "Spans that start on one thread and end on others never end before they start",
        arguments: [ClockSource.cycleCounter, .system])
    func acrossThreads(clock: ClockSource) throws {
        let harness = try CoreHarness {
            $0.clock = clock
            $0.queueSpans = 4_096
        }
        let tracer = harness.tracer
        let handed = Locked<[ActiveSpan]>([])
        let ended = SharedNumber()
        OSThreads.run(count: 3) { index in
            if index == 0 {
                for _ in 0..<1_000 {
                    let span = tracer.startSpan("span")
                    handed.withLock { $0.append(span) }
                }
                return
            }
            while ended.value < 1_000 {
                guard let span = handed.withLock({ $0.popLast() }) else {
                    yieldProcessor()
                    continue
                }
                span.end()
                ended.add()
            }
        }
        let spans = try harness.drain(spans: 4_096)
        #expect(spans.count == 1_000 && spans.allSatisfy { $0.endUnixNano >= $0.startUnixNano })
    }

    @Test("Fixed-point scaling agrees with wide arithmetic")
    func scaling() {
        var generator = SeededGenerator(seed: 1)
        #expect(Calibration.scale(12_345, by: 1 << 32) == 12_345)
        #expect(Calibration.scale(.max, by: 1 << 32) == .max)
        for _ in 0..<500 {
            let ticks = generator.next() >> (generator.next() % 64)
            let ratio = generator.next() >> 31
            let (high, low) = ticks.multipliedFullWidth(by: ratio)
            // By halves of 32 bits.
            let expected = high &* (1 << 32) &+ low / (1 << 32)
            #expect(Calibration.scale(ticks, by: ratio) == expected)
        }
    }

    @Test("The calibration is that of this machine's counter")
    func calibration() {
        guard TraceClock.isCycleCounterInvariant else { return }
        let (ticks, monotonicNs) = Calibration.pair()
        while TraceClock.monotonicNs - monotonicNs < 5_000_000 { yieldProcessor() }
        let (laterTicks, laterNs) = Calibration.pair()
        let measured = Double(laterNs - monotonicNs)
        let scaled = Double(TraceClock.nanoseconds(cycles: laterTicks - ticks))
        #expect(abs(scaled - measured) < measured / 100)
    }

    @Test("An anchor that is too old, or lies ahead, is taken anew", arguments: [false, true])
    func anchors(usesCycles: Bool) {
        guard !usesCycles || TraceClock.isCycleCounterInvariant else { return }
        var anchor = ClockAnchor()
        let now = usesCycles ? TraceClock.cycles : TraceClock.monotonicNs
        let first = anchor.unixNano(at: now, usesCycles: usesCycles)
        let slack: UInt64 = 60_000_000_000
        #expect(first + slack > TraceClock.unixNs && first < TraceClock.unixNs + slack)
        let (ticks, unixNano) = (anchor.ticks, anchor.unixNano)
        // Within its time it counts on from where it is.
        let half = anchor.ticksMax / 2
        let later = anchor.unixNano(at: ticks &+ half, usesCycles: usesCycles)
        #expect(later == unixNano &+ Calibration.scale(half, by: anchor.nanosecondsPerTick))
        #expect(later > unixNano + 400_000_000 && later < unixNano + 600_000_000)
        #expect(anchor.ticks == ticks)
        // A core that is a few ticks behind must not read centuries.
        let behind = anchor.unixNano(at: ticks &- 5, usesCycles: usesCycles)
        #expect(behind < TraceClock.unixNs + slack && behind + slack > unixNano)
        let old = anchor.ticks
        _ = anchor.unixNano(at: anchor.ticks &+ anchor.ticksMax, usesCycles: usesCycles)
        #expect(anchor.ticks != old)
    }

    @Test("An end by the clock of a span with a start of its own is not before that")
    func explicitStart() throws {
        let harness = try CoreHarness()
        let start = TraceClock.unixNs - 5_000_000_000
        harness.tracer.startSpan("past", at: start).end()
        let read = try #require(try harness.drain().first)
        #expect(read.startUnixNano == start && read.endUnixNano >= start + 4_000_000_000)
    }
}
