import Glibc
import Testing

@testable import TraceResults

/// Small truths whose figures can be worked out by hand.
@Suite("Fidelity of small traces")
struct FidelityStudyTests {
    /// A planned span in a few words.
    private struct Planned {
        var operation: String
        var parent: UInt16 = TruthSpan.noParent
        var ns: UInt64 = 10
        var isError = false
        var beginsTrace = false
        var isAbsent = false
    }

    /// Operations are `service/name`; services are a, b and c.
    private static func truth(
        _ arrivals: [(startNs: UInt64, spans: [Planned])], order: [Int]? = nil
    ) throws -> TraceTruth {
        var builder = TruthBuilder(services: ["a", "b", "c"], spansMax: 1_000_000)
        for number in order ?? Array(arrivals.indices) {
            var spans: [PlannedSpanTruth] = []
            for planned in arrivals[number].spans {
                let parts = planned.operation.split(separator: "/")
                var span = PlannedSpanTruth()
                span.operation = try builder.number(
                    of: .init(
                        service: ["a", "b", "c"].firstIndex(of: parts[0]) ?? 0,
                        name: String(parts[1])))
                span.parent = planned.parent
                span.endNs = planned.ns
                span.isError = planned.isError
                span.beginsTrace = planned.beginsTrace
                span.isAbsent = planned.isAbsent
                span.byteCount = 100
                spans.append(span)
            }
            try builder.add(arrival: number, startNs: arrivals[number].startNs, spans)
        }
        return builder.finish()
    }

    /// Four traces of two shapes: a calls b, which calls c; and a alone. One fails in c.
    private static let four: [(startNs: UInt64, spans: [Planned])] = [
        (
            0,
            [
                .init(operation: "a/x", ns: 30), .init(operation: "b/y", parent: 0, ns: 20),
                .init(operation: "c/z", parent: 1),
            ]
        ),
        (1_000_000_000, [.init(operation: "a/x", ns: 40)]),
        (
            1_500_000_000,
            [
                .init(operation: "a/x", ns: 90), .init(operation: "b/y", parent: 0, ns: 80),
                .init(operation: "c/z", parent: 1, isError: true),
            ]
        ),
        (61_000_000_000, [.init(operation: "a/x", ns: 50)]),
    ]

    private static func table(
        _ truth: TraceTruth, _ kept: [(arrival: UInt64, span: UInt16)], threshold: UInt64?
    ) throws -> KeptSpanTable {
        var table = KeptSpanTable(spans: truth.spans.count)
        for span in kept {
            let place = try #require(truth.place(arrival: span.arrival, span: span.span))
            table.mark(place, threshold: threshold)
        }
        return table
    }

    private let half: UInt64 = 0x80_0000_0000_0000

    @Test("whole traces kept at a half: shares, shapes and estimates by hand")
    func wholeTraces() throws {
        let truth = try Self.truth(Self.four)
        var sampler = SamplerFacts()
        sampler.target = .traceShare(0.5)
        let table = try Self.table(
            truth, [(0, 0), (0, 1), (0, 2), (1, 0)], threshold: half)
        let result = FidelityStudy.run(truth, table, sampler)
        let figures = result.figures
        func value(_ name: FidelityMetric) -> Double? { result.metrics[name]?.value }
        #expect(figures.truth.traces == 4 && figures.truth.spans == 8)
        #expect(figures.truth.errorTraces == 1 && figures.truth.patterns == 2)
        #expect(figures.truth.patternEntropyBits == 1)
        #expect(figures.truth.slowNs == 90 && figures.truth.slowTraces == 0)
        #expect(figures.kept.traces == 2 && figures.kept.completeTraces == 2)
        #expect(value(.keptTraceShare) == 0.5 && value(.keptSpanShare) == 0.5)
        #expect(value(.keptByteShare) == 0.5 && value(.budgetErrorShare) == 0)
        // Seconds: 1 of 1 kept, 1 of 2, 0 of 1, with half of each wanted; only the second wants a whole one.
        #expect(value(.budgetErrorShareWorst) == 0)
        #expect(value(.errorTraceRecall) == 0 && value(.errorTracePrecision) == 0)
        #expect(value(.slowTraceRecall) == nil)
        #expect(value(.patternCoverage) == 1 && value(.patternDivergenceBits) == 0)
        #expect(value(.completeKeptTraceShare) == 1 && value(.keptOrphanSpanShare) == 0)
        #expect(value(.serviceAgreement) == 1)
        // a in both minutes, b and c in the first: the second one's is lost.
        #expect(value(.rareKeysKeptShare) == 0.75)
        #expect(figures.hasAdjustedCounts)
        let root = try #require(figures.operations.first { $0.operation == "x" })
        #expect(root.count.truth == 4 && root.count.estimate == 4)
        // Two traces of (1 − ½)/¼ each: a variance of 4, 1 for each one counted.
        let square = HorvitzThompson.z * HorvitzThompson.z
        let spread = (4 * square + square * square / 4).squareRoot()
        #expect(abs((root.count.upper ?? 0) - (4 + square / 2 + spread)) < 1e-12)
        // Never less than the two that came.
        #expect(root.count.lower == 2)
        #expect(root.durationNsP50.truth == 40 && root.durationNsP50.estimate == 30)
        let last = try #require(figures.operations.first { $0.operation == "z" })
        #expect(last.errorRate.truth == 0.5 && last.errorRate.estimate == 0)
        #expect(last.errorRate.isHit == true)
        #expect(value(.countEstimateBias) == 0 && value(.countIntervalHitShare) == 1)
        #expect(value(.errorRateError) == 0.5)
        #expect(figures.windows.traces.filter { $0 > 0 } == [1, 2, 1])
    }

    @Test("broken traces: orphans, agreement and shapes that nobody planned")
    func brokenTraces() throws {
        let truth = try Self.truth(Self.four)
        // Of the first all but b, of the third c alone, of the second all.
        let table = try Self.table(
            truth, [(0, 0), (0, 2), (2, 2), (1, 0)], threshold: nil)
        let result = FidelityStudy.run(truth, table, SamplerFacts())
        let figures = result.figures
        func value(_ name: FidelityMetric) -> Double? { result.metrics[name]?.value }
        #expect(figures.kept.traces == 3 && figures.kept.completeTraces == 1)
        #expect(figures.kept.orphanSpans == 2)
        #expect(value(.keptOrphanSpanShare) == 0.5)
        #expect(value(.errorTraceRecall) == 1)
        #expect(value(.errorTracePrecision).map { abs($0 - 1.0 / 3) < 1e-15 } == true)
        #expect(value(.patternCoverage) == 0.5)
        // Both true mixes have halves; a third looks like a alone, two thirds like nothing there is.
        let middle = (0.5 + 1.0 / 3) / 2
        let terms = [
            0.5 * log2(0.5 / 0.25), 0.5 * log2(0.5 / middle),
            1.0 / 3 * log2(1.0 / 3 / middle), 1.0 / 3 * log2(2),
            1.0 / 3 * log2(2),
        ]
        let divergence = try #require(value(.patternDivergenceBits))
        #expect(abs(divergence - terms.reduce(0, +) / 2) < 1e-12)
        // Of the first and the third: a kept {0}, b none, c {0, 2}. Pairs ab 0/1, ac 1/2, bc 0/2.
        #expect(value(.serviceAgreement).map { abs($0 - 0.5 / 3) < 1e-15 } == true)
        let (a, c) = (
            try #require(figures.services.firstIndex(of: "a")),
            try #require(figures.services.firstIndex(of: "c"))
        )
        #expect(figures.keptGivenKept[a][c] == 1 && figures.keptGivenKept[c][a] == 0.5)
        #expect(!figures.hasAdjustedCounts && figures.operations[0].count.estimate == nil)
        #expect(value(.countEstimateBias) == nil && value(.countIntervalHitShare) == nil)
    }

    @Test("nothing kept is no estimate and no mix")
    func nothing() throws {
        let truth = try Self.truth(Self.four)
        var sampler = SamplerFacts()
        sampler.keepsForCertain = true
        let result = FidelityStudy.run(
            truth, KeptSpanTable(spans: truth.spans.count), sampler)
        #expect(result.metrics[.keptTraceShare]?.value == 0)
        #expect(result.metrics[.errorTraceRecall]?.value == 0)
        for name in [
            FidelityMetric.errorTracePrecision, .completeKeptTraceShare, .patternDivergenceBits,
            .countEstimateBias, .durationP50Error, .serviceAgreement,
        ] { #expect(result.metrics[name] == nil, "\(name)") }
        #expect(result.figures.adjustedCountsMissing == "no span was kept")
    }

    @Test("the order in which arrivals are simulated changes nothing")
    func order() throws {
        let kept: [(arrival: UInt64, span: UInt16)] = [
            (0, 0), (0, 2), (2, 0), (2, 1), (2, 2), (3, 0),
        ]
        let results = try [[0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]].map { order in
            let truth = try Self.truth(Self.four, order: order)
            return FidelityStudy.run(
                truth, try Self.table(truth, kept, threshold: 0x12_3456_789A_BCDE), SamplerFacts())
        }
        for result in results.dropFirst() {
            #expect(result.figures == results[0].figures)
            #expect(result.metrics.mapValues(\.value) == results[0].metrics.mapValues(\.value))
        }
    }

    @Test("what begins a trace of its own is judged by itself, and what never comes is not missed")
    func severalTraces() throws {
        let truth = try Self.truth([
            (
                0,
                [
                    .init(operation: "a/x", ns: 30),
                    .init(operation: "b/y", parent: 0, ns: 20, beginsTrace: true),
                    .init(operation: "c/z", parent: 1),
                    .init(operation: "c/lost", parent: 0, isAbsent: true),
                    .init(operation: "c/below", parent: 3),
                ]
            )
        ])
        #expect(truth.traces.filter { $0.spanCount > 0 }.map(\.spanCount) == [2, 2])
        let table = try Self.table(truth, [(0, 1), (0, 2)], threshold: nil)
        let result = FidelityStudy.run(truth, table, SamplerFacts())
        #expect(result.figures.truth.traces == 2 && result.figures.truth.spans == 4)
        #expect(result.figures.kept.traces == 1 && result.figures.kept.completeTraces == 1)
        #expect(result.figures.kept.orphanSpans == 0)
    }

    @Test("shapes tell calls from calls and not their order")
    func shapes() throws {
        func shape(_ spans: [Planned]) throws -> UInt64 {
            try Self.truth([(0, spans)]).shapes[0].hash
        }
        let both = try shape([
            .init(operation: "a/x"), .init(operation: "b/y", parent: 0),
            .init(operation: "c/z", parent: 0),
        ])
        let turned = try shape([
            .init(operation: "a/x"), .init(operation: "c/z", parent: 0, ns: 99, isError: true),
            .init(operation: "b/y", parent: 0),
        ])
        let chained = try shape([
            .init(operation: "a/x"), .init(operation: "b/y", parent: 0),
            .init(operation: "c/z", parent: 1),
        ])
        let twice = try shape([
            .init(operation: "a/x"), .init(operation: "b/y", parent: 0),
            .init(operation: "c/z", parent: 0), .init(operation: "c/z", parent: 0),
        ])
        let elsewhere = try shape([
            .init(operation: "a/x"), .init(operation: "b/y", parent: 0),
            .init(operation: "b/z", parent: 0),
        ])
        #expect(both == turned)
        #expect(Set([both, chained, twice, elsewhere]).count == 4)
    }

    @Test("targets: rates leave what there is, and each root has its own")
    func targets() throws {
        let truth = try Self.truth(Self.four)
        let table = try Self.table(truth, [(0, 0), (0, 1), (0, 2)], threshold: nil)
        func error(_ target: SamplingTarget) -> Double? {
            var sampler = SamplerFacts()
            sampler.target = target
            return FidelityStudy.run(truth, table, sampler).metrics[.budgetErrorShare]?.value
        }
        // A trace a second of 62 begun ones: 1, 1 of 2, and nothing but a nanosecond of the last.
        let rate = try #require(error(.tracesPerS(1)))
        #expect(abs(rate - 0.5) < 1e-6)
        #expect(try #require(error(.tracesPerSOfEachRoot(1))) == rate)
        #expect(error(.traceShare(0.25)) == 0)
        // 3 spans of 3, and of 3 in the next second, and of the last nanosecond's.
        #expect(abs(try #require(error(.spansPerS(3))) - 0.5) < 1e-6)
        #expect(error(.traceShare(0)) == nil)
    }

    @Test("too many spans are refused")
    func tooLarge() {
        var builder = TruthBuilder(services: ["a"], spansMax: 1)
        #expect(throws: TruthTooLarge.self) {
            let operation = try builder.number(of: .init(service: 0, name: "x"))
            var span = PlannedSpanTruth()
            span.operation = operation
            try builder.add(arrival: 0, startNs: 0, [span, span])
        }
    }
}
