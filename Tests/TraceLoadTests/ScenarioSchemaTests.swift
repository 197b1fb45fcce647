import Foundation
import Testing
import TraceCore

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
            scenario.sink.faults.map { $0.map(\.key) } == [["status", "count"], ["reset"]])
        #expect(scenario.sink.latency == .exponential(mean: 1e6))
        #expect(scenario.pipeline.sampler.sampler.description == EveryKey.sampler)
        #expect(scenario.services[0].sampler?.sampler == .parentBased(root: .traceIDRatio(0.25)))
        #expect(scenario.services[1].sampler?.sampler == .probability(0.5))
        #expect(scenario.pipeline.propagators == ["b3", "baggage"])
        #expect(
            scenario.pipeline.sweeper
                == .init(
                    intervalNs: 5e9, strategy: .endSpan, spanTTLNs: nil, storageBytes: 3 << 20))
        #expect(scenario.pipeline.exporter.encoding == .json)
        #expect(
            scenario.pipeline.exporter.tls
                == .init(authority: "ca.pem", certificate: "cert.pem", key: "key.pem"))
        #expect(scenario.services[0].operations[0].baggage.map(\.key) == ["tenant"])
        #expect(scenario.pipeline.limits.attributesPerLink == 6)
        #expect(scenario.pipeline.exporter.retryMaxElapsedNs == 9e9)
        #expect(scenario.pipeline.exporter.headers == [.init(name: "x-key", value: "${KEY}")])
        #expect(scenario.traffic[0].maxInFlight == 100)
        #expect(scenario.traffic[0].overload == .queue)
        #expect(scenario.traffic[1].model == .closed)
        #expect(scenario.traffic[1].concurrency == 7)
        #expect(scenario.traffic[1].think == .constant(1e9))
        #expect(scenario.run.order == .sequential)
        #expect(scenario.run.spinNs == 50_000)
        #expect(scenario.run.lagMaxNs == 20_000_000)
        #expect(
            scenario.services[0].clockSkew
                == .uncutNormal(mean: -5e6, standardDeviation: 20e6))
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
    static let sampler =
        "ParentBased{root:CompositeSampler{ComposableAnyOfSampler{ComposableRuleBasedSampler{"
        + "(name=GET * & kind=server & parent=none|remote & http.route=/a|/b & k & n=1 & h~x|y & "
        + "url.path~/a*:ComposableProbabilitySampler{0.100000,precision=5}),"
        + "(*:ComposableParentThresholdSampler{ComposableAlwaysOffSampler})},"
        + "ComposableAnnotatingSampler{ComposableParentThresholdSampler{"
        + "ComposableProbabilitySampler{0.010000}},{kept=true}}}},"
        + "remoteParentSampled:ForeignRatioSampler{go,0.500000},remoteParentNotSampled:"
        + "AdaptiveSampler{target=5.00,interval=10.00,weight=0.25,keys=7},localParentSampled:"
        + "AlwaysRecordSampler{RateLimitingSampler{20.00}},localParentNotSampled:AlwaysOffSampler}"

    static let text = """
        version: 1
        name: every
        description: all keys
        seed: 9
        ids: fixed
        clock: realtime
        defaults: {self: 2ms, error: {rate: 0.1%}}
        services:
          a:
            instances: 2
            clock_skew: {normal: {mean: -5ms, stddev: 20ms}}
            sampler: {name: parentbased_traceidratio, argument: 25%}
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
                  t: {baggage: tenant}
                baggage: {tenant: {one_of: [red, 7, 1.5, true]}}
                events: [{name: e, probability: 50%, at: 0.2, attributes: {k: {unique: e}}}]
                links: [{to: random, count: 2}]
                error: {rate: 1%, status_message: m, exception: true, http_status: 503, propagate: 0.5, short_circuit: true}
                script:
                  - work: {uniform: [1ms, 2ms]}
                  - parallel:
                      - call: b/c
                    limit: 1
                  - choose: [{weight: 1, script: [{work: {percentiles: {p0: 1ms, p100: 2ms}}}]}]
                  - call: {to: b/c, probability: 0.5, repeat: 2, network: 1ms, timeout: 1s, retries: 1, backoff: 1ms, client_span: false, circuit_breaker: {failures: 1, window: 1s, open_for: 1s, half_open_calls: 1}}
                  - {call: {to: b/c, fan_out: 3}, limit: 2}
                  - publish: {to: b/m, delay: {exponential: {mean: 1ms}}, relation: link, batch: 4, loss: 1%}
          b:
            operations:
              c: {attributes: {z: {inherit: z}}, self: {lognormal: {p50: 1ms, p99: 2ms}}}
              m: {type: messaging}
        traffic:
          - {root: a/GET /a, model: open, arrival: constant, max_in_flight: 100, overload: queue, stages: [{duration: 1s, rate: 10, shape: linear}]}
          - {root: b/c, model: closed, concurrency: 7, think: 1s, stages: [{duration: 2s}]}
        incidents:
          - {name: i, at: 1s, for: 1s, set: {a/GET /a.error.rate: 50%, b.down: true}}
        pathology: {late: {rate: 1%, delay: 2s}, missing_root: 1%, orphan: 1%, duplicate: 1%, broken_propagation: 1%, never_ended: 1%, oversize: {rate: 1%, spans: 5}}
        pipeline:
          service_samplers: {b: "probability:0.5"}
          propagators: [b3, baggage]
          sampler:
            name: parentbased
            root:
              name: composite
              sampler:
                name: any_of
                samplers:
                  - name: rule_based
                    rules:
                      - {names: ["GET *"], kinds: [server], parents: [none, remote], attributes: {http.route: [/a, /b], n: 1}, patterns: {url.path: /a*, h: [x, y]}, present: [k], sampler: {name: probability, argument: 10%, precision: 5}}
                      - {sampler: parent_threshold:always_off}
                  - {name: annotating, attributes: {kept: true}, sampler: {name: parent_threshold, root: probability:1%}}
            remote_parent_sampled: {name: foreign, algorithm: go, argument: 0.5}
            remote_parent_not_sampled: {name: adaptive, argument: 5, interval: 10s, weight: 0.25, keys: 7}
            local_parent_sampled: {name: always_record, sampler: ratelimiting:20}
            local_parent_not_sampled: always_off
          sweeper: {interval: 5s, strategy: end_span, span_ttl: infinity, storage_size: 3MiB}
          limits: {attribute_count_limit: 1, attribute_value_length_limit: 2, event_count_limit: 3, link_count_limit: 4, attribute_per_event_limit: 5, attribute_per_link_limit: 6}
          processor: {type: batch, queue: 100, batch: 10, delay: 1s, timeout: 2s, on_full: drop}
          exporter: {type: otlp, endpoint: "https://localhost:1/v1/traces", encoding: json, compression: gzip, tls: {ca: ca.pem, cert: cert.pem, key: key.pem}, headers: {x-key: "${KEY}"}, timeout: 1s, connections: 2, retry: {initial: 1s, max: 2s, max_elapsed: 9s}}
          tail:
            decision_wait: 5s
            num_traces: 1000
            kept_cache: 10
            dropped_cache: 20
            policies:
              - {name: all, always: true}
              - latency: {lower: 1s, upper: 2s}
              - status_code: [error]
              - string_attribute: {key: k, values: [v], patterns: [x*], invert: true}
              - numeric_attribute: {key: k, min: 1, max: 2}
              - boolean_attribute: {key: k, value: false}
              - probabilistic: 1%
              - rate_limiting: 100
              - span_count: {min: 2}
              - trace_state: {key: k, values: [v]}
              - and: [{not: {latency: 1s}}, {span_count: {max: 3}}]
              - drop: [{always: true}]
              - composite: {rate: 100, policies: [{always: true, share: 50%}]}
        variants:
          plain:
          small: {processor: {queue: 50}}
        budgets:
          - {metric: span.end.p99, max: 2us, confidence: 0.99}
          - {metric: deliveredSpansPerS, min: 1000}
          - {metric: cpu_per_span, regress: 5%}
        sink: {latency: {exponential: {mean: 1ms}}, faults: [{status: 503, count: 3}, reset=after]}
        run: {warmup: 1s, drain: 3s, repeats: 1, workers: 2, order: sequential, spin: 50us, lag_max: 20ms}
        """
}
