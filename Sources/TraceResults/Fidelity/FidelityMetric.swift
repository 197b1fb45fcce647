// The figures of what a sampler kept and what that cost: names, units, which way is better. What each
// means, and when there is none, is in docs/fidelity.md.

/// The names of the metrics that a run with `--fidelity` has beside the others. Any of them may be missing:
/// then it is not defined for that sampler.
public enum FidelityMetric: String, Sendable, CaseIterable {
    // What was kept.
    /// Traces of which any span was kept, of all.
    case keptTraceShare
    case keptSpanShare
    /// Of the bytes that spans have by their plans.
    case keptByteShare
    /// |kept / target − 1|, where the sampler has a target.
    case budgetErrorShare
    /// Likewise in the second of simulated time where it is largest.
    case budgetErrorShareWorst

    // What of the interesting was kept.
    /// Traces with a failed span that was kept, of those with a failed span.
    case errorTraceRecall
    /// Of the traces kept: those of which a failed span was kept.
    case errorTracePrecision
    /// Traces kept, of those longer than the true 99th percentile.
    case slowTraceRecall
    /// Call shapes kept whole, of all there were.
    case patternCoverage
    /// Entropy of the mix of shapes that was kept.
    case patternEntropyBits
    /// Jensen–Shannon divergence of the mix kept, by its weights, from the true one.
    case patternDivergenceBits
    /// Cells of operation and minute of which a span was kept, of all there were.
    case rareKeysKeptShare

    // How whole it is.
    /// Traces kept with every span, of the traces kept.
    case completeKeptTraceShare
    /// Spans kept without their parent, of the spans kept.
    case keptOrphanSpanShare
    /// Mean Jaccard index of the traces that two services kept, of those that both have spans of.
    case serviceAgreement

    // How well it estimates.
    /// Mean relative error of estimated counts over operations.
    case countEstimateBias
    /// Root of the mean squared relative error of estimated counts over operations.
    case countEstimateRmse
    /// Operations whose true count lies in the 95% interval, of those with one.
    case countIntervalHitShare
    /// Median over operations of the relative error of an estimated percentile.
    case durationP50Error
    case durationP99Error
    /// Median over operations of the absolute error of the estimated share of failed spans.
    case errorRateError

    // How it behaves in time.
    /// From the beginning of a burst until what is kept is back within the budget, in simulated time.
    case burstReactionNs
    /// Spans that came too late and were dropped, of those that reached the tail stage.
    case tailLateLossShare
    /// Spans let go undecided for want of room, of those that reached the tail stage.
    case tailEvictedLossShare
    /// From a trace's beginning to the decision about it, in simulated time.
    case decisionDelayNsP50
    case decisionDelayNsP99

    // What it costs.
    case allocatedBytesPerDecision
    case cpuMsPerThousandTraces
    case exportedBytesPerS
    case exportRequestsPerS
    /// The most that the pipeline's pages held, bytes, a tail stage's included.
    case heldBytesMax
    /// CPU time of everything that fidelity took, of that and the run's own.
    case fidelityCpuShare

    /// The unit: `1`, `bit`, `ns`, `B`, `ms`, `1/s`.
    public var unit: String {
        switch self {
        case .patternEntropyBits, .patternDivergenceBits: "bit"
        case .burstReactionNs, .decisionDelayNsP50, .decisionDelayNsP99: "ns"
        case .allocatedBytesPerDecision, .heldBytesMax: "B"
        case .cpuMsPerThousandTraces: "ms"
        case .exportedBytesPerS, .exportRequestsPerS: "1/s"
        default: "1"
        }
    }

    public var better: Metric.Direction {
        switch self {
        case .keptTraceShare, .keptSpanShare, .keptByteShare, .countEstimateBias,
            .exportedBytesPerS, .exportRequestsPerS:
            .neither
        case .errorTraceRecall, .errorTracePrecision, .slowTraceRecall, .patternCoverage,
            .patternEntropyBits, .rareKeysKeptShare, .completeKeptTraceShare, .serviceAgreement,
            .countIntervalHitShare:
            .higher
        default: .lower
        }
    }

    /// Whether it follows from the plans and the sampler alone, and not from the machine.
    public var isOfTraces: Bool {
        switch self {
        case .allocatedBytesPerDecision, .cpuMsPerThousandTraces, .exportedBytesPerS,
            .exportRequestsPerS, .heldBytesMax, .fidelityCpuShare, .tailLateLossShare,
            .tailEvictedLossShare:
            false
        default: true
        }
    }

    /// A metric of this name from its figure.
    public func metric(_ value: Double, samples: UInt64 = 1) -> Metric {
        let kind: Metric.Kind =
            switch self {
            case .exportedBytesPerS, .exportRequestsPerS: .rate
            case .heldBytesMax: .total
            default: .mean
            }
        return Metric(value, unit: unit, better: better, kind: kind, samples: samples)
    }
}

extension RunRecord {
    /// Enters a figure; one that is not there or not finite is left out.
    public mutating func set(_ name: FidelityMetric, _ value: Double?, samples: UInt64 = 1) {
        guard let value, value.isFinite else { return }
        metrics[name.rawValue] = name.metric(value, samples: samples)
    }

    /// The figure of a run, nil when it has none.
    public func value(_ name: FidelityMetric) -> Double? { metrics[name.rawValue]?.value }
}
