// What is decided and carried along: samplers and propagators.
import TraceCore

extension BenchSuite {
    /// Every sampler there is, asked for the ids of many traces, beside a call that compares an id with
    /// a threshold and does nothing else.
    mutating func samplers() throws {
        let recorder = try SpanRecorder()
        let count = scaled(200_000)
        for asked in SamplerUnderTest.all {
            let tracer = TracerProvider(
                recorder: recorder, resource: Resource(serviceName: "bench"),
                sampler: asked.sampler
            ).tracer(name: "tracemill.bench")
            let row = BenchRow(
                "sampler\(asked.name)Ns", asked.title, beside: "a call that compares")
            measure([row], note: asked.note) { _ in
                let loop = cpuNs { keep(Self.compareIDs(count)) }
                let decided = cpuNs {
                    var kept: UInt64 = 0
                    for number in 0..<count {
                        let decision = tracer.decide(
                            parent: asked.parent, traceID: Self.traceID(number),
                            attributes: asked.attributes)
                        kept &+= UInt64(decision.rawValue)
                    }
                    keep(kept)
                }
                return [
                    BenchSample(decided / Double(count), beside: loop / Double(count))
                ]
            }
        }
    }

    @inline(__always)
    private static func traceID(_ number: Int) -> TraceID {
        TraceID(high: 1, low: UInt64(number) &* 0x9E37_79B9_7F4A_7C15 | 1)
    }

    /// The least that a decision can be: a call, an id, a threshold.
    @inline(never)
    private static func isKept(_ traceID: TraceID, _ threshold: UInt64) -> Bool {
        traceID.low & ((1 << 56) - 1) >= threshold
    }

    private static func compareIDs(_ count: Int) -> UInt64 {
        let threshold = UInt64(1) << 56 / 10 * 9
        var kept: UInt64 = 0
        for number in 0..<count where isKept(traceID(number), threshold) { kept &+= 1 }
        return kept
    }

    mutating func propagation() {
        let context = SpanContext(
            traceID: TraceID(high: 0x4bf9_2f35_77b3_4da6, low: 0xa3ce_929d_0e0e_4736),
            spanID: SpanID(rawValue: 0x00f0_67aa_0ba9_02b7), flags: [.sampled, .random])
        time("injectNs", "inject traceparent", count: 200_000) { count in
            var headers = HeaderBuffer()
            for _ in 0..<count {
                headers.removeAll()
                TraceContextPropagator.inject(context, into: &headers)
            }
            keep(UInt64(headers.count))
        }
        propagators(context)
        var headers = HeaderBuffer()
        TraceContextPropagator.inject(context, into: &headers)
        time("extractNs", "extract traceparent", count: 200_000) { count in
            var sum: UInt64 = 0
            for _ in 0..<count {
                sum &+= TraceContextPropagator.extract(from: headers)?.spanID.rawValue ?? 0
            }
            keep(sum)
        }
    }

    /// The way from a service to the next, through the front that services use.
    private mutating func propagators(_ context: SpanContext) {
        let carried = TraceContext(spanContext: context)
        for (name, title, propagator) in [
            ("propagateNs", "inject and extract, tracecontext", Propagator.traceContext),
            (
                "propagateDefaultNs", "inject and extract, tracecontext,baggage",
                .composite([.traceContext, .baggage])
            ),
            ("propagateB3Ns", "inject and extract, b3", .b3),
        ] {
            time(name, title, count: 200_000) { count in
                var headers = HeaderBuffer()
                var sum: UInt64 = 0
                for _ in 0..<count {
                    headers.removeAll()
                    propagator.inject(carried, into: &headers)
                    sum &+= propagator.extract(from: headers).spanContext.spanID.rawValue
                }
                keep(sum)
            }
        }
    }
}

/// A sampler, and what it is asked with.
private struct SamplerUnderTest {
    var name: String
    var title: String
    var sampler: Sampler
    var parent: SpanContext?
    var attributes: SpanAttributes?
    var note = ""

    init(
        _ name: String, _ title: String, _ sampler: Sampler, parent: SpanContext? = nil,
        attributes: SpanAttributes? = nil, note: String = ""
    ) {
        (self.name, self.title, self.sampler) = (name, title, sampler)
        (self.parent, self.attributes, self.note) = (parent, attributes, note)
    }

    private static let remote = SpanContext(
        traceID: TraceID(high: 1, low: 0x1234_5678_9abc_def0), spanID: SpanID(rawValue: 7),
        flags: [.sampled, .random], isRemote: true)
    /// As the next service gets it from one that keeps a tenth.
    private static let kept = SpanContext(
        traceID: TraceID(high: 1, low: .max), spanID: SpanID(rawValue: 7),
        flags: [.sampled, .random], traceState: TraceState(header: "ot=th:e6666") ?? .empty,
        isRemote: true)
    private static let route: SpanAttributes = ["http.route": .string("/api/orders/{id}")]

    static let all: [SamplerUnderTest] = [
        .init("AlwaysOn", "always_on", .alwaysOn),
        .init("AlwaysOff", "always_off", .alwaysOff),
        .init("TraceIDRatio", "traceidratio", .traceIDRatio(0.1)),
        .init("ParentBasedRoot", "parentbased, root", .parentBased(root: .traceIDRatio(0.1))),
        .init(
            "ParentBasedRemote", "parentbased, remote parent", .parentBased(root: .alwaysOn),
            parent: remote),
        .init("Probability", "probability", .probability(0.1)),
        .init(
            "ParentBasedProbability", "parentbased probability, parent with th",
            .parentBased(root: .probability(0.1)), parent: kept),
        .init("AlwaysRecord", "always_record", .alwaysRecord(.traceIDRatio(0.1))),
        .init("ForeignGo", "foreign, as Go's SDK", .foreign(.go, 0.1)),
        .init("RateLimiting", "rate limiting", .rateLimiting(tracesPerS: 1_000)),
        .init("Adaptive", "adaptive", .adaptive(AdaptiveSettings(targetPerS: 1_000))),
        .init("CompositeAlwaysOn", "composite: always_on", .composite(.alwaysOn)),
        .init("CompositeAlwaysOff", "composite: always_off", .composite(.alwaysOff)),
        .init("CompositeProbability", "composite: probability", .composite(.probability(0.1))),
        .init(
            "Composite", "composite: parent_threshold, root",
            .composite(.parentThreshold(root: .probability(0.1)))),
        .init(
            "CompositeParent", "composite: parent_threshold, parent with th",
            .composite(.parentThreshold(root: .probability(0.1))), parent: kept),
        .init(
            "CompositeRules", "composite: rules by kind and attribute",
            .composite(
                .ruleBased([
                    SamplingRule(kinds: [.server], sampler: .alwaysOff),
                    SamplingRule(
                        attributes: [.equal("http.route", [.string("/api/orders/{id}")])],
                        sampler: .probability(0.1)),
                ])), attributes: route),
        .init(
            "CompositeAnnotating", "composite: annotating",
            .composite(.annotating(route, .probability(0.1)))),
        .init(
            "CompositeAnyOf", "composite: any of two",
            .composite(.anyOf([.probability(0.1), .probability(0.2)]))),
        .init(
            "Custom", "custom: a sampler of one's own", .custom(EverySecond()),
            note: "its request is made of strings"),
    ]
}

/// The least that a custom sampler can be.
private struct EverySecond: CustomSampler {
    var description: String { "EverySecond" }

    func sample(_ request: SamplingRequest) -> SamplingResult {
        SamplingResult(request.traceID.low & 2 == 0 ? .drop : .recordAndSample)
    }
}
