import Testing

@testable import TraceCore

@Suite struct SamplerSpecificationTests {
    static let texts: [(String, Sampler)] = [
        ("always_on", .alwaysOn), ("ALWAYS_OFF", .alwaysOff),
        ("traceidratio", .traceIDRatio(1)), ("traceidratio:0.1", .traceIDRatio(0.1)),
        ("traceidratio:1e-3", .traceIDRatio(0.001)), ("traceidratio:.5", .traceIDRatio(0.5)),
        ("parentbased_always_on", .parentBased(root: .alwaysOn)),
        ("parentbased_always_off", .parentBased(root: .alwaysOff)),
        ("parentbased_traceidratio:0.25", .parentBased(root: .traceIDRatio(0.25))),
        ("parentbased:ratelimiting:500", .parentBased(root: .rateLimiting(tracesPerS: 500))),
        ("parentbased: always_on", .parentBased(root: .alwaysOn)),
        ("probability:0.1", .probability(0.1)),
        ("ratelimiting:0.5", .rateLimiting(tracesPerS: 0.5)),
        ("always_record:traceidratio:0.1", .alwaysRecord(.traceIDRatio(0.1))),
        ("adaptive:10", .adaptive(AdaptiveSettings(targetPerS: 10))),
        ("foreign:go:0.1", .foreign(.go, 0.1)), ("Foreign:Python:1", .foreign(.python, 1)),
        (
            "composite:parent_threshold:probability:0.1",
            .composite(.parentThreshold(root: .probability(0.1)))
        ),
        ("composite:always_on", .composite(.alwaysOn)),
        (
            "parentbased:always_record:parentbased:foreign:js:0.3",
            .parentBased(root: .alwaysRecord(.parentBased(root: .foreign(.js, 0.3))))
        ),
    ]

    @Test("One line of text says a sampler", arguments: texts)
    func text(text: String, sampler: Sampler) throws {
        #expect(try Sampler(text: text) == sampler)
    }

    static let wrong: [(text: String, path: String, problem: String, remedy: String)] = [
        ("", "\"\"", "there is none", "one of always_on, always_off, traceidratio"),
        ("jaeger", "\"jaeger\"", "\"jaeger\" is no sampler's name", "one of always_on"),
        ("always_on:1", "always_on", "\"1\" is too much", "`always_on` alone"),
        ("traceidratio:2", "traceidratio", "\"2\" is not a number from 0 to 1", "0.1 or 1e-3"),
        ("traceidratio:nan", "traceidratio", "\"nan\" is not a number", "0.1"),
        ("traceidratio:0.1:0.2", "traceidratio", "\"0.2\" is too much", "`traceidratio:0.1`"),
        ("probability", "probability", "its share is missing", "`probability:0.1`"),
        ("probability:", "probability", "its share is missing", "`probability:0.1`"),
        ("probability:x", "probability", "\"x\" is not a number from 0 to 1", "0.1"),
        ("ratelimiting", "ratelimiting", "its traces per second are missing", "500"),
        ("ratelimiting:0", "ratelimiting", "\"0\" is not a number above 0", "always_off"),
        ("ratelimiting:-5", "ratelimiting", "\"-5\" is not", "500"),
        ("ratelimiting:1e10", "ratelimiting", "\"1e10\" is not", "500"),
        ("adaptive:inf", "adaptive", "\"inf\" is not a number above 0", "500"),
        ("foreign", "foreign.algorithm", "it is missing", "one of erlang, go, java, python, js"),
        ("foreign:go", "foreign", "its share is missing", "`foreign:go:0.1`"),
        ("foreign:rust:0.1", "foreign.algorithm", "there is no \"rust\"", "one of erlang, go"),
        ("parentbased", "parentbased.root", "there is none", "one of always_on"),
        (
            "parentbased:parentbased:nothing", "parentbased.root.parentbased.root",
            "\"nothing\" is no sampler's name", "one of always_on"
        ),
        ("always_record:", "always_record.sampler", "there is none", "one of always_on"),
        (
            "composite:traceidratio:1", "composite.sampler",
            "\"traceidratio\" is no sampler's name", "one of always_on, always_off, probability"
        ),
        ("composite:rule_based", "composite.sampler.rule_based", "in one line", "a tree"),
        ("composite:any_of", "composite.sampler.any_of", "in one line", "a tree"),
        ("composite:annotating:always_on", "composite.sampler.annotating", "in one line", "a tree"),
    ]

    @Test("What is wrong is named, with where and what to write", arguments: wrong)
    func errors(text: String, path: String, problem: String, remedy: String) throws {
        let error = #expect(throws: SamplerError.self) { try Sampler(text: text) }
        guard case .badSpecification(let where_, let what, let instead) = try #require(error) else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(where_ == path && what.contains(problem) && instead.contains(remedy), "\(error!)")
    }

    @Test("A text without end is refused, not followed")
    func endless() {
        let text = String(repeating: "always_record:", count: 100_000) + "always_on"
        #expect(throws: SamplerError.self) { try Sampler(text: text) }
        let deep = String(repeating: "always_record:", count: 31) + "always_on"
        #expect(throws: Never.self) { try Sampler(text: deep) }
    }

    @Test("A tree says every sampler, with all it takes")
    func trees() throws {
        let on = SamplerSpecification(name: "always_on")
        let half = SamplerSpecification(name: "probability", argument: "0.5")
        let trees: [(SamplerSpecification, Sampler)] = [
            (
                SamplerSpecification(
                    name: "ParentBased",
                    children: [
                        "root": half, "remote_parent_sampled": .init(name: "always_off"),
                        "remote_parent_not_sampled": on, "local_parent_sampled": half,
                        "local_parent_not_sampled": on,
                    ]),
                .parentBased(
                    root: .probability(0.5), remoteParentSampled: .alwaysOff,
                    remoteParentNotSampled: .alwaysOn, localParentSampled: .probability(0.5),
                    localParentNotSampled: .alwaysOn)
            ),
            (
                SamplerSpecification(
                    name: "probability", argument: "0.1", settings: ["precision": "6"]),
                .probability(0.1, precision: 6)
            ),
            (
                SamplerSpecification(
                    name: "adaptive", argument: "2",
                    settings: ["interval": "5", "weight": "0.25", "keys": "40"]),
                .adaptive(
                    AdaptiveSettings(targetPerS: 2, intervalS: 5, weight: 0.25, keysMax: 40))
            ),
            (
                SamplerSpecification(
                    name: "foreign", argument: "0.2", settings: ["algorithm": "java"]),
                .foreign(.java, 0.2)
            ),
            (
                SamplerSpecification(
                    name: "composite",
                    children: ["sampler": .init(name: "any_of", samplers: [on, half])]),
                .composite(.anyOf([.alwaysOn, .probability(0.5)]))
            ),
        ]
        for (tree, sampler) in trees {
            let made = try Sampler(specification: tree)
            #expect(made == sampler && made.description == sampler.description)
        }
    }

    static let rules = SamplerSpecification(
        name: "composite",
        children: [
            "sampler": .init(
                name: "parent_threshold",
                children: [
                    "root": .init(
                        name: "rule_based",
                        rules: [
                            .init(names: ["GET /health*"], sampler: .init(name: "always_off")),
                            .init(
                                kinds: ["server"], parents: ["none"],
                                attributes: ["tenant": ["acme", "globex"], "debug": []],
                                attributePatterns: ["url.path": ["/shop/*"]],
                                sampler: .init(
                                    name: "annotating",
                                    children: ["sampler": .init(name: "always_on")],
                                    attributes: ["rule": "shop", "level": 2])),
                            .init(sampler: .init(name: "probability", argument: "0.5")),
                        ])
                ])
        ])

    @Test("Rules of a tree are asked in order")
    func rulesOfTree() throws {
        let sampler = try Sampler(specification: Self.rules)
        let program = SamplerProgram(sampler)
        func ask(
            _ name: String, _ kind: SpanKind = .server, _ pairs: [String: AttributeValue] = [:],
            low: UInt64 = 1, parent: SpanContext? = nil
        ) -> SamplingVerdict {
            var attributes = SpanAttributes()
            for (key, value) in pairs { attributes.set(AttributeKey(key), value) }
            return program.ask(
                parent: parent, traceID: parent?.traceID ?? TraceID(high: 1, low: low), name: name,
                kind: kind, attributes: attributes)
        }
        #expect(ask("GET /healthz", low: .max).decision == .drop)
        let shop: [String: AttributeValue] = [
            "tenant": "acme", "debug": false, "url.path": "/shop/cart",
        ]
        let kept = ask("GET /", .server, shop)
        #expect(kept.decision == .recordAndSample && kept.traceState.header == "ot=th:0")
        #expect(kept.attributes?[AttributeKey("rule")] == "shop")
        #expect(kept.attributes?[AttributeKey("level")] == 2)
        // One condition less, and the last rule is asked.
        for (kind, key, value) in [
            (SpanKind.client, "tenant", "acme"), (.server, "tenant", "initech"),
            (.server, "tenant", 7), (.server, "url.path", "/api"), (.server, "url.path", 3),
            (.server, "tenant", .strings(["acme"])),
        ] as [(SpanKind, String, AttributeValue)] {
            var pairs = shop
            pairs[key] = value
            #expect(ask("GET /", kind, pairs).decision == .drop)
            #expect(ask("GET /", kind, pairs, low: .max).traceState.header == "ot=th:8")
        }
        var withoutDebug = shop
        withoutDebug["debug"] = nil
        #expect(ask("GET /", .server, withoutDebug).decision == .drop)
        // A parent decides by itself.
        let parent = SpanContext(low: .max, .sampled, state: "ot=th:c")
        #expect(ask("GET /healthz", parent: parent).traceState.header == "ot=th:c")
        #expect(
            sampler.description
                == "CompositeSampler{ComposableParentThresholdSampler{ComposableRuleBasedSampler{"
                + "(name=GET /health*:ComposableAlwaysOffSampler),(kind=server & parent=none & debug"
                + " & tenant=acme|globex & url.path~/shop/*:ComposableAnnotatingSampler{"
                + "ComposableAlwaysOnSampler,{level=2,rule=shop}}),"
                + "(*:ComposableProbabilitySampler{0.500000})}}}")
    }

    static let wrongTrees: [(SamplerSpecification, path: String, problem: String)] = [
        (.init(name: "always_on", argument: "1"), "always_on", "it takes no argument"),
        (.init(name: "always_on", settings: ["x": "1"]), "always_on", "no setting \"x\""),
        (
            .init(name: "adaptive", argument: "1", settings: ["weight": "2"]), "adaptive.weight",
            "\"2\" does not fit"
        ),
        (
            .init(name: "adaptive", argument: "1", settings: ["keys": "1.5"]), "adaptive.keys",
            "\"1.5\" does not fit"
        ),
        (
            .init(name: "probability", argument: "1", settings: ["precision": "15"]),
            "probability.precision", "\"15\" does not fit"
        ),
        (.init(name: "parentbased"), "parentbased", "its part \"root\" is missing"),
        (
            .init(
                name: "parentbased",
                children: ["root": .init(name: "always_on"), "rooot": .init(name: "always_on")]),
            "parentbased", "it has no part \"rooot\""
        ),
        (
            .init(name: "always_on", children: ["root": .init(name: "always_on")]), "always_on",
            "it has no part \"root\""
        ),
        (
            .init(name: "always_record", samplers: [.init(name: "always_on")]), "always_record",
            "its part \"sampler\" is missing"
        ),
        (
            .init(name: "composite", children: ["sampler": .init(name: "any_of")]),
            "composite.sampler.any_of", "its list of samplers is empty"
        ),
        (
            .init(name: "composite", children: ["sampler": .init(name: "rule_based")]),
            "composite.sampler.rule_based", "it has no rules"
        ),
        (
            .init(
                name: "composite",
                children: [
                    "sampler": .init(
                        name: "rule_based",
                        rules: [
                            .init(sampler: .init(name: "always_on")),
                            .init(kinds: ["sever"], sampler: .init(name: "always_on")),
                        ])
                ]), "composite.sampler.rule_based[1].kinds", "there is no \"sever\""
        ),
        (
            .init(
                name: "composite",
                children: [
                    "sampler": .init(
                        name: "any_of",
                        samplers: [
                            .init(name: "always_on"), .init(name: "probability", argument: "7"),
                        ])
                ]), "composite.sampler.any_of[1].probability", "\"7\" is not a number"
        ),
        (
            .init(
                name: "composite",
                children: [
                    "sampler": .init(
                        name: "annotating", children: ["sampler": .init(name: "always_on")])
                ]), "composite.sampler.annotating", "it has no attributes"
        ),
        (
            .init(
                name: "traceidratio",
                rules: [.init(sampler: .init(name: "always_on"))]), "traceidratio",
            "it takes no rules"
        ),
        (
            .init(name: "traceidratio", attributes: ["a": 1]), "traceidratio",
            "it takes no attributes"
        ),
        (
            .init(name: "traceidratio", samplers: [.init(name: "always_on")]), "traceidratio",
            "it takes no list"
        ),
    ]

    @Test("What is wrong in a tree is named by its place")
    func wrongTrees() throws {
        for (tree, path, problem) in Self.wrongTrees {
            let error = #expect(throws: SamplerError.self) { try Sampler(specification: tree) }
            guard case .badSpecification(let where_, let what, let remedy) = try #require(error)
            else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(where_ == path && what.contains(problem) && !remedy.isEmpty, "\(error!)")
        }
    }

    @Test("Every form can be made, and every name of the environment is a form")
    func forms() throws {
        for form in SamplerForm.samplers {
            var tree = SamplerSpecification(name: form.name)
            if form.argument != .none { tree.argument = "0.5" }
            if form.settings.contains("algorithm") { tree.settings["algorithm"] = "go" }
            for part in form.requiredChildren { tree.children[part] = .init(name: "always_on") }
            #expect(throws: Never.self) { try Sampler(specification: tree) }
        }
        #expect(Set(Sampler.names).isSubset(of: SamplerForm.samplers.map(\.name)))
        #expect(Set(SamplerForm.samplers.map(\.name)).count == SamplerForm.samplers.count)
    }
}
