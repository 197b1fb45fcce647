// Composable samplers as they are asked, and the composite that decides by what they want.

/// What a composable sampler wants.
struct SamplingIntent {
    /// `ProbabilityThreshold.never` for none: drop.
    var threshold: UInt64
    /// Whether the threshold says how many spans a kept one stands for.
    var isReliable: Bool
    var attributes: AttributeBox?

    static let nothing = SamplingIntent(
        threshold: ProbabilityThreshold.never, isReliable: false)
}

/// A compiled composable sampler.
/// Safe because every property of every subclass is a constant of a type that is Sendable.
class ComposableNode: @unchecked Sendable {
    func intent(_ scene: borrowing SamplingScene) -> SamplingIntent {
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
/// Safe because its properties are constants of types that are Sendable.
final class CompositeNode: SamplerNode, @unchecked Sendable {
    private let node: ComposableNode

    init(_ node: ComposableNode) { self.node = node }

    override func choose(_ scene: borrowing SamplingScene) -> SamplingChoice {
        let intent = node.intent(scene)
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
/// Safe because its properties are constants of types that are Sendable.
private final class ConstantNode: ComposableNode, @unchecked Sendable {
    private let threshold: UInt64

    init(_ threshold: UInt64) { self.threshold = threshold }

    override func intent(_ scene: borrowing SamplingScene) -> SamplingIntent {
        SamplingIntent(
            threshold: threshold, isReliable: threshold < ProbabilityThreshold.never)
    }
}

/// Safe because its properties are constants of types that are Sendable.
private final class ParentThresholdNode: ComposableNode, @unchecked Sendable {
    private let root: ComposableNode

    init(_ root: ComposableNode) { self.root = root }

    override func intent(_ scene: borrowing SamplingScene) -> SamplingIntent {
        if scene.branch == 0 { return root.intent(scene) }
        if scene.hasThreshold {
            return SamplingIntent(threshold: scene.threshold, isReliable: true)
        }
        return scene.isParentSampled
            ? SamplingIntent(threshold: 0, isReliable: false) : .nothing
    }
}

/// Safe because its properties are constants of types that are Sendable.
private final class AnnotatingNode: ComposableNode, @unchecked Sendable {
    private let attributes: AttributeBox
    private let node: ComposableNode

    init(_ attributes: SpanAttributes, _ node: ComposableNode) {
        self.attributes = AttributeBox(attributes)
        self.node = node
    }

    override func intent(_ scene: borrowing SamplingScene) -> SamplingIntent {
        var intent = node.intent(scene)
        intent.attributes = AttributeBox.union(intent.attributes, attributes)
        return intent
    }
}

/// Safe because its properties are constants of types that are Sendable.
private final class AnyOfNode: ComposableNode, @unchecked Sendable {
    private let nodes: [ComposableNode]

    init(_ nodes: [ComposableNode]) { self.nodes = nodes }

    override func intent(_ scene: borrowing SamplingScene) -> SamplingIntent {
        var best = SamplingIntent.nothing
        for node in nodes {
            let intent = node.intent(scene)
            if intent.threshold < best.threshold {
                best.threshold = intent.threshold
                best.isReliable = intent.isReliable
            } else if intent.threshold == best.threshold {
                best.isReliable = best.isReliable || intent.isReliable
            }
            best.attributes = AttributeBox.union(best.attributes, intent.attributes)
        }
        return best
    }
}

/// Safe because its properties are constants of types that are Sendable.
private final class RuleBasedNode: ComposableNode, @unchecked Sendable {
    private let rules: [SamplingRuleNode]

    init(_ rules: [SamplingRule]) {
        self.rules = rules.map { SamplingRuleNode($0, ComposableNode.compile($0.sampler)) }
    }

    override func intent(_ scene: borrowing SamplingScene) -> SamplingIntent {
        for rule in rules where rule.holds(scene) { return rule.node.intent(scene) }
        return .nothing
    }
}
