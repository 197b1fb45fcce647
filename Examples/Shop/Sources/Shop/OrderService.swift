// Places orders: stock, payment, the order itself, and then the news of it.

import Foundation
import TraceCore

/// What a customer sends.
struct NewOrder: Codable, Sendable {
    struct Item: Codable, Sendable {
        var sku: String
        var quantity: Int
    }

    var userID: String
    var items: [Item]

    enum CodingKeys: String, CodingKey {
        case userID = "user_id"
        case items
    }
}

/// What becomes of it.
struct Order: Codable, Sendable {
    var id: String
    var items: [NewOrder.Item]
    var amount: Double
}

struct OrderService: Sendable {
    let service: Service
    private let payments: PaymentClient
    private let breaker: CircuitBreaker
    private let publisher: EventPublisher
    private let orders: Database<Order>

    init(_ service: Service, breaker: CircuitBreaker, publisher: EventPublisher) {
        self.service = service
        payments = PaymentClient(service: service)
        self.breaker = breaker
        self.publisher = publisher
        orders = Database("orders_db", table: "orders", service.tracer)
    }

    func handle(_ request: HTTPRequest) async -> HTTPResponse {
        await service.answer(request, [Route("POST", "/api/orders", create)])
    }

    private func create(_ request: HTTPRequest, _ span: ActiveSpan) async -> HTTPResponse {
        guard let new = JSON.decode(NewOrder.self, from: request.body) else {
            return HTTPResponse(400, error: "Unreadable order")
        }
        let id = UUID().uuidString
        span.setAttributes(["order_id": .string(id)])
        do {
            let amount = try await priceOfStock(new.items)
            let order = Order(id: id, items: new.items, amount: amount)
            // The breaker counts what is thrown. A declined payment is an answer, not an outage.
            let outcome = try await breaker.call("payment-service") {
                try await payments.process(orderID: id, amount: amount)
            }
            if case .declined(let reason) = outcome { return HTTPResponse(402, error: reason) }
            await orders.query("INSERT") { $0[id] = order }
            try publisher.publishOrderCreated(order)
            return HTTPResponse(201, body: JSON.encode(order))
        } catch is OutOfStock {
            return HTTPResponse(409, error: "Out of stock")
        } catch is CircuitOpen {
            return HTTPResponse(503, error: "Payments are down")
        } catch PaymentError.timeout {
            return HTTPResponse(504, error: "Payments do not answer")
        } catch {
            return HTTPResponse(502, error: "\(error)")
        }
    }

    /// Asks for all items at once; child tasks belong to the same span.
    private func priceOfStock(_ items: [NewOrder.Item]) async throws -> Double {
        try await service.tracer.withSpan("inventory_client.check_stock") { _ in
            try await withThrowingTaskGroup(of: Double.self) { group in
                for item in items {
                    group.addTask {
                        let request = HTTPRequest("GET", "/api/stock/\(item.sku)")
                        let response = try await service.send(request, to: "inventory-service")
                        guard let stock = JSON.decode(Stock.self, from: response.body),
                            stock.quantity >= item.quantity
                        else { throw OutOfStock(sku: item.sku) }
                        return stock.price * Double(item.quantity)
                    }
                }
                return try await group.reduce(0, +)
            }
        }
    }
}

struct OutOfStock: Error {
    var sku: String
}
