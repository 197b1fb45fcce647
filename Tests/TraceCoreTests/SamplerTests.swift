import TestSupport
import Testing

@testable import TraceCore

@Suite struct SamplerTests {
    static func tracer(_ sampler: Sampler) throws -> Tracer {
        try CoreHarness(sampler: sampler) { $0.liveSpansMax = 4 }.tracer
    }

    static func keeps(_ tracer: Tracer, traceLow: UInt64) -> Bool {
        tracer.decide(parent: nil, traceID: TraceID(high: 1, low: traceLow)) == .recordAndSample
    }

    /// Computed in Python with exact fractions: 2^56 − round(p·2^56), four hexadecimal digits after
    /// leading f's.
    static let thresholds: [(ratio: Double, threshold: UInt64)] = [
        (0, 0x100_0000_0000_0000), (-1, 0x100_0000_0000_0000), (.nan, 0x100_0000_0000_0000),
        (1e-17, 0xff_ffff_ffff_ffff), (1e-18, 0xff_ffff_ffff_ffff),
        (0x1p-57, 0xff_ffff_ffff_ffff), (0x1p-56, 0xff_ffff_ffff_ffff),
        (0x3p-56, 0xff_ffff_ffff_fffd), (1e-9, 0xff_ffff_fbb4_8000), (1e-6, 0xff_ffef_3900_0000),
        (0.001, 0xff_be77_0000_0000), (0.01, 0xfd_70a0_0000_0000), (0.1, 0xe6_6600_0000_0000),
        (0.25, 0xc0_0000_0000_0000), (1.0 / 3, 0xaa_ab00_0000_0000), (0.5, 0x80_0000_0000_0000),
        (2.0 / 3, 0x55_5500_0000_0000), (0.75, 0x40_0000_0000_0000), (0.9, 0x19_9a00_0000_0000),
        (0.999, 0x00_4200_0000_0000), (0.999_999_9, 0x1_ad80_0000), (1, 0),
        (1.5, 0), (1e300, 0), (.infinity, 0),
    ]

    @Test("Thresholds of ratios, to four significant digits", arguments: thresholds)
    func threshold(ratio: Double, threshold: UInt64) throws {
        #expect(ProbabilityThreshold.of(probability: ratio) == threshold)
        // And what follows for decisions: kept from the threshold on.
        let tracer = try Self.tracer(.traceIDRatio(ratio))
        let top: UInt64 = 0xab00_0000_0000_0000
        #expect(Self.keeps(tracer, traceLow: top | 0xff_ffff_ffff_ffff) == (ratio > 0))
        if threshold < 1 << 56 { #expect(Self.keeps(tracer, traceLow: top | threshold)) }
        if threshold > 0 { #expect(!Self.keeps(tracer, traceLow: top | (threshold - 1))) }
        #expect(Self.keeps(tracer, traceLow: top) == (threshold == 0))
    }

    @Test("Only the low 56 bits of the trace id decide")
    func lowBits() throws {
        let tracer = try Self.tracer(.traceIDRatio(0.5))
        for high in [0, 1, .max, 0x8000_0000_0000_0000] as [UInt64] {
            for byte in [0, 0x7f, 0x80, 0xff] as [UInt64] {
                for (low, isKept) in [(0x7f_ffff_ffff_ffff, false), (0x80_0000_0000_0000, true)]
                    as [(UInt64, Bool)]
                {
                    let traceID = TraceID(high: high, low: byte << 56 | low)
                    #expect(
                        (tracer.decide(parent: nil, traceID: traceID) == .recordAndSample) == isKept
                    )
                }
            }
        }
    }

    @Test("Bytes 9 to 15 of the trace id are one number, the first of them the highest")
    func byteOrder() throws {
        let tracer = try Self.tracer(.traceIDRatio(0.5))
        for (hex, isKept) in [
            ("00000000000000000080000000000000", true), ("00000000000000000000000000000080", false),
            ("ffffffffffffffff007fffffffffffff", false), ("000000000000000000ffffffffffffff", true),
        ] {
            let traceID = try #require(TraceID(hex: hex))
            let decision = tracer.decide(parent: nil, traceID: traceID)
            #expect((decision == .recordAndSample) == isKept, "\(hex)")
        }
    }

    @Test(
        "An explicit rv takes the trace id's place when it is well-formed",
        arguments: [
            ("ot=rv:80000000000000", true), ("ot=rv:7fffffffffffff", false),
            ("ot=th:8;rv:ffffffffffffff", true), ("ot=rv:00000000000000;th:8", false),
            ("vendor=rv:00000000000000,ot=rv:ffffffffffffff", true),
            // Not 14 lower-case digits, or not ot's: as if absent, so the trace id's 0x90… decides.
            ("ot=rv:8000000000000", true), ("ot=rv:000000000000000", true),
            ("ot=rv:0000000000000G", true), ("ot=rv:0000000000000A", true),
            ("ot=xrv:00000000000000", true),
            ("other=rv:00000000000000", true), ("ot=rv:", true), ("ot=th:0", true),
        ])
    func explicitRandomness(header: String, isKept: Bool) throws {
        let tracer = try Self.tracer(.traceIDRatio(0.5))
        let parent = SpanContext(
            traceID: TraceID(high: 1, low: 0x90_0000_0000_0000), spanID: SpanID(rawValue: 1),
            flags: .sampled, traceState: try #require(TraceState(header: header)), isRemote: true)
        #expect(
            (tracer.decide(parent: parent, traceID: parent.traceID) == .recordAndSample) == isKept,
            "\(header)")
    }

    struct Branch: CaseIterable {
        var isRemote: Bool
        var isSampled: Bool
        static let allCases = [false, true].flatMap { remote in
            [false, true].map { Branch(isRemote: remote, isSampled: $0) }
        }
        var context: SpanContext {
            SpanContext(
                traceID: TraceID(high: 1, low: 0x7f_0000_0000_0000), spanID: SpanID(rawValue: 1),
                flags: isSampled ? .sampled : [], isRemote: isRemote)
        }
    }

    @Test(
        "A parent decides for its children, by default as it was decided for it",
        arguments: Branch.allCases)
    func parentBased(branch: Branch) throws {
        for root in [Sampler.alwaysOn, .alwaysOff] {
            let harness = try CoreHarness(sampler: .parentBased(root: root))
            let span = harness.tracer.startSpan("span", parent: branch.context)
            #expect(
                span.isRecording == branch.isSampled && span.context.isSampled == branch.isSampled)
            #expect(span.context.traceID == branch.context.traceID)
            #expect(span.context.spanID != branch.context.spanID && !span.context.isRemote)
            #expect(harness.tracer.startSpan("root").isRecording == (root == .alwaysOn))
            let counters = harness.recorder.counters
            #expect(counters.startCalls == counters.recording + counters.notRecordedSampler)
        }
    }

    @Test("Each of the five branches can be replaced alone", arguments: Branch.allCases)
    func replacedBranch(branch: Branch) throws {
        for replaced in 0..<4 {
            let samplers = (0..<4).map { $0 == replaced ? Sampler.alwaysOn : .alwaysOff }
            let tracer = try Self.tracer(
                .parentBased(
                    root: .alwaysOff, remoteParentSampled: samplers[0],
                    remoteParentNotSampled: samplers[1], localParentSampled: samplers[2],
                    localParentNotSampled: samplers[3]))
            let index = (branch.isRemote ? 0 : 2) + (branch.isSampled ? 0 : 1)
            let decision = tracer.decide(parent: branch.context, traceID: branch.context.traceID)
            #expect((decision == .recordAndSample) == (index == replaced))
            #expect(!Self.keeps(tracer, traceLow: .max))
        }
    }

    @Test("Nested samplers decide as their branches would", arguments: Branch.allCases)
    func nesting(branch: Branch) throws {
        let ratio = Sampler.traceIDRatio(0.5)
        let inner = Sampler.parentBased(
            root: .alwaysOff, remoteParentSampled: ratio, remoteParentNotSampled: .alwaysOn,
            localParentSampled: .alwaysOff, localParentNotSampled: ratio)
        let outer = Sampler.parentBased(
            root: .parentBased(root: ratio), remoteParentSampled: inner,
            remoteParentNotSampled: inner, localParentSampled: inner, localParentNotSampled: inner)
        let tracer = try Self.tracer(outer)
        for low in [0x7f_ffff_ffff_ffff, 0x80_0000_0000_0000] as [UInt64] {
            var parent = branch.context
            parent.traceID.low = low
            let byRatio = low == 0x80_0000_0000_0000
            let expected =
                switch (branch.isRemote, branch.isSampled) {
                case (true, true): byRatio
                case (true, false): true
                case (false, true): false
                case (false, false): byRatio
                }
            #expect(
                (tracer.decide(parent: parent, traceID: parent.traceID) == .recordAndSample)
                    == expected)
            #expect(Self.keeps(tracer, traceLow: low) == byRatio)
        }
    }

    @Test("A parent without valid ids that decided nothing is no parent")
    func invalidParent() throws {
        let tracer = try Self.tracer(
            .parentBased(root: .alwaysOff, remoteParentNotSampled: .alwaysOn))
        let parent = SpanContext.invalid
        #expect(tracer.decide(parent: parent, traceID: TraceID(high: 1, low: 1)) == .drop)
    }

    @Test("The share that is kept is the ratio", arguments: [0.001, 0.1, 0.25, 0.5, 0.9])
    func share(ratio: Double) throws {
        let tracer = try Self.tracer(.traceIDRatio(ratio))
        var generator = SeededGenerator(seed: 42)
        let trials = 40_000
        var kept = 0
        for _ in 0..<trials where Self.keeps(tracer, traceLow: generator.next()) { kept += 1 }
        // Five standard deviations of a binomial; the seed is fixed.
        let expected = Double(trials) * ratio
        let deviation = (expected * (1 - ratio)).squareRoot()
        #expect(abs(Double(kept) - expected) < 5 * deviation)
    }

    @Test("The tracer's own ids are kept in proportion, and differ", arguments: [0.1, 0.5])
    func ownIdentifiers(ratio: Double) throws {
        let harness = try CoreHarness(sampler: .traceIDRatio(ratio)) { $0.liveSpansMax = 2 }
        var ids: Set<SpanID> = []
        // So few slots that the thread never has one at hand: the decision is made once all the same.
        for number in 0..<20_000 {
            let span =
                number.isMultiple(of: 2)
                ? harness.tracer.startSpan("span") : harness.tracer.startSpan(named: "span")
            #expect(span.context.isValid && span.context.flags.contains(.random))
            ids.insert(span.context.spanID)
            span.end()
        }
        #expect(ids.count == 20_000)
        let expected = 20_000 * ratio
        let deviation = (expected * (1 - ratio)).squareRoot()
        // Six standard deviations of numbers that nobody chose: fails once in 500 million runs.
        #expect(abs(Double(harness.recorder.counters.recording) - expected) < 6 * deviation)
    }

    @Test("What is dropped has a context to pass on, without the sampled flag")
    func droppedContext() throws {
        let harness = try CoreHarness(sampler: .alwaysOff)
        let parent = SpanContext(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(rawValue: 3),
            flags: [.sampled, .random], traceState: try #require(TraceState(header: "k=v")),
            isRemote: true)
        let child = harness.tracer.startSpan("child", parent: parent)
        #expect(child.context.traceID == parent.traceID && child.context.flags == .random)
        #expect(child.context.traceState == parent.traceState && child.context.isValid)
        let root = harness.tracer.startSpan("root")
        #expect(root.context.isValid && root.context.flags == .random)
        #expect(harness.recorder.counters.notRecordedSampler == 2)
    }

    @Test(
        "Descriptions as the specification writes them",
        arguments: [
            (Sampler.alwaysOn, "AlwaysOnSampler"), (.alwaysOff, "AlwaysOffSampler"),
            (.traceIDRatio(0.0001), "TraceIdRatioBased{0.000100}"),
            (.traceIDRatio(0), "TraceIdRatioBased{0.000000}"),
            (.traceIDRatio(1), "TraceIdRatioBased{1.000000}"),
            (.traceIDRatio(0.5), "TraceIdRatioBased{0.500000}"),
            (.traceIDRatio(0.1234567), "TraceIdRatioBased{0.1234567}"),
            (.traceIDRatio(0.999_999_9), "TraceIdRatioBased{0.9999999}"),
            (
                .parentBased(root: .traceIDRatio(0.25)),
                "ParentBased{root:TraceIdRatioBased{0.250000},remoteParentSampled:AlwaysOnSampler,"
                    + "remoteParentNotSampled:AlwaysOffSampler,localParentSampled:AlwaysOnSampler,"
                    + "localParentNotSampled:AlwaysOffSampler}"
            ),
        ])
    func descriptions(sampler: Sampler, description: String) {
        #expect(sampler.description == description)
    }

    @Test(
        "A description tells its ratio from every other",
        arguments: [1e-17, 1e-9, 0.1 + 0.2, 1.0 / 3, 2.0 / 3])
    func ratiosInDescriptions(ratio: Double) {
        #expect(
            Sampler.traceIDRatio(ratio).description
                != Sampler.traceIDRatio(ratio.nextUp * 1.001).description)
        let digits = Sampler.traceIDRatio(ratio).description.dropFirst("TraceIdRatioBased{".count)
            .dropLast()
        let read = Double(digits) ?? -1
        #expect(abs(read - ratio) <= ratio * 1e-3)
        // Nothing that a broken program may put in traps.
        for odd in [-1, .nan, .infinity, 1e300] as [Double] {
            #expect(!Sampler.traceIDRatio(odd).description.isEmpty)
        }
    }

    @Test(
        "Names of the environment, in any case",
        arguments: [
            ("always_on", nil, Sampler.alwaysOn), ("ALWAYS_OFF", nil, .alwaysOff),
            ("traceidratio", nil, .traceIDRatio(1)), ("TraceIdRatio", "0.25", .traceIDRatio(0.25)),
            ("traceidratio", "", .traceIDRatio(1)), ("traceidratio", "1e-3", .traceIDRatio(0.001)),
            ("traceidratio", ".5", .traceIDRatio(0.5)), ("traceidratio", "0", .traceIDRatio(0)),
            ("traceidratio", "1", .traceIDRatio(1)),
            ("parentbased_always_on", nil, .parentBased(root: .alwaysOn)),
            ("parentbased_always_off", "", .parentBased(root: .alwaysOff)),
            ("ParentBased_TraceIdRatio", "0.5", .parentBased(root: .traceIDRatio(0.5))),
            // An argument that means nothing to a sampler is not looked at.
            ("always_on", "garbage", .alwaysOn),
            ("parentbased_always_off", "2", .parentBased(root: .alwaysOff)),
        ] as [(String, String?, Sampler)])
    func names(name: String, argument: String?, sampler: Sampler) throws {
        #expect(try Sampler(name: name, argument: argument) == sampler)
    }

    @Test("Every name that is listed is known")
    func listedNames() throws {
        for name in Sampler.names { _ = try Sampler(name: name) }
        #expect(throws: SamplerError.unknownName("jaeger_remote")) {
            try Sampler(name: "jaeger_remote")
        }
        #expect(throws: SamplerError.unknownName("")) { try Sampler(name: "") }
    }

    @Test(
        "Ratios that are none", arguments: ["x", "-0.1", "1.1", "nan", "inf", "0.5x", "0,5", " "])
    func badRatio(argument: String) {
        for name in ["traceidratio", "parentbased_traceidratio"] {
            #expect(throws: SamplerError.badRatio(argument)) {
                try Sampler(name: name, argument: argument)
            }
        }
    }
}
