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
    func spanContext(in current: TraceContext) -> SpanContext? {
        switch self {
        case .current: current.spanContext
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
        let current = TraceContext.current
        let span = startSpan(
            name, kind: kind, parent: parent.spanContext(in: current), attributes: attributes,
            links: links)
        return try current.run(span, body)
    }

    /// The same, for a span named by a literal.
    @inlinable
    public func withSpan<Value, Failure: Error>(
        _ name: StaticString, kind: SpanKind = .internal, parent: SpanParent = .current,
        attributes: SpanAttributes? = nil, links: [SpanLink] = [],
        _ body: (ActiveSpan) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let current = TraceContext.current
        let span = startSpan(
            name, kind: kind, parent: parent.spanContext(in: current), attributes: attributes,
            links: links)
        return try current.run(span, body)
    }

    /// The same, for a name made at run time.
    @inlinable
    public func withSpan<Value, Failure: Error>(
        named name: String, kind: SpanKind = .internal, parent: SpanParent = .current,
        attributes: SpanAttributes? = nil, links: [SpanLink] = [],
        _ body: (ActiveSpan) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let current = TraceContext.current
        let span = startSpan(
            named: name, kind: kind, parent: parent.spanContext(in: current),
            attributes: attributes, links: links)
        return try current.run(span, body)
    }

    /// Runs an asynchronous `body` within a span of its own; it may end on another thread.
    @inlinable
    public func withSpan<Value, Failure: Error>(
        _ name: SpanName, kind: SpanKind = .internal, parent: SpanParent = .current,
        attributes: SpanAttributes? = nil, links: [SpanLink] = [],
        isolation: isolated (any Actor)? = #isolation,
        _ body: (ActiveSpan) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let current = TraceContext.current
        let span = startSpan(
            name, kind: kind, parent: parent.spanContext(in: current), attributes: attributes,
            links: links)
        return try await current.run(span, isolation: isolation, body)
    }

    /// The same, for a span named by a literal.
    @inlinable
    public func withSpan<Value, Failure: Error>(
        _ name: StaticString, kind: SpanKind = .internal, parent: SpanParent = .current,
        attributes: SpanAttributes? = nil, links: [SpanLink] = [],
        isolation: isolated (any Actor)? = #isolation,
        _ body: (ActiveSpan) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let current = TraceContext.current
        let span = startSpan(
            name, kind: kind, parent: parent.spanContext(in: current), attributes: attributes,
            links: links)
        return try await current.run(span, isolation: isolation, body)
    }

    /// The same, for a name made at run time.
    @inlinable
    public func withSpan<Value, Failure: Error>(
        named name: String, kind: SpanKind = .internal, parent: SpanParent = .current,
        attributes: SpanAttributes? = nil, links: [SpanLink] = [],
        isolation: isolated (any Actor)? = #isolation,
        _ body: (ActiveSpan) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let current = TraceContext.current
        let span = startSpan(
            named: name, kind: kind, parent: parent.spanContext(in: current),
            attributes: attributes, links: links)
        return try await current.run(span, isolation: isolation, body)
    }
}

extension TraceContext {
    /// Runs `body` with `span` in the place of this context's, and settles the span.
    @inlinable
    func run<Value, Failure: Error>(
        _ span: ActiveSpan, _ body: (ActiveSpan) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        var context = self
        context.span = span
        do throws(Failure) {
            let value = try context.run { () throws(Failure) -> Value in try body(span) }
            span.end()
            return value
        } catch {
            span.end(failedBy: error)
            throw error
        }
    }

    @inlinable
    func run<Value, Failure: Error>(
        _ span: ActiveSpan, isolation: isolated (any Actor)?,
        _ body: (ActiveSpan) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        var context = self
        context.span = span
        do throws(Failure) {
            let value = try await context.run(isolation: isolation) {
                () async throws(Failure) -> Value in try await body(span)
            }
            span.end()
            return value
        } catch {
            span.end(failedBy: error)
            throw error
        }
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
