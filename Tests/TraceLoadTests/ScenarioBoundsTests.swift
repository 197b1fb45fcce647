import Testing

@testable import TraceLoad

/// Files that ask for too much: deep, wide, large, or full of aliases. And the words that errors suggest.
@Suite struct ScenarioBoundsTests {
    @Test func `Calls nested too deep are refused, in whatever order they are written`() {
        for isReversed in [false, true] {
            var names = Array(0..<150)
            if isReversed { names.reverse() }
            let operations = names.map {
                $0 == 149 ? "o149: {self: 1ms}" : "o\($0): {script: [{call: s/o\($0 + 1)}]}"
            }
            let text = """
                version: 1
                name: deep
                services: {s: {operations: {\(operations.joined(separator: ", "))}}}
                traffic: [{root: s/o0, stages: [{duration: 1s, rate: 1}]}]
                """
            #expect(errors(text).contains { $0.message.contains("nested more than 100 deep") })
        }
    }

    @Test func `A bomb of aliases is refused before anything is composed`() throws {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<12 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        text += "? *a11\n: boom\n"
        // Composing it would take all memory there is.
        #expect(errors(text).map(\.kind) == [.anchor])
        #expect(errors(text).map(\.position) == [SourcePosition(line: 1, column: 5)])
    }

    /// Texts that hide an alias from a reader who takes a quote or a bar for what it is not.
    @Test(arguments: [
        "a: b\n  \"c\nd: *e\n", "a: b\n  'c\nd: *e\n", "a: b\n  |\n  c\nd: *e\n",
        "- b\n \"c\n- *e\n", "a: {b: c\n \"d, e: *f}\n", "a: b # c\n# \"\nd: *e\n",
        "a: \"b\n  c\"\nd: *e\n", "a: |2\n   \"\nd: *e\n", "a: !t *e\n", "[a, *e]: b\n",
    ])
    func `An alias is found behind whatever stands in front of it`(_ text: String) {
        #expect(
            [.anchor, .wrongType, .notYAML].contains(errors(text).first?.kind), "\(errors(text))")
        #expect(errors(text).count == 1)
    }

    @Test(arguments: [
        "description: \"a & b, *not an alias*\"", "description: 'it''s *fine*'",
        "description: a * b & c", "description: |\n  * a list\n  & more",
        "description: >-\n  *x*\n",
        "description: plain # *comment &x", "description: \"\\\" *x\"",
        "description: a\n  *b &c",
    ])
    func `Ampersands and asterisks in texts are no anchors`(_ line: String) {
        #expect(!errors("version: 1\n\(line)\nname: x\n").contains { $0.kind == .anchor })
    }

    /// Text, kind and place.
    static let hostile: [(String, ScenarioIssue.Kind, Int, Int)] = [
        ("version: 1\nname: " + String(repeating: "x", count: 1 << 20), .tooLarge, 1, 1),
        ("a: [" + String(repeating: "1,", count: 100_001) + "1]\n", .tooLarge, 1, 199_999),
        // Brackets are read ahead of for as long as a key may be, 1024 characters.
        (String(repeating: "[", count: 1 << 20), .tooLarge, 1, 1026),
        (
            String(repeating: "[", count: 1 << 19) + String(repeating: "]", count: 1 << 19),
            .tooLarge, 1, 1026
        ),
        (String(repeating: "{a: ", count: 1 << 18), .tooLarge, 1, 401),
        (String(repeating: "- ", count: 1 << 19), .tooLarge, 1, 201),
        (String(repeating: "? ", count: 1 << 19), .wrongType, 1, 3),
        ("? [a]\n: b\n", .wrongType, 1, 3),
        ("{{a: 1}: 2}\n", .wrongType, 1, 2),
        ("name: \"a\u{0}b\"\n", .notYAML, 1, 9),
        ("name: a\nfoo: \u{7}\n", .notYAML, 2, 6),
        (String(repeating: "\u{0}", count: 1 << 20), .notYAML, 1, 1),
        ("name: é \u{0}\n", .notYAML, 1, 9),
    ]

    @Test(arguments: 0..<hostile.count)
    func `What would be too much to read is refused where it begins`(_ number: Int) {
        let (text, kind, line, column) = Self.hostile[number]
        let issues = errors(text)
        #expect(issues.map(\.kind) == [kind])
        #expect(issues.map(\.position) == [SourcePosition(line: line, column: column)])
    }

    @Test func `Every key that stands twice is reported, and no more than a hundred of them`() {
        let twice = errors("a: 1\nb: {c: 1, c: 2}\na: 2\n")
        #expect(twice.map(\.kind) == [.duplicateKey, .duplicateKey])
        #expect(
            twice.map(\.position) == [
                SourcePosition(line: 2, column: 11), SourcePosition(line: 3, column: 1),
            ])
        #expect(twice[1].message.contains("`a` stands twice in the same mapping, first at 1:1"))
        let many = "{" + String(repeating: "a: 1, ", count: 5000) + "}"
        #expect(errors(many).count == 100)
    }

    @Test func `A file that is no text is refused where it stops being one`() throws {
        let bytes = Array("version: 1\nname: é".utf8) + [0xFF, 0xFE]
        let issue = try #require(ScenarioDocumentProbe.read(bytes: bytes))
        #expect(issue.kind == .notYAML)
        #expect(issue.position == SourcePosition(line: 2, column: 8))
        #expect(ScenarioDocumentProbe.readMissing() == .unreadable)
    }

    @Test func `A byte order mark is no part of the text`() throws {
        let text = Array("\u{FEFF}version: 2\nname: x\n".utf8)
        let issue = try #require(ScenarioDocumentProbe.read(bytes: text))
        #expect(issue.position == SourcePosition(line: 1, column: 1))
        #expect(issue.kind == .missingKey)
    }

    @Test func `Too many attributes in one place are refused`() {
        let attributes = (0..<1001).map { "k\($0): 1" }.joined(separator: ", ")
        let text = """
            version: 1
            name: wide
            services: {s: {operations: {o: {attributes: {\(attributes)}}}}}
            traffic: [{root: s/o, stages: [{duration: 1s, rate: 1}]}]
            """
        #expect(errors(text).map(\.kind) == [.tooLarge])
    }

    @Test func `Patches that stand for too many operations are refused`() {
        let operations = (0..<2000).map { "o\($0): {}" }.joined(separator: ", ")
        let incidents = (0..<20).map {
            "{name: i\($0), at: \($0)s, for: 1s, set: {s/*.self: 2ms}}"
        }
        let text = """
            version: 1
            name: wide
            services: {s: {operations: {\(operations)}}}
            traffic: [{root: s/o1, stages: [{duration: 1s, rate: 1}]}]
            incidents: [\(incidents.joined(separator: ", "))]
            """
        let issues = errors(text)
        #expect(issues.map(\.kind) == [.tooLarge])
        #expect(issues[0].message.contains("100000 values"))
    }

    @Test func `A thousand mistakes are enough, and long ones are cut`() {
        let keys = (0..<3000).map { "k\($0): 1" }.joined(separator: ", ")
        #expect(errors("{\(keys)}").count == 1000)
        let long = String(repeating: "y", count: 500_000)
        let issues = errors("version: \(long)\n")
        #expect(issues.allSatisfy { $0.message.utf8.count < 1300 })
    }

    /// Spans of a trace that begins with an operation of this script, as the message says them.
    private func mostSpans(_ script: String) -> String? {
        let text = """
            version: 1
            name: large
            services:
              s: {operations: {o: {script: [\(script)]}, p: {}, db: {type: database}, m: {type: messaging}}}
              t: {operations: {GET /t: {type: http}}}
            traffic: [{root: s/o, stages: [{duration: 1s, rate: 1}]}]
            """
        let message = errors(text).first { $0.message.hasPrefix("a trace can have ") }?.message
        return message.map { String($0.dropFirst("a trace can have ".count).prefix { $0 != " " }) }
    }

    @Test func `Spans of a trace are counted as they would come, and capped at 10,000`() {
        #expect(mostSpans("{call: {to: s/p, repeat: 9999}}") == nil)
        #expect(mostSpans("{call: {to: s/p, repeat: 10000}}") == "10001")
        #expect(mostSpans("{call: {to: s/db, repeat: 10000}}") == "10001")
        // With a client span each, and with the producer's.
        #expect(mostSpans("{call: {to: t/GET /t, repeat: 5000}}") == "10001")
        #expect(mostSpans("{call: {to: t/GET /t, repeat: 5000, client_span: false}}") == nil)
        #expect(
            mostSpans("{call: {to: s/p, repeat: 9999}}, {publish: s/m}") == "10002")
        #expect(mostSpans("{call: {to: s/p, repeat: 5000, retries: 2}}") == "15001")
        #expect(mostSpans("{call: {to: t/GET /t, repeat: 10, fan_out: 501}}") == "10021")
        // Whichever component of a mixture it is that reaches furthest.
        let mixed =
            "{call: {to: s/p, repeat: {mix: [{weight: 1, dist: 10000}, {weight: 1, dist: 1}]}}}"
        #expect(mostSpans(mixed) == "10001")
        let choice = "{choose: [{weight: 1, script: [{call: {to: s/p, repeat: 6000}}]}, "
        #expect(
            mostSpans(choice + "{weight: 1, script: [{call: {to: s/p, repeat: 9999}}]}]}") == nil)
        #expect(
            mostSpans(choice + "{weight: 1, script: [{call: {to: s/db, repeat: 10000}}]}]}")
                == "10001")
    }

    @Test func `More instances than plans can number are refused`() {
        let services = (0..<7).map { "s\($0): {instances: 9000, operations: {o: {}}}" }
        let text = """
            version: 1
            name: wide
            services: {\(services.joined(separator: ", "))}
            traffic: [{root: s0/o, stages: [{duration: 1s, rate: 1}]}]
            """
        #expect(errors(text).map(\.kind) == [.tooLarge])
    }

    /// A service with that head and those attributes.
    private static func laidOut(_ head: String, attributes: [String]) -> String {
        """
        version: 1
        name: laid out
        services: {s: {\(head)operations: {o: {attributes: {\(attributes.joined(separator: ", "))}}}}}
        traffic: [{root: s/o, stages: [{duration: 1s, rate: 1}]}]
        """
    }

    private static func longPrefix(_ count: Int) -> String { String(repeating: "p", count: count) }

    /// What a service begins with, its attributes, and which of them is too much.
    static let tooLarge: [(head: String, attributes: [String], tooMuch: String)] = [
        // Different ones: each has a table of its own.
        ("", (0..<40).map { "k\($0): {zipf: {cardinality: 1000000, prefix: p\($0)}}" }, "k13"),
        ("", ["k: {zipf: {cardinality: 1000000, prefix: \(longPrefix(600))}}"], "k"),
        (
            "instances: 10000, resource: {r: {string: {length: 65536}}}, ", ["k: 1"], "r"
        ),
        (
            "instances: 10000, ",
            (0..<1000).map { "k\($0): {unique: u, per: instance}" }, "k662"
        ),
        (
            "instances: 10000, ",
            ["k: {zipf: {cardinality: 9, prefix: \(longPrefix(60_000))}, per: instance}"],
            "k"
        ),
    ]

    @Test(arguments: 0..<tooLarge.count)
    func `More values than a machine has room for are refused before they are laid out`(
        _ number: Int
    ) throws {
        let (head, attributes, tooMuch) = Self.tooLarge[number]
        let issues = errors(Self.laidOut(head, attributes: attributes))
        #expect(issues.map(\.kind) == [.tooLarge])
        let issue = try #require(issues.first)
        #expect(
            issue.message.hasPrefix("with `\(tooMuch)` the values laid out before the run take"))
        #expect(issue.position.line == 3)
    }

    @Test func `The same values in many places are laid out once`() throws {
        let attributes = (0..<900).map {
            "k\($0): {zipf: {cardinality: 20000, s: 1.5, prefix: p}}"
        }
        let other = ["other: {zipf: {cardinality: 500, s: 1.5, prefix: p}}"]
        let text = Self.laidOut("", attributes: attributes + other)
        let compiled = CompiledScenario(try Scenario.parse(text, file: "t.yaml"))
        #expect(compiled.model.aliases.count == 20_500)
        #expect(compiled.model.values.count == 20_500)
    }

    @Test func `A mixture's longest text counts, wherever it stands in the mixture`() {
        let lengths = [
            "{mix: [{weight: 1, dist: 1000000000000}, {weight: 1, dist: 1}]}",
            "{mix: [{weight: 1, dist: 1}, {weight: 1, dist: 1000000000000}]}",
            "{mix: [{weight: 1, dist: {uniform: [-9, 1]}}, {weight: 1, dist: 1}]}",
        ]
        for length in lengths {
            let text = Self.laidOut(
                "", attributes: ["k: {string: {length: \(length)}, per: instance}"])
            #expect(errors(text).map(\.kind) == [.badGenerator], "\(length)")
        }
        let unreached = "{mix: [{weight: 0, dist: 1000000000000}, {weight: 1, dist: 1}]}"
        let text = Self.laidOut("", attributes: ["k: {string: {length: \(unreached)}}"])
        #expect(errors(text).isEmpty)
    }

    @Test func `The nearest word is found within reason`() {
        #expect(nearestWord(to: "instnaces", among: ["instances", "resource"]) == "instances")
        #expect(nearestWord(to: "Rate", among: ["rate"]) == "rate")
        #expect(nearestWord(to: "abcdefgh", among: ["rate", "shape"]) == nil)
        #expect(editDistance(Array("kitten".utf8), Array("sitting".utf8)) == 3)
        #expect(editDistance(Array("ab".utf8), Array("ba".utf8)) == 1)
        #expect(editDistance([], Array("abc".utf8)) == 3)
    }
}
