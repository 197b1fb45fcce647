// An exporting processor as others see it: who it is, and its books. Any thread; it outlives its thread.

import Glibc
import TraceCore

/// What one exporting processor is called and what it has counted.
final class ProcessorAccount: Sendable {
    /// Names of OpenTelemetry's semantic conventions for SDK components, and where the exporter sends.
    struct Component: Sendable {
        /// `otel.component.name` and `otel.component.type`.
        var name: String
        var type: String
        /// Set for exporters that send over a network.
        var serverAddress: String?
        var serverPort: String?

        var attributes: [String: String] {
            var attributes = ["otel.component.name": name, "otel.component.type": type]
            attributes["server.address"] = serverAddress
            attributes["server.port"] = serverPort
            return attributes
        }
    }

    let processor: Component
    let exporter: Component
    let recorder: SpanRecorder
    let control: ProcessorControl
    private let processID = getpid()

    init(processor: Component, exporter: Component, recorder: SpanRecorder) {
        self.processor = processor
        self.exporter = exporter
        self.recorder = recorder
        control = ProcessorControl(queue: recorder.queue)
    }

    /// Whether this is the process that the processor's thread is in. In a forked child the locks of
    /// other threads may be held for ever.
    var isOwnProcess: Bool { getpid() == processID }

    /// Where every ended span is, now; in a forked child nothing but what the core counts.
    var ledger: PipelineLedger {
        var ledger = isOwnProcess ? control.monitor.withLock { $0.ledger } : PipelineLedger()
        ledger.add(recorder.counters)
        return ledger
    }

    var durations: ExportDurations {
        isOwnProcess ? control.monitor.withLock { $0.durations } : ExportDurations()
    }

    var tailFigures: TailFigures? {
        isOwnProcess ? control.monitor.withLock { $0.tail } : nil
    }

    var wakeups: UInt64 { isOwnProcess ? control.monitor.withLock { $0.wakeups } : 0 }
}

/// Gives the components of one pipeline names that stay the same from run to run: `<type>/<number>`.
struct ComponentNames {
    private var counts: [String: Int] = [:]

    mutating func name(_ type: String) -> String {
        defer { counts[type, default: 0] += 1 }
        return "\(type)/\(counts[type, default: 0])"
    }
}
