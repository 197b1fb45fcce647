// One request, one tree: across services, across parallel calls, across the queue.

import Testing
import TraceCore
import TracePipeline

@testable import Shop

/// A span and where it hangs, written down by hand.
private struct Expected: Hashable, CustomStringConvertible {
    var service: String
    var name: String
    var kind: SpanKind
    var parent: String?
    var isParentRemote: Bool

    init(
        _ service: String, _ name: String, _ kind: SpanKind = .internal, below parent: String?,
        remote isParentRemote: Bool = false
    ) {
        self.service = service
        self.name = name
        self.kind = kind
        self.parent = parent
        self.isParentRemote = isParentRemote
    }

    init(_ span: SpanData, in spans: [SpanData]) {
        self.init(
            span.serviceName ?? "", span.name, span.kind,
            below: spans.parent(of: span).map { "\($0.serviceName ?? "") \($0.name)" },
            remote: span.isParentRemote ?? true)
    }

    var description: String {
        "\(service) \(name) \(kind) below \(parent ?? "nothing")\(isParentRemote ? ", remote" : "")"
    }

    static let lookUp: Set<Expected> = [
        .init("api-gateway", "GET /users/{id}", .server, below: nil),
        .init("api-gateway", "GET", .client, below: "api-gateway GET /users/{id}"),
        .init(
            "user-service", "GET /api/users/{id}", .server, below: "api-gateway GET", remote: true),
        .init("user-service", "SELECT users", .client, below: "user-service GET /api/users/{id}"),
        .init(
            "user-service", "auth_client.verify_access",
            below: "user-service GET /api/users/{id}"),
        .init("user-service", "POST", .client, below: "user-service auth_client.verify_access"),
        .init(
            "auth-service", "POST /api/verify", .server, below: "user-service POST", remote: true),
    ]

    static let order: Set<Expected> = [
        .init("api-gateway", "POST /orders", .server, below: nil),
        .init("api-gateway", "POST", .client, below: "api-gateway POST /orders"),
        .init(
            "order-service", "POST /api/orders", .server, below: "api-gateway POST", remote: true),
        .init(
            "order-service", "inventory_client.check_stock", below: "order-service POST /api/orders"
        ),
        .init("order-service", "GET", .client, below: "order-service inventory_client.check_stock"),
        .init(
            "inventory-service", "GET /api/stock/{sku}", .server, below: "order-service GET",
            remote: true),
        .init(
            "inventory-service", "SELECT stock", .client,
            below: "inventory-service GET /api/stock/{sku}"),
        .init("order-service", "circuit_breaker.call", below: "order-service POST /api/orders"),
        .init(
            "order-service", "payment_client.process", below: "order-service circuit_breaker.call"),
        .init("order-service", "POST", .client, below: "order-service payment_client.process"),
        .init(
            "payment-service", "POST /api/payments", .server, below: "order-service POST",
            remote: true),
        .init("payment-service", "POST", .client, below: "payment-service POST /api/payments"),
        .init("order-service", "INSERT orders", .client, below: "order-service POST /api/orders"),
        .init(
            "order-service", "event_publisher.order_created", .producer,
            below: "order-service POST /api/orders"),
        .init(
            "inventory-service", "event_consumer.handle_order_created", .consumer,
            below: "order-service event_publisher.order_created", remote: true),
        .init(
            "inventory-service", "event_consumer.reserve_inventory",
            below: "inventory-service event_consumer.handle_order_created"),
        .init(
            "inventory-service", "UPDATE stock", .client,
            below: "inventory-service event_consumer.reserve_inventory"),
    ]
}

@Suite("Connected traces")
struct ConnectedTraceTests {
    @Test("Looking at a user is one tree through gateway, user and auth service")
    func lookUp() async throws {
        let spans = try await TestShop().spans {
            #expect(await $0.look(at: "user123").status == 200)
        }
        #expect(Set(spans.map { Expected($0, in: spans) }) == Expected.lookUp)
        #expect(spans.count == Expected.lookUp.count)
        #expect(spans.traces.count == 1)
        #expect(TraceQuality.isConnectedTree(spans))
    }

    @Test("An order is one tree through four services and the queue")
    func order() async throws {
        let spans = try await TestShop().spans {
            #expect(await $0.order(["item1": 2]).status == 201)
        }
        #expect(Set(spans.map { Expected($0, in: spans) }) == Expected.order)
        #expect(spans.count == Expected.order.count)
        #expect(spans.traces.count == 1)
        #expect(TraceQuality.isConnectedTree(spans))
    }

    @Test("A trace begun outside goes on in the shop")
    func outerTrace() async throws {
        let shop = try TestShop()
        let tracer = shop.tracing.makeProvider(of: "test", on: shop.pipeline).tracer()
        let spans = try await shop.spans { customer in
            await tracer.withSpan("test.create_order", kind: .client) { _ in
                var customer = customer
                Propagator.standard.inject(.current, into: &customer.headers)
                #expect(await customer.order(["item1": 2]).status == 201)
            }
        }
        let services = Set(spans.compactMap(\.serviceName))
        #expect(services.isSuperset(of: ["order-service", "inventory-service", "payment-service"]))
        #expect(spans.count == Expected.order.count + 1)
        #expect(TraceQuality.isConnectedTree(spans))
        let root = try spans.only("test.create_order")
        #expect(root.parentSpanID == nil)
        let gateway = try spans.only("POST /orders")
        #expect(gateway.parentSpanID == root.spanID)
        #expect(gateway.isParentRemote == true)
    }

    @Test("Parallel calls are children of the same span")
    func parallelCalls() async throws {
        let spans = try await TestShop().spans {
            #expect(await $0.order(["item1": 1, "item2": 3]).status == 201)
        }
        let check = try spans.only("inventory_client.check_stock")
        let calls = spans.filter { $0.name == "GET" && $0.serviceName == "order-service" }
        #expect(calls.map(\.parentSpanID) == [check.spanID, check.spanID])
        let answers = spans.filter { $0.name == "GET /api/stock/{sku}" }
        #expect(Set(answers.map(\.parentSpanID)) == Set(calls.map(\.spanID)))
        #expect(Set(answers.map { $0["sku"] }) == ["item1", "item2"])
        #expect(TraceQuality.isConnectedTree(spans))
    }

    @Test("Every service says who it is, in the same way")
    func resources() async throws {
        let shop = try TestShop(
            environment: ["SERVICE_NAMESPACE": "market", "ENVIRONMENT": "staging"])
        let spans = try await shop.spans {
            await $0.look(at: "user123")
            await $0.order(["item1": 1])
        }
        let versions = [
            "api-gateway": "1.0.0", "user-service": "1.2.3", "order-service": "2.0.1",
            "auth-service": "1.0.0", "inventory-service": "1.0.0", "payment-service": "1.0.0",
        ]
        #expect(Set(spans.compactMap(\.serviceName)) == Set(versions.keys))
        for span in spans {
            let version = versions[span.serviceName ?? ""]
            #expect(span.resource.value(of: "service.version") == version.map { .string($0) })
            #expect(span.resource.value(of: "service.namespace") == "market")
            #expect(span.resource.value(of: "deployment.environment.name") == "staging")
            #expect(span.resource.value(of: "host.name") != nil)
            #expect(span.scope.name == "Shop")
        }
    }

    @Test("The customer's id travels as baggage to every service, and not out of the house")
    func baggage() async throws {
        let shop = try TestShop()
        let charges = HeaderLog()
        let spans = try await shop.spans { customer in
            shop.fleet.network.register("external-payment-api") { request in
                charges.add(request.headers)
                return HTTPResponse(200)
            }
            await customer.order(["item1": 1])
        }
        for span in spans where span.kind == .server || span.kind == .consumer {
            #expect(span["user.id"] == "user123", "\(span.serviceName ?? "") \(span.name)")
        }
        let headers = try #require(charges.all.first)
        #expect(headers.values(of: "traceparent").count == 1)
        #expect(headers.values(of: "baggage").isEmpty)
    }

    @Test(
        "A service sees nothing of its caller's task: a context that is not in the headers is lost")
    func processBoundary() async throws {
        let shop = try TestShop()
        let spans = try await shop.spans { customer in
            shop.fleet.network.register("user-service") { request in
                #expect(!TraceContext.current.spanContext.isValid)
                #expect(TraceContext.current.baggage.isEmpty)
                #expect(request.headers.values(of: "baggage") == ["user.id=user123"])
                return HTTPResponse(200)
            }
            #expect(await customer.look(at: "user123").status == 200)
        }
        #expect(spans.count == 2)
    }

    @Test("HTTP and database spans have the conventions' attributes")
    func conventions() async throws {
        let spans = try await TestShop().spans { await $0.look(at: "user123") }
        let server = try spans.only("GET /api/users/{id}")
        #expect(server["http.request.method"] == "GET")
        #expect(server["http.route"] == "/api/users/{id}")
        #expect(server["url.path"] == "/api/users/user123")
        #expect(server["http.response.status_code"] == 200)
        #expect(server["user_id"] == "user123")
        #expect(server["endpoint"] == "user.show")
        #expect(server.status == .ok)
        let client = try spans.only("POST", of: "user-service")
        #expect(client["http.request.method"] == "POST")
        #expect(client["server.address"] == "auth-service")
        #expect(client["http.response.status_code"] == 200)
        let query = try spans.only("SELECT users")
        #expect(query["db.system.name"] == "postgresql")
        #expect(query["db.namespace"] == "users_db")
        #expect(query["db.operation.name"] == "SELECT")
        #expect(query["db.collection.name"] == "users")
    }
}
