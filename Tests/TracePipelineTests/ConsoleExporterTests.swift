import Foundation
import Testing
import TraceCore

@testable import TracePipeline

@Suite struct ConsoleExporterTests {
    /// A request with one span that has everything, as the pipeline builds it.
    func request() throws -> [UInt8] {
        let gate = GatedExporter(isOpen: true)
        let pipeline = try PipelineHarness.pipeline(exporter: .custom(gate)) {
            $0.serviceName = "shop"
        }
        let tracer = pipeline.provider.tracer(name: "library", version: "1.2")
        let parent = SpanContext(
            traceID: TraceID(hex: "0af7651916cd43dd8448eb211c80319c")!,
            spanID: SpanID(hex: "b7ad6b7169203331")!, flags: .sampled, traceState: .empty,
            isRemote: true)
        var attributes = SpanAttributes()
        attributes.set(AttributeKey("text"), "a\"b\u{1B}[31m")
        attributes.set(AttributeKey("count"), 42)
        attributes.set(AttributeKey("ratio"), 0.5)
        attributes.set(AttributeKey("yes"), true)
        let span = tracer.startSpan(
            SpanName("GET /cart"), kind: .server, parent: parent, at: 1_700_000_000_000_000_001,
            identity: SpanIdentity(
                traceID: parent.traceID, spanID: SpanID(hex: "00f067aa0ba902b7")!),
            attributes: attributes)
        span.addEvent(SpanName("retry"), at: 1_700_000_000_000_000_002)
        span.addLink(parent)
        span.setStatus(.error, "no stock")
        span.end(at: 1_700_000_000_001_500_001)
        #expect(pipeline.shutdown() == .completed)
        return try #require(gate.received.first)
    }

    func text(of request: [UInt8], _ format: ConsoleFormat) throws -> [UInt8] {
        var writer = JSONWriter()
        try ConsoleExporter.write(unsafe request.span.bytes, format: format, to: &writer)
        return unsafe Array(writer.bytes)
    }

    @Test("A span is a line that people can read and no terminal obeys")
    func line() throws {
        let text = try text(of: try request(), .lines)
        #expect(
            String(decoding: text, as: UTF8.self)
                == """
                2023-11-14T22:13:20.001500001Z 1.500000 ms "shop" "GET /cart" kind=server \
                trace=0af7651916cd43dd8448eb211c80319c span=00f067aa0ba902b7 \
                parent=b7ad6b7169203331 status=error "no stock" "text"="a\\"b\\u001b[31m" \
                "count"=42 "ratio"=0.5 "yes"=true event="retry" links=1

                """)
    }

    @Test("A batch is a line of OTLP/JSON, as a JSON parser reads it")
    func json() throws {
        let text = try text(of: try request(), .json)
        #expect(text.last == 0x0A)
        #expect(text.dropLast().allSatisfy { $0 >= 0x20 })
        let object = try JSONSerialization.jsonObject(with: Data(text)) as? [String: Any]
        let resourceSpans = try #require((object?["resourceSpans"] as? [[String: Any]])?.first)
        let scopeSpans = try #require((resourceSpans["scopeSpans"] as? [[String: Any]])?.first)
        let scope = try #require(scopeSpans["scope"] as? [String: Any])
        #expect(scope["name"] as? String == "library")
        #expect(scope["version"] as? String == "1.2")
        let span = try #require((scopeSpans["spans"] as? [[String: Any]])?.first)
        #expect(span["traceId"] as? String == "0af7651916cd43dd8448eb211c80319c")
        #expect(span["spanId"] as? String == "00f067aa0ba902b7")
        #expect(span["parentSpanId"] as? String == "b7ad6b7169203331")
        #expect(span["kind"] as? Int == 2)
        #expect(span["startTimeUnixNano"] as? String == "1700000000000000001")
        let attributes = try #require(span["attributes"] as? [[String: Any]])
        #expect(attributes.map { $0["key"] as? String } == ["text", "count", "ratio", "yes"])
        #expect(
            (attributes[0]["value"] as? [String: Any])?["stringValue"] as? String
                == "a\"b\u{1B}[31m")
        #expect((attributes[1]["value"] as? [String: Any])?["intValue"] as? String == "42")
        #expect((attributes[2]["value"] as? [String: Any])?["doubleValue"] as? Double == 0.5)
        #expect((attributes[3]["value"] as? [String: Any])?["boolValue"] as? Bool == true)
        #expect((span["status"] as? [String: Any])?["code"] as? Int == 2)
    }

    @Test("What is exported reaches the descriptor whole; a closed one refuses the batch")
    func descriptor() throws {
        var ends: [Int32] = [0, 0]
        let status = unsafe pipe(&ends)
        #expect(status == 0)
        let reader = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true)
        let bytes = try request()
        let exporter = ConsoleExporter(format: .json, fileDescriptor: ends[1])
        let outcome = unsafe bytes.withUnsafeBytes {
            unsafe exporter.export(request: RawSpan(_unsafeBytes: $0), spanCount: 1)
        }
        #expect(outcome == .acknowledged)
        close(ends[1])
        #expect(
            Array(try #require(try reader.readToEnd()))
                == (try text(of: bytes, .json)))
        let refused = unsafe bytes.withUnsafeBytes {
            unsafe ConsoleExporter(fileDescriptor: -1).export(
                request: RawSpan(_unsafeBytes: $0), spanCount: 1)
        }
        #expect(refused == .dropped(.refused))
    }
}
