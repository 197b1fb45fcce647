import Benchmark
import TraceCore

/// Slots: taking one and giving it back, warm (the last one again) and cold (the oldest of many live
/// spans, whose lines have left the cache).
func storeBenchmarks() {
    let name = SpanName("live")
    for liveSpans in [1, 1_000, 50_000] {
        let rig = Rig()
        var live = (0..<liveSpans).map { _ in rig.tracer.startSpan(name) }
        var oldest = 0
        Benchmark("store: end the oldest of \(liveSpans) live, start another") { benchmark in
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations {
                live[oldest].end()
                live[oldest] = rig.tracer.startSpan(name)
                oldest += 1
                if oldest == live.count { oldest = 0 }
            }
            benchmark.stopMeasurement()
            rig.drainAll()
        }
    }

    let key = AttributeKey("large")
    let value = String(repeating: "x", count: 4_000)
    let rig = Rig()
    Benchmark("store: a span that outgrows its slot by 4,000 bytes") { benchmark in
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            let span = rig.tracer.startSpan(name)
            span.setAttribute(key, string: value)
            span.end()
        }
        benchmark.stopMeasurement()
        rig.drainAll()
    }
}
