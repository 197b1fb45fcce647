/// What a worker does, one action after another, 16 bytes each. Made by `TraceSimulation`, executed
/// by `TraceExecutor`. Plain values without references; any thread.
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
        /// An event at an earlier time than the plan has reached: its place within the span was not
        /// known before the end was. Otherwise as `event`.
        case pastEvent
        /// An attribute of the next event. `span` holds the kind of the value.
        case eventAttribute
        /// Ends a span that ended before, at the time in value, and was held back.
        case endLate
        /// What is out of the ordinary about the start that follows. Operand: kind of the start, and
        /// above it `PlanOddity` bits; `span`: whose identity the span has.
        case prepare
        /// A link of the start that follows. Value: position of the span, packed; operand: number of
        /// the span that begins its trace.
        case link
        /// As `start`, in the way that `prepare` said.
        case startSpecial
        /// A context as `start` would give it, of a span that nobody ever sees.
        case forge
        /// As `inject`, of such a context.
        case injectForged
        /// In streams: what follows belongs to a trace that begins. Operand: its slot; value: number
        /// of its head in the chunk.
        case begin
        /// In streams: what follows belongs to this trace. Operand: its slot; value: simulated time.
        case resume
        /// In streams: the trace is over. Operand: its slot; value: how many trace identifiers it had.
        case finish
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

    /// Whether the event has a time of its own that is when it happens.
    public var isTimed: Bool {
        switch kind {
        case .start, .startExtracted, .startLinked, .startSpecial, .event, .exception, .end: true
        default: false
        }
    }

    public var isStart: Bool {
        switch kind {
        case .start, .startExtracted, .startLinked, .startSpecial: true
        default: false
        }
    }
}

/// What may be odd about a start, in the operand of `prepare` above the kind.
public struct PlanOddity: OptionSet, Hashable, Sendable {
    public var rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Its parent's identifier names no span.
    public static let orphan = PlanOddity(rawValue: 1 << 8)
    /// Nothing is in the carrier.
    public static let broken = PlanOddity(rawValue: 1 << 9)
    /// Its parent within the service is forged.
    public static let forgedParent = PlanOddity(rawValue: 1 << 10)
}

/// UTF-8 text in the plan's bytes or, when it is known ahead of the run, in the scenario's.
public struct PlanText: Hashable, Sendable {
    /// Bit 63: known ahead; bit 62: kept by the trace while it is simulated; bits 24…61: offset;
    /// bits 0…23: byte count.
    public var bits: UInt64

    private static let knownAhead: UInt64 = 1 << 63
    private static let kept: UInt64 = 1 << 62

    public init(bits: UInt64) {
        self.bits = bits
    }

    init(offset: Int, byteCount: Int, isKnownAhead: Bool, isKept: Bool = false) {
        precondition(byteCount < 1 << 24, "a text of 16 MiB is no attribute value")
        bits =
            UInt64(offset) << 24 | UInt64(byteCount) | (isKnownAhead ? Self.knownAhead : 0)
            | (isKept ? Self.kept : 0)
    }

    public var isKnownAhead: Bool { bits & Self.knownAhead != 0 }
    var isKept: Bool { bits & Self.kept != 0 }
    public var offset: Int { Int((bits & ~(Self.knownAhead | Self.kept)) >> 24) }
    public var byteCount: Int { Int(bits & 0xFF_FFFF) }
    public var range: Range<Int> { offset..<(offset + byteCount) }
}
