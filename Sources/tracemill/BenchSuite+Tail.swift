// What tail sampling costs the exporter thread, and what it holds: as many traces waiting as its default sizes take.
import Synchronization
import TraceCore
import TraceLoad
import TracePipeline
import TraceResults

extension BenchSuite {
    private static let waitingTraces = 49_152
    private static let spansPerTrace = 20

    mutating func tail() throws {
        try tail(
            "", "tail:errors+slow:500ms+ratio:0.01", keeping: "1% kept",
            keptShare: 0.005...0.02)
        try tail(
            "Attributes", "tail:attr:http.route=/none+ratio:0.01", keeping: "attributes read",
            keptShare: 0.005...0.02)
        try tail("KeepAll", "tail:always", keeping: "all kept", keptShare: 1...1)
    }

    /// Bursts through a stage in which 49,152 traces of 20 spans wait, beside bursts of a queue that goes into
    /// bodies at once. Both in the drain's CPU time; the row is the difference.
    private mutating func tail(
        _ suffix: String, _ text: String, keeping: String, keptShare: ClosedRange<Double>
    ) throws {
        var rows = [
            BenchRow(
                "tail\(suffix)SpanNs", "stage over the drain without it, \(keeping)",
                beside: "the drain without it")
        ]
        if suffix.isEmpty {
            rows.append(
                BenchRow(
                    "tailMemoryMiB",
                    "held by \(NumberText.grouped(Self.waitingTraces)) waiting traces",
                    unit: "MiB", beside: "its bound"))
        }
        guard isAnyWanted(rows) else { return }
        let bench = try TailBench(TailSampling(text: text), clock: clock)
        let bursts = scaled(48)
        // Until as many wait as are to wait: their memory is touched, and traces leave as they come.
        bench.run(Self.waitingTraces * Self.spansPerTrace / TailBench.burstSpans + 1)
        try measure(rows) { _ in
            let cost = bench.run(bursts)
            try bench.check(keptShare)
            return [
                BenchSample(cost.tailNs - cost.plainNs, beside: cost.plainNs),
                BenchSample(bench.heldMiB, beside: bench.boundMiB),
            ]
        }
    }
}

/// A queue that goes through a tail stage and one that does not, filled and drained by turns on one thread.
private final class TailBench {
    static let burstSpans = 4_096
    /// Traces whose spans end by turns.
    private static let openTraces: UInt64 = 64
    private static let spansPerTrace: UInt64 = 20

    /// Nanoseconds a span.
    struct Cost {
        var (tailNs, plainNs) = (0.0, 0.0)
    }

    private let plain: SpanRecorder
    private let tailed: SpanRecorder
    private let tracers: [Tracer]
    private let stage: TailStage
    private let pages = CountedPages()
    private let bound: Int
    private var body = ExportBody()
    private let spans = TracedSpans()
    private var made: UInt64 = 0
    private var nowNs: UInt64 = 0

    init(_ settings: TailSampling, clock: ClockSource) throws {
        var options = RecorderOptions()
        options.queueSpans = 8_192
        options.queueBytesMax = 8 << 20
        options.clock = clock
        options.liveSpansMax = 64
        options.blocksMax = 64
        plain = try SpanRecorder(options: options)
        tailed = try SpanRecorder(options: options)
        tracers = [plain, tailed].map {
            TracerProvider(
                recorder: $0, resource: Resource(serviceName: "bench"), sampler: .alwaysOn
            ).tracer(name: "tracemill.bench")
        }
        var settings = settings
        // A burst is a millisecond here.
        settings.decisionWaitMs = 49_152 * 20 / Self.burstSpans
        bound = settings.memoryBytesMax
        stage = try TailStage(
            settings, queue: tailed.queue, bodyBytesMax: body.capacityBytes, pages: pages)
    }

    @discardableResult
    func run(_ bursts: Int) -> Cost {
        var (tailNs, plainNs) = (0.0, 0.0)
        for _ in 0..<bursts {
            make(tracers[0])
            plainNs += cpuNs { while plain.queue.fill(&body, spans: 512) > 0 {} }
            make(tracers[1])
            made += UInt64(Self.burstSpans)
            nowNs += 1_000_000
            tailNs += cpuNs {
                stage.decideDue(nowNs: nowNs)
                while !stage.takeIn(nowNs: nowNs) { send() }
                send()
            }
        }
        let spans = Double(bursts * Self.burstSpans)
        return Cost(tailNs: tailNs / spans, plainNs: plainNs / spans)
    }

    private func send() {
        while stage.releasedSpans >= 512 { _ = stage.fill(&body, spans: 512) }
    }

    private func make(_ tracer: Tracer) {
        let perGroup = Self.openTraces * Self.spansPerTrace
        for number in made..<made + UInt64(Self.burstSpans) {
            spans.make(
                tracer, number,
                trace: number / perGroup * Self.openTraces + number % Self.openTraces)
        }
    }

    var heldMiB: Double { Double(pages.heldBytes) / Double(1 << 20) }
    var boundMiB: Double { Double(bound) / Double(1 << 20) }

    /// Throws when the stage did not do what the row says.
    func check(_ keptShare: ClosedRange<Double>) throws {
        let figures = stage.figures
        let decided = Double(figures.keptTraces + figures.droppedTraces)
        let share = Double(figures.keptTraces) / max(1, decided)
        guard figures.droppedTooEarlyTraces == 0, figures.lateAges.count == 0,
            figures.waitingTraces > 48_000, keptShare.contains(share),
            tailed.counters.drained == made, heldMiB <= boundMiB
        else { throw BenchBroken(description: "the tail stage is not as it should be: \(figures)") }
    }
}

/// Spans of traces that are told.
private struct TracedSpans {
    private let shape = BenchSpan()

    func make(_ tracer: Tracer, _ number: UInt64, trace: UInt64) {
        let low = SpanChecksum.mix(trace &+ 1)
        let traceID = TraceID(high: SpanChecksum.mix(low), low: low)
        // A child, as all but one of a trace's spans are: it names its parent.
        let parent = SpanContext(
            traceID: traceID, spanID: SpanID(rawValue: 1 << 63), flags: .sampled)
        shape.run(
            tracer, Int(truncatingIfNeeded: number), parent: parent,
            identity: SpanIdentity(traceID: traceID, spanID: SpanID(rawValue: number &+ 1)))
    }
}

/// Pages that are counted.
private final class CountedPages: PageSource {
    private let held = Atomic<Int>(0)
    var heldBytes: Int { held.load(ordering: .relaxed) }

    func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
        held.add(footprintBytes(of: byteCount), ordering: .relaxed)
        return unsafe MappedPageSource().allocate(byteCount: byteCount)
    }

    func release(_ pages: UnsafeMutableRawPointer, byteCount: Int) {
        held.subtract(footprintBytes(of: byteCount), ordering: .relaxed)
        unsafe MappedPageSource().release(pages, byteCount: byteCount)
    }
}
