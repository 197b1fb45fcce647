// What a span costs: sampled and not, drained on the same core and on another, around a closure.
import TraceCore
import TraceLoad
import TraceResults

extension BenchSuite {
    mutating func spans() throws {
        let shape = BenchSpan()
        if isWanted("sampledSpanNs") || isWanted("encodeSpanNs") || isWanted("heapBytesPerSpan") {
            try sampled(shape)
        }
        if isWanted("sampledSpanDrainedNs") || isWanted("encodeSpanDrainedNs") {
            try sampledAndDrained(shape)
        }
        let recorder = try SpanRecorder(options: options(queueSpans: 2048))
        func tracer(_ sampler: Sampler) -> Tracer {
            TracerProvider(
                recorder: recorder, resource: Resource(serviceName: "bench"), sampler: sampler
            ).tracer(name: "tracemill.bench")
        }
        let off = tracer(.alwaysOff)
        time("unsampledSpanNs", "unsampled root span, start and end", count: 300_000) { count in
            for _ in 0..<count { shape.runBare(off) }
        }
        let parentBased = tracer(.parentBased(root: .alwaysOn))
        let parent = off.startSpan("parent").context
        time("unsampledChildNs", "child of an unsampled parent", count: 300_000) { count in
            for _ in 0..<count { shape.runBare(parentBased, parent: parent) }
        }
        try withSpan(shape)
        recorder.isEnabled = false
        time("disabledSpanNs", "tracing disabled", count: 300_000) { count in
            for number in 0..<count { shape.run(parentBased, number) }
        }
    }

    /// What `withSpan` costs over a start and an end with nothing in between, both by turns.
    private mutating func withSpan(_ shape: BenchSpan) throws {
        guard isWanted("withSpanOverheadNs") else { return }
        let recorder = try SpanRecorder(options: options(queueSpans: 8192))
        let tracer = TracerProvider(
            recorder: recorder, resource: Resource(serviceName: "bench"), sampler: .alwaysOn
        ).tracer(name: "tracemill.bench")
        let name = SpanName("bench")
        var body = ExportBody()
        var samples: [Double] = []
        var references: [Double] = []
        let (bursts, burstSpans) = (24, 4096)
        for repetition in 0...repetitions {
            let reference = clockGettimeNs()
            var (plainNs, scopedNs): (UInt64, UInt64) = (0, 0)
            for _ in 0..<bursts {
                let start = TraceClock.monotonicNs
                for _ in 0..<burstSpans { tracer.startSpan(name).end() }
                let between = TraceClock.monotonicNs
                while recorder.queue.fill(&body, spans: 512) > 0 {}
                let drained = TraceClock.monotonicNs
                for _ in 0..<burstSpans { tracer.withSpan(name) { keepSpan($0) } }
                scopedNs += TraceClock.monotonicNs - drained
                plainNs += between - start
                while recorder.queue.fill(&body, spans: 512) > 0 {}
            }
            guard repetition > 0 else { continue }
            samples.append((Double(scopedNs) - Double(plainNs)) / Double(bursts * burstSpans))
            references.append(reference)
        }
        add(
            "withSpanOverheadNs", "withSpan, over start and end", samples, references: references)
    }

    private func options(queueSpans: Int) -> RecorderOptions {
        var options = RecorderOptions()
        options.queueSpans = queueSpans
        options.blocksWhenFull = true
        options.clock = clock
        return options
    }

    /// Sampled spans and request bodies by turns on one thread, 4,096 at a time: what the code costs,
    /// with nobody else on the machine's other core. With it, what a span allocates.
    private mutating func sampled(_ shape: BenchSpan) throws {
        let recorder = try SpanRecorder(options: options(queueSpans: 8192))
        let tracer = TracerProvider(
            recorder: recorder, resource: Resource(serviceName: "bench"), sampler: .alwaysOn
        ).tracer(name: "tracemill.bench")
        var body = ExportBody()
        var spanNs: [Double] = []
        var encodeNs: [Double] = []
        var heapBytes: [Double] = []
        var references: [Double] = []
        let (bursts, burstSpans) = (48, 4096)
        for repetition in 0...repetitions {
            let reference = clockGettimeNs()
            var (making, filling): (UInt64, UInt64) = (0, 0)
            let heapBefore = Heap.allocatedBytesOfThread()
            for burst in 0..<bursts {
                let start = TraceClock.monotonicNs
                for number in 0..<burstSpans { shape.run(tracer, burst * burstSpans + number) }
                let made = TraceClock.monotonicNs
                while recorder.queue.fill(&body, spans: 512) > 0 {}
                filling += TraceClock.monotonicNs - made
                making += made - start
            }
            let heap = Heap.allocatedBytesOfThread() - heapBefore
            guard repetition > 0 else { continue }
            let count = Double(bursts * burstSpans)
            spanNs.append(Double(making) / count)
            encodeNs.append(Double(filling) / count)
            heapBytes.append(Double(heap) / count)
            references.append(reference)
        }
        if isWanted("sampledSpanNs") {
            add(
                "sampledSpanNs", "sampled span, five attributes, start to end", spanNs,
                references: references)
        }
        if isWanted("encodeSpanNs") {
            add(
                "encodeSpanNs", "from queue to finished request body, a span", encodeNs,
                references: references)
        }
        if isWanted("heapBytesPerSpan") {
            add("heapBytesPerSpan", "heap bytes allocated a sampled span", unit: "B", heapBytes)
        }
    }

    /// The same with a thread beside that drains: every line of every record crosses between two cores,
    /// and two cores that are threads of one share its units.
    private mutating func sampledAndDrained(_ shape: BenchSpan) throws {
        let recorder = try SpanRecorder(options: options(queueSpans: 65_536))
        let tracer = TracerProvider(
            recorder: recorder, resource: Resource(serviceName: "bench"), sampler: .alwaysOn
        ).tracer(name: "tracemill.bench")
        let drain = DrainThread(recorder.queue)
        defer { drain.stop() }
        var spanNs: [Double] = []
        var encodeNs: [Double] = []
        var references: [Double] = []
        let count = 200_000
        for repetition in 0...repetitions {
            let reference = clockGettimeNs()
            let drainedBefore = drain.totals
            let start = TraceClock.monotonicNs
            for number in 0..<count { shape.run(tracer, number) }
            let passed = TraceClock.monotonicNs - start
            drain.waitUntilIdle(recorder.queue)
            let drained = drain.totals
            guard repetition > 0 else { continue }
            references.append(reference)
            spanNs.append(Double(passed) / Double(count))
            encodeNs.append(
                Double(drained.fillNs - drainedBefore.fillNs)
                    / Double(max(1, drained.spans - drainedBefore.spans)))
        }
        if isWanted("sampledSpanDrainedNs") {
            add(
                "sampledSpanDrainedNs", "… with another thread draining", spanNs,
                references: references)
        }
        if isWanted("encodeSpanDrainedNs") {
            add(
                "encodeSpanDrainedNs", "… on that other thread", encodeNs, references: references)
        }
    }
}

/// A body that does nothing with its span, and that the optimiser cannot look through.
@inline(never)
private func keepSpan(_ span: ActiveSpan) {}
