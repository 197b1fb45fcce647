import Glibc
import TraceCore
import TracePipeline
import TraceResults

/// A pipeline at full use: as many live spans as the store takes, with all of its blocks, a queue without room
/// left, every body on its way to a receiver that never reads. What was stated of it before, and what it
/// holds then.
public struct MemoryTrial: Sendable {
    /// Sizes of a configuration.
    public struct Size: Sendable {
        public var name: String
        public var liveSpans: Int
        public var blocks: Int
        public var queueBytes: Int
        public var bodyBytes: Int
        public var connections: Int
        public var compression = OTLPCompression.none

        public init(
            _ name: String, liveSpans: Int, blocks: Int, queueBytes: Int, bodyBytes: Int,
            connections: Int, compression: OTLPCompression = .none
        ) {
            self.name = name
            self.liveSpans = liveSpans
            self.blocks = blocks
            self.queueBytes = queueBytes
            self.bodyBytes = bodyBytes
            self.connections = connections
            self.compression = compression
        }
    }

    /// What came of it, bytes.
    public struct Outcome: Sendable {
        public var statement = MemoryStatement()
        /// What store, ring and bodies hold, by the account of their page source; nil where it keeps none.
        public var heldBytes: UInt64?
        /// By how much the process's largest resident set (VmHWM) exceeds what was resident before.
        public var residentGrowthBytes: UInt64 = 0
        /// The ledger's verdict, after a shutdown that drops all that waits.
        public var ledger = ConservationLedger()
    }

    public var size: Size
    /// Where the pipeline takes its pages from, and its account of them.
    public var pages: any PageSource = MappedPageSource()
    public var heldBytes: (@Sendable () -> UInt64)?

    /// Record bytes of the spans that fill the queue, and of those too large for its chunks.
    private static let valueBytes = 960
    private static let largeValueBytes = (256 << 10) - 1024

    public init(_ size: Size) { self.size = size }

    /// Runs it, on a thread of its own: a thread that ends gives back what it keeps of a recorder, so that the
    /// memory may go as well.
    public func run() throws -> Outcome {
        let result = WorkerLock<Result<Outcome, any Error>?>(nil)
        let returned = ReturnedPages(pages)
        let thread = ReplayThread {
            let outcome = Result { try trial(returned) }
            result.withLock { $0 = outcome }
        }
        thread?.join()
        returned.empty()
        guard let outcome = result.withLock({ $0 }) else {
            throw RunError.cannotStart("the system has no thread to give to the memory trial")
        }
        return try outcome.get()
    }

    private func configuration(endpoint: String, pages: any PageSource) -> TracingConfiguration {
        var settings = OTLPHTTPSettings(endpoint: endpoint)
        settings.connections = size.connections
        settings.compression = size.compression
        settings.timeoutMs = 0
        var configuration = TracingConfiguration()
        configuration.serviceName = "memory"
        configuration.sampler = .alwaysOn
        configuration.exporter = .otlp(settings)
        // A batch is as many spans as make a body full; the queue is full by bytes.
        configuration.batch.batchSpans = size.bodyBytes / Self.valueBytes
        configuration.batch.queueSpans = size.queueBytes / Self.valueBytes * 4
        configuration.batch.bodyBytesMax = size.bodyBytes
        configuration.batch.scheduleDelayMs = 3_600_000
        configuration.batch.exportTimeoutMs = 0
        configuration.keepsLedger = true
        configuration.sweeper.intervalMs = nil
        configuration.recorder.liveSpansMax = size.liveSpans
        configuration.recorder.blocksMax = size.blocks
        configuration.recorder.queueBytesMax = size.queueBytes
        configuration.recorder.pages = pages
        return configuration
    }

    /// What the pipeline may come to hold.
    public var memoryStatement: MemoryStatement {
        configuration(endpoint: "http://127.0.0.1", pages: pages).memoryStatement(threads: 1)
    }

    private func trial(_ pages: any PageSource) throws -> Outcome {
        guard let receiver = StalledReceiver() else {
            throw RunError.cannotStart("no socket on the loopback address for the memory trial")
        }
        let configuration = configuration(endpoint: receiver.endpoint, pages: pages)
        var outcome = Outcome()
        outcome.statement = configuration.memoryStatement(threads: 1)
        var spans = SpanMaker(valueBytes: max(Self.valueBytes, Self.largeValueBytes))
        // Before the peak begins anew: what the statement does not speak of.
        let before = ProcessUsage.now().residentBytes
        _ = ProcessUsage.resetPeak()
        let heldBefore = heldBytes?()
        let pipeline = try TracingPipeline(configuration)
        let tracer = pipeline.provider.tracer(name: "tracemill.bench")

        // Every body on its way, or ready to be sent: nothing more is drained.
        let bodies = UInt64(size.connections + 1)
        while pipeline.ledger.inFlight.batches < bodies {
            spans.endUntilFull(pipeline.recorder, tracer, valueBytes: Self.valueBytes)
            let batches = pipeline.ledger.inFlight.batches
            if batches == bodies { break }
            // A body may be as large as the queue: then no batch makes it full, and it has to be asked for.
            if pipeline.recorder.counters.queued < UInt64(configuration.batch.batchSpans) {
                _ = pipeline.forceFlush(timeoutMs: 0)
            }
            let deadlineNs = TraceClock.monotonicNs + 60_000_000_000
            while pipeline.ledger.inFlight.batches == batches {
                guard TraceClock.monotonicNs < deadlineNs else {
                    throw RunError.cannotStart("the memory trial got no batch on its way in 60 s")
                }
                usleep(1_000)
            }
        }
        // The chunks full, then what larger spans may hold beside them.
        spans.endUntilFull(pipeline.recorder, tracer, valueBytes: Self.valueBytes)
        spans.endUntilFull(pipeline.recorder, tracer, valueBytes: Self.largeValueBytes)
        // The store full: a block each for the first.
        for number in 0..<size.liveSpans {
            spans.startLive(tracer, valueBytes: number < size.blocks ? 4_000 : nil)
        }
        if let heldBefore, let held = heldBytes?() { outcome.heldBytes = held - heldBefore }
        outcome.residentGrowthBytes = max(ProcessUsage.now().peakResidentBytes, before) - before

        _ = pipeline.shutdown(timeoutMs: 0)
        outcome.ledger.issued = spans.issued
        outcome.ledger.tracer = TracerCounts(
            pipeline.recorder.counters, liveSlots: pipeline.recorder.liveSlotCount)
        var delivery = DeliveryCounts(pipeline.ledger)
        delivery.reachesSink = false
        outcome.ledger.deliveries = [delivery]
        outcome.ledger.close()
        return outcome
    }
}

/// Spans whose bytes do not compress.
private struct SpanMaker {
    private let name = SpanName("memory")
    private let key = AttributeKey("value")
    private var value: [UInt8]
    private var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    private(set) var issued = IssuedCounts()
    private var identitySum: UInt64 = 0

    init(valueBytes: Int) {
        value = [UInt8](repeating: 0, count: valueBytes)
    }

    private mutating func next() -> UInt64 {
        // xorshift64 (Marsaglia 2003).
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    private mutating func setValue(_ span: ActiveSpan, valueBytes: Int) {
        // New ones for each: what a compressor has seen before it makes short.
        for start in stride(from: 0, to: valueBytes & ~7, by: 8) {
            let word = next()
            unsafe value.withUnsafeMutableBytes {
                unsafe $0.storeBytes(of: word, toByteOffset: start, as: UInt64.self)
            }
        }
        span.setAttribute(key, .bytes(Array(value[..<valueBytes])))
    }

    mutating func end(_ tracer: Tracer, valueBytes: Int) {
        let span = tracer.startSpan(name)
        setValue(span, valueBytes: valueBytes)
        span.end()
        issued.startCalls += 1
        issued.recorded += 1
        issued.sampledEnded += 1
        identitySum &+= SpanChecksum.identity(span.context.traceID, span.context.spanID)
        issued.identitySum = identitySum
    }

    /// Starts one that stays alive.
    mutating func startLive(_ tracer: Tracer, valueBytes: Int?) {
        let span = tracer.startSpan(name)
        issued.startCalls += 1
        if span.isRecording { issued.recorded += 1 }
        if let valueBytes { setValue(span, valueBytes: valueBytes) }
    }

    mutating func endUntilFull(_ recorder: SpanRecorder, _ tracer: Tracer, valueBytes: Int) {
        let before = recorder.counters.droppedQueueFull
        while recorder.counters.droppedQueueFull == before {
            end(tracer, valueBytes: valueBytes)
        }
    }
}
