// Drives the transport as the processor's loop does, on the test's own thread.

import Glibc
import Logging
import TraceCore

@testable import TracePipeline

/// Collects what was logged.
final class LogCapture: @unchecked Sendable {
    // Safe because a test's logger is used by one thread at a time, and read when that is done.
    var lines: [String] = []

    struct Handler: LogHandler {
        let capture: LogCapture
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            capture.lines.append("\(event.message) \(event.metadata ?? [:])")
        }
    }

    func logger() -> Logger {
        Logger(label: "test") { _ in Handler(capture: self) }
    }
}

@safe
final class ExporterHarness {
    let exporter: OTLPHTTPExporter
    let log = LogCapture()
    private let eventFileDescriptor: Int32
    private let otherEnd: Int32
    private var bodies: [UnsafeMutableRawBufferPointer] = unsafe []

    init(
        endpoint: String, connections: Int = 1,
        _ change: (inout OTLPHTTPSettings) throws -> Void = { _ in }
    ) throws {
        var settings = OTLPHTTPSettings(endpoint: endpoint)
        settings.connections = connections
        // Short, so that a test takes milliseconds; the outcome is what is asserted.
        settings.retry.initialBackoffMs = 1
        settings.retry.maxBackoffMs = 4
        settings.timeoutMs = 30_000
        try change(&settings)
        exporter = try OTLPHTTPExporter(
            settings: settings, slotCount: connections + 1, logger: log.logger())
        var ends: [Int32] = [0, 0]
        precondition(unsafe pipe(&ends) == 0)
        (eventFileDescriptor, otherEnd) = (ends[0], ends[1])
    }

    deinit {
        close(eventFileDescriptor)
        close(otherEnd)
        for index in unsafe bodies.indices { unsafe bodies[index].deallocate() }
    }

    func submit(slot: Int, number: UInt64 = 1, body: [UInt8], deadlineMs: Int = 30_000) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: body.count, alignment: 16)
        unsafe memory.copyBytes(from: body)
        unsafe bodies.append(memory)
        let nowNs = TraceClock.monotonicNs
        unsafe exporter.submit(
            slot: slot, number: number, payload: UnsafeRawBufferPointer(memory),
            deadlineNs: MonotonicTime.deadlineNs(from: nowNs, afterMs: deadlineMs), nowNs: nowNs)
    }

    /// Drives until so many batches are settled.
    func settle(_ count: Int) -> [FinishedExport] {
        var settled: [FinishedExport] = []
        while true {
            exporter.step(nowNs: TraceClock.monotonicNs)
            while let finished = exporter.nextFinished() { settled.append(finished) }
            if settled.count >= count { return settled }
            _ = exporter.wait(
                eventFileDescriptor: eventFileDescriptor, untilNs: exporter.nextDueNs())
        }
    }

    /// One body to its end.
    func send(
        _ body: [UInt8] = Array("a body".utf8), number: UInt64 = 1, deadlineMs: Int = 30_000
    ) -> FinishedExport {
        submit(slot: 0, number: number, body: body, deadlineMs: deadlineMs)
        return settle(1)[0]
    }
}
