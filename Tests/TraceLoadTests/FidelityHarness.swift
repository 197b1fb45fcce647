import TraceCore
import TracePipeline
import TraceResults

@testable import TraceLoad

/// The truth of a scenario's plans, and what samplers keep of it, without a receiver.
struct PlannedTruth {
    let compiled: CompiledScenario
    let truth: TraceTruth

    init(_ compiled: CompiledScenario, arrivals: UInt64, workers: Int = 1) throws {
        self.compiled = compiled
        let feed = PlanFeed(compiled, workers: workers, shard: .whole, depth: 8)
        var reader = FidelityTruthReader(compiled, workers: workers, spansMax: 1_000_000)
        try feed.prepare(indexMax: arrivals) { (chunk, worker) throws(TruthTooLarge) in
            try reader.read(chunk, worker: worker)
        }
        truth = reader.truth()
    }

    init(_ text: String, arrivals: UInt64, workers: Int = 1) throws {
        try self.init(
            CompiledScenario(try Scenario.parse(text)), arrivals: arrivals, workers: workers)
    }

    func cipher(salt: UInt64 = 0) -> SpanIdentityCipher {
        SpanIdentityCipher(seed: compiled.scenario.seed, salt: salt)
    }

    /// The spans that somebody keeps who decides by the service and the trace's identifier alone.
    ///
    /// - Parameter threshold: nil for not kept; a nil within for kept without a threshold.
    func kept(
        salt: UInt64, _ threshold: (_ service: Int, _ trace: TraceID) -> UInt64??
    ) -> KeptSpanTable {
        let cipher = cipher(salt: salt)
        var table = KeptSpanTable(spans: truth.spans.count)
        for (number, arrival) in truth.arrivals.enumerated() where arrival.spanCount > 0 {
            for place in arrival.spans where !truth.spans[place].isAbsent {
                let span = truth.spans[place]
                let root = truth.traces[Int(span.trace)].rootSpan
                let id = cipher.traceID(root: .init(trace: UInt64(number), span: root))
                let service = truth.operations[Int(span.operation)].service
                if let kept = threshold(service, TraceID(high: id.high, low: id.low)) {
                    table.mark(place, threshold: kept)
                }
            }
        }
        return table
    }

    /// What a pipeline delivered of it.
    func reading(of spans: [SpanData], salt: UInt64 = 0) -> FidelityReading {
        var reading = FidelityReading(truth, cipher: cipher(salt: salt))
        for span in spans {
            reading.add(spanID: span.spanID.rawValue, threshold: span.threshold ?? .max)
        }
        return reading
    }

    func study(_ table: KeptSpanTable) -> FidelityResult {
        FidelityStudy.run(truth, table, FidelitySetup.facts(compiled.scenario))
    }
}

extension SpanData {
    /// T of `ot=th:…` where that is all there is.
    var threshold: UInt64? {
        guard traceState.hasPrefix("ot=th:") else { return nil }
        let digits = traceState.dropFirst(6)
        return UInt64(digits + String(repeating: "0", count: 14 - digits.count), radix: 16)
    }
}

/// Books of a sink that received just these spans.
func books(of spans: [SpanData]) -> SinkLedger {
    var books = SinkLedger(mode: .count)
    books.spansTotal = spans.count
    books.spansDistinct = spans.count
    books.identitySum = spans.reduce(0) {
        $0 &+ SpanChecksum.identity($1.traceID, $1.spanID)
    }
    return books
}
