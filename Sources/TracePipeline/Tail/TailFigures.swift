// What a tail sampling stage says of itself.

/// Counts of one stage so far, and what it holds now.
public struct TailFigures: Sendable, Equatable {
    /// Traces that one policy decided.
    public struct Decisions: Sendable, Equatable {
        public var policy: String
        /// Whether it is one that drops.
        public var drops: Bool
        public var keptTraces: UInt64
        public var droppedTraces: UInt64
    }

    /// By policy, in the order of ``TailSampling/policies``.
    public var decisions: [Decisions] = []
    /// Traces that no policy wanted.
    public var unwantedTraces: UInt64 = 0
    /// Traces that began to wait.
    public var traces: UInt64 = 0
    public var keptTraces: UInt64 = 0
    public var droppedTraces: UInt64 = 0
    /// Let go undecided, since there was no room for more (``TailSampling/tracesMax``,
    /// ``TailSampling/memoryBytesMax``), and their spans.
    public var droppedTooEarlyTraces: UInt64 = 0
    public var droppedTooEarlySpans: UInt64 = 0
    /// Of those traces: for want of memory.
    public var droppedForMemoryTraces: UInt64 = 0
    /// Spans that came when their trace was decided, by what was decided.
    public var lateKeptSpans: UInt64 = 0
    public var lateDroppedSpans: UInt64 = 0
    /// How long after the end of their trace's wait late spans came.
    public var lateAges = TailAgeHistogram()

    /// Traces and spans that wait now.
    public var waitingTraces: UInt64 = 0
    public var waitingSpans: UInt64 = 0
    /// Kept spans that are in no request yet.
    public var releasedSpans: UInt64 = 0
    /// Past decisions remembered now.
    public var keptDecisions: UInt64 = 0
    public var droppedDecisions: UInt64 = 0
    /// Memory of spans in use now, and the most that ever was, bytes. Tables and decisions are not in it.
    public var usedBytes: UInt64 = 0
    public var usedBytesMax: UInt64 = 0

    public init() {}
}

/// How late spans were, in buckets from a millisecond to an hour.
public struct TailAgeHistogram: Sendable, Equatable {
    /// Upper bounds, seconds, each belonging to its bucket; one more bucket has what is above.
    public static let boundsS: [Double] = [
        0.001, 0.01, 0.1, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600,
    ]

    public private(set) var count: UInt64 = 0
    public private(set) var sumNs: UInt64 = 0
    public private(set) var maxNs: UInt64 = 0
    /// One more than ``boundsS``.
    public private(set) var bucketCounts = [UInt64](repeating: 0, count: boundsS.count + 1)

    public init() {}

    mutating func add(ns ageNs: UInt64) {
        count += 1
        sumNs &+= ageNs
        maxNs = max(maxNs, ageNs)
        let seconds = Double(ageNs) / 1e9
        bucketCounts[Self.boundsS.firstIndex { seconds <= $0 } ?? Self.boundsS.count] += 1
    }
}
