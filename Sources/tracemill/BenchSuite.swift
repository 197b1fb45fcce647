// What `bench` measures, part by part. Each repetition is a whole measurement of its own; the order is
// fixed, and nothing runs beside it but what the figure says.
import Glibc
import Synchronization
import TraceCore
import TraceLoad
import TracePipeline
import TraceResults

struct BenchSuite {
    let repetitions: Int
    let clock: ClockSource
    let deliveryNs: UInt64
    let filter: [String]?
    var figures: [BenchFigure] = []
    var settings = DeliverySettings()
    /// The first broken ledger of a delivery trial.
    var brokenLedger: String?
    var onFigure: ((BenchFigure) -> Void)?

    /// How the delivery figures were made.
    struct DeliverySettings: Encodable {
        var batchSpans = DeliveryTrial().batchSpans
        var queueSpans = DeliveryTrial().queueSpans
        var connections = DeliveryTrial().connections
        var producers = 1
        var sink = "tracemill sink, count mode, one event loop, own process, loopback"
        var ledger = "not run"
    }

    init(repetitions: Int, clock: ClockSource, deliveryNs: UInt64, filter: [String]?) {
        self.repetitions = repetitions
        self.clock = clock
        self.deliveryNs = deliveryNs
        self.filter = filter
    }

    mutating func run() throws {
        clocks()
        samplers()
        try spans()
        propagation()
        ring()
        try delivery()
    }

    private func isWanted(_ name: String) -> Bool {
        guard let filter else { return true }
        return name == "clockGettimeNs" || filter.contains { name.contains($0) }
    }

    private mutating func add(
        _ name: String, _ title: String, unit: String = "ns", note: String = "",
        _ samples: [Double], references: [Double] = []
    ) {
        var figure = BenchFigure(
            name: name, title: title, unit: unit, samples: samples.sorted(), note: note)
        if !references.isEmpty, name != "clockGettimeNs" {
            // Each repetition against the clock right before it: machines change pace within a run.
            let ratios = zip(samples, references).map { $0 / $1 }.sorted()
            figure.ratio = ratios[ratios.count / 2]
        }
        figures.append(figure)
        onFigure?(figure)
    }

    /// Nanoseconds a call over `repetitions` runs of `count` calls, after one run to warm up.
    private mutating func time(
        _ name: String, _ title: String, count: Int, note: String = "", _ body: (Int) -> Void
    ) {
        guard isWanted(name) else { return }
        var samples: [Double] = []
        var references: [Double] = []
        for repetition in 0...repetitions {
            let reference = clockGettimeNs()
            let start = TraceClock.monotonicNs
            body(count)
            let passed = TraceClock.monotonicNs - start
            guard repetition > 0 else { continue }
            samples.append(Double(passed) / Double(count))
            references.append(reference)
        }
        add(name, title, note: note, samples, references: references)
    }

    /// What a reading of the clock costs at this moment, over 20,000 of them.
    private func clockGettimeNs() -> Double {
        let start = TraceClock.monotonicNs
        var sum: UInt64 = 0
        for _ in 0..<20_000 { sum &+= TraceClock.monotonicNs }
        keep(sum)
        return Double(TraceClock.monotonicNs - start) / 20_000
    }

    // MARK: Clocks

    private mutating func clocks() {
        time("clockGettimeNs", "clock_gettime(CLOCK_MONOTONIC)", count: 200_000) { count in
            var sum: UInt64 = 0
            for _ in 0..<count { sum &+= TraceClock.monotonicNs }
            keep(sum)
        }
        time("cycleCounterNs", "cycle counter", count: 500_000) { count in
            var sum: UInt64 = 0
            for _ in 0..<count { sum &+= TraceClock.cycles }
            keep(sum)
        }
    }

    // MARK: Samplers

    private mutating func samplers() {
        guard let recorder = try? SpanRecorder() else { return }
        let remote = SpanContext(
            traceID: TraceID(high: 1, low: 0x1234_5678_9abc_def0), spanID: SpanID(rawValue: 7),
            flags: [.sampled, .random], isRemote: true)
        let all: [(name: String, sampler: Sampler, parent: SpanContext?)] = [
            ("AlwaysOn", .alwaysOn, nil), ("AlwaysOff", .alwaysOff, nil),
            ("TraceIDRatio", .traceIDRatio(0.1), nil),
            ("ParentBasedRoot", .parentBased(root: .traceIDRatio(0.1)), nil),
            ("ParentBasedRemote", .parentBased(root: .alwaysOn), remote),
        ]
        for (name, sampler, parent) in all {
            let provider = TracerProvider(
                recorder: recorder, resource: Resource(serviceName: "bench"), sampler: sampler)
            let tracer = provider.tracer(name: "tracemill.bench")
            time(
                "sampler\(name)Ns", "sampler decision, \(name)", count: 500_000
            ) { count in
                var kept: UInt64 = 0
                for number in 0..<count {
                    let id = TraceID(high: 1, low: UInt64(number) &* 0x9E37_79B9_7F4A_7C15 | 1)
                    kept &+= UInt64(tracer.decide(parent: parent, traceID: id).rawValue)
                }
                keep(kept)
            }
        }
    }

    // MARK: Spans

    private mutating func spans() throws {
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
        recorder.isEnabled = false
        time("disabledSpanNs", "tracing disabled", count: 300_000) { count in
            for number in 0..<count { shape.run(parentBased, number) }
        }
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

    // MARK: Propagation

    private mutating func propagation() {
        let context = SpanContext(
            traceID: TraceID(high: 0x4bf9_2f35_77b3_4da6, low: 0xa3ce_929d_0e0e_4736),
            spanID: SpanID(rawValue: 0x00f0_67aa_0ba9_02b7), flags: [.sampled, .random])
        time("injectNs", "inject traceparent", count: 200_000) { count in
            var headers = HeaderBuffer()
            for _ in 0..<count {
                headers.removeAll()
                TraceContextPropagator.inject(context, into: &headers)
            }
            keep(UInt64(headers.count))
        }
        var headers = HeaderBuffer()
        TraceContextPropagator.inject(context, into: &headers)
        time("extractNs", "extract traceparent", count: 200_000) { count in
            var sum: UInt64 = 0
            for _ in 0..<count {
                sum &+= TraceContextPropagator.extract(from: headers)?.spanID.rawValue ?? 0
            }
            keep(sum)
        }
    }

    // MARK: Ring

    private mutating func ring() {
        let ring = BoundedRing(minimumCapacity: 1024, pages: MappedPageSource())
        time("ringNs", "ring, push and pop of a chunk", count: 500_000) { count in
            var sum: UInt = 0
            for number in 0..<count {
                _ = ring.push(UInt(number))
                sum &+= ring.pop() ?? 0
            }
            keep(UInt64(sum))
        }
    }

    // MARK: Delivery

    private mutating func delivery() throws {
        if isWanted("discardedSpansPerS") { try discarded() }
        for (name, title, compression) in [
            ("deliveredSpansPerS", "delivered to the sink, OTLP/HTTP", OTLPCompression.none),
            ("deliveredGzipSpansPerS", "delivered to the sink, gzip", .gzip),
        ] where isWanted(name) {
            var trial = DeliveryTrial()
            trial.clock = clock
            trial.compression = compression
            trial.durationNs = deliveryNs
            var samples: [Double] = []
            var last = DeliveryTrial.Outcome()
            for _ in 0..<min(3, repetitions) {
                last = try trial.run()
                guard last.ledger.holds else {
                    settings.ledger = last.ledger.verdictText
                    brokenLedger = last.ledger.verdictText
                    return
                }
                samples.append(last.spansPerS)
            }
            settings.ledger = last.ledger.verdictText
            let note =
                "\(Int(last.wireBytesPerSpan)) B on the wire · "
                + "CPU \(Int(last.cpuNsPerSpan)) ns here, \(Int(last.sinkCpuNsPerSpan)) ns in the sink"
            add(name, title, unit: "spans/s", note: note, samples)
        }
    }

    private mutating func discarded() throws {
        let shape = BenchSpan()
        var samples: [Double] = []
        for _ in 0..<min(3, repetitions) {
            var configuration = TracingConfiguration()
            configuration.serviceName = "bench"
            configuration.exporter = .none
            configuration.batch.queueSpans = settings.queueSpans
            configuration.batch.batchSpans = settings.batchSpans
            configuration.batch.whenFull = .block
            configuration.recorder.clock = clock
            let pipeline = try TracingPipeline(configuration)
            let tracer = pipeline.provider.tracer(name: "tracemill.bench")
            let start = TraceClock.monotonicNs
            let count = 2_000_000
            for number in 0..<count { shape.run(tracer, number) }
            _ = pipeline.forceFlush(timeoutMs: 60_000)
            samples.append(Double(count) / Double(TraceClock.monotonicNs - start) * 1e9)
            _ = pipeline.shutdown(timeoutMs: 60_000)
        }
        add(
            "discardedSpansPerS", "through the batch processor, body discarded", unit: "spans/s",
            samples)
    }
}

/// Keeps the optimiser from removing what computed `value`.
@inline(never)
private func keep(_ value: UInt64) {
    BenchSink.value.store(value, ordering: .relaxed)
}

private enum BenchSink {
    static let value = Atomic<UInt64>(0)
}
