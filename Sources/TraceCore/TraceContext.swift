// What a task carries with it: the active span, baggage, and whatever else travels between services.
// Source: OpenTelemetry specification, "Context" and "Baggage API"; SE-0311 (task-local values).

/// A key for a value of one's own in a context, as custom propagators need one.
public protocol TraceContextKey {
    associatedtype Value: Sendable
}

/// The execution context of tracing: an immutable value that child tasks inherit.
///
/// Bind it with ``run(_:)``; `Tracer.withSpan` does so for its span. Copying it counts references only
/// where there is baggage or a value under a key.
public struct TraceContext: Sendable {
    /// The active span; one that does not record where there is none, or where the context was extracted.
    public var span: ActiveSpan
    /// What few contexts have; nil while this one has none of it, so that copying stays cheap.
    @usableFromInline var extras: Extras?

    @usableFromInline
    final class Extras: Sendable {
        let baggage: Baggage
        let values: [ObjectIdentifier: any Sendable]

        init(baggage: Baggage, values: [ObjectIdentifier: any Sendable]) {
            self.baggage = baggage
            self.values = values
        }
    }

    // Two, since nearly every binding changes the span alone, and a value without references is bound and
    // found for less. Not through the macro, so that binding can be inlined into its caller.
    @usableFromInline static let carriedSpan = TaskLocal<ActiveSpan>(
        wrappedValue: ActiveSpan(context: .invalid))
    @usableFromInline static let carriedExtras = TaskLocal<Extras?>(wrappedValue: nil)

    /// The calling task's context, or the thread's where there is no task; ``empty`` outside.
    @inlinable
    public static var current: TraceContext {
        TraceContext(span: carriedSpan.get(), extras: carriedExtras.get())
    }

    @inlinable
    init(span: ActiveSpan, extras: Extras?) {
        self.span = span
        self.extras = extras
    }

    /// No span, no baggage.
    public static let empty = TraceContext(spanContext: .invalid)

    public init(span: ActiveSpan, baggage: Baggage = Baggage()) {
        self.init(span: span, extras: nil)
        self.baggage = baggage
    }

    /// A context without a span of one's own: as it comes out of a carrier.
    public init(spanContext: SpanContext, baggage: Baggage = Baggage()) {
        self.init(span: ActiveSpan(context: spanContext), baggage: baggage)
    }

    /// Who children of this context have as their parent. Setting it makes a context whose span does not
    /// record, as an extracted one.
    public var spanContext: SpanContext {
        get { span.context }
        set { span = ActiveSpan(context: newValue) }
    }

    /// Names and values that travel with the trace.
    public var baggage: Baggage {
        get { extras?.baggage ?? Baggage() }
        set { setExtras(baggage: newValue, values: extras?.values ?? [:]) }
    }

    /// The value under a key; nil when there is none.
    public subscript<Key: TraceContextKey>(key: Key.Type) -> Key.Value? {
        get { extras?.values[ObjectIdentifier(key)] as? Key.Value }
        set {
            var values = extras?.values ?? [:]
            values[ObjectIdentifier(key)] = newValue
            setExtras(baggage: baggage, values: values)
        }
    }

    private mutating func setExtras(baggage: Baggage, values: [ObjectIdentifier: any Sendable]) {
        let isNone = baggage.isEmpty && values.isEmpty
        extras = isNone ? nil : Extras(baggage: baggage, values: values)
    }

    /// Runs `body` with this context as the current one, for it and the child tasks it makes.
    @inlinable
    public func run<Value, Failure: Error>(
        _ body: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        // A result, since `withValue` would forget which error it is.
        try Self.carriedSpan.withValue(span) { () -> Result<Value, Failure> in
            if extras === Self.carriedExtras.get() { return Result(catching: body) }
            return Self.carriedExtras.withValue(extras) { Result(catching: body) }
        }.get()
    }

    /// Runs `body` with this context as the current one, for it and the child tasks it makes.
    @inlinable
    public func run<Value, Failure: Error>(
        isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        try await Self.carriedSpan.withValue(span) { () async -> Result<Value, Failure> in
            await Self.carriedExtras.withValue(extras) { () async -> Result<Value, Failure> in
                do throws(Failure) {
                    return .success(try await body())
                } catch {
                    return .failure(error)
                }
            }
        }.get()
    }

    /// Runs `body` with changed baggage, for it, the child tasks it makes and the services they call.
    public static func withBaggage<Value, Failure: Error>(
        _ change: (inout Baggage) -> Void, _ body: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        var context = current
        change(&context.baggage)
        return try context.run(body)
    }

    /// Runs `body` with changed baggage, for it, the child tasks it makes and the services they call.
    public static func withBaggage<Value, Failure: Error>(
        _ change: (inout Baggage) -> Void, isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        var context = current
        change(&context.baggage)
        return try await context.run(isolation: isolation, body)
    }
}
