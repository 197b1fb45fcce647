// A sampler as it is asked: compiled once for a provider, holding what the sampler keeps between decisions.
// Any thread.

/// What a decision is made on, beside the question.
struct SamplingScene {
    /// Which branch of a parent-based sampler: 0 no parent (or one that did not decide), 1 remote sampled,
    /// 2 remote not, 3 local sampled, 4 local not.
    var branch: Int
    /// The parent's tracestate.
    var traceState: TraceState
    /// The parent's `th`; `ProbabilityThreshold.never` for none.
    var threshold: UInt64
    /// `rv`, or the low 56 bits of the trace id.
    var randomness: UInt64

    /// - Parameter question: the parent may be invalid but have decided (B3 without ids): it stands for
    ///   a remote one then. It may be valid and not have decided: the root's branch then.
    init(_ question: borrowing SamplingQuestion) {
        branch = 0
        traceState = .empty
        if let parent = question.parent {
            let flags = parent.flags
            let isKept = flags.rawValue & 5 != 0 && !flags.contains(.denied)
            if parent.isValid {
                traceState = parent.traceState
                if !flags.contains(.deferred) {
                    branch = (parent.isRemote ? 1 : 3) + (isKept ? 0 : 1)
                }
            } else if isKept || flags.contains(.denied) {
                branch = isKept ? 1 : 2
                traceState = parent.traceState
            }
        }
        threshold = ProbabilityThreshold.never
        randomness = ProbabilityThreshold.randomness(ofTraceLow: question.traceID.low)
        guard traceState.hasOTelMember else { return }
        let member = OTelTraceState.member(of: traceState)
        if let given = member.threshold { threshold = given }
        if let given = member.randomness { randomness = given }
    }

    var hasThreshold: Bool { threshold != ProbabilityThreshold.never }
    /// The parent decided, and kept the trace.
    var isParentSampled: Bool { branch == 1 || branch == 3 }
}

/// What a sampler makes of the parent's tracestate when a span is sampled. One that is not loses its
/// threshold in any case.
enum TraceStateChange {
    /// None, but a threshold that says the span should not be here goes.
    case pass
    /// The threshold goes.
    case eraseThreshold
    /// The threshold becomes this one.
    case setThreshold(UInt64)
    /// The state becomes this one.
    case replace(TraceState)
}

/// What a sampler says.
struct SamplingChoice {
    var decision: SamplingDecision
    var change: TraceStateChange
    var attributes: SpanAttributes?

    @inline(__always)
    init(
        _ decision: SamplingDecision, _ change: TraceStateChange,
        attributes: SpanAttributes? = nil
    ) {
        self.decision = decision
        self.change = change
        self.attributes = attributes
    }

    @inline(__always)
    init(keeps: Bool, _ change: TraceStateChange) {
        self.init(keeps ? .recordAndSample : .drop, change)
    }
}

/// A compiled sampler.
class SamplerNode: @unchecked Sendable {
    // Safe because every property of every subclass is a constant of a type that is Sendable.

    func choose(_ question: borrowing SamplingQuestion, _ scene: SamplingScene) -> SamplingChoice {
        fatalError("tracemill: a sampler without a rule")
    }

    static func compile(_ sampler: Sampler) -> SamplerNode {
        switch sampler {
        case .alwaysOn: ThresholdNode(0, .pass)
        case .alwaysOff: ThresholdNode(ProbabilityThreshold.never, .pass)
        case .traceIDRatio(let ratio):
            RatioNode(ProbabilityThreshold.of(probability: ratio))
        case .probability(let probability, let precision):
            probabilityNode(
                ProbabilityThreshold.of(probability: probability, precision: precision))
        case .parentBased(let root, let remote, let remoteNot, let local, let localNot):
            ParentBasedNode([root, remote, remoteNot, local, localNot].map(compile))
        case .alwaysRecord(let sampler): AlwaysRecordNode(compile(sampler))
        case .composite(let sampler): CompositeNode(ComposableNode.compile(sampler))
        case .rateLimiting(let rate):
            rate > 0 ? RateLimitingNode(rate) : ThresholdNode(ProbabilityThreshold.never, .pass)
        case .adaptive(let settings): AdaptiveNode(settings)
        case .foreign(let algorithm, let ratio): ForeignNode(algorithm, ratio)
        case .custom(let sampler): CustomNode(sampler)
        }
    }

    private static func probabilityNode(_ threshold: UInt64) -> SamplerNode {
        ThresholdNode(
            threshold,
            threshold < ProbabilityThreshold.never ? .setThreshold(threshold) : .pass)
    }
}

/// Keeps when R ≥ T, and always changes the tracestate in the same way.
private final class ThresholdNode: SamplerNode, @unchecked Sendable {
    private let threshold: UInt64
    private let change: TraceStateChange

    init(_ threshold: UInt64, _ change: TraceStateChange) {
        self.threshold = threshold
        self.change = change
    }

    override func choose(
        _ question: borrowing SamplingQuestion, _ scene: SamplingScene
    ) -> SamplingChoice {
        SamplingChoice(keeps: scene.randomness >= threshold, change)
    }
}

/// Keeps when R ≥ T, and says nothing about it. A parent's threshold stays only where it is the same:
/// otherwise it would be wrong for this span.
private final class RatioNode: SamplerNode, @unchecked Sendable {
    private let threshold: UInt64

    init(_ threshold: UInt64) { self.threshold = threshold }

    override func choose(
        _ question: borrowing SamplingQuestion, _ scene: SamplingScene
    ) -> SamplingChoice {
        SamplingChoice(
            keeps: scene.randomness >= threshold,
            scene.threshold == threshold ? .pass : .eraseThreshold)
    }
}

/// Asks the branch that the parent calls for. A threshold of the parent that contradicts its sampled flag
/// is as if absent from here on.
private final class ParentBasedNode: SamplerNode, @unchecked Sendable {
    private let branches: [SamplerNode]

    init(_ branches: [SamplerNode]) { self.branches = branches }

    override func choose(
        _ question: borrowing SamplingQuestion, _ scene: SamplingScene
    ) -> SamplingChoice {
        guard scene.branch != 0, scene.hasThreshold,
            scene.isParentSampled != (scene.randomness >= scene.threshold)
        else { return branches[scene.branch].choose(question, scene) }
        var consistent = scene
        consistent.threshold = ProbabilityThreshold.never
        consistent.traceState = OTelTraceState.withoutThreshold(scene.traceState)
        var choice = branches[scene.branch].choose(question, consistent)
        if case .pass = choice.change { choice.change = .eraseThreshold }
        return choice
    }
}

/// Records what another drops.
private final class AlwaysRecordNode: SamplerNode, @unchecked Sendable {
    private let node: SamplerNode

    init(_ node: SamplerNode) { self.node = node }

    override func choose(
        _ question: borrowing SamplingQuestion, _ scene: SamplingScene
    ) -> SamplingChoice {
        var choice = node.choose(question, scene)
        if choice.decision == .drop { choice.decision = .recordOnly }
        return choice
    }
}

private final class RateLimitingNode: SamplerNode, @unchecked Sendable {
    private let bucket: TokenBucket

    init(_ ratePerS: Double) { bucket = TokenBucket(ratePerS: ratePerS) }

    override func choose(
        _ question: borrowing SamplingQuestion, _ scene: SamplingScene
    ) -> SamplingChoice {
        SamplingChoice(keeps: bucket.take(at: question.startUnixNano), .eraseThreshold)
    }
}

private final class AdaptiveNode: SamplerNode, @unchecked Sendable {
    private let shares: AdaptiveShares

    init(_ settings: AdaptiveSettings) { shares = AdaptiveShares(settings) }

    override func choose(
        _ question: borrowing SamplingQuestion, _ scene: SamplingScene
    ) -> SamplingChoice {
        let keeps = unsafe shares.keeps(
            key: AdaptiveShares.key(ofName: question.name), randomness: scene.randomness,
            at: question.startUnixNano)
        return SamplingChoice(keeps: keeps, .eraseThreshold)
    }
}

private final class ForeignNode: SamplerNode, @unchecked Sendable {
    private let rule: ForeignRatioRule

    init(_ algorithm: ForeignRatioAlgorithm, _ ratio: Double) {
        rule = ForeignRatioRule(algorithm, ratio: ratio)
    }

    override func choose(
        _ question: borrowing SamplingQuestion, _ scene: SamplingScene
    ) -> SamplingChoice {
        SamplingChoice(keeps: rule.keeps(question.traceID), .eraseThreshold)
    }
}

private final class CustomNode: SamplerNode, @unchecked Sendable {
    private let sampler: any CustomSampler

    init(_ sampler: any CustomSampler) { self.sampler = sampler }

    override func choose(
        _ question: borrowing SamplingQuestion, _ scene: SamplingScene
    ) -> SamplingChoice {
        var request = question.request
        // What a parent-based sampler around this one found wrong is not shown.
        if request.parent != nil { request.parent?.traceState = scene.traceState }
        let result = sampler.sample(request)
        return SamplingChoice(
            result.decision, result.traceState.map { .replace($0) } ?? .eraseThreshold,
            attributes: result.attributes.count > 0 ? result.attributes : nil)
    }
}
