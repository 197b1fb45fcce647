// What arrives: whole pipelines, with their ledgers.
import TraceCore
import TraceLoad
import TracePipeline
import TraceResults

extension BenchSuite {
    mutating func delivery() throws {
        try discarded()
        try delivered(
            [BenchRow("deliveredSpansPerS", "delivered to the sink, OTLP/HTTP", unit: "spans/s")],
            .none)
        try delivered(
            [
                BenchRow(
                    "deliveredGzipSpansPerS", "delivered to the sink, gzip", unit: "spans/s",
                    beside: "zlib alone"),
                BenchRow("zlibSpansPerS", "zlib level 1 alone, one thread", unit: "spans/s"),
            ], .gzip)
    }

    /// A trial each repetition; with gzip, zlib then compresses the very bodies that were sent.
    private mutating func delivered(_ rows: [BenchRow], _ compression: OTLPCompression) throws {
        guard isAnyWanted(rows) else { return }
        var trial = DeliveryTrial()
        trial.clock = clock
        trial.compression = compression
        trial.durationNs = isQuick ? deliveryNs / 4 : deliveryNs
        if compression == .gzip { trial.keptBodies = 8 }
        let statement = trial.memoryStatement
        settings.memoryStatedBytes[rows[0].name] = statement.totalBytes
        onRemark?(statement.description)
        var last = DeliveryTrial.Outcome()
        var reference: ZlibReference?
        defer { settings.ledger = last.ledger.verdictText }
        try measure(
            rows,
            notes: { _ in
                var notes = [
                    "\(Int(last.wireBytesPerSpan)) B on the wire · "
                        + "CPU \(Int(last.cpuNsPerSpan)) ns here, "
                        + "\(Int(last.sinkCpuNsPerSpan)) ns in the sink"
                ]
                if let reference {
                    notes.append(
                        "\(Int(reference.bytesPerS / 1e6)) MB/s · "
                            + "\(Int(reference.bytesPerSpan)) B a span")
                }
                return notes
            },
            { _ in
                last = try trial.run()
                guard last.ledger.holds else {
                    throw BenchBroken(description: last.ledger.verdictText)
                }
                guard compression == .gzip else { return [BenchSample(last.spansPerS)] }
                reference = ZlibReference(last.bodies, timeNs: 300_000_000)
                guard let reference else {
                    throw BenchBroken(description: "no body to compress with zlib alone")
                }
                return [
                    BenchSample(last.spansPerS, beside: reference.spansPerS),
                    BenchSample(reference.spansPerS),
                ]
            })
    }

    private mutating func discarded() throws {
        let shape = BenchSpan()
        let count = scaled(2_000_000)
        var batch = BatchSettings()
        batch.queueSpans = settings.queueSpans
        batch.batchSpans = settings.batchSpans
        batch.whenFull = .block
        let clock = clock
        try measure([
            BenchRow(
                "discardedSpansPerS", "through the batch processor, body discarded",
                unit: "spans/s")
        ]) { _ in
            var configuration = TracingConfiguration()
            configuration.serviceName = "bench"
            configuration.exporter = .none
            configuration.batch = batch
            configuration.recorder.clock = clock
            let pipeline = try TracingPipeline(configuration)
            let tracer = pipeline.provider.tracer(name: "tracemill.bench")
            let start = TraceClock.monotonicNs
            for number in 0..<count { shape.run(tracer, number) }
            _ = pipeline.forceFlush(timeoutMs: 60_000)
            let spansPerS = Double(count) / Double(TraceClock.monotonicNs - start) * 1e9
            _ = pipeline.shutdown(timeoutMs: 60_000)
            let ledger = pipeline.ledger
            guard ledger.isBalanced, ledger.acknowledged.spans == UInt64(count) else {
                throw BenchBroken(
                    description: "\(count) spans ended, \(ledger.acknowledged.spans) discarded")
            }
            return [BenchSample(spansPerS)]
        }
    }
}
