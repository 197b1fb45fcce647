// The counters that go into the books of a run, as plain snapshots: what the generator issued,
// what the tracer counted, and by which fate each finished span left. Filled by the load side
// from the tracer's and the exporter's own counters; the laws over them are in ConservationLaws.

/// What the generator knows it asked for, from its own counting.
public struct IssuedCounts: ResultObject {
    /// Calls to start a span.
    public var startCalls: UInt64 = 0
    /// Those that gave a recording span.
    public var recorded: UInt64 = 0
    /// Recording and sampled spans that the generator ended.
    public var sampledEnded: UInt64 = 0
    /// Sum of the identity hashes of the spans in `sampledEnded`; nil when it was not kept.
    public var identitySum: UInt64?
    /// Sum of the ``SpanDigest`` of the spans in `sampledEnded`; nil outside verify mode.
    public var semanticSum: UInt64?
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<IssuedCounts>] = [
        .required("startCalls", \.startCalls),
        .required("recorded", \.recorded),
        .required("sampledEnded", \.sampledEnded),
        .optionalDecimal("identitySum", \.identitySum),
        .optionalDecimal("semanticSum", \.semanticSum),
    ]
}

/// What the tracer counted between the start calls and the ends.
public struct TracerCounts: ResultObject {
    /// Calls to start a span.
    public var startCalls: UInt64 = 0
    /// Not recorded: the sampler said so.
    public var notRecordedSampler: UInt64 = 0
    /// Not recorded: the store was full.
    public var notRecordedStoreFull: UInt64 = 0
    /// Not recorded: the provider was shut down.
    public var notRecordedAfterShutdown: UInt64 = 0
    /// Not recorded: tracing was disabled.
    public var notRecordedDisabled: UInt64 = 0
    /// Spans that were recorded.
    public var recording: UInt64 = 0
    /// Recorded spans that the caller ended.
    public var endedByCaller: UInt64 = 0
    /// Recorded spans that the sweeper ended, since nobody else did.
    public var endedBySweeper: UInt64 = 0
    /// Recorded spans that the sweeper threw away.
    public var discardedBySweeper: UInt64 = 0
    /// Recorded spans not ended yet.
    public var live: UInt64 = 0
    /// Ended spans, by whomever, that are sampled and so go to the processors.
    public var sampledEnded: UInt64 = 0
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<TracerCounts>] = [
        .required("startCalls", \.startCalls),
        .required("notRecordedSampler", \.notRecordedSampler),
        .required("notRecordedStoreFull", \.notRecordedStoreFull),
        .required("notRecordedAfterShutdown", \.notRecordedAfterShutdown),
        .required("notRecordedDisabled", \.notRecordedDisabled),
        .required("recording", \.recording),
        .required("endedByCaller", \.endedByCaller),
        .required("endedBySweeper", \.endedBySweeper),
        .required("discardedBySweeper", \.discardedBySweeper),
        .required("live", \.live),
        .required("sampledEnded", \.sampledEnded),
    ]

    /// Start calls that gave a span which is not recorded, whatever the reason.
    public var notRecorded: UInt64 {
        notRecordedSampler &+ notRecordedStoreFull &+ notRecordedAfterShutdown
            &+ notRecordedDisabled
    }

    /// Recorded spans that are no longer live.
    public var closed: UInt64 {
        endedByCaller &+ endedBySweeper &+ discardedBySweeper
    }
}

/// Spans of one fate.
public struct FateCount: ResultObject {
    /// How many.
    public var count: UInt64 = 0
    /// The sum of their identity hashes; nil when it was not kept for this fate.
    public var identitySum: UInt64?
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    /// A fate of `count` spans.
    public init(count: UInt64, identitySum: UInt64? = nil) {
        self.count = count
        self.identitySum = identitySum
    }

    public static let fields: [ResultField<FateCount>] = [
        .required("count", \.count),
        .optionalDecimal("identitySum", \.identitySum),
    ]
}

/// What became of the spans that were ended and sampled, for one processor.
///
/// Counted once an export, not once an attempt; a batch waiting to be sent again is in flight. The
/// spans of a partly rejected batch are split by number; which ones the receiver rejected is not
/// known, so their identities are summed where the batch's are.
public struct DeliveryCounts: ResultObject {
    /// The processor's name, unique in a run.
    public var processor = "batch"
    /// Whether it sends to the sink whose ledger stands beside this one.
    public var reachesSink = true
    public var queued = FateCount()
    /// Held by a tail sampler: undecided, or kept and in no request yet.
    public var waiting = FateCount()
    public var inFlight = FateCount()
    public var acknowledged = FateCount()
    /// Rejected by a partial success.
    public var rejected = FateCount()
    public var droppedQueueFull = FateCount()
    /// Refused for good, such as by status 400.
    public var droppedRefused = FateCount()
    public var droppedRetriesExhausted = FateCount()
    /// Too large for any request.
    public var droppedOversize = FateCount()
    /// Ended after the shutdown, or not sent before its deadline.
    public var droppedShutdown = FateCount()
    /// Decided against by a tail sampler.
    public var discardedByTail = FateCount()
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<DeliveryCounts>] =
        [
            .required("processor", \.processor),
            .required("reachesSink", \.reachesSink),
        ]
        + fates.map {
            $0.name == "waiting" ? .added($0.name, $0.path) : .required($0.name, $0.path)
        }

    /// Every fate with its name in the file, in the order in which they are shown.
    static let fates:
        [(name: String, path: any WritableKeyPath<DeliveryCounts, FateCount> & Sendable)] =
            [
                ("acknowledged", \.acknowledged),
                ("rejected", \.rejected),
                ("discardedByTail", \.discardedByTail),
                ("droppedQueueFull", \.droppedQueueFull),
                ("droppedRefused", \.droppedRefused),
                ("droppedRetriesExhausted", \.droppedRetriesExhausted),
                ("droppedOversize", \.droppedOversize),
                ("droppedShutdown", \.droppedShutdown),
                ("inFlight", \.inFlight),
                ("queued", \.queued),
                ("waiting", \.waiting),
            ]

    /// Spans of every fate together.
    public var accountedFor: UInt64 {
        Self.fates.reduce(0) { $0 &+ self[keyPath: $1.path].count }
    }

    /// Spans lost on the way, whatever the reason; what a tail sampler discards is not lost.
    public var dropped: UInt64 {
        droppedQueueFull.count &+ droppedRefused.count &+ droppedRetriesExhausted.count
            &+ droppedOversize.count &+ droppedShutdown.count
    }

    /// The sum of all identity sums; nil when a fate that has spans keeps none.
    ///
    /// A rejected count without a sum does not matter where `acknowledged` has one: the sum of a
    /// partly rejected batch is there.
    public var identitySum: UInt64? {
        var sum: UInt64 = 0
        for (name, path) in Self.fates {
            let fate = self[keyPath: path]
            if let part = fate.identitySum {
                sum &+= part
            } else if fate.count > 0, name != "rejected" || acknowledged.identitySum == nil {
                return nil
            }
        }
        return sum
    }
}
