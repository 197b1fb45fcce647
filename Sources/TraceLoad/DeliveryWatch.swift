import TraceCore
import TracePipeline
import TraceResults

/// Follows what the exporter settles: its latencies, and the comparison batch by batch with the sink.
/// The exporter thread only appends to a list; everything else happens on the thread that calls
/// `work`, about twice a second, so that memory stays flat on both sides.
final class DeliveryWatch: Sendable {
    /// Latencies of what was settled since the last `restart`.
    struct Figures: Sendable {
        var exportRequest = LatencyHistogram()
        var queueResidence = LatencyHistogram()
        var delivery = LatencyHistogram()
        /// CPU time of building request bodies.
        var buildNs: UInt64 = 0
        var spans: UInt64 = 0
        var acknowledgedSpans: UInt64 = 0
        /// Export requests, sent again ones too.
        var requests: UInt64 = 0
        var wireBytes: UInt64 = 0
        var bodyBytes: UInt64 = 0
        var lastAcknowledgedNs: UInt64 = 0
    }

    private struct State {
        var figures = Figures()
        var reconciler: BatchReconciler
        var settledThrough: UInt64 = 0
        var highestNumber: UInt64 = 0
        var acknowledged = AcknowledgedTimes()
    }

    /// When acknowledged batches were built and settled. Memory for all that it ever keeps is taken at once:
    /// what grows in a long run is to be the pipeline's.
    private struct AcknowledgedTimes {
        private static let countMax = 1 << 16
        private var times: [(builtNs: UInt64, settledNs: UInt64)]

        init() {
            times = Array(repeating: (0, 0), count: Self.countMax)
            times.removeAll(keepingCapacity: true)
        }

        /// Where there are too many, every second one goes: an answer is late by a batch or two then.
        mutating func append(builtNs: UInt64, settledNs: UInt64) {
            if times.count == Self.countMax {
                for index in 0..<Self.countMax / 2 { times[index] = times[2 * index + 1] }
                times.removeLast(Self.countMax / 2)
            }
            times.append((builtNs, settledNs))
        }

        func firstSettled(builtFrom timeNs: UInt64) -> UInt64? {
            times.lazy.filter { $0.builtNs >= timeNs }.map(\.settledNs).min()
        }
    }

    private let settled = WorkerLock<[TracePipeline.BatchRecord]>([])
    private let state: WorkerLock<State>
    private let sink: SinkControl?
    /// One comparison at a time: a list read before a settling must not be taken in after it.
    private let turn = WorkerLock(false)

    /// - Parameter comparesContents: whether spans travel as the bytes that the exporter summed;
    ///   JSON has others.
    init(sink: SinkControl?, comparesContents: Bool = true) {
        self.sink = sink
        state = WorkerLock(
            State(
                reconciler: BatchReconciler(
                    comparing: comparesContents ? [.identities, .contents] : [.identities])))
    }

    /// For the pipeline; called on the exporter thread.
    var observer: BatchObserver {
        { [self] record in settled.withLock { $0.append(record) } }
    }

    /// Takes in what was settled, and compares it with the sink's list.
    func work() throws(SinkProcessError) {
        try turn.withLock { _ throws(SinkProcessError) in try compare() }
    }

    private func compare() throws(SinkProcessError) {
        let records = settled.withLock { settled in
            defer { settled = [] }
            return settled
        }
        let through = state.withLock { state -> UInt64 in
            for record in records {
                state.figures.add(record)
                state.highestNumber = max(state.highestNumber, record.number)
                if record.outcome == .acknowledged {
                    state.acknowledged.append(
                        builtNs: record.buildStartedNs, settledNs: record.settledNs)
                }
                if sink != nil { state.reconciler.settle(TraceResults.BatchRecord(record)) }
            }
            return state.highestNumber
        }
        guard let sink, through > 0 else { return }
        let list = try sink.batches(through: through)
        let settle = try state.withLock { state throws(SinkProcessError) -> UInt64? in
            do {
                try state.reconciler.receive(list: list)
            } catch {
                throw SinkProcessError.noAnswer(reason: "\(error)")
            }
            guard let number = state.reconciler.settleThrough, number > state.settledThrough else {
                return nil
            }
            state.settledThrough = number
            return number
        }
        if let settle { try sink.settle(through: settle) }
    }

    /// When the first of the batches that were built from then on was acknowledged; nil for none.
    func firstAcknowledgement(ofBatchBuiltFrom timeNs: UInt64) -> UInt64? {
        state.withLock { $0.acknowledged.firstSettled(builtFrom: timeNs) }
    }

    /// Forgets the latencies so far, as after the warm-up; the books go on.
    func restart() {
        state.withLock { $0.figures = Figures() }
    }

    var figures: Figures { state.withLock { $0.figures } }

    /// The comparison so far; to be closed when both sides are at rest.
    var reconciler: BatchReconciler { state.withLock { $0.reconciler } }
}

extension DeliveryWatch.Figures {
    mutating func add(_ record: TracePipeline.BatchRecord) {
        spans += UInt64(record.spans)
        requests += UInt64(record.attempts)
        buildNs += record.buildCPUNs
        wireBytes += UInt64(record.wireByteCount)
        bodyBytes += UInt64(record.bodyByteCount)
        if record.lastSentNs > 0 { exportRequest.record(record.settledNs - record.lastSentNs) }
        guard record.outcome == .acknowledged else { return }
        acknowledgedSpans += UInt64(record.spans)
        lastAcknowledgedNs = max(lastAcknowledgedNs, record.settledNs)
        // Both counters were read at the settling, so one moment ties the two clocks together.
        let sinceBuilt = record.settledNs - record.buildStartedNs
        for end in record.timedEndCycles where record.settledCycles >= end {
            let passed = TraceClock.nanoseconds(cycles: record.settledCycles - end)
            delivery.record(passed)
            queueResidence.record(passed > sinceBuilt ? passed - sinceBuilt : 0)
        }
    }
}

extension TraceResults.BatchRecord {
    /// The exporter's record in the ledger's terms.
    init(_ record: TracePipeline.BatchRecord) {
        let outcome: TraceResults.BatchOutcome
        var rejected = 0
        switch record.outcome {
        case .acknowledged: outcome = .acknowledged
        case .rejected(let count):
            outcome = .acknowledged
            rejected = Int(count)
        case .dropped(.refused), .dropped(.oversize): outcome = .refused
        case .dropped(.retriesExhausted): outcome = .retriesExhausted
        case .dropped(.shutdown): outcome = .shutdown
        }
        self.init(
            number: record.number, spans: record.spans, identitySum: record.identitySum,
            contentSum: record.contentSum, outcome: outcome, rejectedSpans: rejected,
            isIndeterminate: record.indeterminate, attempts: record.attempts)
    }
}
