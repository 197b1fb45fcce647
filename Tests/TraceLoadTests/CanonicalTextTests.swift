import Testing

@testable import TraceLoad

/// What a scenario's digest is made from.
@Suite struct CanonicalTextTests {
    private static func text(
        operation: String = "", call: String = "", traffic: String = "", rest: String = ""
    ) -> String {
        """
        version: 1
        name: shop
        services:
          front:
            operations:
              GET /:
                type: http
                self: 1ms
        \(operation.isEmpty ? "" : "        \(operation)\n")        script:
                  - call: {to: stock/read\(call)}
          stock:
            operations:
              read: {type: grpc, self: 2ms}
        traffic:
          - root: front/GET /
            stages: [{duration: 1s, rate: 10}]\(traffic)
        \(rest)
        """
    }

    private static let atDefaults = [
        text(call: ", probability: 1, repeat: 1, retries: 0, backoff: 10ms, client_span: true"),
        text(traffic: "\n    overload: drop\n    max_in_flight: 10000"),
        text(rest: "run: {warmup: 2s, drain: 30s, lag_max: 10ms, spin: 0s}"),
        text(rest: "pipeline: {processor: {type: batch, queue: 2048, batch: 512, delay: 5s}}"),
        text(
            rest: "pipeline: {sampler: parentbased_always_on, propagators: [tracecontext, baggage]}"
        ),
        text(rest: "pathology: {orphan: 0}"),
    ]

    @Test(arguments: atDefaults)
    func `A value that is written as it would be anyway changes nothing`(_ text: String) throws {
        let plain = try Scenario.parse(Self.text())
        let written = try Scenario.parse(text)
        #expect(written.canonicalText == plain.canonicalText)
        #expect(written.defaultsText == plain.defaultsText)
    }

    private static let changed = [
        text(operation: "attributes: {a: 1}"),
        text(operation: "error: {rate: 1%}"),
        text(call: ", probability: 0.5"), text(call: ", retries: 1"), text(call: ", timeout: 1s"),
        text(call: ", client_span: false"),
        text(traffic: "\n    overload: queue"), text(traffic: "\n    max_in_flight: 9"),
        text(traffic: "\n    arrival: constant"),
        text(rest: "run: {warmup: 1s}"),
        text(rest: "pipeline: {processor: {queue: 2049}}"),
        text(rest: "pipeline: {sampler: always_off}"),
        text(rest: "pipeline: {exporter: {compression: gzip}}"),
        text(rest: "pathology: {orphan: 1%}"),
        text(rest: "variants: {plain: {}, off: {sampler: always_off}}"),
        text(rest: "budgets: [{metric: spanEndNsP99, max: 2us}]"),
        text(rest: "sink: {latency: 1ms}"),
        text(rest: "seed: 7"),
    ]

    @Test func `Whatever is said otherwise makes another text`() throws {
        let texts = try ([Self.text()] + Self.changed).map {
            try Scenario.parse($0).canonicalText
        }
        #expect(Set(texts).count == texts.count)
    }

    @Test func `Every value is in one of the two texts, and in one only`() throws {
        func lines(_ text: String) throws -> (said: Set<Substring>, defaults: Set<Substring>) {
            let scenario = try Scenario.parse(text)
            return (
                Set(scenario.canonicalText.split(separator: "\n")),
                Set(scenario.defaultsText.split(separator: "\n"))
            )
        }
        let plain = try lines(Self.text())
        let other = try lines(Self.text(rest: "run: {warmup: 1s}"))
        #expect(plain.said.isDisjoint(with: plain.defaults))
        #expect(plain.defaults.contains("run.warmupNs: 2000000000.0"))
        #expect(other.said == plain.said.union(["run.warmupNs: 1000000000.0"]))
        #expect(other.defaults == plain.defaults.subtracting(["run.warmupNs: 2000000000.0"]))
    }

    @Test
    func `No secret stands in it: header values, user-info and query of the endpoint`() throws {
        let exporter =
            "{endpoint: 'http://me:s3cret@host:4318/v1/traces?key=s3cret', headers: {x-api-key: s3cret}}"
        let scenario = try Scenario.parse(
            Self.text(
                rest: """
                    pipeline: {exporter: \(exporter)}
                    variants: {same: {exporter: \(exporter)}, other: {sampler: always_off}}
                    """))
        let said = scenario.canonicalText + scenario.defaultsText
        #expect(said.contains("pipeline.exporter.endpoint: http://host:4318/v1/traces\n"))
        #expect(said.contains("x-api-key"))
        #expect(!said.contains("s3cret"))
        // The user and the key are not what makes it another scenario.
        let plain = try Scenario.parse(
            Self.text(
                rest: "pipeline: {exporter: {endpoint: 'http://host:4318/v1/traces', "
                    + "headers: {x-api-key: other}}}"))
        let first = try Scenario.parse(Self.text(rest: "pipeline: {exporter: \(exporter)}"))
        #expect(first.canonicalText == plain.canonicalText)
    }
}
