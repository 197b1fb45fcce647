// The proof around rows whose bodies are thrown away: the same spans, by the same calls, through a whole
// pipeline to a sink in another process.
import TraceCore
import TraceLoad
import TraceResults

/// What became of a shape's spans.
struct BenchVerification: Encodable {
    var threads: Int
    /// With the live clock: their contents were compared batch by batch.
    var spans: UInt64
    /// With given times: besides, the sink decoded every field, and the digest of what they mean was
    /// compared with the shape's own description.
    var spansByMeaning: UInt64
    var batches: UInt64
}

extension BenchSuite {
    /// Delivers spans of that shape and compares what arrived, once for each shape and number of threads.
    /// - Parameter shapes: the shape of each thread.
    /// - Throws: `BenchBroken` when anything is not as it should be.
    mutating func verify<Shape: SpanShape>(_ shapes: [Shape], spans: Int = 4_096) throws {
        let threads = shapes.count
        let name = shapes[0].name + (threads == 1 ? "" : ", \(threads) threads")
        guard verifications[name] == nil else { return }
        onProgress?("delivering spans to a sink: \(name)")
        var verification = BenchVerification(
            threads: threads, spans: 0, spansByMeaning: 0, batches: 0)
        for comparesMeaning in [false, true] {
            var trial = ShapeTrial()
            trial.clock = clock
            trial.comparesMeaning = comparesMeaning
            let each = spans / threads
            let ledger = try trial.run { tracer in
                let parts = try ProducerThreads.run(threads) { thread in
                    let numbers = thread * each..<(thread + 1) * each
                    return comparesMeaning
                        ? shapes[thread].delivered(tracer, numbers)
                        : shapes[thread].deliveredLive(tracer, numbers)
                }
                return parts.reduce(into: ShapeTrial.Made()) { $0.add($1) }
            }
            guard ledger.holds else {
                throw BenchBroken(description: "spans with \(name): \(ledger.verdictText)")
            }
            verification.batches += ledger.batches?.matchedBatches ?? 0
            let count = UInt64(ledger.sink?.spansDistinct ?? 0)
            if comparesMeaning {
                verification.spansByMeaning = count
            } else {
                verification.spans = count
            }
        }
        verifications[name] = verification
    }

    mutating func verify<Shape: SpanShape>(_ shape: Shape, spans: Int = 4_096) throws {
        try verify([shape], spans: spans)
    }

    /// All of it in one line; nil when nothing was delivered.
    var verificationText: String? {
        guard !verifications.isEmpty else { return nil }
        let spans = verifications.values.reduce(0) { $0 + $1.spans + $1.spansByMeaning }
        let batches = verifications.values.reduce(0) { $0 + $1.batches }
        return "verified: \(NumberText.grouped(spans)) spans of the \(verifications.count) kinds "
            + "above, delivered to a sink;\n\(NumberText.grouped(batches)) batches match its own "
            + "decode, and every field is what the kind says"
    }
}

extension SpanShape {
    /// The spans as they are timed.
    func deliveredLive(_ tracer: Tracer, _ numbers: Range<Int>) -> ShapeTrial.Made {
        var made = ShapeTrial.Made()
        for number in numbers { made.note(make(tracer, number, at: nil)) }
        return made
    }

    /// The spans with times that are known, and the digest of what they should say.
    func delivered(_ tracer: Tracer, _ numbers: Range<Int>) -> ShapeTrial.Made {
        var made = ShapeTrial.Made()
        var sum: UInt64 = 0
        for number in numbers {
            let start = GivenTimes.start(number)
            let context = make(tracer, number, at: start)
            sum &+= description(of: number).digest(context, startUnixNano: start)
            made.note(context)
        }
        made.semanticSum = sum
        return made
    }
}

extension ShapeTrial.Made {
    fileprivate mutating func note(_ context: SpanContext) {
        spans += 1
        identitySum &+= SpanChecksum.identity(context.traceID, context.spanID)
    }
}
