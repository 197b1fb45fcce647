// What a sampler was told to keep, and how a run says what it knows of its sampler.

/// What a sampler is to keep.
public enum SamplingTarget: Sendable, Hashable {
    /// This share of traces.
    case traceShare(Double)
    /// So many traces a second of simulated time, and no more than there are.
    case tracesPerS(Double)
    /// So many a second of each operation that begins traces.
    case tracesPerSOfEachRoot(Double)
    /// So many spans a second of simulated time.
    case spansPerS(Double)
}

/// What is known of the sampler whose keeping is studied.
public struct SamplerFacts: Sendable, Hashable {
    public var target: SamplingTarget?
    /// A span that says nothing was kept for certain: it stands for itself.
    public var keepsForCertain = false
    /// Why thresholds say nothing of what was kept, such as a tail stage; nil when they do.
    public var adjustedCountsMissing: String?
    /// From the first end of a span of a trace to the decision about it, in simulated time; nil when
    /// decisions are made at the start.
    public var decisionWaitNs: UInt64?

    public init() {}
}
