// Several threads: what a second producer costs, whether many threads on few cores lose throughput, and how
// long a single `end` takes.
import Synchronization
import TraceCore
import TraceLoad
import TraceResults

extension BenchSuite {
    mutating func threads() throws {
        try secondProducer()
        try manyThreads()
        try endLatency()
    }

    /// One thread's CPU time for a span while it is alone, and while another does the same; beside it the
    /// same for work that shares nothing but what the two cores share.
    private mutating func secondProducer() throws {
        let rows = [
            BenchRow("oneProducerSpanNs", "one thread, own CPU time a span"),
            BenchRow("twoProducersSpanNs", "two threads, each its own", beside: "one thread"),
            BenchRow(
                "twoProducersFactor", "two threads do the work of", unit: "×",
                beside: "integer work"),
        ]
        guard isAnyWanted(rows) else { return }
        let shape = FiveAttributes()
        try verify([shape, shape])
        let team = try ProducerTeam(clock: clock)
        let rounds = scaled(36)
        var outcomes: [ProducerTeam.Outcome] = []
        try measure(
            rows, notes: { _ in ["", ProducerTeam.text(outcomes), ""] }
        ) { _ in
            let one = try team.run([shape], rounds: rounds)
            let two = try team.run([shape, shape], rounds: rounds)
            let work = IntegerWork()
            let oneWorks = try team.run([work], rounds: rounds, areSpans: false)
            let twoWork = try team.run([work, work], rounds: rounds, areSpans: false)
            outcomes.append(two)
            return [
                BenchSample(one.spanNs), BenchSample(two.spanNs, beside: one.spanNs),
                BenchSample(
                    2 * one.spanNs / two.spanNs, beside: 2 * oneWorks.spanNs / twoWork.spanNs),
            ]
        }
        try team.check("two producers")
    }

    /// Spans a second of the whole, made, drained and thrown away, with 2 producers and with 32.
    private mutating func manyThreads() throws {
        let rows = [
            BenchRow(
                "twoThreadsSpansPerS", "2 threads and a consumer, wall", unit: "spans/s", beside: ""
            ),
            BenchRow(
                "manyThreadsSpansPerS", "32 threads and a consumer, wall", unit: "spans/s",
                beside: "2 threads"),
        ]
        guard isAnyWanted(rows) else { return }
        let shape = FiveAttributes()
        try verify([FiveAttributes](repeating: shape, count: 32))
        let rig = try BenchRig(clock: clock, queueSpans: 65_536)
        let drain = DrainThread(rig.recorder.queue)
        defer { drain.stop() }
        let count = scaled(960_000)
        try measure(rows) { number in
            var rates: [Double] = []
            // Each is first in every other repetition.
            for threads in number.isMultiple(of: 2) ? [2, 32] : [32, 2] {
                let tracer = rig.tracer
                let each = count / threads
                let startedNs = TraceClock.monotonicNs
                _ = try ProducerThreads.run(threads) { thread in
                    for number in thread * each..<(thread + 1) * each {
                        _ = shape.make(tracer, number, at: nil)
                    }
                }
                drain.waitUntilIdle(rig.recorder.queue)
                let passedNs = TraceClock.monotonicNs - startedNs
                rig.note(made: threads * each)
                rates.append(Double(threads * each) / Double(passedNs) * 1e9)
            }
            if !number.isMultiple(of: 2) { rates.swapAt(0, 1) }
            return [BenchSample(rates[0]), BenchSample(rates[1], beside: rates[0])]
        }
        try rig.check("2 and 32 threads")
    }

    /// Single ends, each timed with the cycle counter, beside a timer with nothing in between. The queue
    /// holds every span of a repetition, so no end waits for room.
    private mutating func endLatency() throws {
        let percentiles = [("P50", "p50", 50.0), ("P99", "p99", 99), ("P999", "p99.9", 99.9)]
        var rows = percentiles.map { name, title, _ in
            BenchRow("endNs\(name)", "a single end, \(title)", beside: "the timer alone")
        }
        rows.append(BenchRow("endNsMax", "a single end, longest", beside: "the timer alone"))
        guard isAnyWanted(rows) else { return }
        guard TraceClock.isCycleCounterInvariant else {
            onRemark?(
                "single ends are not timed: this machine has no cycle counter that keeps its pace")
            return
        }
        let shape = FiveAttributes()
        try verify(shape, spans: 16_384)
        let count = scaled(100_000)
        let rig = try BenchRig(clock: clock, queueSpans: 2 * count)
        let drain = DrainThread(rig.recorder.queue)
        defer { drain.stop() }
        let histograms = EndHistograms()
        measure(rows, note: "\(NumberText.grouped(count)) ends a repetition") { _ in
            histograms.reset()
            histograms.timeNothing(count)
            histograms.timeEnds(shape, rig.tracer, count)
            rig.note(made: count)
            drain.waitUntilIdle(rig.recorder.queue)
            return (percentiles.map(\.2) + [100]).map { histograms.sample(at: $0) }
        }
        try rig.check("timed ends")
    }
}

/// Two histograms: of ends, and of the timer alone. One thread.
private final class EndHistograms {
    private var ends = LatencyHistogram()
    private var nothing = LatencyHistogram()

    func reset() {
        ends.removeAll()
        nothing.removeAll()
    }

    func timeNothing(_ count: Int) {
        for number in 0..<count {
            let before = TraceClock.cycles
            let after = TraceClock.cycles
            nothing.record(TraceClock.nanoseconds(cycles: after &- before))
            keep(UInt64(number))
        }
    }

    func timeEnds(_ shape: FiveAttributes, _ tracer: Tracer, _ count: Int) {
        for number in 0..<count {
            let span = shape.open(tracer, number)
            let before = TraceClock.cycles
            span.end()
            let after = TraceClock.cycles
            ends.record(TraceClock.nanoseconds(cycles: after &- before))
        }
    }

    func sample(at percentile: Double) -> BenchSample {
        BenchSample(
            Double(ends.valueNs(atPercentile: percentile)),
            beside: Double(nothing.valueNs(atPercentile: percentile)))
    }
}
