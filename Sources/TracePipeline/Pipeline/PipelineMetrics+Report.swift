// The pipeline's figures for whatever metrics system the program uses, by way of swift-metrics.

public import CoreMetrics
import TraceCore

/// Where the pipeline's own figures go, and how often.
public struct PipelineMetricsSettings: Sendable {
    /// Makes the counters, gauges and timers: `MetricsSystem.factory`, or one of the program's own.
    public var factory: any MetricsFactory
    /// From one report to the next, milliseconds. 1 or more.
    public var intervalMs = 60_000

    public init(factory: any MetricsFactory = MetricsSystem.factory, intervalMs: Int = 60_000) {
        self.factory = factory
        self.intervalMs = intervalMs
    }

    public func validate() throws(ConfigurationError) {
        guard (1...Int(Int32.max)).contains(intervalMs) else {
            throw .invalidSetting(
                name: "metrics.intervalMs", reason: "milliseconds from 1 to \(Int32.max)")
        }
    }
}

/// Reports ``PipelineMetrics`` to a factory: counters by what they have grown, the others as gauges, and
/// how long each export took as a timer. Labels are the metrics' names, dimensions their attributes.
final class PipelineMetricsReport: Sendable {
    private struct Key: Hashable {
        var name: String
        var attributes: [String: String]
    }

    private struct Books: Sendable {
        var counters: [Key: (handler: any CounterHandler, reported: UInt64)] = [:]
        var gauges: [Key: any RecorderHandler] = [:]
    }

    private let factory: any MetricsFactory
    // The factory is called with these held: whoever reports waits for whoever does, and no one else.
    private let books = Monitor(Books())
    private let timers = Monitor<[Key: any TimerHandler]>([:])

    init(factory: any MetricsFactory) {
        self.factory = factory
    }

    /// Reports what has changed since the last time.
    func report(_ metrics: PipelineMetrics) {
        books.withLock { books in
            for point in metrics.points {
                let key = Key(name: point.name, attributes: point.attributes)
                switch point.instrument {
                case .counter:
                    let known = books.counters[key]
                    let handler =
                        known?.handler
                        ?? factory.makeCounter(label: key.name, dimensions: Self.dimensions(key))
                    let reported = known?.reported ?? 0
                    // Two reports may have been read in one order and come in the other.
                    if point.value > reported {
                        handler.increment(by: Int64(clamping: point.value - reported))
                    }
                    books.counters[key] = (handler, max(point.value, reported))
                case .upDownCounter:
                    let handler =
                        books.gauges[key]
                        ?? factory.makeRecorder(
                            label: key.name, dimensions: Self.dimensions(key), aggregate: false)
                    handler.record(Int64(clamping: point.value))
                    books.gauges[key] = handler
                }
            }
        }
    }

    /// Records how long a batch took. On the thread of the processor that settled it.
    func record(_ record: BatchRecord, exporter: ProcessorAccount.Component) {
        var key = Key(name: PipelineMetrics.exportDurationName, attributes: exporter.attributes)
        key.attributes["error.type"] = record.outcome.errorType
        timers.withLock { timers in
            let timer =
                timers[key]
                ?? factory.makeTimer(label: key.name, dimensions: Self.dimensions(key))
            timer.recordNanoseconds(Int64(clamping: record.exportNs))
            timers[key] = timer
        }
    }

    private static func dimensions(_ key: Key) -> [(String, String)] {
        key.attributes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}

/// Reports once an interval. Exporter thread only.
final class MetricsChore: ExporterChore {
    private let report: PipelineMetricsReport
    private let books: PipelineBooks
    private let intervalNs: UInt64
    private var dueNs: UInt64

    init(report: PipelineMetricsReport, books: PipelineBooks, intervalMs: Int) {
        self.report = report
        self.books = books
        intervalNs = MonotonicTime.deadlineNs(from: 0, afterMs: intervalMs)
        dueNs = TraceClock.monotonicNs + intervalNs
    }

    func runIfDue(nowNs: UInt64) {
        guard nowNs >= dueNs else { return }
        report.report(books.metrics)
        dueNs = TraceClock.monotonicNs + intervalNs
    }

    var nextDueNs: UInt64? { dueNs }
}
