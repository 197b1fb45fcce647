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

    /// Nothing more will come. Exporter thread.
    func shutdown()
}

extension SpanExporter {
    public func shutdown() {}
}

/// Discards everything, after the request has been built: what `OTEL_TRACES_EXPORTER=none` and
/// measurements of the pipeline without a network use.
public struct NoneExporter: SpanExporter {
    public init() {}

    public func export(request: RawSpan, spanCount: Int) -> BatchOutcome { .acknowledged }
}
