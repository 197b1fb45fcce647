// The exporter against the sink, which shares no code with it: every span accounted for, batch by batch.

import Foundation
import TestSupport
import Testing
import TraceCore
import TraceResults
import TraceSink

@testable import TracePipeline

@Suite struct SinkDeliveryTests {
    struct Way: CustomTestStringConvertible {
        var encoding: OTLPEncoding
        var compression = OTLPCompression.none
        var mode = SinkLedger.Mode.count
        var faults = ""
        var testDescription: String {
            "\(encoding), \(compression), \(mode)\(faults.isEmpty ? "" : ", \(faults)")"
        }
    }

    static let ways = [
        Way(encoding: .protobuf), Way(encoding: .json),
        Way(encoding: .json, compression: .gzip, mode: .verify),
        Way(encoding: .json, faults: "status=503,every=3"),
        Way(encoding: .json, mode: .verify, faults: "reset=after,every=4"),
    ]

    @Test("Every span arrives, in the batch that the books say", arguments: ways)
    func accounted(way: Way) throws {
        var sink = SinkConfiguration()
        sink.mode = way.mode
        sink.faults = try SinkFaultSchedule(parsing: way.faults)
        let server = try SinkServer.start(sink)
        defer { server.shutdown() }
        let records = RecordCollector()
        let pipeline = try PipelineHarness.pipeline(
            endpoint: "http://127.0.0.1:\(server.port)/v1/traces", records: records
        ) {
            $0.batch.batchSpans = 64
            $0.batch.whenFull = .block
            guard case .otlp(var settings) = $0.exporter else { return }
            settings.encoding = way.encoding
            settings.compression = way.compression
            settings.connections = 2
            settings.runName = "this-run"
            $0.exporter = .otlp(settings)
        }
        let tracer = pipeline.provider.tracer(name: "test")
        let spans = 4 * 150
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            var generator = SeededGenerator(seed: UInt64(thread))
            RandomSpans.end(150, of: tracer, using: &generator)
        }
        #expect(pipeline.shutdown(timeoutMs: 60_000) == .completed)

        let ledger = server.ledger()
        #expect(ledger.spansDistinct == spans)
        #expect(ledger.identitySum == pipeline.ledger.acknowledged.identitySum)
        #expect(ledger.badRequests == 0)
        #expect(ledger.mismatchedDeliveries == 0)
        #expect(ledger.jsonSpans == (way.encoding == .json ? spans : nil))
        #expect(ledger.mode == .count || ledger.invalidSpans == 0)

        // The contents have a sum of protobuf on one side, and on the other of what the sink made.
        var reconciler = BatchReconciler(
            comparing: way.encoding == .json ? [.identities] : [.identities, .contents])
        for record in records.all {
            #expect(record.outcome == .acknowledged)
            reconciler.settle(
                TraceResults.BatchRecord(
                    number: record.number, spans: record.spans, identitySum: record.identitySum,
                    contentSum: record.contentSum, outcome: .acknowledged,
                    isIndeterminate: record.indeterminate, attempts: record.attempts))
        }
        let list = try httpRequest(
            method: "GET",
            url: "http://127.0.0.1:\(server.port)/tracemill/v1/batches"
                + "?through=\(UInt64.max)&run=this-run",
            timeoutMs: 30_000)
        try reconciler.receive(list: list.body)
        reconciler.finish()
        #expect(reconciler.mismatches == [])
        #expect(reconciler.totals.matchedSpans == UInt64(spans))
        if way.faults.hasPrefix("reset") { #expect(ledger.spansDuplicate > 0) }
    }

    @Test("What spans mean has the same sum at the sink in either encoding")
    func meaning() throws {
        var sums: [UInt64?] = []
        for encoding in OTLPEncoding.allCases {
            var sink = SinkConfiguration()
            sink.mode = .verify
            let server = try SinkServer.start(sink)
            defer { server.shutdown() }
            let harness = try ExporterHarness(
                endpoint: "http://127.0.0.1:\(server.port)/v1/traces"
            ) { $0.encoding = encoding }
            sums.append(nil)
            var generator = SeededGenerator(seed: 9)
            #expect(harness.send(try Self.fixed(&generator)).outcome == .acknowledged)
            sums[sums.count - 1] = server.ledger().semanticSum
        }
        #expect(sums[0] != nil)
        #expect(sums[0] == sums[1])
    }

    /// The same spans each time: swift-protobuf's encoding of random samples.
    private static func fixed(_ generator: inout SeededGenerator) throws -> [UInt8] {
        try OfficialRequests.bytes(of: (0..<50).map { _ in SampleSpan.random(using: &generator) })
    }

    @Test("Two pipelines that number their batches alike share a sink without a word")
    func sharedSink() throws {
        let server = try SinkServer.start(SinkConfiguration())
        defer { server.shutdown() }
        let endpoint = "http://127.0.0.1:\(server.port)/v1/traces"
        let pipelines = try (0..<2).map { _ in
            try PipelineHarness.pipeline(endpoint: endpoint) { $0.batch.batchSpans = 10 }
        }
        for _ in 0..<3 {
            for (index, pipeline) in pipelines.enumerated() {
                PipelineHarness.end(7 + index, of: pipeline)
                #expect(pipeline.forceFlush() == .completed)
            }
        }
        for pipeline in pipelines { #expect(pipeline.shutdown() == .completed) }
        let ledger = server.ledger()
        #expect(ledger.spansDistinct == 45 && ledger.spansDuplicate == 0)
        #expect(ledger.mismatchedDeliveries == 0 && ledger.batches == 6)
        let sums = pipelines.map(\.ledger.acknowledged.identitySum)
        #expect(ledger.identitySum == sums[0] &+ sums[1])
    }
}
