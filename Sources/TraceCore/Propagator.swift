// Which headers a context travels in: the front of all propagators.
// Source: OpenTelemetry specification, "Propagators API".

/// A way of one's own to carry a context, for ``Propagator/custom(_:)``.
///
/// Both functions are called on any thread, several at a time, and must not fail a request: what cannot be
/// read is as if absent.
public protocol TextMapPropagator: Sendable {
    /// The names that `inject` writes, in lower case.
    var fields: [String] { get }

    /// Writes what travels of the context. The lines replace those of the same name in what is sent; the
    /// buffer is empty when it comes.
    func inject(_ context: TraceContext, into carrier: inout HeaderBuffer)

    /// The context with what the carrier has; the same context when it has nothing, or nothing well-formed.
    func extract(from carrier: HeaderBuffer, into context: TraceContext) -> TraceContext
}

/// Injects contexts into carriers and extracts them again. A value; any thread.
///
/// Extraction never throws and never fails a request. What one propagator found stays when the header of a
/// later one is absent or malformed; where both are well-formed, the later one's ids count.
public enum Propagator: Sendable {
    /// W3C `traceparent` and `tracestate`.
    case traceContext
    /// W3C `baggage`.
    case baggage
    /// Zipkin's `b3` in one line; extracts `X-B3-…`, too.
    case b3
    /// Zipkin's `X-B3-…`; extracts `b3`, too.
    case b3multi
    /// Carries nothing.
    case none
    /// Each in turn.
    case composite([Propagator])
    indirect case custom(any TextMapPropagator)

    /// The names that ``init(names:)`` knows: those of `OTEL_PROPAGATORS`.
    public static let names = ["tracecontext", "baggage", "b3", "b3multi", "none"]

    /// W3C trace context and baggage: what the specification has as the default.
    public static let standard = Propagator.composite([.traceContext, .baggage])

    /// The propagators of those names, in order. Names are compared without case and without blanks around
    /// them; duplicates and empty names are passed over; `none` among them is none at all.
    public init(names: [String]) throws(PropagatorError) {
        var known: [String] = []
        var unknown: [String] = []
        for name in names {
            let trimmed = HeaderValue.trimmed(name).lowercased()
            if trimmed.isEmpty || known.contains(trimmed) { continue }
            if Self.names.contains(trimmed) {
                known.append(trimmed)
            } else if !unknown.contains(name) {
                unknown.append(name)
            }
        }
        guard unknown.isEmpty else { throw .unknownNames(unknown) }
        if known.contains("none") {
            self = .none
            return
        }
        let parts = known.compactMap { Self(known: $0) }
        self = parts.count == 1 ? parts[0] : parts.isEmpty ? .none : .composite(parts)
    }

    private init?(known name: String) {
        switch name {
        case "tracecontext": self = .traceContext
        case "baggage": self = .baggage
        case "b3": self = .b3
        case "b3multi": self = .b3multi
        default: return nil
        }
    }

    /// The names of the lines that injecting may write, in lower case, each once.
    public var fields: [String] {
        switch self {
        case .traceContext: TraceContextPropagator.fields
        case .baggage: BaggagePropagator.fields
        case .b3: B3Propagator.fields
        case .b3multi: B3Propagator.multipleFields
        case .none: []
        case .composite(let parts): parts.flatMap(\.fields).uniqued()
        case .custom(let propagator): propagator.fields.map { $0.lowercased() }.uniqued()
        }
    }

    // MARK: Headers in flat memory

    /// Writes what travels of the context; lines of the same name are replaced. Where there is nothing to
    /// write (no span, no baggage), lines stay as they are.
    public func inject(_ context: TraceContext, into carrier: inout HeaderBuffer) {
        switch self {
        case .traceContext:
            TraceContextPropagator.inject(context.spanContext, into: &carrier)
        case .baggage:
            BaggagePropagator.inject(context.baggage, into: &carrier)
        case .b3:
            B3Propagator.inject(context.spanContext, into: &carrier)
        case .b3multi:
            B3Propagator.injectMultiple(context.spanContext, into: &carrier)
        case .none:
            break
        case .composite(let parts):
            for part in parts { part.inject(context, into: &carrier) }
        case .custom(let propagator):
            var lines = HeaderBuffer()
            propagator.inject(context, into: &lines)
            carrier.replace(with: lines)
        }
    }

    /// The context with what the carrier has; the same context when it has nothing.
    ///
    /// Baggage in the carrier is added to the context's: of the same name, the carrier's value counts.
    public func extract(
        from carrier: HeaderBuffer, into context: consuming TraceContext = .empty
    ) -> TraceContext {
        extract(from: carrier, updating: &context)
        return context
    }

    private func extract(from carrier: HeaderBuffer, updating context: inout TraceContext) {
        switch self {
        case .traceContext:
            if let found = TraceContextPropagator.extract(from: carrier) { context.take(found) }
        case .baggage:
            if let found = BaggagePropagator.extract(from: carrier) { context.take(found) }
        case .b3, .b3multi:
            if let found = B3Propagator.extract(from: carrier) { context.take(found) }
        case .none:
            break
        case .composite(let parts):
            for part in parts { part.extract(from: carrier, updating: &context) }
        case .custom(let propagator):
            let found = propagator.extract(from: carrier, into: context)
            let span = context.span
            context = found
            // It has found nothing, and says so with a context of nothing.
            if !found.spanContext.isValid, span.context.isValid { context.span = span }
        }
    }
}

extension Propagator {
    // MARK: Any carrier

    /// Writes what travels of the context; lines of the same name, whatever its case, are replaced.
    public func inject<Carrier: PropagationCarrier>(
        _ context: TraceContext, into carrier: inout Carrier
    ) {
        if case .composite(let parts) = self {
            for part in parts { part.inject(context, into: &carrier) }
            return
        }
        var lines = HeaderBuffer()
        inject(context, into: &lines)
        guard lines.count > 0 else { return }
        let headers = lines.headers
        for name in (replacedFields + headers.map(\.name)).uniqued() { carrier.removeHeaders(name) }
        for (name, value) in headers { carrier.appendHeader(name, value) }
    }

    /// The context with what the carrier has; the same context when it has nothing.
    public func extract<Carrier: PropagationCarrier>(
        from carrier: Carrier, into context: TraceContext = .empty
    ) -> TraceContext {
        let readFields = readFields
        var lines = HeaderBuffer()
        carrier.forEachHeader { name, value in
            let isRead = readFields?.contains { HeaderName.isSame($0, name) } ?? true
            if isRead { lines.append(name, value) }
        }
        return extract(from: lines, into: context)
    }

    /// The names of the lines that go when the propagator has written something.
    private var replacedFields: [String] {
        if case .b3multi = self { return fields + [B3Propagator.parentField] }
        return fields
    }

    /// The names that extraction looks at; nil where any name may be one.
    private var readFields: [String]? {
        switch self {
        case .traceContext, .baggage, .none: return fields
        case .b3, .b3multi: return B3Propagator.fields + B3Propagator.multipleFields
        case .composite(let parts):
            var names: [String] = []
            for part in parts {
                guard let more = part.readFields else { return nil }
                names += more
            }
            return names.uniqued()
        case .custom: return nil
        }
    }
}

extension Propagator: CustomStringConvertible {
    /// As `OTEL_PROPAGATORS` has it; a custom one by its type.
    public var description: String {
        switch self {
        case .traceContext: "tracecontext"
        case .baggage: "baggage"
        case .b3: "b3"
        case .b3multi: "b3multi"
        case .none: "none"
        case .composite(let parts):
            parts.isEmpty ? "none" : parts.map(\.description).joined(separator: ",")
        case .custom(let propagator): "\(type(of: propagator))"
        }
    }
}

/// What is wrong with a list of propagators.
public enum PropagatorError: Error, Hashable, CustomStringConvertible {
    /// Names that are not in ``Propagator/names``, each once.
    case unknownNames([String])

    public var description: String {
        switch self {
        case .unknownNames(let names):
            let list = names.map { "\"\($0)\"" }.joined(separator: ", ")
            return "unknown propagator\(names.count == 1 ? "" : "s") \(list): "
                + "use \(Propagator.names.joined(separator: ", "))"
        }
    }
}

extension TraceContext {
    /// Takes over a span context out of a carrier.
    fileprivate mutating func take(_ found: SpanContext) {
        let known = spanContext
        guard known.isRemote, known.isValid else {
            spanContext = found
            return
        }
        // Another propagator found one before: a bare decision does not replace ids.
        guard found.isValid else { return }
        var found = found
        if found.traceID == known.traceID, found.spanID == known.spanID {
            found.complete(from: known)
        }
        spanContext = found
    }

    /// Takes over baggage out of a carrier.
    fileprivate mutating func take(_ found: Baggage) {
        if baggage.isEmpty {
            baggage = found
        } else {
            for (name, entry) in found.entries { baggage[name] = entry }
        }
    }
}

extension SpanContext {
    /// Adds what another propagator said of the same span and this one's headers have no room for: W3C's
    /// trace state and random flag, B3's debug and that nobody has decided. W3C writes that last one as not
    /// sampled; only its sampled flag is a decision then.
    fileprivate mutating func complete(from other: SpanContext) {
        if traceState.isEmpty { traceState = other.traceState }
        flags.formUnion(other.flags.intersection(.random))
        switch (flags.contains(.sampled), other.flags.contains(.sampled)) {
        case (true, _):
            flags.formUnion(other.flags.intersection(.debug))
        case (false, true):
            if flags.contains(.deferred) {
                flags.remove(.deferred)
                flags.formUnion(other.flags.intersection([.sampled, .debug]))
            }
        case (false, false):
            flags.formUnion(other.flags.intersection(.deferred))
        }
    }
}

extension [String] {
    /// Each element once, in the order of the first ones.
    fileprivate func uniqued() -> [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}
