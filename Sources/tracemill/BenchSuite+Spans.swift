// What a span costs: sampled and not, with either clock, drained on the same core and on another, around
// a closure.
import TraceCore
import TraceLoad
import TraceResults

extension BenchSuite {
    mutating func spans() throws {
        let shape = FiveAttributes()
        try sampled(shape)
        try sampledAndDrained(shape)
        try unsampled(shape)
        try withSpan()
    }

    /// Sampled spans and request bodies by turns on one thread, 4,096 at a time, with one clock and the
    /// other: what the code costs, with nobody else on the machine's other core. With it, what a span
    /// allocates, and what the loop costs without a span in it.
    private mutating func sampled(_ shape: FiveAttributes) throws {
        let names: [ClockSource: String] = [
            .cycleCounter: "cycle counter", .system: "clock_gettime",
        ]
        let other: ClockSource = clock == .system ? .cycleCounter : .system
        let rows = [
            BenchRow("sampledSpanNs", "sampled, start to end, \(names[clock] ?? "")"),
            BenchRow(
                other == .system ? "sampledSpanSystemNs" : "sampledSpanCyclesNs",
                "sampled, start to end, \(names[other] ?? "")"),
            BenchRow("emptyLoopNs", "the same loop without a span"),
            BenchRow("encodeSpanNs", "from queue to finished request body", beside: "memcpy"),
            BenchRow(
                "heapBytesPerSpan", "heap bytes allocated, a sampled span", unit: "B", beside: ""),
        ]
        guard isAnyWanted(rows) else { return }
        try verify(shape, spans: 16_384)
        let chosen = try BenchRig(clock: clock)
        let second = try BenchRig(clock: other)
        let (bursts, burstSpans) = (scaled(24), 4096)
        measure(rows) { _ in
            var (cost, otherCost) = (BenchRig.Cost(), BenchRig.Cost())
            let heapBefore = Heap.allocatedBytesOfThread()
            // By turns, so that both meet the same minute.
            for _ in 0..<2 {
                cost.add(
                    chosen.bursts(shape, bursts, of: burstSpans, from: chosen.made, copies: true))
                otherCost.add(second.bursts(shape, bursts, of: burstSpans, from: second.made))
            }
            let heap = Heap.allocatedBytesOfThread() - heapBefore
            let empty = cpuNs {
                let tracer = chosen.tracer
                for number in 0..<burstSpans { _ = NoSpan().make(tracer, number, at: nil) }
            }
            return [
                BenchSample(cost.spanNs), BenchSample(otherCost.spanNs),
                BenchSample(empty / Double(burstSpans)),
                BenchSample(cost.encodeNs, beside: cost.copySpanNs),
                BenchSample(Double(heap) / Double(cost.spans + otherCost.spans)),
            ]
        }
        try chosen.check("sampled spans")
        try second.check("sampled spans, the other clock")
    }

    /// The same with a thread beside that drains: every line of every record crosses between two cores,
    /// and two cores that are threads of one share its units.
    private mutating func sampledAndDrained(_ shape: FiveAttributes) throws {
        let rows = [
            BenchRow("sampledSpanDrainedNs", "sampled, another thread draining"),
            BenchRow("encodeSpanDrainedNs", "… into bodies, on that other thread"),
        ]
        guard isAnyWanted(rows) else { return }
        try verify(shape, spans: 16_384)
        let rig = try BenchRig(clock: clock, queueSpans: 65_536)
        let drain = DrainThread(rig.recorder.queue)
        defer { drain.stop() }
        let count = scaled(200_000)
        measure(rows) { _ in
            let before = drain.totals
            let made = cpuNs {
                for number in 0..<count { _ = shape.make(rig.tracer, number, at: nil) }
            }
            rig.note(made: count)
            drain.waitUntilIdle(rig.recorder.queue)
            let after = drain.totals
            let spans = Double(max(1, after.spans - before.spans))
            return [
                BenchSample(made / Double(count)),
                BenchSample(Double(after.fillNs - before.fillNs) / spans),
            ]
        }
        try rig.check("spans drained by another thread")
    }

    private mutating func unsampled(_ shape: FiveAttributes) throws {
        let recorder = try SpanRecorder(options: options(queueSpans: 2048))
        func tracer(_ sampler: Sampler) -> Tracer {
            TracerProvider(
                recorder: recorder, resource: Resource(serviceName: "bench"), sampler: sampler
            ).tracer(name: "tracemill.bench")
        }
        let off = tracer(.alwaysOff)
        time("unsampledSpanNs", "unsampled root, start and end", count: 300_000) { count in
            for _ in 0..<count { shape.makeBare(off) }
        }
        let parentBased = tracer(.parentBased(root: .alwaysOn))
        let parent = off.startSpan("parent").context
        time("unsampledChildNs", "child of an unsampled parent", count: 300_000) { count in
            for _ in 0..<count { shape.makeBare(parentBased, parent: parent) }
        }
        let counters = recorder.counters
        guard counters.startCalls == counters.notRecordedSampler, counters.recording == 0 else {
            throw BenchBroken(
                description: "unsampled spans: \(counters.startCalls) started, "
                    + "\(counters.notRecordedSampler) not recorded")
        }
        recorder.isEnabled = false
        time("disabledSpanNs", "tracing disabled, five attributes", count: 300_000) { count in
            for number in 0..<count { _ = shape.make(parentBased, number, at: nil) }
        }
    }

    /// What `withSpan` costs over a start and an end with nothing in between, both by turns.
    private mutating func withSpan() throws {
        let row = BenchRow("withSpanOverheadNs", "withSpan, over start and end")
        guard isWanted(row.name) else { return }
        let rig = try BenchRig(clock: clock)
        let tracer = rig.tracer
        let name = SpanName("bench")
        let (bursts, burstSpans) = (scaled(24), 4096)
        measure([row]) { _ in
            var (plain, scoped) = (0.0, 0.0)
            var ignored = BenchRig.Cost()
            for _ in 0..<bursts {
                plain += cpuNs { for _ in 0..<burstSpans { tracer.startSpan(name).end() } }
                rig.drain(&ignored)
                scoped += cpuNs {
                    for _ in 0..<burstSpans { tracer.withSpan(name) { keepActive($0) } }
                }
                rig.drain(&ignored)
                rig.note(made: 2 * burstSpans)
            }
            return [BenchSample((scoped - plain) / Double(bursts * burstSpans))]
        }
        try rig.check("spans around closures")
    }

    func options(queueSpans: Int) -> RecorderOptions {
        var options = RecorderOptions()
        options.queueSpans = queueSpans
        options.blocksWhenFull = true
        options.clock = clock
        return options
    }
}

/// A body that does nothing with its span, and that the optimiser cannot look through.
@inline(never)
private func keepActive(_ span: ActiveSpan) {}
