// What the traces of a run are before any sampler has seen them, in flat arrays: 24 bytes a span, 48 a
// trace. Made from plans by whoever has them; everything about fidelity is judged against it.

/// One span of the truth.
public struct TruthSpan: Sendable, Hashable {
    /// Duration in the low 48 bits, ns; above it the marks.
    private var bits: UInt64
    /// Place in ``TraceTruth/traces``.
    public internal(set) var trace: UInt32
    /// Its bytes by the plan.
    public internal(set) var byteCount: UInt32
    /// Place in ``TraceTruth/operations``.
    public internal(set) var operation: UInt16
    /// Number within the arrival; ``noParent`` for none, or for one that was never a span.
    public internal(set) var parent: UInt16

    public static let noParent = UInt16.max
    /// Of durations: 78 hours.
    public static let durationNsMax: UInt64 = (1 << 48) - 1
    private static let failed: UInt64 = 1 << 63
    private static let absent: UInt64 = 1 << 62

    init(
        durationNs: UInt64, isError: Bool, isAbsent: Bool, trace: UInt32, byteCount: UInt32,
        operation: UInt16, parent: UInt16
    ) {
        bits =
            min(durationNs, Self.durationNsMax) | (isError ? Self.failed : 0)
            | (isAbsent ? Self.absent : 0)
        self.trace = trace
        self.byteCount = byteCount
        self.operation = operation
        self.parent = parent
    }

    @inline(__always)
    public var durationNs: UInt64 { bits & Self.durationNsMax }
    @inline(__always)
    public var isError: Bool { bits & Self.failed != 0 }
    /// Only a number: a context that nobody sees, the second copy of a span, a span that never ends.
    @inline(__always)
    public var isAbsent: Bool { bits & Self.absent != 0 }
}

/// One trace of the truth: what has one trace identifier.
public struct TruthTrace: Sendable, Hashable {
    /// Simulated time of its earliest start, ns.
    public internal(set) var startNs: UInt64
    /// From the earliest start to the latest end.
    public internal(set) var durationNs: UInt64
    /// From the earliest start to the first end of a span.
    public internal(set) var firstEndNs: UInt64
    /// Place in ``TraceTruth/shapes``.
    public internal(set) var shape: UInt32
    /// Spans, absent ones left out.
    public internal(set) var spanCount: UInt32
    /// Spans that failed.
    public internal(set) var errorCount: UInt32
    /// Number within the arrival of the span that its identifier derives from.
    public internal(set) var rootSpan: UInt16
    /// Operation of its first span.
    public internal(set) var operation: UInt16
}

/// All traces of a run. A value without references to anything else; read by any thread.
public struct TraceTruth: Sendable {
    /// A service and the name of its spans.
    public struct Operation: Sendable, Hashable {
        /// Place in ``TraceTruth/services``.
        public var service: Int
        public var name: String

        public init(service: Int, name: String) {
            self.service = service
            self.name = name
        }
    }

    /// The spans and traces of one arrival; empty when it never began.
    public struct Arrival: Sendable, Hashable {
        public internal(set) var firstSpan: UInt32 = 0
        public internal(set) var spanCount: UInt32 = 0
        public internal(set) var firstTrace: UInt32 = 0
        public internal(set) var traceCount: UInt32 = 0

        public var spans: Range<Int> { Int(firstSpan)..<Int(firstSpan) + Int(spanCount) }
        public var traces: Range<Int> { Int(firstTrace)..<Int(firstTrace) + Int(traceCount) }
    }

    /// A call shape.
    public struct Shape: Sendable, Hashable {
        /// The same in every run, whatever the order of calls.
        public internal(set) var hash: UInt64
        public internal(set) var spanCount: UInt32
        /// Of the first trace that had it.
        public internal(set) var operation: UInt16
        public internal(set) var traceCount: UInt64
    }

    public let services: [String]
    /// Those that traces have, by service and name.
    public internal(set) var operations: [Operation] = []
    /// By number of the arrival. Where what is counted must not depend on the order of simulation, this is
    /// the order.
    public internal(set) var arrivals: [Arrival] = []
    public internal(set) var spans: [TruthSpan] = []
    public internal(set) var traces: [TruthTrace] = []
    public internal(set) var shapes: [Shape] = []
    /// Spans by operation, absent ones left out, and those of them that failed.
    public internal(set) var operationSpans: [UInt64] = []
    public internal(set) var operationErrors: [UInt64] = []
    /// Spans and bytes, absent ones left out.
    public internal(set) var spanCount: UInt64 = 0
    public internal(set) var byteCount: UInt64 = 0
    /// Hash of each operation's service and name.
    var operationHashes: [UInt64] = []

    /// Without traces yet.
    init(services: [String]) { self.services = services }

    /// Place of a span in ``spans``; nil when the run has no such span.
    @inline(__always)
    public func place(arrival: UInt64, span: UInt16) -> Int? {
        guard arrival < UInt64(arrivals.count) else { return nil }
        let found = arrivals[Int(arrival)]
        guard UInt32(span) < found.spanCount else { return nil }
        return Int(found.firstSpan) + Int(span)
    }

    /// Bytes that it takes.
    public var memoryBytes: Int {
        spans.count * MemoryLayout<TruthSpan>.stride + traces.count
            * MemoryLayout<TruthTrace>.stride
            + arrivals.count * MemoryLayout<Arrival>.stride
    }
}
