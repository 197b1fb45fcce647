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

    /// The limits as slots look at them, for as long as the process runs: negative settings mean none at all.
    /// Takes a lock.
    var packed: UnsafePointer<PackedLimits> {
        unsafe PackedLimits.table.withLock { table in
            let packed = values
            if let known = table[packed],
                let pointer = unsafe UnsafePointer<PackedLimits>(bitPattern: known)
            {
                return unsafe pointer
            }
            let made = UnsafeMutablePointer<PackedLimits>.allocate(capacity: 1)
            unsafe made.initialize(to: packed)
            table[packed] = UInt(bitPattern: made)
            return unsafe UnsafePointer(made)
        }
    }

    private var values: PackedLimits {
        PackedLimits(
            attributeCount: Self.pack(attributeCount), eventCount: Self.pack(eventCount),
            linkCount: Self.pack(linkCount),
            attributeCountPerEvent: Self.pack(attributeCountPerEvent),
            attributeCountPerLink: Self.pack(attributeCountPerLink),
            attributeValueLength: attributeValueLength.map(Self.pack) ?? .max)
    }

    /// No more than 31 bits: the top one is `ByteChain.overdrawn`'s.
    private static func pack(_ limit: Int) -> UInt32 { min(UInt32(clamping: limit), 1 << 31 - 1) }
}

struct PackedLimits: Hashable {
    /// All there ever were, by address: never freed, since a span may outlive its provider.
    static let table = Guarded<[PackedLimits: UInt]>([:])

    var attributeCount: UInt32
    var eventCount: UInt32
    var linkCount: UInt32
    var attributeCountPerEvent: UInt32
    var attributeCountPerLink: UInt32
    /// `.max` is without limit.
    var attributeValueLength: UInt32

    /// Whether a text of fewer than 128 bytes, as short attributes have, may be too long.
    var mayCutTexts: Bool { attributeValueLength < 128 }
}
