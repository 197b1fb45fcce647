// How much one span may hold. Source: OpenTelemetry specification, "Span limits" and "Attribute limits".

/// What exceeds a limit is dropped and counted in the span's `dropped_*_count`.
public struct SpanLimits: Sendable, Equatable {
    /// Attributes on a span.
    public var attributeCount = 128
    /// Unicode scalars in a string value; nil is without limit.
    public var attributeValueLength: Int?
    /// Events on a span.
    public var eventCount = 128
    /// Links on a span.
    public var linkCount = 128
    /// Attributes on one event.
    public var attributeCountPerEvent = 128
    /// Attributes on one link.
    public var attributeCountPerLink = 128

    public init() {}

    /// The limits as a slot carries them: negative settings mean none at all.
    var packed: PackedLimits {
        PackedLimits(
            attributeCount: Self.pack(attributeCount), eventCount: Self.pack(eventCount),
            linkCount: Self.pack(linkCount),
            attributeCountPerEvent: Self.pack(attributeCountPerEvent),
            attributeCountPerLink: Self.pack(attributeCountPerLink),
            attributeValueLength: attributeValueLength.map(Self.pack) ?? .max)
    }

    private static func pack(_ limit: Int) -> UInt32 { UInt32(clamping: limit) }
}

struct PackedLimits {
    var attributeCount: UInt32
    var eventCount: UInt32
    var linkCount: UInt32
    var attributeCountPerEvent: UInt32
    var attributeCountPerLink: UInt32
    /// `.max` is without limit.
    var attributeValueLength: UInt32
}
