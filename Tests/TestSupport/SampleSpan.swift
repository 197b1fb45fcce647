/// What a test says about a span, in plain values: the input that a test drives through a tracer,
/// and at the same time the output it expects. Knows neither tracer nor encoder.
public struct SampleSpan: Hashable, Sendable {
    /// The trace id as two big-endian numbers.
    public var traceHigh: UInt64
    public var traceLow: UInt64
    public var spanID: UInt64
    /// Nil for a root.
    public var parentSpanID: UInt64?
    /// The whole OTLP field: trace flags in bits 0–7, bit 8 "is remote is known", bit 9 "is remote".
    public var flags: UInt32
    public var traceState: String
    public var name: String
    /// OTLP number, 1 internal … 5 consumer.
    public var kind: Int
    public var startTimeUnixNano: UInt64
    public var endTimeUnixNano: UInt64
    public var attributes: [SampleAttribute]
    public var droppedAttributeCount: UInt32
    public var events: [SampleEvent]
    public var droppedEventCount: UInt32
    public var links: [SampleLink]
    public var droppedLinkCount: UInt32
    /// OTLP number, 0 unset, 1 ok, 2 error.
    public var statusCode: Int
    public var statusMessage: String

    public init(
        traceHigh: UInt64, traceLow: UInt64, spanID: UInt64, parentSpanID: UInt64? = nil,
        flags: UInt32 = 1, traceState: String = "", name: String, kind: Int = 1,
        startTimeUnixNano: UInt64, endTimeUnixNano: UInt64, attributes: [SampleAttribute] = [],
        droppedAttributeCount: UInt32 = 0, events: [SampleEvent] = [],
        droppedEventCount: UInt32 = 0, links: [SampleLink] = [], droppedLinkCount: UInt32 = 0,
        statusCode: Int = 0, statusMessage: String = ""
    ) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.spanID = spanID
        self.parentSpanID = parentSpanID
        self.flags = flags
        self.traceState = traceState
        self.name = name
        self.kind = kind
        self.startTimeUnixNano = startTimeUnixNano
        self.endTimeUnixNano = endTimeUnixNano
        self.attributes = attributes
        self.droppedAttributeCount = droppedAttributeCount
        self.events = events
        self.droppedEventCount = droppedEventCount
        self.links = links
        self.droppedLinkCount = droppedLinkCount
        self.statusCode = statusCode
        self.statusMessage = statusMessage
    }
}

/// An attribute value of one of the types that a span takes.
public enum SampleValue: Hashable, Sendable {
    case string(String)
    case bool(Bool)
    case int(Int64)
    case double(Double)
}

public struct SampleAttribute: Hashable, Sendable {
    public var key: String
    public var value: SampleValue

    public init(_ key: String, _ value: SampleValue) {
        self.key = key
        self.value = value
    }
}

public struct SampleEvent: Hashable, Sendable {
    public var timeUnixNano: UInt64
    public var name: String
    public var attributes: [SampleAttribute]
    public var droppedAttributeCount: UInt32

    public init(
        timeUnixNano: UInt64, name: String, attributes: [SampleAttribute] = [],
        droppedAttributeCount: UInt32 = 0
    ) {
        self.timeUnixNano = timeUnixNano
        self.name = name
        self.attributes = attributes
        self.droppedAttributeCount = droppedAttributeCount
    }
}

public struct SampleLink: Hashable, Sendable {
    public var traceHigh: UInt64
    public var traceLow: UInt64
    public var spanID: UInt64
    /// As in ``SampleSpan/flags``, about the linked context.
    public var flags: UInt32
    public var traceState: String
    public var attributes: [SampleAttribute]
    public var droppedAttributeCount: UInt32

    public init(
        traceHigh: UInt64, traceLow: UInt64, spanID: UInt64, flags: UInt32 = 1,
        traceState: String = "", attributes: [SampleAttribute] = [],
        droppedAttributeCount: UInt32 = 0
    ) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.spanID = spanID
        self.flags = flags
        self.traceState = traceState
        self.attributes = attributes
        self.droppedAttributeCount = droppedAttributeCount
    }
}
