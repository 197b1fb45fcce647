import Benchmark
import TraceCore

/// From finished records to request bodies: what the exporter's thread pays for a span.
func encodeBenchmarks() {
    let name = SpanName("GET /api/v1/cart/{id}")
    let keys = Keys()
    for (title, areSumsChecked) in [("encode: drain", false), ("encode: drain with sums", true)] {
        for batchSpans in [100, 1_000] {
            let rig = Rig { $0.sumsChecked = areSumsChecked }
            Benchmark("\(title), \(batchSpans) spans a body") { benchmark in
                let spans = benchmark.scaledIterations.count
                for _ in 0..<spans {
                    let span = rig.tracer.startSpan(name, kind: .server)
                    keys.set(on: span)
                    span.end()
                }
                benchmark.startMeasurement()
                while rig.drain(spans: batchSpans) > 0 {}
                benchmark.stopMeasurement()
            }
        }
    }

    Benchmark("encode: a list of five attributes") { benchmark in
        for _ in benchmark.scaledIterations {
            var list = SpanAttributes()
            list.set(keys.method, "GET")
            list.set(keys.route, "/api/v1/cart/{id}")
            list.set(keys.status, 200)
            list.set(keys.duration, 0.25)
            list.set(keys.isCached, true)
            blackHole(list)
        }
    }
}
