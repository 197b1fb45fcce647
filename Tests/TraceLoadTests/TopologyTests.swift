import Testing

@testable import TraceLoad

@Suite struct TopologyTests {
    /// Everything that has a closed form, in one scenario.
    static let services = """
        a:
          operations:
            GET /a:
              type: http
              error: {rate: 5%, short_circuit: true}
              script:
                - call: {to: b/GET /b, probability: 0.7, repeat: {uniform: [0, 3]}}
                - parallel:
                    - call: {to: b/GET /c, retries: 2}
                    - call: a/own
                - choose:
                    - {weight: 1, script: [{call: d/SELECT t}, {call: d/SELECT t}]}
                    - {weight: 2, script: []}
                - publish: {to: b/m, loss: 10%, relation: link}
            own: {error: {rate: 10%, propagate: 0.5}}
        b:
          operations:
            GET /b: {type: http, error: {rate: 4%, propagate: 0.25}}
            GET /c: {type: http, error: {rate: 30%}, script: [{call: {to: a/own, client_span: false}}]}
            m: {type: messaging}
        d:
          operations:
            SELECT t: {type: database}
        """

    @Test func `Expected spans agree with the simulated average`() throws {
        let compiled = try compiled(
            services: Self.services, root: "a/GET /a",
            traffic: "stages: [{duration: 1000s, rate: 100}]")
        let topology = Topology(compiled.scenario)
        #expect(topology.isExact)
        let batch = plans(compiled, count: 12_000)
        let mean = Double(batch.spanCount) / 12_000
        let variance =
            batch.traces.reduce(0.0) {
                $0 + (Double($1.spanCount) - mean) * (Double($1.spanCount) - mean)
            } / 12_000
        let tolerance = 5 * (variance / 12_000).squareRoot()
        #expect(
            abs(mean - topology.spansPerTrace) < tolerance, "\(mean) ≠ \(topology.spansPerTrace)")
        // The share of failing roots, too.
        let failed = batch.traces.count { plan in
            batch.events[plan.events].contains { $0.kind == .errorStatus && $0.span == 0 }
        }
        let rate = topology.nodes[0].failureRate
        #expect(abs(Double(failed) / 12_000 - rate) < 5 * (rate * (1 - rate) / 12_000).squareRoot())
    }

    @Test func `The checkout has the calls of its diagram`() throws {
        let scenario = try RepositoryScenario.checkout.compiled().scenario
        let topology = Topology(scenario)
        #expect(!topology.isExact)
        #expect(topology.roots.map(\.share) == [0.5, 0.5])
        #expect(topology.roots[0].spansPerTrace == 6)
        let order = try #require(
            topology.nodes.firstIndex { $0.name == "order-service/POST /orders" })
        let callees = topology.edges.filter { $0.from == order }.map {
            topology.nodes[$0.to].service
        }
        #expect(
            callees == ["inventory-service", "payment-service", "orders-db", "inventory-service"])
        #expect(topology.text().contains("└┄┄ inventory-service/order.created"))
        #expect(topology.mermaid().hasPrefix("graph LR\n"))
        #expect(topology.mermaid().contains(" -.->|"))
    }

    @Test func `Names cannot break out of the diagram`() throws {
        let compiled = try compiled(
            services: """
                "<script>":
                  operations:
                    "x\\"]; click": {}
                """, root: "\"<script>/x\\\"]; click\"")
        let text = Topology(compiled.scenario).mermaid()
        #expect(text.contains("[\"&lt;script&gt;\"]"))
        #expect(text.contains("[\"x&quot;]; click\"]"))
    }
}
