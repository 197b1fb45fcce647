import Testing

@testable import TraceCore

@Suite struct SamplerWarningTests {
    private final class Heard: Sendable {
        private let warnings = Guarded<[SamplerWarning]>([])
        var count: Int { warnings.withLock { $0.count } }
        func add(_ warning: SamplerWarning) { warnings.withLock { $0.append(warning) } }
    }

    static let remote = SpanContext(low: 1, .sampled)
    static let local = SpanContext(low: 1, .sampled, isRemote: false)

    @Test("A ratio below a remote parent warns once for a provider, on either path")
    func once() {
        for sampler in [
            Sampler.traceIDRatio(0.5), .alwaysRecord(.traceIDRatio(0.5)),
            .parentBased(root: .alwaysOn, remoteParentNotSampled: .traceIDRatio(0.5)),
        ] {
            let heard = Heard()
            let program = SamplerProgram(sampler) { heard.add($0) }
            #expect(program.warns && heard.count == 0)
            for _ in 0..<3 { _ = program.keepsChild(of: Self.remote) }
            #expect(heard.count == 1)
            for _ in 0..<3 { _ = program.ask(parent: Self.remote) }
            #expect(heard.count == 1)
            // Another provider of the same sampler warns by itself.
            let another = SamplerProgram(sampler) { heard.add($0) }
            _ = another.ask(parent: Self.remote)
            #expect(heard.count == 2)
        }
    }

    @Test("Roots, local parents and samplers that follow or agree warn of nothing")
    func silent() {
        let heard = Heard()
        let ratio = SamplerProgram(.traceIDRatio(0.5)) { heard.add($0) }
        _ = ratio.keepsRoot(traceLow: 1)
        _ = ratio.keepsChild(of: Self.local)
        _ = ratio.ask()
        _ = ratio.ask(parent: Self.local)
        #expect(heard.count == 0)
        for sampler in [
            Sampler.parentBased(root: .traceIDRatio(0.5)), .alwaysOn, .probability(0.5),
            .traceIDRatio(1), .traceIDRatio(0), .composite(.probability(0.5)),
            .parentBased(root: .alwaysOn, localParentSampled: .traceIDRatio(0.5)),
        ] {
            #expect(!SamplerProgram(sampler).warns, "\(sampler)")
        }
    }

    @Test("A provider hands the warning to whom it was made with")
    func provider() throws {
        let harness = try CoreHarness()
        let heard = Heard()
        let provider = TracerProvider(
            recorder: harness.recorder, resource: Resource(serviceName: "x"),
            sampler: .traceIDRatio(0.5), onSamplerWarning: { heard.add($0) })
        for name in ["one", "another"] {
            let tracer = provider.tracer(name: name)
            tracer.startSpan("span", parent: Self.remote).end()
        }
        #expect(heard.count == 1)
        #expect(
            "\(SamplerWarning.ratioBelowRemoteParent)".contains("write parentbased_traceidratio"))
    }
}
