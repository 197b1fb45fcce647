// What a tail sampling stage is to do: finished spans are kept back by trace until the trace's wait is over, and
// go on, or not, by what the whole trace was.
// Source of the policies: the OpenTelemetry Collector's tail sampling processor.

import TraceCore

/// Tail sampling for one batch processor: ``BatchSettings/tail``. A plain value.
///
/// The stage stands in the exporter thread, between the queue and request bodies. Policies are asked when a
/// trace's wait is over; see ``TailRule`` for what each looks at.
public struct TailSampling: Sendable, Equatable {
    /// Asked in this order, those that drop first. The first that says yes decides; a trace that none wants
    /// is dropped.
    public var policies: [TailPolicy]
    /// From a trace's first span to its decision, milliseconds. 1 or more.
    public var decisionWaitMs = 30_000
    /// Traces that may wait; one more lets the oldest go undecided. From 1 to 16,777,216.
    public var tracesMax = 50_000
    /// Memory for everything that the stage keeps, bytes: spans, tables and past decisions. When it is used
    /// up, the oldest traces are let go undecided.
    public var memoryBytesMax = 300 << 20
    /// Kept and dropped traces that are remembered, so that a span that comes late goes the way of its trace.
    /// 0: a late span begins a trace of its own. At most 16,777,216.
    public var keptDecisionsMax = 50_000
    public var droppedDecisionsMax = 200_000

    /// The default sizes.
    public init(_ policies: [TailPolicy]) { self.policies = policies }

    /// The default sizes, and policies that are called by what they do.
    public init(_ rules: TailRule...) { policies = rules.map { TailPolicy($0) } }

    /// Tables for as many traces, and what is to be held.
    var holdSizes: TraceHoldSizes {
        TraceHoldSizes(
            tracesMax: tracesMax, memoryBytesMax: memoryBytesMax, keptDecisions: keptDecisionsMax,
            droppedDecisions: droppedDecisionsMax)
    }
}

/// A rule and what it is called in figures.
public struct TailPolicy: Sendable, Equatable {
    /// Unique among a stage's policies.
    public var name: String
    public var rule: TailRule

    /// - Parameter name: nil for the rule's text, such as `slow:500ms`.
    public init(_ rule: TailRule, name: String? = nil) {
        self.name = name ?? rule.description
        self.rule = rule
    }
}

/// What a trace must be like. None depends on the order in which its spans came.
public indirect enum TailRule: Sendable, Equatable {
    /// Every trace.
    case always
    /// From its earliest start to its latest end: at least `atLeastNs`; with an upper bound more than that, and
    /// at most `atMostNs`.
    case latency(atLeastNs: UInt64, atMostNs: UInt64? = nil)
    /// A span has one of these.
    case status([SpanStatus])
    /// A span or its resource has an attribute of that key that fulfils the condition.
    case attribute(TailAttributeCondition)
    /// A span's tracestate has that member with one of the values.
    case traceState(key: String, values: [String])
    /// This share of traces, 0…1, by a hash of salt and trace id: the same as a collector keeps with the same
    /// salt and percentage.
    case probabilistic(Double, salt: String = Self.defaultSalt)
    /// So many spans a second. A bucket that starts full and holds a second's worth, at least one; a trace passes
    /// when there is enough for all its spans. One with more spans than the bucket holds passes when it is full,
    /// and is paid for afterwards.
    case rateLimiting(spansPerS: Double)
    /// Number of spans, both bounds included.
    case spanCount(atLeast: Int, atMost: Int? = nil)
    /// All of them say yes.
    case and([TailRule])
    /// It does not say yes.
    case not(TailRule)
    /// Drops the trace, whatever other policies say, when all of them say yes. A policy's own rule only.
    case drop([TailRule])
    /// The first part that says yes and has budget left for the trace's spans; one without falls through to
    /// the next.
    case composite(TailComposite)

    /// What a collector uses unless told otherwise.
    public static let defaultSalt = "default-hash-seed"

    /// A span has status error.
    public static var errors: TailRule { .status([.error]) }
}

/// A condition on attributes of spans and of their resources.
public struct TailAttributeCondition: Sendable, Equatable {
    public enum Test: Sendable, Equatable {
        /// A string that is one of these.
        case texts([String])
        /// A string in which one of these regular expressions is found; see ``TailPattern``.
        case patterns([String], cachedValuesMax: Int = 1_024)
        /// An integer or floating-point number, both bounds included.
        case number(atLeast: Double? = nil, atMost: Double? = nil)
        case flag(Bool)
    }

    public var key: String
    public var test: Test
    /// Turned around: no span and no resource has such an attribute.
    public var isInverted: Bool

    public init(_ key: String, _ test: Test, isInverted: Bool = false) {
        self.key = key
        self.test = test
        self.isInverted = isInverted
    }
}

/// Rules in the order of their preference, and the spans a second that each may use.
public struct TailComposite: Sendable, Equatable {
    public struct Part: Sendable, Equatable {
        public var rule: TailRule
        /// Of ``TailComposite/spansPerS``, 0…1; nil: an equal part of it, as if there were no others.
        public var share: Double?

        public init(_ rule: TailRule, share: Double? = nil) {
            self.rule = rule
            self.share = share
        }
    }

    public var spansPerS: Double
    public var parts: [Part]

    public init(spansPerS: Double, _ parts: [Part]) {
        self.spansPerS = spansPerS
        self.parts = parts
    }

    /// What a part without a share of its own gets.
    var equalShare: Double { parts.isEmpty ? 0 : 1 / Double(parts.count) }
}
