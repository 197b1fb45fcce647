// What arrives: whole pipelines, with their ledgers.
import TraceCore
import TraceLoad
import TracePipeline
import TraceResults

extension BenchSuite {
    mutating func delivery() throws {
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
