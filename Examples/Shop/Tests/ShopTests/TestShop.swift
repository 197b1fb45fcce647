// The shop as tests run it: spans kept in memory, a clock turned by hand, nothing that waits.

import Synchronization
import Testing
import TraceCore
import TracePipeline

@testable import Shop

/// A fleet over a pipeline of its own.
struct TestShop: Sendable {
    let time = ManualTime()
    let pipeline: TracingPipeline
    let fleet: ShopFleet
    let tracing: SharedTracing
    private let exporter = InMemoryExporter()

    init(environment: [String: String] = [:]) throws {
        var tracing = try SharedTracing(environment: environment)
        tracing.configuration.exporter = .custom(exporter)
        tracing.configuration.batch.whenFull = .block
        self.tracing = tracing
        pipeline = try TracingPipeline(tracing.configuration)
        let time = time
        fleet = ShopFleet(tracing, pipeline, now: { time.now })
    }

    /// What `body` left behind once every message had been handled; nothing more can follow.
    func spans(
        after body: @Sendable (Customer) async throws -> Void
    ) async throws -> [SpanData] {
        defer { _ = pipeline.shutdown() }
        try await fleet.whileConsuming { try await body(Customer(of: fleet)) }
        #expect(pipeline.forceFlush() == .completed)
        let ledger = pipeline.ledger
        #expect(ledger.acknowledged.spans == ledger.endedSampled, "spans were lost")
        return exporter.finishedSpans
    }
}

/// A clock that goes when it is told to.
final class ManualTime: Sendable {
    private let instant = Mutex(ContinuousClock.now)

    var now: ContinuousClock.Instant { instant.withLock { $0 } }

    func advance(by duration: Duration) {
        instant.withLock { $0 = $0 + duration }
    }
}

extension TraceQuality {
    /// So many traces, each a connected tree.
    init(allOf traces: Int) {
        self.init(spans: [])
        (self.traces, connectedTraces) = (traces, traces)
    }
}

extension [SpanData] {
    /// The spans by trace, in the order in which the traces began.
    var traces: [[SpanData]] {
        Dictionary(grouping: self, by: \.traceID).values
            .sorted { $0.map(\.startUnixNano).min()! < $1.map(\.startUnixNano).min()! }
    }

    /// The only span of that name.
    func only(
        _ name: String, of service: String? = nil, kind: SpanKind? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> SpanData {
        let found = filter {
            $0.name == name && (service == nil || $0.serviceName == service)
                && (kind == nil || $0.kind == kind)
        }
        #expect(found.count == 1, "\(name): \(found.count)", sourceLocation: sourceLocation)
        return try #require(found.first, sourceLocation: sourceLocation)
    }

    func parent(of span: SpanData) -> SpanData? {
        first { $0.traceID == span.traceID && $0.spanID == span.parentSpanID }
    }
}

extension SpanData {
    /// What happened in it, as `name{key: value}`.
    var eventTexts: [String] {
        events.map { event in
            let values = event.attributes.map { "\($0.key): \($0.value)" }
            return "\(event.name){\(values.joined(separator: ", "))}"
        }
    }
}
