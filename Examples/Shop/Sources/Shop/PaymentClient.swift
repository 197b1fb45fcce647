// The order service's way to the payment service: what can go wrong there, and how the span tells.

import TraceCore

enum PaymentOutcome: Sendable {
    case paid
    case declined(reason: String)
}

/// Nobody knows whether the payment could have been made.
enum PaymentError: Error {
    case failed(status: Int)
    case timeout
    case networkError
}

struct PaymentClient: Sendable {
    let service: Service
    private static let timeoutMs = 10_000

    private enum Event {
        static let declined = SpanName("payment_declined")
        static let error = SpanName("payment_error")
        static let timeout = SpanName("timeout")
    }

    func process(
        orderID: String, amount: Double
    ) async throws(PaymentError) -> PaymentOutcome {
        let request = HTTPRequest(
            "POST", "/api/payments", headers: ["content-type": "application/json"],
            body: JSON.encode(Payment(orderID: orderID, amount: amount)))
        return try await service.tracer.withSpan(
            "payment_client.process",
            attributes: [
                "order_id": .string(orderID), "amount": .double(amount), "currency": "USD",
            ]
        ) { span -> Result<PaymentOutcome, PaymentError> in
            do throws(HTTPError) {
                let response = try await service.send(request, to: "payment-service")
                return outcome(of: response, span)
            } catch .timeout {
                span.setStatus(.error, "Payment service timeout")
                span.addEvent(
                    Event.timeout,
                    attributes: ["service": "payment", "timeout_ms": .int(Self.timeoutMs)])
                return .failure(.timeout)
            } catch {
                span.setStatus(.error, "\(error)")
                span.recordException(error)
                return .failure(.networkError)
            }
        }.get()
    }

    private func outcome(
        of response: HTTPResponse, _ span: ActiveSpan
    ) -> Result<PaymentOutcome, PaymentError> {
        switch response.status {
        case 200:
            span.setStatus(.ok)
            return .success(.paid)
        case 402:
            let answer = JSON.decode([String: String].self, from: response.body)
            let reason = answer?["reason"] ?? "no reason given"
            span.setStatus(.error, "Payment declined: \(reason)")
            span.addEvent(Event.declined, attributes: ["reason": .string(reason)])
            return .success(.declined(reason: reason))
        default:
            span.setStatus(.error, "Unexpected status: \(response.status)")
            span.addEvent(
                Event.error,
                attributes: ["status": .int(response.status), "body": .string(response.body)])
            return .failure(.failed(status: response.status))
        }
    }
}
