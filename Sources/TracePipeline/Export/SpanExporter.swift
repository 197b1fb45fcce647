// Exporters that take one batch after another, on the exporter thread: console, none, and the user's.

import TraceCore

/// Takes finished batches. Never called again before its last call has returned.
public protocol SpanExporter: Sendable {
    /// Exports one batch; may block. Exporter thread.
    ///
    /// - Parameters:
    ///   - request: an OTLP `ExportTraceServiceRequest`, valid during the call.
    ///   - spanCount: the spans in it.
    func export(request: RawSpan, spanCount: Int) -> BatchOutcome

    /// The same with the time there is for it; what the pipeline calls. Without one of its own an exporter
    /// has the other called.
    ///
    /// - Parameter timeoutMs: what is left of ``BatchSettings/exportTimeoutMs``, or of a shutdown's time
    ///   where that is less, 0 or more; `Int.max` when there is no limit. The exporter is asked to be back by
    ///   then and to say `.dropped(.retriesExhausted)` for what it could not do: nobody can make it. One that
    ///   takes longer holds up its own processor alone, and a shutdown leaves it behind.
    func export(request: RawSpan, spanCount: Int, timeoutMs: Int) -> BatchOutcome

    /// Nothing more will come. Exporter thread.
    func shutdown()
}

extension SpanExporter {
    public func export(request: RawSpan, spanCount: Int, timeoutMs: Int) -> BatchOutcome {
        export(request: request, spanCount: spanCount)
    }

    public func shutdown() {}
}

/// Discards everything, after the request has been built: what `OTEL_TRACES_EXPORTER=none` and
/// measurements of the pipeline without a network use.
public struct NoneExporter: SpanExporter {
    public init() {}

    public func export(request: RawSpan, spanCount: Int) -> BatchOutcome { .acknowledged }
}
