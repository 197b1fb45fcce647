// How well traces arrived, by the receiver's own decode: what `GET /api/quality` of a sink answers and a
// result file keeps.

/// The quality of the traces at a receiver.
///
/// Counts are of what was looked into; shares are of all that came, each trace weighing as many as it
/// stands for. What each of them means, and what a receiver cannot know, is in docs/sink.md.
public struct TraceQualityFigures: ResultObject {
    /// Traces looked into.
    public var traces: UInt64 = 0
    /// Of those, traces that had not been quiet for long enough when they were judged.
    public var unsettledTraces: UInt64 = 0
    /// A trace is looked into by its identifier, one in so many; a power of two that only grew.
    public var oneIn: UInt64 = 1
    /// All traces that came, estimated; exact when `oneIn` is 1.
    public var tracesEstimated: UInt64 = 0
    /// A trace is judged when no span of it has come for so long.
    public var quietNs: UInt64 = 0
    /// Share of traces complete end to end.
    public var completeShare: Double = 0
    /// Traces that hang together as one tree, whether or not their calls were continued.
    public var connectedTraces: UInt64 = 0
    /// Traces complete end to end: one connected tree, no wrong parent, no disconnected call.
    public var completeTraces: UInt64 = 0
    /// Traces without any root.
    public var rootlessTraces: UInt64 = 0
    /// Traces of more spans than are looked into.
    public var cutTraces: UInt64 = 0
    /// Spans of the traces looked into, late ones left out.
    public var spans: UInt64 = 0
    /// Spans whose parent did not come.
    public var orphanSpans: UInt64 = 0
    /// Share of spans whose parent did not come.
    public var orphanShare: Double = 0
    /// Spans with a parent that cannot be theirs: the three below together.
    public var wrongParents: UInt64 = 0
    /// Share of spans with a parent that cannot be theirs.
    public var wrongParentShare: Double = 0
    /// Spans that are their own ancestors, and those below them.
    public var cyclicSpans: UInt64 = 0
    /// Roots beyond the first of a trace.
    public var extraRoots: UInt64 = 0
    /// Spans within a service whose parent is in another one.
    public var strayChildren: UInt64 = 0
    /// Calls that name a service which sends spans, ended well, and that no span continues.
    public var disconnectedCalls: UInt64 = 0
    /// Spans whose identifier their trace already had.
    public var repeatedSpanIDs: UInt64 = 0
    /// Spans that came after their trace was judged.
    public var lateSpans: UInt64 = 0
    /// Share of spans that came after their trace was judged.
    public var lateShare: Double = 0
    /// Spans that were to be looked into and could not be decoded.
    public var undecodableSpans: UInt64 = 0
    /// Median spans of a trace, to two digits.
    public var spansPerTraceP50: UInt64 = 0
    /// Most spans of a trace.
    public var spansPerTraceMax: UInt64 = 0
    /// Median of the longest chains from a root, or an orphan, down.
    public var depthP50: UInt64 = 0
    /// The longest of these chains, in spans.
    public var depthMax: UInt64 = 0
    /// `service.name` of every resource that came, sorted.
    public var services: [String] = []
    /// Services that should send spans, sorted; nil when nobody declared any.
    public var servicesDeclared: [String]?
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<TraceQualityFigures>] = [
        .required("traces", \.traces),
        .required("unsettledTraces", \.unsettledTraces),
        .required("oneIn", \.oneIn),
        .required("tracesEstimated", \.tracesEstimated),
        .required("quietNs", \.quietNs),
        .required("completeShare", \.completeShare),
        .required("connectedTraces", \.connectedTraces),
        .required("completeTraces", \.completeTraces),
        .required("rootlessTraces", \.rootlessTraces),
        .required("cutTraces", \.cutTraces),
        .required("spans", \.spans),
        .required("orphanSpans", \.orphanSpans),
        .required("orphanShare", \.orphanShare),
        .required("wrongParents", \.wrongParents),
        .required("wrongParentShare", \.wrongParentShare),
        .required("cyclicSpans", \.cyclicSpans),
        .required("extraRoots", \.extraRoots),
        .required("strayChildren", \.strayChildren),
        .required("disconnectedCalls", \.disconnectedCalls),
        .required("repeatedSpanIDs", \.repeatedSpanIDs),
        .required("lateSpans", \.lateSpans),
        .required("lateShare", \.lateShare),
        .required("undecodableSpans", \.undecodableSpans),
        .required("spansPerTraceP50", \.spansPerTraceP50),
        .required("spansPerTraceMax", \.spansPerTraceMax),
        .required("depthP50", \.depthP50),
        .required("depthMax", \.depthMax),
        .required("services", \.services),
        .optional("servicesDeclared", \.servicesDeclared),
    ]

    /// Declared services that sent nothing.
    public var servicesMissing: [String] {
        (servicesDeclared ?? []).filter { !services.contains($0) }
    }
}
