import Benchmark
import TraceCore

/// The decision alone, over trace ids that the branch predictor cannot learn.
func samplerBenchmarks() {
    let remote = SpanContext(
        traceID: TraceID(high: 1, low: 2), spanID: SpanID(rawValue: 3), flags: .sampled,
        traceState: TraceState(header: "ot=th:8;rv:0123456789abcd,vendor=value") ?? .empty,
        isRemote: true)
    let samplers: [(String, Sampler, SpanContext?)] = [
        ("always on", .alwaysOn, nil),
        ("ratio 0.1", .traceIDRatio(0.1), nil),
        ("parent-based, root ratio 0.1", .parentBased(root: .traceIDRatio(0.1)), nil),
        ("parent-based, sampled parent", .parentBased(root: .alwaysOff), remote),
        ("ratio 0.1, rv in the tracestate", .traceIDRatio(0.1), remote),
    ]
    for (title, sampler, parent) in samplers {
        let rig = Rig(sampler: sampler)
        var low: UInt64 = 1
        Benchmark("sampler: \(title)") { benchmark in
            for _ in benchmark.scaledIterations {
                low = low &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                blackHole(rig.tracer.decide(parent: parent, traceID: TraceID(high: 1, low: low)))
            }
        }
    }
}
