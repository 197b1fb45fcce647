// The books of a run: the snapshots of every side, the comparison of batches, and what the laws
// say about them. Part of the result file, so that a reader can check them again.

/// The books of a run, as far as they were kept.
public struct ConservationLedger: ResultObject {
    /// What the generator issued.
    public var issued: IssuedCounts?
    /// What the tracer counted.
    public var tracer = TracerCounts()
    /// What each processor did with what it was given.
    public var deliveries: [DeliveryCounts] = []
    /// What the sink received; nil when there is no sink to ask.
    public var sink: SinkLedger?
    /// The finished comparison batch by batch; nil when there was none.
    public var batches: BatchReconciliation?
    /// The laws that were checked.
    public var checked: [Law] = []
    /// What is broken; at most ``violationsMax`` of it.
    public var violations: [LawViolation] = []
    /// How many more violations there are.
    public var violationsOmitted: UInt64 = 0
    public var unknownFields: [String: JSONValue] = [:]

    /// The number of violations kept.
    public static let violationsMax = 100

    public init() {}

    public static let fields: [ResultField<ConservationLedger>] = [
        .optional("issued", \.issued),
        .required("tracer", \.tracer),
        .required("deliveries", \.deliveries),
        .optional("sink", \.sink),
        .optional("batches", \.batches),
        .required("checked", \.checked),
        .required("violations", \.violations),
        .required("violationsOmitted", \.violationsOmitted),
    ]

    /// Whether laws were checked and all of them hold.
    public var holds: Bool {
        !checked.isEmpty && violations.isEmpty && violationsOmitted == 0
    }

    /// Everything the laws find in these books, without changing them.
    ///
    /// - Parameters:
    ///   - moment: while running, L3 is left out: the sink's account is not read together with the
    ///     exporter's.
    ///   - mismatches: the disagreements of the comparison batch by batch.
    public func violations(
        at moment: LawMoment, mismatches: [BatchMismatch] = []
    ) -> [LawViolation] {
        var found = ConservationLaws.startCalls(tracer, issued: issued, at: moment)
        found += ConservationLaws.recording(tracer, issued: issued, at: moment)
        for delivery in deliveries {
            found += ConservationLaws.delivery(delivery, of: tracer, issued: issued, at: moment)
        }
        found += mismatches.map(\.violation)
        if let sink, moment == .atRest {
            found += ConservationLaws.receipt(
                sink, deliveries: deliveries.filter(\.reachesSink), issued: issued,
                batches: batches)
        }
        return found
    }

    /// Checks the books at rest and enters the outcome in them.
    ///
    /// - Parameter reconciler: the comparison batch by batch; it is finished here.
    public mutating func close(with reconciler: inout BatchReconciler) {
        reconciler.finish()
        batches = reconciler.totals
        let kept = UInt64(reconciler.mismatches.count)
        close(mismatches: reconciler.mismatches, omitted: reconciler.totals.mismatchCount - kept)
    }

    /// Checks the books at rest and enters the outcome in them, without a comparison of batches.
    public mutating func close() {
        close(mismatches: [], omitted: 0)
    }

    private mutating func close(mismatches: [BatchMismatch], omitted: UInt64) {
        let found = violations(at: .atRest, mismatches: mismatches)
        violations = Array(found.prefix(Self.violationsMax))
        violationsOmitted = omitted + UInt64(found.count - violations.count)
        checked = [.startCalls, .recording]
        if !deliveries.isEmpty { checked.append(.delivery) }
        if sink != nil { checked.append(.receipt) }
    }

    /// The outcome in one line: `ledger: L0 L1 L2 L3 hold; 3,912 batches match the sink's own
    /// decode`, or how much is broken and what first.
    public var verdictText: String {
        let laws = checked.map(\.rawValue).joined(separator: " ")
        guard holds else {
            guard !checked.isEmpty else { return "ledger: not checked" }
            let count = UInt64(violations.count) + violationsOmitted
            return "ledger: BROKEN in \(NumberText.grouped(count)) "
                + "place\(count == 1 ? "" : "s"): \(violations.first?.message ?? "")"
        }
        let verb = checked.count == 1 ? "holds" : "hold"
        guard let batches, sink != nil else { return "ledger: \(laws) \(verb)" }
        let matched = batches.matchedBatches
        return "ledger: \(laws) \(verb); \(NumberText.grouped(matched)) "
            + (matched == 1 ? "batch matches" : "batches match") + " the sink's own decode"
    }
}
