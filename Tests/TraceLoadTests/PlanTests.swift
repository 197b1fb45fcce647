import Testing

@testable import TraceLoad

@Suite struct PlanTests {
    @Test(arguments: RepositoryScenario.allCases)
    func `Spans of the shipped scenarios keep cause before effect`(
        _ scenario: RepositoryScenario
    ) throws {
        let compiled = try scenario.compiled()
        let batch = plans(compiled, count: 500)
        for plan in batch.traces {
            let spans = read(plan, batch, compiled)
            for span in spans.values where span.start.kind != .startLinked {
                guard let parent = spans[span.start.parent] else { continue }
                #expect(span.start.timeNs >= parent.start.timeNs)
                // Work that nobody waits for, or no longer: consumers, and timed out callees.
                let isDetached =
                    compiled.shapes[span.start.shape].kind == 5
                    || parent.value("error.type") == .string("timeout")
                if !isDetached {
                    #expect(
                        try #require(span.endNs) <= (try #require(parent.endNs)), "\(span.name)")
                }
            }
        }
    }

    static let chain = """
        a:
          operations:
            GET /a:
              type: http
              self: 2ms
              script: [{call: {to: b/POST /b, network: 1ms}}]
        b:
          operations:
            POST /b: {type: http, self: 4ms, script: [{call: d/SELECT t}]}
        d:
          operations:
            SELECT t: {type: database, self: 3ms}
        """

    @Test func `A call is a client span, a carrier and a server span`() throws {
        let compiled = try compiled(services: Self.chain, root: "a/GET /a")
        let batch = plans(compiled, count: 1)
        let spans = read(batch.traces[0], batch, compiled)
        #expect(spans.count == 4)
        let (root, client) = (try #require(spans[0]), try #require(spans[1]))
        let (server, query) = (try #require(spans[2]), try #require(spans[3]))
        #expect(
            [root, client, server, query].map(\.name) == [
                "GET /a", "POST /b", "POST /b", "SELECT t",
            ])
        #expect([root, client, server, query].map(\.service) == ["a", "a", "b", "b"])
        #expect(
            [root, client, server, query].map { compiled.shapes[$0.start.shape].kind } == [
                2, 3, 2, 3,
            ])
        #expect(
            [root, client, server, query].map(\.start.timeNs) == [
                0, 1_000_000, 2_000_000, 4_000_000,
            ])
        #expect(
            [root, client, server, query].map(\.endNs) == [
                11_000_000, 10_000_000, 9_000_000, 7_000_000,
            ])
        #expect(server.start.kind == .startExtracted && server.start.parent == 1)
        #expect(query.start.kind == .start && query.start.parent == 2)
        let attributes = compiled.shapes[server.start.shape].attributes
        #expect(attributes.contains(.init(key: "http.request.method", value: .string("POST"))))
        #expect(attributes.contains(.init(key: "http.route", value: .string("/b"))))
        #expect(attributes.contains(.init(key: "url.path", value: .string("/b"))))
        #expect(server.value("http.response.status_code") == .integer(200))
        let clientAttributes = compiled.shapes[client.start.shape].attributes
        #expect(clientAttributes.contains(.init(key: "server.address", value: .string("b"))))
        let queryAttributes = compiled.shapes[query.start.shape].attributes
        #expect(queryAttributes.contains(.init(key: "db.operation.name", value: .string("SELECT"))))
        #expect(queryAttributes.contains(.init(key: "db.collection.name", value: .string("t"))))
    }

    @Test func `Without a client span the caller's own context travels`() throws {
        let compiled = try compiled(
            services: """
                a:
                  operations:
                    x: {self: 0ms, script: [{call: {to: b/y, client_span: false}}]}
                b:
                  operations:
                    y: {}
                """, root: "a/x")
        let batch = plans(compiled, count: 1)
        let spans = read(batch.traces[0], batch, compiled)
        #expect(spans.count == 2)
        #expect(spans[1]?.start.kind == .startExtracted)
        #expect(spans[1]?.start.parent == 0)
        // Internal when called at home, a server when called from elsewhere.
        #expect(spans.values.allSatisfy { compiled.shapes[$0.start.shape].kind == 2 })
    }

    @Test func `A failure marks status, code and exception, and reaches the callers`() throws {
        let compiled = try compiled(
            services: """
                a:
                  operations:
                    GET /a: {type: http, script: [{call: b/GET /b}, {work: 50ms}]}
                b:
                  operations:
                    GET /b:
                      type: http
                      error: {rate: 1, status_message: no stock, exception: true, http_status: 503}
                """, root: "a/GET /a")
        let batch = plans(compiled, count: 1)
        let spans = read(batch.traces[0], batch, compiled)
        let (root, client) = (try #require(spans[0]), try #require(spans[1]))
        let server = try #require(spans[2])
        #expect(root.isFailed && client.isFailed && server.isFailed)
        #expect(server.message == "no stock")
        #expect(root.message == "b/GET /b failed")
        #expect(server.events.map(\.name) == ["exception"])
        #expect(client.events.isEmpty)
        #expect(server.value("http.response.status_code") == .integer(503))
        #expect(client.value("http.response.status_code") == .integer(503))
        #expect(client.value("error.type") == .string("503"))
        #expect(root.value("http.response.status_code") == .integer(500))
        #expect(batch.traces[0].durationNs > 50_000_000)
    }

    @Test func `Failures propagate with their probability, and short circuits skip the rest`()
        throws
    {
        func failures(_ propagate: Double, shortCircuit: Bool) throws -> (failed: Int, spans: Int) {
            let compiled = try compiled(
                services: """
                    a:
                      operations:
                        x: {error: {short_circuit: \(shortCircuit)}, script: [{call: a/y}, {call: a/z}]}
                        y: {error: {rate: 1, propagate: \(propagate)}}
                        z: {}
                    """, root: "a/x")
            let batch = plans(compiled, count: 2000)
            let spans = batch.traces.map { read($0, batch, compiled) }
            return (spans.count { $0[0]?.isFailed == true }, batch.spanCount)
        }
        #expect(try failures(0, shortCircuit: true) == (0, 6000))
        #expect(try failures(1, shortCircuit: true) == (2000, 4000))
        #expect(try failures(1, shortCircuit: false) == (2000, 6000))
        let half = try failures(0.5, shortCircuit: false).failed
        #expect(abs(Double(half) - 1000) < 5 * 500.0.squareRoot())
    }

    @Test func `A timeout frees the caller while the callee goes on`() throws {
        let compiled = try compiled(
            services: """
                a:
                  operations:
                    x: {self: 0ms, script: [{call: {to: b/GET /y, timeout: 10ms}}]}
                b:
                  operations:
                    GET /y: {type: http, self: 100ms}
                """, root: "a/x")
        let batch = plans(compiled, count: 1)
        let spans = read(batch.traces[0], batch, compiled)
        #expect(spans[0]?.endNs == 10_000_000)
        #expect(spans[1]?.endNs == 10_000_000)
        #expect(spans[2]?.endNs == 100_000_000)
        #expect(spans[1]?.value("error.type") == .string("timeout"))
        #expect(spans[1]?.value("http.response.status_code") == nil)
        #expect(spans[0]?.message == "b/GET /y timed out")
        #expect(spans[2]?.isFailed == false)
    }

    @Test func `A database span is cut at the caller's timeout`() throws {
        let compiled = try compiled(
            services: """
                a:
                  operations:
                    x: {self: 0ms, script: [{call: {to: d/SELECT t, timeout: 10ms, network: 1ms}}]}
                d:
                  operations:
                    SELECT t: {type: database, self: 100ms}
                """, root: "a/x")
        let batch = plans(compiled, count: 1)
        let spans = read(batch.traces[0], batch, compiled)
        #expect(spans[1]?.endNs == 10_000_000)
        #expect(spans[1]?.isFailed == true)
        #expect(spans[1]?.value("error.type") == .string("timeout"))
        #expect(spans[0]?.isFailed == true)
    }

    @Test func `Retries pause twice as long each time and number themselves`() throws {
        let compiled = try compiled(
            services: """
                a:
                  operations:
                    x: {self: 0ms, script: [{call: {to: b/GET /y, retries: 3, backoff: 10ms}}]}
                b:
                  operations:
                    GET /y: {type: http, self: 1ms, error: {rate: 1}}
                """, root: "a/x")
        let batch = plans(compiled, count: 1)
        let spans = read(batch.traces[0], batch, compiled)
        let clients = spans.values.filter { $0.start.parent == 0 }.sorted {
            $0.start.span < $1.start.span
        }
        #expect(clients.map(\.start.timeNs) == [0, 11_000_000, 32_000_000, 73_000_000])
        #expect(
            clients.map { $0.value("http.request.resend_count") } == [
                nil, .integer(1), .integer(2), .integer(3),
            ])
    }

    @Test func `Parallel branches begin together, or as lanes fall free`() throws {
        func starts(_ limit: String) throws -> [UInt64] {
            let calls = "{call: a/y}, {call: a/y}, {call: a/y}"
            let compiled = try compiled(
                services: """
                    a:
                      operations:
                        x: {self: 0ms, script: [{parallel: [\(calls)]\(limit)}, {work: 1ms}]}
                        y: {self: 2ms}
                    """, root: "a/x")
            let batch = plans(compiled, count: 1)
            let spans = read(batch.traces[0], batch, compiled)
            return (1...3).map { spans[$0]?.start.timeNs ?? 0 } + [spans[0]?.endNs ?? 0]
        }
        #expect(try starts("") == [0, 0, 0, 3_000_000])
        #expect(try starts(", limit: 2") == [0, 0, 2_000_000, 5_000_000])
        #expect(try starts(", limit: 1") == [0, 2_000_000, 4_000_000, 7_000_000])
    }

    @Test(arguments: ["parent", "link"])
    func `A message has a producer span and a consumer span later`(_ relation: String) throws {
        let compiled = try compiled(
            services: """
                a:
                  operations:
                    x: {self: 0ms, script: [{publish: {to: b/order.created, delay: 40ms, relation: \(relation)}}]}
                b:
                  operations:
                    order.created: {type: messaging, self: 1ms, script: [{call: b/z}]}
                    z: {}
                """, root: "a/x")
        let batch = plans(compiled, count: 1)
        let spans = read(batch.traces[0], batch, compiled)
        let (producer, consumer) = (try #require(spans[1]), try #require(spans[2]))
        #expect(producer.name == "send order.created" && producer.service == "a")
        #expect(consumer.name == "process order.created" && consumer.service == "b")
        #expect([producer, consumer].map { compiled.shapes[$0.start.shape].kind } == [4, 5])
        #expect(consumer.start.timeNs == 40_050_000)
        #expect(spans[0]?.endNs == 50_000)
        #expect(consumer.start.kind == (relation == "link" ? .startLinked : .startExtracted))
        #expect(batch.traces[0].rootCount == (relation == "link" ? 2 : 1))
    }

    @Test func `Lost messages have no consumer`() throws {
        let compiled = try compiled(
            services: """
                a:
                  operations:
                    x: {script: [{publish: {to: a/m, loss: 25%}}]}
                    m: {type: messaging}
                """, root: "a/x")
        let spans = plans(compiled, count: 4000).spanCount
        #expect(abs(Double(spans) - 11_000) < 5 * (4000 * 0.25 * 0.75).squareRoot())
    }

    @Test func `Chosen scripts, repeats and probabilities have their frequencies`() throws {
        let compiled = try compiled(
            services: """
                a:
                  operations:
                    x:
                      script:
                        - choose: [{weight: 3, script: [{call: a/y}]}, {weight: 1, script: []}]
                        - call: {to: a/z, probability: 20%}
                        - call: {to: a/w, repeat: {uniform: [0, 4]}}
                    y: {}
                    z: {}
                    w: {}
                """, root: "a/x")
        let batch = plans(compiled, count: 4000)
        var counts: [String: Int] = [:]
        for event in batch.events where event.isStart {
            counts[compiled.shapes[event.shape].name, default: 0] += 1
        }
        #expect(abs(Double(counts["y"] ?? 0) - 3000) < 5 * 750.0.squareRoot())
        #expect(abs(Double(counts["z"] ?? 0) - 800) < 5 * 640.0.squareRoot())
        // Rounded: 0 and 4 with an eighth each, 1, 2, 3 with a quarter.
        #expect(abs(Double(counts["w"] ?? 0) - 8000) < 5 * (4000 * 1.5).squareRoot())
    }

    @Test func `Arrivals above the bound of live traces are dropped and counted`() throws {
        let compiled = try compiled(
            services: "a: {operations: {x: {self: 35ms}}}", root: "a/x",
            traffic: "arrival: constant, max_in_flight: 2, stages: [{duration: 1s, rate: 100}]")
        var simulation = TraceSimulation(compiled, output: .batch)
        let batch = simulation.plans(arrivals: 1000)
        // Two of four arrivals find a place: 10 ms apart, 35 ms long.
        #expect(batch.traces.count == 50)
        #expect(simulation.arrivals.droppedArrivals == 50)
        #expect(simulation.arrivals.isOver)
    }

    @Test func `The same seed gives the same plans, another seed others`() throws {
        let compiled = try RepositoryScenario.checkout.compiled()
        let whole = plans(compiled, count: 200)
        #expect(plans(compiled, count: 200).events == whole.events)
        var other = compiled.scenario
        other.seed = 43
        #expect(plans(CompiledScenario(other), count: 200).events != whole.events)
    }
}
