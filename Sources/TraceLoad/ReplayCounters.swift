import TraceCore
import TraceResults

/// What one worker, or all of them together, did. Values; summed after the run.
public struct ReplayCounters: Sendable {
    public var traces: UInt64 = 0
    /// Calls of `startSpan`.
    public var spansStarted: UInt64 = 0
    /// Spans that recorded: the sampled ones, and those that a sampler wants recorded all the same.
    public var spansRecording: UInt64 = 0
    /// Sampled spans whose `end` was called and took effect: a sweeper may have been there first.
    public var spansEnded: UInt64 = 0
    /// Sum of `SpanChecksum.identity` over the sampled spans that were ended.
    public var identitySum: UInt64 = 0
    /// Sum of `SpanDigest` over them, from the plans; 0 unless the replay verifies.
    public var semanticSum: UInt64 = 0
    /// Real time: traces that began by the schedule, and those of them that began later than
    /// `run.lag_max` allows.
    public var pacedStarts: UInt64 = 0
    public var lateStarts: UInt64 = 0
    /// CPU time of the worker threads, ns.
    public var cpuNs: UInt64 = 0
    /// Heap bytes that the worker threads allocated while replaying; nil when nobody counted.
    public var allocatedBytes: UInt64?

    public init() {}

    mutating func add(_ other: ReplayCounters) {
        traces &+= other.traces
        spansStarted &+= other.spansStarted
        spansRecording &+= other.spansRecording
        spansEnded &+= other.spansEnded
        identitySum &+= other.identitySum
        semanticSum &+= other.semanticSum
        pacedStarts &+= other.pacedStarts
        lateStarts &+= other.lateStarts
        cpuNs &+= other.cpuNs
        if let bytes = other.allocatedBytes { allocatedBytes = (allocatedBytes ?? 0) &+ bytes }
    }
}

/// The sampled timings of a replay, ns. Each includes the floor of the timer.
public struct ReplayTimings: Sendable {
    /// One call of `startSpan` in 64.
    public var start = LatencyHistogram()
    /// One call of `end` in 64.
    public var end = LatencyHistogram()
    /// The sampler's decision, asked again beside each timed start; empty when a sampler remembers what
    /// it was asked.
    public var decide = LatencyHistogram()
    /// Real time: how late each instant of a trace was executed.
    public var scheduleLag = LatencyHistogram()
    /// `overload: queue`: how long arrivals waited in simulated time, those that did.
    public var queueWait = LatencyHistogram()
    /// Real time: how late a thread beside the workers woke up from sleeps of its own.
    public var sleepLateness = LatencyHistogram()
    /// Real time: from the intended start of a trace to its last end.
    public var traceLatency = LatencyHistogram()
    /// Real time: from when a trace did begin to its last end.
    public var traceService = LatencyHistogram()

    public init() {}

    mutating func merge(_ other: ReplayTimings) {
        start.merge(other.start)
        end.merge(other.end)
        decide.merge(other.decide)
        scheduleLag.merge(other.scheduleLag)
        queueWait.merge(other.queueWait)
        sleepLateness.merge(other.sleepLateness)
        traceLatency.merge(other.traceLatency)
        traceService.merge(other.traceService)
    }
}

/// What a replay did, when all its workers are done.
public struct ReplaySummary: Sendable {
    public var total = ReplayCounters()
    public var workers: [ReplayCounters] = []
    public var timings = ReplayTimings()
    /// Median time between two neighbouring readings of the timer, ns.
    public var timerFloorNs: UInt64 = 0
    /// Arrivals dropped because `max_in_flight` traces were alive.
    public var droppedArrivals: UInt64 = 0
    /// From the first worker's start to the last one's end, ns.
    public var wallNs: UInt64 = 0
    /// True when `stop()` ended it before its limit.
    public var isInterrupted = false
    /// True when the schedule's last trace has been replayed.
    public var isScheduleOver = false

    public init() {}
}

/// The timer of single calls: the cycle counter where it runs at one rate, else the monotonic clock.
enum CallTimer {
    @inline(__always)
    static func now() -> UInt64 {
        TraceClock.isCycleCounterInvariant ? TraceClock.cycles : TraceClock.monotonicNs
    }

    static func nanoseconds(_ ticks: UInt64) -> UInt64 {
        TraceClock.isCycleCounterInvariant ? TraceClock.nanoseconds(cycles: ticks) : ticks
    }

    /// Median of 4,096 neighbouring readings, ns.
    static func floorNs() -> UInt64 {
        var gaps: [UInt64] = []
        gaps.reserveCapacity(4096)
        for _ in 0..<4096 {
            let before = now()
            gaps.append(now() &- before)
        }
        gaps.sort()
        return nanoseconds(gaps[gaps.count / 2])
    }
}
