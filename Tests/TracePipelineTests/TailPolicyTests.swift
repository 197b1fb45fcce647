import Testing
import TraceCore

@testable import TracePipeline

/// Every policy against a table of traces, and how policies go together.
@Suite struct TailPolicyTests {
    /// Nine traces that differ in one thing each.
    private static let spans: [TailSpan] = [
        TailSpan(trace: 1),
        TailSpan(trace: 2, status: .ok),
        TailSpan(trace: 3), TailSpan(trace: 3, status: .error),
        TailSpan(trace: 4, startMs: 0, endMs: 500),
        // Latency is from the earliest start to the latest end, whatever is in between.
        TailSpan(trace: 5, startMs: 900, endMs: 1_000), TailSpan(trace: 5, startMs: 0, endMs: 1),
        TailSpan(
            trace: 6,
            attributes: [
                ("http.route", .string("/api/orders")), ("size", .int(50)), ("cached", .bool(true)),
            ]),
        TailSpan(
            trace: 7,
            attributes: [
                ("http.route", .string("/health")), ("size", .double(99.5)),
                ("cached", .bool(false)),
            ]),
        TailSpan(trace: 8, service: 1), TailSpan(trace: 8), TailSpan(trace: 8),
        TailSpan(trace: 9, traceState: "other=1,vendor=gold"),
        TailSpan(trace: 9, attributes: [("size", .string("50")), ("http.route", .int(7))]),
    ]
    private static let all = Set<UInt64>(1...9)

    struct Row: Sendable, CustomTestStringConvertible {
        var rule: String
        var kept: Set<UInt64>
        var testDescription: String { rule }
    }

    static let table: [Row] = [
        Row(rule: "always", kept: all),
        Row(rule: "errors", kept: [3]),
        Row(rule: "status:ok", kept: [2]),
        Row(rule: "status:ok|error", kept: [2, 3]),
        Row(rule: "status:unset", kept: all.subtracting([2])),
        Row(rule: "slow:500ms", kept: [4, 5]),
        Row(rule: "slow:501ms", kept: [5]),
        Row(rule: "slow:0s", kept: all),
        Row(rule: "slow:10ms..500ms", kept: [4]),
        Row(rule: "slow:500ms..1s", kept: [5]),
        Row(rule: "slow:500ms..999ms", kept: []),
        Row(rule: "attr:http.route=/health|/ready", kept: [7]),
        Row(rule: "attr:http.route!=/health", kept: all.subtracting([7])),
        Row(rule: "attr:http.route~\"^/api/\"", kept: [6]),
        Row(rule: "attr:http.route!~\"^/(api|health)\"", kept: all.subtracting([6, 7])),
        Row(rule: "attr:size=50", kept: [9]),
        Row(rule: "attr:service.name=back", kept: [8]),
        Row(rule: "attr:deployment.environment=test", kept: [8]),
        Row(rule: "attr:deployment.environment!=test", kept: all.subtracting([8])),
        Row(rule: "num:size=50..99.5", kept: [6, 7]),
        Row(rule: "num:size=51..", kept: [7]),
        Row(rule: "num:size=..50", kept: [6]),
        Row(rule: "num:size=50", kept: [6]),
        Row(rule: "num:size!=50..", kept: all.subtracting([6, 7])),
        Row(rule: "flag:cached=true", kept: [6]),
        Row(rule: "flag:cached=false", kept: [7]),
        Row(rule: "flag:cached!=true", kept: all.subtracting([6])),
        Row(rule: "state:vendor=gold|silver", kept: [9]),
        Row(rule: "state:vendor=silver", kept: []),
        Row(rule: "state:other=1", kept: [9]),
        Row(rule: "spans:2", kept: [3, 5, 8, 9]),
        Row(rule: "spans:2..2", kept: [3, 5, 9]),
        Row(rule: "spans:..1", kept: [1, 2, 4, 6, 7]),
        Row(rule: "ratio:0", kept: []),
        Row(rule: "ratio:1", kept: all),
        Row(rule: "and(spans:2,errors)", kept: [3]),
        Row(rule: "and(spans:2,errors,slow:1s)", kept: []),
        Row(rule: "not(spans:2)", kept: [1, 2, 4, 6, 7]),
        Row(rule: "not(not(errors))", kept: [3]),
        Row(rule: "and(not(errors),spans:2)", kept: [5, 8, 9]),
        Row(rule: "rate:1000", kept: all),
        Row(rule: "composite(1000,errors@50%,spans:3@25%)", kept: [3, 8]),
    ]

    @Test("A policy keeps the traces that it should, and no other", arguments: table)
    func policy(row: Row) throws {
        let tail = try TailSampling(text: "tail:" + row.rule)
        let harness = try TailHarness(tail)
        harness.end(Self.spans)
        #expect(harness.keptTraces() == row.kept)
        let figures = harness.figures
        #expect(figures.decisions.map(\.keptTraces) == [UInt64(row.kept.count)])
        #expect(figures.keptTraces == UInt64(row.kept.count))
        #expect(figures.droppedTraces == UInt64(9 - row.kept.count))
        #expect(figures.unwantedTraces == figures.droppedTraces)
        // Whole traces: every span of a kept one is there.
        #expect(
            harness.exported == Self.spans.filter { row.kept.contains($0.trace) }.count)
    }

    @Test(
        "Drop goes before keep wherever it stands, and the first that keeps is the one that decided"
    )
    func together() throws {
        let harness = try TailHarness(
            TailSampling(
                text:
                    "tail:errors+spans:2+always+drop(attr:http.route=/health)+drop(errors,slow:1s)")
        )
        harness.end(Self.spans + [TailSpan(trace: 10, endMs: 1_000, status: .error)])
        #expect(harness.keptTraces() == Self.all.subtracting([7]))
        let decisions = harness.figures.decisions
        #expect(
            decisions.map(\.policy) == [
                "errors", "spans:2", "always", "drop(attr:http.route=/health)",
                "drop(errors,slow:1s)",
            ])
        #expect(decisions.map(\.keptTraces) == [1, 3, 4, 0, 0])
        #expect(decisions.map(\.droppedTraces) == [0, 0, 0, 1, 1])
        #expect(harness.figures.unwantedTraces == 0)
    }

    @Test("Recall is 1 where memory suffices: every error and every slow trace among ten thousand")
    func recall() throws {
        var random = TailRandom(seed: 3)
        var spans: [TailSpan] = []
        var wanted: Set<UInt64> = []
        for trace in 1...UInt64(10_000) {
            let start = trace * 2
            let isSlow = random.next() % 200 == 0
            let isError = random.next() % 100 == 0
            if isSlow || isError { wanted.insert(trace) }
            for number in 0..<3 {
                spans.append(
                    TailSpan(
                        trace: trace, startMs: start,
                        endMs: start + (isSlow && number == 1 ? 700 : 20),
                        status: isError && number == 2 ? .error : .unset))
            }
        }
        let harness = try TailHarness(TailSampling(text: "tail:errors+slow:500ms+wait:5s"))
        harness.end(spans)
        #expect(harness.keptTraces() == wanted)
        #expect(harness.exported == 3 * wanted.count)
        #expect(harness.figures.droppedTooEarlyTraces == 0 && harness.figures.lateAges.count == 0)
    }

    @Test("Spans that the head sampler dropped are neither counted nor missed")
    func unsampledSpans() throws {
        struct Odd: CustomSampler {
            var description: String { "Odd" }
            func sample(_ request: SamplingRequest) -> SamplingResult {
                SamplingResult(request.name == "span" ? .recordAndSample : .recordOnly)
            }
        }
        let harness = try TailHarness(try TailSampling(text: "tail:spans:2..2")) {
            $0.sampler = .custom(Odd())
        }
        let quiet = harness.pipeline.provider.tracer(name: "quiet")
        for trace in [1, 1, 2] as [UInt64] {
            harness.end(TailSpan(trace: trace), number: UInt64.random(in: 1 ... .max / 2))
            let span = quiet.startSpan(
                SpanName("silent"), at: TailHarness.epochNs,
                identity: SpanIdentity(
                    traceID: TailHarness.traceID(trace), spanID: SpanID(rawValue: 99)))
            span.setStatus(.error)
            span.end(at: TailHarness.epochNs + 1)
        }
        #expect(harness.keptTraces() == [1])
        #expect(harness.exporter.finishedSpans.allSatisfy { $0.name == "span" })
    }

    @Test("Several services and scopes of one trace go out together, each under its own resource")
    func resources() throws {
        let harness = try TailHarness(TailSampling(.errors))
        harness.end([
            TailSpan(trace: 1), TailSpan(trace: 1, status: .error, service: 1), TailSpan(trace: 1),
            TailSpan(trace: 2, service: 1),
        ])
        #expect(harness.keptTraces() == [1])
        let services = harness.exporter.finishedSpans.map { span in
            span.resource.first { $0.key == "service.name" }?.value.description ?? ""
        }
        #expect(services.sorted() == ["back", "front", "front"])
        #expect(Set(harness.exporter.finishedSpans.map(\.scope.name)) == ["a", "b"])
    }

    @Test("A share is that of a collector: FNV-1a of salt and trace id, up to a threshold")
    func share() {
        // Made by Tests/TracePipelineTests/tail_share.py, which has an implementation of its own.
        let vectors: [(String, UInt64, UInt64, UInt64)] = TailShareVectors.hashes
        for (salt, high, low, hash) in vectors {
            #expect(
                TraceShare(0.5, salt: salt).hash(TraceID(high: high, low: low)) == hash, "\(salt)")
        }
        for (share, traces) in TailShareVectors.kept {
            let rule = TraceShare(share, salt: "")
            let kept = (0..<UInt64(1_000)).filter {
                rule.contains(TraceID(high: SpanChecksum.mix($0), low: SpanChecksum.mix($0 &+ 9)))
            }
            #expect(kept.count == traces, "\(share)")
        }
    }

    @Test("A larger share keeps all that a smaller one keeps; another salt keeps others")
    func shares() {
        let ids = (0..<UInt64(20_000)).map {
            TraceID(high: SpanChecksum.mix($0 &+ 1), low: SpanChecksum.mix($0 &* 3))
        }
        var before: Set<TraceID> = []
        for share in [0, 0.001, 0.1, 0.5, 0.999, 1] {
            let rule = TraceShare(share, salt: "seed")
            let kept = Set(ids.filter(rule.contains))
            #expect(before.isSubset(of: kept))
            let expected = share * Double(ids.count)
            #expect(abs(Double(kept.count) - expected) <= 4 * (expected * (1 - share)).squareRoot())
            before = kept
        }
        let other = ids.filter(TraceShare(0.5, salt: "other").contains)
        let both = other.filter(TraceShare(0.5, salt: "seed").contains).count
        #expect((4_700...5_300).contains(both))
    }
}
