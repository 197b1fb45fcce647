// What a sampler comes to for one kind of parent, where that is one comparison: most samplers for most spans. Such a
// rule is asked in place; everything else goes through the compiled sampler (SamplerNodes.swift).

/// One comparison and what follows from it, for a parent (or none) whose tracestate has no `ot` member, or nothing
/// but a threshold.
@safe struct SamplerBranchRule {
    private enum Comparison {
        /// Keep when R ≥ T.
        case threshold
        /// Keep when another SDK would.
        case foreign
        /// Keep what a token bucket has a token for.
        case bucket
        /// It takes more than that.
        case none
    }

    /// What a parent's own threshold means, where that is simple.
    private enum ParentThreshold {
        /// It takes more than a look.
        case none
        /// A span that is kept hands it on.
        case passes
        /// It decides.
        case decides
    }

    private var comparison: Comparison
    private var parentThreshold = ParentThreshold.none
    private var threshold: UInt64 = 0
    // Safe because it never changes and is never freed. Elsewhere, so that a rule is a few words.
    private nonisolated(unsafe) var foreign: UnsafePointer<ForeignRatioRule>?
    // Safe because the program that has the rule has the bucket, too.
    private nonisolated(unsafe) var bucket: Unmanaged<TokenBucket>?
    /// The state of a span that is kept; empty is the parent's.
    private var keptState = TraceState.empty
    private var otherwise = SamplingDecision.drop

    /// Decides. Nil when that takes more than a comparison, or the parent's state and the sampler's own would
    /// have to be put together.
    @inline(__always)
    func decide(
        _ traceID: TraceID, parentState: TraceState, nowUnixNano: UInt64
    ) -> SamplingVerdict? {
        let keeps: Bool
        switch comparison {
        case .threshold:
            keeps = ProbabilityThreshold.randomness(ofTraceLow: traceID.low) >= threshold
        case .foreign: keeps = unsafe foreign.unsafelyUnwrapped.pointee.keeps(traceID)
        case .bucket:
            keeps = unsafe bucket.unsafelyUnwrapped._withUnsafeGuaranteedRef {
                $0.take(at: nowUnixNano)
            }
        case .none: return nil
        }
        guard keeps else {
            return SamplingVerdict(
                decision: otherwise, traceState: parentState, attributes: nil)
        }
        if keptState.isEmpty {
            return SamplingVerdict(
                decision: .recordAndSample, traceState: parentState, attributes: nil)
        }
        guard parentState.isEmpty else { return nil }
        return SamplingVerdict(
            decision: .recordAndSample, traceState: keptState, attributes: nil)
    }

    /// Decides for a parent whose tracestate is a threshold alone. Nil when that takes more than a comparison.
    @inline(__always)
    func decide(_ traceID: TraceID, parentThreshold parentState: TraceState, isParentSampled: Bool)
        -> SamplingVerdict?
    {
        let isAbove =
            ProbabilityThreshold.randomness(ofTraceLow: traceID.low)
            >= parentState.handle & (ProbabilityThreshold.never &- 1)
        // What does not hold of the span goes: all there was.
        switch parentThreshold {
        case .decides:
            return SamplingVerdict(
                decision: isAbove ? .recordAndSample : otherwise,
                traceState: isAbove ? parentState : .empty, attributes: nil)
        case .passes where isParentSampled:
            return SamplingVerdict(
                decision: .recordAndSample, traceState: isAbove ? parentState : .empty,
                attributes: nil)
        case .passes, .none:
            guard case .threshold = comparison, threshold == ProbabilityThreshold.never else {
                return nil
            }
            return SamplingVerdict(decision: otherwise, traceState: .empty, attributes: nil)
        }
    }

    /// The rule of `sampler` for that kind of parent; nil when it takes more than a comparison.
    /// - Parameter branch: 0 no parent, 1 remote sampled, 2 remote not, 3 local sampled, 4 local not.
    static func of(_ sampler: Sampler, branch: Int) -> SamplerBranchRule? {
        switch sampler {
        case .alwaysOn: threshold(0).where(parentThreshold: .passes)
        case .alwaysOff: threshold(ProbabilityThreshold.never)
        case .traceIDRatio(let ratio): threshold(ProbabilityThreshold.of(probability: ratio))
        case .probability(let probability, let precision):
            announced(ProbabilityThreshold.of(probability: probability, precision: precision))
        case .parentBased(let root, let remote, let remoteNot, let local, let localNot):
            of([root, remote, remoteNot, local, localNot][branch], branch: branch)?
                .belowParentBased
        case .alwaysRecord(let sampler): of(sampler, branch: branch)?.recordingOtherwise
        case .composite(let sampler): of(sampler, branch: branch)
        case .rateLimiting(let rate) where !(rate > 0): threshold(ProbabilityThreshold.never)
        case .foreign(let algorithm, let ratio):
            foreign(ForeignRatioRule(algorithm, ratio: ratio))
        case .rateLimiting, .adaptive, .custom: nil
        }
    }

    private static func of(_ sampler: ComposableSampler, branch: Int) -> SamplerBranchRule? {
        guard case .parentThreshold(let root) = sampler else {
            return constantThreshold(sampler).map { announced($0) }
        }
        switch branch {
        case 0: return of(root, branch: branch)
        case 1, 3: return threshold(0).where(parentThreshold: .decides)
        default:
            return threshold(ProbabilityThreshold.never).where(parentThreshold: .decides)
        }
    }

    /// The threshold that the sampler wants whatever it is asked; nil when it depends.
    private static func constantThreshold(_ sampler: ComposableSampler) -> UInt64? {
        switch sampler {
        case .alwaysOn: return 0
        case .alwaysOff: return ProbabilityThreshold.never
        case .probability(let probability, let precision):
            return ProbabilityThreshold.of(probability: probability, precision: precision)
        case .anyOf(let samplers):
            let thresholds = samplers.compactMap { constantThreshold($0) }
            guard thresholds.count == samplers.count else { return nil }
            return thresholds.min() ?? ProbabilityThreshold.never
        case .parentThreshold, .ruleBased, .annotating: return nil
        }
    }

    static let none = unsafe SamplerBranchRule(comparison: .none)

    private static func threshold(_ threshold: UInt64) -> SamplerBranchRule {
        unsafe SamplerBranchRule(comparison: .threshold, threshold: threshold)
    }

    private static func foreign(_ ratio: ForeignRatioRule) -> SamplerBranchRule {
        let kept = UnsafeMutablePointer<ForeignRatioRule>.allocate(capacity: 1)
        unsafe kept.initialize(to: ratio)
        var rule = unsafe SamplerBranchRule(comparison: .foreign)
        unsafe rule.foreign = UnsafePointer(kept)
        return rule
    }

    static func bucket(_ bucket: TokenBucket) -> SamplerBranchRule {
        var rule = unsafe SamplerBranchRule(comparison: .bucket)
        unsafe rule.bucket = .passUnretained(bucket)
        return rule
    }

    /// A threshold that a kept span's tracestate tells.
    private static func announced(_ threshold: UInt64) -> SamplerBranchRule {
        var rule = SamplerBranchRule.threshold(threshold)
        if threshold < ProbabilityThreshold.never {
            rule.keptState = TraceState(threshold: threshold)
        }
        return rule
    }

    private func `where`(parentThreshold: ParentThreshold) -> SamplerBranchRule {
        var rule = self
        rule.parentThreshold = parentThreshold
        return rule
    }

    /// Where the parent's flag decides, a threshold that contradicts it is as if absent.
    private var belowParentBased: SamplerBranchRule {
        parentThreshold == .decides ? self.where(parentThreshold: .passes) : self
    }

    private var recordingOtherwise: SamplerBranchRule {
        var rule = self
        rule.otherwise = .recordOnly
        return rule
    }
}

/// A sampler's rules for the five kinds of parents. In memory of their own, never freed: an array within a value is
/// copied whole to get at one of its elements.
/// Safe because the rules are written before anybody sees them and never change or go away.
@safe struct SamplerBranchRules: @unchecked Sendable {
    private let first: UnsafePointer<SamplerBranchRule>

    /// - Parameter node: the same sampler compiled; it outlives the rules.
    init(_ sampler: Sampler, _ node: SamplerNode) {
        let rules = UnsafeMutablePointer<SamplerBranchRule>.allocate(capacity: 5)
        for branch in 0..<5 {
            unsafe (rules + branch).initialize(
                to: SamplerBranchRule.of(sampler, branch: branch)
                    ?? node.bucket(branch: branch).map { .bucket($0) } ?? .none)
        }
        unsafe first = UnsafePointer(rules)
    }

    /// - Parameter branch: as in `SamplerBranchRule.of`; not checked.
    subscript(branch: Int) -> SamplerBranchRule {
        @inline(__always)
        get { unsafe first[branch] }
    }
}
