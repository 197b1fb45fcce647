import Testing
import TraceCore

@testable import TraceLoad

/// Variants from a command line, the number of a sampler that a budget turns, and how much is kept then.
@Suite struct ScenarioVariantsTests {
    private static func text(
        pipeline: String = "{}", variants: String = "{}", web: String = "", rate: String = "400"
    ) -> String {
        """
        version: 1
        name: variants
        seed: 11
        services:
          web:
            \(web)
            operations:
              GET /:
                type: http
                self: 1ms
                script:
                  - call: {to: bank/GET /account, network: 100us}
          bank:
            operations:
              GET /account: {type: http, self: 2ms, error: {rate: 5%}}
        traffic:
          - root: web/GET /
            arrival: constant
            stages: [{duration: 5s, rate: \(rate)}]
        pipeline: \(pipeline)
        variants: \(variants)
        run: {workers: 1}
        """
    }

    private func variants(_ text: String) throws -> ScenarioVariants {
        try ScenarioVariants(text: text)
    }

    /// What the written file says of a variant.
    private func pipeline(
        _ name: String, _ variants: ScenarioVariants
    ) throws -> (Scenario, VariantDeclaration) {
        let scenario = try Scenario.parse(try variants.text())
        let variant = try #require(scenario.variants.first { $0.name == name })
        return (scenario.applying(variant), variant)
    }

    // MARK: Samplers of a command line

    @Test func `A sampler becomes a variant with the rest of the pipeline as it is`() throws {
        var variants = try variants(
            Self.text(pipeline: "{processor: {batch: 99}, tail: [{status_code: [error]}]}"))
        for sampler in [
            "traceidratio:0.1", "parentbased:ratelimit:500", "parentbased_traceidratio:25%",
            "composite:parent_threshold:probability:0.5",
        ] {
            try variants.add(sampler: sampler, name: sampler)
        }
        try variants.add(sampler: "tail:errors+slow:500ms+ratio:0.01", name: "lazy: #1")
        let (_, limited) = try pipeline("parentbased:ratelimit:500", variants)
        #expect(
            limited.pipeline.sampler.sampler == .parentBased(root: .rateLimiting(tracesPerS: 500)))
        #expect(limited.pipeline.tail == nil)
        #expect(limited.pipeline.processor.batchSpans == 99)
        // A name that YAML would read as something else survives.
        let (_, tail) = try pipeline("lazy: #1", variants)
        #expect(tail.pipeline.tail?.line == "tail:errors+slow:500ms+ratio:0.01")
        #expect(tail.pipeline.sampler.sampler == .parentBased(root: .alwaysOn))
        #expect(tail.pipeline.processor.batchSpans == 99)
    }

    @Test func `It stands in for what services have of their own, too`() throws {
        var variants = try variants(Self.text(web: "sampler: foreign:go:10%"))
        try variants.add(sampler: "probability:0.5", name: "half")
        let (scenario, _) = try pipeline("half", variants)
        #expect(scenario.services[0].sampler?.sampler == .probability(0.5))
        #expect(scenario.services[1].sampler == nil)
        let (plain, _) = try pipeline("default", variants)
        #expect(plain.services[0].sampler?.sampler == .foreign(.go, 0.1))
    }

    @Test(arguments: [
        ("ratelimitng:5", "did you mean `ratelimiting`?"), ("traceidratio:2", "from 0 to 1"),
        ("tail:erors", "tail sampling"), ("tail:", "tail sampling"), ("", "is no sampler"),
        ("custom", "code"),
    ])
    func `What is no sampler says what to write`(_ text: String, _ hint: String) throws {
        var variants = try variants(Self.text())
        let error = #expect(throws: SamplerTextError.self) {
            try variants.add(sampler: text, name: "x")
        }
        #expect(error?.description.contains(hint) == true, "\(String(describing: error))")
    }

    @Test func `Two variants of one name are refused`() throws {
        var variants = try variants(Self.text(variants: "{a: {}}"))
        #expect(throws: SamplerTextError.self) {
            try variants.add(sampler: "always_on", name: "a")
        }
    }

    @Test func `Service samplers of a pipeline and of its variants stand in for the services' own`()
        throws
    {
        let scenario = try Scenario.parse(
            Self.text(
                pipeline: "{service_samplers: {web: always_off}}",
                variants: "{a: {service_samplers: {bank: 'traceidratio:0.5'}}}",
                web: "sampler: always_on"))
        #expect(scenario.services[0].sampler?.sampler == .alwaysOff)
        let applied = scenario.applying(scenario.variants[0])
        #expect(applied.services[0].sampler?.sampler == .alwaysOff)
        #expect(applied.services[1].sampler?.sampler == .traceIDRatio(0.5))
        let errors = #expect(throws: ScenarioErrors.self) {
            try Scenario.parse(Self.text(pipeline: "{service_samplers: {wep: always_off}}"))
        }
        #expect("\(String(describing: errors))".contains("did you mean `web`?"))
    }

    @Test func `Tail sampling in a line, and none of it`() throws {
        let scenario = try Scenario.parse(
            Self.text(
                pipeline: "{tail: 'wait:2s+errors'}",
                variants:
                    "{none: {tail: none}, other: {tail: {decision_wait: 1s, policies: [{always: true}]}}}"
            ))
        #expect(scenario.pipeline.tail?.line == "tail:wait:2s+errors")
        #expect(scenario.variants[0].pipeline.tail == nil)
        #expect(scenario.variants[1].pipeline.tail?.line == nil)
        #expect(throws: ScenarioErrors.self) {
            try Scenario.parse(Self.text(pipeline: "{tail: 'wait:2s+erors'}"))
        }
    }

    // MARK: Knobs

    @Test(arguments: [
        ("{sampler: 'traceidratio:0.1'}", "traceidratio", 0.1),
        ("{sampler: parentbased_traceidratio}", "parentbased_traceidratio", 1),
        ("{sampler: 'parentbased:ratelimit:500'}", "ratelimit", 500),
        ("{sampler: 'foreign:go:10%'}", "foreign", 0.1),
        ("{sampler: {name: adaptive, argument: 8, interval: 1s}}", "adaptive", 8),
        ("{sampler: {name: parentbased, root: 'probability:0.5'}}", "probability", 0.5),
        (
            "{sampler: {name: composite, sampler: {name: rule_based, rules: [{names: [a], sampler: 'probability:50%'}, {sampler: 'probability:5%'}, {sampler: always_off}]}}}",
            "probability", 0.05
        ),
        ("{tail: 'errors+ratio:0.02:salt+rate:500'}", "ratio", 0.02),
        ("{tail: 'errors+and(slow:1s,rate:50)'}", "rate", 50),
        ("{tail: 'attr:k=ratio:1+composite(200,errors@50%,always)'}", "composite", 200),
        ("{tail: [{status_code: [error]}, {probabilistic: 2%}]}", "probabilistic", 0.02),
        ("{tail: {policies: [{and: [{latency: 1s}, {rate_limiting: 70}]}]}}", "rate_limiting", 70),
        (
            "{tail: [{composite: {rate: 90, policies: [{latency: 1s, share: 50%}]}}]}", "rate", 90
        ),
    ])
    func `The number that decides the volume is found and turned, and nothing else`(
        _ pipeline: String, _ label: String, _ value: Double
    ) throws {
        var variants = try variants(Self.text(variants: "{a: \(pipeline)}"))
        let knob = try #require(variants.knob(of: "a"))
        #expect(knob.label == label)
        #expect(knob.value == value)
        #expect(knob.kind == (value > 1 ? .rate : .share))
        // Set to what it is: the file means the same.
        let before = try Scenario.parse(Self.text(variants: "{a: \(pipeline)}"))
        variants.set(value, of: "a")
        #expect(try Scenario.parse(try variants.text()).canonicalText == before.canonicalText)
        // Set to something else, as a copy.
        let other = knob.kind == .rate ? 123.25 : 0.03125
        variants.set(other, of: "a", as: "b")
        #expect(variants.knob(of: "b")?.value == other)
        #expect(variants.knob(of: "a")?.value == value)
        let scenario = try Scenario.parse(try variants.text())
        #expect(scenario.variants.map(\.name) == ["a", "b"])
    }

    @Test(arguments: [
        "{sampler: always_on}", "{tail: errors+slow:1s}", "{}",
        "{sampler: 'parentbased:always_off'}",
    ])
    func `What has no number to turn has no knob`(_ pipeline: String) throws {
        #expect(try variants(Self.text(variants: "{a: \(pipeline)}")).knob(of: "a") == nil)
    }

    @Test func `Services with samplers of their own are turned together`() throws {
        var variants = try variants(
            Self.text(
                pipeline:
                    "{sampler: 'probability:10%', service_samplers: {bank: 'probability:10%'}}",
                web: "sampler: foreign:go:10%"))
        #expect(variants.knob(of: "default")?.kind == .share)
        variants.set(0.25, of: "default")
        let (scenario, variant) = try pipeline("default", variants)
        #expect(variant.pipeline.sampler.sampler == .probability(0.25))
        #expect(
            scenario.services.map(\.sampler?.sampler) == [.foreign(.go, 0.25), .probability(0.25)])
        // A share and a rate have no number in common.
        let mixed = try self.variants(
            Self.text(pipeline: "{sampler: 'ratelimiting:5'}", web: "sampler: foreign:go:10%"))
        #expect(mixed.knob(of: "default") == nil)
    }

    // MARK: Volume

    private func kept(_ pipeline: String, traces: UInt64 = .max, salt: UInt64 = 7) throws
        -> VolumeTrial.Outcome
    {
        let scenario = try Scenario.parse(Self.text(pipeline: pipeline))
        return try VolumeTrial(seed: 3, salt: salt, traces: traces).run(scenario)
    }

    @Test func `A trial counts all spans and those kept, over simulated time`() throws {
        let all = try kept("{sampler: always_on}")
        #expect(all.traces == 2000)
        // Root, client, server.
        #expect(all.spans == 6000)
        #expect(all.keptSpans == 6000)
        // The last arrival of 5 s at 400 a second.
        #expect(abs(Double(all.durationNs) - 5e9) < 1e7)
        #expect(abs(all.spansPerS - 1200) < 5)
        #expect(try kept("{sampler: always_off}").keptSpans == 0)
        #expect(try kept("{sampler: always_on}", traces: 500).traces == 500)
    }

    @Test func `A ratio keeps its share, a limit its rate, a tail stage what failed`() throws {
        let ratio = try kept("{sampler: 'parentbased_traceidratio:20%'}")
        // Four standard deviations of 2,000 traces.
        #expect(abs(ratio.keptShare - 0.2) < 4 * (0.2 * 0.8 / 2000).squareRoot())
        #expect(ratio.spans == 6000)
        // A bucket of 50 that starts full, and 50 a second for 5 s.
        let limit = try kept("{sampler: 'parentbased:ratelimiting:50'}")
        #expect(abs(Double(limit.keptSpans) - 900) <= 6)
        let tail = try kept("{tail: 'wait:1s+errors'}")
        #expect(abs(tail.keptShare - 0.05) < 4 * (0.05 * 0.95 / 2000).squareRoot())
        #expect(tail.keptSpans.isMultiple(of: 3))
    }

    @Test func `The same seed and salt keep the same; another salt keeps other traces`() throws {
        let sampler = "{sampler: 'parentbased_traceidratio:20%'}"
        #expect(try kept(sampler) == kept(sampler))
        let others = try (1...6).map { try kept(sampler, salt: $0).keptSpans }
        #expect(Set(others).count > 1)
    }
}
