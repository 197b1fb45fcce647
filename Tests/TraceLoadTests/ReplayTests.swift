import Glibc
import Synchronization
import Testing
import TraceCore
import TracePipeline
import TraceResults

@testable import TraceLoad

/// A recorder whose queue a thread empties, for replays that block on a full queue.
private final class DrainedRecorder: Sendable {
    struct Totals: Sendable {
        var spans = 0
        var identitySum: UInt64 = 0
        var contentSum: UInt64 = 0
    }

    let recorder: SpanRecorder
    private let isDone = Atomic(false)
    private let totals = WorkerLock(Totals())

    init(queueSpans: Int = 4096) throws {
        var options = RecorderOptions()
        options.queueSpans = queueSpans
        options.blocksWhenFull = true
        options.sumsChecked = true
        recorder = try SpanRecorder(options: options)
    }

    /// What arrived at the consumer while `body` ran and until the queue was empty.
    func drain(
        _ body: () throws -> ReplaySummary
    ) throws -> (summary: ReplaySummary, totals: Totals) {
        isDone.store(false, ordering: .relaxed)
        totals.withLock { $0 = Totals() }
        let thread = ReplayThread { [self] in empty() }
        let summary = Result { try body() }
        isDone.store(true, ordering: .releasing)
        thread?.join()
        return (try summary.get(), totals.withLock { $0 })
    }

    private func empty() {
        var body = ExportBody()
        while true {
            // Looked at before the queue, so that what was published before is seen.
            let isLast = isDone.load(ordering: .acquiring)
            let spans = recorder.queue.fill(&body, spans: 512)
            if spans > 0 {
                let (identitySum, contentSum) = (body.identitySum, body.contentSum)
                totals.withLock {
                    $0.spans += spans
                    $0.identitySum &+= identitySum
                    $0.contentSum &+= contentSum
                }
            } else if isLast {
                return
            } else {
                ReplayThread.sleep(untilMonotonicNs: TraceClock.monotonicNs + 200_000)
            }
        }
    }
}

@Suite struct ReplayTests {
    private func replay(
        _ compiled: CompiledScenario, _ drained: DrainedRecorder, workers: Int,
        sampler: Sampler = .parentBased(root: .alwaysOn), poolWindows: Int = 4,
        verifies: Bool = true
    ) throws -> Replay {
        var options = ReplayOptions()
        options.workers = workers
        options.poolWindows = poolWindows
        options.verifies = verifies
        return try Replay(
            compiled,
            providers: compiled.makeProviders(recorder: drained.recorder, sampler: sampler),
            options: options)
    }

    @Test(arguments: [0, 4])
    func `The spans of a run are the same with 1, 2 and 16 workers`(_ poolWindows: Int) throws {
        let compiled = try RepositoryScenario.checkout.compiled()
        var sums: Set<[UInt64]> = []
        for workers in [1, 2, 16] {
            let drained = try DrainedRecorder()
            let replay = try replay(compiled, drained, workers: workers, poolWindows: poolWindows)
            let (summary, totals) = try drained.drain {
                try replay.run(ReplayLimit(arrivals: 700))
            }
            #expect(summary.workers.count == workers)
            #expect(summary.total.traces == 700)
            #expect(totals.spans == Int(summary.total.spansEnded))
            #expect(totals.identitySum == summary.total.identitySum)
            sums.insert([
                summary.total.spansStarted, summary.total.identitySum, summary.total.semanticSum,
                totals.contentSum,
            ])
        }
        #expect(sums.count == 1, "\(sums)")
    }

    @Test(arguments: [0, 4])
    func `A replay whose time is over when it begins is no empty one`(_ poolWindows: Int) throws {
        let compiled = try RepositoryScenario.checkout.compiled()
        let drained = try DrainedRecorder()
        let replay = try replay(compiled, drained, workers: 2, poolWindows: poolWindows)
        let (summary, totals) = try drained.drain {
            try replay.run(ReplayLimit(durationNs: 1))
        }
        #expect(summary.total.traces >= 1)
        #expect(totals.spans == Int(summary.total.spansEnded))
        #expect(totals.identitySum == summary.total.identitySum)
    }

    @Test func `Every started span is recorded and ended, and a second run repeats none`() throws {
        let compiled = try RepositoryScenario.checkout.compiled()
        let drained = try DrainedRecorder()
        let replay = try replay(compiled, drained, workers: 2, verifies: false)
        let (first, _) = try drained.drain { try replay.run(ReplayLimit(arrivals: 640)) }
        let (second, _) = try drained.drain { try replay.run(ReplayLimit(arrivals: 1280)) }
        for summary in [first, second] {
            #expect(summary.total.traces == 640)
            #expect(summary.total.spansStarted == summary.total.spansRecording)
            #expect(summary.total.spansStarted == summary.total.spansEnded)
            #expect(summary.total.semanticSum == 0)
            #expect(!summary.isInterrupted && !summary.isScheduleOver)
            let timed = Double(summary.total.spansStarted) / 64
            #expect(abs(Double(summary.timings.start.count) - timed) < 0.3 * timed)
            #expect(abs(Double(summary.timings.end.count) - timed) < 0.3 * timed)
            #expect(summary.timings.decide.count == summary.timings.start.count)
        }
        #expect(first.total.identitySum != second.total.identitySum)
        #expect(replay.progress.traces == 1280)
        let counters = drained.recorder.counters
        #expect(counters.startCalls == first.total.spansStarted + second.total.spansStarted)
        #expect(counters.live == 0)
    }

    @Test func `A finite schedule ends by itself`() throws {
        let compiled = try RepositoryScenario.minimal.compiled()
        let drained = try DrainedRecorder()
        let replay = try replay(compiled, drained, workers: 2)
        let (summary, totals) = try drained.drain { try replay.run() }
        #expect(summary.isScheduleOver)
        #expect(totals.spans == Int(summary.total.traces))
        let (again, _) = try drained.drain { try replay.run() }
        #expect(again.total.traces == 0)
    }

    @Test func `A ratio sampler keeps its share of whole traces`() throws {
        let compiled = try RepositoryScenario.checkout.compiled()
        let drained = try DrainedRecorder()
        let replay = try replay(
            compiled, drained, workers: 1, sampler: .parentBased(root: .traceIDRatio(0.25)))
        let (summary, totals) = try drained.drain {
            try replay.run(ReplayLimit(arrivals: 3200))
        }
        let share = Double(summary.total.spansRecording) / Double(summary.total.spansStarted)
        #expect(abs(share - 0.25) < 0.05)
        #expect(totals.spans == Int(summary.total.spansEnded))
        #expect(totals.identitySum == summary.total.identitySum)
        #expect(summary.total.spansEnded == summary.total.spansRecording)
    }

    @Test func `With tracing disabled nothing records`() throws {
        let compiled = try RepositoryScenario.checkout.compiled()
        let drained = try DrainedRecorder()
        drained.recorder.isEnabled = false
        let replay = try replay(compiled, drained, workers: 1)
        let summary = try replay.run(ReplayLimit(arrivals: 128))
        #expect(summary.total.traces == 128)
        #expect(summary.total.spansStarted > 128)
        #expect(summary.total.spansRecording == 0 && summary.total.identitySum == 0)
    }

    @Test func `A stopped replay begins no trace`() throws {
        let compiled = try RepositoryScenario.checkout.compiled()
        let drained = try DrainedRecorder()
        let replay = try replay(compiled, drained, workers: 2)
        replay.stop()
        let summary = try replay.run()
        #expect(summary.isInterrupted)
        #expect(summary.total.traces == 0)
    }

    @Test func `Providers must be as many as instances`() throws {
        let compiled = try RepositoryScenario.checkout.compiled()
        #expect(throws: ReplayError.providerCount(needed: compiled.instances.count, given: 0)) {
            _ = try Replay(compiled, providers: [], options: ReplayOptions())
        }
    }

    @Test(arguments: [1, 3])
    func `Real time finishes every trace it begins, at its own pace`(_ workers: Int) throws {
        let compiled = try compiled(
            services: """
                a:
                  operations:
                    x: {self: 2ms, script: [{call: {to: b/y, network: 1ms}}, {publish: {to: b/m, delay: 5ms}}]}
                b:
                  operations:
                    y: {self: 3ms}
                    m: {type: messaging, attributes: {id: {unique: m-}}}
                """, root: "a/x", top: "clock: realtime",
            traffic: "arrival: constant, stages: [{duration: 200ms, rate: 200}]")
        let drained = try DrainedRecorder()
        let replay = try replay(compiled, drained, workers: workers, verifies: false)
        let (summary, totals) = try drained.drain { try replay.run() }
        #expect(summary.isScheduleOver)
        #expect(summary.total.traces == 40)
        #expect(summary.total.spansEnded == 200)
        #expect(totals.spans == 200)
        #expect(totals.identitySum == summary.total.identitySum)
        #expect(summary.timings.traceLatency.count == 40)
        // A trace takes 12.05 ms by its plan and may be late, never early.
        #expect(summary.timings.traceLatency.minNs >= 12_000_000)
        // Its service time leaves out how late it began.
        let (latency, service) = (summary.timings.traceLatency, summary.timings.traceService)
        #expect(service.count == 40)
        #expect(
            service.minNs > 0 && service.minNs <= latency.minNs && service.maxNs <= latency.maxNs)
        // The client's span ends in the instant in which the producer's begins.
        #expect(summary.timings.scheduleLag.count == 40 * 9)
        #expect(summary.timings.sleepLateness.count > 0)
        #expect(summary.wallNs >= 195_000_000)
    }

    @Test(arguments: [1, 2, 3, 7])
    func `Shards are together the whole, before sampling`(_ count: Int) throws {
        for poolWindows in [0, 2] {
            func sums(_ shard: Shard, workers: Int) throws -> [UInt64] {
                let drained = try DrainedRecorder()
                var options = ReplayOptions()
                options.workers = workers
                options.poolWindows = poolWindows
                options.verifies = true
                options.shard = shard
                let compiled = try RepositoryScenario.checkout.compiled()
                let replay = try Replay(
                    compiled,
                    providers: compiled.makeProviders(
                        recorder: drained.recorder, sampler: .parentBased(root: .alwaysOn)),
                    options: options)
                let (summary, _) = try drained.drain {
                    try replay.run(ReplayLimit(arrivals: 128))
                }
                return [
                    summary.total.traces, summary.total.spansStarted, summary.total.identitySum,
                    summary.total.semanticSum,
                ]
            }
            let whole = try sums(.whole, workers: 1)
            var union: [UInt64] = [0, 0, 0, 0]
            for index in 0..<count {
                let part = try sums(Shard(index: index, count: count), workers: 1 + index % 2)
                #expect(part[0] > 0)
                for place in union.indices { union[place] &+= part[place] }
            }
            #expect(union == whole)
        }
    }

    /// Holds the worker up whenever a trace begins.
    private struct StallingSampler: CustomSampler {
        let stallUs: UInt32
        var description: String { "stalling" }

        func sample(_ request: SamplingRequest) -> SamplingResult {
            if request.parent == nil { usleep(stallUs) }
            return SamplingResult(.recordAndSample)
        }
    }

    @Test(arguments: [(20_000, true), (0, false)] as [(UInt32, Bool)])
    func `A worker that is held up begins late, and the run says so`(
        _ stallUs: UInt32, _ isLate: Bool
    ) throws {
        let compiled = try compiled(
            services: "a: {operations: {x: {self: 1ms}}}", root: "a/x",
            top: "clock: realtime\nrun: {lag_max: \(isLate ? "10ms" : "1h")}",
            traffic: "arrival: constant, stages: [{duration: 200ms, rate: 200}]")
        let drained = try DrainedRecorder()
        let replay = try replay(
            compiled, drained, workers: 1,
            sampler: .custom(StallingSampler(stallUs: stallUs)), verifies: false)
        let (summary, _) = try drained.drain { try replay.run() }
        // 40 traces, 5 ms apart, each of which takes 20 ms to begin: all but the first few are late.
        #expect(summary.total.pacedStarts == 40)
        #expect((summary.total.lateStarts >= 30) == isLate)
        var report = RunReport(RunRecord())
        report.judge(
            flushed: .completed, summary, interrupted: false, monitorFailure: nil, endpoint: nil,
            lagMaxNs: compiled.scenario.run.lagMaxNs)
        #expect(report.record.valid == !isLate)
        #expect(report.record.reason?.contains("the generator was the limit") ?? false == isLate)
    }
}
