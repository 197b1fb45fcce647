// Spans around a piece of work: current while it runs, ended when it is over, marked when it throws.
// Source: OpenTelemetry specification, "Span creation", "Record exception".

/// Which span is the parent of a new one.
public enum SpanParent: Sendable {
    /// The one in the task's ``TraceContext/current``; a new trace where there is none.
    case current
    /// None: a new trace.
    case root
    /// That one, such as a context extracted from a request.
    case context(SpanContext)

    /// The context to start from; nil begins a new trace.
    @inlinable
    var spanContext: SpanContext? {
        switch self {
        case .current: TraceContext.carriedSpan.get().context
        case .root: nil
        case .context(let context): context
        }
    }
}

extension Tracer {
    /// Runs `body` within a span of its own.
    ///
    /// The span is the current one for `body` and the child tasks it makes; baggage is passed on. It
    /// ends when `body` returns or throws. A thrown error is recorded as the event `exception`, and sets
    /// the status to error unless `body` has set it to ok.
    /// - Parameter body: gets the span; ending it early is allowed and final.
    @inlinable
    public func withSpan<Value, Failure: Error>(
        _ name: SpanName, kind: SpanKind = .internal, parent: SpanParent = .current,
        attributes: SpanAttributes? = nil, links: [SpanLink] = [],
        _ body: (ActiveSpan) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let span = startSpan(
            name, kind: kind, parent: parent.spanContext, attributes: attributes,
            links: links)
        return try span.run(body)
    }

    /// The same, for a span named by a literal.
    @inlinable
    public func withSpan<Value, Failure: Error>(
        _ name: StaticString, kind: SpanKind = .internal, parent: SpanParent = .current,
        attributes: SpanAttributes? = nil, links: [SpanLink] = [],
        _ body: (ActiveSpan) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let span = startSpan(
            name, kind: kind, parent: parent.spanContext, attributes: attributes,
            links: links)
        return try span.run(body)
    }

    /// The same, for a name made at run time.
    @inlinable
    public func withSpan<Value, Failure: Error>(
        named name: String, kind: SpanKind = .internal, parent: SpanParent = .current,
        attributes: SpanAttributes? = nil, links: [SpanLink] = [],
        _ body: (ActiveSpan) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let span = startSpan(
            named: name, kind: kind, parent: parent.spanContext,
            attributes: attributes, links: links)
        return try span.run(body)
    }

    /// Runs an asynchronous `body` within a span of its own; it may end on another thread.
    @inlinable
    public func withSpan<Value, Failure: Error>(
        _ name: SpanName, kind: SpanKind = .internal, parent: SpanParent = .current,
        attributes: SpanAttributes? = nil, links: [SpanLink] = [],
        isolation: isolated (any Actor)? = #isolation,
        _ body: (ActiveSpan) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let span = startSpan(
            name, kind: kind, parent: parent.spanContext, attributes: attributes,
            links: links)
        return try await span.run(isolation: isolation, body)
    }

    /// The same, for a span named by a literal.
    @inlinable
    public func withSpan<Value, Failure: Error>(
        _ name: StaticString, kind: SpanKind = .internal, parent: SpanParent = .current,
        attributes: SpanAttributes? = nil, links: [SpanLink] = [],
        isolation: isolated (any Actor)? = #isolation,
        _ body: (ActiveSpan) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let span = startSpan(
            name, kind: kind, parent: parent.spanContext, attributes: attributes,
            links: links)
        return try await span.run(isolation: isolation, body)
    }

    /// The same, for a name made at run time.
    @inlinable
    public func withSpan<Value, Failure: Error>(
        named name: String, kind: SpanKind = .internal, parent: SpanParent = .current,
        attributes: SpanAttributes? = nil, links: [SpanLink] = [],
        isolation: isolated (any Actor)? = #isolation,
        _ body: (ActiveSpan) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let span = startSpan(
            named: name, kind: kind, parent: parent.spanContext,
            attributes: attributes, links: links)
        return try await span.run(isolation: isolation, body)
    }
}

extension ActiveSpan {
    /// Runs `body` with this span as the current one, and settles it.
    @inlinable
    func run<Value, Failure: Error>(
        _ body: (ActiveSpan) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        // A result, since `withValue` would forget which error it is.
        try TraceContext.carriedSpan.withValue(self) { () -> Result<Value, Failure> in
            do throws(Failure) {
                let value = try body(self)
                end()
                return .success(value)
            } catch {
                end(failedBy: error)
                return .failure(error)
            }
        }.get()
    }

    @inlinable
    func run<Value, Failure: Error>(
        isolation: isolated (any Actor)?, _ body: (ActiveSpan) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        try await TraceContext.carriedSpan.withValue(self) { () async -> Result<Value, Failure> in
            do throws(Failure) {
                let value = try await body(self)
                end()
                return .success(value)
            } catch {
                end(failedBy: error)
                return .failure(error)
            }
        }.get()
    }
}

extension ActiveSpan {
    /// Records an error as the event `exception`: its type and its description.
    public func recordException(_ error: any Error, at timeUnixNano: UInt64? = nil) {
        guard isRecording else { return }
        recordException(
            type: String(reflecting: Swift.type(of: error)), message: "\(error)", at: timeUnixNano)
    }

    /// Records the error that ended the span's work, sets the status, and ends the span.
    @usableFromInline
    func end(failedBy error: any Error) {
        if isRecording {
            recordException(error)
            setStatus(.error, "\(error)")
        }
        end()
    }
}
