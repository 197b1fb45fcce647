import TraceCore
import TracePipeline
import TraceResults

/// Spans of any shape through the whole pipeline to a sink: what a benchmark times and throws away is
/// here delivered, and must be what its maker says. Blocks; one thread calls it.
public struct ShapeTrial: Sendable {
    public var clock = ClockSource.cycleCounter
    /// Whether the sink decodes every field, so that a digest of what the spans mean is compared, too.
    public var comparesMeaning = false
    public var executable = "/proc/self/exe"

    public init() {}

    /// What was made, as the maker counted it.
    public struct Made: Sendable {
        public var spans: UInt64 = 0
        /// Sum of `SpanChecksum.identity`.
        public var identitySum: UInt64 = 0
        /// Sum of the digests of what the spans should say; nil where that is not compared.
        public var semanticSum: UInt64?

        public init() {}

        /// Adds what another thread made.
        public mutating func add(_ other: Made) {
            spans += other.spans
            identitySum &+= other.identitySum
            if let sum = other.semanticSum { semanticSum = (semanticSum ?? 0) &+ sum }
        }
    }

    /// The name that the spans' service has.
    public static let serviceName = "bench"

    /// Lets `make` make its spans, all sampled and ended when it returns, delivers them, and closes the
    /// books on them.
    public func run(_ make: (Tracer) throws -> Made) throws -> ConservationLedger {
        let mode = comparesMeaning ? "verify" : "count"
        let process = try SinkProcess(
            executable: executable, arguments: ["--embedded", "--port", "0", "--mode", mode])
        defer { process.stop() }
        let sink = SinkControl(baseURL: process.baseURL)
        let watch = DeliveryWatch(sink: sink)
        var configuration = TracingConfiguration()
        configuration.serviceName = Self.serviceName
        configuration.sampler = .alwaysOn
        configuration.exporter = .otlp(sink.exporterSettings)
        configuration.batch.queueSpans = 8_192
        configuration.batch.batchSpans = 512
        configuration.batch.whenFull = .block
        configuration.batch.scheduleDelayMs = 50
        configuration.keepsLedger = true
        configuration.observer = watch.observer
        configuration.recorder.clock = clock
        let pipeline = try TracingPipeline(configuration)
        let made = try make(pipeline.provider.tracer(name: "tracemill.bench"))
        _ = pipeline.forceFlush(timeoutMs: 60_000)
        _ = pipeline.shutdown(timeoutMs: 60_000)
        try watch.work()
        var ledger = ConservationLedger()
        var issued = IssuedCounts()
        issued.startCalls = made.spans
        issued.recorded = made.spans
        issued.sampledEnded = made.spans
        issued.identitySum = made.identitySum
        issued.semanticSum = made.semanticSum
        ledger.issued = issued
        ledger.tracer = TracerCounts(
            pipeline.recorder.counters, liveSlots: pipeline.recorder.liveSlotCount)
        ledger.deliveries = [DeliveryCounts(pipeline.ledger)]
        ledger.sink = try sink.ledger()
        var reconciler = watch.reconciler
        ledger.close(with: &reconciler)
        return ledger
    }
}
