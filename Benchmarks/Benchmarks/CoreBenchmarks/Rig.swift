import TraceCore

/// A recorder with a tracer, and somebody who empties the queue. One thread, unless said otherwise.
final class Rig {
    let recorder: SpanRecorder
    let tracer: Tracer
    private var body = ExportBody()

    init(sampler: Sampler = .alwaysOn, configure: (inout RecorderOptions) -> Void = { _ in }) {
        var options = RecorderOptions()
        options.queueSpans = 1 << 16
        configure(&options)
        do {
            recorder = try SpanRecorder(options: options)
        } catch {
            fatalError("no recorder: \(error)")
        }
        tracer = TracerProvider(
            recorder: recorder, resource: Resource(serviceName: "bench"), sampler: sampler
        ).tracer(name: "bench")
    }

    /// One request body of at most that many spans.
    @discardableResult
    func drain(spans: Int) -> Int {
        recorder.queue.fill(&body, spans: spans)
    }

    /// The bytes of one request body of at most that many spans.
    func body(spans: Int) -> [UInt8] {
        drain(spans: spans)
        return unsafe Array(body.bytes)
    }

    /// Everything that is pending.
    func drainAll() {
        while drain(spans: 4096) > 0 {}
    }
}

/// What the spans of all benchmarks say: two strings, two numbers and a flag, as an HTTP server would.
struct Keys {
    let method = AttributeKey("http.request.method")
    let route = AttributeKey("http.route")
    let status = AttributeKey("http.response.status_code")
    let duration = AttributeKey("app.queue.duration")
    let isCached = AttributeKey("app.cached")

    @inline(__always)
    func set(on span: ActiveSpan) {
        span.setAttribute(method, "GET" as StaticString)
        span.setAttribute(route, "/api/v1/cart/{id}" as StaticString)
        span.setAttribute(status, 200)
        span.setAttribute(duration, 0.25)
        span.setAttribute(isCached, true)
    }
}
