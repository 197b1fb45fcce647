import Foundation
import Testing
import TraceCore
import TracePipeline

extension Tracing {
    /// The guide's payment service: declines nothing, and hands its headers to the test.
    func send(_ order: String, _ headers: HeaderList) async throws -> Int {
        SentHeaders.collected?.append(headers)
        return order == "free" ? 402 : 200
    }
}

/// Where a test finds the headers that its task sent.
final class SentHeaders: @unchecked Sendable {
    // Safe because a test's tasks run one after the other.
    private(set) var all: [HeaderList] = []
    @TaskLocal static var collected: SentHeaders?
    func append(_ headers: HeaderList) { all.append(headers) }
}

/// The guide in docs/sdk.md: what it shows compiles, works, and is what stands there.
@Suite struct GuideTests {
    @Test("The guide's code is the code that is compiled here")
    func verbatim() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
        let guide = try String(
            contentsOf: root.appending(path: "../../docs/sdk.md"), encoding: .utf8)
        let example = try String(
            contentsOf: root.appending(path: "GuideExample.swift"), encoding: .utf8)
        #expect(guide.contains(example))
    }

    @Test(
        "A request through the guide's server and client is one trace", arguments: ["paid", "free"])
    func request(order: String) async throws {
        let exporter = InMemoryExporter()
        var configuration = TracingConfiguration()
        configuration.serviceName = "orders"
        configuration.exporter = .custom(exporter)
        configuration.processor = .simple
        let tracing = try Tracing(configuration)
        defer { _ = tracing.pipeline.shutdown(timeoutMs: 5_000) }
        let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        let sent = SentHeaders()
        let status = try await SentHeaders.$collected.withValue(sent) {
            try await tracing.handle(headers: ["traceparent": caller], order: order)
        }
        #expect(status == 201)
        let spans = exporter.finishedSpans
        #expect(spans.map(\.name) == ["POST", "POST /orders"])
        #expect(
            spans.map(\.traceID.hex)
                == Array(repeating: "4bf92f3577b34da6a3ce929d0e0e4736", count: 2))
        #expect(spans[1].parentSpanID?.hex == "00f067aa0ba902b7")
        #expect(spans[0].parentSpanID == spans[1].spanID)
        #expect(spans[0].status == (order == "free" ? .error : .unset))
        #expect(spans[0].events.map(\.name) == (order == "free" ? ["payment_declined"] : []))
        #expect(
            sent.all.first?.values(of: "traceparent") == [
                "00-\(spans[0].traceID.hex)-\(spans[0].spanID.hex)-01"
            ])
        #expect(spans[0].scope.name == "TracePipelineTests")
    }
}
