import Testing
import TraceResults

@testable import TraceSink

@Suite("The graph of who calls whom")
struct ServiceGraphTests {
    /// Edges as text, sorted: `a → b ×2 !1`, of which one failed.
    private func edges(_ spans: [StudySpan]) throws -> [String] {
        var study = TraceStudy(SinkConfiguration.StudySettings())
        try study.add(spans)
        let graph = study.report(nowNs: 0).graph
        #expect(graph.defect == nil)
        return graph.edges.map { edge in
            let errors = Int((edge.calls * edge.errorRate).rounded())
            return
                "\(graph.nodes[edge.from].label) → \(graph.nodes[edge.to].label) ×\(Int(edge.calls))"
                + (errors > 0 ? " !\(errors)" : "")
        }
    }

    @Test("A call is one edge, with or without the caller's own span")
    func calls() throws {
        #expect(try edges(TraceQualityTests.call()) == ["(outside) → a ×1", "a → b ×1"])
        let direct = [
            StudySpan(id: 1, service: "a", kind: .server),
            StudySpan(id: 2, parent: 1, service: "b", kind: .server, isError: true),
            StudySpan(id: 3, parent: 1, service: "b", kind: .server),
        ]
        #expect(try edges(direct) == ["(outside) → a ×1", "a → b ×2 !1"])
    }

    @Test("What is within a service is no edge; a service that calls itself is")
    func within() throws {
        #expect(
            try edges([
                StudySpan(id: 1, service: "a", kind: .internal),
                StudySpan(id: 2, parent: 1, service: "a", kind: .internal),
                StudySpan(id: 3, parent: 2, service: "a", kind: .client),
            ]) == [])
        #expect(
            try edges([
                StudySpan(id: 1, service: "a", kind: .server),
                StudySpan(id: 2, parent: 1, service: "a", kind: .client),
                StudySpan(id: 3, parent: 2, service: "a", kind: .server),
            ]) == ["(outside) → a ×1", "a → a ×1"])
    }

    @Test(
        "A database has the name that says most",
        arguments: [
            (["db.system.name": "postgresql", "server.address": "users-db"], "users-db"),
            (
                [
                    "db.system.name": "postgresql", "server.address": "10.0.0.1",
                    "db.namespace": "users",
                ],
                "users"
            ),
            (["db.system": "redis", "db.namespace": "0", "net.peer.name": "cache"], "cache"),
            (["db.system": "mysql", "db.name": "orders"], "orders"),
            (["db.system": "sqlite"], "sqlite"),
            (["db.system": "mysql", "peer.service": "main", "db.name": "orders"], "main"),
        ])
    func databases(attributes: [String: String], name: String) throws {
        let query = StudySpan(
            id: 2, parent: 1, service: "a", kind: .client, isError: true,
            attributes: attributes.map { ($0.key, $0.value) })
        #expect(
            try edges([StudySpan(id: 1, service: "a", kind: .server), query])
                == ["(outside) → a ×1", "a → \(name) (database) ×1 !1"])
    }

    @Test("A message goes through its queue, in one trace or in two")
    func queues() throws {
        let destination = ("messaging.destination.name", "orders")
        var spans = [
            StudySpan(id: 1, service: "a", kind: .server),
            StudySpan(
                id: 2, parent: 1, service: "a", kind: .producer,
                attributes: [("messaging.system", "kafka"), destination]),
            StudySpan(id: 3, parent: 2, service: "b", kind: .consumer, attributes: [destination]),
        ]
        let through = [
            "(outside) → a ×1", "a → orders (queue) ×1", "orders (queue) → b ×1",
        ]
        #expect(try edges(spans) == through)
        // A consumer that does not name the queue is below a producer that does.
        spans[2].attributes = []
        #expect(try edges(spans) == through)
        // One that only links to the producer begins a trace of its own.
        spans[2].attributes = [destination]
        spans[2].trace = 2
        spans[2].parent = 0
        #expect(try edges(spans) == through)
    }

    @Test("Whom a call names that sends no spans is external; a service that lost the call is not")
    func externals() throws {
        let call = StudySpan(
            id: 2, parent: 1, service: "a", kind: .client, isError: true,
            attributes: [("server.address", "api.example.org")])
        let root = StudySpan(id: 1, service: "a", kind: .server)
        #expect(
            try edges([root, call])
                == ["(outside) → a ×1", "a → api.example.org (external) ×1 !1"])
        let known = StudySpan(trace: 2, id: 1, service: "api.example.org")
        #expect(
            try edges([root, call, known]) == ["(outside) → a ×1", "a → api.example.org ×1 !1"])
        // The logical name goes before the address.
        var named = call
        named.attributes.append(("peer.service", "bank"))
        #expect(try edges([root, named]) == ["(outside) → a ×1", "a → bank (external) ×1 !1"])
        // What says nothing is not drawn.
        var silent = call
        silent.attributes = []
        #expect(try edges([root, silent]) == ["(outside) → a ×1"])
    }

    @Test("Times are the caller's, to two digits")
    func latency() throws {
        var study = TraceStudy(SinkConfiguration.StudySettings())
        for trace in 1...1_000 as ClosedRange<UInt64> {
            var call = TraceQualityTests.call()
            for index in call.indices { call[index].trace = trace }
            call[1].duration = trace * 1_000
            call[2].duration = 7
            try study.add(call)
        }
        let graph = study.report(nowNs: 0).graph
        let edge = try #require(graph.edges.last)
        #expect(edge.calls == 1_000 && edge.callsPerTrace == 1)
        func isNear(_ value: UInt64?, _ expected: Double) -> Bool {
            value.map { abs(Double($0) / expected - 1) < 0.02 } ?? false
        }
        #expect(isNear(edge.latencyNsP50, 500_000))
        #expect(isNear(edge.latencyNsP99, 990_000))
        #expect(isNear(edge.latencyNsMax, 1_000_000))
    }

    @Test("More pairs than are told apart go under other")
    func bounds() throws {
        var settings = SinkConfiguration.StudySettings()
        settings.edgesMax = 10
        var study = TraceStudy(settings)
        for trace in 1...100 as ClosedRange<UInt64> {
            try study.add([StudySpan(trace: trace, id: 1, service: "s\(trace)", kind: .server)])
        }
        let graph = study.report(nowNs: 0).graph
        #expect(graph.edges.count == 11)
        let other = try #require(graph.edges.first { graph.nodes[$0.from].name == "other" })
        #expect(other.calls == 90)
    }

    @Test("Names of any length and kind stay names")
    func hostileNames() throws {
        let name = "<script>\"]; \u{1B}[31m`" + String(repeating: "é", count: 500)
        var study = TraceStudy(SinkConfiguration.StudySettings())
        try study.add([StudySpan(id: 1, service: name, kind: .server)])
        let graph = study.report(nowNs: 0).graph
        #expect(graph.nodes.allSatisfy { $0.name.utf8.count <= 200 })
        for format in GraphFormat.allCases where format != .json {
            let text = graph.text(as: format)
            #expect(!text.contains("\u{1B}"))
        }
        #expect(!graph.text(as: .mermaid).contains("<script>"))
        #expect(graph.text(as: .dot).contains("<script>\\\"];"))
    }
}
