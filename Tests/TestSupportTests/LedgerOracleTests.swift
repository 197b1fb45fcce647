import OTLPDefinition
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct LedgerOracleTests {
    @Test("The content hash equals Python's", arguments: LedgerVectors.contents.indices)
    func content(index: Int) {
        let (byteCount, hash) = LedgerVectors.contents[index]
        #expect(LedgerOracle.content(LedgerVectors.message(byteCount: byteCount)) == hash)
    }

    @Test("The identity hash equals Python's", arguments: LedgerVectors.identities.indices)
    func identity(index: Int) {
        let (high, low, span, hash) = LedgerVectors.identities[index]
        #expect(LedgerOracle.identity(traceHigh: high, traceLow: low, spanID: span) == hash)
    }

    @Test("Span messages come out of a request byte for byte")
    func spanMessages() throws {
        var generator = SeededGenerator(seed: 9)
        let spans = (0..<50).map { _ in SampleSpan.random(using: &generator) }
        var request = OTLPExportTraceServiceRequest(
            resource: SampleAttribute.randomList(count: 3, using: &generator), scope: "a",
            spans: Array(spans[..<20]))
        request.resourceSpans +=
            OTLPExportTraceServiceRequest(
                resource: [], scope: "b", spans: Array(spans[20...])
            ).resourceSpans
        let bytes: [UInt8] = try request.serializedBytes()
        let expected: [[UInt8]] = try spans.map { try OTLPSpan($0).serializedBytes() }
        #expect(try SpanMessages.payloads(in: bytes) == expected)
        #expect(throws: SpanMessages.Malformed.self) {
            try SpanMessages.payloads(in: bytes.dropLast())
        }
    }
}
