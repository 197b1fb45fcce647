// The way between services. Everything runs in one process here, but nothing of a task crosses:
// what the callee knows of the trace is in the headers.

import Synchronization
import TraceCore

/// Carries requests to hosts by name. Any thread.
public final class Network: Sendable {
    public typealias Handler = @Sendable (HTTPRequest) async -> HTTPResponse

    private struct State {
        var handlers: [String: Handler] = [:]
        var faults: [String: HTTPError] = [:]
    }

    private let state = Mutex(State())

    /// From now on `handler` answers for `host`.
    public func register(_ host: String, _ handler: @escaping Handler) {
        state.withLock { $0.handlers[host] = handler }
    }

    /// Breaks the way to a host, or mends it with nil.
    public func fail(_ host: String, with fault: HTTPError?) {
        state.withLock { $0.faults[host] = fault }
    }

    func send(_ request: HTTPRequest, to host: String) async throws(HTTPError) -> HTTPResponse {
        let (handler, fault) = state.withLock { ($0.handlers[host], $0.faults[host]) }
        if let fault { throw fault }
        guard let handler else { throw .connectionRefused }
        // Another process would not see this task's context.
        return await TraceContext.empty.run { await handler(request) }
    }
}
