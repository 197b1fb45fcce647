import Foundation
import Testing
import TraceCore

@testable import TraceLoad

/// Parts of a scenario that patch others: incidents and variants. And budgets, which name metrics.
@Suite struct ScenarioPatchTests {
    /// A shop of two services, with these lines at the end (from line 10 on).
    private func text(_ lines: String) -> String {
        """
        version: 1
        name: patches
        services:
          shop:
            operations:
              GET /a: {type: http, self: 2ms, attributes: {x.y: 1, z: 2}, error: {rate: 1%, http_status: 409}, script: [{call: shop/v1.Stock/Get}]}
              v1.Stock/Get: {type: grpc, self: {lognormal: {p50: 1ms, p99: 9ms}}}
          mail: {operations: {order.created: {type: messaging}, order: {}}}
        traffic: [{root: shop/GET /a, stages: [{duration: 1m, rate: 10}]}]
        \(lines)
        """
    }

    private func scenario(_ lines: String) throws -> Scenario { try Scenario.parse(text(lines)) }

    private func incident(_ set: String) -> String {
        "incidents: [{name: i, at: 1s, for: 2s, set: {\(set)}}]"
    }

    @Test func `A patch changes what it names and leaves the rest`() throws {
        let scenario = try scenario(
            incident("shop/GET /a.error.rate: 50%, shop/GET /a.attributes.x.y: 9"))
        let incident = scenario.incidents[0]
        #expect(incident.atNs == 1e9 && incident.endNs == 3e9)
        let patched = try #require(incident.patches.first).declaration
        let usual = scenario.services[0].operations[0]
        #expect(incident.patches.count == 1)
        #expect(patched.error?.rate == 0.5 && patched.error?.httpStatus == 409)
        #expect(usual.error?.rate == 0.01)
        #expect(patched.ownWork == .constant(2e6))
        #expect(patched.attributes.map(\.key) == ["x.y", "z"])
        #expect(patched.attributes[0].generator.source == .literal(.integer(9)))
        // The script is the one that is written, so its calls are the same calls.
        #expect(patched.script.count == 1)
        #expect(patched.script[0].position == usual.script[0].position)
    }

    @Test func `A distribution is replaced, not mixed with the one before`() throws {
        let scenario = try scenario(incident("shop/v1.Stock/Get.self: {uniform: [1s, 2s]}"))
        #expect(
            scenario.incidents[0].patches[0].declaration.ownWork == .uniform(min: 1e9, max: 2e9))
    }

    @Test
    func `A path may name all operations of a service, or the whole service, and end in a mapping`()
        throws
    {
        let scenario = try scenario(
            incident("shop/*.self: 1s, shop/v1.Stock/Get: {error: {rate: 1}}, mail.down: true"))
        let incident = scenario.incidents[0]
        #expect(incident.patches.map(\.operation) == [0, 1])
        #expect(incident.patches.allSatisfy { $0.declaration.ownWork == .constant(1e9) })
        #expect(incident.patches[1].declaration.error?.rate == 1)
        #expect(incident.downServices == [1])
    }

    @Test func `Of two names with dots the longest that fits is meant`() throws {
        let scenario = try scenario(incident("mail/order.created.self: 5ms, mail/order.self: 6ms"))
        #expect(
            scenario.incidents[0].patches.map { $0.declaration.ownWork } == [
                .constant(5e6), .constant(6e6),
            ])
        #expect(scenario.incidents[0].patches.map(\.operation) == [0, 1])
    }

    @Test func `Incidents come in order of time`() throws {
        let scenario = try scenario(
            """
            incidents:
              - {name: late, at: 30s, for: 1s, set: {mail.down: true}}
              - {name: early, at: 2s, for: 28s, set: {mail.down: true}}
            """)
        #expect(scenario.incidents.map(\.name) == ["early", "late"])
    }

    /// What is set, kind, column (line 10) and what the message says.
    static let mistakes: [(String, ScenarioIssue.Kind, Int, String)] = [
        ("shop/GET /a.slef: 1ms", .unknownKey, 46, "did you mean `self`?"),
        ("shop/GET /a.error.rat: 1", .unknownKey, 46, "did you mean `rate`?"),
        ("shop/GET /a.self.mean: 1ms", .unknownKey, 46, "unknown key `self.mean`"),
        ("shop/GET /a.self: 1", .badDuration, 64, "write `1ms`"),
        ("shop/GET /a.error.rate: 2", .badProbability, 70, "0 to 1"),
        ("shop/GET /a: 5", .wrongType, 59, "an operation is a mapping"),
        ("shop/GET /a.type: grpc", .badCombination, 46, "keeps its `type`"),
        ("shop/GET /b.self: 1ms", .unknownOperation, 46, "did you mean `shop/GET /a.self`?"),
        ("shp.down: true", .unknownOperation, 46, "did you mean `shop.down`?"),
        ("nothing/of the sort: 1", .unknownOperation, 46, "known services: shop, mail"),
        ("shop.self: 1ms", .badCombination, 46, "`shop/*.key`"),
        ("shop.down: yes", .badValue, 57, "neither `true` nor `false`"),
        (
            "shop/GET /a.script: [{call: shop/GET /a}]", .cycle, 74, "the calls go in a circle"
        ),
        ("shop/GET /a.script: [{call: shop/b}]", .unknownOperation, 74, "no operation `shop/b`"),
        ("shop/*.self: fast", .badDuration, 59, "`fast` is not a duration"),
        ("", .missingKey, 45, "`set` says what is different"),
    ]

    @Test(arguments: mistakes)
    func `A mistake in a patch is reported once, where it stands`(
        _ set: String, _ kind: ScenarioIssue.Kind, _ column: Int, _ says: String
    ) throws {
        let issues = errors(text(incident(set)))
        let issue = try #require(issues.first { $0.kind == kind }, "\(issues)")
        #expect(issues.count == 1, "\(issues)")
        #expect(issue.message.contains(says), "\(issue)")
        #expect(issue.position == SourcePosition(line: 10, column: column), "\(issue)")
    }

    @Test func `Two incidents may not change the same thing at once, one after the other they may`()
        throws
    {
        func both(_ first: String, _ second: String) -> String {
            text(
                """
                incidents:
                  - {name: one, at: 1s, for: 5s, set: {\(first)}}
                  - {name: two, at: 5s, for: 5s, set: {\(second)}}
                """)
        }
        let issues = errors(both("shop/GET /a.self: 1s", "shop/*.self: 2s"))
        #expect(issues.map(\.kind) == [.conflict])
        #expect(issues[0].position == SourcePosition(line: 12, column: 5))
        #expect(issues[0].message.contains("`two` and `one` change `shop/GET /a` at the same time"))
        #expect(errors(both("mail.down: true", "mail.down: true")).map(\.kind) == [.conflict])
        #expect(errors(both("mail.down: true", "mail/order.self: 1s")).isEmpty)
        #expect(
            errors(
                both("shop/GET /a.self: 1s", "shop/GET /a.self: 2s")
                    .replacing("for: 5s", with: "for: 4s")
            ).isEmpty)
    }

    @Test func `More incidents than a hundred are refused`() {
        let many = (0...100).map { "{name: i, at: \($0)s, for: 1s, set: {mail.down: true}}" }
        let issues = errors(text("incidents: [\(many.joined(separator: ", "))]"))
        #expect(issues.map(\.kind) == [.tooLarge])
    }

    // MARK: Variants

    @Test func `A variant is the pipeline with its patch`() throws {
        let scenario = try scenario(
            """
            pipeline: {sampler: "traceidratio:10%", processor: {queue: 1000, batch: 100}, exporter: {retry: {max: 9s}}}
            variants:
              same:
              small: {processor: {batch: 50}, exporter: {compression: gzip}}
              all: {sampler: always_on}
            """)
        #expect(scenario.variants.map(\.name) == ["same", "small", "all"])
        let (same, small) = (scenario.variants[0].pipeline, scenario.variants[1].pipeline)
        #expect(same.processor == scenario.pipeline.processor)
        #expect(small.processor.queueSpans == 1000 && small.processor.batchSpans == 50)
        #expect(small.exporter.compression == .gzip && small.exporter.retryMaxNs == 9e9)
        #expect(small.sampler.sampler == scenario.pipeline.sampler.sampler)
        #expect(scenario.variants[2].pipeline.sampler.sampler == .alwaysOn)
        #expect(scenario.notes.map(\.position) == [SourcePosition(line: 12, column: 3)])
    }

    @Test(arguments: [
        ("variants: {a: {processor: {batch: 5000}}}", ScenarioIssue.Kind.badCombination, 35),
        ("variants: {a: {processr: {}}}", .unknownKey, 16),
        ("variants: {a: 5}", .wrongType, 15),
        ("variants: {a: {sampler: always_onn}}", .badValue, 25),
        ("variants: [a]", .wrongType, 11),
    ])
    func `A mistake in a variant is reported where it stands`(
        _ line: String, _ kind: ScenarioIssue.Kind, _ column: Int
    ) {
        let issues = errors(text(line))
        #expect(issues.map(\.kind) == [kind])
        #expect(issues.map(\.position) == [SourcePosition(line: 10, column: column)])
    }

    // MARK: Budgets

    @Test func `Metrics are known by their name in results and by their words`() throws {
        let scenario = try scenario(
            """
            budgets:
              - {metric: span.end.p99, max: 2us}
              - {metric: spanEndNsP999, max: 1500}
              - {metric: cpu_per_span, regress: 5%, confidence: 0.99}
              - {metric: peak_resident_bytes, max: 64MiB}
              - {metric: dropped.span.share, max: 0.5%}
              - {metric: deliveredSpansPerS, min: 100000}
            """)
        #expect(
            scenario.budgets.map(\.metric) == [
                "spanEndNsP99", "spanEndNsP999", "cpuNsPerSpan", "peakResidentBytes",
                "droppedSpanShare", "deliveredSpansPerS",
            ])
        #expect(
            scenario.budgets.map(\.bound) == [
                .max(2000), .max(1500), .regress(0.05), .max(64 * 1_048_576), .max(0.005),
                .min(100_000),
            ])
        #expect(scenario.budgets.map(\.confidence) == [0.95, 0.95, 0.99, 0.95, 0.95, 0.95])
    }

    @Test(arguments: [
        ("{metric: span.end.p98, max: 2us}", ScenarioIssue.Kind.badValue, "did you mean"),
        ("{metric: happiness, max: 2}", .badValue, "known: "),
        ("{metric: spanEndNsP99}", .badCombination, "found none"),
        ("{metric: spanEndNsP99, max: 1us, min: 1us}", .badCombination, "found max, min"),
        ("{metric: spanEndNsP99, max: 2MiB}", .badDuration, "is not a duration"),
        ("{metric: timerFloorNs, regress: 5%}", .badCombination, "no better and worse"),
        ("{metric: spanEndNsP99, regress: 5}", .badProbability, "0 to 1"),
        ("{metric: spanEndNsP99, regress: 5%, confidence: 0.2}", .badValue, "at least 0.5"),
        ("{metric: achievedTracesPerS, min: -5}", .badValue, "at least 0"),
        ("{max: 5}", .missingKey, "`metric`"),
    ])
    func `A budget that nothing can be held against is refused`(
        _ budget: String, _ kind: ScenarioIssue.Kind, _ says: String
    ) throws {
        let issues = errors(text("budgets: [\(budget)]"))
        let issue = try #require(issues.first)
        #expect(issues.count == 1, "\(issues)")
        #expect(issue.kind == kind)
        #expect(issue.message.contains(says), "\(issue)")
    }

    // MARK: Tail policies

    @Test func `Tail policies become a tree`() throws {
        let scenario = try scenario(
            """
            pipeline:
              tail:
                - {name: errors, status_code: [error, unset]}
                - latency: 500ms
                - drop: [{string_attribute: {key: k, values: [a], patterns: [b*], invert: true}}]
                - composite: {rate: 100, policies: [{always: true, share: 25%}, {not: {span_count: {max: 3}}, share: 75%}]}
            """)
        let tail = try #require(scenario.pipeline.tail)
        #expect(tail.decisionWaitNs == 30e9 && tail.traceCountMax == 50_000)
        #expect(tail.policies.map(\.name) == ["errors", "latency", "drop", "composite"])
        #expect(tail.policies[0].rule == .statusCode([.error, .unset]))
        #expect(tail.policies[1].rule == .latency(lowerNs: 5e8, upperNs: nil))
        guard case .drop(let dropped) = tail.policies[2].rule,
            case .composite(let rate, let parts) = tail.policies[3].rule
        else {
            Issue.record("\(tail.policies)")
            return
        }
        #expect(
            dropped[0].rule == .string(key: "k", values: ["a"], patterns: ["b*"], invert: true))
        #expect(rate == 100 && parts.map(\.share) == [0.25, 0.75])
        guard case .not(let inner) = parts[1].policy.rule else {
            Issue.record("\(parts[1])")
            return
        }
        #expect(inner.rule == .spanCount(min: 0, max: 3))
    }

    static let policies: [(String, ScenarioIssue.Kind, String)] = [
        ("{}", .badCombination, "exactly one form, found none"),
        ("{latency: 1s, always: true}", .badCombination, "found always, latency"),
        ("{latncy: 1s}", .unknownKey, "did you mean `latency`?"),
        ("{latency: {lower: 2s, upper: 1s}}", .badValue, "above `lower`"),
        ("{status_code: [eror]}", .badValue, "did you mean `error`?"),
        ("{status_code: []}", .missingKey, "[error]"),
        ("{string_attribute: {key: k}}", .missingKey, "values: [a, b]"),
        ("{numeric_attribute: {key: k, min: 2, max: 1}}", .badValue, "smaller first"),
        ("{numeric_attribute: {key: k}}", .badValue, "`min`, `max` or both"),
        ("{span_count: {}}", .badValue, "`min`, `max` or both"),
        ("{rate_limiting: 0}", .badRate, "above 0"),
        ("{probabilistic: 2}", .badProbability, "0 to 1"),
        ("{and: []}", .missingKey, "at least one policy"),
        ("{always: false}", .badValue, "write one of true"),
        ("{always: true, share: 5%}", .badCombination, "belongs to the policies of `composite`"),
        (
            "{composite: {rate: 5, policies: [{always: true}]}}", .badCombination,
            "needs its `share`"
        ),
        (
            "{composite: {rate: 5, policies: [{always: true, share: 60%}, {always: true, share: 60%}]}}",
            .badCombination, "add up to 1.2"
        ),
        ("{trace_state: {key: k, values: []}}", .missingKey, "no text would match"),
    ]

    @Test(arguments: policies)
    func `A tail policy that makes no sense is refused`(
        _ policy: String, _ kind: ScenarioIssue.Kind, _ says: String
    ) throws {
        let issues = errors(text("pipeline: {tail: [\(policy)]}"))
        let issue = try #require(issues.first)
        #expect(issues.count == 1, "\(issues)")
        #expect(issue.kind == kind)
        #expect(issue.message.contains(says), "\(issue)")
    }

    @Test func `Policies nested without end are refused`() {
        let nested = (0..<20).reduce("{always: true}") { policy, _ in "{not: \(policy)}" }
        #expect(errors(text("pipeline: {tail: [\(nested)]}")).map(\.kind) == [.tooLarge])
        let many = Array(repeating: "{always: true}", count: 1001).joined(separator: ", ")
        #expect(errors(text("pipeline: {tail: [\(many)]}")).map(\.kind) == [.tooLarge])
    }
}

/// What holds for every file of the library.
@Suite struct ScenarioLibraryTests {
    static let files: [String] = {
        let folder = RepositoryScenario.folder.path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".yaml") }.sorted()
    }()

    @Test func `The library has a scenario for each question`() {
        let wanted = [
            "checkout", "fan-out-wide", "deep-chain", "message-pipeline", "error-storm",
            "slow-dependency", "high-cardinality", "burst-and-ramp", "mixed-fleet", "huge-traces",
            "never-ended", "saturation", "samplers", "tail", "processors",
        ]
        #expect(Set(Self.files).isSuperset(of: wanted.map { "\($0).yaml" }))
    }

    @Test(arguments: files)
    func `A scenario opens with its question, says how to read it, and is called like its file`(
        _ file: String
    ) throws {
        let url = RepositoryScenario.folder.appending(path: file)
        let text = try String(contentsOf: url, encoding: .utf8)
        let scenario = try Scenario.parse(text, file: file)
        #expect(text.hasPrefix("# "))
        #expect("\(scenario.name).yaml" == file)
        // Variants are for `compare`, which a run says.
        let notes = scenario.notes.filter { !$0.message.contains("variants") }
        #expect(notes.isEmpty, "\(notes)")
        let page = try String(
            contentsOf: RepositoryScenario.folder.deletingLastPathComponent()
                .appending(path: "docs/scenarios.md"), encoding: .utf8)
        #expect(page.contains("(../scenarios/\(file))"))
    }

    @Test func `The shape of a trace is what its name says`() throws {
        func compiled(_ name: String) throws -> CompiledScenario {
            try CompiledScenario(
                path: RepositoryScenario.folder.appending(path: "\(name).yaml").path)
        }
        let wide = plans(try compiled("fan-out-wide"), count: 3)
        #expect(wide.traces.allSatisfy { $0.spanCount == 1 + 64 * 3 })
        let deep = plans(try compiled("deep-chain"), count: 3)
        #expect(deep.traces.allSatisfy { $0.spanCount == 50 + 9 })
        let huge = plans(try compiled("huge-traces"), count: 700)
        #expect(Set(huge.traces.map(\.spanCount)) == [3, 10_000])
    }
}
