import TraceCore
import TracePipeline

/// What a service has once, and passes to those who trace.
struct Tracing: Sendable {
    let pipeline: TracingPipeline
    let tracer: Tracer
    let propagator: Propagator

    init(_ configuration: TracingConfiguration) throws {
        pipeline = try TracingPipeline(configuration)
        tracer = pipeline.provider.tracer()  // named for this module
        propagator = configuration.propagator
    }
}

/// Keys are made once: each is encoded when it is made, and copied after that.
enum Keys {
    static let route = AttributeKey("http.route")
    static let status = AttributeKey("http.response.status_code")
    static let tags = AttributeKey("order.tags")
}

extension Tracing {
    /// A server: continue the caller's trace, work within a span, mark failures.
    func handle(headers: HeaderList, order: String) async throws -> Int {
        let caller = propagator.extract(from: headers)
        return try await caller.run {
            try await tracer.withSpan("POST /orders", kind: .server) { span in
                span.setAttribute(Keys.route, "/orders")
                span.setAttribute(Keys.tags, .strings(["new", "web"]))
                try await charge(order)  // an error is recorded and sets the status
                span.setAttribute(Keys.status, 201)
                return 201
            }
        }
    }

    /// A client: a span of its own, and its context in the headers.
    func charge(_ order: String) async throws {
        try await tracer.withSpan("POST", kind: .client) { span in
            var headers: HeaderList = ["content-type": "application/json"]
            propagator.inject(.current, into: &headers)
            guard try await send(order, headers) == 200 else {
                span.setStatus(.error, "payment declined")
                span.addEvent(SpanName("payment_declined"), attributes: ["reason": "no funds"])
                return
            }
        }
    }
}
