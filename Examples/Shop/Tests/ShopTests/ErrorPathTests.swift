// What a span says when the service behind it fails: each way has its own status and event.

import Testing
import TraceCore
import TracePipeline

@testable import Shop

/// How a service behind a client misbehaves.
enum Misfortune: Sendable {
    case answer(HTTPResponse)
    case fault(HTTPError)

    func strike(_ host: String, on network: Network) {
        switch self {
        case .answer(let response): network.register(host) { _ in response }
        case .fault(let fault): network.fail(host, with: fault)
        }
    }
}

@Suite("Error paths")
struct ErrorPathTests {
    struct Case: Sendable {
        var misfortune: Misfortune
        var status: Int
        var message: String
        var events: [String]
    }

    @Test(
        "The payment client says why there was no payment",
        arguments: [
            Case(
                misfortune: .answer(HTTPResponse(402, body: #"{"reason":"card expired"}"#)),
                status: 402, message: "Payment declined: card expired",
                events: ["payment_declined{reason: card expired}"]),
            Case(
                misfortune: .answer(HTTPResponse(500, body: "oops")), status: 502,
                message: "Unexpected status: 500",
                events: ["payment_error{status: 500, body: oops}"]),
            Case(
                misfortune: .fault(.timeout), status: 504, message: "Payment service timeout",
                events: ["timeout{service: payment, timeout_ms: 10000}"]),
            Case(
                misfortune: .fault(.connectionRefused), status: 502, message: "connection_refused",
                events: [
                    "exception{exception.type: Shop.HTTPError, "
                        + "exception.message: connection_refused}"
                ]),
        ])
    func payment(expected: Case) async throws {
        let shop = try TestShop()
        expected.misfortune.strike("payment-service", on: shop.fleet.network)
        let spans = try await shop.spans {
            #expect(await $0.order(["item1": 2]).status == expected.status)
        }
        let span = try spans.only("payment_client.process")
        #expect(span.status == .error)
        #expect(span.statusMessage == expected.message)
        #expect(span.eventTexts == expected.events)
        #expect(span["amount"] == 49.0)
        #expect(span["currency"] == "USD")
        let server = try spans.only("POST /api/orders")
        #expect(span["order_id"] == server["order_id"])
        #expect(server["http.response.status_code"] == .int(expected.status))
        // A declined card is no fault of the order service; an outage is.
        #expect(server.status == (expected.status == 402 ? .unset : .error))
        #expect(!spans.contains { $0.name == "INSERT orders" || $0.kind == .producer })
        #expect(TraceQuality.isConnectedTree(spans))
    }

    @Test("A payment declined far away is told all the way back")
    func externalDecline() async throws {
        let spans = try await TestShop().spans {
            #expect(await $0.order(["yacht": 1]).status == 402)
        }
        let client = try spans.only("payment_client.process")
        #expect(client.statusMessage == "Payment declined: insufficient funds")
        let external = try spans.only("POST", of: "payment-service")
        #expect(external["http.response.status_code"] == 402)
        #expect(external.status == .error)
        #expect(external["error.type"] == "402")
        // The card was declined, the services are well.
        let breaker = try spans.only("circuit_breaker.call")
        #expect(breaker.status == .unset)
        #expect(breaker.events.map(\.name) == ["circuit_success"])
    }

    @Test(
        "The auth client tells a refusal from a failure",
        arguments: [
            Case(
                misfortune: .answer(HTTPResponse(403)), status: 403,
                message: "Authorization failed", events: []),
            Case(
                misfortune: .answer(HTTPResponse(503)), status: 502,
                message: "Unexpected status: 503", events: []),
            Case(
                misfortune: .fault(.connectionRefused), status: 502, message: "connection_refused",
                events: [
                    "exception{exception.type: Shop.HTTPError, "
                        + "exception.message: connection_refused}"
                ]),
        ])
    func authorization(expected: Case) async throws {
        let shop = try TestShop()
        expected.misfortune.strike("auth-service", on: shop.fleet.network)
        let spans = try await shop.spans {
            #expect(await $0.look(at: "user123").status == expected.status)
        }
        let span = try spans.only("auth_client.verify_access")
        #expect(span.status == .error)
        #expect(span.statusMessage == expected.message)
        #expect(span.eventTexts == expected.events)
        #expect(span["downstream_service"] == "auth-service")
        let server = try spans.only("GET /api/users/{id}")
        #expect(server.status == .error)
        #expect(server.statusMessage == (expected.status == 403 ? "Permission denied" : ""))
        #expect(TraceQuality.isConnectedTree(spans))
    }

    @Test("Somebody else's account is forbidden, an unknown user is not found")
    func userErrors() async throws {
        let spans = try await TestShop().spans { customer in
            #expect(await customer.look(at: "user456").status == 403)
            #expect(await customer.look(at: "nobody").status == 404)
        }
        let servers = spans.traces.map { trace in trace.first { $0.name == "GET /api/users/{id}" } }
        #expect(servers.map { $0?.status } == [.error, .error])
        #expect(servers.map { $0?.statusMessage } == ["Permission denied", "User not found"])
        let auth = try spans.only("POST /api/verify")
        #expect(auth["auth.allowed"] == false)
        #expect(auth.status == .unset)
        #expect(spans.traces.allSatisfy(TraceQuality.isConnectedTree))
    }

    @Test(
        "A client span that got no answer has the error's type, and ends",
        arguments: [
            HTTPError.timeout, .connectionRefused,
        ])
    func noAnswer(fault: HTTPError) async throws {
        let shop = try TestShop()
        shop.fleet.network.fail("order-service", with: fault)
        let spans = try await shop.spans {
            #expect(await $0.order(["item1": 1]).status == (fault == .timeout ? 504 : 502))
        }
        let client = try spans.only("POST", of: "api-gateway")
        #expect(client.status == .error)
        #expect(client.statusMessage == fault.rawValue)
        #expect(client["error.type"] == .string(fault.rawValue))
        #expect(client.events.map(\.name) == ["exception"])
        #expect(spans.count == 2)
    }

    @Test("Out of stock, nothing is paid")
    func outOfStock() async throws {
        let spans = try await TestShop().spans {
            #expect(await $0.order(["item1": 20_000, "unicorn": 1]).status == 409)
        }
        #expect(!spans.contains { $0.serviceName == "payment-service" })
        #expect(try spans.only("inventory_client.check_stock").status == .error)
        #expect(TraceQuality.isConnectedTree(spans))
    }

    @Test("A path that nobody serves is a span without a route")
    func unknownPath() async throws {
        let shop = try TestShop()
        let spans = try await shop.spans { _ in
            let request = HTTPRequest("GET", "/basements/7")
            let response = try await shop.fleet.network.send(request, to: "api-gateway")
            #expect(response.status == 404)
        }
        let server = try spans.only("GET")
        #expect(server.kind == .server)
        #expect(server["http.route"] == nil)
        #expect(server["http.response.status_code"] == 404)
    }
}
