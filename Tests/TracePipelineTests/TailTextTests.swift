import Testing
import TraceCore

@testable import TracePipeline

/// Tail sampling in a line of text: what it says, what is wrong with it and where.
@Suite struct TailTextTests {
    @Test("The usual line")
    func usual() throws {
        let tail = try TailSampling(text: "tail:errors+slow:500ms+ratio:0.01")
        #expect(
            tail
                == TailSampling(
                    .errors, .latency(atLeastNs: 500_000_000), .probabilistic(0.01)))
        #expect(tail.policies.map(\.name) == ["errors", "slow:500ms", "ratio:0.01"])
        #expect("\(tail)" == "tail:errors+slow:500ms+ratio:0.01")
    }

    @Test("Everything that can be said")
    func everything() throws {
        let tail = try TailSampling(
            text: "tail:wait:2.5s+traces:1000+memory:64MiB+kept:10+dropped:0+status:ok|unset"
                + "+slow:1ms..2m+ratio:1e-3:salt+rate:0.5+spans:..7+spans:2+num:a.b!=-5..1e+2"
                + "+flag:\"odd \\\"key\\\"\"=false+attr:k~\"a+b\"|\"c\"+state:v=\"x y\"+not(always)"
                + "+drop(and(errors,spans:2..3),always)+composite(100,errors@12.5%,always)")
        var expected = TailSampling(
            .status([.ok, .unset]),
            .latency(atLeastNs: 1_000_000, atMostNs: 120_000_000_000),
            .probabilistic(0.001, salt: "salt"), .rateLimiting(spansPerS: 0.5),
            .spanCount(atLeast: 0, atMost: 7), .spanCount(atLeast: 2),
            .attribute(.init("a.b", .number(atLeast: -5, atMost: 100), isInverted: true)),
            .attribute(.init("odd \"key\"", .flag(false))),
            .attribute(.init("k", .patterns(["a+b", "c"]))),
            .traceState(key: "v", values: ["x y"]), .not(.always),
            .drop([.and([.errors, .spanCount(atLeast: 2, atMost: 3)]), .always]),
            .composite(
                TailComposite(
                    spansPerS: 100, [.init(.errors, share: 0.125), .init(.always)])))
        expected.decisionWaitMs = 2_500
        expected.tracesMax = 1_000
        expected.memoryBytesMax = 64 << 20
        (expected.keptDecisionsMax, expected.droppedDecisionsMax) = (10, 0)
        #expect(tail == expected)
    }

    struct Wrong: Sendable, CustomTestStringConvertible {
        var text: String
        var character: Int
        var says: String
        var testDescription: String { text }
    }

    @Test(
        "What is wrong is said with its place and what to write instead",
        arguments: [
            Wrong(text: "errors", character: 1, says: "`tail:` and policies"),
            Wrong(text: "tail:", character: 6, says: "a policy is missing"),
            Wrong(text: "tail:errors+", character: 13, says: "a policy is missing"),
            Wrong(text: "tail:errors+slwo:5ms", character: 13, says: "no policy \"slwo\""),
            Wrong(text: "tail:errors slow:5ms", character: 12, says: "is too much"),
            Wrong(text: "tail:slow:500", character: 11, says: "has a unit"),
            Wrong(text: "tail:slow:2s..1s", character: 15, says: "not above the lower"),
            Wrong(text: "tail:slow", character: 10, says: "`slow:` and what it takes"),
            Wrong(text: "tail:ratio:1.5", character: 12, says: "from 0 to 1"),
            Wrong(text: "tail:ratio:x", character: 12, says: "a number is missing"),
            Wrong(text: "tail:rate:0", character: 11, says: "above 0"),
            Wrong(text: "tail:status:bad", character: 13, says: "unset, ok or error"),
            Wrong(text: "tail:attr:=x", character: 11, says: "is missing"),
            Wrong(text: "tail:attr:k=\"x", character: 13, says: "not closed"),
            Wrong(text: "tail:attr:k~\"(\"", character: 1, says: "a \")\" is missing"),
            Wrong(text: "tail:flag:k=yes", character: 13, says: "neither true nor false"),
            Wrong(text: "tail:and(errors", character: 16, says: "another rule, or `)`"),
            Wrong(text: "tail:and(drop(errors))", character: 10, says: "no other rule"),
            Wrong(text: "tail:not(errors,always)", character: 6, says: "`not` takes one rule"),
            Wrong(text: "tail:errors+errors", character: 13, says: "already"),
            Wrong(text: "tail:wait:1s+wait:2s+errors", character: 14, says: "twice"),
            Wrong(text: "tail:wait:1ns+errors", character: 6, says: "whole milliseconds"),
            Wrong(text: "tail:traces:1.5+errors", character: 13, says: "whole number"),
            Wrong(text: "tail:memory:1XiB+errors", character: 13, says: "`memory:300MiB`"),
            Wrong(text: "tail:memory:1MiB+errors", character: 1, says: "of which its tables take"),
            Wrong(
                text: "tail:composite(10,errors@90%,always@20%)", character: 1, says: "come to 1"),
            Wrong(text: "tail:spans:..", character: 14, says: "both bounds are missing"),
        ])
    func wrong(row: Wrong) {
        #expect {
            try TailSampling(text: row.text)
        } throws: { error in
            guard let error = error as? TailSamplingError else { return false }
            #expect("\(error)".contains(row.says), "\(error)")
            #expect(error.character == row.character, "\(error)")
            return "\(error)".contains("; write ")
        }
    }

    @Test(
        "What is written is read as the same, whatever it is",
        arguments: 1...20 as ClosedRange<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var random = TailRandom(seed: seed)
        for _ in 0..<50 {
            var tail = TailSampling([])
            while tail.policies.count < 3 {
                let policy = TailPolicy(Self.rule(&random, depth: 0))
                if !tail.policies.contains(where: { $0.name == policy.name }) {
                    tail.policies.append(policy)
                }
            }
            tail.decisionWaitMs = 1 + Int(random.next() % 100_000)
            tail.tracesMax = 1 + Int(random.next() % 10_000)
            #expect(try TailSampling(text: tail.description) == tail, "\(tail)")
        }
    }

    private static func rule(_ random: inout TailRandom, depth: Int) -> TailRule {
        let texts = ["a", "/x/{id}", "with \"quotes\"", "a+b,c|d", "größe", "\\"]
        func text() -> String { texts[Int(random.next() % 6)] }
        switch random.next() % (depth < 2 ? 13 : 9) {
        case 0: return .always
        case 1: return .latency(atLeastNs: random.next() % 5_000_000_000)
        case 2: return .latency(atLeastNs: 5, atMostNs: 6 + random.next() % 1_000_000)
        case 3: return .status([.error, .ok])
        case 4:
            return .attribute(
                .init(text(), .texts([text(), text()]), isInverted: random.next() % 2 == 0))
        case 5:
            return .attribute(
                .init(
                    text(), .number(atLeast: Double(random.next() % 1_000) / 8, atMost: nil),
                    isInverted: random.next() % 2 == 0))
        case 6: return .traceState(key: text(), values: [text()])
        case 7: return .probabilistic(Double(random.next() % 1_001) / 1_000, salt: text())
        case 8: return .spanCount(atLeast: Int(random.next() % 5), atMost: 5)
        case 9: return .and([rule(&random, depth: depth + 1), rule(&random, depth: depth + 1)])
        case 10: return .not(rule(&random, depth: depth + 1))
        case 11 where depth == 0: return .drop([rule(&random, depth: depth + 1)])
        default:
            return .composite(
                TailComposite(
                    spansPerS: Double(1 + random.next() % 10_000) / 4,
                    [
                        .init(
                            rule(&random, depth: depth + 1),
                            share: Double(1 + random.next() % 49) / 100),
                        .init(rule(&random, depth: depth + 1)),
                    ]))
        }
    }

    @Test("No text crashes or hangs", arguments: 1...8 as ClosedRange<UInt64>)
    func garbage(seed: UInt64) {
        var random = TailRandom(seed: seed)
        let pieces = [
            "tail:", "and(", "not(", "composite(", ")", ",", "+", "@", "%", "..", ":", "=", "~",
            "!",
            "slow", "ratio", "attr", "num", "\"", "\\", "5", "e9", "ms", "-", "ü", "errors",
            "drop(",
        ]
        for _ in 0..<2_000 {
            var text = "tail:"
            for _ in 0..<random.next() % 12 { text += pieces[Int(random.next() % 27)] }
            _ = try? TailSampling(text: text)
        }
        _ = try? TailSampling(text: "tail:" + String(repeating: "not(", count: 100_000))
    }

    @Test("Settings that cannot be used are refused, each by its name")
    func refused() {
        func refuses(_ part: String, _ change: (inout TailSampling) -> Void) {
            var tail = TailSampling(.always)
            change(&tail)
            #expect {
                try tail.validate()
            } throws: { "\($0)".contains(part) }
        }
        refuses("decisionWaitMs") { $0.decisionWaitMs = 0 }
        refuses("tracesMax") { $0.tracesMax = 0 }
        refuses("memoryBytesMax") { $0.memoryBytesMax = 1 << 20 }
        refuses("keptDecisionsMax") { $0.keptDecisionsMax = -1 }
        refuses("without a policy") { $0.policies = [] }
        refuses("a name of its own") { $0.policies += $0.policies }
        refuses("from 0 to 1") { $0.policies = [TailPolicy(.probabilistic(.nan))] }
        refuses("spans a second") {
            $0.policies = [TailPolicy(.rateLimiting(spansPerS: .infinity))]
        }
        refuses("no bound") { $0.policies = [TailPolicy(.attribute(.init("k", .number())))] }
        refuses("nothing in it") { $0.policies = [TailPolicy(.and([]))] }
        refuses("65 conditions") { tail in
            tail.policies = (0..<65).map { TailPolicy(.attribute(.init("k\($0)", .flag(true)))) }
        }
        refuses("16 deep") { tail in
            tail.policies = [TailPolicy((0..<20).reduce(.always) { rule, _ in .not(rule) })]
        }
        var configuration = TracingConfiguration()
        configuration.processor = .simple
        configuration.batch.tail = TailSampling(.always)
        #expect(throws: ConfigurationError.self) { try configuration.validate() }
    }
}
