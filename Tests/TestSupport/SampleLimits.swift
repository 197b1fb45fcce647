/// Span limits, and what they make of a span: a second implementation of the specification's
/// rules, to check the tracer's against (OpenTelemetry SDK, "Span Limits" and "Attribute Limits").
public struct SampleLimits: Hashable, Sendable {
    public var attributeCount: Int
    /// In Unicode scalars; nil for no limit.
    public var attributeValueLength: Int?
    public var eventCount: Int
    public var linkCount: Int
    public var attributesPerEvent: Int
    public var attributesPerLink: Int

    public init(
        attributeCount: Int = 128, attributeValueLength: Int? = nil, eventCount: Int = 128,
        linkCount: Int = 128, attributesPerEvent: Int = 128, attributesPerLink: Int = 128
    ) {
        self.attributeCount = attributeCount
        self.attributeValueLength = attributeValueLength
        self.eventCount = eventCount
        self.linkCount = linkCount
        self.attributesPerEvent = attributesPerEvent
        self.attributesPerLink = attributesPerLink
    }

    /// The span as it should arrive when this one is recorded under these limits: the first of
    /// each list stay, the rest is counted, long strings are cut at a scalar.
    public func applied(to span: SampleSpan) -> SampleSpan {
        var result = span
        (result.attributes, result.droppedAttributeCount) = cut(
            span.attributes, to: attributeCount)
        result.events = span.events.prefix(eventCount).map { event in
            var event = event
            (event.attributes, event.droppedAttributeCount) = cut(
                event.attributes, to: attributesPerEvent)
            return event
        }
        result.droppedEventCount = UInt32(span.events.count - result.events.count)
        result.links = span.links.prefix(linkCount).map { link in
            var link = link
            (link.attributes, link.droppedAttributeCount) = cut(
                link.attributes, to: attributesPerLink)
            return link
        }
        result.droppedLinkCount = UInt32(span.links.count - result.links.count)
        return result
    }

    private func cut(
        _ attributes: [SampleAttribute], to count: Int
    ) -> (kept: [SampleAttribute], dropped: UInt32) {
        let kept = attributes.prefix(count).map { attribute in
            guard let length = attributeValueLength, case .string(let text) = attribute.value
            else { return attribute }
            let scalars = String.UnicodeScalarView(text.unicodeScalars.prefix(length))
            return SampleAttribute(attribute.key, .string(String(scalars)))
        }
        return (kept, UInt32(attributes.count - kept.count))
    }
}
