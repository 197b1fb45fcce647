// What can be read from finished spans: who calls whom, and whether traces are whole.

import Testing
import TraceCore
import TracePipeline

@testable import Shop

@Suite("Dependencies and quality")
struct DependencyTests {
    /// As drawn before the shop was built.
    private static let drawn: Set<DependencyGraph.Edge> = [
        .init("api-gateway", "user-service"),
        .init("api-gateway", "order-service"),
        .init("user-service", "auth-service"),
        .init("user-service", "Database: users_db"),
        .init("order-service", "inventory-service"),
        .init("order-service", "payment-service"),
        .init("order-service", "Database: orders_db"),
        .init("inventory-service", "Database: inventory_db"),
        .init("payment-service", "external-payment-api"),
    ]

    @Test("The traces' graph is the one that was drawn")
    func graph() async throws {
        let spans = try await TestShop().spans {
            await $0.look(at: "user123")
            await $0.order(["item1": 1])
        }
        #expect(DependencyGraph(spans: spans).edges == Self.drawn)
    }

    @Test("A service that answers is known by its own name, not by the address it was called at")
    func otherAddress() async throws {
        var spans = try await TestShop().spans { await $0.look(at: "user123") }
        for index in spans.indices where spans[index]["server.address"] == "auth-service" {
            spans[index].attributes.append(.init(key: "server.address", value: "10.0.0.7"))
        }
        let edges = DependencyGraph(spans: spans).edges
        #expect(edges.contains(.init("user-service", "auth-service")))
        #expect(!edges.contains { $0.to == "10.0.0.7" })
    }

    @Test("A service that is down is still depended on")
    func serviceDown() async throws {
        let shop = try TestShop()
        shop.fleet.network.fail("payment-service", with: .connectionRefused)
        let spans = try await shop.spans { await $0.order(["item1": 1]) }
        let edges = DependencyGraph(spans: spans).edges
        #expect(edges.contains(.init("order-service", "payment-service")))
        #expect(!edges.contains { $0.to == "external-payment-api" })
    }

    @Test("The diagram names each node once")
    func diagram() async throws {
        let spans = try await TestShop().spans { await $0.look(at: "user123") }
        #expect(
            DependencyGraph(spans: spans).mermaid == """
                graph TD
                    n0[api-gateway] --> n1[user-service]
                    n1 --> n2[Database: users_db]
                    n1 --> n3[auth-service]

                """)
    }

    @Test("A trace that lost any span but a last one is not connected")
    func missingSpans() async throws {
        let spans = try await TestShop().spans { await $0.order(["item1": 1]) }
        let parents = Set(spans.map(\.parentSpanID))
        for lost in spans {
            let rest = spans.filter { $0.spanID != lost.spanID }
            #expect(TraceQuality.isConnectedTree(rest) == !parents.contains(lost.spanID))
        }
    }

    @Test("Cycles, second roots, doubled spans and nothing at all are no tree")
    func noTrees() async throws {
        let spans = try await TestShop().spans { await $0.order(["item1": 1]) }
        #expect(TraceQuality.isConnectedTree(spans))
        let leaf = try #require(spans.firstIndex { $0.name == "UPDATE stock" })
        let consumer = try #require(spans.firstIndex { $0.kind == .consumer })
        var cycle = spans
        cycle[consumer].parentSpanID = spans[leaf].spanID
        #expect(!TraceQuality.isConnectedTree(cycle))
        var secondRoot = spans
        secondRoot[consumer].parentSpanID = nil
        #expect(!TraceQuality.isConnectedTree(secondRoot))
        #expect(!TraceQuality.isConnectedTree(spans + [spans[leaf]]))
        #expect(!TraceQuality.isConnectedTree([]))
    }

    @Test("The share counts traces, not spans")
    func share() async throws {
        let spans = try await TestShop().spans { customer in
            for _ in 1...3 { await customer.look(at: "user123") }
            await customer.order(["item1": 1])
        }
        #expect(TraceQuality(spans: spans).connectedShare == 1)
        let broken = spans.filter { $0.name != "POST /orders" }
        #expect(TraceQuality(spans: broken).connectedShare == 0.75)
        #expect(TraceQuality(spans: []).connectedShare == 1)
    }

    @Test("The tree's text has every span below its parent")
    func tree() async throws {
        let spans = try await TestShop().spans { await $0.order(["yacht": 1]) }
        let lines = TraceTree.text(of: spans).split(separator: "\n")
        #expect(lines.first == "trace \(spans[0].traceID.hex), \(spans.count) spans")
        let events = spans.reduce(0) { $0 + $1.events.count }
        #expect(lines.count == 1 + spans.count + events)
        #expect(lines[1].hasPrefix("└─ api-gateway  POST /orders  [server]"))
        #expect(lines.contains { $0.contains("ERROR: Payment declined: insufficient funds") })
        #expect(lines.contains { $0.hasSuffix("• payment_declined {reason: insufficient funds}") })
    }
}
