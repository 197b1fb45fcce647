// The shop put together: six services, each with its own tracer provider, over one pipeline.

import TraceCore
import TracePipeline

/// All services of the shop in one process. In a real one each would be a process of its own, with the
/// same set-up.
public struct ShopFleet: Sendable {
    /// Where the ways between the services can be broken.
    public let network = Network()
    let breaker: CircuitBreaker
    let inventory: InventoryService
    let queue = MessageQueue("orders")

    /// - Parameter now: the circuit breaker's clock.
    public init(
        _ tracing: SharedTracing, _ pipeline: TracingPipeline,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }
    ) {
        let network = network
        func service(_ name: String, version: String = "1.0.0") -> Service {
            Service(
                tracing.makeProvider(of: name, version: version, on: pipeline), network,
                propagator: pipeline.propagator)
        }
        let order = service("order-service", version: "2.0.1")
        breaker = CircuitBreaker(order.tracer, now: now)
        inventory = InventoryService(
            service("inventory-service"),
            stocks: [
                "item1": Stock(quantity: 10_000, price: 24.5),
                "item2": Stock(quantity: 10_000, price: 9.99),
                "yacht": Stock(quantity: 1, price: 250_000),
            ],
            orders: queue)
        let users = UserService(
            service("user-service", version: "1.2.3"),
            users: [
                "user123": User(id: "user123", name: "Ada"),
                "user456": User(id: "user456", name: "Alan"),
            ])
        let auth = AuthService(
            service: service("auth-service"),
            tokens: ["ada's token": "user123", "alan's token": "user456"])
        let orders = OrderService(
            order, breaker: breaker, publisher: EventPublisher(service: order, queue: queue))
        network.register("api-gateway", Gateway(service: service("api-gateway")).handle)
        network.register("user-service", users.handle)
        network.register("auth-service", auth.handle)
        network.register("order-service", orders.handle)
        network.register("inventory-service", inventory.handle)
        network.register(
            "payment-service", PaymentService(service: service("payment-service")).handle)
        network.register("external-payment-api", ExternalPaymentAPI.handle)
    }

    /// Runs `body` while the queue's consumer works beside it; returns when every message has been
    /// handled. Once for each fleet: the queue is closed then.
    public func whileConsuming<Value: Sendable>(
        _ body: @Sendable () async throws -> Value
    ) async rethrows -> Value {
        async let consuming: Void = inventory.consumer.run()
        let value: Value
        do {
            defer { queue.close() }
            value = try await body()
        }
        await consuming
        return value
    }
}

/// Somebody at the gateway.
public struct Customer: Sendable {
    let shop: ShopFleet
    let userID: String
    public var headers: HeaderList

    public init(of shop: ShopFleet, userID: String = "user123", token: String = "ada's token") {
        self.shop = shop
        self.userID = userID
        headers = ["authorization": "Bearer \(token)"]
    }

    @discardableResult
    public func look(at userID: String) async -> HTTPResponse {
        await send(HTTPRequest("GET", "/users/\(userID)", headers: headers))
    }

    @discardableResult
    public func order(_ quantities: [String: Int]) async -> HTTPResponse {
        let order = NewOrder(
            userID: userID, items: quantities.map { .init(sku: $0.key, quantity: $0.value) })
        return await send(
            HTTPRequest("POST", "/orders", headers: headers, body: JSON.encode(order)))
    }

    private func send(_ request: HTTPRequest) async -> HTTPResponse {
        (try? await shop.network.send(request, to: "api-gateway"))
            ?? HTTPResponse(503, error: "The shop is closed")
    }
}
