import Testing

@testable import TraceCore

/// Parents that decided without ids, or have ids and did not decide: B3 sends both.
@Suite struct SamplerFlagTests {
    static let parentBased = Sampler.parentBased(
        root: .alwaysOff, remoteParentSampled: .alwaysOn, remoteParentNotSampled: .alwaysOff,
        localParentSampled: .alwaysOff, localParentNotSampled: .alwaysOn)

    static func decide(
        _ sampler: Sampler, _ flags: TraceFlags, hasIDs: Bool, isRemote: Bool = true,
        low: UInt64 = 1
    ) -> SamplingDecision {
        var parent = hasIDs ? SpanContext(low: low, flags) : .invalid
        parent.flags = flags
        parent.isRemote = isRemote
        return SamplerProgram(sampler).ask(parent: parent, traceID: TraceID(high: 1, low: low))
            .decision
    }

    @Test("A decision without ids counts as a remote parent's", arguments: [false, true])
    func decisionAlone(isRemote: Bool) {
        let root = Sampler.parentBased(root: .alwaysOn)
        #expect(Self.decide(root, .denied, hasIDs: false, isRemote: isRemote) == .drop)
        for flags in [.sampled, [.sampled, .debug], .debug] as [TraceFlags] {
            #expect(
                Self.decide(Self.parentBased, flags, hasIDs: false, isRemote: isRemote)
                    == .recordAndSample)
        }
        // Neither: a root.
        #expect(Self.decide(Self.parentBased, [], hasIDs: false) == .drop)
        #expect(Self.decide(root, [], hasIDs: false) == .recordAndSample)
        // Who ignores parents ignores this one.
        #expect(Self.decide(.alwaysOn, .denied, hasIDs: false) == .recordAndSample)
        #expect(
            Self.decide(.traceIDRatio(0.5), .denied, hasIDs: false, low: .max) == .recordAndSample)
    }

    @Test("Ids without a decision: the root's branch decides, by the parent's trace id")
    func deferred() {
        let half = Sampler.parentBased(
            root: .traceIDRatio(0.5), remoteParentNotSampled: .alwaysOn,
            localParentNotSampled: .alwaysOn)
        for (low, decision) in [(UInt64.max, SamplingDecision.recordAndSample), (1, .drop)] {
            #expect(Self.decide(half, .deferred, hasIDs: true, low: low) == decision)
            #expect(
                Self.decide(half, .deferred, hasIDs: true, isRemote: false, low: low) == decision)
        }
        let threshold = Sampler.composite(.parentThreshold(root: .probability(0.5)))
        #expect(Self.decide(threshold, .deferred, hasIDs: true, low: .max) == .recordAndSample)
        #expect(Self.decide(threshold, .deferred, hasIDs: true, low: 1) == .drop)
        // The parent's tracestate goes on.
        let verdict = SamplerProgram(half).ask(
            parent: SpanContext(low: .max, .deferred, state: "v=1"))
        #expect(verdict.traceState.header == "v=1")
    }

    @Test("Debug is a decision to keep")
    func debug() {
        for flags in [.debug, [.debug, .sampled]] as [TraceFlags] {
            #expect(Self.decide(Self.parentBased, flags, hasIDs: true) == .recordAndSample)
            #expect(
                Self.decide(
                    .composite(.parentThreshold(root: .alwaysOff)), flags, hasIDs: true)
                    == .recordAndSample)
        }
    }

    @Test("The random flag is a root's or the parent's, never invented on a child")
    func randomFlag() throws {
        for sampler in [
            Sampler.alwaysOn, .probability(1), .rateLimiting(tracesPerS: 1000),
            .composite(.parentThreshold(root: .alwaysOn)),
        ] {
            let harness = try CoreHarness(sampler: sampler) { $0.liveSpansMax = 16 }
            for state in ["", "ot=th:0", "v=1"] {
                for flags in [[.sampled], [.sampled, .random]] as [TraceFlags] {
                    let parent = SpanContext(low: 9, flags, state: state)
                    let child = harness.tracer.startSpan("child", parent: parent)
                    #expect(child.context.flags == flags)
                    child.end()
                }
            }
            #expect(harness.tracer.startSpan("root").context.flags == [.sampled, .random])
        }
    }
}
