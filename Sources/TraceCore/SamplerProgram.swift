// A sampler brought into the form in which the tracer asks it. Most samplers are one 56-bit threshold for each
// kind of parent: any nesting of them is "keep when R ≥ T" with T chosen by whether there is a parent,
// where it is and whether it was kept. Everything else is asked in full.
import Synchronization

/// A provider's sampler: made once and shared by its tracers, since some samplers keep state. Any thread.
struct SamplerProgram: Sendable {
    /// No parent; remote sampled, remote not, local sampled, local not.
    private var thresholds = InlineArray<5, UInt64>(repeating: ProbabilityThreshold.never)
    /// `TraceState.otelBit` when thresholds do not say it all, else 0.
    private var generalBit: UInt64 = 0
    private let rules: SamplerBranchRules
    /// There, when a ratio decides below remote parents.
    private let warning: WarningOnce?
    private let node: SamplerNode
    /// Whether some sampler looks at name, kind, attributes or links.
    let looksAtSpan: Bool
    /// Whether some sampler looks at the time.
    let looksAtTime: Bool

    /// - Parameter warn: told on the thread that starts the span, once.
    init(_ sampler: Sampler, warn: @escaping @Sendable (SamplerWarning) -> Void = { _ in }) {
        looksAtSpan = Self.looksAtSpan(sampler)
        looksAtTime = looksAtSpan || Self.limitsRate(sampler)
        node = SamplerNode.compile(sampler)
        rules = SamplerBranchRules(sampler, node)
        warning = Self.hasRatioBelowRemote(sampler, isRemote: true) ? WarningOnce(warn) : nil
        for branch in 0..<5 {
            if let threshold = Self.threshold(sampler, branch) {
                thresholds[branch] = threshold
            } else {
                generalBit = TraceState.otelBit
            }
        }
    }

    /// Whether a decision has nothing to say beside itself.
    @inline(__always)
    var isSilent: Bool { warning == nil }

    /// Whether this sampler may lose traces in a way that is worth a warning.
    var warns: Bool { warning != nil }

    /// The threshold of a sampler that neither writes a tracestate nor looks at anything but the trace
    /// id, for that kind of parent; nil for any other sampler.
    private static func threshold(_ sampler: Sampler, _ branch: Int) -> UInt64? {
        switch sampler {
        case .alwaysOn: 0
        case .alwaysOff: ProbabilityThreshold.never
        case .traceIDRatio(let ratio): ProbabilityThreshold.of(probability: ratio)
        case .parentBased(let root, let remote, let remoteNot, let local, let localNot):
            switch branch {
            case 0: threshold(root, branch)
            case 1: threshold(remote, branch)
            case 2: threshold(remoteNot, branch)
            case 3: threshold(local, branch)
            default: threshold(localNot, branch)
            }
        case .rateLimiting(let rate) where !(rate > 0): ProbabilityThreshold.never
        case .probability, .alwaysRecord, .composite, .rateLimiting, .adaptive, .foreign, .custom:
            nil
        }
    }

    private static func looksAtSpan(_ sampler: Sampler) -> Bool {
        switch sampler {
        case .adaptive, .custom: true
        case .parentBased(let root, let remote, let remoteNot, let local, let localNot):
            [root, remote, remoteNot, local, localNot].contains(where: looksAtSpan)
        case .alwaysRecord(let sampler): looksAtSpan(sampler)
        case .composite(let sampler): looksAtSpan(sampler)
        case .alwaysOn, .alwaysOff, .traceIDRatio, .probability, .rateLimiting, .foreign: false
        }
    }

    private static func limitsRate(_ sampler: Sampler) -> Bool {
        switch sampler {
        case .rateLimiting: true
        case .parentBased(let root, let remote, let remoteNot, let local, let localNot):
            [root, remote, remoteNot, local, localNot].contains(where: limitsRate)
        case .alwaysRecord(let sampler): limitsRate(sampler)
        case .alwaysOn, .alwaysOff, .traceIDRatio, .probability, .composite, .adaptive, .foreign,
            .custom:
            false
        }
    }

    private static func looksAtSpan(_ sampler: ComposableSampler) -> Bool {
        switch sampler {
        case .ruleBased: true
        case .parentThreshold(let root): looksAtSpan(root)
        case .annotating(_, let sampler): looksAtSpan(sampler)
        case .anyOf(let samplers): samplers.contains(where: looksAtSpan)
        case .alwaysOn, .alwaysOff, .probability: false
        }
    }

    private static func hasRatioBelowRemote(_ sampler: Sampler, isRemote: Bool) -> Bool {
        switch sampler {
        case .traceIDRatio(let ratio): isRemote && ratio > 0 && ratio < 1
        case .parentBased(let root, let remote, let remoteNot, _, _):
            hasRatioBelowRemote(root, isRemote: false)
                || hasRatioBelowRemote(remote, isRemote: isRemote)
                || hasRatioBelowRemote(remoteNot, isRemote: isRemote)
        case .alwaysRecord(let sampler): hasRatioBelowRemote(sampler, isRemote: isRemote)
        default: false
        }
    }

    /// Whether `keepsRoot` and `keepsChild` say all there is to say for a parent with this tracestate and
    /// without local flags: no `ot` member to read or to change. A root has the empty state.
    @inline(__always)
    func isSimple(for parentTraceState: TraceState) -> Bool {
        (parentTraceState.handle | generalBit) & TraceState.otelBit == 0
    }

    /// Whether to keep a span without a parent.
    @inline(__always)
    func keepsRoot(traceLow: UInt64) -> Bool {
        ProbabilityThreshold.randomness(ofTraceLow: traceLow) >= thresholds[0]
    }

    /// Whether to keep a child of `parent`.
    @inline(__always)
    func keepsChild(of parent: SpanContext) -> Bool {
        if let warning, parent.isRemote { warning.give() }
        let remote = parent.isSampled ? thresholds[1] : thresholds[2]
        let local = parent.isSampled ? thresholds[3] : thresholds[4]
        return ProbabilityThreshold.randomness(ofTraceLow: parent.traceID.low)
            >= (parent.isRemote ? remote : local)
    }

    /// Decides with everything there is to know about the span. Any thread.
    @inline(never)
    func decide(_ question: SamplingQuestion) -> SamplingVerdict {
        unsafe withUnsafePointer(to: question) { pointer in
            var scene = SamplingScene(
                parent: question.parent, traceID: question.traceID,
                nowUnixNano: question.nowUnixNano)
            unsafe scene.question = unsafe pointer
            return decide(scene)
        }
    }

    /// Decides without name, kind, attributes and links: for programs that do not look at them
    /// (`looksAtSpan`). Any thread; allocates nothing unless a tracestate has to be made that nobody made
    /// before.
    @inline(never)
    func decide(
        parent: SpanContext?, traceID: TraceID, nowUnixNano: UInt64
    ) -> SamplingVerdict {
        if let verdict = decideInPlace(parent, traceID, nowUnixNano) { return verdict }
        return decide(SamplingScene(parent: parent, traceID: traceID, nowUnixNano: nowUnixNano))
    }

    /// Decides where that takes one comparison; else nil.
    @inline(__always)
    func decideInPlace(
        _ parent: SpanContext?, _ traceID: TraceID, _ nowUnixNano: UInt64
    ) -> SamplingVerdict? {
        guard let parent, parent.isValid || !parent.flags.isEmpty else {
            return rules[0].decide(traceID, parentState: .empty, nowUnixNano: nowUnixNano)
        }
        let state = parent.traceState
        guard parent.isValid, parent.flags.isPlain,
            !state.hasOTelMember || state.isThresholdAlone
        else { return nil }
        if let warning, parent.isRemote { warning.give() }
        let isSampled = parent.isSampled
        let remote = isSampled ? 1 : 2
        let rule = rules[parent.isRemote ? remote : remote &+ 2]
        return state.hasOTelMember
            ? rule.decide(traceID, parentThreshold: state, isParentSampled: isSampled)
            : rule.decide(traceID, parentState: state, nowUnixNano: nowUnixNano)
    }

    @inline(__always)
    private func decide(_ scene: SamplingScene) -> SamplingVerdict {
        if let warning, scene.branch == 1 || scene.branch == 2 { warning.give() }
        let choice = node.choose(scene)
        return SamplingVerdict(
            decision: choice.decision,
            traceState: Self.state(scene, choice.decision, choice.change),
            attributes: choice.attributes)
    }

    /// The span's own tracestate. Only a sampled span has a threshold, and only one that it passes.
    private static func state(
        _ scene: SamplingScene, _ decision: SamplingDecision,
        _ change: TraceStateChange
    ) -> TraceState {
        let isSampled = decision == .recordAndSample
        switch change {
        case .replace(let state):
            // The parent's threshold, handed on, would say of this span what holds for its parent.
            let isParents =
                scene.hasThreshold
                && OTelTraceState.member(of: state).threshold == scene.threshold
            return isSampled && !isParents ? state : OTelTraceState.withoutThreshold(state)
        case .setThreshold(let threshold) where isSampled:
            return OTelTraceState.withThreshold(threshold, in: scene.traceState)
        case .pass where isSampled && !(scene.hasThreshold && scene.randomness < scene.threshold):
            return scene.traceState
        case .pass, .setThreshold, .eraseThreshold:
            return OTelTraceState.withoutThreshold(scene.traceState)
        }
    }
}

/// Gives a warning the first time only.
final class WarningOnce: Sendable {
    private let isGiven = Atomic<Bool>(false)
    private let warn: @Sendable (SamplerWarning) -> Void

    init(_ warn: @escaping @Sendable (SamplerWarning) -> Void) { self.warn = warn }

    @inline(__always)
    func give() {
        // relaxed: nothing is published with it.
        if !isGiven.load(ordering: .relaxed) { giveFirst() }
    }

    @inline(never)
    private func giveFirst() {
        guard !isGiven.exchange(true, ordering: .relaxed) else { return }
        warn(.ratioBelowRemoteParent)
    }
}
