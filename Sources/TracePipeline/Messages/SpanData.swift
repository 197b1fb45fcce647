// A finished span as a plain value: for custom processors and exporters, and for tests. The fast path
// never makes one.

public import TraceCore

/// A finished span, decoded, with the resource and the scope that it came from.
///
/// Two are equal when every field is; a NaN is equal to nothing, as ever.
public struct SpanData: Sendable, Hashable {
    /// A key and its value.
    public struct Attribute: Sendable, Hashable {
        public var key: String
        public var value: AttributeValue

        public init(key: String, value: AttributeValue) {
            self.key = key
            self.value = value
        }
    }

    /// Something that happened while the span lived.
    public struct Event: Sendable, Hashable {
        public var timeUnixNano: UInt64 = 0
        public var name = ""
        public var attributes: [Attribute] = []
        /// Attributes that its limit left out.
        public var droppedAttributeCount: UInt32 = 0

        public init() {}
    }

    /// Another span that this one has to do with.
    public struct Link: Sendable, Hashable {
        public var traceID = TraceID(high: 0, low: 0)
        public var spanID = SpanID(rawValue: 0)
        /// The linked context's tracestate as in its header.
        public var traceState = ""
        /// As ``SpanData/flags``, of the linked context.
        public var flags: UInt32 = 0
        public var attributes: [Attribute] = []
        /// Attributes that its limit left out.
        public var droppedAttributeCount: UInt32 = 0

        public init() {}
    }

    /// Who made the span within its service.
    public struct Scope: Sendable, Hashable {
        public var name = ""
        public var version = ""
        public var schemaURL = ""
        public var attributes: [Attribute] = []

        public init() {}
    }

    public var traceID = TraceID(high: 0, low: 0)
    public var spanID = SpanID(rawValue: 0)
    /// Nil for a root.
    public var parentSpanID: SpanID?
    /// The span's tracestate as in its header; empty for none.
    public var traceState = ""
    /// OTLP's flags: bits 0–7 W3C trace flags, bit 8 set when bit 9 says whether the parent was remote.
    public var flags: UInt32 = 0
    public var name = ""
    public var kind = SpanKind.internal
    public var startUnixNano: UInt64 = 0
    public var endUnixNano: UInt64 = 0
    /// In the order in which they were set first.
    public var attributes: [Attribute] = []
    public var events: [Event] = []
    public var links: [Link] = []
    public var status = SpanStatus.unset
    public var statusMessage = ""
    /// What the span's limits left out.
    public var droppedAttributeCount: UInt32 = 0
    public var droppedEventCount: UInt32 = 0
    public var droppedLinkCount: UInt32 = 0
    /// The attributes of the service.
    public var resource: [Attribute] = []
    public var resourceSchemaURL = ""
    public var scope = Scope()

    /// A span of which nothing is known.
    public init() {}
}

extension SpanData {
    /// The span's W3C trace flags.
    public var traceFlags: TraceFlags { TraceFlags(rawValue: UInt8(truncatingIfNeeded: flags)) }

    /// Whether the parent came from another process; nil when the span does not say.
    public var isParentRemote: Bool? { flags & 0x100 == 0 ? nil : flags & 0x200 != 0 }

    /// From start to end, nanoseconds; 0 when the end comes first.
    public var durationNs: UInt64 { endUnixNano > startUnixNano ? endUnixNano - startUnixNano : 0 }

    /// The value of the span's attribute with that key.
    public subscript(key: String) -> AttributeValue? { attributes.value(of: key) }

    /// `service.name` of the resource.
    public var serviceName: String? {
        guard case .string(let name)? = resource.value(of: "service.name") else { return nil }
        return name
    }
}

extension [SpanData.Attribute] {
    /// The value of the attribute with that key; of several, of the last.
    public func value(of key: String) -> AttributeValue? {
        last { $0.key == key }?.value
    }
}
