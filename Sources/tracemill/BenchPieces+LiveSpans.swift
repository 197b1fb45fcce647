// What is done to a span that lives: each call alone, on 1,024 spans by turns that were started before and end
// after what is measured.
import TraceCore

extension BenchPieces {
    private static let liveSpansCount = 1024

    /// Starts and ends apart from each other.
    static var starts: [BenchPiece] {
        let name = SpanName("GET /api/orders/{id}")
        return [
            BenchPiece(name: "start", title: "the start of a sampled span") { iterations in
                let rig = try PieceRig()
                let live = LiveSpans(liveSpansCount)
                return try rig.sampledRounds(iterations, of: liveSpansCount) { numbers, measure in
                    measure {
                        for index in 0..<numbers.count {
                            live[index] = rig.tracer.startSpan(name, kind: .server)
                        }
                    }
                    for index in 0..<numbers.count { live[index].end() }
                }
            },
            BenchPiece(name: "startLiteral", title: "the same, named by a literal") { iterations in
                let rig = try PieceRig()
                let live = LiveSpans(liveSpansCount)
                return try rig.sampledRounds(iterations, of: liveSpansCount) { numbers, measure in
                    measure {
                        for index in 0..<numbers.count {
                            live[index] = rig.tracer.startSpan(
                                "GET /api/orders/{id}", kind: .server)
                        }
                    }
                    for index in 0..<numbers.count { live[index].end() }
                }
            },
            BenchPiece(name: "end", title: "the end of a sampled span without attributes") {
                iterations in
                let rig = try PieceRig()
                let live = LiveSpans(liveSpansCount)
                return try rig.sampledRounds(iterations, of: liveSpansCount) { numbers, measure in
                    for index in 0..<numbers.count {
                        live[index] = rig.tracer.startSpan(name, kind: .server)
                    }
                    measure { for index in 0..<numbers.count { live[index].end() } }
                }
            },
        ]
    }

    /// One call on a live span.
    static var liveSpans: [BenchPiece] {
        let key = AttributeKey("http.response.status_code")
        // Longer than what a String holds in itself, and made where the optimiser cannot see it.
        let text = String(repeating: "heap ", count: 6 + CommandLine.arguments.count / 1_000)
        let event = SpanName("cache.miss")
        let other = parentContext(flags: [.sampled, .random])
        var list = SpanAttributes()
        list.set(key, 200)
        list.set(AttributeKey("http.route"), "/api/orders/{id}")
        let attributes = list
        return [
            live("liveLoop", "the loop of these pieces around nothing") { span, _ in ignore(span) },
            live("attributeInt", "an integer attribute") { $0.setAttribute(key, $1) },
            live("attributeBool", "a flag") { $0.setAttribute(key, $1 & 1 == 0) },
            live("attributeDouble", "a floating-point attribute") {
                $0.setAttribute(key, Double($1))
            },
            live("attributeStaticString", "a text known at compile time") { span, _ in
                span.setAttribute(key, "/api/orders/{id}")
            },
            live("attributeHeapString", "a text of 30 bytes made at run time") { span, _ in
                span.setAttribute(key, string: text)
            },
            live("attributeLiteralKey", "an integer attribute whose key is a literal") {
                $0.setAttribute("http.response.status_code", $1)
            },
            live("attributeLiteralKeyHeapString", "a text made at run time under a literal key") {
                span, _ in span.setAttribute("http.response.status_code", string: text)
            },
            live("attributeList", "two attributes that were encoded before") { span, _ in
                span.setAttributes(attributes)
            },
            live("event", "an event without attributes") { span, _ in span.addEvent(event) },
            live("link", "a link without attributes") { span, _ in span.addLink(other) },
            live("statusError", "an error with a message") { span, _ in
                span.setStatus(.error, "upstream timed out")
            },
        ]
    }

    @inline(__always)
    private static func live(
        _ name: String, _ title: String, _ call: @escaping (ActiveSpan, Int) -> Void
    ) -> BenchPiece {
        BenchPiece(name: name, title: title) { iterations in
            let rig = try PieceRig()
            let spanName = SpanName("GET /api/orders/{id}")
            let live = LiveSpans(liveSpansCount)
            return try rig.sampledRounds(iterations, of: liveSpansCount) { numbers, measure in
                for index in 0..<numbers.count {
                    live[index] = rig.tracer.startSpan(spanName, kind: .server)
                }
                measure {
                    for index in 0..<numbers.count {
                        call(live[index], numbers.lowerBound &+ index)
                    }
                }
                for index in 0..<numbers.count { live[index].end() }
            }
        }
    }
}

/// Spans by number, without an array's looks at its owners. Each is set before it is read.
@safe private struct LiveSpans: ~Copyable {
    private let spans: UnsafeMutablePointer<ActiveSpan>

    init(_ count: Int) { unsafe spans = .allocate(capacity: count) }

    deinit { unsafe spans.deallocate() }

    subscript(_ index: Int) -> ActiveSpan {
        get { unsafe spans[index] }
        nonmutating set { unsafe (spans + index).initialize(to: newValue) }
    }
}
