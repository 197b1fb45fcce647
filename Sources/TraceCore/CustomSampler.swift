// Samplers of one's own, and the words in which every sampler is asked and answers.
// Source: OpenTelemetry specification, "Sampler", "ShouldSample".

/// What a head sampler says of a span.
public enum SamplingDecision: UInt8, Sendable, CaseIterable {
    /// Not recorded, and the sampled flag is cleared.
    case drop = 0
    /// Recorded for processors, but never exported: the sampled flag is cleared.
    case recordOnly = 1
    /// Recorded and exported.
    case recordAndSample = 2
}

/// A sampler of one's own, as `Sampler.custom`. Asked on the thread that starts the span, before the span
/// exists, by many threads at once: it must be quick, and what it keeps must be safe for that.
public protocol CustomSampler: Sendable, CustomStringConvertible {
    /// Decides for one span. What it is asked with costs a string and is only made for custom samplers.
    func sample(_ request: SamplingRequest) -> SamplingResult
}

/// What is known of a span before it starts. Attributes that are set later are not.
public struct SamplingRequest: Sendable {
    /// Nil for a root. Not valid, but with a decision in its flags, when a caller sent a decision without
    /// ids (B3's `0`).
    public var parent: SpanContext?
    /// The span's trace id: the parent's, where there is one.
    public var traceID: TraceID
    public var name: String
    public var kind: SpanKind
    public var attributes: SpanAttributes
    public var links: [SpanLink]
    /// When the span starts, in nanoseconds of Unix time: as the caller says, else now.
    public var startUnixNano: UInt64

    public init(
        parent: SpanContext?, traceID: TraceID, name: String, kind: SpanKind = .internal,
        attributes: SpanAttributes = SpanAttributes(), links: [SpanLink] = [],
        startUnixNano: UInt64 = 0
    ) {
        self.parent = parent
        self.traceID = traceID
        self.name = name
        self.kind = kind
        self.attributes = attributes
        self.links = links
        self.startUnixNano = startUnixNano
    }
}

/// What a custom sampler answers.
public struct SamplingResult: Sendable {
    public var decision: SamplingDecision
    /// Set on the span when it is recorded.
    public var attributes: SpanAttributes
    /// The span's own tracestate; nil is the parent's without a threshold (`th`), since nobody knows how
    /// many spans one that this sampler kept stands for. A span that is not sampled never has a threshold.
    public var traceState: TraceState?

    public init(
        _ decision: SamplingDecision, attributes: SpanAttributes = SpanAttributes(),
        traceState: TraceState? = nil
    ) {
        self.decision = decision
        self.attributes = attributes
        self.traceState = traceState
    }
}

/// What the tracer asks. The name's bytes are only lent for the call.
@safe struct SamplingQuestion {
    /// May be invalid with a denied or sampled flag, or valid with the deferred flag.
    var parent: SpanContext?
    var traceID: TraceID
    /// UTF-8.
    var name: UnsafeRawBufferPointer
    var kind: SpanKind
    var attributes: SpanAttributes?
    var links: [SpanLink]
    /// The start time that the caller gave; nil: now.
    var startUnixNano: UInt64?
    /// The time, by the tracer's clock.
    var nowUnixNano: UInt64

    /// For samplers and conditions of one's own.
    var request: SamplingRequest {
        unsafe SamplingRequest(
            parent: parent, traceID: traceID, name: String(decoding: name, as: UTF8.self),
            kind: kind, attributes: attributes ?? SpanAttributes(), links: links,
            startUnixNano: startUnixNano ?? nowUnixNano)
    }
}

/// What the tracer is told.
struct SamplingVerdict {
    var decision: SamplingDecision
    /// Of the span's own context.
    var traceState: TraceState
    fileprivate let box: AttributeBox?

    init(decision: SamplingDecision, traceState: TraceState, attributes: AttributeBox?) {
        self.decision = decision
        self.traceState = traceState
        box = attributes
    }

    /// What the sampler adds to the span.
    var attributes: SpanAttributes? { box?.attributes }
}
