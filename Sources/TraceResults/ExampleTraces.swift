// Two traces as they arrived, span by span: a usual one and the slowest. What `GET /api/examples` of a sink
// answers, a result file keeps and a report draws.

/// Traces to look at.
public struct ExampleTraces: ResultObject {
    /// Traces they were chosen among.
    public var traces: UInt64 = 0
    /// Of the traces that begin with the most frequent operation, in a sample of 64, the one of median length.
    public var typical: ExampleTrace?
    /// The longest of all that were looked into.
    public var slowest: ExampleTrace?
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<ExampleTraces>] = [
        .required("traces", \.traces),
        .optional("typical", \.typical),
        .optional("slowest", \.slowest),
    ]

    /// Those of two shards: the slower one is the slowest, and the larger shard's is usual for more.
    func sum(_ other: ExampleTraces) -> ExampleTraces {
        var whole = traces >= other.traces ? self : other
        whole.traces = traces &+ other.traces
        let candidates = [slowest, other.slowest].compactMap(\.self)
        whole.slowest = candidates.max { $0.durationNs < $1.durationNs }
        return whole
    }
}

/// One trace.
public struct ExampleTrace: ResultObject {
    /// From the first start to the last end, by the spans' own time.
    public var durationNs: UInt64 = 0
    /// Spans that came, whether or not they are here.
    public var spanCount: UInt64 = 0
    /// At most ``spansMax``, by their start.
    public var spans: [ExampleSpan] = []
    public var unknownFields: [String: JSONValue] = [:]

    /// Spans kept of a trace.
    public static let spansMax = 200

    public init() {}

    public static let fields: [ResultField<ExampleTrace>] = [
        .required("durationNs", \.durationNs),
        .required("spanCount", \.spanCount),
        .required("spans", \.spans),
    ]
}

/// One span of such a trace.
public struct ExampleSpan: ResultObject {
    /// Kinds of OpenTelemetry.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        case unspecified
        case `internal`
        case server
        case client
        case producer
        case consumer
    }

    /// Place of its parent in `spans`; nil for a root, and where the parent is not there.
    public var parent: Int?
    /// Its `service.name`.
    public var service = ""
    /// Its name.
    public var operation = ""
    public var kind = Kind.internal
    /// From the first start of the trace.
    public var startNs: UInt64 = 0
    public var durationNs: UInt64 = 0
    /// Whether its status is an error.
    public var isError = false
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<ExampleSpan>] = [
        .optional("parent", \.parent),
        .required("service", \.service),
        .required("operation", \.operation),
        .required("kind", \.kind),
        .required("startNs", \.startNs),
        .required("durationNs", \.durationNs),
        .required("isError", \.isError),
    ]
}
