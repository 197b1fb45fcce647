// The batch processor's settings (OpenTelemetry specification, "Batching processor").

/// What an ended span does when the queue is full.
public enum QueueFullPolicy: String, Sendable, CaseIterable {
    /// The span is dropped and counted, as the specification has it.
    case drop
    /// `end` waits until there is room: for simulated time, where nothing may be lost.
    case block
}

/// How finished spans are gathered into batches.
public struct BatchSettings: Sendable, Equatable {
    /// Finished spans that may wait (OTEL_BSP_MAX_QUEUE_SIZE). 1 or more.
    public var queueSpans = 2_048
    /// Spans in a batch at most (OTEL_BSP_MAX_EXPORT_BATCH_SIZE). 1…`queueSpans`.
    public var batchSpans = 512
    /// The longest that a span waits for its batch to fill, milliseconds (OTEL_BSP_SCHEDULE_DELAY).
    public var scheduleDelayMs = 5_000
    /// From a batch's building to its end, retries included, milliseconds
    /// (OTEL_BSP_EXPORT_TIMEOUT); 0 means no limit.
    public var exportTimeoutMs = 30_000
    public var whenFull = QueueFullPolicy.drop
    /// Memory for a request body, bytes; there is a body more than there are connections. A batch whose
    /// request would be longer goes out in parts; a span that fits into none is dropped, and counted. From
    /// 64 KiB to 64 MiB, the longest request there may be.
    public var bodyBytesMax = Self.bodyBytesLimits.upperBound

    /// Keeps finished spans back by trace and decides about whole traces; nil: every span goes out.
    public var tail: TailSampling?

    static let bodyBytesLimits = 64 << 10...64 << 20

    public init() {}

    public func validate() throws(ConfigurationError) {
        guard queueSpans >= 1 else {
            throw .invalidSetting(name: "queueSpans", reason: "the queue must hold 1 span or more")
        }
        guard (1...queueSpans).contains(batchSpans) else {
            throw .invalidSetting(
                name: "batchSpans", reason: "from 1 to the queue's \(queueSpans) spans")
        }
        guard (0...Int(Int32.max)).contains(scheduleDelayMs) else {
            throw .invalidSetting(
                name: "scheduleDelayMs", reason: "milliseconds from 0 to \(Int32.max)")
        }
        guard (0...Int(Int32.max)).contains(exportTimeoutMs) else {
            throw .invalidSetting(
                name: "exportTimeoutMs", reason: "milliseconds from 0 (no limit) to \(Int32.max)")
        }
        guard Self.bodyBytesLimits.contains(bodyBytesMax) else {
            throw .invalidSetting(
                name: "bodyBytesMax",
                reason:
                    "bytes from \(Self.bodyBytesLimits.lowerBound) to \(Self.bodyBytesLimits.upperBound)"
            )
        }
        try tail?.validate()
    }
}

/// What a flush or a shutdown came to.
public enum FlushResult: Sendable, Equatable {
    /// Every span whose `end` had returned is settled: acknowledged, rejected or dropped.
    case completed
    /// Time was up before that.
    case timedOut
}
