// A sampler as it is asked: compiled once for a provider, holding what the sampler keeps between decisions.
// Any thread.

/// What a decision is made on: plain numbers, and where the rest of the question is.
@safe struct SamplingScene {
    /// Which branch of a parent-based sampler: 0 no parent (or one that did not decide), 1 remote sampled,
    /// 2 remote not, 3 local sampled, 4 local not.
    var branch = 0
    /// The parent's tracestate.
    var traceState = TraceState.empty
    /// The parent's `th`; `ProbabilityThreshold.never` for none.
    var threshold = ProbabilityThreshold.never
    /// `rv`, or the low 56 bits of the trace id.
    var randomness: UInt64
    var traceID: TraceID
    var nowUnixNano: UInt64
    /// Name, kind, attributes and links; nil when no sampler of the program looks at them. Only lent for
    /// the decision.
    var question: UnsafePointer<SamplingQuestion>?

    /// - Parameter parent: may be invalid but have decided (B3 without ids): it stands for a remote one
    ///   then. It may be valid and not have decided: the root's branch then.
    @inline(__always)
    init(parent: SpanContext?, traceID: TraceID, nowUnixNano: UInt64) {
        self.traceID = traceID
        self.nowUnixNano = nowUnixNano
        randomness = ProbabilityThreshold.randomness(ofTraceLow: traceID.low)
        guard let parent else { return }
        let flags = parent.flags
        let isKept = flags.rawValue & 5 != 0 && !flags.contains(.denied)
        if parent.isValid {
            traceState = parent.traceState
            if !flags.contains(.deferred) {
                branch = (parent.isRemote ? 1 : 3) &+ (isKept ? 0 : 1)
            }
        } else if isKept || flags.contains(.denied) {
            branch = isKept ? 1 : 2
            traceState = parent.traceState
        }
        guard traceState.hasOTelMember else { return }
        if traceState.isThresholdAlone {
            threshold = traceState.handle & (ProbabilityThreshold.never &- 1)
        } else {
            let member = TraceStateTable.member(of: traceState)
            if let given = member.threshold { threshold = given }
            if let given = member.randomness { randomness = given }
        }
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

/// Attributes behind one word: most decisions have none, and those are to cost nothing.
final class AttributeBox: Sendable {
    let attributes: SpanAttributes

    init(_ attributes: SpanAttributes) { self.attributes = attributes }

    /// One where it takes only one; the latter overwrites the former where both set a key.
    static func union(_ first: AttributeBox?, _ second: AttributeBox?) -> AttributeBox? {
        guard let first, let second else { return first ?? second }
        var attributes = first.attributes
        attributes.append(contentsOf: second.attributes)
        return AttributeBox(attributes)
    }
}

/// What a sampler says.
struct SamplingChoice {
    var decision: SamplingDecision
    var change: TraceStateChange
    var attributes: AttributeBox?

    @inline(__always)
    init(
        _ decision: SamplingDecision, _ change: TraceStateChange, attributes: AttributeBox? = nil
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
/// Safe because every property of every subclass is a constant of a type that is Sendable.
class SamplerNode: @unchecked Sendable {
    func choose(_ scene: borrowing SamplingScene) -> SamplingChoice {
        fatalError("tracemill: a sampler without a rule")
    }

    /// The bucket that is all the sampler looks at for that kind of parent; nil when there is more to it.
    func bucket(branch: Int) -> TokenBucket? { nil }

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
/// Safe because its properties are constants of types that are Sendable.
private final class ThresholdNode: SamplerNode, @unchecked Sendable {
    private let threshold: UInt64
    private let change: TraceStateChange

    init(_ threshold: UInt64, _ change: TraceStateChange) {
        self.threshold = threshold
        self.change = change
    }

    override func choose(_ scene: borrowing SamplingScene) -> SamplingChoice {
        SamplingChoice(keeps: scene.randomness >= threshold, change)
    }
}

/// Keeps when R ≥ T, and says nothing about it. A parent's threshold stays only where it is the same:
/// otherwise it would be wrong for this span.
/// Safe because its properties are constants of types that are Sendable.
private final class RatioNode: SamplerNode, @unchecked Sendable {
    private let threshold: UInt64

    init(_ threshold: UInt64) { self.threshold = threshold }

    override func choose(_ scene: borrowing SamplingScene) -> SamplingChoice {
        SamplingChoice(
            keeps: scene.randomness >= threshold,
            scene.threshold == threshold ? .pass : .eraseThreshold)
    }
}

/// Asks the branch that the parent calls for. A threshold of the parent that contradicts its sampled flag
/// is as if absent from here on.
/// Safe because its properties are constants of types that are Sendable.
private final class ParentBasedNode: SamplerNode, @unchecked Sendable {
    private let root: SamplerNode
    private let remoteSampled: SamplerNode
    private let remoteNotSampled: SamplerNode
    private let localSampled: SamplerNode
    private let localNotSampled: SamplerNode

    init(_ branches: [SamplerNode]) {
        root = branches[0]
        remoteSampled = branches[1]
        remoteNotSampled = branches[2]
        localSampled = branches[3]
        localNotSampled = branches[4]
    }

    override func choose(_ scene: borrowing SamplingScene) -> SamplingChoice {
        guard scene.branch != 0, scene.hasThreshold,
            scene.isParentSampled != (scene.randomness >= scene.threshold)
        else { return ask(scene) }
        var consistent = copy scene
        consistent.threshold = ProbabilityThreshold.never
        consistent.traceState = OTelTraceState.withoutThreshold(scene.traceState)
        var choice = ask(consistent)
        if case .pass = choice.change { choice.change = .eraseThreshold }
        return choice
    }

    @inline(__always)
    private func ask(_ scene: borrowing SamplingScene) -> SamplingChoice {
        node(scene.branch).choose(scene)
    }

    @inline(__always)
    private func node(_ branch: Int) -> SamplerNode {
        switch branch {
        case 0: root
        case 1: remoteSampled
        case 2: remoteNotSampled
        case 3: localSampled
        default: localNotSampled
        }
    }

    override func bucket(branch: Int) -> TokenBucket? { node(branch).bucket(branch: branch) }
}

/// Records what another drops.
/// Safe because its properties are constants of types that are Sendable.
private final class AlwaysRecordNode: SamplerNode, @unchecked Sendable {
    private let node: SamplerNode

    init(_ node: SamplerNode) { self.node = node }

    override func choose(_ scene: borrowing SamplingScene) -> SamplingChoice {
        var choice = node.choose(scene)
        if choice.decision == .drop { choice.decision = .recordOnly }
        return choice
    }
}

/// Safe because its properties are constants of types that are Sendable.
private final class RateLimitingNode: SamplerNode, @unchecked Sendable {
    private let bucket: TokenBucket

    init(_ ratePerS: Double) { bucket = TokenBucket(ratePerS: ratePerS) }

    override func choose(_ scene: borrowing SamplingScene) -> SamplingChoice {
        SamplingChoice(keeps: bucket.take(at: scene.nowUnixNano), .eraseThreshold)
    }

    override func bucket(branch: Int) -> TokenBucket? { bucket }
}

/// Safe because its properties are constants of types that are Sendable.
private final class AdaptiveNode: SamplerNode, @unchecked Sendable {
    private let shares: AdaptiveShares

    init(_ settings: AdaptiveSettings) { shares = AdaptiveShares(settings) }

    override func choose(_ scene: borrowing SamplingScene) -> SamplingChoice {
        let name =
            unsafe scene.question?.pointee.name ?? UnsafeRawBufferPointer(start: nil, count: 0)
        let keeps = unsafe shares.keeps(
            key: AdaptiveShares.key(ofName: name), randomness: scene.randomness,
            at: scene.nowUnixNano)
        return SamplingChoice(keeps: keeps, .eraseThreshold)
    }
}

/// Safe because its properties are constants of types that are Sendable.
private final class ForeignNode: SamplerNode, @unchecked Sendable {
    private let rule: ForeignRatioRule

    init(_ algorithm: ForeignRatioAlgorithm, _ ratio: Double) {
        rule = ForeignRatioRule(algorithm, ratio: ratio)
    }

    override func choose(_ scene: borrowing SamplingScene) -> SamplingChoice {
        SamplingChoice(keeps: rule.keeps(scene.traceID), .eraseThreshold)
    }
}

/// Safe because its properties are constants of types that are Sendable.
private final class CustomNode: SamplerNode, @unchecked Sendable {
    private let sampler: any CustomSampler

    init(_ sampler: any CustomSampler) { self.sampler = sampler }

    override func choose(_ scene: borrowing SamplingScene) -> SamplingChoice {
        guard var request = unsafe scene.question?.pointee.request else {
            return SamplingChoice(.drop, .eraseThreshold)
        }
        // What a parent-based sampler around this one found wrong is not shown.
        if request.parent != nil { request.parent?.traceState = scene.traceState }
        let result = sampler.sample(request)
        return SamplingChoice(
            result.decision, result.traceState.map { .replace($0) } ?? .eraseThreshold,
            attributes: result.attributes.count > 0 ? AttributeBox(result.attributes) : nil)
    }
}
