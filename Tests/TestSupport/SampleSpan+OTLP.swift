import Foundation
import OTLPDefinition

/// Samples as OTLP messages, for tests of what reads OTLP: `message.serializedBytes()` is a payload
/// that none of our encoders has touched.
extension OTLPSpan {
    public init(_ span: SampleSpan) {
        self.init()
        traceID = Data.bigEndian(span.traceHigh, span.traceLow)
        spanID = Data.bigEndian(span.spanID)
        if let parent = span.parentSpanID { parentSpanID = Data.bigEndian(parent) }
        flags = span.flags
        traceState = span.traceState
        name = span.name
        kind = Kind(rawValue: span.kind) ?? .UNRECOGNIZED(span.kind)
        startTimeUnixNano = span.startTimeUnixNano
        endTimeUnixNano = span.endTimeUnixNano
        attributes = span.attributes.map(OTLPKeyValue.init)
        droppedAttributesCount = span.droppedAttributeCount
        events = span.events.map(Event.init)
        droppedEventsCount = span.droppedEventCount
        links = span.links.map(Link.init)
        droppedLinksCount = span.droppedLinkCount
        if span.statusCode != 0 || !span.statusMessage.isEmpty {
            status.code =
                OTLPStatus.Code(rawValue: span.statusCode) ?? .UNRECOGNIZED(span.statusCode)
            status.message = span.statusMessage
        }
    }
}

extension OTLPSpan.Event {
    public init(_ event: SampleEvent) {
        self.init()
        timeUnixNano = event.timeUnixNano
        name = event.name
        attributes = event.attributes.map(OTLPKeyValue.init)
        droppedAttributesCount = event.droppedAttributeCount
    }
}

extension OTLPSpan.Link {
    public init(_ link: SampleLink) {
        self.init()
        traceID = Data.bigEndian(link.traceHigh, link.traceLow)
        spanID = Data.bigEndian(link.spanID)
        flags = link.flags
        traceState = link.traceState
        attributes = link.attributes.map(OTLPKeyValue.init)
        droppedAttributesCount = link.droppedAttributeCount
    }
}

extension OTLPKeyValue {
    public init(_ attribute: SampleAttribute) {
        self.init()
        key = attribute.key
        value = OTLPAnyValue(attribute.value)
    }
}

extension OTLPAnyValue {
    public init(_ value: SampleValue) {
        self.init()
        switch value {
        case .string(let text): stringValue = text
        case .bool(let flag): boolValue = flag
        case .int(let number): intValue = number
        case .double(let number): doubleValue = number
        }
    }
}

extension OTLPExportTraceServiceRequest {
    /// One resource with one scope that holds the spans.
    public init(resource: [SampleAttribute], scope: String, spans: [SampleSpan]) {
        var scopeSpans = OTLPScopeSpans()
        scopeSpans.scope.name = scope
        scopeSpans.spans = spans.map { OTLPSpan($0) }
        var resourceSpans = OTLPResourceSpans()
        resourceSpans.resource.attributes = resource.map(OTLPKeyValue.init)
        resourceSpans.scopeSpans = [scopeSpans]
        self.init()
        self.resourceSpans = [resourceSpans]
    }
}

extension Data {
    /// The numbers' bytes, most significant first.
    public static func bigEndian(_ words: UInt64...) -> Data {
        var bytes = Data()
        for word in words {
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
            }
        }
        return bytes
    }
}
