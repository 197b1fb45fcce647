import TraceCore
import TracePipeline
import TraceResults

/// What a run with `--fidelity` has to know ahead: how many plans to keep, and what is known of the sampler.
struct FidelitySetup: Sendable {
    /// Spans that are kept in memory as plans, truth and list: about 250 bytes each.
    static let spansMax = 20_000_000

    /// Arrivals that are planned ahead.
    let arrivals: UInt64
    let sampler: SamplerFacts

    /// Refuses what makes no sense.
    init(_ scenario: Scenario, _ options: RunOptions) throws(RunError) {
        guard scenario.pipeline.exporter.category == .otlp else {
            throw .unusable(
                "--fidelity compares with what a receiver got, and this scenario's exporter sends nothing: "
                    + "write `exporter: otlp`")
        }
        if let endpoint = options.endpoint ?? scenario.pipeline.exporter.endpoint {
            throw .unusable(
                "--fidelity needs the receiver of the run's own, which lists the spans; "
                    + "\(OTLPHTTPSettings(endpoint: endpoint).printableEndpoint) does not: "
                    + "leave out the endpoint")
        }
        if options.shard.count > 1 {
            throw .unusable(
                "--fidelity judges whole traces of the whole run: leave out --shard, and run seeds instead"
            )
        }
        if options.durationNs != nil {
            throw .unusable(
                "--fidelity is of a fixed number of traces: write --traces 100000 instead of --duration"
            )
        }
        if let warmupNs = options.warmupNs, warmupNs > 0 {
            throw .unusable(
                "--fidelity has no warm-up, whose traces would change what samplers remember: leave out --warmup"
            )
        }
        let isEndless = scenario.traffic.contains { traffic in
            traffic.stages.contains { $0.rate == .max }
                || traffic.model == .closed && traffic.stages.isEmpty
        }
        if isEndless, options.traces == nil {
            throw .unusable(
                "--fidelity keeps all plans in memory, and `rate: max` has no end: write how many, such as "
                    + "--traces 100000")
        }
        arrivals = options.traces ?? .max
        sampler = Self.facts(scenario)
    }

    // MARK: The sampler

    /// What the scenario's samplers let conclude.
    static func facts(_ scenario: Scenario) -> SamplerFacts {
        var facts = SamplerFacts()
        if let tail = scenario.pipeline.tail {
            facts.decisionWaitNs = UInt64(max(0, tail.decisionWaitNs))
            facts.adjustedCountsMissing = "tail policies define no adjusted counts"
            facts.target = target(tail, scenario)
            return facts
        }
        // Services without spans of their own ask no sampler.
        let own = scenario.services.map { $0.sampler?.sampler ?? scenario.pipeline.sampler.sampler }
        facts.keepsForCertain = own.allSatisfy(\.keepsForCertain)
        if let reason = own.lazy.compactMap(\.adjustedCountsMissing).first {
            facts.adjustedCountsMissing = reason
        }
        let targets = Set(own.map(\.target))
        // One that all share, or none.
        if targets.count == 1, let target = targets.first { facts.target = target }
        return facts
    }

    /// Of a stage with one policy that has one.
    private static func target(_ tail: TailDeclaration, _ scenario: Scenario) -> SamplingTarget? {
        guard tail.policies.count == 1, scenario.samplers.allSatisfy(\.sampler.keepsForCertain)
        else { return nil }
        switch tail.policies[0].rule {
        case .probabilistic(let share): return .traceShare(share)
        case .rateLimiting(let rate): return .spansPerS(rate)
        case .composite(let rate, _): return .spansPerS(rate)
        default: return nil
        }
    }
}

extension Sampler {
    /// Whether every trace that begins with it is kept.
    fileprivate var keepsForCertain: Bool {
        switch self {
        case .alwaysOn: true
        case .parentBased(let root, let remote, _, let local, _):
            // The parents that are not sampled do not come about.
            [root, remote, local].allSatisfy(\.keepsForCertain)
        case .alwaysRecord(let sampler): sampler.keepsForCertain
        default: false
        }
    }

    /// Why what it keeps has no adjusted count; nil when it has, or may have.
    fileprivate var adjustedCountsMissing: String? {
        switch self {
        case .alwaysOn, .alwaysOff, .probability, .composite: nil
        case .traceIDRatio: "traceidratio does not write what its spans stand for; probability does"
        case .parentBased(let root, _, _, _, _): root.adjustedCountsMissing
        case .alwaysRecord(let sampler): sampler.adjustedCountsMissing
        case .rateLimiting: "a rate limit defines no adjusted counts"
        case .adaptive: "adaptive sampling defines no adjusted counts"
        case .foreign: "a foreign ratio does not write what its spans stand for; probability does"
        case .custom: nil
        }
    }

    /// What it is to keep of the traces that begin with it.
    fileprivate var target: SamplingTarget? {
        switch self {
        case .alwaysOn: .traceShare(1)
        case .traceIDRatio(let share), .probability(let share, _), .foreign(_, let share):
            .traceShare(share)
        case .parentBased(let root, _, _, _, _): root.target
        case .alwaysRecord(let sampler): sampler.target
        case .composite(let part): part.target
        case .rateLimiting(let rate): .tracesPerS(rate)
        case .adaptive(let settings): .tracesPerSOfEachRoot(settings.targetPerS)
        case .alwaysOff, .custom: nil
        }
    }
}

extension ComposableSampler {
    fileprivate var target: SamplingTarget? {
        switch self {
        case .alwaysOn: .traceShare(1)
        case .probability(let share, _): .traceShare(share)
        case .parentThreshold(let root): root.target
        case .annotating(_, let part): part.target
        case .alwaysOff, .ruleBased, .anyOf: nil
        }
    }
}
