import Testing
import TraceCore

@testable import TraceLoad

private func text(_ sampler: String, service: String = "") -> String {
    """
    version: 1
    name: test
    services: {shop: {\(service)operations: {GET /a: }}}
    traffic: [{root: shop/GET /a, stages: [{duration: 1s, rate: 1}]}]
    pipeline:
      sampler: \(sampler)
    """
}

@Suite struct SamplerParsingTests {
    /// One line, a mapping, and the sampler that both are.
    static let forms: [(String, String, Sampler)] = [
        ("always_on", "{name: always_on}", .alwaysOn),
        ("ALWAYS_OFF", "{name: Always_Off}", .alwaysOff),
        ("traceidratio:0.1", "{name: traceidratio, argument: 10%}", .traceIDRatio(0.1)),
        ("traceidratio", "{name: traceidratio}", .traceIDRatio(1)),
        ("traceidratio:1e-3", "{name: traceidratio, argument: 0.1%}", .traceIDRatio(0.001)),
        (
            "parentbased_always_on", "{name: parentbased, root: always_on}",
            .parentBased(root: .alwaysOn)
        ),
        (
            "parentbased_traceidratio:25%",
            "{name: parentbased, root: {name: traceidratio, argument: 0.25}}",
            .parentBased(root: .traceIDRatio(0.25))
        ),
        (
            "parentbased:ratelimiting:500",
            "{name: parentbased, root: {name: ratelimiting, argument: 500}}",
            .parentBased(root: .rateLimiting(tracesPerS: 500))
        ),
        ("probability:0.1", "{name: probability, argument: 0.1}", .probability(0.1)),
        ("foreign:go:0.1", "{name: foreign, algorithm: go, argument: 10%}", .foreign(.go, 0.1)),
        (
            "always_record:foreign:erlang:5%",
            "{name: always_record, sampler: \"foreign:erlang:0.05\"}",
            .alwaysRecord(.foreign(.erlang, 0.05))
        ),
        (
            "adaptive:20", "{name: adaptive, argument: 20, interval: 15s, weight: 0.5, keys: 1000}",
            .adaptive(AdaptiveSettings(targetPerS: 20))
        ),
        (
            "composite:parent_threshold:probability:0.1",
            "{name: composite, sampler: {name: parent_threshold, root: probability:0.1}}",
            .composite(.parentThreshold(root: .probability(0.1)))
        ),
    ]

    @Test(arguments: forms)
    func `A line and a mapping say the same sampler`(
        _ line: String, _ mapping: String, _ sampler: Sampler
    ) throws {
        let first = try Scenario.parse(text(line))
        let second = try Scenario.parse(text(mapping))
        #expect(first.pipeline.sampler.sampler == sampler)
        #expect(second.pipeline.sampler.sampler == sampler)
        #expect(first.pipeline.sampler.position == SourcePosition(line: 6, column: 12))
        #expect(first.canonicalText == second.canonicalText)
        #expect(
            (first.canonicalText + first.defaultsText).contains(
                "pipeline.sampler.sampler: \(sampler)\n"))
        #expect(
            first.canonicalText
                != (try Scenario.parse(text("parentbased_always_off"))).canonicalText)
    }

    @Test func `All five branches of a parent-based sampler can be replaced`() throws {
        let scenario = try Scenario.parse(
            text(
                "{name: parentbased, root: always_off, remote_parent_sampled: traceidratio:0.5, "
                    + "remote_parent_not_sampled: always_on, local_parent_sampled: always_off, "
                    + "local_parent_not_sampled: probability:0.25}"))
        #expect(
            scenario.pipeline.sampler.sampler
                == .parentBased(
                    root: .alwaysOff, remoteParentSampled: .traceIDRatio(0.5),
                    remoteParentNotSampled: .alwaysOn, localParentSampled: .alwaysOff,
                    localParentNotSampled: .probability(0.25)))
    }

    @Test func `A service's own sampler goes to its providers, the pipeline's to the others`()
        throws
    {
        let compiled = CompiledScenario(
            try Scenario.parse(
                """
                version: 1
                name: test
                services:
                  a: {instances: 2, sampler: foreign:js:0.5, operations: {x: }}
                  b: {operations: {y: }}
                traffic: [{root: a/x, stages: [{duration: 1s, rate: 1}]}]
                """))
        let providers = compiled.makeProviders(
            recorder: try SpanRecorder(options: RecorderOptions()), sampler: .traceIDRatio(0.1))
        #expect(
            providers.map(\.sampler) == [
                .foreign(.js, 0.5), .foreign(.js, 0.5), .traceIDRatio(0.1),
            ])
    }

    /// Sampler, family, column in line 6, and what the message says.
    static let mistakes: [(String, ScenarioIssue.Kind, Int, String)] = [
        ("alway_on", .badValue, 12, "did you mean `always_on`?"),
        ("\"\"", .badValue, 12, "write one of always_on, always_off"),
        ("custom", .notSupported, 12, "which a file cannot hold"),
        ("{name: custom}", .notSupported, 19, "which a file cannot hold"),
        ("parentbased:ratelimting:5", .badValue, 12, "did you mean `ratelimiting`?"),
        ("foreign:goo:0.1", .badValue, 12, "erlang, go, java, python, js"),
        ("foreign:go:1.1", .badValue, 12, "not a number from 0 to 1"),
        ("traceidratio:0.1:2", .badValue, 12, "is too much"),
        ("traceidratio:120%", .badValue, 12, "not a number from 0 to 1"),
        ("ratelimiting:0", .badValue, 12, "above 0"),
        ("rule_based", .badValue, 12, "`rule_based` is no sampler"),
        ("[always_on]", .wrongType, 12, "a sampler is a mapping"),
        ("{argument: 0.1}", .missingKey, 12, "needs the key `name`"),
        ("{name: traceidratio, ratio: 0.1}", .unknownKey, 33, "known here: name"),
        ("{name: always_on, argument: 1}", .badCombination, 30, "takes nothing"),
        ("{name: probability}", .missingKey, 12, "needs the key `argument`"),
        ("{name: probability, argument: 0.5, precision: 15}", .badValue, 58, "from 1 to 14"),
        ("{name: probability, argument: 150%}", .badProbability, 42, "0 to 1"),
        ("{name: ratelimiting, argument: -1}", .badValue, 43, "above 0"),
        ("{name: ratelimiting, argument: lots}", .badValue, 43, "traces per second"),
        ("{name: adaptive, argument: 5, weight: 2}", .badValue, 50, "at most 1"),
        ("{name: adaptive, argument: 5, interval: 5}", .badDuration, 52, "needs a unit"),
        ("{name: foreign, argument: 0.5}", .missingKey, 12, "needs the key `algorithm`"),
        ("{name: foreign, algorithm: rust, argument: 1}", .badValue, 39, "erlang, go"),
        ("{name: parentbased, remote_parent_sampled: always_on}", .missingKey, 12, "`root`"),
        (
            "{name: parentbased, root: {name: always_off, root: always_on}}", .badCombination, 57,
            "no `root`"
        ),
        ("{name: composite, sampler: foreign:go:0.5}", .badValue, 39, "no part of a composite"),
        ("{name: composite, sampler: {name: any_of, samplers: []}}", .badValue, 39, "is empty"),
        ("{name: composite, sampler: {name: rule_based, rules: []}}", .badValue, 39, "no rules"),
        (
            "{name: composite, sampler: {name: rule_based, rules: [{kinds: [sever], sampler: always_on}]}}",
            .badValue, 75, "did you mean `server`?"
        ),
        (
            "{name: composite, sampler: {name: rule_based, rules: [{names: [a]}]}}", .missingKey,
            66,
            "needs the key `sampler`"
        ),
        (
            "{name: composite, sampler: {name: rule_based, rules: [{attributes: {a: []}, sampler: always_on}]}}",
            .badValue, 83, "under `present`"
        ),
        (
            "{name: composite, sampler: {name: annotating, attributes: {}, sampler: always_on}}",
            .badValue, 39, "no attributes to set"
        ),
        (
            "{name: composite, sampler: {name: annotating, attributes: {a: [1]}, sampler: always_on}}",
            .notSupported, 74, "not supported"
        ),
    ]

    @Test(arguments: mistakes)
    func `A mistake in a sampler is reported once, where it stands`(
        _ sampler: String, _ kind: ScenarioIssue.Kind, _ column: Int, _ says: String
    ) throws {
        for isOfService in [false, true] {
            let prefix = isOfService ? "services: {shop: {sampler: " : "  sampler: "
            let file =
                isOfService
                ? text("always_on", service: "sampler: \(sampler), ") : text(sampler)
            do {
                _ = try Scenario.parse(file)
                Issue.record("\(sampler) was taken")
            } catch {
                #expect(error.issues.count == 1, "\(error)")
                let issue = error.issues[0]
                #expect(issue.kind == kind, "\(issue)")
                #expect(issue.message.contains(says), "\(issue)")
                let place = SourcePosition(
                    line: isOfService ? 3 : 6, column: column - 11 + prefix.count)
                #expect(issue.position == place, "\(issue)")
            }
        }
    }

    @Test func `Samplers one in another end at a depth that is told`() {
        let deep = String(repeating: "{name: always_record, sampler: ", count: 40)
        let file = text(deep + "always_on" + String(repeating: "}", count: 40))
        #expect(throws: ScenarioErrors.self) { try Scenario.parse(file) }
        do {
            _ = try Scenario.parse(file)
        } catch {
            #expect(error.issues.map(\.message).joined().contains("more than 16 deep"))
        }
    }
}
