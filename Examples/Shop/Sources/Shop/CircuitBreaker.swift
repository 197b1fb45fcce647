// Stops calling a service that is down, and says so in the trace.

import TraceCore

/// Closed, it lets every call through; after `failuresMax` failures in a row it opens and refuses them;
/// after `openFor` it is half open and lets one through, whose outcome closes or opens it again.
///
/// An actor rather than a process with a mailbox: calls do not wait for one another, and run in their
/// caller's task, so that their spans are its span's children.
actor CircuitBreaker {
    enum State: String {
        case closed
        case open
        case halfOpen = "half_open"
    }

    private enum Circuit {
        case closed(failures: Int)
        case open(until: ContinuousClock.Instant)
    }

    private enum Event {
        static let open = SpanName("circuit_open")
        static let attempt = SpanName("circuit_half_open_attempt")
        static let success = SpanName("circuit_success")
        static let failure = SpanName("circuit_failure")
    }

    private let tracer: Tracer
    private let failuresMax: Int
    private let openFor: Duration
    private let now: @Sendable () -> ContinuousClock.Instant
    private var circuits: [String: Circuit] = [:]

    init(
        _ tracer: Tracer, failuresMax: Int = 3, openFor: Duration = .seconds(30),
        now: @escaping @Sendable () -> ContinuousClock.Instant
    ) {
        self.tracer = tracer
        self.failuresMax = failuresMax
        self.openFor = openFor
        self.now = now
    }

    /// Runs `operation` unless the service's circuit is open. What it throws is a failure.
    ///
    /// - Throws: ``CircuitOpen``, or what `operation` throws.
    func call<Value: Sendable>(
        _ service: String, _ operation: @Sendable () async throws -> Value
    ) async throws -> Value {
        let state = admit(service)
        let attributes: SpanAttributes = ["service": .string(service)]
        return try await tracer.withSpan(
            "circuit_breaker.call",
            attributes: [
                "service_name": .string(service), "circuit_state": .string(state.rawValue),
            ]
        ) { span -> Result<Value, any Error> in
            switch state {
            case .closed: break
            case .open:
                span.setStatus(.error, "Circuit breaker open")
                span.addEvent(Event.open, attributes: attributes)
                return .failure(CircuitOpen(service: service))
            case .halfOpen:
                span.addEvent(Event.attempt, attributes: attributes)
            }
            do {
                let value = try await operation()
                span.addEvent(Event.success, attributes: attributes)
                record(service, isSuccess: true, isAttempt: state == .halfOpen)
                return .success(value)
            } catch {
                span.setStatus(.error, "\(error)")
                span.addEvent(Event.failure, attributes: attributes)
                record(service, isSuccess: false, isAttempt: state == .halfOpen)
                return .failure(error)
            }
        }.get()
    }

    func state(of service: String) -> State {
        switch circuits[service] {
        case .closed, nil: .closed
        case .open(let end): now() < end ? .open : .halfOpen
        }
    }

    /// The state that a call finds.
    private func admit(_ service: String) -> State {
        let state = state(of: service)
        // For everybody else it stays open until this attempt is over.
        if state == .halfOpen { circuits[service] = .open(until: now() + openFor) }
        return state
    }

    private func record(_ service: String, isSuccess: Bool, isAttempt: Bool) {
        switch circuits[service] ?? .closed(failures: 0) {
        case .closed(let failures):
            let failures = isSuccess ? 0 : failures + 1
            circuits[service] =
                failures < failuresMax
                ? .closed(failures: failures) : .open(until: now() + openFor)
        case .open where isAttempt:
            circuits[service] =
                isSuccess ? .closed(failures: 0) : .open(until: now() + openFor)
        case .open:
            // The call began before the circuit opened: its outcome says nothing new.
            break
        }
    }
}

/// Refused without a try.
struct CircuitOpen: Error {
    var service: String
}
