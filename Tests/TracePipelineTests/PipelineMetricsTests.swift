// Names, attributes and units are those of OpenTelemetry's semantic conventions, "SDK metrics".

import CoreMetrics
import Testing
import TraceCore

@testable import TracePipeline

/// Counts what it is told, by label and dimensions.
private final class NotingFactory: MetricsFactory {
    struct Notes: Sendable {
        var counters: [String: Int64] = [:]
        var increments: [String: Int] = [:]
        var gauges: [String: Int64] = [:]
        var timers: [String: [Int64]] = [:]
        var made = 0
    }

    let notes = Monitor(Notes())
    /// Every increment and record waits until it is open.
    let gate: Monitor<Bool>

    init(isOpen: Bool = true) { gate = Monitor(isOpen) }

    private final class Handler: CounterHandler, RecorderHandler, TimerHandler {
        let factory: NotingFactory
        let key: String

        init(_ factory: NotingFactory, _ label: String, _ dimensions: [(String, String)]) {
            self.factory = factory
            key = ([label] + dimensions.map { "\($0)=\($1)" }).joined(separator: " ")
        }

        private func note(_ change: (inout Notes) -> Void) {
            _ = factory.gate.wait(untilNs: .max) { $0 }
            factory.notes.withLockAndSignal(change)
        }

        func increment(by amount: Int64) {
            note {
                $0.counters[key, default: 0] += amount
                $0.increments[key, default: 0] += 1
            }
        }
        func reset() { note { $0.counters[key] = 0 } }
        func record(_ value: Int64) { note { $0.gauges[key] = value } }
        func record(_ value: Double) { Issue.record("a gauge of spans is an integer") }
        func recordNanoseconds(_ duration: Int64) {
            note { $0.timers[key, default: []].append(duration) }
        }
    }

    private func handler(_ label: String, _ dimensions: [(String, String)]) -> Handler {
        notes.withLock { $0.made += 1 }
        return Handler(self, label, dimensions)
    }

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        handler(label, dimensions)
    }
    func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        #expect(!aggregate)
        return handler(label, dimensions)
    }
    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        handler(label, dimensions)
    }
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}
}

@Suite struct PipelineMetricsTests {
    private let processor = [
        "otel.component.name": "batching_span_processor/0",
        "otel.component.type": "batching_span_processor",
    ]

    @Test("Spans are counted by what the sampler said, and live ones as they are")
    func spans() throws {
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none)
        let dropping = pipeline.makeProvider(serviceName: "dropped", sampler: .alwaysOff)
            .tracer(name: "test")
        let recording = pipeline.makeProvider(
            serviceName: "recorded", sampler: .alwaysRecord(.alwaysOff)
        ).tracer(name: "test")
        PipelineHarness.end(3, of: pipeline)
        for _ in 0..<5 { dropping.startSpan("dropped").end() }
        let live = (0..<2).map { _ in recording.startSpan("recorded") }
        let metrics = pipeline.metrics
        for (result, count) in [("RECORD_AND_SAMPLE", 3), ("DROP", 5), ("RECORD_ONLY", 2)] {
            #expect(
                metrics.value(
                    of: "otel.sdk.span.started", where: ["otel.span.sampling_result": result])
                    == UInt64(count))
        }
        #expect(metrics.value(of: "otel.sdk.span.started") == 10)
        #expect(metrics.value(of: "otel.sdk.span.live") == 2)
        live[0].end()
        #expect(pipeline.metrics.value(of: "otel.sdk.span.live") == 1)
        #expect(pipeline.shutdown() == .completed)
        PipelineHarness.end(1, of: pipeline)
        #expect(pipeline.metrics.value(of: "otel.sdk.span.started") == 11)
        #expect(metrics.value(of: "otel.sdk.span.stopped") == nil)
        #expect(
            Set(metrics.points.map(\.name))
                == Set(
                    [
                        "otel.sdk.span.started", "otel.sdk.span.live",
                        "otel.sdk.processor.span.queue.size",
                        "otel.sdk.processor.span.queue.capacity",
                        "otel.sdk.processor.span.processed",
                        "otel.sdk.exporter.span.inflight", "otel.sdk.exporter.span.exported",
                    ] + SpanFigureTests.names))
        #expect(metrics.points.allSatisfy { $0.unit == "{span}" })
        let counters = metrics.points.filter { $0.instrument == .counter }
        #expect(
            Set(counters.map(\.name))
                == Set(
                    [
                        "otel.sdk.span.started", "otel.sdk.processor.span.processed",
                        "otel.sdk.exporter.span.exported",
                    ] + SpanFigureTests.names))
    }

    @Test("A processor's queue, what it has handed on, and what it has dropped and why")
    func processors() throws {
        let gate = GatedExporter(isOpen: false)
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(gate)) {
            $0.batch.queueSpans = 15
            $0.batch.batchSpans = 5
        }
        let exporter = [
            "otel.component.name": "TracePipelineTests.GatedExporter/0",
            "otel.component.type": "TracePipelineTests.GatedExporter",
        ]
        PipelineHarness.end(5, of: pipeline)
        gate.waitForExports(1)
        PipelineHarness.end(20, of: pipeline)
        var metrics = pipeline.metrics
        func value(_ name: String, _ attributes: [String: String]) -> UInt64? {
            metrics.points.first { $0.name == "otel.sdk.\(name)" && $0.attributes == attributes }?
                .value
        }
        let full = processor.merging(["error.type": "queue_full"]) { $1 }
        let late = processor.merging(["error.type": "already_shutdown"]) { $1 }
        #expect(value("processor.span.queue.size", processor) == 15)
        #expect(value("processor.span.queue.capacity", processor) == 15)
        // Handed to the exporter, which has not finished with them.
        #expect(value("processor.span.processed", processor) == 5)
        #expect(value("processor.span.processed", full) == 5)
        #expect(value("processor.span.processed", late) == nil)
        #expect(value("exporter.span.inflight", exporter) == 5)
        #expect(value("exporter.span.exported", exporter) == 0)
        let live = pipeline.provider.tracer(name: "test").startSpan("live")
        gate.open()
        #expect(pipeline.shutdown() == .completed)
        live.end()
        metrics = pipeline.metrics
        #expect(value("processor.span.queue.size", processor) == 0)
        #expect(value("processor.span.processed", processor) == 20)
        #expect(value("processor.span.processed", full) == 5)
        #expect(value("processor.span.processed", late) == 1)
        #expect(value("exporter.span.inflight", exporter) == 0)
        #expect(value("exporter.span.exported", exporter) == 20)
    }

    @Test(
        "Failed exports say why, partial successes count both ways, and each end has its durations")
    func exporters() throws {
        let server = ScriptedServer([
            .answer(status: 200), .answer(status: 200, body: [0x0A, 2, 0x08, 2]),
            .answer(status: 400),
        ])
        defer { server.stop() }
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint) {
            $0.additionalProcessors = [.custom(NotingProcessor())]
        }
        for _ in 0..<3 {
            PipelineHarness.end(4, of: pipeline)
            #expect(pipeline.forceFlush() == .completed)
        }
        #expect(pipeline.shutdown() == .completed)
        let metrics = pipeline.metrics
        let exporter = [
            "otel.component.name": "otlp_http_span_exporter/0",
            "otel.component.type": "otlp_http_span_exporter", "server.address": "127.0.0.1",
            "server.port": "\(server.port)",
        ]
        let exported = metrics.points.filter { $0.name == "otel.sdk.exporter.span.exported" }
        func with(_ errorType: String) -> [String: String] {
            exporter.merging(["error.type": errorType]) { $1 }
        }
        #expect(exported.map(\.attributes) == [exporter, with("rejected"), with("refused")])
        #expect(exported.map(\.value) == [6, 2, 4])
        let durations = metrics.durations
        #expect(durations.map(\.attributes) == [exporter, with("refused"), with("rejected")])
        for duration in durations {
            #expect(duration.name == "otel.sdk.exporter.operation.duration")
            #expect(duration.durations.count == 1)
            #expect(duration.durations.sumNs > 0)
            #expect(duration.durations.sumNs == duration.durations.maxNs)
            #expect(duration.durations.bucketCounts.reduce(0, +) == 1)
        }
        let custom = "TracePipelineTests.NotingProcessor"
        #expect(
            metrics.value(
                of: "otel.sdk.processor.span.processed",
                where: ["otel.component.name": "\(custom)/0", "otel.component.type": custom]) == 12)
    }

    @Test("What a shutdown without time drops is told apart: sent or not")
    func shutdownDrops() throws {
        let server = ScriptedServer(then: .hang)
        defer { server.stop() }
        let pipeline = try PipelineHarness.pipeline(endpoint: server.endpoint) {
            $0.batch.batchSpans = 5
        }
        PipelineHarness.end(5, of: pipeline)
        server.waitForRequests(1)
        let second = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.batch.scheduleDelayMs = Int(Int32.max)
        }
        PipelineHarness.end(7, of: second)
        #expect(pipeline.shutdown(timeoutMs: 20) == .timedOut)
        #expect(second.shutdown(timeoutMs: 0) == .timedOut)
        let failed = ["error.type": "shutdown"]
        #expect(
            pipeline.metrics.value(of: "otel.sdk.exporter.span.exported", where: failed) == 5)
        #expect(
            pipeline.metrics.value(of: "otel.sdk.processor.span.processed", where: failed) == nil)
        #expect(second.metrics.value(of: "otel.sdk.exporter.span.exported", where: failed) == nil)
        #expect(
            second.metrics.value(of: "otel.sdk.processor.span.processed", where: failed) == 7)
    }

    @Test("Durations fall into the buckets whose upper bound they do not exceed")
    func buckets() {
        var histogram = DurationHistogram()
        for ns: UInt64 in [0, 5_000_000, 5_000_001, 1_000_000_000, 10_000_000_000, 10_000_000_001] {
            histogram.add(ns: ns)
        }
        #expect(histogram.bucketCounts == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1])
        #expect(histogram.count == 6)
        #expect(histogram.maxNs == 10_000_000_001)
        #expect(histogram.sumNs == 21_010_000_002)
    }

    // MARK: swift-metrics

    private let started =
        "otel.sdk.span.started otel.span.sampling_result=RECORD_AND_SAMPLE"
    private let queue =
        "otel.sdk.processor.span.queue.capacity otel.component.name=batching_span_processor/0 "
        + "otel.component.type=batching_span_processor"

    @Test("A metrics factory is told by the clock, and once more at shutdown, of what has grown")
    func report() throws {
        let factory = NotingFactory()
        let pipeline = try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
            $0.metrics = PipelineMetricsSettings(factory: factory, intervalMs: 2)
            $0.additionalProcessors = [.batch(BatchSettings(), .none)]
        }
        PipelineHarness.end(3, of: pipeline)
        // No flush: the clock alone.
        #expect(factory.notes.wait(untilNs: .max) { $0.counters[started] ?? 0 >= 3 })
        PipelineHarness.end(4, of: pipeline)
        #expect(factory.notes.wait(untilNs: .max) { $0.counters[started] ?? 0 >= 7 })
        PipelineHarness.end(5, of: pipeline)
        #expect(pipeline.shutdown() == .completed)
        #expect(pipeline.shutdown() == .completed)
        let notes = factory.notes.withLock { $0 }
        #expect(notes.counters[started] == 12)
        #expect(notes.gauges[queue] == 2_048)
        #expect(notes.gauges["otel.sdk.span.live"] == 0)
        // Every figure arrives under its name and attributes.
        for point in pipeline.metrics.points where point.instrument == .counter && point.value > 0 {
            let key =
                ([point.name]
                + point.attributes.sorted { $0.key < $1.key }.map {
                    "\($0.key)=\($0.value)"
                }).joined(separator: " ")
            #expect(notes.counters[key] == Int64(point.value))
        }
        // The batches of both, each once.
        let timers = notes.timers.filter {
            $0.key.hasPrefix("otel.sdk.exporter.operation.duration ")
        }
        #expect(timers.count == 2)
        let batches = pipeline.ledgers.map { Int($0.ledger.acknowledged.batches) }
        #expect(timers.values.map(\.count).sorted() == batches.sorted())
        // Each instrument is made once.
        #expect(
            notes.made == notes.counters.count + notes.gauges.count + notes.timers.count
                + pipeline.metrics.points.count { $0.instrument == .counter && $0.value == 0 })
    }

    @Test("Without settings for it nothing is reported, and an interval must be one")
    func offByDefault() throws {
        let configuration = TracingConfiguration()
        #expect(configuration.metrics == nil)
        for interval in [0, -1, Int(Int32.max) + 1] {
            #expect(throws: ConfigurationError.self) {
                try PipelineHarness.pipeline(exporter: ExporterChoice.none) {
                    $0.metrics = PipelineMetricsSettings(
                        factory: NotingFactory(), intervalMs: interval)
                }
            }
        }
    }

    @Test("A metrics factory that hangs holds up neither shutdown nor what the others export")
    func hangingFactory() throws {
        let factory = NotingFactory(isOpen: false)
        let exporter = InMemoryExporter()
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(exporter)) {
            $0.metrics = PipelineMetricsSettings(factory: factory, intervalMs: 1_000_000)
        }
        PipelineHarness.end(3, of: pipeline)
        #expect(pipeline.shutdown(timeoutMs: 2_000) == .timedOut)
        #expect(exporter.finishedSpans.count == 3)
        factory.gate.withLockAndSignal { $0 = true }
        #expect(factory.notes.wait(untilNs: .max) { $0.counters[started] ?? 0 >= 3 })
    }
}
