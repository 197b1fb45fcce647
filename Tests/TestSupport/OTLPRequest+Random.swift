import Foundation
import OTLPDefinition

/// Requests with everything that OTLP has, also what no tracer of ours writes: nested values, none at
/// all, several resources and scopes, enumerations that nobody knows.
extension OTLPExportTraceServiceRequest {
    public static func random(using generator: inout SeededGenerator) -> Self {
        var request = OTLPExportTraceServiceRequest()
        request.resourceSpans = (0..<generator.next() % 3).map { _ in
            var resourceSpans = OTLPResourceSpans()
            if !generator.oneIn(4) {
                resourceSpans.resource.attributes = OTLPKeyValue.randomList(using: &generator)
                resourceSpans.resource.droppedAttributesCount = UInt32(generator.next() % 3)
            }
            if generator.oneIn(3) { resourceSpans.schemaURL = "https://example.com/resource" }
            resourceSpans.scopeSpans = (0..<generator.next() % 3).map { _ in
                var scopeSpans = OTLPScopeSpans()
                scopeSpans.scope.name = SampleText.name(using: &generator)
                if generator.oneIn(2) { scopeSpans.scope.version = "1.0\u{0}" }
                scopeSpans.scope.attributes = OTLPKeyValue.randomList(using: &generator)
                if generator.oneIn(3) { scopeSpans.schemaURL = "https://example.com/scope" }
                scopeSpans.spans = (0..<generator.next() % 4).map { _ in
                    OTLPSpan.random(using: &generator)
                }
                return scopeSpans
            }
            return resourceSpans
        }
        return request
    }
}

extension OTLPSpan {
    /// A ``SampleSpan`` with attributes of every type, and sometimes dropped counts and odd numbers.
    static func random(using generator: inout SeededGenerator) -> OTLPSpan {
        var span = OTLPSpan(SampleSpan.random(using: &generator))
        span.attributes += OTLPKeyValue.randomList(using: &generator)
        if generator.oneIn(4) {
            span.droppedAttributesCount = .max
            span.droppedEventsCount = UInt32(generator.next() % 200)
            span.droppedLinksCount = 1
            span.kind = .UNRECOGNIZED(Int(Int32.min))
            span.endTimeUnixNano = .max
            span.startTimeUnixNano = 0
        }
        for index in span.events.indices where generator.oneIn(4) {
            span.events[index].attributes += OTLPKeyValue.randomList(using: &generator)
            span.events[index].droppedAttributesCount = 7
        }
        for index in span.links.indices where generator.oneIn(4) {
            span.links[index].attributes += OTLPKeyValue.randomList(using: &generator)
            span.links[index].droppedAttributesCount = 7
        }
        return span
    }
}

extension OTLPKeyValue {
    static func randomList(using generator: inout SeededGenerator) -> [OTLPKeyValue] {
        (0..<generator.next() % 6).map { _ in .random(depth: 0, using: &generator) }
    }

    static func random(depth: Int, using generator: inout SeededGenerator) -> OTLPKeyValue {
        var pair = OTLPKeyValue()
        pair.key = SampleText.value(using: &generator)
        if !generator.oneIn(16) { pair.value = .random(depth: depth, using: &generator) }
        return pair
    }
}

extension OTLPAnyValue {
    static func random(depth: Int, using generator: inout SeededGenerator) -> OTLPAnyValue {
        var value = OTLPAnyValue()
        switch generator.next() % (depth < 4 ? 9 : 6) {
        case 0...2: value = OTLPAnyValue(SampleValue.random(using: &generator))
        case 3: break
        case 4: value.doubleValue = .nan
        case 5:
            value.bytesValue = Data(
                (0..<generator.next() % 20).map { _ in
                    UInt8(truncatingIfNeeded: generator.next())
                })
        case 6, 7:
            value.arrayValue.values = (0..<generator.next() % 5).map { _ in
                .random(depth: depth + 1, using: &generator)
            }
        default:
            value.kvlistValue.values = (0..<generator.next() % 4).map { _ in
                .random(depth: depth + 1, using: &generator)
            }
        }
        return value
    }
}

/// Between OTLP's JSON, whose identifiers are hexadecimal, and protobuf's own mapping, which has base64
/// for all bytes: with that, any protobuf library is an oracle for OTLP/JSON.
public enum OTLPJSONText {
    /// Identifiers from hexadecimal to base64.
    public static func withBase64Identifiers(_ json: String) -> String {
        replacingIdentifiers(in: json) { digits in
            var bytes = Data()
            var rest = digits[...]
            while let byte = UInt8(rest.prefix(2), radix: 16) {
                bytes.append(byte)
                rest = rest.dropFirst(2)
            }
            return bytes.base64EncodedString()
        }
    }

    /// Identifiers from base64 to hexadecimal, in lower case.
    public static func withHexadecimalIdentifiers(_ json: String) -> String {
        replacingIdentifiers(in: json) { text in
            (Data(base64Encoded: text) ?? Data()).map { byte in
                let digits = String(byte, radix: 16)
                return digits.count == 1 ? "0" + digits : digits
            }.joined()
        }
    }

    /// In text, where a quotation mark is escaped, the pattern cannot occur.
    private static func replacingIdentifiers(
        in json: String, _ convert: (String) -> String
    ) -> String {
        var result: [UInt8] = []
        var rest = Array(json.utf8)[...]
        let names = ["\"traceId\":\"", "\"spanId\":\"", "\"parentSpanId\":\""].map {
            Array($0.utf8)
        }
        while let byte = rest.first {
            if byte == UInt8(ascii: "\""), let name = names.first(where: { rest.starts(with: $0) })
            {
                result += name
                rest = rest.dropFirst(name.count)
                let value = rest.prefix { $0 != UInt8(ascii: "\"") }
                result += convert(String(decoding: value, as: UTF8.self)).utf8
                rest = rest.dropFirst(value.count)
            } else {
                result.append(byte)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
