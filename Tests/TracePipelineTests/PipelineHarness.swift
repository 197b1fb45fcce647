// A pipeline for tests: short waits, settled batches collected, spans read back from what a server got.

import Foundation
import Logging
import TraceCore

@testable import TracePipeline

/// Batch records in the order in which they were settled.
final class RecordCollector: @unchecked Sendable {
    // Safe because everything that changes is guarded by `condition`.
    private let condition = NSCondition()
    private var records: [BatchRecord] = []

    var all: [BatchRecord] {
        condition.lock()
        defer { condition.unlock() }
        return records
    }

    func add(_ record: BatchRecord) {
        condition.lock()
        records.append(record)
        condition.broadcast()
        condition.unlock()
    }

    func wait(for count: Int) -> [BatchRecord] {
        condition.lock()
        defer { condition.unlock() }
        while records.count < count { condition.wait() }
        return records
    }
}

/// A custom exporter that waits at a gate before each batch.
final class GatedExporter: SpanExporter, @unchecked Sendable {
    // Safe because everything that changes is guarded by `condition`.
    private let condition = NSCondition()
    private var isOpen: Bool
    private var entered = 0
    private var requests: [[UInt8]] = []
    private var isShutDown = false

    init(isOpen: Bool) { self.isOpen = isOpen }

    func export(request: RawSpan, spanCount: Int) -> BatchOutcome {
        let bytes = unsafe request.withUnsafeBytes { unsafe [UInt8]($0) }
        condition.lock()
        defer { condition.unlock() }
        entered += 1
        condition.broadcast()
        while !isOpen { condition.wait() }
        requests.append(bytes)
        return .acknowledged
    }

    func shutdown() {
        condition.lock()
        isShutDown = true
        condition.unlock()
    }

    func open() {
        condition.lock()
        isOpen = true
        condition.broadcast()
        condition.unlock()
    }

    /// Blocks until so many exports were begun.
    func waitForExports(_ count: Int) {
        condition.lock()
        while entered < count { condition.wait() }
        condition.unlock()
    }

    var wasShutDown: Bool {
        condition.lock()
        defer { condition.unlock() }
        return isShutDown
    }

    var received: [[UInt8]] {
        condition.lock()
        defer { condition.unlock() }
        return requests
    }
}

enum PipelineHarness {
    /// A pipeline to `endpoint`, or to `exporter`, that keeps the ledger.
    static func pipeline(
        endpoint: String? = nil, exporter: ExporterChoice? = nil,
        records: RecordCollector = RecordCollector(),
        _ change: (inout TracingConfiguration) throws -> Void = { _ in }
    ) throws -> TracingPipeline {
        var configuration = TracingConfiguration()
        configuration.serviceName = "harness"
        configuration.keepsLedger = true
        configuration.observer = { records.add($0) }
        configuration.logger = LogCapture().logger()
        if let exporter { configuration.exporter = exporter }
        if let endpoint {
            var settings = OTLPHTTPSettings(endpoint: endpoint)
            settings.retry.initialBackoffMs = 1
            settings.retry.maxBackoffMs = 4
            configuration.exporter = .otlp(settings)
        }
        try change(&configuration)
        return try TracingPipeline(configuration)
    }

    static func end(_ count: Int, of pipeline: TracingPipeline) {
        let tracer = pipeline.provider.tracer(name: "test")
        let name = SpanName("work")
        for _ in 0..<count { tracer.startSpan(name).end() }
    }

    /// The names of the spans in a request.
    static func spanNames(_ request: [UInt8]) throws -> [String] {
        try SpanData.decode(request: request).map(\.name)
    }
}
