import Synchronization
import Testing
import TraceCore

@testable import TracePipeline

/// What a pipeline says that it will hold at most, and what its page source has given out.
@Suite struct MemoryStatementTests {
    /// Pages that are counted.
    private final class CountedPages: PageSource {
        private let held = Atomic<Int>(0)
        var heldBytes: Int { held.load(ordering: .relaxed) }

        func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
            held.add(footprintBytes(of: byteCount), ordering: .relaxed)
            return unsafe MappedPageSource().allocate(byteCount: byteCount)
        }

        func release(_ pages: UnsafeMutableRawPointer, byteCount: Int) {
            held.subtract(footprintBytes(of: byteCount), ordering: .relaxed)
            unsafe MappedPageSource().release(pages, byteCount: byteCount)
        }
    }

    private static func configuration(
        _ pages: CountedPages, _ exporter: ExporterChoice
    ) -> TracingConfiguration {
        var configuration = TracingConfiguration()
        configuration.serviceName = "memory"
        configuration.exporter = exporter
        configuration.sweeper.intervalMs = nil
        configuration.batch.queueSpans = 100_000
        configuration.batch.batchSpans = 100_000
        configuration.batch.bodyBytesMax = 1 << 20
        configuration.batch.scheduleDelayMs = 3_600_000
        configuration.recorder.liveSpansMax = 2_000
        configuration.recorder.blocksMax = 500
        configuration.recorder.queueBytesMax = 2 << 20
        configuration.recorder.pages = pages
        return configuration
    }

    private static func otlp(
        _ endpoint: String, _ change: (inout OTLPHTTPSettings) -> Void = { _ in }
    ) -> ExporterChoice {
        var settings = OTLPHTTPSettings(endpoint: endpoint)
        settings.connections = 2
        change(&settings)
        return .otlp(settings)
    }

    @Test("Bodies are one more than connections, each of the size that the settings give")
    func bodies() {
        let pages = CountedPages()
        let plain = Self.configuration(pages, Self.otlp("http://127.0.0.1:1"))
        let statement = plain.memoryStatement(threads: 1)
        #expect(statement.bodiesBytes == 3 << 20)
        #expect(statement.exporterBytes == 3 * HTTPTransfer.uploadBufferBytes)
        let none = Self.configuration(pages, .none).memoryStatement(threads: 1)
        #expect(none.bodiesBytes == 1 << 20 && none.exporterBytes == 0)
        #expect(none.storeBytes == statement.storeBytes && none.ringBytes == statement.ringBytes)
        // A compressed body may be as long as the other, and a little longer; JSON six times.
        let gzip = Self.configuration(
            pages, Self.otlp("http://127.0.0.1:1") { $0.compression = .gzip }
        ).memoryStatement(threads: 1)
        #expect(gzip.exporterBytes - statement.exporterBytes >= 3 << 20)
        #expect(gzip.exporterBytes - statement.exporterBytes < 3 * (1 << 20 | 1 << 15))
        let json = Self.configuration(
            pages, Self.otlp("http://127.0.0.1:1") { $0.encoding = .json }
        ).memoryStatement(threads: 1)
        #expect(json.exporterBytes - statement.exporterBytes > 3 * 6 * ((1 << 20) - 64))
        #expect(json.pagesBytes == statement.pagesBytes)
    }

    @Test("Threads and further processors count")
    func parts() {
        let pages = CountedPages()
        var configuration = Self.configuration(pages, .none)
        let one = configuration.memoryStatement(threads: 1)
        let many = configuration.memoryStatement(threads: 65)
        #expect(many.ringBytes - one.ringBytes == 64 * 65_536)
        #expect(many.storeBytes == one.storeBytes && many.bodiesBytes == one.bodiesBytes)
        configuration.additionalProcessors = [.batch(configuration.batch, .none)]
        let two = configuration.memoryStatement(threads: 1)
        #expect(two.ringBytes >= 2 * one.ringBytes && two.bodiesBytes == 2 * one.bodiesBytes)
        #expect(two.storeBytes == one.storeBytes)
        #expect(two.totalBytes == two.pagesBytes)
    }

    @Test(
        "At full use the page source has given out what was stated, but for a last large span",
        arguments: [OTLPCompression.none, .gzip])
    func fullUse(compression: OTLPCompression) throws {
        let server = ScriptedServer(then: .hold)
        defer { server.stop() }
        let pages = CountedPages()
        let configuration = Self.configuration(
            pages, Self.otlp(server.endpoint) { $0.compression = compression })
        let stated = configuration.memoryStatement(threads: 1)
        let pipeline = try TracingPipeline(configuration)
        let tracer = pipeline.provider.tracer(name: "test")
        let key = AttributeKey("key")
        func end(_ bytes: Int) {
            let span = tracer.startSpan("span")
            span.setAttribute(key, string: String(repeating: "x", count: bytes))
            span.end()
        }
        let live = (0..<2_000).map { number in
            let span = tracer.startSpan("live")
            if number < 400 { span.setAttribute(key, string: String(repeating: "x", count: 4_000)) }
            return span
        }
        #expect(live.allSatisfy { $0.isRecording })
        live[0].end()
        for size in [1_000, 100_000] {
            let before = pipeline.recorder.counters.droppedQueueFull
            while pipeline.recorder.counters.droppedQueueFull == before { end(size) }
        }
        #expect(pages.heldBytes <= stated.pagesBytes)
        #expect(pages.heldBytes > stated.pagesBytes - (110 << 10))
        #expect(pipeline.shutdown(timeoutMs: 0) == .timedOut)
        #expect(pipeline.ledger.isBalanced)
        // Bodies are given back, store and ring stay for stale tickets to look at.
        let memory = configuration.recorder.memory(threads: 1)
        #expect(pages.heldBytes <= memory.storeBytes + memory.ringBytes)
    }

    @Test("A batch longer than its body goes out in parts, and a span longer than that is dropped")
    func smallBodies() throws {
        let server = ScriptedServer()
        defer { server.stop() }
        var configuration = Self.configuration(CountedPages(), Self.otlp(server.endpoint))
        configuration.batch.bodyBytesMax = 1 << 16
        let pipeline = try TracingPipeline(configuration)
        let tracer = pipeline.provider.tracer(name: "test")
        let key = AttributeKey("key")
        for bytes in [30_000, 30_000, 30_000, 70_000, 30_000] {
            let span = tracer.startSpan("span")
            span.setAttribute(key, string: String(repeating: "x", count: bytes))
            span.end()
        }
        #expect(pipeline.forceFlush() == .completed)
        // The flush covers what stands behind a span that does not fit beside others.
        #expect(server.requests.count == 3)
        #expect(server.requests.allSatisfy { $0.body.count < 1 << 16 })
        #expect(pipeline.ledger.acknowledged.spans == 4)
        #expect(pipeline.ledger.spansTooLarge == 1)
        #expect(pipeline.shutdown() == .completed)
    }

    @Test(
        "Sizes of bodies that no request may have are refused", arguments: [0, 65_535, 67_108_865])
    func badSizes(bytes: Int) {
        var batch = BatchSettings()
        batch.bodyBytesMax = bytes
        #expect(throws: ConfigurationError.self) { try batch.validate() }
    }

    @Test("The statement reads as a line")
    func text() {
        var statement = MemoryStatement()
        statement.storeBytes = 145_000_000
        statement.ringBytes = 64 << 20
        statement.bodiesBytes = 3 << 20
        statement.exporterBytes = 1 << 19
        #expect(
            statement.description
                == "memory: store 138.3 MiB, ring 64.0 MiB, bodies 3.0 MiB, exporter 0.5 MiB: "
                + "at most 205.8 MiB")
    }
}
