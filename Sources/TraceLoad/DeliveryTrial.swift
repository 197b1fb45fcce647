import TraceCore
import TracePipeline
import TraceResults

/// Spans of the benchmark's shape through the whole pipeline to a sink that counts: the lossless
/// delivery rate of this machine. Every figure comes with its own proof: the books must balance and
/// every batch must match the sink's own decode, or there is no figure.
public struct DeliveryTrial: Sendable {
    public var batchSpans = 8_192
    public var queueSpans = 131_072
    public var connections = 2
    public var compression = OTLPCompression.none
    /// How long spans are made, ns.
    public var durationNs: UInt64 = 2_000_000_000
    public var clock = ClockSource.cycleCounter
    public var executable = "/proc/self/exe"
    /// How many of the first bodies are kept, for references that need the same bytes.
    public var keptBodies = 0
    public var pages: any PageSource = MappedPageSource()

    public init() {}

    /// What came of it.
    public struct Outcome: Sendable {
        /// Spans acknowledged.
        public var spans: UInt64 = 0
        /// From the first start to the last acknowledgement, ns.
        public var elapsedNs: UInt64 = 0
        public var spansPerS = 0.0
        /// CPU time of this process for each span, ns: making, encoding, sending.
        public var cpuNsPerSpan = 0.0
        /// Building request bodies for each span, sums included, ns.
        public var encodeNsPerSpan = 0.0
        public var wireBytesPerSpan = 0.0
        public var sinkCpuNsPerSpan = 0.0
        /// The first bodies, as they were built.
        public var bodies: [Body] = []
        /// The ledger's verdict.
        public var ledger = ConservationLedger()

        public init() {}
    }

    private func configuration(_ sink: SinkControl) -> TracingConfiguration {
        var settings = sink.exporterSettings
        settings.connections = connections
        settings.compression = compression
        var configuration = TracingConfiguration()
        configuration.serviceName = "bench"
        configuration.sampler = .alwaysOn
        configuration.exporter = .otlp(settings)
        configuration.batch.queueSpans = queueSpans
        configuration.batch.batchSpans = batchSpans
        configuration.batch.whenFull = .block
        configuration.batch.scheduleDelayMs = 100
        configuration.keepsLedger = true
        configuration.recorder.clock = clock
        configuration.recorder.pages = pages
        return configuration
    }

    /// What its pipeline may come to hold.
    public var memoryStatement: MemoryStatement {
        configuration(SinkControl(baseURL: "http://127.0.0.1")).memoryStatement(threads: 1)
    }

    /// A request body.
    public struct Body: Sendable {
        public var bytes: [UInt8]
        public var spans: Int
    }

    /// Runs it; blocks for the duration and the drain.
    public func run() throws -> Outcome {
        let process = try SinkProcess(
            executable: executable, arguments: ["--embedded", "--port", "0"])
        defer { process.stop() }
        let sink = SinkControl(baseURL: process.baseURL)
        let watch = DeliveryWatch(sink: sink)
        let kept = KeptBodies(count: keptBodies)
        var configuration = configuration(sink)
        configuration.observer = watch.observer
        if keptBodies > 0 { configuration.bodyTap = { kept.add($0, spans: $1) } }
        let pipeline = try TracingPipeline(configuration)
        let tracer = pipeline.provider.tracer(name: "tracemill.bench", version: "1")
        let shape = BenchSpan()
        let usage = ProcessUsage.now()
        let startedNs = TraceClock.monotonicNs
        var issued = IssuedCounts()
        var identitySum: UInt64 = 0
        var nextWorkNs = startedNs + 250_000_000
        while true {
            for _ in 0..<1024 {
                let context = shape.run(tracer, Int(truncatingIfNeeded: issued.startCalls))
                identitySum &+= SpanChecksum.identity(context.traceID, context.spanID)
                issued.startCalls += 1
            }
            let now = TraceClock.monotonicNs
            if now - startedNs >= durationNs { break }
            if now >= nextWorkNs {
                try watch.work()
                nextWorkNs = now + 250_000_000
            }
        }
        issued.recorded = issued.startCalls
        issued.sampledEnded = issued.startCalls
        issued.identitySum = identitySum
        _ = pipeline.forceFlush(timeoutMs: 60_000)
        let after = ProcessUsage.now()
        _ = pipeline.shutdown(timeoutMs: 60_000)
        try watch.work()
        var outcome = outcome(
            issued, watch: watch, pipeline: pipeline, sink: try sink.ledger(),
            startedNs: startedNs, cpuNs: after.cpuNs - usage.cpuNs)
        outcome.bodies = kept.bodies
        return outcome
    }

    private func outcome(
        _ issued: IssuedCounts, watch: DeliveryWatch, pipeline: TracingPipeline,
        sink: SinkLedger, startedNs: UInt64, cpuNs: UInt64
    ) -> Outcome {
        let figures = watch.figures
        var outcome = Outcome()
        outcome.ledger.issued = issued
        outcome.ledger.tracer = TracerCounts(
            pipeline.recorder.counters, liveSlots: pipeline.recorder.liveSlotCount)
        outcome.ledger.deliveries = [DeliveryCounts(pipeline.ledger)]
        outcome.ledger.sink = sink
        var reconciler = watch.reconciler
        outcome.ledger.close(with: &reconciler)
        outcome.spans = figures.acknowledgedSpans
        guard outcome.spans > 0 else { return outcome }
        let spans = Double(outcome.spans)
        outcome.elapsedNs = figures.lastAcknowledgedNs - startedNs
        outcome.spansPerS = spans / Double(outcome.elapsedNs) * 1e9
        outcome.cpuNsPerSpan = Double(cpuNs) / spans
        outcome.encodeNsPerSpan = Double(figures.buildNs) / Double(figures.spans)
        outcome.wireBytesPerSpan = Double(figures.wireBytes) / Double(figures.spans)
        outcome.sinkCpuNsPerSpan = Double(sink.cpuNs) / Double(max(1, sink.spansTotal))
        return outcome
    }
}

/// The first bodies of a pipeline.
private final class KeptBodies: Sendable {
    private let kept = WorkerLock<[DeliveryTrial.Body]>([])
    private let count: Int

    init(count: Int) { self.count = count }

    var bodies: [DeliveryTrial.Body] { kept.withLock { $0 } }

    func add(_ body: RawSpan, spans: Int) {
        kept.withLock { bodies in
            guard bodies.count < count else { return }
            let bytes = unsafe body.withUnsafeBytes { unsafe [UInt8]($0) }
            bodies.append(DeliveryTrial.Body(bytes: bytes, spans: spans))
        }
    }
}

/// The span that every benchmark makes: five attributes whose values vary.
public struct BenchSpan: Sendable {
    private let name = SpanName("GET /api/orders/{id}")
    private let method = AttributeKey("http.request.method")
    private let route = AttributeKey("http.route")
    private let status = AttributeKey("http.response.status_code")
    private let size = AttributeKey("http.response.body.size")
    private let cached = AttributeKey("cache.hit")

    public init() {}

    /// Starts it, sets its attributes, ends it.
    @inline(__always)
    @discardableResult
    public func run(_ tracer: Tracer, _ number: Int) -> SpanContext {
        finish(tracer.startSpan(name, kind: .server), number)
    }

    /// The same in a trace that is told, with an id that is told.
    @inline(__always)
    @discardableResult
    public func run(
        _ tracer: Tracer, _ number: Int, parent: SpanContext, identity: SpanIdentity
    ) -> SpanContext {
        finish(
            tracer.startSpan(name, kind: .server, parent: parent, identity: identity), number)
    }

    @inline(__always)
    private func finish(_ span: ActiveSpan, _ number: Int) -> SpanContext {
        span.setAttribute(method, "GET")
        span.setAttribute(route, "/api/orders/{id}")
        span.setAttribute(status, number & 15 == 0 ? 404 : 200)
        span.setAttribute(size, number)
        span.setAttribute(cached, number & 1 == 0)
        span.end()
        return span.context
    }

    /// Starts and ends it, as for a sampler that drops it.
    @inline(__always)
    public func runBare(_ tracer: Tracer, parent: SpanContext? = nil) {
        tracer.startSpan(name, kind: .server, parent: parent).end()
    }
}
