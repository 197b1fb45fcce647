// What an HTTP framework and its client would do for tracing: a server span around each request
// answered, a client span around each request sent, the context out of and into the headers.
// Source: OpenTelemetry semantic conventions, "HTTP spans".

import TraceCore

/// A service's tracer and its way to the others.
struct Service: Sendable {
    let tracer: Tracer
    let network: Network
    let propagator: Propagator

    /// - Parameter propagator: W3C trace context and baggage, unless OTEL_PROPAGATORS says otherwise.
    init(_ provider: TracerProvider, _ network: Network, propagator: Propagator = .standard) {
        tracer = provider.tracer()
        self.network = network
        self.propagator = propagator
    }

    /// Answers a request within a server span that continues the caller's trace.
    func answer(_ request: HTTPRequest, _ routes: [Route]) async -> HTTPResponse {
        var request = request
        let route = routes.first { route in
            guard let parameters = route.match(request) else { return false }
            request.parameters = parameters
            return true
        }
        var attributes: SpanAttributes = [
            "http.request.method": .string(request.method), "url.path": .string(request.path),
            "url.scheme": "http",
        ]
        if let route { attributes.append(contentsOf: ["http.route": .string(route.template)]) }
        let name = route.map { "\($0.method) \($0.template)" } ?? request.method
        return await propagator.extract(from: request.headers).run {
            await tracer.withSpan(named: name, kind: .server, attributes: attributes) { span in
                span.copyUserFromBaggage()
                let response = await route?.handler(request, span) ?? HTTPResponse(404)
                span.setResponse(response.status, isError: response.status >= 500)
                return response
            }
        }
    }

    /// Sends a request within a client span, and that span's context with it.
    ///
    /// - Parameter propagator: what may leave the house; nil is everything.
    func send(
        _ request: HTTPRequest, to host: String, propagator: Propagator? = nil
    ) async throws(HTTPError) -> HTTPResponse {
        try await tracer.withSpan(
            named: request.method, kind: .client,
            attributes: [
                "http.request.method": .string(request.method), "server.address": .string(host),
                "url.full": .string("http://\(host)\(request.path)"),
            ]
        ) { span async throws(HTTPError) in
            var request = request
            (propagator ?? self.propagator).inject(.current, into: &request.headers)
            do throws(HTTPError) {
                let response = try await network.send(request, to: host)
                span.setResponse(response.status, isError: response.status >= 400)
                return response
            } catch {
                // The span ends with this error: recorded, and with an error status.
                span.setAttributes(["error.type": .string(error.rawValue)])
                throw error
            }
        }
    }
}

/// A method, a path with `{parameters}`, and who answers. The template is part of the span's name: the
/// path itself would make as many names as there are users.
struct Route: Sendable {
    let method: String
    let template: String
    let handler: @Sendable (HTTPRequest, ActiveSpan) async -> HTTPResponse

    init(
        _ method: String, _ template: String,
        _ handler: @escaping @Sendable (HTTPRequest, ActiveSpan) async -> HTTPResponse
    ) {
        self.method = method
        self.template = template
        self.handler = handler
    }

    /// The path's parameters by name; nil when the request is not for this route.
    func match(_ request: HTTPRequest) -> [String: String]? {
        let parts = request.path.split(separator: "/")
        let wanted = template.split(separator: "/")
        guard request.method == method, parts.count == wanted.count else { return nil }
        var parameters: [String: String] = [:]
        for (part, wanted) in zip(parts, wanted) {
            if wanted.hasPrefix("{") {
                parameters[String(wanted.dropFirst().dropLast())] = String(part)
            } else if part != wanted {
                return nil
            }
        }
        return parameters
    }
}

/// Business context that travels with the trace: set once at the gateway, on the spans everywhere.
enum UserBaggage {
    static let name = "user.id"
    static let key = AttributeKey("user.id")
}

extension ActiveSpan {
    func copyUserFromBaggage() {
        if let user = TraceContext.current.baggage[UserBaggage.name] {
            setAttribute(UserBaggage.key, string: user.value)
        }
    }

    /// A server's 4xx is the caller's mistake; a client's is an error.
    fileprivate func setResponse(_ status: Int, isError: Bool) {
        setAttributes(["http.response.status_code": .int(status)])
        guard isError else { return }
        setAttributes(["error.type": .string(String(status))])
        setStatus(.error)
    }
}
