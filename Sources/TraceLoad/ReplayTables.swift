import TraceCore

/// What plans refer to, in the tracer's own terms. A copy for each worker: attribute lists and
/// tracers are reference counted, and counts that threads share cost more than a span.
@safe final class ReplayTables {
    /// A class, since the constant property of an object is lent to a call while an element of an
    /// array is copied for it, with a reference to count.
    final class Shape {
        let name: SpanName
        let kind: SpanKind
        let attributes: SpanAttributes?

        init(_ shape: CompiledScenario.SpanShape) {
            name = SpanName(shape.name)
            kind = SpanKind(rawValue: shape.kind) ?? .internal
            attributes = shape.attributes.isEmpty ? nil : SpanAttributes(shape.attributes)
        }
    }

    struct Event {
        var name: SpanName
        var attributes: SpanAttributes?
    }

    /// What keeps `shapes` alive.
    private let ownedShapes: [Shape]
    // Safe because `ownedShapes` keeps them as long as this object lives.
    let shapes: [Unmanaged<Shape>]
    let events: [Event]
    /// By message: what `recordException` would add, encoded ahead.
    let exceptions: [Event]
    let keys: [AttributeKey]
    let messages: [String]
    let baggageNames: [String]
    let text: [UInt8]
    /// Whether a sampler remembers what it was asked.
    let keepsSamplerState: Bool
    /// Whether a sampler may have spans recorded that it does not sample.
    let recordsUnsampled: Bool
    /// By instance; what keeps `tracers` alive.
    private let ownedTracers: [Tracer]
    // Safe because `ownedTracers` keeps them as long as this object lives.
    let tracers: [Unmanaged<Tracer>]

    /// `providers`: one an instance, in the order of `compiled.instances`.
    init(_ compiled: CompiledScenario, providers: [TracerProvider]) {
        ownedShapes = compiled.shapes.map { Shape($0) }
        unsafe shapes = unsafe ownedShapes.map { unsafe Unmanaged.passUnretained($0) }
        events = compiled.eventShapes.map {
            Event(name: SpanName($0.name), attributes: Self.attributes($0.attributes))
        }
        exceptions = compiled.messages.map {
            Event(
                name: SpanName("exception"),
                attributes: SpanAttributes([
                    .init(key: "exception.type", value: .string(CompiledScenario.exceptionType)),
                    .init(key: "exception.message", value: .string($0)),
                ]))
        }
        keys = compiled.keys.map { AttributeKey($0) }
        messages = compiled.messages
        baggageNames = compiled.baggageNames
        text = compiled.text
        keepsSamplerState = providers.contains { $0.sampler.keepsState }
        recordsUnsampled = providers.contains { $0.sampler.recordsUnsampled }
        ownedTracers = providers.map { $0.tracer(name: "tracemill", version: "1") }
        unsafe tracers = unsafe ownedTracers.map { unsafe Unmanaged.passUnretained($0) }
    }

    private static func attributes(
        _ attributes: [CompiledScenario.Attribute]
    ) -> SpanAttributes? {
        attributes.isEmpty ? nil : SpanAttributes(attributes)
    }
}

extension SpanAttributes {
    /// The attributes of a shape or a resource, encoded.
    init(_ attributes: [CompiledScenario.Attribute]) {
        self.init()
        for attribute in attributes {
            let key = AttributeKey(attribute.key)
            switch attribute.value {
            case .string(let value): set(key, value)
            case .integer(let value): set(key, value)
            case .double(let value): set(key, value)
            case .boolean(let value): set(key, value)
            }
        }
    }
}

extension CompiledScenario {
    /// A tracer provider for each instance, in order, over one recorder.
    ///
    /// - Parameter sampler: of services that have none of their own. Each instance makes its own from
    ///   it, so that a limit of traces a second holds for each of them.
    public func makeProviders(
        recorder: SpanRecorder, sampler: Sampler, limits: SpanLimits = SpanLimits()
    ) -> [TracerProvider] {
        instances.map {
            TracerProvider(
                recorder: recorder, resource: Resource(attributes: SpanAttributes($0.resource)),
                sampler: scenario.services[$0.service].sampler?.sampler ?? sampler,
                limits: limits)
        }
    }
}
