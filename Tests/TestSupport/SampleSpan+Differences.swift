import Foundation
import OTLPDefinition
import SwiftProtobuf

/// Field by field comparison of what a test expects with what arrived. Text is compared by its
/// bytes (Swift's `==` takes "é" and "e\u{301}" for equal), doubles by their bits.
extension SampleSpan {
    /// One line for each field that differs, naming the field and both values; empty when the
    /// decoded span is exactly this one.
    public func differences(from decoded: OTLPSpan) -> [String] {
        var list = DifferenceList(prefix: "")
        list.compare("trace_id", Data.bigEndian(traceHigh, traceLow), decoded.traceID)
        list.compare("span_id", Data.bigEndian(spanID), decoded.spanID)
        list.compare(
            "parent_span_id", parentSpanID.map { Data.bigEndian($0) } ?? Data(),
            decoded.parentSpanID)
        list.compare("flags", flags, decoded.flags)
        list.compareText("trace_state", traceState, decoded.traceState)
        list.compareText("name", name, decoded.name)
        list.compare("kind", kind, decoded.kind.rawValue)
        list.compare("start_time_unix_nano", startTimeUnixNano, decoded.startTimeUnixNano)
        list.compare("end_time_unix_nano", endTimeUnixNano, decoded.endTimeUnixNano)
        list.compare("attributes", attributes, decoded.attributes)
        list.compare(
            "dropped_attributes_count", droppedAttributeCount, decoded.droppedAttributesCount)
        list.compare("dropped_events_count", droppedEventCount, decoded.droppedEventsCount)
        list.compare("dropped_links_count", droppedLinkCount, decoded.droppedLinksCount)
        list.compare("status.code", statusCode, decoded.status.code.rawValue)
        list.compareText("status.message", statusMessage, decoded.status.message)
        list.checkKnown(decoded.unknownFields, decoded.status.unknownFields)
        list.compare("events.count", events.count, decoded.events.count)
        for (number, (expected, found)) in zip(events, decoded.events).enumerated() {
            list.nest("events[\(number)].") { expected.compare(with: found, into: &$0) }
        }
        list.compare("links.count", links.count, decoded.links.count)
        for (number, (expected, found)) in zip(links, decoded.links).enumerated() {
            list.nest("links[\(number)].") { expected.compare(with: found, into: &$0) }
        }
        return list.lines
    }
}

extension SampleAttribute {
    /// The same for a list of attributes that belongs to no span, such as a resource's.
    public static func differences(
        of expected: [SampleAttribute], from decoded: [OTLPKeyValue]
    ) -> [String] {
        var list = DifferenceList(prefix: "")
        list.compare("attributes", expected, decoded)
        return list.lines
    }
}

extension SampleEvent {
    fileprivate func compare(with decoded: OTLPSpan.Event, into list: inout DifferenceList) {
        list.compare("time_unix_nano", timeUnixNano, decoded.timeUnixNano)
        list.compareText("name", name, decoded.name)
        list.compare("attributes", attributes, decoded.attributes)
        list.compare(
            "dropped_attributes_count", droppedAttributeCount, decoded.droppedAttributesCount)
        list.checkKnown(decoded.unknownFields)
    }
}

extension SampleLink {
    fileprivate func compare(with decoded: OTLPSpan.Link, into list: inout DifferenceList) {
        list.compare("trace_id", Data.bigEndian(traceHigh, traceLow), decoded.traceID)
        list.compare("span_id", Data.bigEndian(spanID), decoded.spanID)
        list.compare("flags", flags, decoded.flags)
        list.compareText("trace_state", traceState, decoded.traceState)
        list.compare("attributes", attributes, decoded.attributes)
        list.compare(
            "dropped_attributes_count", droppedAttributeCount, decoded.droppedAttributesCount)
        list.checkKnown(decoded.unknownFields)
    }
}

/// The lines of a comparison, each under the path of the field it speaks of.
private struct DifferenceList {
    private(set) var lines: [String] = []
    private var prefix: String

    init(prefix: String) {
        self.prefix = prefix
    }

    mutating func compare<Value: Equatable>(_ field: String, _ expected: Value, _ found: Value) {
        guard expected != found else { return }
        lines.append("\(prefix)\(field): expected \(shown(expected)), found \(shown(found))")
    }

    mutating func compareText(_ field: String, _ expected: String, _ found: String) {
        guard !expected.utf8.elementsEqual(found.utf8) else { return }
        lines.append("\(prefix)\(field): expected \(shown(expected)), found \(shown(found))")
    }

    mutating func compare(
        _ field: String, _ expected: [SampleAttribute], _ found: [OTLPKeyValue]
    ) {
        compare("\(field).count", expected.count, found.count)
        for (number, (expected, found)) in zip(expected, found).enumerated() {
            let path = "\(field)[\(number)]"
            compareText("\(path).key", expected.key, found.key)
            switch (expected.value, found.value.value) {
            case (.string(let expected), .stringValue(let found)?):
                compareText("\(path).value", expected, found)
            case (.bool(let expected), .boolValue(let found)?):
                compare("\(path).value", expected, found)
            case (.int(let expected), .intValue(let found)?):
                compare("\(path).value", expected, found)
            case (.double(let expected), .doubleValue(let found)?):
                compare("\(path).value", expected.bitPattern, found.bitPattern)
            case (let expected, let found):
                lines.append(
                    "\(prefix)\(path).value: expected \(shown(expected)), found \(shown(found))")
            }
            checkKnown(found.unknownFields, found.value.unknownFields)
        }
    }

    mutating func checkKnown(_ unknown: UnknownStorage...) {
        for storage in unknown where !storage.data.isEmpty {
            lines.append("\(prefix)unknown fields: \(shown(storage.data))")
        }
    }

    mutating func nest(_ path: String, _ body: (inout DifferenceList) -> Void) {
        var inner = DifferenceList(prefix: prefix + path)
        body(&inner)
        lines += inner.lines
    }

    /// A value short enough for one line of a test's log.
    private func shown(_ value: some Any) -> String {
        let text =
            (value as? Data).map { $0.map { String($0, radix: 16) }.joined(separator: " ") }
            ?? String(reflecting: value)
        return text.count <= 120 ? text : "\(text.prefix(100))… (\(text.count) characters)"
    }
}
