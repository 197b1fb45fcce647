@testable import TraceCore

extension HeaderBuffer {
    init(_ lines: [(String, String)]) {
        self.init()
        for (name, value) in lines { append(name, value) }
    }

    /// `name: value`, in order.
    var text: [String] { headers.map { "\($0.name): \($0.value)" } }
}

extension SpanContext {
    /// A context as the tables below have it; ids in hexadecimal, a short trace id padded from the left.
    static func carried(
        _ traceID: String, _ spanID: String, _ flags: TraceFlags, isRemote: Bool = true
    ) -> SpanContext {
        let padding = String(repeating: "0", count: 32 - traceID.utf8.count)
        return SpanContext(
            traceID: TraceID(hex: padding + traceID) ?? TraceID(high: 0, low: 0),
            spanID: SpanID(hex: spanID) ?? SpanID(rawValue: 0), flags: flags, isRemote: isRemote)
    }

    /// A decision without ids, out of a carrier.
    static func decision(_ flags: TraceFlags) -> SpanContext {
        var context = SpanContext.invalid
        context.flags = flags
        context.isRemote = true
        return context
    }
}
