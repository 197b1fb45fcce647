import TestSupport
import Testing

@testable import TraceCore

@Suite struct SamplerMatrixTests {
    static func context(_ parent: ReferenceParent, low: UInt64) -> SpanContext {
        SpanContext(
            low: low, parent.isSampled ? .sampled : [], state: parent.header,
            isRemote: parent.isRemote)
    }

    @Test("Whatever is nested in whatever decides as the specification's letter", arguments: 1...8)
    func randomNesting(seed: UInt64) {
        var source = SamplerSource(generator: SeededGenerator(seed: seed))
        for _ in 0..<300 {
            let sampler = source.sampler()
            let program = SamplerProgram(sampler)
            for _ in 0..<12 {
                let parent = source.parent()
                let low = source.low()
                let expected = SamplerReference.answer(sampler, parent, low: low)
                let context = parent.map { Self.context($0, low: low) }
                let id = TraceID(high: 1, low: low)
                let verdict = program.ask(parent: context, traceID: id)
                #expect(
                    verdict.decision == expected.decision
                        && SamplerReference.isSame(
                            verdict.traceState.header, expected.header, parent: parent?.header),
                    "\(sampler) of \(String(describing: parent)), \(low)")
                if !program.looksAtSpan {
                    let quick = program.decide(parent: context, traceID: id, nowUnixNano: 0)
                    #expect(
                        quick.decision == verdict.decision
                            && quick.traceState == verdict.traceState)
                }
                // Where thresholds say it all, the fast path says the same.
                guard program.isSimple(for: context?.traceState ?? .empty) else { continue }
                let keeps =
                    context.map { program.keepsChild(of: $0) } ?? program.keepsRoot(traceLow: low)
                #expect((expected.decision == .recordAndSample) == keeps)
                #expect(expected.header == parent?.header ?? "" && expected.decision != .recordOnly)
            }
        }
    }

    static let composables: [ComposableSampler] = [
        .alwaysOn, .alwaysOff, .probability(0.5), .probability(0.25),
        .parentThreshold(root: .probability(0.25)), .parentThreshold(root: .alwaysOff),
    ]

    @Test(
        "Parent-based over composite, every branch with every parent", arguments: composables)
    func parentBasedComposite(composable: ComposableSampler) {
        let composite = Sampler.composite(composable)
        for branch in 0..<5 {
            var parts = [Sampler](repeating: .alwaysOff, count: 5)
            parts[branch] = composite
            let sampler = Sampler.parentBased(
                root: parts[0], remoteParentSampled: parts[1], remoteParentNotSampled: parts[2],
                localParentSampled: parts[3], localParentNotSampled: parts[4])
            let program = SamplerProgram(sampler)
            for header in SamplerSource.headers {
                for low in [0, 0x7f_ffff_ffff_ffff, 0x80_0000_0000_0000, 0xff_ffff_ffff_ffff]
                    as [UInt64]
                {
                    for flags in 0..<5 {
                        let parent =
                            flags == 4
                            ? nil
                            : ReferenceParent(
                                isSampled: flags & 1 == 1, isRemote: flags & 2 == 2,
                                header: header)
                        let expected = SamplerReference.answer(sampler, parent, low: low)
                        let verdict = program.ask(
                            parent: parent.map { Self.context($0, low: low) },
                            traceID: TraceID(high: 1, low: low))
                        #expect(
                            verdict.decision == expected.decision
                                && SamplerReference.isSame(
                                    verdict.traceState.header, expected.header,
                                    parent: parent?.header),
                            "\(sampler) of \(String(describing: parent)), \(low)")
                    }
                }
            }
        }
    }

    /// Computed with opentelemetry-sdk 1.45.2 for Python (PyPI), `_sampling_experimental`: sampler, parent's
    /// tracestate, whether the trace id's low 56 bits are 0x90000000000000 (else 0x60000000000000),
    /// sampled flag, kept, tracestate. Only what that keeps: on a drop it may leave `th` in. A state that
    /// need not change is written anew there, with `ot` in front, and left alone here.
    static let python: [(Int, String?, Bool, Bool, Bool, String)] = [
        (0, nil, true, false, true, "ot=th:0"),
        (0, "", true, false, true, "ot=th:0"),
        (0, "ot=th:0", true, false, true, "ot=th:0"),
        (0, "ot=th:8", true, false, true, "ot=th:0"),
        (0, "ot=th:c", true, false, true, "ot=th:0"),
        (0, "ot=rv:c0000000000000", true, false, true, "ot=th:0;rv:c0000000000000"),
        (0, "ot=th:8;rv:70000000000000", true, false, true, "ot=th:0;rv:70000000000000"),
        (0, "ot=rv:90000000000000;th:8", true, false, true, "ot=th:0;rv:90000000000000"),
        (0, "v=1", true, false, true, "ot=th:0,v=1"),
        (0, "v=1,ot=th:8;xx:y", true, false, true, "ot=th:0;xx:y,v=1"),
        (0, "ot=th:8,v=1", true, false, true, "ot=th:0,v=1"),
        (1, nil, false, false, false, ""),
        (1, nil, true, false, true, "ot=th:8"),
        (1, "", false, false, false, ""),
        (1, "", false, true, false, ""),
        (1, "", true, false, true, "ot=th:8"),
        (1, "", true, true, true, "ot=th:8"),
        (1, "ot=th:0", false, false, false, ""),
        (1, "ot=th:0", false, true, false, ""),
        (1, "ot=th:0", true, false, true, "ot=th:8"),
        (1, "ot=th:0", true, true, true, "ot=th:8"),
        (1, "ot=th:8", false, false, false, ""),
        (1, "ot=th:8", false, true, false, ""),
        (1, "ot=th:8", true, false, true, "ot=th:8"),
        (1, "ot=th:8", true, true, true, "ot=th:8"),
        (1, "ot=th:c", false, false, false, ""),
        (1, "ot=th:c", false, true, false, ""),
        (1, "ot=th:c", true, false, true, "ot=th:8"),
        (1, "ot=th:c", true, true, true, "ot=th:8"),
        (1, "ot=rv:c0000000000000", false, false, true, "ot=th:8;rv:c0000000000000"),
        (1, "ot=rv:c0000000000000", false, true, true, "ot=th:8;rv:c0000000000000"),
        (1, "ot=rv:c0000000000000", true, false, true, "ot=th:8;rv:c0000000000000"),
        (1, "ot=rv:c0000000000000", true, true, true, "ot=th:8;rv:c0000000000000"),
        (1, "ot=th:8;rv:70000000000000", false, false, false, ""),
        (1, "ot=th:8;rv:70000000000000", false, true, false, ""),
        (1, "ot=th:8;rv:70000000000000", true, false, false, ""),
        (1, "ot=th:8;rv:70000000000000", true, true, false, ""),
        (1, "ot=rv:90000000000000;th:8", false, false, true, "ot=th:8;rv:90000000000000"),
        (1, "ot=rv:90000000000000;th:8", false, true, true, "ot=th:8;rv:90000000000000"),
        (1, "ot=rv:90000000000000;th:8", true, false, true, "ot=th:8;rv:90000000000000"),
        (1, "ot=rv:90000000000000;th:8", true, true, true, "ot=th:8;rv:90000000000000"),
        (1, "v=1", false, false, false, ""),
        (1, "v=1", false, true, false, ""),
        (1, "v=1", true, false, true, "ot=th:8,v=1"),
        (1, "v=1", true, true, true, "ot=th:8,v=1"),
        (1, "v=1,ot=th:8;xx:y", false, false, false, ""),
        (1, "v=1,ot=th:8;xx:y", false, true, false, ""),
        (1, "v=1,ot=th:8;xx:y", true, false, true, "ot=th:8;xx:y,v=1"),
        (1, "v=1,ot=th:8;xx:y", true, true, true, "ot=th:8;xx:y,v=1"),
        (1, "ot=th:8,v=1", false, false, false, ""),
        (1, "ot=th:8,v=1", false, true, false, ""),
        (1, "ot=th:8,v=1", true, false, true, "ot=th:8,v=1"),
        (1, "ot=th:8,v=1", true, true, true, "ot=th:8,v=1"),
        (2, nil, false, false, true, "ot=th:0"),
        (2, nil, true, false, true, "ot=th:0"),
        (2, "", false, false, false, ""),
        (2, "", false, true, true, ""),
        (2, "", true, false, false, ""),
        (2, "", true, true, true, ""),
        (2, "ot=th:0", false, false, true, "ot=th:0"),
        (2, "ot=th:0", false, true, true, "ot=th:0"),
        (2, "ot=th:0", true, false, true, "ot=th:0"),
        (2, "ot=th:0", true, true, true, "ot=th:0"),
        (2, "ot=th:8", false, false, false, ""),
        (2, "ot=th:8", false, true, false, ""),
        (2, "ot=th:8", true, false, true, "ot=th:8"),
        (2, "ot=th:8", true, true, true, "ot=th:8"),
        (2, "ot=th:c", false, false, false, ""),
        (2, "ot=th:c", false, true, false, ""),
        (2, "ot=th:c", true, false, false, ""),
        (2, "ot=th:c", true, true, false, ""),
        (2, "ot=rv:c0000000000000", false, false, false, ""),
        (2, "ot=rv:c0000000000000", false, true, true, "ot=rv:c0000000000000"),
        (2, "ot=rv:c0000000000000", true, false, false, ""),
        (2, "ot=rv:c0000000000000", true, true, true, "ot=rv:c0000000000000"),
        (2, "ot=th:8;rv:70000000000000", false, false, false, ""),
        (2, "ot=th:8;rv:70000000000000", false, true, false, ""),
        (2, "ot=th:8;rv:70000000000000", true, false, false, ""),
        (2, "ot=th:8;rv:70000000000000", true, true, false, ""),
        (2, "ot=rv:90000000000000;th:8", false, false, true, "ot=th:8;rv:90000000000000"),
        (2, "ot=rv:90000000000000;th:8", false, true, true, "ot=th:8;rv:90000000000000"),
        (2, "ot=rv:90000000000000;th:8", true, false, true, "ot=th:8;rv:90000000000000"),
        (2, "ot=rv:90000000000000;th:8", true, true, true, "ot=th:8;rv:90000000000000"),
        (2, "v=1", false, false, false, ""),
        (2, "v=1", false, true, true, "v=1"),
        (2, "v=1", true, false, false, ""),
        (2, "v=1", true, true, true, "v=1"),
        (2, "v=1,ot=th:8;xx:y", false, false, false, ""),
        (2, "v=1,ot=th:8;xx:y", false, true, false, ""),
        (2, "v=1,ot=th:8;xx:y", true, false, true, "ot=th:8;xx:y,v=1"),
        (2, "v=1,ot=th:8;xx:y", true, true, true, "ot=th:8;xx:y,v=1"),
        (2, "ot=th:8,v=1", false, false, false, ""),
        (2, "ot=th:8,v=1", false, true, false, ""),
        (2, "ot=th:8,v=1", true, false, true, "ot=th:8,v=1"),
        (2, "ot=th:8,v=1", true, true, true, "ot=th:8,v=1"),
        (3, nil, false, false, false, ""),
        (3, nil, true, false, true, "ot=th:8"),
        (3, "", false, false, false, ""),
        (3, "", false, true, true, ""),
        (3, "", true, false, false, ""),
        (3, "", true, true, true, ""),
        (3, "ot=th:0", false, false, true, "ot=th:0"),
        (3, "ot=th:0", false, true, true, "ot=th:0"),
        (3, "ot=th:0", true, false, true, "ot=th:0"),
        (3, "ot=th:0", true, true, true, "ot=th:0"),
        (3, "ot=th:8", false, false, false, ""),
        (3, "ot=th:8", false, true, false, ""),
        (3, "ot=th:8", true, false, true, "ot=th:8"),
        (3, "ot=th:8", true, true, true, "ot=th:8"),
        (3, "ot=th:c", false, false, false, ""),
        (3, "ot=th:c", false, true, false, ""),
        (3, "ot=th:c", true, false, false, ""),
        (3, "ot=th:c", true, true, false, ""),
        (3, "ot=rv:c0000000000000", false, false, false, ""),
        (3, "ot=rv:c0000000000000", false, true, true, "ot=rv:c0000000000000"),
        (3, "ot=rv:c0000000000000", true, false, false, ""),
        (3, "ot=rv:c0000000000000", true, true, true, "ot=rv:c0000000000000"),
        (3, "ot=th:8;rv:70000000000000", false, false, false, ""),
        (3, "ot=th:8;rv:70000000000000", false, true, false, ""),
        (3, "ot=th:8;rv:70000000000000", true, false, false, ""),
        (3, "ot=th:8;rv:70000000000000", true, true, false, ""),
        (3, "ot=rv:90000000000000;th:8", false, false, true, "ot=th:8;rv:90000000000000"),
        (3, "ot=rv:90000000000000;th:8", false, true, true, "ot=th:8;rv:90000000000000"),
        (3, "ot=rv:90000000000000;th:8", true, false, true, "ot=th:8;rv:90000000000000"),
        (3, "ot=rv:90000000000000;th:8", true, true, true, "ot=th:8;rv:90000000000000"),
        (3, "v=1", false, false, false, ""),
        (3, "v=1", false, true, true, "v=1"),
        (3, "v=1", true, false, false, ""),
        (3, "v=1", true, true, true, "v=1"),
        (3, "v=1,ot=th:8;xx:y", false, false, false, ""),
        (3, "v=1,ot=th:8;xx:y", false, true, false, ""),
        (3, "v=1,ot=th:8;xx:y", true, false, true, "ot=th:8;xx:y,v=1"),
        (3, "v=1,ot=th:8;xx:y", true, true, true, "ot=th:8;xx:y,v=1"),
        (3, "ot=th:8,v=1", false, false, false, ""),
        (3, "ot=th:8,v=1", false, true, false, ""),
        (3, "ot=th:8,v=1", true, false, true, "ot=th:8,v=1"),
        (3, "ot=th:8,v=1", true, true, true, "ot=th:8,v=1"),
    ]

    @Test("As the Python SDK's composite sampler")
    func pythonComposite() {
        let samplers: [ComposableSampler] = [
            .alwaysOn, .probability(0.5), .parentThreshold(root: .alwaysOn),
            .parentThreshold(root: .probability(0.5)),
        ]
        for (index, header, isHigh, isSampled, isKept, state) in Self.python {
            let low: UInt64 = isHigh ? 0x90_0000_0000_0000 : 0x60_0000_0000_0000
            let verdict = SamplerProgram(.composite(samplers[index])).ask(
                parent: header.map { SpanContext(low: low, isSampled ? .sampled : [], state: $0) },
                traceID: TraceID(high: 1, low: low))
            #expect((verdict.decision == .recordAndSample) == isKept)
            if isKept {
                #expect(SamplerReference.isSame(verdict.traceState.header, state, parent: header))
            }
        }
        #expect(Self.python.count > 90)
    }

    @Test("A drop never has a threshold, and what is kept and has one is above it")
    func thresholdsAreTrue() {
        var source = SamplerSource(generator: SeededGenerator(seed: 99))
        for _ in 0..<400 {
            let program = SamplerProgram(source.sampler())
            for _ in 0..<6 {
                let low = source.low()
                let context = source.parent().map { Self.context($0, low: low) }
                let verdict = program.ask(
                    parent: context, traceID: TraceID(high: 1, low: low))
                let member = OTelTraceState.member(of: verdict.traceState)
                if verdict.decision != .recordAndSample {
                    #expect(!member.hasThresholdKey)
                } else if let threshold = member.threshold {
                    #expect(member.randomness ?? (low & 0xff_ffff_ffff_ffff) >= threshold)
                }
                // Nobody but the trace's first says what its randomness is.
                let before = context.map { OTelTraceState.member(of: $0.traceState).randomness }
                #expect(member.randomness == before ?? nil)
            }
        }
    }
}
