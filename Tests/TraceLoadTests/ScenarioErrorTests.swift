import Testing

@testable import TraceLoad

/// A complete scenario with one line put in at `# here`, for the position of its mistake.
private func file(operation line: String) -> String {
    """
    version: 1
    name: test
    services:
      shop:
        operations:
          GET /a:
            type: http
            \(line)
          db: {type: database}
          queue: {type: messaging}
    traffic:
      - root: shop/GET /a
        stages: [{duration: 1s, rate: 10}]
    """
}

/// The mistakes that parsing finds in a file of that text.
func errors(_ text: String) -> [ScenarioIssue] {
    do {
        _ = try Scenario.parse(text, file: "t.yaml")
        return []
    } catch {
        return error.issues
    }
}

/// What a line of an operation does wrong, where (line 8, which column) and what the message says.
struct OperationMistake: Sendable, CustomTestStringConvertible {
    var line: String
    var kind: ScenarioIssue.Kind
    var column: Int
    var says: String
    var testDescription: String { line }

    init(_ line: String, _ kind: ScenarioIssue.Kind, _ column: Int, _ says: String) {
        (self.line, self.kind, self.column, self.says) = (line, kind, column, says)
    }
}

@Suite struct ScenarioErrorTests {
    static let mistakes: [OperationMistake] = [
        .init("slef: 1ms", .unknownKey, 9, "did you mean `self`?"),
        .init("zzzzzzzz: 1", .unknownKey, 9, "known here: type"),
        .init("kind: sever", .badValue, 15, "did you mean `server`?"),
        .init("self: 5", .badDuration, 15, "write `5ms`"),
        .init("self: 5 ms", .badDuration, 15, "is not a duration"),
        .init("self: -5ms", .badDuration, 15, "is not a duration"),
        .init("self: 25h", .badDuration, 15, "at most 24h"),
        .init("self: [1ms]", .wrongType, 15, "a distribution is a mapping"),
        .init("self: {lognormla: {p50: 1ms, p99: 2ms}}", .unknownKey, 16, "`lognormal`?"),
        .init("attributes: {a: {zpif: {cardinality: 3}}}", .unknownKey, 26, "`zipf`?"),
        .init("script: [{cal: shop/db}]", .unknownKey, 19, "`call`?"),
        .init("self: {}", .badDistribution, 15, "found none"),
        .init(
            "self: {uniform: [1ms, 2ms], exponential: {mean: 1ms}}", .badDistribution, 15,
            "exactly one"),
        .init("self: {uniform: [2ms, 1ms]}", .badDistribution, 31, "smaller value first"),
        .init("self: {uniform: [2ms]}", .badDistribution, 25, "two values"),
        .init("self: {normal: {mean: 1ms}}", .missingKey, 24, "needs the key `stddev`"),
        .init("self: {lognormal: {p50: 5ms, p99: 1ms}}", .badDistribution, 38, "p50 ≤ p99"),
        .init("self: {pareto: {min: 0ms, shape: 1}}", .badDistribution, 24, "min > 0"),
        .init(
            "self: {percentiles: {p0: 1ms, p50: 3ms, p100: 2ms}}", .badDistribution, 55,
            "below that of"),
        .init("self: {percentiles: {p50: 1ms, p0: 0ms}}", .badDistribution, 40, "ascending"),
        .init("self: {percentiles: {p0: 1ms, p50: 3ms}}", .badDistribution, 29, "end with `p100`"),
        .init("self: {percentiles: {x: 1ms}}", .badDistribution, 30, "no percentile"),
        .init("self: {mix: [{weight: 0, dist: 1ms}]}", .badDistribution, 21, "weight above 0"),
        .init("self: {mix: [{weight: -1, dist: 1ms}]}", .badValue, 31, "at least 0"),
        .init("attributes: {a: {one_of: []}}", .badGenerator, 34, "at least one value"),
        .init(
            "attributes: {a: {one_of: [1, 2], weights: [1]}}", .badGenerator, 51, "each of the 2"),
        .init("attributes: {a: {zipf: {s: 1}}}", .missingKey, 32, "cardinality"),
        .init("attributes: {a: {zipf: {cardinality: 2000000}}}", .badGenerator, 32, "unique"),
        .init("attributes: {a: {int: [5, 1]}}", .badGenerator, 31, "smaller first"),
        .init("attributes: {a: {string: {length: 1e9}}}", .badGenerator, 43, "clamp"),
        .init("attributes: {a: {inherit: b}}", .badGenerator, 22, "nothing to inherit"),
        .init("attributes: {a: {inherit: a, int: [1, 2]}}", .badGenerator, 25, "exactly one form"),
        .init("attributes: {a: [1, 2]}", .notSupported, 25, "not supported"),
        .init("attributes: {a: {unique: x, per: request}}", .badValue, 42, "span, trace, instance"),
        .init(
            "attributes: {a: {unique: x, weights: [1]}}", .badGenerator, 37, "goes with `one_of`"),
        .init("error: {rate: 1.5}", .badProbability, 23, "0 to 1"),
        .init("error: {rate: 120%}", .badProbability, 23, "0 to 1"),
        .init("error: {http_status: 700}", .badValue, 30, "100 to 599"),
        .init("error: {exception: yes}", .badValue, 28, "neither `true` nor `false`"),
        .init("events: [{at: 0.5}]", .missingKey, 18, "needs the key `name`"),
        .init("events: [{name: e, at: 2}]", .badValue, 32, "fraction"),
        .init("attributes: {a: {baggage: b}}", .badGenerator, 22, "so none can arrive"),
        .init("baggage: {a b: 1}", .badValue, 19, "no name for baggage"),
        .init("baggage: {a: {inherit: a}}", .badGenerator, 22, "goes on by itself"),
        .init("baggage: {a: {string: {length: 200}}}", .badGenerator, 22, "at most 128 bytes"),
        .init("script: []", .emptyScript, 17, "the script is empty"),
        .init("script: [{parallel: []}]", .emptyScript, 29, "no steps"),
        .init("script: [{choose: [{weight: 0, script: []}]}]", .emptyScript, 27, "weight above 0"),
        .init("script: [{work: 1ms, call: shop/db}]", .badCombination, 18, "exactly one thing"),
        .init(
            "script: [{work: 1ms, limit: 2}]", .badCombination, 30, "`limit` goes with `parallel`"),
        .init(
            "script: [{call: shop/GET /b}]", .unknownOperation, 25, "did you mean `shop/GET /a`?"),
        .init(
            "script: [{call: shop/completely else}]", .unknownOperation, 25, "service `shop` has: "),
        .init(
            "script: [{call: nowhere/at all whatever}]", .unknownOperation, 25,
            "known services: shop"),
        .init(
            "script: [{call: GETaxxxxxxxxxxxx}]", .unknownOperation, 25, "write `service/operation`"
        ),
        .init("script: [{call: shop/queue}]", .badCombination, 25, "`publish`, not `call`"),
        .init("script: [{publish: shop/db}]", .badCombination, 28, "type: messaging"),
        .init(
            "script: [{publish: {to: shop/queue, batch: 5000}}]", .badValue, 52, "at most 1000"),
        .init(
            "script: [{call: {to: shop/db, client_span: false}}]", .badCombination, 30,
            "client_span"),
        .init(
            "script: [{call: {to: shop/db, repeat: 20000}}]", .badValue, 47, "can reach 20000;"),
        .init(
            "script: [{call: {to: shop/db, repeat: 1000000000000}}]", .badValue, 47,
            "keep it within 0 and 10000"),
        .init(
            "script: [{call: {to: shop/db, repeat: {pareto: {min: 1, shape: 0.01}}}}]", .badValue,
            47,
            "more than 10^15"),
        .init(
            "script: [{call: {to: shop/db, repeat: 9000, retries: 5}}]", .badCombination, 0,
            "spans, above the cap of 10000"),
        .init("script: [{call: {to: shop/db, fan_out: 1001}}]", .badValue, 48, "at most 1000"),
        .init("script: [{call: shop/db, limit: 2}]", .badCombination, 34, "`fan_out`"),
        .init("script: [{call: {to: shop/db, retries: 101}}]", .badValue, 48, "at most 100"),
        .init(
            "script: [{call: {to: shop/db, circuit_breaker: {failures: 1, window: 1s}}}]",
            .missingKey, 56, "open_for"),
        .init("script: [{call: shop/GET /a}]", .cycle, 25, "`shop/GET /a` calls at 8:25"),
    ]

    @Test(arguments: mistakes)
    func `A mistake is reported once, at its exact place, with what to write instead`(
        _ mistake: OperationMistake
    ) throws {
        let issues = errors(file(operation: mistake.line))
        let issue = try #require(issues.first { $0.kind == mistake.kind }, "\(issues)")
        #expect(issues.count == 1, "\(issues)")
        #expect(issue.message.contains(mistake.says), "\(issue)")
        if mistake.column > 0 {
            #expect(issue.position == SourcePosition(line: 8, column: mistake.column), "\(issue)")
        }
        #expect(issue.description.hasPrefix("t.yaml:\(issue.position): "))
    }

    static let wholeFiles: [(String, ScenarioIssue.Kind, Int, Int, String)] = [
        ("", .notYAML, 1, 1, "empty"),
        ("- a\n", .wrongType, 1, 1, "the scenario is a mapping"),
        ("version: 1\nname: [\n", .notYAML, 3, 1, "not YAML"),
        ("version: 1\nversion: 1\n", .duplicateKey, 0, 0, "`version` stands twice"),
        ("version: 1\nname: a\n---\nversion: 1\n", .notYAML, 3, 1, "another document"),
        ("a: &x 1\n", .anchor, 1, 4, "anchors"),
        ("a:\n  - [b, *x]\n", .anchor, 2, 9, "aliases"),
        ("? *x\n: 1\n", .anchor, 1, 3, "aliases"),
        ("- !tag &x 1\n", .anchor, 1, 3, "anchors"),
        ("a: b\n  \"c\nx: *d\n", .anchor, 3, 4, "aliases"),
    ]

    @Test(arguments: wholeFiles)
    func `A file that is no scenario is refused with the place`(
        _ text: String, _ kind: ScenarioIssue.Kind, _ line: Int, _ column: Int, _ says: String
    ) throws {
        let issue = try #require(errors(text).first)
        #expect(issue.kind == kind)
        #expect(issue.message.contains(says), "\(issue)")
        if line > 0 {
            #expect(issue.position == SourcePosition(line: line, column: column), "\(issue)")
        }
    }

    static let trafficLines: [(String, ScenarioIssue.Kind, String)] = [
        (
            "- {root: shop/GET /x, stages: [{duration: 1s, rate: 1}]}", .unknownOperation,
            "did you mean `shop/GET /a`"
        ),
        (
            "- {root: shop/db, stages: [{duration: 1s, rate: 1}]}", .badCombination,
            "begins no trace"
        ),
        ("- {root: shop/GET /a, stages: [{duration: 1s, rate: 0}]}", .badRate, "every rate is 0"),
        ("- {root: shop/GET /a, stages: [{duration: 1s, rate: -3}]}", .badRate, "not a rate"),
        ("- {root: shop/GET /a, stages: [{duration: 1s, rate: fast}]}", .badRate, "or `max`"),
        ("- {root: shop/GET /a, stages: [{duration: 0s, rate: 1}]}", .badDuration, "no length"),
        ("- {root: shop/GET /a, stages: []}", .missingKey, "at least one entry"),
        (
            "- {root: shop/GET /a, stages: [{duration: 1s, rate: max, shape: linear}]}",
            .badCombination, "no ramp"
        ),
        (
            "- {root: shop/GET /a, stages: [{duration: 1s, rate: max}, {duration: 1s, rate: 1}]}",
            .badCombination, "one stage"
        ),
        (
            "- {root: shop/GET /a, model: closed, stages: [{duration: 1s, rate: 1}]}",
            .badCombination, "set the pace"
        ),
        (
            "- {root: shop/GET /a, think: 1s, stages: [{duration: 1s, rate: 1}]}", .badCombination,
            "write `model: closed`"
        ),
        (
            "- {root: shop/GET /a, model: closed, max_in_flight: 3, stages: [{duration: 1s}]}",
            .badCombination, "belongs to the open model"
        ),
        ("- {root: shop/GET /a, stages: [{duration: 1s}]}", .missingKey, "the key `rate`"),
        ("- {stages: [{duration: 1s, rate: 1}]}", .missingKey, "`root`"),
    ]

    @Test(arguments: trafficLines)
    func `Traffic that makes no sense is refused`(
        _ line: String, _ kind: ScenarioIssue.Kind, _ says: String
    ) throws {
        let text = """
            version: 1
            name: test
            services: {shop: {operations: {GET /a: {type: http}, db: {type: database}}}}
            traffic:
              \(line)
            """
        let issues = errors(text)
        let issue = try #require(issues.first)
        #expect(issues.count == 1, "\(issues)")
        #expect(issue.kind == kind)
        #expect(issue.position.line == 5)
        #expect(issue.message.contains(says), "\(issue)")
    }

    static let topLines: [(String, ScenarioIssue.Kind, String)] = [
        ("version: 2", .badValue, "`version: 1`"),
        ("seed: -1", .badValue, "0 to 2^64"),
        ("defaults: {script: [{work: 1ms}]}", .badCombination, "out of `defaults`"),
        ("pipeline: {propagators: [b3mutli]}", .badValue, "did you mean `b3multi`?"),
        ("pipeline: {propagators: [b3, b3]}", .badValue, "stands twice"),
        ("pipeline: {propagators: []}", .badValue, "[tracecontext]"),
        ("pipeline: {propagators: [baggage]}", .badValue, "no trace would cross"),
        ("pipeline: {propagators: [none]}", .badValue, "tracecontext, baggage, b3, b3multi"),
        ("pipeline: {tail: []}", .missingKey, "at least one policy"),
        ("pipeline: {sampler: always_onn}", .badValue, "did you mean `always_on`?"),
        ("pipeline: {sampler: {name: traceidratio, argument: 2}}", .badProbability, "0 to 1"),
        ("pipeline: {sweeper: {interval: 1s}}", .badCombination, "clock: realtime"),
        (
            "clock: realtime\npipeline: {sweeper: {strategy: dropp}}", .badValue,
            "did you mean `drop`?"
        ),
        ("clock: realtime\npipeline: {sweeper: {span_ttl: 0}}", .badDuration, "`infinity`"),
        ("clock: realtime\npipeline: {sweeper: {storage_size: 5MB}}", .badValue, "64MiB"),
        (
            "pipeline: {sampler: \"ratelimiting:5\"}\nrun: {workers: 2}", .badCombination,
            "workers: 1"
        ),
        ("sink: {faults: [status]}", .badValue, "status=503"),
        ("sink: {faults: ['tls=expired']}", .badCombination, "tls: true"),
        ("sink: {faults: [{tls: plain, count: 3}], tls: false}", .badCombination, "tls: true"),
        ("sink: {latency: {uniform: [2ms, 1ms]}}", .badDistribution, "smaller value"),
        ("pipeline: {processor: {queue: 10, batch: 20}}", .badCombination, "at most `queue`"),
        ("pipeline: {exporter: {encoding: jsn}}", .badValue, "did you mean `json`?"),
        ("pipeline: {exporter: {tls: {ca: a.pem}}}", .badCombination, "https://"),
        (
            "pipeline: {exporter: {endpoint: \"https://a/b\", tls: {cert: a.pem}}}",
            .badCombination, "go together"
        ),
        (
            "pipeline: {exporter: {endpoint: \"https://a/b\", tls: {ca: \"\"}}}", .badValue,
            "path of a PEM file"
        ),
        ("pipeline: {exporter: {endpoint: localhost}}", .badValue, "http://"),
        ("pipeline: {exporter: {connections: 0}}", .badValue, "at least 1"),
        ("run: {workers: 5000}", .badValue, "1024"),
        ("run: {order: interlaced}", .badValue, "did you mean `interleaved`?"),
        ("clock: simulate", .badValue, "did you mean `simulated`"),
    ]

    @Test(arguments: topLines)
    func `Keys of the top level, pipeline and run are checked`(
        _ line: String, _ kind: ScenarioIssue.Kind, _ says: String
    ) throws {
        let version = line.hasPrefix("version") ? "" : "version: 1\n"
        let text = """
            \(version)name: test
            services: {shop: {operations: {GET /a: }}}
            traffic: [{root: shop/GET /a, stages: [{duration: 1s, rate: 1}]}]
            \(line)
            """
        let issues = errors(text)
        let issue = try #require(issues.first)
        #expect(issues.count == 1, "\(issues)")
        #expect(issue.kind == kind)
        #expect(issue.message.contains(says), "\(issue)")
    }

    @Test func `All mistakes of a file are reported at once, in file order`() {
        let text = """
            version: 1
            nam: test
            services:
              a:
                operations:
                  x: {self: 1, script: [{call: a/z}]}
            traffic: [{root: a/x, stages: [{duration: 1, rate: 0.0.1}]}]
            """
        let issues = errors(text)
        #expect(
            issues.map(\.kind) == [
                .missingKey, .unknownKey, .badDuration, .unknownOperation, .badDuration, .badRate,
            ])
        #expect(issues.map(\.position) == issues.map(\.position).sorted())
    }

    @Test func `A cycle is printed with every call on the way`() throws {
        let text = """
            version: 1
            name: test
            services:
              a:
                operations:
                  x: {script: [{call: b/y}]}
              b:
                operations:
                  y: {script: [{parallel: [{call: c/z}]}]}
              c:
                operations:
                  z: {script: [{call: a/x}]}
            traffic: [{root: a/x, stages: [{duration: 1s, rate: 1}]}]
            """
        let issue = try #require(errors(text).first)
        #expect(issue.kind == .cycle)
        #expect(
            issue.message.contains(
                "`a/x` calls at 6:27 → `b/y` calls at 9:39 → `c/z` calls at 12:27 → `a/x`"))
    }
}
