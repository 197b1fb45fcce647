// Says that spans lose data to their limits (OpenTelemetry specification, "Span Limits": "There SHOULD be a
// message printed in the SDK's log").

import Logging
import TraceCore

/// Looks at a counter whenever the exporter thread is awake, and logs what it has grown: at once the first
/// time, then at most once in `intervalNs`, and what is left when the thread ends. The span path only counts,
/// and only where a span has lost something. Exporter thread only.
final class LimitsWatch: ExporterChore {
    private let endedOverLimit: @Sendable () -> UInt64
    private let logger: Logger
    private let intervalNs: UInt64
    private var logged: UInt64 = 0
    private var lastLoggedNs: UInt64?
    /// Set while something waits to be logged.
    private(set) var nextDueNs: UInt64?

    init(recorder: SpanRecorder, logger: Logger, intervalNs: UInt64 = 30_000_000_000) {
        endedOverLimit = { recorder.endedOverLimit }
        self.logger = logger
        self.intervalNs = intervalNs
    }

    func runIfDue(nowNs: UInt64) {
        let total = endedOverLimit()
        guard total > logged else { return }
        if let lastLoggedNs, nowNs < lastLoggedNs + intervalNs {
            nextDueNs = lastLoggedNs + intervalNs
            return
        }
        lastLoggedNs = nowNs
        log(total)
    }

    func runLast() {
        let total = endedOverLimit()
        if total > logged { log(total) }
    }

    private func log(_ total: UInt64) {
        logger.warning(
            """
            \(total - logged) spans lost attributes, events or links to their limits; raise \
            OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT, OTEL_SPAN_EVENT_COUNT_LIMIT or \
            OTEL_SPAN_LINK_COUNT_LIMIT, or SpanLimits in code
            """)
        logged = total
        nextDueNs = nil
    }
}
