// What is decided and carried along: samplers and propagators.
import TraceCore

extension BenchSuite {
    mutating func samplers() {
        guard let recorder = try? SpanRecorder() else { return }
        let remote = SpanContext(
            traceID: TraceID(high: 1, low: 0x1234_5678_9abc_def0), spanID: SpanID(rawValue: 7),
            flags: [.sampled, .random], isRemote: true)
        // As the next service gets it from one that keeps a tenth.
        let kept = SpanContext(
            traceID: TraceID(high: 1, low: .max), spanID: SpanID(rawValue: 7),
            flags: [.sampled, .random], traceState: TraceState(header: "ot=th:e6666") ?? .empty,
            isRemote: true)
        let all: [(name: String, sampler: Sampler, parent: SpanContext?)] = [
            ("AlwaysOn", .alwaysOn, nil), ("AlwaysOff", .alwaysOff, nil),
            ("TraceIDRatio", .traceIDRatio(0.1), nil),
            ("ParentBasedRoot", .parentBased(root: .traceIDRatio(0.1)), nil),
            ("ParentBasedRemote", .parentBased(root: .alwaysOn), remote),
            ("Probability", .probability(0.1), nil),
            ("AlwaysRecord", .alwaysRecord(.traceIDRatio(0.1)), nil),
            ("Composite", .composite(.parentThreshold(root: .probability(0.1))), nil),
            ("RateLimiting", .rateLimiting(tracesPerS: 1_000), nil),
            ("ForeignGo", .foreign(.go, 0.1), nil),
            ("ParentBasedProbability", .parentBased(root: .probability(0.1)), kept),
        ]
        for (name, sampler, parent) in all {
            let provider = TracerProvider(
                recorder: recorder, resource: Resource(serviceName: "bench"), sampler: sampler)
            let tracer = provider.tracer(name: "tracemill.bench")
            time(
                "sampler\(name)Ns", "sampler decision, \(name)", count: 500_000
            ) { count in
                var kept: UInt64 = 0
                for number in 0..<count {
                    let id = TraceID(high: 1, low: UInt64(number) &* 0x9E37_79B9_7F4A_7C15 | 1)
                    kept &+= UInt64(tracer.decide(parent: parent, traceID: id).rawValue)
                }
                keep(kept)
            }
        }
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
