import Foundation
import OTLPDefinition
import SwiftProtobuf
import TestSupport
import Testing
import TraceCore

@testable import TracePipeline

@Suite struct OTLPJSONTests {
    static func json(_ request: [UInt8]) throws -> [UInt8] {
        var writer = JSONWriter()
        try OTLPJSONTranscoder.write(unsafe request.span.bytes, to: &writer)
        return unsafe Array(writer.bytes)
    }

    @Test("swift-protobuf reads back from the JSON what was in the request", arguments: 0..<60)
    func official(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let message = OTLPExportTraceServiceRequest.random(using: &generator)
        let bytes: [UInt8] = try message.serializedBytes()
        let text = String(decoding: try Self.json(bytes), as: UTF8.self)
        // Unknown members are errors here: every name is one that protobuf's mapping gives.
        let decoded = try OTLPExportTraceServiceRequest(
            jsonString: OTLPJSONText.withBase64Identifiers(text))
        #expect(try decoded.serializedBytes() == bytes)
        // Identifiers have all their digits, in lower case (OTLP specification).
        for span in decoded.resourceSpans.flatMap(\.scopeSpans).flatMap(\.spans) {
            let id = span.traceID.map { byte in
                (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }.joined()
            #expect(text.contains("\"traceId\":\"\(id)\""))
        }
    }

    @Test("What the tracer recorded reads the same from JSON and from protobuf", arguments: 0..<20)
    func recorded(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let request = try RandomSpans.request(count: 30, using: &generator)
        let fromProtobuf = try SpanData.decode(request: request)
        #expect(fromProtobuf.count == 30)
        let fromJSON = try JSONSpans.decode(Data(try Self.json(request)))
        #expect(fromJSON.count == fromProtobuf.count)
        for (fromJSON, fromProtobuf) in zip(fromJSON, fromProtobuf) {
            #expect(fromJSON.differences(from: fromProtobuf) == [])
        }
    }

    @Test("Numbers, ids and bytes have the forms that OTLP/JSON asks for")
    func forms() throws {
        var span = OTLPSpan()
        span.traceID = Data((0..<16).map { $0 * 17 })
        span.spanID = Data(repeating: 0xAB, count: 8)
        span.kind = .client
        span.startTimeUnixNano = .max
        span.flags = 0x101
        span.status.code = .error
        func add(_ value: OTLPAnyValue.OneOf_Value) {
            var pair = OTLPKeyValue()
            pair.key = "k"
            pair.value.value = value
            span.attributes.append(pair)
        }
        add(.intValue(.min))
        add(.doubleValue(.nan))
        add(.doubleValue(-.infinity))
        add(.doubleValue(-0.0))
        add(.doubleValue(1))
        add(.bytesValue(Data([0xFB, 0xFF, 0xFE, 0x00])))
        add(.stringValue("\u{0}\u{1F}\"\\\n\u{7F}\u{9F}é\u{2028}😀"))
        add(.boolValue(false))
        add(.arrayValue(OTLPArrayValue()))
        var request = OTLPExportTraceServiceRequest(resource: [], scope: "", spans: [])
        request.resourceSpans[0].scopeSpans[0].spans = [span]
        let text = String(decoding: try Self.json(try request.serializedBytes()), as: UTF8.self)
        let values = [
            #"{"intValue":"-9223372036854775808"}"#, #"{"doubleValue":"NaN"}"#,
            #"{"doubleValue":"-Infinity"}"#, #"{"doubleValue":-0.0}"#, #"{"doubleValue":1.0}"#,
            #"{"bytesValue":"+//+AA=="}"#,
            #"{"stringValue":"\u0000\u001f\"\\\n\u007f\u009fé"# + "\u{2028}😀\"}",
            #"{"boolValue":false}"#, #"{"arrayValue":{}}"#,
        ].map { #"{"key":"k","value":\#($0)}"# }.joined(separator: ",")
        #expect(
            text
                == #"{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[{"#
                + #""traceId":"00112233445566778899aabbccddeeff","spanId":"abababababababab","#
                + #""kind":3,"startTimeUnixNano":"18446744073709551615","attributes":[\#(values)],"#
                + #""status":{"code":2},"flags":257}]}]}]}"#)
    }

    @Test("Attributes, events and links that alternate are gathered into one list each")
    func gathered() throws {
        let id = [UInt8](repeating: 1, count: 16)
        func attribute(_ key: UInt8) -> [UInt8] { [0x4A, 3, 0x0A, 1, key] }
        func event(_ name: UInt8) -> [UInt8] { [0x5A, 3, 0x12, 1, name] }
        let span =
            [0x0A, 16] + id + attribute(0x61) + event(0x78) + attribute(0x62) + [0x2A, 1, 0x6E]
            + event(0x79) + attribute(0x63) + [0x12, 8] + id.prefix(8)
        let text = String(decoding: try Self.json(Wrap.request(span)), as: UTF8.self)
        #expect(
            text
                == #"{"resourceSpans":[{"scopeSpans":[{"spans":[{"#
                + #""traceId":"01010101010101010101010101010101","#
                + #""attributes":[{"key":"a"},{"key":"b"},{"key":"c"}],"#
                + #""events":[{"name":"x"},{"name":"y"}],"name":"n","#
                + #""spanId":"0101010101010101"}]}]}]}"#)
        #expect(
            try SpanData.decode(request: Wrap.request(span))[0].attributes.map(\.key)
                == ["a", "b", "c"])
    }

    @Test(
        "A body that is not what it should be is an error, and named",
        arguments: [
            ([0x0A], ProtobufError.truncated),
            ([0x0A, 5, 0x0A], .truncated),
            ([0x08, 1], .malformed),
            ([0x00], .malformed),
            ([0x0B], .malformed),
            ([0x0A] + [UInt8](repeating: 0xFF, count: 10), .malformed),
            (Wrap.request([0x0A, 15] + [UInt8](repeating: 1, count: 15)), .identifierLength),
            (Wrap.request([0x0A, 0]), .identifierLength),
            (Wrap.request([0x22, 7] + [UInt8](repeating: 1, count: 7)), .identifierLength),
            (Wrap.request([0x2A, 1, 0xFF]), .invalidUTF8),
            (Wrap.request([0x2A, 2, 0xC0, 0x80]), .invalidUTF8),
            (Wrap.request([0x2A, 3, 0xED, 0xA0, 0x80]), .invalidUTF8),
            (Wrap.request([0x2A, 4, 0xF4, 0x90, 0x80, 0x80]), .invalidUTF8),
            (Wrap.request([0x2A, 2, 0xE2, 0x82]), .invalidUTF8),
            (Wrap.request([0x28, 1]), .malformed),
        ] as [([UInt8], ProtobufError)])
    func refused(bytes: [UInt8], error: ProtobufError) {
        #expect(throws: error) { try Self.json(bytes) }
        #expect(throws: error) { try SpanData.decode(request: bytes) }
    }

    @Test(
        "Fields that may come once and values that exclude each other are checked",
        arguments: [
            Wrap.request([0x2A, 1, 0x61, 0x2A, 1, 0x62]),
            Wrap.request([0x4A, 8, 0x12, 6, 0x10, 1, 0x18, 1, 0x10, 0]),
        ])
    func once(bytes: [UInt8]) {
        #expect(throws: ProtobufError.malformed) { try Self.json(bytes) }
    }

    @Test("Values nested beyond every use end in an error, not in the stack")
    func depth() throws {
        func nested(_ levels: Int) throws -> [UInt8] {
            var value = OTLPAnyValue()
            value.intValue = 1
            for _ in 0..<levels {
                var outer = OTLPAnyValue()
                outer.arrayValue.values = [value]
                value = outer
            }
            var request = OTLPExportTraceServiceRequest(resource: [], scope: "s", spans: [])
            var pair = OTLPKeyValue()
            pair.key = "deep"
            pair.value = value
            var span = OTLPSpan()
            span.traceID = Data(repeating: 1, count: 16)
            span.spanID = Data(repeating: 1, count: 8)
            span.attributes = [pair]
            request.resourceSpans[0].scopeSpans[0].spans = [span]
            var options = BinaryEncodingOptions()
            options.useDeterministicOrdering = true
            return try request.serializedBytes(options: options)
        }
        #expect(try Self.json(try nested(20)).count > 20)
        #expect(throws: ProtobufError.tooDeep) { try Self.json(try nested(80)) }
        #expect(throws: ProtobufError.tooDeep) {
            _ = try SpanData.decode(request: try nested(80))
        }
    }

    @Test("No bytes whatever make it read past their end", arguments: 0..<8)
    func hostile(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let good = try RandomSpans.request(count: 3, using: &generator)
        for _ in 0..<300 {
            var bytes = good
            for _ in 0..<1 + generator.next() % 4 {
                let index = Int(generator.next() % UInt64(bytes.count))
                if generator.oneIn(3) {
                    bytes.removeSubrange(index...)
                    if bytes.isEmpty { bytes = [0x0A] }
                } else {
                    bytes[index] = UInt8(truncatingIfNeeded: generator.next())
                }
            }
            _ = try? SpanData.decode(request: bytes)
            guard let json = try? Self.json(bytes) else { continue }
            // Whatever is accepted is JSON.
            #expect((try? JSONSerialization.jsonObject(with: Data(json))) != nil)
        }
    }
}

/// Envelopes around one span's bytes.
enum Wrap {
    static func request(_ span: [UInt8]) -> [UInt8] {
        field(0x0A, field(0x12, field(0x12, span)))
    }

    static func field(_ tag: UInt8, _ payload: [UInt8]) -> [UInt8] {
        var field = [tag]
        var rest = payload.count
        while rest >= 0x80 {
            field.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return field + [UInt8(rest)] + payload
    }
}
