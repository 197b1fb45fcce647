// Propagation headers: whatever comes in, what was understood can be written, and reads the same.
@testable import TraceCore

enum HeaderTargets {
    static let traceContext: FuzzTarget = { bytes in
        roundTrip(.traceContext, lines(bytes, names: ["traceparent", "tracestate"]))
    }

    static let baggage: FuzzTarget = { bytes in
        roundTrip(.baggage, lines(bytes, names: ["baggage"]))
    }

    static let b3: FuzzTarget = { bytes in
        let headers = lines(
            bytes,
            names: [
                "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags",
                "x-b3-parentspanid",
            ])
        roundTrip(.b3, headers)
        roundTrip(.b3multi, headers)
    }

    /// Lines parted by line feeds; each begins with a byte that chooses its name.
    private static func lines(
        _ bytes: UnsafeRawBufferPointer, names: [StaticString]
    ) -> HeaderBuffer {
        var headers = HeaderBuffer()
        for line in bytes.split(separator: 10, maxSplits: 40) {
            guard let choice = line.first else { continue }
            let value = UnsafeRawBufferPointer(rebasing: line.dropFirst())
            headers.append(names[Int(choice) % names.count], valueCount: value.count) {
                if value.count > 0 { $0.copyMemory(from: value) }
            }
        }
        return headers
    }

    private static func roundTrip(_ propagator: Propagator, _ headers: HeaderBuffer) {
        let found = propagator.extract(from: headers)
        let context = found.spanContext
        demand(
            context.isValid || (!context.traceID.isValid && !context.spanID.isValid),
            "half a context")
        var written = HeaderBuffer()
        propagator.inject(found, into: &written)
        let again = propagator.extract(from: written)
        demand(again.spanContext == context, "\(context) became \(again.spanContext)")
        demand(again.baggage == found.baggage, "another baggage")
    }
}
