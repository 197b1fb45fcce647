import Testing
import TraceCore
import TracePipeline

@testable import TraceLoad

private func shop(
    _ pipeline: String, clock: String = "simulated", services: String = ""
) throws -> CompiledScenario {
    CompiledScenario(
        try Scenario.parse(
            """
            version: 1
            name: shop
            clock: \(clock)
            services:
              a:
                operations:
                  GET /a:
                    type: http
                    baggage: {tenant: {one_of: [rot, grün, 7, true]}, from: a}
                    script:
                      - work: 1ms
                      - parallel: [{call: b/inner}, {call: {to: b/GET /b, client_span: false}}]
                      - call: a/local
                      - publish: b/m
                      - publish: {to: b/n, relation: link}
                  local: {attributes: {tenant: {baggage: tenant}}}
              b:
                instances: 2
                operations:
                  GET /b: {type: http, attributes: {tenant: {baggage: tenant}, from: {baggage: from}}, baggage: {from: b, step: {unique: s-}}, script: [{call: c/x}]}
                  inner: {script: [{call: b/deeper}]}
                  deeper: {attributes: {from: {baggage: from}}}
                  m: {type: messaging, attributes: {tenant: {baggage: tenant}}}
                  n: {type: messaging, attributes: {tenant: {baggage: tenant}}, script: [{call: c/x}]}
              c:
                operations:
                  x: {attributes: {tenant: {baggage: tenant}, from: {baggage: from}, step: {baggage: step}}}
            traffic: [{root: a/GET /a, arrival: constant, stages: [{duration: 200ms, rate: 500}]}]
            pipeline:
              \(pipeline)
            """))
}

@Suite struct PropagationTests {
    static let lists = [
        "[tracecontext]", "[tracecontext, baggage]", "[b3]", "[b3multi]", "[b3, baggage]",
        "[baggage, b3multi]", "[b3, tracecontext]", "[tracecontext, b3multi, baggage]",
    ]

    @Test(arguments: lists, ["parentbased_always_on", "parentbased_traceidratio:0.5"])
    func `Every trace arrives whole, as its plan says, whatever headers carry it`(
        _ list: String, _ sampler: String
    ) throws {
        let compiled = try shop("{propagators: \(list), sampler: \"\(sampler)\"}")
        let replay = try PipelineReplay(compiled, workers: 2)
        #expect(replay.violations.isEmpty, "\(replay.violations)")
        #expect(replay.summary.total.traces == 200)
        if sampler == "parentbased_always_on" {
            #expect(replay.traces.count == 200)
            #expect(replay.spans.count == Int(replay.summary.total.spansStarted))
        } else {
            #expect((60...140).contains(replay.traces.count))
        }
        #expect(replay.areTracesWhole)
        #expect(replay.receivedSum == replay.summary.total.semanticSum)
    }

    @Test(arguments: lists)
    func `Baggage is read where it arrived, and only there`(_ list: String) throws {
        let replay = try PipelineReplay(try shop("{propagators: \(list)}"))
        let arrives = list.contains("baggage")
        for spans in replay.traces.values {
            let local = spans.first { $0.name == "local" }
            let tenant = local?["tenant"]
            if local != nil { #expect(tenant != nil, "within a service it needs no header") }
            for span in spans where span.serviceName != "a" && span.kind != .client {
                if span.kind == .consumer, local != nil {
                    #expect(span["tenant"] == (arrives ? tenant : nil))
                }
                switch (span.name, span.serviceName) {
                case ("deeper", _): #expect(span["from"] == (arrives ? .string("a") : nil))
                case ("x", _):
                    let isBehindB = spans.contains { $0.name == "GET /b" }
                    #expect(span["from"] == (arrives ? .string(isBehindB ? "b" : "a") : nil))
                    #expect((span["step"] != nil) == (arrives && isBehindB))
                default: break
                }
            }
        }
        let tenants = Set(replay.spans.compactMap { $0["tenant"] })
        #expect(tenants == ["rot", "grün", "7", "true"])
    }

    @Test func `Without baggage in the scenario nothing but the span context is looked at`() throws
    {
        let checkout = try RepositoryScenario.checkout.compiled()
        #expect(checkout.scenario.pipeline.propagators == ["tracecontext", "baggage"])
        #expect(ReplayPropagation(checkout).mode == .traceContext)
        #expect(ReplayPropagation(try shop("{propagators: [b3]}")).mode == .context)
    }

    @Test func `In real time contexts and baggage arrive as well`() throws {
        let replay = try PipelineReplay(
            try shop("{propagators: [b3, baggage]}", clock: "realtime"), workers: 2)
        #expect(replay.violations.isEmpty, "\(replay.violations)")
        #expect(replay.areTracesWhole)
        #expect(replay.spans.count == Int(replay.summary.total.spansStarted))
        let last = replay.spans.filter { $0.name == "x" && $0.serviceName == "c" }
        #expect(!last.isEmpty && last.allSatisfy { $0["tenant"] != nil })
    }

    @Test func `A plan names what is added to the baggage, as text`() throws {
        let compiled = try shop("{}")
        let batch = plans(compiled, count: 50)
        var values: Set<String> = []
        for plan in batch.traces {
            let spans = read(plan, batch, compiled)
            #expect(spans[0]?.baggage.map(\.name) == ["tenant", "from"])
            values.insert(spans[0]?.baggage[0].value ?? "")
            #expect(
                spans.values.contains { span in
                    span.baggageAttributes.contains { $0 == ("from", "from") }
                })
        }
        #expect(values == ["rot", "grün", "7", "true"])
    }
}
