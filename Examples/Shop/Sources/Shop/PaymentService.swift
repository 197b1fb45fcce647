// Takes payments, through an API that belongs to somebody else.

import TraceCore

struct Payment: Codable, Sendable {
    var orderID: String
    var amount: Double

    enum CodingKeys: String, CodingKey {
        case orderID = "order_id"
        case amount
    }
}

struct PaymentService: Sendable {
    let service: Service

    func handle(_ request: HTTPRequest) async -> HTTPResponse {
        await service.answer(request, [Route("POST", "/api/payments", pay)])
    }

    private func pay(_ request: HTTPRequest, _ span: ActiveSpan) async -> HTTPResponse {
        guard let payment = JSON.decode(Payment.self, from: request.body) else {
            return HTTPResponse(400, error: "Unreadable payment")
        }
        span.setAttributes(["order_id": .string(payment.orderID)])
        let charge = HTTPRequest("POST", "/v1/charges", body: JSON.encode(payment))
        let host = "external-payment-api"
        do throws(HTTPError) {
            // The trace goes on, the baggage stays: who the customer is does not leave the house.
            return try await service.send(charge, to: host, propagator: .traceContext)
        } catch {
            return HTTPResponse(error, from: host)
        }
    }
}

/// Somebody else's service: it has no spans of ours.
enum ExternalPaymentAPI {
    static let amountMax = 1_000.0

    @Sendable static func handle(_ request: HTTPRequest) async -> HTTPResponse {
        guard let payment = JSON.decode(Payment.self, from: request.body) else {
            return HTTPResponse(400)
        }
        return payment.amount <= amountMax
            ? HTTPResponse(200, body: JSON.encode(["charge": payment.orderID]))
            : HTTPResponse(402, body: JSON.encode(["reason": "insufficient funds"]))
    }
}
