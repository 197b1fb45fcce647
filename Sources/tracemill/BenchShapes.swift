// The spans that `bench` makes, each kind with its own account of what it should say. The loop that is timed
// and the one whose spans are delivered and decoded call the same function.
import TraceCore
import TraceLoad
import TraceResults

/// One kind of span. Any thread.
protocol SpanShape: Sendable {
    /// For the ledger's verdict.
    var name: String { get }
    /// Starts span `number`, fills it, ends it.
    /// - Parameter unixNano: when it starts; nil reads the clock, as what is timed does.
    func make(_ tracer: Tracer, _ number: Int, at unixNano: UInt64?) -> SpanContext
    /// What that span should say, told without the encoder.
    func description(of number: Int) -> DescribedSpan
}

/// How long spans take whose start is given, and how far apart their events are.
enum GivenTimes {
    static let durationNs: UInt64 = 4_200
    static let eventNs: UInt64 = 7
    static let firstUnixNano: UInt64 = 1_700_000_000_000_000_000

    /// The start of span `number`.
    static func start(_ number: Int) -> UInt64 { firstUnixNano + UInt64(number) * 1_001 }
}

/// What a span should say.
struct DescribedSpan {
    enum Value {
        case text(String)
        case flag(Bool)
        case integer(Int)
    }

    typealias Attributes = [(key: String, value: Value)]

    var name: String
    var kind = SpanKind.internal
    var attributes: Attributes = []
    var events: [(name: String, attributes: Attributes)] = []
    var links: [SpanContext] = []

    /// The digest that a receiver computes from what it decodes; see `SpanDigest`.
    func digest(_ context: SpanContext, startUnixNano: UInt64) -> UInt64 {
        var digest = SpanDigest()
        digest.add(context.traceID.high)
        digest.add(context.traceID.low)
        digest.add(context.spanID.rawValue)
        digest.add(0)  // no parent
        digest.add(kind == .server ? 2 : 1)
        digest.add(3)  // sampled, random
        digest.add(utf8: name)
        digest.add(startUnixNano)
        digest.add(startUnixNano + GivenTimes.durationNs)
        digest.add(0)  // no status
        digest.add(utf8: "")
        Self.add(attributes, to: &digest)
        digest.add(UInt64(events.count))
        for (index, event) in events.enumerated() {
            digest.add(startUnixNano + UInt64(index) * GivenTimes.eventNs)
            digest.add(utf8: event.name)
            Self.add(event.attributes, to: &digest)
        }
        digest.add(UInt64(links.count))
        for link in links {
            digest.add(link.traceID.high)
            digest.add(link.traceID.low)
            digest.add(link.spanID.rawValue)
        }
        digest.add(utf8: ShapeTrial.serviceName)
        return digest.finish()
    }

    private static func add(_ attributes: Attributes, to digest: inout SpanDigest) {
        digest.add(UInt64(attributes.count))
        for (key, value) in attributes {
            digest.add(utf8: key)
            switch value {
            case .text(let text):
                digest.add(1)
                digest.add(utf8: text)
            case .flag(let flag):
                digest.add(2)
                digest.add(flag ? 1 : 0)
            case .integer(let number):
                digest.add(3)
                digest.add(UInt64(bitPattern: Int64(number)))
            }
        }
    }
}

/// The span that most figures are about: an HTTP server's, two texts, two numbers, a flag.
struct FiveAttributes: SpanShape {
    let name = "five attributes"
    private let spanName = SpanName("GET /api/orders/{id}")
    private let method = AttributeKey("http.request.method")
    private let route = AttributeKey("http.route")
    private let status = AttributeKey("http.response.status_code")
    private let size = AttributeKey("http.response.body.size")
    private let cached = AttributeKey("cache.hit")

    @inline(__always)
    func make(_ tracer: Tracer, _ number: Int, at unixNano: UInt64?) -> SpanContext {
        let span = open(tracer, number, at: unixNano)
        span.end(at: unixNano.map { $0 + GivenTimes.durationNs })
        return span.context
    }

    /// All but the end.
    @inline(__always)
    func open(_ tracer: Tracer, _ number: Int, at unixNano: UInt64? = nil) -> ActiveSpan {
        let span = tracer.startSpan(spanName, kind: .server, at: unixNano)
        span.setAttribute(method, "GET")
        span.setAttribute(route, "/api/orders/{id}")
        span.setAttribute(status, number & 15 == 0 ? 404 : 200)
        span.setAttribute(size, number)
        span.setAttribute(cached, number & 1 == 0)
        return span
    }

    /// Starts and ends it, as for a sampler that drops it.
    @inline(__always)
    func makeBare(_ tracer: Tracer, parent: SpanContext? = nil) {
        tracer.startSpan(spanName, kind: .server, parent: parent).end()
    }

    func description(of number: Int) -> DescribedSpan {
        DescribedSpan(
            name: "GET /api/orders/{id}", kind: .server,
            attributes: [
                ("http.request.method", .text("GET")), ("http.route", .text("/api/orders/{id}")),
                ("http.response.status_code", .integer(number & 15 == 0 ? 404 : 200)),
                ("http.response.body.size", .integer(number)),
                ("cache.hit", .flag(number & 1 == 0)),
            ])
    }
}

/// The same, its keys written where they are set.
struct LiteralKeys: SpanShape {
    let name = "literal keys"

    @inline(__always)
    func make(_ tracer: Tracer, _ number: Int, at unixNano: UInt64?) -> SpanContext {
        let span = tracer.startSpan(
            "GET /api/orders/{id}" as StaticString, kind: .server, at: unixNano)
        span.setAttribute("http.request.method", "GET")
        span.setAttribute("http.route", "/api/orders/{id}")
        span.setAttribute("http.response.status_code", number & 15 == 0 ? 404 : 200)
        span.setAttribute("http.response.body.size", number)
        span.setAttribute("cache.hit", number & 1 == 0)
        span.end(at: unixNano.map { $0 + GivenTimes.durationNs })
        return span.context
    }

    func description(of number: Int) -> DescribedSpan {
        FiveAttributes().description(of: number)
    }
}

/// What the loop costs without a span in it: a call and a store.
struct NoSpan: SpanShape {
    let name = "no span"

    @inline(__always)
    func make(_ tracer: Tracer, _ number: Int, at unixNano: UInt64?) -> SpanContext {
        keep(UInt64(number))
        return .invalid
    }

    func description(of number: Int) -> DescribedSpan { DescribedSpan(name: "") }
}

/// Integer work of about a span's length, which shares nothing: what a second thread can bring at best.
struct IntegerWork: SpanShape {
    let name = "integer work"

    @inline(__always)
    func make(_ tracer: Tracer, _ number: Int, at unixNano: UInt64?) -> SpanContext {
        keep(HostPace.wide(UInt64(number), steps: 100))
        return .invalid
    }

    func description(of number: Int) -> DescribedSpan { DescribedSpan(name: "") }
}
