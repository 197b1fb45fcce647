// Fifty exporters and a receiver that is away for a minute: do they come back all at once?
import Glibc
import Logging
import Synchronization
import TraceCore
import TraceLoad
import TracePipeline
import TraceResults

/// Fifty pipelines in this process, each with its defaults and a request a second; the sink in another.
struct OutageStudy {
    private static let exporters = 50
    /// A span of each exporter so often, which makes a request of ten each second.
    private static let spanEveryNs: UInt64 = 100_000_000
    /// The busiest second after the outage may have so many times the requests of a steady one.
    private static let peakMax = 3.0
    /// Of a minute 12 s: what is steady before the outage.
    private var steadyS: Int { min(12, max(2, Int(outageNs / 5_000_000_000))) }
    /// Of a minute 30 s: longer than the longest backoff, 15 s with jitter, and until backlogs are gone.
    private var recoveryNs: UInt64 { min(30_000_000_000, max(4_000_000_000, outageNs / 2)) }
    private static let pollUs: UInt32 = 50_000

    let executable: String
    let outageNs: UInt64
    let shouldStop: @Sendable () -> Bool

    /// Requests that had come by a moment.
    struct Sample: Sendable, Equatable {
        var atNs: UInt64
        var requests: Int
    }

    /// Runs it; blocks for the outage and 42 s more.
    func run() throws -> StudyResult {
        let spared = Self.exporters * steadyS
        let process = try SinkProcess(
            executable: executable,
            arguments: [
                "--embedded", "--port", "0", "--fault",
                "down=\(outageNs / 1_000_000)ms,after=\(spared),count=1",
            ])
        defer { process.stop() }
        let pipelines = try (0..<Self.exporters).map { _ in
            try Self.pipeline(process.baseURL + "/v1/traces")
        }
        let isOver = Atomic(false)
        let stop = shouldStop
        let study = self
        let parts = try ProducerThreads.run(2) { thread in
            guard thread > 0 else {
                Self.work(pipelines.map(\.tracer)) {
                    isOver.load(ordering: .relaxed) || stop()
                }
                return [Sample]()
            }
            defer { isOver.store(true, ordering: .relaxed) }
            return study.watch(SinkControl(baseURL: process.baseURL))
        }
        let samples = parts[1]
        for entry in pipelines { _ = entry.pipeline.forceFlush(timeoutMs: 20_000) }
        let books = try SinkControl(baseURL: process.baseURL).ledger()
        for entry in pipelines { _ = entry.pipeline.shutdown(timeoutMs: 20_000) }
        return judged(samples, books, pipelines.map(\.pipeline.ledger))
    }

    private static func pipeline(
        _ endpoint: String
    ) throws -> (pipeline: TracingPipeline, tracer: Tracer) {
        var configuration = TracingConfiguration()
        configuration.serviceName = "outage"
        configuration.sampler = .alwaysOn
        configuration.exporter = .otlp(OTLPHTTPSettings(endpoint: endpoint))
        configuration.batch.scheduleDelayMs = 1_000
        configuration.keepsLedger = true
        // Fifty that say that their receiver is away are what is wanted here.
        configuration.logger = Logger(label: "tracemill.outage") { _ in SwiftLogNoOpLogHandler() }
        let pipeline = try TracingPipeline(configuration)
        return (pipeline, pipeline.provider.tracer(name: "tracemill.outage"))
    }

    /// Ends a span of each exporter every tenth of a second, one exporter after the other.
    private static func work(_ tracers: [Tracer], until isOver: () -> Bool) {
        let name = SpanName("work")
        let stepNs = spanEveryNs / UInt64(tracers.count)
        var nextNs = HostClock.monotonicNs()
        while !isOver() {
            for tracer in tracers {
                tracer.startSpan(name).end()
                nextNs += stepNs
                let nowNs = HostClock.monotonicNs()
                if nowNs < nextNs { usleep(UInt32((nextNs - nowNs) / 1_000)) }
            }
        }
    }

    /// Asks the sink twenty times a second how many requests have come, until the outage has been over for
    /// long enough.
    private func watch(_ sink: SinkControl) -> [Sample] {
        var samples: [Sample] = []
        // The outage begins with a request: a while after the steady time at the latest.
        let givesUpNs =
            HostClock.monotonicNs() + UInt64(3 * steadyS) * 1_000_000_000 + outageNs
            + 2 * recoveryNs
        while HostClock.monotonicNs() < givesUpNs, !shouldStop() {
            if let books = try? sink.ledger() {
                let nowNs = HostClock.monotonicNs()
                samples.append(Sample(atNs: nowNs, requests: books.requests))
                // The last fault of a sink that answers again is when it came back.
                if let healedNs = books.lastFaultNs, nowNs > healedNs + recoveryNs { break }
            }
            usleep(Self.pollUs)
        }
        return samples
    }

    private func judged(
        _ samples: [Sample], _ books: SinkLedger, _ ledgers: [PipelineLedger]
    ) -> StudyResult {
        let gap = Self.outage(in: samples)
        let steady = Self.rate(of: samples.prefix(gap))
        let healed = samples.dropFirst(gap)
        let peak = Self.peak(of: healed)
        let ratio = Double(peak) / steady
        let acknowledged = ledgers.reduce(0) { $0 + $1.acknowledged.spans }
        let dropped = ledgers.reduce(0) {
            $0 + $1.retriesExhausted.spans + $1.refused.spans + $1.queueFull + $1.shutdown.spans
        }
        let outageText = NumberText.duration(ns: Double(outageNs))
        var result = StudyResult(
            study: .outage,
            summary: "\(Self.exporters) exporters, \(NumberText.fixed(steady, decimals: 1)) "
                + "requests/s steady; after \(outageText) without a receiver at most \(peak) in any "
                + "second (× \(NumberText.short(ratio))); \(NumberText.grouped(acknowledged)) spans "
                + "acknowledged, \(NumberText.grouped(dropped)) dropped")
        if books.faultsInjected == 0 { result.broken.append("the outage never came") }
        if acknowledged > UInt64(books.spansDistinct) {
            let missing = acknowledged - UInt64(books.spansDistinct)
            result.broken.append("\(missing) acknowledged spans are missing")
        }
        let unbalanced = ledgers.count { !$0.isBalanced }
        if unbalanced > 0 { result.broken.append("the books of \(unbalanced) do not add up") }
        if !(ratio <= Self.peakMax) { result.exceeded.append("more than × 3") }
        return result
    }

    /// Index of the first sample after the longest time without an answer.
    static func outage(in samples: [Sample]) -> Int {
        var longest: (ns: UInt64, index: Int) = (0, 0)
        for index in samples.indices.dropFirst() {
            let gapNs = samples[index].atNs - samples[index - 1].atNs
            if gapNs > longest.ns { longest = (gapNs, index) }
        }
        return longest.index
    }

    /// Requests a second from the first sample that has any to the last.
    static func rate(of samples: ArraySlice<Sample>) -> Double {
        guard let first = samples.first(where: { $0.requests > 0 }), let last = samples.last,
            last.atNs > first.atNs
        else { return .nan }
        return Double(last.requests - first.requests) / Double(last.atNs - first.atNs) * 1e9
    }

    /// The most requests between two samples that are the least time apart that is a second or more:
    /// rather too many than too few.
    static func peak(of samples: ArraySlice<Sample>) -> Int {
        var peak = 0
        var end = samples.startIndex
        for sample in samples {
            while end < samples.endIndex, samples[end].atNs < sample.atNs + 1_000_000_000 {
                end += 1
            }
            guard end < samples.endIndex else {
                return max(peak, (samples.last?.requests ?? 0) - sample.requests)
            }
            peak = max(peak, samples[end].requests - sample.requests)
        }
        return peak
    }
}
