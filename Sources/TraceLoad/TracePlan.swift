/// Plans: what a worker does for a trace, as flat arrays without references, so that replaying one
/// is a walk over memory. Made by `Planner`, executed by the replay. Plain values; a batch has one
/// owner at a time.

/// One action, 16 bytes. What `operand` and `value` mean depends on the kind.
public struct PlanEvent: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
        /// No event; marks a value that is not there.
        case none = 0
        /// Starts `span`. Operand: shape and instance; value: time and, above it, the parent's
        /// span number, `noParent` for the root of a trace.
        case start
        /// As `start`, with the parent extracted from the carrier that the span named above the
        /// time was injected into.
        case startExtracted
        /// The root of a trace of its own that links to the context in that carrier.
        case startLinked
        /// Operand: attribute key. Value: a `PlanText`, or the bits of the number or truth value.
        case attributeText
        case attributeInteger
        case attributeDouble
        case attributeBoolean
        /// Writes the span's context into its carrier.
        case inject
        /// Operand: event shape; value: time.
        case event
        /// Operand: message; value: time.
        case exception
        /// Error status; operand: message.
        case errorStatus
        /// Value: time.
        case end
        /// Adds to the baggage of the span's context. Operand: name; value: a `PlanText`.
        case baggage
        /// An attribute that takes its value from the baggage, if it is there. Operand: attribute
        /// key; value: name.
        case attributeBaggage
    }

    public var kind: Kind
    /// Number of the span within its trace, in order of creation; the root is 0.
    public var span: UInt16
    public var operand: UInt32
    public var value: UInt64

    /// Simulated time in the low 48 bits: ns since the trace's start, cut at 78 hours.
    public static let timeMask: UInt64 = (1 << 48) - 1
    public static let noParent: UInt16 = .max

    init(_ kind: Kind, span: UInt16, operand: UInt32 = 0, value: UInt64 = 0) {
        self.kind = kind
        self.span = span
        self.operand = operand
        self.value = value
    }

    static func starting(
        _ kind: Kind, span: UInt16, shape: UInt16, instance: UInt16, parent: UInt16, timeNs: UInt64
    ) -> PlanEvent {
        PlanEvent(
            kind, span: span, operand: UInt32(shape) << 16 | UInt32(instance),
            value: min(timeNs, timeMask) | UInt64(parent) << 48)
    }

    static func timed(
        _ kind: Kind, span: UInt16, operand: UInt32 = 0, timeNs: UInt64
    ) -> PlanEvent {
        PlanEvent(kind, span: span, operand: operand, value: min(timeNs, timeMask))
    }

    /// Of starts.
    public var shape: Int { Int(operand >> 16) }
    public var instance: Int { Int(operand & 0xFFFF) }
    /// Of starts: the parent, or the span whose carrier holds it.
    public var parent: UInt16 { UInt16(truncatingIfNeeded: value >> 48) }
    /// Of starts, events, exceptions and ends, ns since the trace's start.
    public var timeNs: UInt64 { value & Self.timeMask }

    /// Whether the event has a time of its own; the others follow the one before them at once.
    public var isTimed: Bool {
        switch kind {
        case .start, .startExtracted, .startLinked, .event, .exception, .end: true
        default: false
        }
    }

    public var isStart: Bool {
        kind == .start || kind == .startExtracted || kind == .startLinked
    }
}

/// UTF-8 text in the plan's bytes or, when it is known ahead of the run, in the scenario's.
public struct PlanText: Hashable, Sendable {
    /// Bit 63: known ahead; bits 24…62: offset; bits 0…23: byte count.
    public var bits: UInt64

    public init(bits: UInt64) {
        self.bits = bits
    }

    init(offset: Int, byteCount: Int, isKnownAhead: Bool) {
        precondition(byteCount < 1 << 24, "a text of 16 MiB is no attribute value")
        bits = UInt64(offset) << 24 | UInt64(byteCount) | (isKnownAhead ? 1 << 63 : 0)
    }

    public var isKnownAhead: Bool { bits >> 63 == 1 }
    public var offset: Int { Int((bits & ~(1 << 63)) >> 24) }
    public var byteCount: Int { Int(bits & 0xFF_FFFF) }
    public var range: Range<Int> { offset..<(offset + byteCount) }
}

/// One trace of a batch.
public struct TracePlan: Hashable, Sendable {
    /// Number of the arrival in the run, from 0; identifiers derive from it.
    public var index: UInt64
    /// Intended start, ns of simulated time since the run began.
    public var startNs: UInt64
    /// From the start to the last end.
    public var durationNs: UInt64
    public var firstEvent: Int
    public var eventCount: Int
    public var spanCount: Int
    /// Trace identifiers it has: 1, and one for each consumer that begins a trace of its own.
    public var rootCount: Int
    /// The `traffic` entry it comes from.
    public var traffic: Int

    public var events: Range<Int> { firstEvent..<(firstEvent + eventCount) }
}

/// Plans of consecutive arrivals and their bytes; reused without freeing what it holds.
public struct PlanBatch: Sendable {
    public internal(set) var traces: [TracePlan] = []
    public internal(set) var events: [PlanEvent] = []
    /// Texts drawn for these traces.
    public internal(set) var text: [UInt8] = []
    /// Most spans of one trace.
    public internal(set) var spansPerTraceMax = 0
    public internal(set) var spanCount = 0
    /// Arrivals dropped since the batch before, because `max_in_flight` traces were alive.
    public internal(set) var droppedArrivals = 0

    public init() {}

    mutating func removeAll() {
        traces.removeAll(keepingCapacity: true)
        events.removeAll(keepingCapacity: true)
        text.removeAll(keepingCapacity: true)
        (spansPerTraceMax, spanCount, droppedArrivals) = (0, 0, 0)
    }

    /// Bytes in use.
    public var byteCount: Int {
        traces.count * MemoryLayout<TracePlan>.stride + events.count
            * MemoryLayout<PlanEvent>.stride
            + text.count
    }
}
