import Benchmark
import TraceCore

/// From start to the end's publication in the queue; the drain is not timed.
func spanBenchmarks() {
    let name = SpanName("GET /api/v1/cart/{id}")
    let keys = Keys()

    func measure(
        _ title: String, sampler: Sampler = .alwaysOn, isEnabled: Bool = true,
        _ span: @escaping (Tracer) -> Void
    ) {
        let rig = Rig(sampler: sampler)
        rig.recorder.isEnabled = isEnabled
        Benchmark(title) { benchmark in
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations { span(rig.tracer) }
            benchmark.stopMeasurement()
            rig.drainAll()
        }
    }

    measure("span: start and end") { $0.startSpan(name).end() }
    measure("span: five attributes") { tracer in
        let span = tracer.startSpan(name, kind: .server)
        keys.set(on: span)
        span.end()
    }
    measure("span: five attributes, times given") { tracer in
        let span = tracer.startSpan(name, kind: .server, at: 1_700_000_000_000_000_000)
        keys.set(on: span)
        span.end(at: 1_700_000_000_001_000_000)
    }
    measure("span: five attributes, sampled out", sampler: .alwaysOff) { tracer in
        let span = tracer.startSpan(name, kind: .server)
        keys.set(on: span)
        span.end()
    }
    measure("span: five attributes, tracing disabled", isEnabled: false) { tracer in
        let span = tracer.startSpan(name, kind: .server)
        keys.set(on: span)
        span.end()
    }

    let parent = SpanContext(
        traceID: TraceID(high: 1, low: 2), spanID: SpanID(rawValue: 3), flags: [.sampled, .random],
        isRemote: true)
    measure("span: five attributes, remote parent") { tracer in
        let span = tracer.startSpan(name, kind: .server, parent: parent)
        keys.set(on: span)
        span.end()
    }

    var list = SpanAttributes()
    list.set(keys.method, "GET")
    list.set(keys.route, "/api/v1/cart/{id}")
    list.set(keys.status, 200)
    list.set(keys.duration, 0.25)
    list.set(keys.isCached, true)
    let attributes = list
    measure("span: five attributes as one list") { tracer in
        tracer.startSpan(name, kind: .server, attributes: attributes).end()
    }

    let text = "a text of 32 bytes, made at run "
    measure("span: five strings made at run time") { tracer in
        let span = tracer.startSpan(name)
        span.setAttribute(keys.method, string: text)
        span.setAttribute(keys.route, string: text)
        span.setAttribute(keys.status, string: text)
        span.setAttribute(keys.duration, string: text)
        span.setAttribute(keys.isCached, string: text)
        span.end()
    }

    let event = SpanName("cache.miss")
    measure("span: an event, a link and an error") { tracer in
        let span = tracer.startSpan(name)
        span.addEvent(event)
        span.addLink(parent)
        span.setStatus(.error, "upstream timed out")
        span.end()
    }
}
