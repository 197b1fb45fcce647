// A pipeline with a tail stage whose time is the spans' own, and spans that say what a test wants of them.

import Testing
import TraceCore

@testable import TracePipeline

/// One span of a test's trace. Times are milliseconds from an epoch.
struct TailSpan: Sendable {
    var trace: UInt64
    var startMs: UInt64 = 0
    var endMs: UInt64 = 10
    var status = SpanStatus.unset
    var attributes: [(String, AttributeValue)] = []
    var service = 0
    var traceState = ""
}

/// Ends spans and reads back what was exported.
final class TailHarness: Sendable {
    static let epochNs: UInt64 = 1_700_000_000_000_000_000

    let pipeline: TracingPipeline
    let exporter = InMemoryExporter()
    private let tracers: [Tracer]
    private let name = SpanName("span")

    init(
        _ tail: TailSampling, simulatesTime: Bool = true,
        _ change: (inout TracingConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = TracingConfiguration()
        configuration.keepsLedger = true
        configuration.sampler = .alwaysOn
        configuration.exporter = .custom(exporter)
        configuration.batch.tail = tail
        configuration.batch.queueSpans = 100_000
        configuration.batch.scheduleDelayMs = 60_000
        configuration.batch.whenFull = .block
        configuration.sweeper.intervalMs = nil
        configuration.recorder.simulatesTime = simulatesTime
        configuration.recorder.liveSpansMax = 256
        configuration.recorder.blocksMax = 256
        change(&configuration)
        pipeline = try TracingPipeline(configuration)
        tracers = [
            pipeline.makeProvider(serviceName: "front").tracer(name: "a"),
            pipeline.makeProvider(
                serviceName: "back", attributes: [("deployment.environment", .string("test"))]
            ).tracer(name: "b"),
        ]
    }

    static func traceID(_ trace: UInt64) -> TraceID {
        TraceID(high: SpanChecksum.mix(trace &+ 1), low: trace)
    }

    func end(_ span: TailSpan, number: UInt64) {
        var parent: SpanContext?
        if !span.traceState.isEmpty {
            parent = SpanContext(
                traceID: Self.traceID(span.trace), spanID: SpanID(rawValue: 1 << 60),
                flags: .sampled, traceState: TraceState(header: span.traceState) ?? TraceState(),
                isRemote: true)
        }
        let live = tracers[span.service].startSpan(
            name, parent: parent, at: Self.epochNs + span.startMs * 1_000_000,
            identity: SpanIdentity(
                traceID: Self.traceID(span.trace), spanID: SpanID(rawValue: number + 1)))
        for (key, value) in span.attributes { live.setAttribute(AttributeKey(key), value) }
        if span.status != .unset { live.setStatus(span.status) }
        live.end(at: Self.epochNs + span.endMs * 1_000_000)
    }

    func end(_ spans: [TailSpan], from first: UInt64 = 0) {
        for (number, span) in spans.enumerated() { end(span, number: first + UInt64(number)) }
    }

    /// Traces of which something was exported, after everything that waited was decided; the laws hold.
    func keptTraces() -> Set<UInt64> {
        #expect(pipeline.shutdown() == .completed)
        #expect(pipeline.ledger.isBalanced)
        return Set(exporter.finishedSpans.map(\.traceID.low))
    }

    var exported: Int { exporter.finishedSpans.count }
    var figures: TailFigures { pipeline.processor.tailFigures ?? TailFigures() }

    /// Runs spans through a stage of these rules; the traces that are kept.
    static func kept(_ rules: [TailRule], _ spans: [TailSpan]) throws -> Set<UInt64> {
        let harness = try TailHarness(TailSampling(rules.map { TailPolicy($0) }))
        harness.end(spans)
        return harness.keptTraces()
    }
}

/// Random numbers from a seed (splitmix64).
struct TailRandom: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return SpanChecksum.mix(state)
    }
}
