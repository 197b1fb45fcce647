@testable import TraceCore

extension SamplerProgram {
    /// Asks as the tracer does, for a span of which everything is known.
    func ask(
        parent: SpanContext? = nil, traceID: TraceID? = nil, name: String = "span",
        kind: SpanKind = .internal, attributes: SpanAttributes? = nil, links: [SpanLink] = [],
        at startUnixNano: UInt64 = 0
    ) -> SamplingVerdict {
        var name = name
        return name.withUTF8 { utf8 in
            unsafe decide(
                SamplingQuestion(
                    parent: parent,
                    traceID: traceID ?? parent?.traceID ?? TraceID(high: 1, low: 1),
                    name: UnsafeRawBufferPointer(utf8), kind: kind, attributes: attributes,
                    links: links, nowUnixNano: startUnixNano))
        }
    }
}

extension SpanContext {
    /// A parent with that randomness in its trace id.
    init(
        low: UInt64 = 1, _ flags: TraceFlags, state: String = "", isRemote: Bool = true
    ) {
        self.init(
            traceID: TraceID(high: 1, low: low), spanID: SpanID(rawValue: 1), flags: flags,
            traceState: TraceState(header: state) ?? .empty, isRemote: isRemote)
    }
}
