// A processor of the user's: sees spans start and end, beside the built-in ones (OpenTelemetry
// specification, "Span processor").

public import TraceCore

/// Sees every span that records: the sampled ones, and those that a sampler only records.
///
/// Calls come from the threads that start and end spans, several at once; a span that the sweeper ends
/// comes on the exporter's. Each call is part of that thread's `start` or `end` and must not block. A
/// span made in a call comes to the processor too: make none without an end to it.
public protocol SpanProcessor: Sendable {
    /// A span has started. It may be read and written, and its ticket may be kept; after its end a
    /// ticket does nothing.
    ///
    /// - Parameter parent: as it was given; nil for none.
    func onStart(_ span: ActiveSpan, parent: SpanContext?)

    /// A span has ended. ``SpanData/traceFlags`` says whether it is sampled. What is in the queues of
    /// the other processors does not change any more.
    func onEnd(_ span: SpanData)

    /// Hands on what it holds back. On a thread of its own; one that does not come back in time is left
    /// behind, and what waits for it goes on.
    func forceFlush(timeoutMs: Int) -> FlushResult

    /// The same, and nothing will come any more. Called once, on a thread of its own; no span is ended
    /// into a queue after it has begun.
    func shutdown(timeoutMs: Int) -> FlushResult
}

extension SpanProcessor {
    public func onStart(_ span: ActiveSpan, parent: SpanContext?) {}
    public func onEnd(_ span: SpanData) {}
    public func forceFlush(timeoutMs: Int) -> FlushResult { .completed }
    public func shutdown(timeoutMs: Int) -> FlushResult { .completed }
}
