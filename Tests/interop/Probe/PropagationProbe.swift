// Header lines in; the context that our propagators find in them, and what they inject of it, out.

import TraceCore

/// `interop-probe propagate`.
enum PropagationProbe {
    struct Question: Decodable {
        var id: Int
        /// Names as in OTEL_PROPAGATORS, separated by commas.
        var propagator: String
        /// Pairs of name and value, in order.
        var headers: [[String]]
    }

    struct Answer: Encodable {
        var id: Int
        /// Nil when nothing at all was found about a trace.
        var context: Context?
        /// Name, value, metadata.
        var baggage: [[String]]
        /// Pairs of name and value, as injected.
        var injected: [[String]]
        /// Whether extracting from a list of lines, and injecting into one, gave the same.
        var agreesWithList: Bool
    }

    struct Context: Encodable, Equatable {
        var trace: String
        var span: String
        /// The flags as W3C has them.
        var flags: UInt8
        /// What only B3 says: `debug`, `deferred`, `denied`.
        var local: [String]
        var state: String
        var remote: Bool
    }

    static func run() throws {
        try JSONLines.answer { (question: Question) in
            let names = question.propagator.split(separator: ",").map(String.init)
            let propagator = try Propagator(names: names)
            var carrier = HeaderBuffer()
            var list = HeaderList()
            for header in question.headers {
                guard header.count == 2 else { throw ProbeError("a header is [name, value]") }
                carrier.append(header[0], header[1])
                list.appendHeader(header[0], header[1])
            }
            let found = propagator.extract(from: carrier)
            var injected = HeaderBuffer()
            propagator.inject(found, into: &injected)
            let foundInList = propagator.extract(from: list)
            var injectedList = HeaderList()
            propagator.inject(foundInList, into: &injectedList)
            let lines = injected.headers.map { [$0.name, $0.value] }
            return Answer(
                id: question.id, context: context(found.spanContext),
                baggage: found.baggage.entries.map {
                    [$0.name, $0.entry.value, $0.entry.metadata]
                },
                injected: lines,
                agreesWithList: context(found.spanContext) == context(foundInList.spanContext)
                    && found.baggage == foundInList.baggage
                    && injectedList.lines.map { [$0.name, $0.value] } == lines)
        }
    }

    private static func context(_ context: SpanContext) -> Context? {
        guard context.isValid || !context.flags.isEmpty else { return nil }
        let names: [(TraceFlags, String)] = [
            (.debug, "debug"), (.deferred, "deferred"), (.denied, "denied"),
        ]
        return Context(
            trace: context.traceID.hex, span: context.spanID.hex, flags: context.flags.onWire,
            local: names.filter { context.flags.contains($0.0) }.map(\.1),
            state: context.traceState.header, remote: context.isRemote)
    }
}
