// What a sampler comes to for one kind of parent, where that is one comparison: most samplers for most spans. Such a
// rule is asked in place; everything else goes through the compiled sampler (SamplerNodes.swift).

/// One comparison and what follows from it, for a parent (or none) whose tracestate has no `ot` member.
@safe struct SamplerBranchRule {
    private enum Comparison {
        /// Keep when R ≥ T.
        case threshold
        /// Keep when another SDK would.
        case foreign
        /// It takes more than that.
        case none
    }

    private var comparison: Comparison
    private var threshold: UInt64 = 0
    // Safe because it never changes and is never freed. Elsewhere, so that a rule is a few words.
    private nonisolated(unsafe) var foreign: UnsafePointer<ForeignRatioRule>?
    /// The state of a span that is kept; empty is the parent's.
    private var keptState = TraceState.empty
    private var otherwise = SamplingDecision.drop

    /// Decides. Nil when that takes more than a comparison, or the parent's state and the sampler's own would
    /// have to be put together.
    @inline(__always)
    func decide(_ traceID: TraceID, parentState: TraceState) -> SamplingVerdict? {
        let keeps: Bool
        switch comparison {
        case .threshold:
            keeps = ProbabilityThreshold.randomness(ofTraceLow: traceID.low) >= threshold
        case .foreign: keeps = unsafe foreign.unsafelyUnwrapped.pointee.keeps(traceID)
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

    /// The rule of `sampler` for that kind of parent; nil when it takes more than a comparison.
    /// - Parameter branch: 0 no parent, 1 remote sampled, 2 remote not, 3 local sampled, 4 local not.
    static func of(_ sampler: Sampler, branch: Int) -> SamplerBranchRule? {
        switch sampler {
        case .alwaysOn: threshold(0)
        case .alwaysOff: threshold(ProbabilityThreshold.never)
        case .traceIDRatio(let ratio): threshold(ProbabilityThreshold.of(probability: ratio))
        case .probability(let probability, let precision):
            announced(ProbabilityThreshold.of(probability: probability, precision: precision))
        case .parentBased(let root, let remote, let remoteNot, let local, let localNot):
            of([root, remote, remoteNot, local, localNot][branch], branch: branch)
        case .alwaysRecord(let sampler): of(sampler, branch: branch)?.recordingOtherwise
        case .composite(let sampler): of(sampler, branch: branch)
        case .rateLimiting(let rate) where !(rate > 0): threshold(ProbabilityThreshold.never)
        case .foreign(let algorithm, let ratio):
            foreign(ForeignRatioRule(algorithm, ratio: ratio))
        case .rateLimiting, .adaptive, .custom: nil
        }
    }

    private static func of(_ sampler: ComposableSampler, branch: Int) -> SamplerBranchRule? {
        switch sampler {
        case .alwaysOn: announced(0)
        case .alwaysOff: announced(ProbabilityThreshold.never)
        case .probability(let probability, let precision):
            announced(ProbabilityThreshold.of(probability: probability, precision: precision))
        case .parentThreshold(let root):
            switch branch {
            case 0: of(root, branch: branch)
            case 1, 3: threshold(0)
            default: threshold(ProbabilityThreshold.never)
            }
        case .ruleBased, .annotating, .anyOf: nil
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

    /// A threshold that a kept span's tracestate tells.
    private static func announced(_ threshold: UInt64) -> SamplerBranchRule {
        var rule = SamplerBranchRule.threshold(threshold)
        if threshold < ProbabilityThreshold.never {
            rule.keptState = TraceState(threshold: threshold)
        }
        return rule
    }

    private var recordingOtherwise: SamplerBranchRule {
        var rule = self
        rule.otherwise = .recordOnly
        return rule
    }
}

/// A sampler's rules for the five kinds of parents. In memory of their own, never freed: an array within a value is
/// copied whole to get at one of its elements.
@safe struct SamplerBranchRules: @unchecked Sendable {
    // Safe because the rules are written before anybody sees them and never change or go away.
    private let first: UnsafePointer<SamplerBranchRule>

    init(_ sampler: Sampler) {
        let rules = UnsafeMutablePointer<SamplerBranchRule>.allocate(capacity: 5)
        for branch in 0..<5 {
            unsafe (rules + branch).initialize(
                to: SamplerBranchRule.of(sampler, branch: branch) ?? .none)
        }
        unsafe first = UnsafePointer(rules)
    }

    /// - Parameter branch: as in `SamplerBranchRule.of`; not checked.
    subscript(branch: Int) -> SamplerBranchRule {
        @inline(__always)
        get { unsafe first[branch] }
    }
}
