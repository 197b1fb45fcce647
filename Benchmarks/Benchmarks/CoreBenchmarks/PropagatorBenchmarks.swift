import Benchmark
import TraceCore

/// W3C headers, written into and read from a buffer that is used again.
func propagatorBenchmarks() {
    let bare = SpanContext(
        traceID: TraceID(high: 0x0af7_6519_16cd_43dd, low: 0x8448_eb21_1c80_319c),
        spanID: SpanID(rawValue: 0xb7ad_6b71_6920_3331), flags: .sampled)
    var full = bare
    full.traceState = TraceState(header: "ot=th:8;rv:0123456789abcd,vendor=opaque value") ?? .empty
    for (title, context) in [("traceparent", bare), ("traceparent and tracestate", full)] {
        var headers = HeaderBuffer()
        Benchmark("propagator: inject \(title)") { benchmark in
            for _ in benchmark.scaledIterations {
                headers.removeAll()
                TraceContextPropagator.inject(context, into: &headers)
                blackHole(headers.count)
            }
        }
        var carried = HeaderBuffer()
        carried.append("host", "localhost")
        TraceContextPropagator.inject(context, into: &carried)
        let received = carried
        Benchmark("propagator: extract \(title)") { benchmark in
            for _ in benchmark.scaledIterations {
                blackHole(TraceContextPropagator.extract(from: received))
            }
        }
    }
}
