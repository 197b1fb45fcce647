import TraceCore
import TraceResults

/// From the sink's list of spans to what was kept of the truth: identifiers are a keyed bijection, so each
/// says which span of which trace it is. One thread.
struct FidelityReading {
    private let truth: TraceTruth
    private let cipher: SpanIdentityCipher
    private(set) var table: KeptSpanTable
    /// Listed spans, and those of them that no plan has.
    private(set) var listedCount: UInt64 = 0
    private(set) var strangerCount: UInt64 = 0
    /// Sum of the identities of those that were listed before.
    private var repeatedSum: UInt64 = 0

    init(_ truth: TraceTruth, cipher: SpanIdentityCipher) {
        self.truth = truth
        self.cipher = cipher
        table = KeptSpanTable(spans: truth.spans.count)
    }

    /// Takes in a span of the list. `threshold`: all bits for none.
    @inline(__always)
    mutating func add(spanID: UInt64, threshold: UInt64) {
        listedCount += 1
        let position = cipher.position(spanID: spanID)
        guard let place = truth.place(arrival: position.trace, span: position.span),
            !truth.spans[place].isAbsent
        else {
            strangerCount += 1
            return
        }
        guard !table.mark(place, threshold: threshold == .max ? nil : threshold) else { return }
        repeatedSum &+= identity(
            spanID, traceID(position.trace, truth.traces[Int(truth.spans[place].trace)]))
    }

    /// Why the list cannot be the spans that the sink's books speak of; nil when it can. The books sum up the
    /// identities of trace and span as they came; the list has span identifiers alone, and the traces are the
    /// plan's: the sums are equal only if every span came, was listed once, and in the trace that was planned.
    func disagreement(with books: SinkLedger) -> String? {
        let expected = UInt64(max(0, books.spansDistinct - books.spansRejected))
        guard listedCount == expected else {
            return
                "the receiver's list has \(NumberText.grouped(listedCount)) spans, its books "
                + "\(NumberText.grouped(expected)): what was kept cannot be told"
        }
        guard strangerCount == 0 else {
            return
                "\(NumberText.grouped(strangerCount)) spans came that no plan has: what was kept cannot be "
                + "told"
        }
        guard books.spansRejected == 0, identitySum != books.identitySum else { return nil }
        return
            "the receiver's list and its books speak of different spans: their identities add up to "
            + "other sums"
    }

    private var identitySum: UInt64 {
        var sum = repeatedSum
        for (number, arrival) in truth.arrivals.enumerated() where arrival.spanCount > 0 {
            var known: (trace: UInt32, id: TraceID)?
            for place in arrival.spans where table.codes[place] != 0 {
                let trace = truth.spans[place].trace
                if known?.trace != trace {
                    known = (trace, traceID(UInt64(number), truth.traces[Int(trace)]))
                }
                guard let known else { continue }
                let span = UInt16(place - arrival.spans.lowerBound)
                sum &+= identity(
                    cipher.spanID(.init(trace: UInt64(number), span: span)), known.id)
            }
        }
        return sum
    }

    private func traceID(_ arrival: UInt64, _ trace: TruthTrace) -> TraceID {
        let id = cipher.traceID(root: .init(trace: arrival, span: trace.rootSpan))
        return TraceID(high: id.high, low: id.low)
    }

    private func identity(_ spanID: UInt64, _ traceID: TraceID) -> UInt64 {
        SpanChecksum.identity(traceID, SpanID(rawValue: spanID))
    }
}

/// What fidelity has to say of a run.
struct FidelityFindings {
    var result: FidelityResult
    /// Why it says nothing, if so: the run is invalid.
    var disagreement: String?
    /// CPU time of all of it, at the sink too.
    var cpuNs: UInt64
}

extension FidelitySetup {
    /// Spans asked for at a time.
    private static let pieceSpans = 1 << 20

    /// Reads the sink's list, holds it against its books, and compares it with the truth. Blocks for about
    /// 100 ns a span.
    func study(
        _ truth: TraceTruth, truthCPUNs: UInt64, sink: SinkControl, cipher: SpanIdentityCipher,
        books: SinkLedger?
    ) throws(SinkProcessError) -> FidelityFindings {
        let before = ReplayThread.cpuNs
        var reading = FidelityReading(truth, cipher: cipher)
        var sinkCPUNs: UInt64 = 0
        var overflow: UInt64 = 0
        while true {
            let piece = try sink.keptSpans(
                from: Int(reading.listedCount), count: Self.pieceSpans)
            guard piece.count >= 24, piece.count % 16 == 8 else {
                throw .noAnswer(reason: "its list of spans has \(piece.count) bytes")
            }
            let isOver = unsafe piece.withUnsafeBytes { bytes in
                func number(_ place: Int) -> UInt64 {
                    UInt64(
                        littleEndian: unsafe bytes.loadUnaligned(
                            fromByteOffset: 8 * place, as: UInt64.self))
                }
                (overflow, sinkCPUNs) = (number(1), number(2))
                for place in stride(from: 3, to: bytes.count / 8, by: 2) {
                    reading.add(spanID: number(place), threshold: number(place + 1))
                }
                return reading.listedCount >= number(0) || bytes.count == 24
            }
            if isOver { break }
        }
        var disagreement = books.flatMap { reading.disagreement(with: $0) }
        if overflow > 0 {
            disagreement =
                "\(NumberText.grouped(overflow)) spans found no room in the receiver's list: write fewer with "
                + "--traces"
        }
        let result = FidelityStudy.run(truth, reading.table, sampler)
        return FidelityFindings(
            result: result, disagreement: disagreement,
            cpuNs: truthCPUNs + sinkCPUNs + (ReplayThread.cpuNs - before))
    }
}

extension RunReport {
    /// Enters what a decision costs; its time only where the run could not ask.
    mutating func add(_ trial: DecisionTrial) {
        record.set(
            .allocatedBytesPerDecision, trial.allocatedBytes, samples: max(1, trial.decisions))
        if record.histograms[LatencyName.samplerDecision.rawValue] == nil {
            record.set(.samplerDecision, trial.durations)
        }
    }

    /// Enters what fidelity found.
    ///
    /// - Parameter allCPUNs: what the run took so far at both ends, plans and all of this included.
    mutating func add(_ findings: FidelityFindings, allCPUNs: UInt64) {
        if let disagreement = findings.disagreement { pendingReason = disagreement }
        record.fidelity = findings.result.figures
        record.fidelity?.cpuNs = findings.cpuNs
        for (name, figure) in findings.result.metrics {
            record.set(name, figure.value, samples: figure.samples)
        }
        let share = Double(findings.cpuNs) / Double(allCPUNs)
        record.set(.fidelityCpuShare, allCPUNs > 0 ? share : nil)
    }
}
