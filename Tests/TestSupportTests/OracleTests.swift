import Foundation
import OTLPDefinition
import SwiftProtobuf
import TestSupport
import Testing

/// An oracle that finds no fault with anything is worth nothing: these tests ask it to.
@Suite struct OracleTests {
    private func sample(seed: UInt64) -> SampleSpan {
        var generator = SeededGenerator(seed: seed)
        var span = SampleSpan.random(using: &generator)
        span.traceHigh = 1
        span.parentSpanID = 77
        span.attributes = [
            SampleAttribute("text", .string("e\u{301}")), SampleAttribute("flag", .bool(true)),
            SampleAttribute("int", .int(-1)), SampleAttribute("double", .double(0.0)),
        ]
        span.events = [
            SampleEvent(
                timeUnixNano: 3, name: "e", attributes: [SampleAttribute("a", .int(1))],
                droppedAttributeCount: 1)
        ]
        span.links = [
            SampleLink(
                traceHigh: 1, traceLow: 2, spanID: 3, flags: 0x301, traceState: "a=b",
                attributes: [SampleAttribute("a", .int(1))], droppedAttributeCount: 1)
        ]
        span.statusCode = 2
        span.statusMessage = "broken"
        return span
    }

    @Test(
        "Random spans come back from bytes without a difference", arguments: 0..<20 as Range<UInt64>
    )
    func roundTrip(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let spans = (0..<100).map { _ in SampleSpan.random(using: &generator) }
        let resource = SampleAttribute.randomList(count: 5, using: &generator)
        let bytes: [UInt8] = try OTLPExportTraceServiceRequest(
            resource: resource, scope: "scope", spans: spans
        ).serializedBytes()
        let decoded = try DecodedRequest(bytes: bytes)
        #expect(decoded.envelopeProblems == [])
        #expect(decoded.entries.count == spans.count)
        for (span, entry) in zip(spans, decoded.entries) {
            #expect(span.differences(from: entry.span) == [])
            #expect(
                SampleAttribute.differences(of: resource, from: entry.resource.attributes) == [])
        }
    }

    @Test("The random spans reach the edges that they are there for")
    func randomSpansReachEdges() {
        var generator = SeededGenerator(seed: 1)
        let spans = (0..<2000).map { _ in SampleSpan.random(using: &generator) }
        let values = spans.flatMap(\.attributes).map(\.value)
        #expect(spans.contains { $0.attributes.count == 128 })
        #expect(spans.contains { $0.attributes.isEmpty })
        #expect(spans.contains { $0.parentSpanID == nil })
        #expect(spans.contains { $0.traceHigh == 0 })
        #expect(spans.contains { $0.name.isEmpty })
        #expect(spans.contains { $0.flags & 0x200 != 0 })
        #expect(spans.contains { !$0.traceState.isEmpty })
        #expect(spans.contains { $0.statusCode == 2 && $0.statusMessage.utf8.count >= 4096 })
        #expect(spans.contains { $0.startTimeUnixNano == $0.endTimeUnixNano })
        #expect(values.contains(.int(.min)))
        #expect(values.contains(.string("")))
        for span in spans {
            #expect(Set(span.attributes.map { Array($0.key.utf8) }).count == span.attributes.count)
        }
    }

    typealias Change = @Sendable (inout OTLPSpan) -> Void

    static let changes: [(field: String, change: Change)] = [
        ("trace_id", { $0.traceID[15] ^= 1 }),
        ("trace_id", { $0.traceID.append(0) }),
        ("span_id", { $0.spanID = Data() }),
        ("parent_span_id", { $0.parentSpanID = Data() }),
        ("flags", { $0.flags ^= 0x200 }),
        ("trace_state", { $0.traceState += ",z=9" }),
        ("name", { $0.name += "\u{0}" }),
        ("kind", { $0.kind = .unspecified }),
        ("start_time_unix_nano", { $0.startTimeUnixNano += 1 }),
        ("end_time_unix_nano", { $0.endTimeUnixNano += 1 }),
        ("attributes.count", { $0.attributes.removeLast() }),
        ("attributes[0].value", { $0.attributes[0].value.stringValue = "\u{E9}" }),
        ("attributes[0].key", { $0.attributes[0].key = "" }),
        ("attributes[0].value", { $0.attributes.swapAt(0, 1) }),
        ("attributes[1].value", { $0.attributes[1].value.intValue = 1 }),
        ("attributes[2].value", { $0.attributes[2].value.intValue = .max }),
        ("attributes[3].value", { $0.attributes[3].value.doubleValue = -0.0 }),
        ("attributes[3].value", { $0.attributes[3].clearValue() }),
        ("dropped_attributes_count", { $0.droppedAttributesCount = 1 }),
        ("events.count", { $0.events = [] }),
        ("events[0].time_unix_nano", { $0.events[0].timeUnixNano = 0 }),
        ("events[0].name", { $0.events[0].name = "f" }),
        ("events[0].attributes[0].value", { $0.events[0].attributes[0].value.intValue = 2 }),
        ("events[0].dropped_attributes_count", { $0.events[0].droppedAttributesCount = 0 }),
        ("dropped_events_count", { $0.droppedEventsCount = 1 }),
        ("links.count", { $0.links.append(OTLPSpan.Link()) }),
        ("links[0].trace_id", { $0.links[0].traceID[0] ^= 1 }),
        ("links[0].span_id", { $0.links[0].spanID[7] ^= 1 }),
        ("links[0].flags", { $0.links[0].flags = 1 }),
        ("links[0].trace_state", { $0.links[0].traceState = "" }),
        ("links[0].attributes.count", { $0.links[0].attributes = [] }),
        ("links[0].dropped_attributes_count", { $0.links[0].droppedAttributesCount = 2 }),
        ("dropped_links_count", { $0.droppedLinksCount = 1 }),
        ("status.code", { $0.status.code = .ok }),
        ("status.message", { $0.status.message = "" }),
        ("unknown fields", { $0.addUnknownField() }),
    ]

    @Test("A change of any field is seen, and seen in that field", arguments: changes.indices)
    func everyFieldIsCompared(index: Int) throws {
        let (field, change) = Self.changes[index]
        let span = sample(seed: 5)
        var message = OTLPSpan(span)
        #expect(span.differences(from: message) == [])
        change(&message)
        let differences = span.differences(from: message)
        #expect(differences.contains { $0.hasPrefix("\(field):") }, "\(differences)")
    }

    @Test("Limits keep the first of each list, count the rest and cut text at a scalar")
    func limits() {
        var span = sample(seed: 6)
        span.events += span.events
        span.links += span.links
        let cut = SampleLimits(
            attributeCount: 3, attributeValueLength: 1, eventCount: 1, linkCount: 0,
            attributesPerEvent: 0
        ).applied(to: span)
        #expect(cut.attributes.map(\.key) == ["text", "flag", "int"])
        #expect(cut.attributes[0].value == .string("e"))
        #expect(cut.droppedAttributeCount == 1)
        #expect(cut.events.count == 1 && cut.droppedEventCount == 1)
        #expect(cut.events[0].attributes.isEmpty && cut.events[0].droppedAttributeCount == 1)
        #expect(cut.links.isEmpty && cut.droppedLinkCount == 2)
    }

    @Test("Empty and repeated envelopes are reported")
    func envelopes() throws {
        var request = OTLPExportTraceServiceRequest(
            resource: [], scope: "s", spans: [sample(seed: 7)])
        request.resourceSpans.append(request.resourceSpans[0])
        request.resourceSpans[1].scopeSpans.append(OTLPScopeSpans())
        let bytes: [UInt8] = try request.serializedBytes()
        let problems = try DecodedRequest(bytes: bytes).envelopeProblems
        #expect(
            problems == ["resource 1: occurred before", "resource 1, scope 1: no spans"])
    }
}

extension OTLPSpan {
    /// Puts field 99, a varint, behind the others.
    fileprivate mutating func addUnknownField() {
        let field: [UInt8] = [0x98, 0x06, 0x01]
        do {
            let bytes: [UInt8] = try serializedBytes()
            self = try OTLPSpan(serializedBytes: bytes + field)
        } catch {
            Issue.record(error)
        }
    }
}
