// What a run with `--fidelity` says beside its scalars: the truth of the plans, what of it came to the
// receiver, and what can be concluded from that. `runs[].fidelity` in a result file.

/// What was kept of the traces of a run, against the truth.
public struct FidelityFigures: ResultObject {
    /// All traces as they were planned.
    public var truth = FidelityTruth()
    /// What of them came to the receiver.
    public var kept = FidelityKept()
    /// Whether every span kept says how many it stands for. Without that there are no estimates.
    public var hasAdjustedCounts = false
    /// Why not; nil when they do.
    public var adjustedCountsMissing: String?
    /// By operation, the most frequent first; at most ``operationsMax``.
    public var operations: [OperationEstimates] = []
    /// Operations that there were, those left out of `operations` included.
    public var operationCount = 0
    /// Services with spans, the busiest first; at most ``servicesMax``.
    public var services: [String] = []
    /// Row A, column B: of the traces that A kept and B has spans in, the share that B kept. Nil where there
    /// is none. In the order of `services`.
    public var keptGivenKept: [[Double?]] = []
    /// Traces by time.
    public var windows = FidelityWindows()
    /// Call shapes, the most frequent first; at most ``patternsMax``.
    public var patterns: [PatternFigures] = []
    /// CPU time that fidelity took in the run's process and at the receiver, ns.
    public var cpuNs: UInt64 = 0
    public var unknownFields: [String: JSONValue] = [:]

    public static let operationsMax = 500
    public static let servicesMax = 64
    public static let patternsMax = 200

    public init() {}

    public static let fields: [ResultField<FidelityFigures>] = [
        .required("truth", \.truth),
        .required("kept", \.kept),
        .required("hasAdjustedCounts", \.hasAdjustedCounts),
        .optional("adjustedCountsMissing", \.adjustedCountsMissing),
        .required("operations", \.operations),
        .required("operationCount", \.operationCount),
        .required("services", \.services),
        .required("keptGivenKept", \.keptGivenKept),
        .required("windows", \.windows),
        .required("patterns", \.patterns),
        .required("cpuNs", \.cpuNs),
    ]
}

/// The traces of a run as they were planned.
public struct FidelityTruth: ResultObject {
    public var traces: UInt64 = 0
    public var spans: UInt64 = 0
    /// Bytes of the spans, by their plans: about what they are in protobuf.
    public var bytes: UInt64 = 0
    /// Traces with a failed span.
    public var errorTraces: UInt64 = 0
    public var errorSpans: UInt64 = 0
    /// Traces longer than `slowNs`.
    public var slowTraces: UInt64 = 0
    /// The 99th percentile of the traces' durations.
    public var slowNs: UInt64 = 0
    /// Call shapes.
    public var patterns: UInt64 = 0
    /// Entropy of their mix.
    public var patternEntropyBits: Double = 0
    /// Simulated time from the first beginning to the last end.
    public var durationNs: UInt64 = 0
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<FidelityTruth>] = [
        .required("traces", \.traces),
        .required("spans", \.spans),
        .required("bytes", \.bytes),
        .required("errorTraces", \.errorTraces),
        .required("errorSpans", \.errorSpans),
        .required("slowTraces", \.slowTraces),
        .required("slowNs", \.slowNs),
        .required("patterns", \.patterns),
        .required("patternEntropyBits", \.patternEntropyBits),
        .required("durationNs", \.durationNs),
    ]
}

/// What of the truth came to the receiver, by its own decode.
public struct FidelityKept: ResultObject {
    /// Traces of which any span came.
    public var traces: UInt64 = 0
    /// Of those, traces of which every span came.
    public var completeTraces: UInt64 = 0
    public var spans: UInt64 = 0
    /// Of the truth's bytes.
    public var bytes: UInt64 = 0
    /// Traces of which a failed span came.
    public var errorTraces: UInt64 = 0
    public var slowTraces: UInt64 = 0
    /// Spans whose parent did not come.
    public var orphanSpans: UInt64 = 0
    /// Call shapes of which a whole trace came.
    public var patterns: UInt64 = 0
    /// Spans that came more than once, on purpose.
    public var repeatedSpans: UInt64 = 0
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<FidelityKept>] = [
        .required("traces", \.traces),
        .required("completeTraces", \.completeTraces),
        .required("spans", \.spans),
        .required("bytes", \.bytes),
        .required("errorTraces", \.errorTraces),
        .required("slowTraces", \.slowTraces),
        .required("orphanSpans", \.orphanSpans),
        .required("patterns", \.patterns),
        .required("repeatedSpans", \.repeatedSpans),
    ]
}

/// What can be concluded about one operation from what was kept of it.
public struct OperationEstimates: ResultObject {
    public var service = ""
    /// Name of its spans.
    public var operation = ""
    /// Spans of it that came.
    public var keptSpans: UInt64 = 0
    /// Spans.
    public var count = Estimate()
    /// Share of them that failed.
    public var errorRate = Estimate()
    /// Durations, ns.
    public var durationNsP50 = Estimate()
    public var durationNsP99 = Estimate()
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<OperationEstimates>] = [
        .required("service", \.service),
        .required("operation", \.operation),
        .required("keptSpans", \.keptSpans),
        .required("count", \.count),
        .required("errorRate", \.errorRate),
        .required("durationNsP50", \.durationNsP50),
        .required("durationNsP99", \.durationNsP99),
    ]
}

/// A true figure, and its estimate from what was kept with a 95% interval: nil where there is none.
public struct Estimate: ResultObject {
    public var truth: Double = 0
    public var estimate: Double?
    public var lower: Double?
    public var upper: Double?
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public init(truth: Double) { self.truth = truth }

    public static let fields: [ResultField<Estimate>] = [
        .required("truth", \.truth),
        .optional("estimate", \.estimate),
        .optional("lower", \.lower),
        .optional("upper", \.upper),
    ]

    /// Whether the truth lies in the interval; nil without one.
    public var isHit: Bool? {
        guard let lower, let upper else { return nil }
        return lower <= truth && truth <= upper
    }

    /// (estimate − truth) / truth; nil without an estimate, or where the truth is 0.
    public var relativeError: Double? {
        guard let estimate, truth != 0 else { return nil }
        return (estimate - truth) / truth
    }
}

/// Traces by simulated time of their beginning.
public struct FidelityWindows: ResultObject {
    /// Length of a window: a second, more in very long runs.
    public var windowNs: UInt64 = 1_000_000_000
    public var traces: [UInt64] = []
    public var keptTraces: [UInt64] = []
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<FidelityWindows>] = [
        .required("windowNs", \.windowNs),
        .required("traces", \.traces),
        .required("keptTraces", \.keptTraces),
    ]
}

/// One call shape: traces in which the same operations call each other.
public struct PatternFigures: ResultObject {
    /// Hash of the shape, 16 hexadecimal digits: the same in every run.
    public var shape = ""
    /// Where its traces begin, as `service/operation`.
    public var root = ""
    /// Spans of each of its traces.
    public var spans: UInt64 = 0
    public var traces: UInt64 = 0
    /// Traces of it that came whole.
    public var keptTraces: UInt64 = 0
    /// Its share of the mix that was kept, by the weights of the traces.
    public var keptShare: Double = 0
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<PatternFigures>] = [
        .required("shape", \.shape),
        .required("root", \.root),
        .required("spans", \.spans),
        .required("traces", \.traces),
        .required("keptTraces", \.keptTraces),
        .required("keptShare", \.keptShare),
    ]
}
