import Foundation
import Testing
import TraceCore
import TracePipeline

@Suite struct InMemoryExporterTests {
    /// A span that has everything, ended in a pipeline of the service "shop".
    func everything(_ pipeline: TracingPipeline) {
        let tracer = pipeline.provider.tracer(
            name: "library", version: "1.2", schemaURL: "https://example.com/schema")
        let parent = SpanContext(
            traceID: TraceID(hex: "0af7651916cd43dd8448eb211c80319c")!,
            spanID: SpanID(hex: "b7ad6b7169203331")!, flags: [.sampled, .random], isRemote: true)
        var attributes = SpanAttributes()
        attributes.set(AttributeKey("text"), "naïve \u{0}")
        attributes.set(AttributeKey("count"), Int.min)
        attributes.set(AttributeKey("ratio"), -Double.infinity)
        attributes.set(AttributeKey("yes"), true)
        let span = tracer.startSpan(
            SpanName("GET /cart"), kind: .server, parent: parent, at: 1_700_000_000_000_000_001,
            identity: SpanIdentity(
                traceID: parent.traceID, spanID: SpanID(hex: "00f067aa0ba902b7")!),
            attributes: attributes)
        span.addEvent(SpanName("retry"), at: 1_700_000_000_000_000_002, attributes: attributes)
        span.addLink(parent, attributes: attributes)
        span.setStatus(.error, "no stock")
        span.end(at: 1_700_000_000_001_500_001)
    }

    func pipeline(_ exporter: InMemoryExporter) throws -> TracingPipeline {
        var configuration = TracingConfiguration()
        configuration.serviceName = "shop"
        configuration.processor = .simple
        configuration.exporter = .custom(exporter)
        return try TracingPipeline(configuration)
    }

    @Test("With the simple processor a span is there, whole, as soon as its end has returned")
    func whole() throws {
        let exporter = InMemoryExporter()
        let pipeline = try pipeline(exporter)
        defer { _ = pipeline.shutdown() }
        everything(pipeline)
        let span = try #require(exporter.finishedSpans.first)
        #expect(exporter.finishedSpans.count == 1)

        let attributes: [SpanData.Attribute] = [
            .init(key: "text", value: .string("naïve \u{0}")),
            .init(key: "count", value: .int(Int.min)),
            .init(key: "ratio", value: .double(-Double.infinity)),
            .init(key: "yes", value: .bool(true)),
        ]
        var expected = SpanData()
        expected.traceID = TraceID(hex: "0af7651916cd43dd8448eb211c80319c")!
        expected.spanID = SpanID(hex: "00f067aa0ba902b7")!
        expected.parentSpanID = SpanID(hex: "b7ad6b7169203331")!
        expected.flags = 0x303
        expected.name = "GET /cart"
        expected.kind = .server
        expected.startUnixNano = 1_700_000_000_000_000_001
        expected.endUnixNano = 1_700_000_000_001_500_001
        expected.attributes = attributes
        var event = SpanData.Event()
        event.timeUnixNano = 1_700_000_000_000_000_002
        event.name = "retry"
        event.attributes = attributes
        expected.events = [event]
        var link = SpanData.Link()
        link.traceID = expected.traceID
        link.spanID = expected.parentSpanID!
        link.flags = 0x303
        link.attributes = attributes
        expected.links = [link]
        expected.status = .error
        expected.statusMessage = "no stock"
        expected.resource = span.resource
        expected.scope.name = "library"
        expected.scope.version = "1.2"
        expected.scope.schemaURL = "https://example.com/schema"
        #expect(span == expected)

        #expect(span.serviceName == "shop")
        #expect(span["count"] == .int(Int.min))
        #expect(span["absent"] == nil)
        #expect(span.traceFlags == [.sampled, .random])
        #expect(span.isParentRemote == true)
        #expect(span.durationNs == 1_500_000)
    }

    @Test("Spans stay in order until they are forgotten, and after the shutdown")
    func order() throws {
        let exporter = InMemoryExporter()
        let pipeline = try pipeline(exporter)
        let tracer = pipeline.provider.tracer(name: "test")
        for name in ["a", "b", "c"] { tracer.startSpan(SpanName(name)).end() }
        #expect(exporter.finishedSpans.map(\.name) == ["a", "b", "c"])
        #expect(exporter.finishedSpans.allSatisfy { $0.parentSpanID == nil })
        exporter.reset()
        #expect(exporter.finishedSpans.isEmpty)
        tracer.startSpan(SpanName("d")).end()
        #expect(!exporter.isShutDown)
        #expect(pipeline.shutdown() == .completed)
        #expect(exporter.isShutDown)
        #expect(exporter.finishedSpans.map(\.name) == ["d"])
    }

    @Test("Many threads ending and one looking lose nothing")
    func threads() throws {
        let exporter = InMemoryExporter()
        let pipeline = try pipeline(exporter)
        defer { _ = pipeline.shutdown() }
        let tracer = pipeline.provider.tracer(name: "test")
        let name = SpanName("work")
        DispatchQueue.concurrentPerform(iterations: 4) { index in
            for _ in 0..<50 {
                if index == 3 {
                    _ = exporter.finishedSpans.count
                } else {
                    tracer.startSpan(name).end()
                }
            }
        }
        #expect(Set(exporter.finishedSpans.map(\.spanID)).count == 150)
    }
}
