// Keeps what it is given: for the tests of programs that trace.

/// Decodes finished spans and keeps them, in the order in which they were exported. Any thread may look.
///
/// With ``ProcessorChoice/simple`` a span is here as soon as its `end` has returned; with batches, after a
/// flush. Memory grows with the spans until ``reset()``.
public final class InMemoryExporter: SpanExporter {
    private struct State: Sendable {
        var spans: [SpanData] = []
        var isShutDown = false
    }

    private let state = Monitor(State())

    public init() {}

    /// The spans exported since the start, or the last ``reset()``.
    public var finishedSpans: [SpanData] { state.withLock { $0.spans } }

    /// Whether the pipeline that it belonged to has been shut down. What it got stays.
    public var isShutDown: Bool { state.withLock { $0.isShutDown } }

    /// Forgets every span.
    public func reset() {
        state.withLock { $0.spans.removeAll() }
    }

    /// Acknowledged; refused when the request cannot be decoded.
    public func export(request: RawSpan, spanCount: Int) -> BatchOutcome {
        guard let spans = try? SpanData.decode(request: request) else { return .dropped(.refused) }
        state.withLock { $0.spans += spans }
        return .acknowledged
    }

    public func shutdown() {
        state.withLock { $0.isShutDown = true }
    }
}
