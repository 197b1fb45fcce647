import Foundation
import Testing

@testable import TraceLoad

@Suite struct ScenarioSchemaTests {
    @Test func `The committed schema is the one the key table gives`() throws {
        let url = RepositoryScenario.folder.appending(path: "schema.json")
        let committed = try String(contentsOf: url, encoding: .utf8)
        #expect(
            committed == ScenarioSchema.jsonText(),
            "write the text of ScenarioSchema.jsonText() to scenarios/schema.json")
    }

    @Test(arguments: ScenarioSection.allCases)
    func `Every section names each key once, with a summary`(_ section: ScenarioSection) {
        let names = section.keys.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(section.keys.allSatisfy { $0.summary.hasSuffix(".") })
        #expect(!names.isEmpty)
    }

    @Test func `The schema holds every supported key and no other`() throws {
        let json = try JSONSerialization.jsonObject(with: Data(ScenarioSchema.jsonText().utf8))
        let root = try #require(json as? [String: Any])
        let definitions = try #require(root["$defs"] as? [String: Any])
        for section in ScenarioSection.allCases {
            let definition = try #require(definitions[section.rawValue] as? [String: Any])
            let properties = try #require(definition["properties"] as? [String: Any])
            let supported = section.keys.filter { $0.support != .notYet }.map(\.name)
            #expect(Set(properties.keys) == Set(supported))
            #expect(definition["additionalProperties"] as? Bool == false)
        }
    }

    @Test func `The reference page ends with the tables that the key table gives`() throws {
        let url = RepositoryScenario.folder.deletingLastPathComponent()
            .appending(path: "docs/scenarios.md")
        let page = try String(contentsOf: url, encoding: .utf8)
        #expect(
            page.hasSuffix(ScenarioSchema.markdownTables()),
            "replace the tables of docs/scenarios.md by ScenarioSchema.markdownTables()")
    }

    /// Reads a file with every supported key, so that a key the parser forgets shows as never used.
    @Test func `The parser takes every key that the table supports`() throws {
        let scenario = try Scenario.parse(EveryKey.text)
        #expect(scenario.description == "all keys")
        #expect(scenario.seed == 9)
        #expect(scenario.identifiers == .fixed)
        #expect(scenario.run.workers == 2)
        #expect(scenario.run.drainNs == 3e9)
        #expect(
            scenario.sink.faults.map { $0.map(\.key) } == [
                ["status", "count"], ["reset"], ["latency"],
            ])
        #expect(scenario.pipeline.sampler.argument == "0.25")
        #expect(scenario.pipeline.limits.attributesPerLink == 6)
        #expect(scenario.pipeline.exporter.retryMaxElapsedNs == 9e9)
        #expect(scenario.pipeline.exporter.headers == [.init(name: "x-key", value: "${KEY}")])
        #expect(scenario.traffic[0].maxInFlight == 100)
        let used = Set(
            EveryKey.text.split { !$0.isLetter && $0 != "_" && $0 != "0" && $0 != "5" && $0 != "9" }
                .map(String.init))
        for section in ScenarioSection.allCases {
            for key in section.keys where key.support != .notYet {
                #expect(used.contains(key.name), "\(section.rawValue).\(key.name)")
            }
        }
    }
}

enum EveryKey {
    static let text = """
        version: 1
        name: every
        description: all keys
        seed: 9
        ids: fixed
        clock: simulated
        defaults: {self: 2ms, error: {rate: 0.1%}}
        services:
          a:
            instances: 2
            resource: {host.name: {sequence: {start: 3}}, zone: {one_of: [x, y], weights: [1, 2]}}
            operations:
              GET /a:
                type: http
                name: GET a
                kind: server
                self: {mix: [{weight: 1, dist: {normal: {mean: 1ms, stddev: 1ms}}}, {weight: 2, dist: {pareto: {min: 1ms, shape: 3}}}], clamp: [1ms, 9ms]}
                attributes:
                  z: {zipf: {cardinality: 9, s: 1.1, prefix: p}, per: trace}
                  i: {int: [1, 2]}
                  s: {string: {length: 4}}
                  u: {unique: x}
                events: [{name: e, probability: 50%, at: 0.2, attributes: {k: 1}}]
                error: {rate: 1%, status_message: m, exception: true, http_status: 503, propagate: 0.5, short_circuit: true}
                script:
                  - work: {uniform: [1ms, 2ms]}
                  - parallel:
                      - call: b/c
                    limit: 1
                  - choose: [{weight: 1, script: [{work: {percentiles: {p0: 1ms, p100: 2ms}}}]}]
                  - call: {to: b/c, probability: 0.5, repeat: 2, network: 1ms, timeout: 1s, retries: 1, backoff: 1ms, client_span: false, circuit_breaker: {failures: 1, window: 1s, open_for: 1s, half_open_calls: 1}}
                  - publish: {to: b/m, delay: {exponential: {mean: 1ms}}, relation: link, batch: 1, loss: 1%}
          b:
            operations:
              c: {attributes: {z: {inherit: z}}, self: {lognormal: {p50: 1ms, p99: 2ms}}}
              m: {type: messaging}
        traffic:
          - {root: a/GET /a, model: open, arrival: constant, max_in_flight: 100, overload: drop, stages: [{duration: 1s, rate: 10, shape: linear}]}
        pipeline:
          propagators: [tracecontext]
          sampler: {name: parentbased_traceidratio, argument: 25%}
          limits: {attribute_count_limit: 1, attribute_value_length_limit: 2, event_count_limit: 3, link_count_limit: 4, attribute_per_event_limit: 5, attribute_per_link_limit: 6}
          processor: {type: batch, queue: 100, batch: 10, delay: 1s, timeout: 2s, on_full: drop}
          exporter: {type: otlp, endpoint: "http://localhost:1/v1/traces", encoding: protobuf, compression: gzip, headers: {x-key: "${KEY}"}, timeout: 1s, connections: 2, retry: {initial: 1s, max: 2s, max_elapsed: 9s}}
        sink: {latency: 1ms, faults: [{status: 503, count: 3}, reset=after]}
        run: {warmup: 1s, drain: 3s, repeats: 1, workers: 2}
        """
}
