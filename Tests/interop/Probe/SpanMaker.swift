// Makes spans twice: through the tracer, and as the plain description of what must arrive.

import TraceCore

/// Draws spans of three services, two of them with several scopes, one with tight limits.
struct SpanMaker {
    private struct Source {
        var tracer: Tracer
        var limits: SpanLimits
        var resource: [ProbeSpan.Attribute]
        var scope: ProbeSpan.Scope
    }

    private var random: ProbeRandom
    private var sources: [Source] = []
    /// Contexts of spans made before, to be parents and links of later ones.
    private var earlier: [SpanContext] = []

    init(recorder: SpanRecorder, seed: UInt64) {
        random = ProbeRandom(generator: SplitMix(seed: seed))
        var tight = SpanLimits()
        tight.attributeCount = 4
        tight.attributeValueLength = 10
        tight.eventCount = 2
        tight.linkCount = 1
        tight.attributeCountPerEvent = 2
        tight.attributeCountPerLink = 1
        addService(recorder, "checkout", SpanLimits(), ["http", ""])
        addService(recorder, "каталог", SpanLimits(), ["grpc"])
        addService(recorder, "limited", tight, ["http"])
    }

    private mutating func addService(
        _ recorder: SpanRecorder, _ name: String, _ limits: SpanLimits, _ scopes: [String]
    ) {
        var attributes = SpanAttributes()
        var kept = KeptAttributes(countMax: .max)
        for (key, value) in [(key: "service.name", value: .string(name))] + random.attributes(8) {
            attributes.set(AttributeKey(key), value)
            kept.set(key, value)
        }
        let provider = TracerProvider(
            recorder: recorder, resource: Resource(attributes: attributes), sampler: .alwaysOn,
            limits: limits)
        for scope in scopes {
            let described = ProbeSpan.Scope(
                name: scope, version: scope.isEmpty ? "" : "1.2.\(scope.count)",
                schemaURL: scope == "http" ? "https://opentelemetry.io/schemas/1.27.0" : "")
            sources.append(
                Source(
                    tracer: provider.tracer(
                        name: described.name, version: described.version,
                        schemaURL: described.schemaURL),
                    limits: limits, resource: kept.list, scope: described))
        }
    }

    /// A span, ended; and what must arrive of it.
    mutating func make() -> ProbeSpan {
        let source = random.one(of: sources)
        var expected = ProbeSpan()
        var kept = KeptAttributes(
            countMax: source.limits.attributeCount, lengthMax: source.limits.attributeValueLength)
        let parent = drawContext()
        let identity = SpanIdentity(
            traceID: TraceID(high: random.nonZero(), low: random.nonZero()),
            spanID: SpanID(rawValue: random.nonZero()), isTraceIDRandom: true)
        let kind = random.one(of: SpanKind.allCases)
        let start = random.time()
        let name = random.text()
        var links: [SpanLink] = []
        for _ in 0..<random.below(3) { addLink(&expected, source.limits) { links.append($0) } }
        let given = random.attributes(4)
        for (key, value) in Self.merged(given) { kept.set(key, value) }
        let span = source.tracer.startSpan(
            named: name, kind: kind, parent: parent, at: start, identity: identity,
            attributes: Self.list(given), links: links)
        expected.name = name
        expected.kind = kind.rawValue
        expected.start = String(start)
        expected.resource = source.resource
        expected.scope = source.scope
        describeContext(&expected, identity, parent)
        for _ in 0..<random.below(8) { act(on: span, &expected, &kept, source.limits) }
        expected.attributes = kept.list
        expected.droppedAttributes = kept.dropped
        setStatus(of: span, &expected)
        let end = start + UInt64(random.below(1 << 40))
        span.end(at: end)
        expected.end = String(end)
        earlier.append(span.context)
        return expected
    }

    private func describeContext(
        _ expected: inout ProbeSpan, _ identity: SpanIdentity, _ parent: SpanContext?
    ) {
        expected.span = identity.spanID.hex
        // HAS_IS_REMOTE, and whether it is (trace.proto, SpanFlags).
        expected.flags = 0x101
        guard let parent else {
            expected.trace = identity.traceID.hex
            // A root's id is taken for random.
            expected.flags |= 2
            return
        }
        expected.trace = parent.traceID.hex
        expected.parent = parent.spanID.hex
        expected.state = parent.traceState.header
        expected.flags |= UInt32(parent.flags.intersection(.random).rawValue)
        if parent.isRemote { expected.flags |= 0x200 }
    }

    /// Something that is done to a live span.
    private mutating func act(
        on span: ActiveSpan, _ expected: inout ProbeSpan, _ kept: inout KeptAttributes,
        _ limits: SpanLimits
    ) {
        switch random.below(6) {
        case 0, 1:
            for (key, value) in random.attributes(3) {
                span.setAttribute(AttributeKey(key), value)
                kept.set(key, value)
            }
        case 2:
            let given = random.attributes(5)
            span.setAttributes(Self.list(given))
            for (key, value) in Self.merged(given) { kept.set(key, value) }
        case 3:
            let (name, time) = (random.text(), random.time())
            let given = random.attributes(4)
            span.addEvent(SpanName(name), at: time, attributes: Self.list(given))
            keepEvent(&expected, name, time, given, limits)
        case 4:
            let (time, message) = (random.time(), random.text())
            span.recordException(
                type: "Timeout", message: message, stacktrace: "main\n  f", at: time)
            keepEvent(
                &expected, "exception", time,
                [
                    (key: "exception.type", value: .string("Timeout")),
                    (key: "exception.message", value: .string(message)),
                    (key: "exception.stacktrace", value: .string("main\n  f")),
                ], limits)
        default:
            addLink(&expected, limits) { span.addLink($0.context, attributes: $0.attributes) }
        }
    }

    private mutating func setStatus(of span: ActiveSpan, _ expected: inout ProbeSpan) {
        let status = random.one(of: SpanStatus.allCases)
        let message = String(random.text().prefix(200))
        span.setStatus(status, message)
        expected.status = status.rawValue
        expected.message = status == .error ? message : ""
        if random.below(4) == 0 {
            expected.name = "renamed \(random.one(of: ProbeRandom.texts))"
            span.updateName(expected.name)
        }
    }

    private func keepEvent(
        _ expected: inout ProbeSpan, _ name: String, _ time: UInt64,
        _ given: [(key: String, value: AttributeValue)], _ limits: SpanLimits
    ) {
        guard expected.events.count < limits.eventCount else {
            expected.droppedEvents += 1
            return
        }
        var kept = KeptAttributes(
            countMax: limits.attributeCountPerEvent, lengthMax: limits.attributeValueLength)
        for (key, value) in Self.merged(given) { kept.set(key, value) }
        expected.events.append(
            ProbeSpan.Event(
                time: String(time), name: name, attributes: kept.list, dropped: kept.dropped))
    }

    private mutating func addLink(
        _ expected: inout ProbeSpan, _ limits: SpanLimits, _ add: (SpanLink) -> Void
    ) {
        guard let context = drawContext() else { return }
        let given = random.attributes(2)
        add(SpanLink(context: context, attributes: Self.list(given)))
        guard expected.links.count < limits.linkCount else {
            expected.droppedLinks += 1
            return
        }
        var kept = KeptAttributes(
            countMax: limits.attributeCountPerLink, lengthMax: limits.attributeValueLength)
        for (key, value) in Self.merged(given) { kept.set(key, value) }
        expected.links.append(
            ProbeSpan.Link(
                trace: context.traceID.hex, span: context.spanID.hex,
                state: context.traceState.header,
                flags: UInt32(context.flags.onWire) | 0x100 | (context.isRemote ? 0x200 : 0),
                attributes: kept.list, dropped: kept.dropped))
    }

    /// A context to be a parent or a link: none, one of ours, or one that came from elsewhere.
    private mutating func drawContext() -> SpanContext? {
        switch random.below(3) {
        case 0: return nil
        case 1 where !earlier.isEmpty: return random.one(of: earlier)
        default:
            let states = [
                "", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "ot=th:8;rv:abcdef01234567",
            ]
            return SpanContext(
                traceID: TraceID(high: random.nonZero(), low: random.nonZero()),
                spanID: SpanID(rawValue: random.nonZero()),
                flags: TraceFlags(rawValue: UInt8(random.below(4))),
                traceState: TraceState(header: random.one(of: states)) ?? .empty,
                isRemote: random.below(4) != 0)
        }
    }

    /// The pairs as a list of attributes keeps them: each key once, with its last value.
    private static func merged(
        _ pairs: [(key: String, value: AttributeValue)]
    ) -> [(key: String, value: AttributeValue)] {
        var merged: [(key: String, value: AttributeValue)] = []
        for pair in pairs {
            if let index = merged.firstIndex(where: { $0.key == pair.key }) {
                merged[index] = pair
            } else {
                merged.append(pair)
            }
        }
        return merged
    }

    private static func list(_ pairs: [(key: String, value: AttributeValue)]) -> SpanAttributes {
        var list = SpanAttributes()
        for (key, value) in pairs { list.set(AttributeKey(key), value) }
        return list
    }
}
