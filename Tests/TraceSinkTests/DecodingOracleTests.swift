import FoundationEssentials
import OTLPDefinition
import SwiftProtobuf
import TestSupport
import Testing

@testable import TraceSink

/// The sink's decoder against swift-protobuf: on requests that swift-protobuf wrote, and on the same
/// with bytes changed, where the two have to agree on what they both accept.
@Suite struct DecodingOracleTests {
    private func requestBytes(
        seed: UInt64, spans spanCount: Int, attributesMax: Int = 128
    ) throws -> (bytes: [UInt8], samples: [SampleSpan]) {
        var generator = SeededGenerator(seed: seed)
        let samples = (0..<spanCount).map { _ in
            var span = SampleSpan.random(using: &generator)
            span.attributes = Array(span.attributes.prefix(attributesMax))
            return span
        }
        var request = OTLPExportTraceServiceRequest()
        var rest = samples[...]
        while !rest.isEmpty {
            let count = 1 + Int(generator.next() % 20)
            request.resourceSpans +=
                OTLPExportTraceServiceRequest(
                    resource: SampleAttribute.randomList(count: 3, using: &generator),
                    scope: SampleText.value(using: &generator), spans: Array(rest.prefix(count))
                ).resourceSpans
            rest = rest.dropFirst(count)
        }
        return (try request.serializedBytes(), samples)
    }

    @Test("The scanner's sums equal the oracle's", arguments: 0..<10 as Range<UInt64>)
    func sums(seed: UInt64) throws {
        let (bytes, samples) = try requestBytes(seed: seed, spans: 100)
        let summary = unsafe try bytes.withUnsafeBytes { unsafe try CountScanner.scan($0) }
        let identities = samples.map {
            LedgerOracle.identity(
                traceHigh: $0.traceHigh, traceLow: $0.traceLow, spanID: $0.spanID)
        }
        let contents = try SpanMessages.payloads(in: bytes).map(LedgerOracle.content)
        #expect(summary.spans == samples.count)
        #expect(summary.identitySum == identities.reduce(0, &+))
        #expect(summary.contentSum == contents.reduce(0, &+))
    }

    @Test("Decoded spans say what swift-protobuf encoded", arguments: 20..<30 as Range<UInt64>)
    func fields(seed: UInt64) throws {
        let (bytes, samples) = try requestBytes(seed: seed, spans: 100)
        var decoded = DecodedSpan()
        for (sample, message) in zip(samples, try SpanMessages.payloads(in: bytes)) {
            unsafe try message.withUnsafeBytes { message in
                unsafe try decoded.decode(message)
                #expect(sample.differences(from: OTLPSpan(SampleSpan(decoded))) == [])
            }
        }
    }

    @Test(
        "What the sink accepts of damaged spans, swift-protobuf accepts and reads alike",
        arguments: 40..<48 as Range<UInt64>)
    func damaged(seed: UInt64) throws {
        let (bytes, _) = try requestBytes(seed: seed, spans: 40, attributesMax: 6)
        var generator = SeededGenerator(seed: seed)
        var decoded = DecodedSpan()
        var acceptedCount = 0
        for message in try SpanMessages.payloads(in: bytes) where message.count < 4_000 {
            for _ in 0..<20 {
                let damaged = Self.damage(message, using: &generator)
                let found: SampleSpan? = unsafe damaged.withUnsafeBytes { bytes in
                    guard (try? unsafe decoded.decode(bytes)) != nil else { return nil }
                    return SampleSpan(decoded)
                }
                guard let found else { continue }
                let oracle = try? OTLPSpan(serializedBytes: damaged)
                guard var oracle else {
                    Issue.record("swift-protobuf refuses \(damaged)")
                    continue
                }
                acceptedCount += 1
                // What a sample cannot say: unknown fields, and values that are no plain ones.
                guard !oracle.hasUnknownFields, oracle.hasPlainValuesOnly else { continue }
                if oracle.traceID.isEmpty { oracle.traceID = .bigEndian(0, 0) }
                if oracle.spanID.isEmpty { oracle.spanID = .bigEndian(0) }
                if oracle.parentSpanID == .bigEndian(0) { oracle.parentSpanID = .init() }
                for index in oracle.links.indices {
                    if oracle.links[index].traceID.isEmpty {
                        oracle.links[index].traceID = .bigEndian(0, 0)
                    }
                    if oracle.links[index].spanID.isEmpty {
                        oracle.links[index].spanID = .bigEndian(0)
                    }
                }
                let differences = found.differences(from: oracle)
                #expect(differences == [], "\(damaged)")
            }
        }
        #expect(acceptedCount > 50, "too little damage survives to say anything")
    }

    /// One change: a bit, a byte, bytes left out, or a piece repeated.
    private static func damage(_ message: [UInt8], using generator: inout SeededGenerator)
        -> [UInt8]
    {
        var bytes = message
        let at = Int(generator.next() % UInt64(bytes.count))
        switch generator.next() % 4 {
        case 0: bytes[at] ^= 1 << (generator.next() % 8)
        case 1: bytes[at] = UInt8(truncatingIfNeeded: generator.next())
        case 2: bytes.removeSubrange(at..<min(bytes.count, at + 1 + Int(generator.next() % 4)))
        default: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 24)], at: at)
        }
        return bytes
    }
}

extension SampleSpan {
    /// What the sink's decoder found. Only while the message lives that it was decoded from.
    fileprivate init(_ span: borrowing DecodedSpan) {
        let own = Array(span.attributes.prefix(span.ownAttributes)).map(SampleAttribute.init)
        let all = span.attributes
        self.init(
            traceHigh: span.traceHigh, traceLow: span.traceLow, spanID: span.spanID,
            parentSpanID: span.parentSpanID == 0 ? nil : span.parentSpanID, flags: span.flags,
            traceState: unsafe text(span.traceState), name: unsafe text(span.name),
            kind: Int(Int32(truncatingIfNeeded: span.kind)),
            startTimeUnixNano: span.startUnixNano, endTimeUnixNano: span.endUnixNano,
            attributes: own, droppedAttributeCount: span.droppedAttributes,
            events: span.events.map { event in
                SampleEvent(
                    timeUnixNano: event.timeUnixNano, name: unsafe text(event.name),
                    attributes: all[event.attributes].map(SampleAttribute.init),
                    droppedAttributeCount: event.droppedAttributes)
            },
            droppedEventCount: span.droppedEvents,
            links: span.links.map { link in
                SampleLink(
                    traceHigh: link.traceHigh, traceLow: link.traceLow, spanID: link.spanID,
                    flags: link.flags, traceState: unsafe text(link.traceState),
                    attributes: all[link.attributes].map(SampleAttribute.init),
                    droppedAttributeCount: link.droppedAttributes)
            },
            droppedLinkCount: span.droppedLinks,
            statusCode: Int(Int32(truncatingIfNeeded: span.statusCode)),
            statusMessage: unsafe text(span.statusMessage))
    }
}

extension SampleAttribute {
    fileprivate init(_ attribute: DecodedAttribute) {
        let value = attribute.value
        let sample: SampleValue =
            switch value.type {
            case 2: .bool(value.number != 0)
            case 3: .int(Int64(bitPattern: value.number))
            case 4: .double(Double(bitPattern: value.number))
            default: .string(unsafe text(value.bytes))
            }
        self.init(unsafe text(attribute.key), sample)
    }
}

private func text(_ bytes: UnsafeRawBufferPointer) -> String {
    unsafe String(decoding: bytes, as: UTF8.self)
}

extension OTLPSpan {
    fileprivate var hasUnknownFields: Bool {
        let lists = [attributes] + events.map(\.attributes) + links.map(\.attributes)
        let storages =
            [unknownFields, status.unknownFields] + events.map(\.unknownFields)
            + links.map(\.unknownFields)
            + lists.joined().flatMap { [$0.unknownFields, $0.value.unknownFields] }
        return storages.contains { !$0.data.isEmpty }
    }

    fileprivate var hasPlainValuesOnly: Bool {
        let lists = [attributes] + events.map(\.attributes) + links.map(\.attributes)
        return lists.joined().allSatisfy { attribute in
            switch attribute.value.value {
            case .stringValue, .boolValue, .intValue, .doubleValue: true
            default: false
            }
        }
    }
}
