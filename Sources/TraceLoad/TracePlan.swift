/// Plans: what workers do for traces, as flat arrays without references, so that replaying them is a
/// walk over memory. A batch holds whole traces one after another, a chunk a piece of a stream in
/// which the traces of a time run through each other. Plain values; each has one owner at a time.

/// One trace of a batch.
public struct TracePlan: Hashable, Sendable {
    /// Number of the arrival in the run, from 0; identifiers derive from it.
    public var index: UInt64
    /// Start, ns of simulated time since the run began.
    public var startNs: UInt64
    /// From the start to the last end.
    public var durationNs: UInt64
    public var firstEvent: Int
    public var eventCount: Int
    public var spanCount: Int
    /// Trace identifiers it has: 1, and one for each span that begins a trace of its own.
    public var rootCount: Int
    /// The `traffic` entry it comes from.
    public var traffic: Int

    public var events: Range<Int> { firstEvent..<(firstEvent + eventCount) }
}

/// Plans of whole traces and their bytes; reused without freeing what it holds.
public struct PlanBatch: Sendable {
    public internal(set) var traces: [TracePlan] = []
    public internal(set) var events: [PlanEvent] = []
    /// Texts drawn for these traces.
    public internal(set) var text: [UInt8] = []
    /// Most spans of one trace.
    public internal(set) var spansPerTraceMax = 0
    public internal(set) var spanCount = 0

    public init() {}

    mutating func append(_ plan: TracePlan, _ planEvents: [PlanEvent]) {
        var plan = plan
        (plan.firstEvent, plan.eventCount) = (events.count, planEvents.count)
        events.append(contentsOf: planEvents)
        traces.append(plan)
        spanCount += plan.spanCount
        spansPerTraceMax = max(spansPerTraceMax, plan.spanCount)
    }

    /// Bytes in use.
    public var byteCount: Int {
        traces.count * MemoryLayout<TracePlan>.stride + events.count
            * MemoryLayout<PlanEvent>.stride
            + text.count
    }
}

/// What a worker has to know of a trace that begins.
struct TraceHead: Sendable {
    var index: UInt64
    /// Simulated time of its start, and of when it should have started: an arrival may have waited.
    var startNs: UInt64
    var intendedNs: UInt64
}

/// A piece of a worker's stream: events in order of simulated time, `begin` and `resume` in front of
/// each instant of a trace.
struct PlanChunk: Sendable {
    /// Handed over when it holds so many.
    static let eventsMax = 4096

    var events: [PlanEvent] = []
    var text: [UInt8] = []
    var heads: [TraceHead] = []

    var isEmpty: Bool { events.isEmpty }

    mutating func removeAll() {
        events.removeAll(keepingCapacity: true)
        text.removeAll(keepingCapacity: true)
        heads.removeAll(keepingCapacity: true)
    }
}
