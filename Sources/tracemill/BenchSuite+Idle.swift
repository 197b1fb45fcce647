// The exporter thread at rest and woken: how often it wakes without spans, how soon a batch that has just
// filled is on its way, and when what fills none is.
import Glibc
import Synchronization
import TraceCore
import TraceLoad
import TracePipeline
import TraceResults

extension BenchSuite {
    mutating func idle() throws {
        try wakeups()
        try fullBatches()
        try partialBatches()
    }

    /// A pipeline to a sink of its own.
    private struct Rig {
        let process: SinkProcess
        let pipeline: TracingPipeline
        let tracer: Tracer
        let sent = SentBatches()

        init(_ batch: BatchSettings, clock: ClockSource) throws {
            process = try SinkProcess(
                executable: "/proc/self/exe", arguments: ["--embedded", "--port", "0"])
            var configuration = TracingConfiguration()
            configuration.serviceName = "bench"
            configuration.sampler = .alwaysOn
            configuration.exporter = .otlp(
                OTLPHTTPSettings(endpoint: process.baseURL + "/v1/traces"))
            configuration.batch = batch
            configuration.keepsLedger = true
            configuration.recorder.clock = clock
            configuration.observer = { [sent] in sent.add($0) }
            pipeline = try TracingPipeline(configuration)
            tracer = pipeline.provider.tracer(name: "tracemill.bench")
        }

        /// Ends it, and says whether every span of it was acknowledged.
        func close(spans: Int) throws {
            _ = pipeline.shutdown(timeoutMs: 10_000)
            let ledger = pipeline.ledger
            let received = try SinkControl(baseURL: process.baseURL).ledger()
            process.stop()
            guard ledger.isBalanced, ledger.acknowledged.spans == UInt64(spans),
                received.spansDistinct == spans,
                received.identitySum == ledger.acknowledged.identitySum
            else {
                throw BenchBroken(
                    description: "\(spans) spans ended, \(ledger.acknowledged.spans) acknowledged, "
                        + "\(received.spansDistinct) at the sink")
            }
        }
    }

    /// Wake-ups by the loop's own count, and by the kernel's: switches away from the thread, which has to
    /// be running for one.
    private mutating func wakeups() throws {
        let rows = [
            BenchRow("idleWakeupsPerS", "wake-ups without spans, by the loop's count", unit: "1/s"),
            BenchRow("idleSwitchesPerS", "switches of the thread, by the kernel's", unit: "1/s"),
        ]
        guard isAnyWanted(rows) else { return }
        let rig = try Rig(BatchSettings(), clock: clock)
        let shape = BenchSpan()
        for number in 0..<2_000 { shape.run(rig.tracer, number) }
        _ = rig.pipeline.forceFlush(timeoutMs: 10_000)
        usleep(100_000)
        guard ThreadSwitches.count(named: BatchProcessor.threadName) != nil else {
            throw BenchBroken(description: "no thread of that name in /proc/self/task")
        }
        measure(rows) { _ in
            let wakeups = rig.pipeline.processor.exporterWakeups
            let switches = ThreadSwitches.count(named: BatchProcessor.threadName) ?? 0
            let startedNs = TraceClock.monotonicNs
            usleep(1_000_000)
            let seconds = Double(TraceClock.monotonicNs - startedNs) / 1e9
            let after = ThreadSwitches.count(named: BatchProcessor.threadName) ?? 0
            return [
                BenchSample(
                    Double(rig.pipeline.processor.exporterWakeups - wakeups) / seconds),
                BenchSample(Double(after - switches) / seconds),
            ]
        }
        try rig.close(spans: 2_000)
    }

    /// From right before the span that makes a batch full to the moment that its request is begun. The thread
    /// is at rest before each, and the schedule delay an hour.
    private mutating func fullBatches() throws {
        let rows = [
            BenchRow("fullBatchToSendP50Us", "full batch to request begun, median", unit: "µs"),
            BenchRow("fullBatchToSendP99Us", "full batch to request begun, p99", unit: "µs"),
        ]
        guard isAnyWanted(rows) else { return }
        var batch = BatchSettings()
        batch.scheduleDelayMs = 3_600_000
        let rig = try Rig(batch, clock: clock)
        let trials = 200
        let shape = BenchSpan()
        var spans = 0
        var all: [Double] = []
        try measure(
            rows, notes: { _ in [Self.spread(all, trials), ""] },
            { repetition in
                var passedUs: [Double] = []
                for _ in 0..<trials {
                    let batches = rig.sent.count
                    for _ in 1..<batch.batchSpans { shape.run(rig.tracer, spans) }
                    // Not after it: the exporter may have been given this thread's core by then.
                    let fullNs = TraceClock.monotonicNs
                    shape.run(rig.tracer, spans)
                    spans += batch.batchSpans
                    guard let record = rig.sent.wait(forCount: batches + 1) else {
                        throw BenchBroken(description: "a full batch was not sent within 10 s")
                    }
                    passedUs.append(
                        Double(Int64(bitPattern: record.firstSentNs &- fullNs)) / 1_000)
                    usleep(2_000)
                }
                if repetition > 0 { all += passedUs }
                return [
                    BenchSample(Self.percentile(passedUs, 0.5)),
                    BenchSample(Self.percentile(passedUs, 0.99)),
                ]
            })
        try rig.close(spans: spans)
    }

    /// How late after the schedule delay a batch is begun that nothing fills.
    private mutating func partialBatches() throws {
        let rows = [
            BenchRow(
                "scheduleDelayLatenessP50Us", "rest begun after its delay, median", unit: "µs"),
            BenchRow("scheduleDelayLatenessP99Us", "rest begun after its delay, p99", unit: "µs"),
        ]
        guard isAnyWanted(rows) else { return }
        var batch = BatchSettings()
        batch.scheduleDelayMs = 10
        let rig = try Rig(batch, clock: clock)
        let trials = 50
        let shape = BenchSpan()
        var spans = 0
        var all: [Double] = []
        try measure(
            rows, notes: { _ in [Self.spread(all, trials) + " · delay 10 ms", ""] },
            { repetition in
                var lateUs: [Double] = []
                for _ in 0..<trials {
                    let batches = rig.sent.count
                    let firstNs = TraceClock.monotonicNs
                    for _ in 0..<100 { shape.run(rig.tracer, spans) }
                    spans += 100
                    guard let record = rig.sent.wait(forCount: batches + 1) else {
                        throw BenchBroken(description: "a batch was not sent within 10 s")
                    }
                    let passed = Double(Int64(bitPattern: record.firstSentNs &- firstNs))
                    lateUs.append(passed / 1_000 - Double(batch.scheduleDelayMs) * 1_000)
                }
                if repetition > 0 { all += lateUs }
                return [
                    BenchSample(Self.percentile(lateUs, 0.5)),
                    BenchSample(Self.percentile(lateUs, 0.99)),
                ]
            })
        try rig.close(spans: spans)
    }

    private static func percentile(_ values: [Double], _ share: Double) -> Double {
        let sorted = values.sorted()
        return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
    }

    private static func spread(_ values: [Double], _ trials: Int) -> String {
        guard let largest = values.max() else { return "" }
        return "\(trials) trials each; of all \(values.count): p50 "
            + "\(Int(percentile(values, 0.5))), p99 \(Int(percentile(values, 0.99))), "
            + "largest \(Int(largest))"
    }
}

/// Batches as they were settled.
private final class SentBatches: Sendable {
    private let records = Mutex<(count: Int, last: TracePipeline.BatchRecord?)>((0, nil))

    var count: Int { records.withLock { $0.count } }

    func add(_ record: TracePipeline.BatchRecord) {
        records.withLock { $0 = ($0.count + 1, record) }
    }

    /// The last one, once there are so many; nil after ten seconds.
    func wait(forCount count: Int) -> TracePipeline.BatchRecord? {
        for _ in 0..<100_000 {
            if let record = records.withLock({ $0.count >= count ? $0.last : nil }) {
                return record
            }
            usleep(100)
        }
        return nil
    }
}

/// The kernel's account of a thread.
private enum ThreadSwitches {
    /// Voluntary and involuntary switches of this process's threads of that name; nil when there is none.
    static func count(named name: String) -> Int? {
        var sum: Int?
        for task in names(in: "/proc/self/task") {
            let folder = "/proc/self/task/\(task)/"
            guard text(folder + "comm") == name + "\n" else { continue }
            for line in text(folder + "status").split(separator: "\n")
            where line.contains("voluntary_ctxt_switches") {
                let words = line.split(whereSeparator: \.isWhitespace)
                sum = (sum ?? 0) + (words.last.flatMap { Int($0) } ?? 0)
            }
        }
        return sum
    }

    /// A short file of /proc; empty when it is gone.
    private static func text(_ path: String) -> String {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    private static func names(in folder: String) -> [String] {
        guard let directory = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if Int(name) != nil { names.append(name) }
        }
        return names
    }
}
