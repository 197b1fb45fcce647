import Testing
import TraceCore
import TracePipeline
import TraceResults

@testable import TraceLoad

/// The truth against what a pipeline that keeps everything delivers, and against itself.
@Suite struct FidelityTruthTests {
    /// Calls, databases, queues, errors, retries, timeouts, and everything that is wrong on purpose.
    private static func compiled(
        sampler: String = "always_on", rate: String = "rate: 200", seed: Int = 5
    ) throws -> CompiledScenario {
        CompiledScenario(
            try Scenario.parse(
                """
                version: 1
                name: truth
                seed: \(seed)
                ids: fixed
                clock: simulated
                services:
                  front:
                    instances: 2
                    operations:
                      GET /: {type: http, self: 2ms, error: {rate: 5%}, script: [{call: {to: back/work, retries: 1, timeout: 4ms}}, {call: {to: db/q, probability: 0.5}}, {publish: {to: jobs/run, delay: 3ms, relation: link}}]}
                  back: {operations: {work: {self: {exponential: {mean: 2ms}}, error: {rate: 10%, exception: true}}}}
                  jobs: {operations: {run: {type: messaging, self: 1ms, script: [{call: back/work}]}}}
                  db: {operations: {q: {type: database, self: 1ms}}}
                traffic: [{root: front/GET /, arrival: poisson, stages: [{duration: 10s, \(rate)}]}]
                pathology: {missing_root: 3%, orphan: 2%, duplicate: 2%, broken_propagation: 3%, never_ended: 2%, late: {rate: 2%, delay: 20ms}}
                pipeline: {sampler: \(sampler)}
                """))
    }

    @Test func `Every span is as it was planned, and no other comes`() throws {
        let compiled = try Self.compiled()
        let planned = try PlannedTruth(compiled, arrivals: 400)
        let truth = planned.truth
        let cipher = planned.cipher()
        let replay = try PipelineReplay(compiled, arrivals: 400)
        var seen = Set<Int>()
        for span in replay.spans {
            let position = cipher.position(spanID: span.spanID.rawValue)
            let place = try #require(truth.place(arrival: position.trace, span: position.span))
            let expected = truth.spans[place]
            let operation = truth.operations[Int(expected.operation)]
            #expect(!expected.isAbsent)
            #expect(operation.name == span.name)
            #expect(truth.services[operation.service] == span.serviceName)
            #expect(expected.durationNs == span.endUnixNano - span.startUnixNano)
            #expect(expected.isError == (span.status == .error))
            let trace = truth.traces[Int(expected.trace)]
            let id = cipher.traceID(root: .init(trace: position.trace, span: trace.rootSpan))
            #expect(span.traceID == TraceID(high: id.high, low: id.low))
            if expected.parent != TruthSpan.noParent {
                let parent = try #require(span.parentSpanID)
                #expect(cipher.position(spanID: parent.rawValue).span == expected.parent)
            }
            seen.insert(place)
        }
        #expect(UInt64(seen.count) == truth.spanCount)
        #expect(replay.spans.count > seen.count, "some come twice on purpose")
        let traces = truth.traces.filter { $0.spanCount > 0 }
        #expect(traces.reduce(0) { $0 + UInt64($1.spanCount) } == truth.spanCount)
        let reading = planned.reading(of: replay.spans)
        #expect(reading.disagreement(with: books(of: replay.spans)) == nil)
        let figures = planned.study(reading.table).figures
        #expect(figures.kept.completeTraces == figures.truth.traces)
        #expect(figures.kept.orphanSpans == 0)
        #expect(figures.kept.repeatedSpans == UInt64(replay.spans.count - seen.count))
    }

    @Test func `Neither workers nor samplers change the truth`() throws {
        let one = try PlannedTruth(Self.compiled(), arrivals: 300)
        let nothing = KeptSpanTable(spans: one.truth.spans.count)
        let expected = FidelityStudy.run(one.truth, nothing, SamplerFacts())
        for (sampler, workers) in [
            ("always_on", 2), ("traceidratio:0.1", 5), ("parentbased:ratelimiting:10", 3),
        ] {
            let other = try PlannedTruth(
                Self.compiled(sampler: sampler), arrivals: 300, workers: workers)
            #expect(other.truth.operations == one.truth.operations)
            let result = FidelityStudy.run(
                other.truth, KeptSpanTable(spans: other.truth.spans.count), SamplerFacts())
            #expect(result.figures == expected.figures)
        }
        let seed = try PlannedTruth(Self.compiled(seed: 6), arrivals: 300)
        #expect(
            FidelityStudy.run(
                seed.truth, KeptSpanTable(spans: seed.truth.spans.count), SamplerFacts()
            )
            .figures != expected.figures)
    }

    @Test(arguments: [1, 3])
    func `Prepared plans are replayed as streams are`(workers: Int) throws {
        for rate in ["rate: 200", "rate: max"] {
            let compiled = try Self.compiled(rate: rate)
            func total(_ prepared: UInt64?) throws -> ReplayCounters {
                let recorder = try SpanRecorder()
                var options = ReplayOptions()
                options.workers = workers
                options.poolWindows = 0
                options.preparedArrivals = prepared
                let replay = try Replay(
                    compiled,
                    providers: compiled.makeProviders(recorder: recorder, sampler: .alwaysOff),
                    options: options)
                #expect((replay.truth != nil) == (prepared != nil))
                return try replay.run(ReplayLimit(arrivals: prepared == nil ? 250 : .max)).total
            }
            let (streamed, prepared) = (try total(nil), try total(250))
            #expect(streamed.traces == prepared.traces && streamed.traces >= 250)
            #expect(streamed.spansStarted == prepared.spansStarted)
        }
    }

    @Test func `Plans that do not fit are refused`() throws {
        let compiled = try Self.compiled()
        var options = ReplayOptions()
        options.preparedArrivals = 1_000
        options.preparedSpansMax = 500
        #expect(throws: ReplayError.self) {
            try Replay(
                compiled,
                providers: compiled.makeProviders(
                    recorder: try SpanRecorder(), sampler: .alwaysOff),
                options: options)
        }
    }

    @Test func `A list that is not the books' is found out`() throws {
        let compiled = try Self.compiled(sampler: "parentbased_traceidratio:0.5")
        let planned = try PlannedTruth(compiled, arrivals: 200)
        let spans = try PipelineReplay(compiled, arrivals: 200).spans
        let received = books(of: spans)
        #expect(planned.reading(of: spans).disagreement(with: received) == nil)
        // Lost between list and books.
        #expect(planned.reading(of: Array(spans.dropLast())).disagreement(with: received) != nil)
        // One in another's place.
        #expect(
            planned.reading(of: spans.dropLast() + spans.prefix(1)).disagreement(with: received)
                != nil)
        // One that no plan has.
        var reading = planned.reading(of: Array(spans.dropLast()))
        reading.add(spanID: planned.cipher().spanID(.init(trace: 9_999, span: 0)), threshold: .max)
        #expect(reading.disagreement(with: received)?.contains("no plan") == true)
        // In another trace than planned.
        var moved = spans
        moved[0].traceID = TraceID(high: 1, low: 1)
        #expect(
            planned.reading(of: spans).disagreement(with: books(of: moved)) != nil)
    }
}
