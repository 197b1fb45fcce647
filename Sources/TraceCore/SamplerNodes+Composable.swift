// Composable samplers as they are asked, and the composite that decides by what they want.

/// What a composable sampler wants.
struct SamplingIntent {
    /// `ProbabilityThreshold.never` for none: drop.
    var threshold: UInt64
    /// Whether the threshold says how many spans a kept one stands for.
    var isReliable: Bool
    var attributes: SpanAttributes?

    static let nothing = SamplingIntent(
        threshold: ProbabilityThreshold.never, isReliable: false)
}

/// A compiled composable sampler.
class ComposableNode: @unchecked Sendable {
    // Safe because every property of every subclass is a constant of a type that is Sendable.

    func intent(_ question: borrowing SamplingQuestion, _ scene: SamplingScene) -> SamplingIntent {
        fatalError("tracemill: a composable sampler without a rule")
    }

    static func compile(_ sampler: ComposableSampler) -> ComposableNode {
        switch sampler {
        case .alwaysOn: ConstantNode(0)
        case .alwaysOff: ConstantNode(ProbabilityThreshold.never)
        case .probability(let probability, let precision):
            ConstantNode(
                ProbabilityThreshold.of(probability: probability, precision: precision))
        case .parentThreshold(let root): ParentThresholdNode(compile(root))
        case .ruleBased(let rules): RuleBasedNode(rules)
        case .annotating(let attributes, let sampler):
            AnnotatingNode(attributes, compile(sampler))
        case .anyOf(let samplers): AnyOfNode(samplers.map(compile))
        }
    }
}

/// Decides as a composable sampler wants it, and keeps the books in the tracestate.
final class CompositeNode: SamplerNode, @unchecked Sendable {
    private let node: ComposableNode

    init(_ node: ComposableNode) { self.node = node }

    override func choose(
        _ question: borrowing SamplingQuestion, _ scene: SamplingScene
    ) -> SamplingChoice {
        let intent = node.intent(question, scene)
        guard scene.randomness >= intent.threshold else {
            return SamplingChoice(.drop, .eraseThreshold)
        }
        return SamplingChoice(
            .recordAndSample,
            intent.isReliable ? .setThreshold(intent.threshold) : .eraseThreshold,
            attributes: intent.attributes)
    }
}

/// Always wants the same share.
private final class ConstantNode: ComposableNode, @unchecked Sendable {
    private let threshold: UInt64

    init(_ threshold: UInt64) { self.threshold = threshold }

    override func intent(
        _ question: borrowing SamplingQuestion, _ scene: SamplingScene
    ) -> SamplingIntent {
        SamplingIntent(
            threshold: threshold, isReliable: threshold < ProbabilityThreshold.never)
    }
}

private final class ParentThresholdNode: ComposableNode, @unchecked Sendable {
    private let root: ComposableNode

    init(_ root: ComposableNode) { self.root = root }

    override func intent(
        _ question: borrowing SamplingQuestion, _ scene: SamplingScene
    ) -> SamplingIntent {
        if scene.branch == 0 { return root.intent(question, scene) }
        if scene.hasThreshold {
            return SamplingIntent(threshold: scene.threshold, isReliable: true)
        }
        return scene.isParentSampled
            ? SamplingIntent(threshold: 0, isReliable: false) : .nothing
    }
}

private final class AnnotatingNode: ComposableNode, @unchecked Sendable {
    private let attributes: SpanAttributes
    private let node: ComposableNode

    init(_ attributes: SpanAttributes, _ node: ComposableNode) {
        self.attributes = attributes
        self.node = node
    }

    override func intent(
        _ question: borrowing SamplingQuestion, _ scene: SamplingScene
    ) -> SamplingIntent {
        var intent = node.intent(question, scene)
        if var inner = intent.attributes {
            inner.append(contentsOf: attributes)
            intent.attributes = inner
        } else {
            intent.attributes = attributes
        }
        return intent
    }
}

private final class AnyOfNode: ComposableNode, @unchecked Sendable {
    private let nodes: [ComposableNode]

    init(_ nodes: [ComposableNode]) { self.nodes = nodes }

    override func intent(
        _ question: borrowing SamplingQuestion, _ scene: SamplingScene
    ) -> SamplingIntent {
        var best = SamplingIntent.nothing
        for node in nodes {
            let intent = node.intent(question, scene)
            if intent.threshold < best.threshold {
                best.threshold = intent.threshold
                best.isReliable = intent.isReliable
            } else if intent.threshold == best.threshold {
                best.isReliable = best.isReliable || intent.isReliable
            }
            guard let attributes = intent.attributes else { continue }
            if best.attributes == nil {
                best.attributes = attributes
            } else {
                best.attributes?.append(contentsOf: attributes)
            }
        }
        return best
    }
}

private final class RuleBasedNode: ComposableNode, @unchecked Sendable {
    private let rules: [(conditions: RuleConditions, node: ComposableNode)]

    init(_ rules: [SamplingRule]) {
        self.rules = rules.map { (RuleConditions($0), ComposableNode.compile($0.sampler)) }
    }

    override func intent(
        _ question: borrowing SamplingQuestion, _ scene: SamplingScene
    ) -> SamplingIntent {
        for rule in rules where rule.conditions.hold(question, scene) {
            return rule.node.intent(question, scene)
        }
        return .nothing
    }
}
