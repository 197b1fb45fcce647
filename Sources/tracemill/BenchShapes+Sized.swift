// Spans of other sizes: texts from the heap, many attributes, long names and values, events, links.
import TraceCore

/// Texts made at run time, each on the heap: what they hold, no compiler knows.
enum HeapTexts {
    /// `count` distinct texts of `bytes.lowerBound` to `bytes.upperBound` bytes, by turns.
    static func make(_ count: Int, bytes: ClosedRange<Int>) -> [String] {
        (0..<count).map { number in
            let length = bytes.lowerBound + number * 7 % bytes.count
            let head = "/\(number)/"
            let letters = (0..<max(0, length - head.utf8.count)).map { place in
                UInt8(ascii: "a") + UInt8((place &* 7 &+ number &* 3) % 26)
            }
            return String(decoding: Array(head.utf8.prefix(length)) + letters, as: UTF8.self)
        }
    }
}

/// Five attributes, of which two or all five are texts of 16 to 40 bytes from the heap.
struct HeapStrings: SpanShape {
    let name: String
    private let areAll: Bool
    private let texts: [String]
    private let spanName = SpanName("GET /api/orders/{id}")
    private let method = AttributeKey("http.request.method")
    private let route = AttributeKey("http.route")
    private let status = AttributeKey("http.response.status_code")
    private let size = AttributeKey("http.response.body.size")
    private let cached = AttributeKey("cache.hit")

    /// - Parameter texts: 64 of them; threads that are given the same ones count the same references.
    init(areAll: Bool, texts: [String] = HeapTexts.make(64, bytes: 16...40)) {
        precondition(texts.count == 64)
        self.areAll = areAll
        self.texts = texts
        name = areAll ? "five heap strings" : "two heap strings"
    }

    @inline(__always)
    func make(_ tracer: Tracer, _ number: Int, at unixNano: UInt64?) -> SpanContext {
        let span = tracer.startSpan(spanName, kind: .server, at: unixNano)
        span.setAttribute(method, string: texts[number & 63])
        span.setAttribute(route, string: texts[(number &+ 21) & 63])
        if areAll {
            span.setAttribute(status, string: texts[(number &+ 7) & 63])
            span.setAttribute(size, string: texts[(number &+ 40) & 63])
            span.setAttribute(cached, string: texts[(number &+ 51) & 63])
        } else {
            span.setAttribute(status, number & 15 == 0 ? 404 : 200)
            span.setAttribute(size, number)
            span.setAttribute(cached, number & 1 == 0)
        }
        span.end(at: unixNano.map { $0 + GivenTimes.durationNs })
        return span.context
    }

    func description(of number: Int) -> DescribedSpan {
        var described = FiveAttributes().description(of: number)
        let places = areAll ? [0, 21, 7, 40, 51] : [0, 21]
        for (index, offset) in places.enumerated() {
            described.attributes[index].value = .text(texts[(number + offset) % 64])
        }
        return described
    }
}

/// Five attributes, all texts of 16 to 40 bytes from the heap, lent as UTF-8: what a service does that has the
/// bytes of a header at hand.
struct LentTexts: SpanShape {
    let name = "five lent texts"
    private let strings = HeapStrings(areAll: true)
    private let texts = HeapTexts.make(64, bytes: 16...40).map { Array($0.utf8) }
    private let spanName = SpanName("GET /api/orders/{id}")
    private let keys = [
        "http.request.method", "http.route", "http.response.status_code",
        "http.response.body.size", "cache.hit",
    ].map { AttributeKey($0) }

    @inline(__always)
    func make(_ tracer: Tracer, _ number: Int, at unixNano: UInt64?) -> SpanContext {
        let span = tracer.startSpan(spanName, kind: .server, at: unixNano)
        set(span, 0, number)
        set(span, 1, number &+ 21)
        set(span, 2, number &+ 7)
        set(span, 3, number &+ 40)
        set(span, 4, number &+ 51)
        span.end(at: unixNano.map { $0 + GivenTimes.durationNs })
        return span.context
    }

    @inline(__always)
    private func set(_ span: ActiveSpan, _ key: Int, _ text: Int) {
        let text = texts[text & 63]
        span.setAttribute(keys[key], utf8: text.span)
    }

    func description(of number: Int) -> DescribedSpan { strings.description(of: number) }
}

/// So many attributes of three kinds by turns: a short text, a number, a flag.
struct ManyAttributes: SpanShape {
    let name: String
    private let count: Int
    private let keys: [AttributeKey]
    private let spanName = SpanName("many attributes")

    init(_ count: Int) {
        self.count = count
        name = "\(count) attribute\(count == 1 ? "" : "s")"
        keys = (0..<count).map { AttributeKey(Self.key($0)) }
    }

    private static func key(_ index: Int) -> String { "attribute.of.a.span.\(100 + index)" }

    @inline(__always)
    func make(_ tracer: Tracer, _ number: Int, at unixNano: UInt64?) -> SpanContext {
        let span = tracer.startSpan(spanName, at: unixNano)
        for index in 0..<count {
            switch index & 3 {
            case 0: span.setAttribute(keys[index], "/api/orders/{id}")
            case 3: span.setAttribute(keys[index], number & 1 == 0)
            default: span.setAttribute(keys[index], number &+ index)
            }
        }
        span.end(at: unixNano.map { $0 + GivenTimes.durationNs })
        return span.context
    }

    func description(of number: Int) -> DescribedSpan {
        DescribedSpan(
            name: "many attributes",
            attributes: (0..<count).map { index in
                let value: DescribedSpan.Value
                switch index % 4 {
                case 0: value = .text("/api/orders/{id}")
                case 3: value = .flag(number.isMultiple(of: 2))
                default: value = .integer(number + index)
                }
                return (Self.key(index), value)
            })
    }
}

/// One value, or a name, of so many bytes, made at run time.
struct LongText: SpanShape {
    enum Place: String {
        case name, value
    }

    let name: String
    let bytes: Int
    private let place: Place
    private let texts: [String]
    private let spanName = SpanName("long value")
    private let key = AttributeKey("db.query.text")

    init(_ place: Place, bytes: Int) {
        self.place = place
        self.bytes = bytes
        name = "\(place.rawValue) of \(bytes) bytes"
        texts = HeapTexts.make(16, bytes: bytes...bytes)
    }

    @inline(__always)
    func make(_ tracer: Tracer, _ number: Int, at unixNano: UInt64?) -> SpanContext {
        let span: ActiveSpan
        switch place {
        case .name: span = tracer.startSpan(named: texts[number & 15], at: unixNano)
        case .value:
            span = tracer.startSpan(spanName, at: unixNano)
            span.setAttribute(key, string: texts[number & 15])
        }
        span.end(at: unixNano.map { $0 + GivenTimes.durationNs })
        return span.context
    }

    func description(of number: Int) -> DescribedSpan {
        let text = texts[number % 16]
        switch place {
        case .name: return DescribedSpan(name: text)
        case .value:
            return DescribedSpan(name: "long value", attributes: [("db.query.text", .text(text))])
        }
    }
}

/// Eight events or eight links, with or without attributes; or neither.
struct Annotated: SpanShape {
    enum Kind {
        case nothing
        case events(attributes: Int)
        case links(attributes: Int)
    }

    static let each = 8
    let name: String
    private let kind: Kind
    private let spanName = SpanName("annotated")
    private let eventName = SpanName("cache.miss")
    /// Eight lists whose values differ, or none.
    private let lists: [SpanAttributes?]
    private let attributeCount: Int
    private let linked: [SpanContext]

    init(_ kind: Kind) {
        self.kind = kind
        switch kind {
        case .nothing: (name, attributeCount) = ("neither events nor links", 0)
        case .events(let count): (name, attributeCount) = ("events with \(count) attributes", count)
        case .links(let count): (name, attributeCount) = ("links with \(count) attributes", count)
        }
        let (first, second) = (AttributeKey("cache.key"), AttributeKey("cache.size"))
        let count = attributeCount
        lists = (0..<Self.each).map { number in
            guard count == 2 else { return nil }
            var list = SpanAttributes()
            list.set(first, "key \(number)")
            list.set(second, number)
            return list
        }
        linked = (0..<Self.each).map { number in
            SpanContext(
                traceID: TraceID(high: 0x4bf9_2f35_77b3_4da6, low: UInt64(number) + 1),
                spanID: SpanID(rawValue: 0x00f0_67aa_0ba9_02b7 + UInt64(number)),
                flags: [.sampled, .random], isRemote: true)
        }
    }

    @inline(__always)
    func make(_ tracer: Tracer, _ number: Int, at unixNano: UInt64?) -> SpanContext {
        let span = tracer.startSpan(spanName, at: unixNano)
        switch kind {
        case .nothing: break
        case .events:
            for index in 0..<Self.each {
                span.addEvent(
                    eventName, at: unixNano.map { $0 + UInt64(index) * GivenTimes.eventNs },
                    attributes: lists[(number &+ index) & 7])
            }
        case .links:
            for index in 0..<Self.each {
                span.addLink(
                    linked[(number &+ index) & 7], attributes: lists[(number &+ index) & 7])
            }
        }
        span.end(at: unixNano.map { $0 + GivenTimes.durationNs })
        return span.context
    }

    func description(of number: Int) -> DescribedSpan {
        var described = DescribedSpan(name: "annotated")
        for index in 0..<Self.each {
            let which = (number + index) % Self.each
            switch kind {
            case .nothing: break
            case .events:
                let attributes: DescribedSpan.Attributes =
                    attributeCount == 2
                    ? [("cache.key", .text("key \(which)")), ("cache.size", .integer(which))] : []
                described.events.append(("cache.miss", attributes))
            case .links: described.links.append(linked[which])
            }
        }
        return described
    }
}
