// What the comparison of batches finds, one case each, in words.

/// One batch on which the exporter and the sink disagree.
public struct BatchMismatch: Sendable, Equatable {
    /// In what way.
    public enum Kind: String, Sendable, CaseIterable {
        /// Acknowledged, and the sink never received it.
        case missingAtSink
        /// Received, although the exporter was told otherwise by a definite answer.
        case receivedThoughRefused
        /// Received under a number that the exporter never settled.
        case neverSent
        /// Another number of spans.
        case spanCount
        /// As many spans, other identities.
        case identity
        /// The same spans, other contents.
        case content
        /// Received more often than it was sent.
        case excessDeliveries
        /// Settled twice by the exporter.
        case settledTwice
    }

    /// In what way they disagree.
    public var kind: Kind
    /// The batch.
    public var number: UInt64
    /// The exporter's figure: spans, a sum, or attempts.
    public var expected: UInt64
    /// The sink's figure: spans, a sum, or deliveries.
    public var found: UInt64

    /// The same as a broken law.
    public var violation: LawViolation {
        let batch = "batch \(NumberText.grouped(number))"
        let spans = ConservationLaws.count(expected, "span")
        switch kind {
        case .missingAtSink:
            return .counts(
                .receipt, "acknowledged batch missing", expected: expected, found: found,
                "\(batch) with \(spans) was acknowledged but never reached the sink")
        case .receivedThoughRefused:
            return .counts(
                .receipt, "refused batch received", expected: expected, found: found,
                "\(batch) was refused by a definite answer, yet the sink counts "
                    + "\(ConservationLaws.count(found, "span")) of it as received")
        case .neverSent:
            return .counts(
                .receipt, "unknown batch received", expected: expected, found: found,
                "the sink received \(batch) with \(ConservationLaws.count(found, "span")), which "
                    + "this run never settled: another sender, or an export the exporter forgot")
        case .spanCount:
            return .counts(
                .receipt, "spans of a batch", expected: expected, found: found,
                "\(batch) was sent with \(spans), the sink decoded "
                    + "\(NumberText.grouped(found)) of them")
        case .identity:
            return .checksums(
                .receipt, "identities of a batch", expected: expected, found: found,
                "\(batch) reached the sink with other span or trace ids than it was sent with")
        case .content:
            return .checksums(
                .receipt, "contents of a batch", expected: expected, found: found,
                "\(batch) reached the sink with the right ids and other contents than were "
                    + "recorded: bytes were altered between encoder and decoder")
        case .excessDeliveries:
            return .counts(
                .receipt, "deliveries of a batch", expected: expected, found: found,
                "\(batch) was sent \(times(expected)) and received \(times(found))")
        case .settledTwice:
            return .counts(
                .delivery, "batch settled twice", expected: expected, found: found,
                "the exporter settled \(batch) twice: its spans are counted under two fates")
        }
    }

    private func times(_ number: UInt64) -> String {
        switch number {
        case 1: "once"
        case 2: "twice"
        default: "\(NumberText.grouped(number)) times"
        }
    }
}

/// What a comparison of batches came to.
public struct BatchReconciliation: ResultObject {
    /// Batches on which both sides agree.
    public var matchedBatches: UInt64 = 0
    /// Spans in them.
    public var matchedSpans: UInt64 = 0
    /// Batches the exporter settled.
    public var settledBatches: UInt64 = 0
    /// Different batches the sink listed.
    public var listedBatches: UInt64 = 0
    /// Spans the sink listed for them.
    public var listedSpans: UInt64 = 0
    /// Sum of the identity sums that the sink listed.
    public var listedIdentitySum: UInt64 = 0
    /// Sum of the content sums that the sink listed.
    public var listedContentSum: UInt64 = 0
    /// Spans of acknowledged batches, those that a partial success rejected left out.
    public var acknowledgedSpans: UInt64 = 0
    /// Spans that partial successes rejected.
    public var rejectedSpans: UInt64 = 0
    /// Spans of batches given up without knowing whether they arrived: those that did.
    public var indeterminateReceivedSpans: UInt64 = 0
    /// Likewise, those that did not arrive.
    public var indeterminateUnseenSpans: UInt64 = 0
    /// Spans sent again: of every batch, its spans times its attempts after the first.
    public var resentSpans: UInt64 = 0
    /// Disagreements, all of them.
    public var mismatchCount: UInt64 = 0
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<BatchReconciliation>] = [
        .required("matchedBatches", \.matchedBatches),
        .required("matchedSpans", \.matchedSpans),
        .required("settledBatches", \.settledBatches),
        .required("listedBatches", \.listedBatches),
        .required("listedSpans", \.listedSpans),
        .decimal("listedIdentitySum", \.listedIdentitySum),
        .decimal("listedContentSum", \.listedContentSum),
        .required("acknowledgedSpans", \.acknowledgedSpans),
        .required("rejectedSpans", \.rejectedSpans),
        .required("indeterminateReceivedSpans", \.indeterminateReceivedSpans),
        .required("indeterminateUnseenSpans", \.indeterminateUnseenSpans),
        .required("resentSpans", \.resentSpans),
        .required("mismatchCount", \.mismatchCount),
    ]
}
