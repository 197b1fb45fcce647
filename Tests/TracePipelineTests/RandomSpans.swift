// Spans of every kind, driven through a tracer as a program would, and OTLP/JSON read back by Foundation.

import Foundation
import TestSupport
import TraceCore

@testable import TracePipeline

enum RandomSpans {
    /// A request body with so many spans, as the exporter thread builds it.
    static func request(
        count: Int, using generator: inout SeededGenerator
    ) throws -> [UInt8] {
        var options = RecorderOptions()
        options.queueSpans = max(count, 16)
        let recorder = try SpanRecorder(options: options)
        let provider = TracerProvider(
            recorder: recorder, resource: Resource(serviceName: "größe \"\u{1}\""),
            sampler: .alwaysOn, limits: SpanLimits())
        end(count, of: provider.tracer(name: "random", version: "1"), using: &generator)
        var body = ExportBody()
        let spans = recorder.queue.fill(&body, spans: count)
        precondition(spans == count, "every span is in the queue")
        return unsafe Array(body.bytes)
    }

    /// Starts and ends so many spans.
    static func end(_ count: Int, of tracer: Tracer, using generator: inout SeededGenerator) {
        for _ in 0..<count {
            let sample = SampleSpan.random(using: &generator)
            let parent = sample.parentSpanID.map {
                SpanContext(
                    traceID: TraceID(high: sample.traceHigh, low: sample.traceLow),
                    spanID: SpanID(rawValue: $0), flags: .sampled,
                    traceState: TraceState(header: sample.traceState) ?? .empty,
                    isRemote: generator.oneIn(2))
            }
            let span = tracer.startSpan(
                SpanName(sample.eventName), kind: SpanKind(rawValue: UInt8(sample.kind))!,
                parent: parent, at: sample.startTimeUnixNano)
            for attribute in sample.attributes {
                span.setAttribute(AttributeKey(attribute.key), value(using: &generator))
            }
            for event in sample.events {
                var attributes = SpanAttributes()
                for attribute in event.attributes {
                    attributes.set(AttributeKey(attribute.key), value(using: &generator))
                }
                span.addEvent(
                    SpanName(event.name), at: event.timeUnixNano, attributes: attributes)
            }
            for link in sample.links {
                span.addLink(
                    SpanContext(
                        traceID: TraceID(high: link.traceHigh, low: link.traceLow),
                        spanID: SpanID(rawValue: link.spanID),
                        traceState: TraceState(header: link.traceState) ?? .empty))
            }
            if sample.statusCode == 2 { span.setStatus(.error, sample.statusMessage) }
            span.end(at: sample.endTimeUnixNano)
        }
    }

    private static let doubles: [Double] = [
        .nan, .infinity, -.infinity, 0, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
        -.greatestFiniteMagnitude, .leastNormalMagnitude, 1e21, 123_456_789_012_345_680,
        0.1, 1.0 / 3, 9_007_199_254_740_992,
    ]

    private static let integers = [0, 1, -1, Int.max, Int.min, 1 << 53, -(1 << 53) - 1]

    /// A value of any type that an attribute may have.
    static func value(using generator: inout SeededGenerator) -> AttributeValue {
        let count = Int(generator.next() % 5)
        return switch generator.next() % 9 {
        case 0: .string(SampleText.value(using: &generator))
        case 1: .int(generator.pick(integers))
        case 2: .double(generator.pick(doubles))
        case 3: .bool(generator.oneIn(2))
        case 4: .strings((0..<count).map { _ in SampleText.value(using: &generator) })
        case 5: .ints((0..<count).map { _ in generator.pick(integers) })
        case 6: .doubles((0..<count).map { _ in generator.pick(doubles) })
        case 7: .bools((0..<count).map { _ in generator.oneIn(2) })
        default: .bytes((0..<count * 7).map { _ in UInt8(truncatingIfNeeded: generator.next()) })
        }
    }
}

extension SampleSpan {
    /// Names are interned for ever: from a fixed list.
    fileprivate var eventName: String { SampleText.eventNames[Int(spanID % 6)] }
}

extension SpanData {
    /// The names of the properties in which another span differs, and how; empty when it does not.
    /// Texts are compared by their bytes, doubles by their bits, but for the bits of a NaN.
    func differences(from other: SpanData) -> [String] {
        zip(Mirror(reflecting: exact).children, Mirror(reflecting: other.exact).children)
            .compactMap { mine, theirs in
                let (mine, name) = (String(reflecting: mine.value), mine.label ?? "")
                let theirs = String(reflecting: theirs.value)
                if mine == theirs { return nil }
                let common = zip(mine, theirs).prefix { $0 == $1 }.count
                let from = max(0, common - 60)
                return "\(name): …\(mine.dropFirst(from).prefix(120)) ≠ "
                    + "…\(theirs.dropFirst(from).prefix(120))"
            }
    }

    private var exact: SpanData {
        var span = self
        span.name = Self.exact(name)
        span.statusMessage = Self.exact(statusMessage)
        span.attributes = attributes.map(\.exact)
        span.resource = resource.map(\.exact)
        for index in events.indices {
            span.events[index].name = Self.exact(events[index].name)
            span.events[index].attributes = events[index].attributes.map(\.exact)
        }
        for index in links.indices {
            span.links[index].attributes = links[index].attributes.map(\.exact)
        }
        return span
    }

    /// Without byte order marks: Foundation's JSON parser loses one at a string's start.
    fileprivate static func exact(_ text: String) -> String {
        text.unicodeScalars.filter { $0 != "\u{FEFF}" }.flatMap { String($0).utf8 }.map {
            String($0, radix: 16)
        }.joined(separator: " ")
    }
}

extension SpanData.Attribute {
    fileprivate var exact: SpanData.Attribute {
        func exact(_ number: Double) -> String {
            number.isNaN ? "NaN" : String(number.bitPattern, radix: 16)
        }
        var text: String
        switch value {
        case .string(let value): text = "string \(SpanData.exact(value))"
        case .double(let value): text = "double \(exact(value))"
        case .strings(let values): text = "strings \(values.map(SpanData.exact))"
        case .doubles(let values): text = "doubles \(values.map(exact))"
        case .bytes(let value): text = "bytes \(value)"
        case .int, .bool, .ints, .bools:
            return SpanData.Attribute(key: SpanData.exact(key), value: value)
        }
        return SpanData.Attribute(key: SpanData.exact(key), value: .string(text))
    }
}

/// OTLP/JSON read by Foundation's parser, after the specification, for spans of attribute types alone.
enum JSONSpans {
    struct Malformed: Error {
        var what: String
    }

    static func decode(_ json: Data) throws -> [SpanData] {
        let root = try JSONSerialization.jsonObject(with: json) as? [String: Any] ?? [:]
        return try list(root, "resourceSpans").flatMap { resourceSpans in
            let resource = try attributes(resourceSpans["resource"] as? [String: Any] ?? [:])
            return try list(resourceSpans, "scopeSpans").flatMap { scopeSpans in
                let scope = scopeSpans["scope"] as? [String: Any] ?? [:]
                return try list(scopeSpans, "spans").map { object in
                    var span = try span(object)
                    span.resource = resource
                    span.scope.name = scope["name"] as? String ?? ""
                    span.scope.version = scope["version"] as? String ?? ""
                    return span
                }
            }
        }
    }

    private static func list(_ object: [String: Any], _ name: String) throws -> [[String: Any]] {
        guard let value = object[name] else { return [] }
        guard let items = value as? [[String: Any]] else { throw Malformed(what: name) }
        return items
    }

    private static func number(_ value: Any?) throws -> UInt64 {
        guard let value else { return 0 }
        guard let text = value as? String, let number = UInt64(text) else {
            throw Malformed(what: "64-bit number")
        }
        return number
    }

    private static func span(_ object: [String: Any]) throws -> SpanData {
        var span = SpanData()
        guard let trace = (object["traceId"] as? String).flatMap({ TraceID(hex: $0) }),
            let id = (object["spanId"] as? String).flatMap({ SpanID(hex: $0) })
        else { throw Malformed(what: "ids") }
        span.traceID = trace
        span.spanID = id
        span.parentSpanID = (object["parentSpanId"] as? String).flatMap { SpanID(hex: $0) }
        span.traceState = object["traceState"] as? String ?? ""
        span.flags = object["flags"] as? UInt32 ?? 0
        span.name = object["name"] as? String ?? ""
        span.kind = (object["kind"] as? UInt8).flatMap { SpanKind(rawValue: $0) } ?? .internal
        span.startUnixNano = try number(object["startTimeUnixNano"])
        span.endUnixNano = try number(object["endTimeUnixNano"])
        span.attributes = try attributes(object)
        span.droppedAttributeCount = object["droppedAttributesCount"] as? UInt32 ?? 0
        span.droppedEventCount = object["droppedEventsCount"] as? UInt32 ?? 0
        span.droppedLinkCount = object["droppedLinksCount"] as? UInt32 ?? 0
        span.events = try list(object, "events").map { object in
            var event = SpanData.Event()
            event.timeUnixNano = try number(object["timeUnixNano"])
            event.name = object["name"] as? String ?? ""
            event.attributes = try attributes(object)
            event.droppedAttributeCount = object["droppedAttributesCount"] as? UInt32 ?? 0
            return event
        }
        span.links = try list(object, "links").map { object in
            var link = SpanData.Link()
            link.traceID = TraceID(hex: object["traceId"] as? String ?? "")!
            link.spanID = SpanID(hex: object["spanId"] as? String ?? "")!
            link.traceState = object["traceState"] as? String ?? ""
            link.flags = object["flags"] as? UInt32 ?? 0
            link.attributes = try attributes(object)
            link.droppedAttributeCount = object["droppedAttributesCount"] as? UInt32 ?? 0
            return link
        }
        let status = object["status"] as? [String: Any] ?? [:]
        span.status = SpanStatus(rawValue: status["code"] as? UInt8 ?? 0)!
        span.statusMessage = status["message"] as? String ?? ""
        return span
    }

    private static func attributes(_ object: [String: Any]) throws -> [SpanData.Attribute] {
        try list(object, "attributes").map { pair in
            guard let key = pair["key"] as? String, let value = pair["value"] as? [String: Any]
            else { throw Malformed(what: "attribute") }
            return SpanData.Attribute(key: key, value: try self.value(value))
        }
    }

    private static func value(_ object: [String: Any]) throws -> AttributeValue {
        guard object.count == 1, let (type, value) = object.first else {
            throw Malformed(what: "value")
        }
        switch (type, value) {
        case ("stringValue", let text as String): return .string(text)
        case ("boolValue", let flag as Bool): return .bool(flag)
        case ("intValue", let text as String):
            guard let number = Int(text) else { throw Malformed(what: text) }
            return .int(number)
        case ("doubleValue", "NaN" as String): return .double(.nan)
        case ("doubleValue", "Infinity" as String): return .double(.infinity)
        case ("doubleValue", "-Infinity" as String): return .double(-.infinity)
        case ("doubleValue", let number as Double): return .double(number)
        case ("bytesValue", let text as String):
            guard let bytes = Data(base64Encoded: text) else { throw Malformed(what: text) }
            return .bytes(Array(bytes))
        case ("arrayValue", let array as [String: Any]):
            let elements = try list(array, "values").map { try self.value($0) }
            switch elements.first {
            case .int:
                return .ints(elements.map { if case .int(let value) = $0 { value } else { 0 } })
            case .double:
                return .doubles(
                    elements.map { if case .double(let value) = $0 { value } else { 0 } })
            case .bool:
                return .bools(
                    elements.map { if case .bool(let value) = $0 { value } else { false } })
            default:
                return .strings(
                    elements.map { if case .string(let value) = $0 { value } else { "" } })
            }
        default: throw Malformed(what: type)
        }
    }
}
