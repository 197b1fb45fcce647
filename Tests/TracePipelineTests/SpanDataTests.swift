import Foundation
import OTLPDefinition
import SwiftProtobuf
import TestSupport
import Testing
import TraceCore

@testable import TracePipeline

/// Requests that swift-protobuf has encoded.
enum OfficialRequests {
    static func bytes(of spans: [SampleSpan]) throws -> [UInt8] {
        try OTLPExportTraceServiceRequest(
            resource: [SampleAttribute("service.name", .string("shop"))], scope: "library",
            spans: spans
        ).serializedBytes()
    }
}

@Suite struct SpanDataTests {
    @Test("Spans that swift-protobuf encoded are decoded whole", arguments: 0..<30)
    func official(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let samples = (0..<20).map { _ in SampleSpan.random(using: &generator) }
        let decoded = try SpanData.decode(request: try OfficialRequests.bytes(of: samples))
        #expect(decoded.count == samples.count)
        for (span, sample) in zip(decoded, samples) {
            #expect(span.differences(from: SpanData(sample)) == [])
        }
    }

    @Test("Lists and bytes are decoded by their type; an empty list is one of strings")
    func lists() throws {
        func value(_ change: (inout OTLPAnyValue) -> Void) throws -> AttributeValue? {
            var pair = OTLPKeyValue()
            pair.key = "k"
            change(&pair.value)
            var span = OTLPSpan(SampleSpan.random(using: &generator))
            span.attributes = [pair]
            var request = OTLPExportTraceServiceRequest(resource: [], scope: "", spans: [])
            request.resourceSpans[0].scopeSpans[0].spans = [span]
            return try SpanData.decode(request: try request.serializedBytes())[0]["k"]
        }
        var generator = SeededGenerator(seed: 1)
        func list(_ values: [SampleValue]) -> (inout OTLPAnyValue) -> Void {
            { $0.arrayValue.values = values.map { OTLPAnyValue($0) } }
        }
        #expect(try value(list([.string("a"), .string("")])) == .strings(["a", ""]))
        #expect(try value(list([.int(.max), .int(-1)])) == .ints([.max, -1]))
        #expect(try value(list([.double(0.5)])) == .doubles([0.5]))
        #expect(try value(list([.bool(true), .bool(false)])) == .bools([true, false]))
        #expect(try value(list([])) == .strings([]))
        #expect(try value { $0.bytesValue = Data([0, 255]) } == .bytes([0, 255]))
        #expect(try value { _ in } == .string(""))
        // No attribute has these (OpenTelemetry specification, "Attribute").
        #expect(throws: ProtobufError.malformed) {
            try value(list([.int(1), .string("a")]))
        }
    }

    @Test("Several resources and scopes keep their spans, also when they stand behind them")
    func envelopes() throws {
        var request = OTLPExportTraceServiceRequest()
        for service in ["a", "b"] {
            var resourceSpans = OTLPResourceSpans()
            resourceSpans.resource.attributes = [
                OTLPKeyValue(SampleAttribute("service.name", .string(service)))
            ]
            resourceSpans.schemaURL = "schema of \(service)"
            for scope in ["x", "y"] {
                var generator = SeededGenerator(seed: 5)
                var scopeSpans = OTLPScopeSpans()
                scopeSpans.scope.name = scope
                scopeSpans.scope.version = "1"
                scopeSpans.schemaURL = "schema of \(scope)"
                scopeSpans.spans = [OTLPSpan(SampleSpan.random(using: &generator))]
                resourceSpans.scopeSpans.append(scopeSpans)
            }
            request.resourceSpans.append(resourceSpans)
        }
        let spans = try SpanData.decode(request: try request.serializedBytes())
        #expect(spans.map(\.serviceName) == ["a", "a", "b", "b"])
        #expect(spans.map(\.scope.name) == ["x", "y", "x", "y"])
        #expect(spans.map(\.scope.schemaURL).first == "schema of x")
        #expect(spans.map(\.resourceSchemaURL).last == "schema of b")
        // Scope and resource behind the spans: the order of fields is free in protobuf.
        let id = [UInt8](repeating: 1, count: 16)
        let span: [UInt8] = Wrap.field(0x0A, id) + Wrap.field(0x12, Array(id.prefix(8)))
        let scope = Wrap.field(0x0A, Wrap.field(0x0A, Array("late".utf8)))
        let resource = Wrap.field(
            0x0A,
            Wrap.field(
                0x0A,
                Wrap.field(0x0A, Array("service.name".utf8))
                    + Wrap.field(0x12, Wrap.field(0x0A, Array("shop".utf8)))))
        let late = Wrap.field(
            0x0A, Wrap.field(0x12, Wrap.field(0x12, span) + scope) + resource)
        let found = try #require(try SpanData.decode(request: late).first)
        #expect(found.scope.name == "late")
        #expect(found.serviceName == "shop")
    }

    @Test("A span without ids is none; no parent is spelled in three ways")
    func identifiers() throws {
        let trace = Wrap.field(0x0A, [UInt8](repeating: 1, count: 16))
        let id = Wrap.field(0x12, [UInt8](repeating: 2, count: 8))
        #expect(throws: ProtobufError.identifierLength) {
            try SpanData.decode(request: Wrap.request(trace))
        }
        #expect(throws: ProtobufError.identifierLength) {
            try SpanData.decode(request: Wrap.request(id))
        }
        for parent in [[], Wrap.field(0x22, []), Wrap.field(0x22, [UInt8](repeating: 0, count: 8))]
        {
            let spans = try SpanData.decode(request: Wrap.request(trace + id + parent))
            #expect(spans.map(\.parentSpanID) == [nil])
        }
    }

    @Test("An in-memory exporter refuses what is no request")
    func refused() {
        let exporter = InMemoryExporter()
        let bytes = Array("no request".utf8)
        let outcome = exporter.export(request: unsafe bytes.span.bytes, spanCount: 1)
        #expect(outcome == .dropped(.refused))
        #expect(exporter.finishedSpans.isEmpty)
    }
}

extension SpanData {
    /// What a sample should be decoded to, in the request of ``OfficialRequests``.
    init(_ sample: SampleSpan) {
        self.init()
        traceID = TraceID(high: sample.traceHigh, low: sample.traceLow)
        spanID = SpanID(rawValue: sample.spanID)
        parentSpanID = sample.parentSpanID.map { SpanID(rawValue: $0) }
        traceState = sample.traceState
        flags = sample.flags
        name = sample.name
        kind = SpanKind(rawValue: UInt8(sample.kind))!
        startUnixNano = sample.startTimeUnixNano
        endUnixNano = sample.endTimeUnixNano
        attributes = sample.attributes.map(Attribute.init)
        droppedAttributeCount = sample.droppedAttributeCount
        events = sample.events.map { event in
            var data = Event()
            data.timeUnixNano = event.timeUnixNano
            data.name = event.name
            data.attributes = event.attributes.map(Attribute.init)
            data.droppedAttributeCount = event.droppedAttributeCount
            return data
        }
        droppedEventCount = sample.droppedEventCount
        links = sample.links.map { link in
            var data = Link()
            data.traceID = TraceID(high: link.traceHigh, low: link.traceLow)
            data.spanID = SpanID(rawValue: link.spanID)
            data.traceState = link.traceState
            data.flags = link.flags
            data.attributes = link.attributes.map(Attribute.init)
            data.droppedAttributeCount = link.droppedAttributeCount
            return data
        }
        droppedLinkCount = sample.droppedLinkCount
        status = SpanStatus(rawValue: UInt8(sample.statusCode))!
        statusMessage = sample.statusMessage
        resource = [Attribute(key: "service.name", value: .string("shop"))]
        scope.name = "library"
    }
}

extension SpanData.Attribute {
    init(_ sample: SampleAttribute) {
        let value: AttributeValue =
            switch sample.value {
            case .string(let text): .string(text)
            case .bool(let flag): .bool(flag)
            case .int(let number): .int(Int(number))
            case .double(let number): .double(number)
            }
        self.init(key: sample.key, value: value)
    }
}
