import Testing

@testable import TraceLoad

/// What the simulation comes to on average, beside what queueing theory and probability say it must.
@Suite struct ClosedFormTests {
    private func simulation(
        _ services: String, traffic: String, top: String = ""
    ) throws -> TraceSimulation {
        let compiled = try compiled(
            services: services, root: "a/x", top: top, traffic: traffic)
        return TraceSimulation(compiled, output: .batch)
    }

    @Test func `Spans and failures are as many as the topology says`() throws {
        let compiled = try compiled(
            services: """
                a:
                  operations:
                    x:
                      script:
                        - parallel: [{call: {to: b/y, retries: 2, backoff: 1ms}}, {call: {to: b/z, probability: 40%}}]
                        - choose: [{weight: 3, script: [{call: b/z}, {call: b/z}]}, {weight: 1, script: [{work: 1ms}]}]
                        - publish: {to: b/m, loss: 30%}
                b:
                  operations:
                    y: {error: {rate: 30%, propagate: 0.6}, script: [{call: d/q}]}
                    z: {error: {rate: 10%, propagate: 0.5}}
                    m: {type: messaging, script: [{call: d/q}]}
                d:
                  operations:
                    q: {type: database, error: {rate: 5%}}
                """, root: "a/x")
        let topology = Topology(compiled.scenario)
        #expect(topology.isExact)
        let traces = 8000
        let batch = plans(compiled, count: traces)
        let counts = batch.traces.map { Double($0.spanCount) }
        let mean = counts.reduce(0, +) / Double(traces)
        let variance = counts.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(traces)
        #expect(abs(mean - topology.spansPerTrace) < 5 * (variance / Double(traces)).squareRoot())
        let failed = batch.traces.count { plan in
            batch.events[plan.events].contains { $0.kind == .errorStatus && $0.span == 0 }
        }
        let rate = topology.nodes[0].failureRate
        let deviation = (rate * (1 - rate) * Double(traces)).squareRoot()
        #expect(abs(Double(failed) - rate * Double(traces)) < 5 * deviation)
    }

    @Test func `Poisson arrivals that stay exponentially long are Poisson many`() throws {
        var simulation = try simulation(
            "a: {operations: {x: {self: {exponential: {mean: 50ms}}}}}",
            traffic: "arrival: poisson, max_in_flight: 1000, stages: [{duration: 1000s, rate: 200}]"
        )
        simulation.open()
        var lookNs: UInt64 = 1_000_000_000
        var seen: [Double] = []
        while simulation.step(), seen.count < 1200 {
            // The state just before an instant is that of all the time since the last one.
            while simulation.nowNs >= lookNs {
                seen.append(Double(simulation.liveTraces))
                lookNs += 250_000_000
            }
        }
        let mean = seen.reduce(0, +) / Double(seen.count)
        let variance = seen.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(seen.count)
        // M/M/∞: mean and variance λ/μ = 10; samples 5 lifetimes apart are all but independent.
        #expect(abs(mean - 10) < 5 * (10 / Double(seen.count)).squareRoot() + 0.5)
        #expect(abs(variance / mean - 1) < 5 * (2 / Double(seen.count)).squareRoot() + 0.05)
    }

    @Test(arguments: [1, 10])
    func `Users who wait and think come N times in response and thought`(_ users: Int) throws {
        var simulation = try simulation(
            "a: {operations: {x: {self: 15ms, script: [{call: a/y}]}, y: {self: 5ms}}}",
            traffic:
                "model: closed, concurrency: \(users), think: {exponential: {mean: 80ms}}, stages: [{duration: 200s}]"
        )
        let batch = simulation.plans(arrivals: 1_000_000)
        // The law of response times: X = N / (R + Z).
        let expected = Double(users) * 200 / 0.1
        #expect(abs(Double(batch.traces.count) - expected) < 5 * expected.squareRoot())
        #expect(simulation.arrivals.isOver)
        // Never more at once than there are users.
        let changes =
            batch.traces.map { ($0.startNs, 1) }
            + batch.traces.map { ($0.startNs + $0.durationNs, -1) }
        var (live, most) = (0, 0)
        for change in changes.sorted(by: { ($0.0, $0.1) < ($1.0, $1.1) }) {
            live += change.1
            most = max(most, live)
        }
        #expect(most <= users)
    }

    @Test func `Arrivals that wait for the only place wait as Pollaczek and Khinchine say`() throws
    {
        let compiled = try compiled(
            services: "a: {operations: {x: {self: 10ms}}}", root: "a/x",
            traffic:
                "arrival: poisson, max_in_flight: 1, overload: queue, stages: [{duration: 400s, rate: 50}]"
        )
        var simulation = TraceSimulation(
            compiled, output: .streams(workers: 1, shard: .whole))
        simulation.open()
        while simulation.step() {}
        var chunk = PlanChunk()
        simulation.output.take(0, leaving: &chunk)
        let waits = chunk.heads.map { Double($0.startNs - $0.intendedNs) / 1e6 }
        let mean = waits.reduce(0, +) / Double(waits.count)
        // M/D/1: ρ S / (2 (1 − ρ)) with ρ = ½ and S = 10 ms.
        #expect(abs(mean - 5) < 0.5, "\(mean)")
        #expect(abs(Double(waits.count) - 20_000) < 5 * 20_000.0.squareRoot())
        #expect(simulation.arrivals.droppedArrivals == 0)
        // One after another, first come first served.
        for (before, after) in zip(chunk.heads, chunk.heads.dropFirst()) {
            #expect(after.index == before.index + 1)
            #expect(after.startNs >= before.startNs + 10_000_000)
        }
    }

    @Test func `Arrivals that find every place taken are lost as Erlang says`() throws {
        var simulation = try simulation(
            "a: {operations: {x: {self: {exponential: {mean: 20ms}}}}}",
            traffic:
                "arrival: poisson, max_in_flight: 2, overload: drop, stages: [{duration: 200s, rate: 100}]"
        )
        let batch = simulation.plans(arrivals: 1_000_000)
        let dropped = Double(simulation.arrivals.droppedArrivals)
        let share = dropped / (dropped + Double(batch.traces.count))
        // Erlang B for a = 2 erlangs and 2 places: (a²/2) / (1 + a + a²/2).
        #expect(abs(share - 0.4) < 0.02, "\(share)")
    }

    @Test func `A breaker sees calls when they are made, not when their traces began`() throws {
        // The first trace calls after 100 ms. By then later ones have opened the breaker.
        let compiled = try compiled(
            services: """
                a:
                  operations:
                    x:
                      self: 0ms
                      script:
                        - work: {percentiles: {p0: 0ms, p100: 0ms}}
                        - call: a/gate
                    slow: {self: 0ms, script: [{work: 100ms}, {call: a/gate}]}
                    gate: {self: 0ms, script: [{call: {to: b/y, circuit_breaker: {failures: 2, window: 1s, open_for: 10s, half_open_calls: 1}}}]}
                b:
                  operations:
                    y: {self: 1ms, error: {rate: 1}}
                """, root: "a/slow",
            traffic: """
                arrival: constant, stages: [{duration: 1s, rate: 1}]}, {root: a/x, arrival: constant, stages: [{duration: 50ms, rate: 100}]
                """)
        let batch = plans(compiled, count: 6)
        let names = batch.traces.map { plan in
            read(plan, batch, compiled).values.flatMap { $0.events.map(\.name) }
        }
        // Arrivals at 0 (slow), 0, 10, 20, 30, 40 ms.
        #expect(names[1] == [])
        #expect(names[2] == ["circuit_breaker.opened"])
        #expect(names[3...5].allSatisfy { $0 == ["circuit_breaker.rejected"] })
        #expect(names[0] == ["circuit_breaker.rejected"])
    }

    @Test func `A service that is down has no spans, fails its calls and gets its messages later`()
        throws
    {
        let compiled = try compiled(
            services: """
                a:
                  operations:
                    x: {self: 0ms, script: [{call: {to: b/y, network: 1ms}}, {publish: {to: b/m, delay: 1ms}}]}
                b:
                  operations:
                    y: {self: 1ms}
                    m: {type: messaging, self: 1ms}
                """, root: "a/x",
            top: "incidents: [{name: gone, at: 1s, for: 500ms, set: {b.down: true}}]")
        let batch = plans(compiled, count: 300)
        for plan in batch.traces {
            let spans = read(plan, batch, compiled)
            let server = spans.values.first { $0.name == "y" && $0.service == "b" }
            let consumer = try #require(spans.values.first { $0.name == "process m" })
            let called = plan.startNs + 1_000_000
            let isDown = (1_000_000_000..<1_500_000_000).contains(called)
            #expect((server == nil) == isDown)
            #expect(spans[0]?.isFailed == isDown)
            let at = plan.startNs + consumer.start.timeNs
            #expect(!(1_000_000_000..<1_500_000_000).contains(at))
            if (1_000_000_000..<1_490_000_000).contains(plan.startNs) {
                #expect(at == 1_500_000_000)
            }
        }
    }
}
