// Processors and exporters for tests of several processors, the sweeper and the races.

import Foundation
import TraceCore

@testable import TracePipeline

/// A custom processor that notes what it sees and does as it is told.
final class NotingProcessor: SpanProcessor {
    struct Notes: Sendable {
        var started: [SpanContext] = []
        var parents: [SpanContext?] = []
        var tickets: [ActiveSpan] = []
        var ended: [SpanData] = []
        var flushTimeouts: [Int] = []
        var shutdownTimeouts: [Int] = []
    }

    let notes = Monitor(Notes())
    private let mark: (key: AttributeKey, value: Int)?
    private let result: FlushResult
    /// Flush and shutdown return once it is open.
    private let gate: Monitor<Bool>

    init(
        mark: (AttributeKey, Int)? = nil, result: FlushResult = .completed, isOpen: Bool = true
    ) {
        self.mark = mark.map { (key: $0.0, value: $0.1) }
        self.result = result
        gate = Monitor(isOpen)
    }

    var seen: Notes { notes.withLock { $0 } }

    func onStart(_ span: ActiveSpan, parent: SpanContext?) {
        if let mark { span.setAttribute(mark.key, mark.value) }
        notes.withLockAndSignal {
            $0.started.append(span.context)
            $0.parents.append(parent)
            $0.tickets.append(span)
        }
    }

    func onEnd(_ span: SpanData) { notes.withLockAndSignal { $0.ended.append(span) } }

    func forceFlush(timeoutMs: Int) -> FlushResult {
        notes.withLockAndSignal { $0.flushTimeouts.append(timeoutMs) }
        _ = gate.wait(untilNs: .max) { $0 }
        return result
    }

    func shutdown(timeoutMs: Int) -> FlushResult {
        notes.withLockAndSignal { $0.shutdownTimeouts.append(timeoutMs) }
        _ = gate.wait(untilNs: .max) { $0 }
        return result
    }

    func open() { gate.withLockAndSignal { $0 = true } }
}

/// Takes nothing.
struct RefusingExporter: SpanExporter {
    func export(request: RawSpan, spanCount: Int) -> BatchOutcome { .dropped(.refused) }
}

/// Counts how often each span came, by its span id: the numbers from 1 to `count`. Reads the requests with
/// a walk of its own over OTLP's nested messages.
final class CountingExporter: SpanExporter {
    private let counts: Monitor<[UInt8]>

    init(count: Int) {
        counts = Monitor([UInt8](repeating: 0, count: count + 1))
    }

    /// Spans that came once, spans that came more often, in that order.
    var arrivals: (once: Int, more: Int) {
        counts.withLock { counts in
            (
                counts.reduce(0) { $0 + ($1 == 1 ? 1 : 0) },
                counts.reduce(0) { $0 + ($1 > 1 ? 1 : 0) }
            )
        }
    }

    func export(request: RawSpan, spanCount: Int) -> BatchOutcome {
        unsafe request.withUnsafeBytes { bytes in
            counts.withLock { counts in
                unsafe Self.forEach(0x0a, in: bytes) { resourceSpans in
                    unsafe Self.forEach(0x12, in: resourceSpans) { scopeSpans in
                        unsafe Self.forEach(0x12, in: scopeSpans) { span in
                            // trace_id 1, 16 bytes; span_id 2, 8 bytes.
                            let id = unsafe span.loadUnaligned(fromByteOffset: 20, as: UInt64.self)
                            let index = Int(truncatingIfNeeded: UInt64(bigEndian: id))
                            if counts[index] < .max { counts[index] += 1 }
                        }
                    }
                }
            }
        }
        return .acknowledged
    }

    /// Each length-delimited field with that tag; other fields are of the same kind.
    private static func forEach(
        _ tag: UInt8, in bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        var offset = 0
        while offset < bytes.count {
            let found = unsafe bytes[offset]
            offset += 1
            var count = 0
            var shift = 0
            while true {
                let byte = unsafe bytes[offset]
                offset += 1
                count |= Int(byte & 0x7f) << shift
                shift += 7
                if byte < 0x80 { break }
            }
            if found == tag {
                unsafe body(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
            }
            offset += count
        }
    }
}

extension PipelineHarness {
    /// Start times long gone, so that a sweeper finds the span too old.
    static var longAgo: UInt64 { TraceClock.unixNs - 7_200_000_000_000 }

    /// L1 by the counters, and by the store's own count.
    static func holdsL1(_ recorder: SpanRecorder) -> Bool {
        let counters = recorder.counters
        return counters.recording == counters.ended + counters.sweptDropped + counters.live
            && counters.live == recorder.liveSlotCount
    }
}
