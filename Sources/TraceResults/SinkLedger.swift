// What a sink says it received: the far side of a run's books. The sink fills it and sends it as
// JSON over its control endpoint; the load side reads it and compares it with what it issued.

/// What an OTLP sink received so far.
///
/// A *batch* is an export request with its own number (header `tracemill-batch`), kept when it is
/// sent again; everything "distinct" counts a batch once, however often it came. A request without
/// a number is taken for a first delivery. All arithmetic on the sums wraps.
///
/// In JSON the 64-bit sums are decimal strings, since a JSON number is exact only to 2^53.
public struct SinkLedger: Codable, Sendable, Equatable {
    /// How closely the sink looks at what it gets.
    public enum Mode: String, Codable, Sendable, CaseIterable {
        /// Counts spans and sums their checksums.
        case count
        /// Decodes every field, checks it, and builds traces.
        case verify
    }

    /// How closely the sink looks.
    public var mode: Mode

    // MARK: Requests

    /// Requests to `/v1/traces`, whatever became of them; those broken off in their body included.
    public var requests = 0
    /// Requests the sink refused by its own judgement: wrong type, too large, undecodable, not HTTP.
    public var badRequests = 0
    /// Requests that an injected fault was spent on.
    public var faultsInjected = 0
    /// When the last one struck of those that end some day, or ended if it lasted: the machine's
    /// monotonic clock, ns; nil for none.
    public var lastFaultNs: UInt64?
    /// Of `requests` those that came in plain text while a fault had a sink with TLS offer nothing
    /// else; nil for none. An exporter with an https endpoint sends none.
    public var plainRequests: Int?
    /// Connections accepted.
    public var connections = 0
    /// Connections closed at once because too many were open.
    public var connectionsRefused = 0
    /// Body bytes of `/v1/traces` as they came over the wire, framing and headers left out.
    public var bytesReceived = 0
    /// The same bodies once inflated; equal to `bytesReceived` without compression.
    public var bytesInflated = 0

    // MARK: Spans

    /// Spans in every body that was received whole and decoded, duplicates included.
    public var spansTotal = 0
    /// Spans of first deliveries. `spansTotal == spansDistinct + spansDuplicate`.
    public var spansDistinct = 0
    /// Spans that came again in a batch already received.
    public var spansDuplicate = 0
    /// Spans of first deliveries that a partial success answered as rejected; they are counted as
    /// distinct too, since they did arrive.
    public var spansRejected = 0
    /// Spans of requests without a batch number, counted as distinct.
    public var unnumberedSpans = 0
    /// Sum of the identity hashes of the distinct spans.
    @DecimalText public var identitySum: UInt64 = 0
    /// Sum of the content hashes of the distinct spans.
    @DecimalText public var contentSum: UInt64 = 0
    /// Distinct spans that came as JSON; nil for none. Their content hashes are those of the protobuf
    /// that the sink made of them: equal when a batch comes again, and never equal to the exporter's.
    public var jsonSpans: Int?

    // MARK: Batches

    /// Numbered batches received at least once.
    public var batches = 0
    /// Batches received and not yet settled. What the sink's memory grows with.
    public var openBatches = 0
    /// Deliveries of a batch whose spans or checksums differ from its first delivery.
    public var mismatchedDeliveries = 0

    // MARK: Cost

    /// CPU time of the whole process, user and system, in nanoseconds, at the moment of asking.
    public var cpuNs: UInt64 = 0
    /// Largest resident set of the process so far, in bytes.
    public var peakResidentBytes: UInt64 = 0

    // MARK: Verify mode; nil in count mode

    /// Sum of the ``SpanDigest`` of the distinct spans.
    @DecimalText public var semanticSum: UInt64?
    /// Distinct spans with a trace or span identifier that is all zero.
    public var invalidSpans: Int?
    /// Distinct spans that end before they start.
    public var negativeDurations: Int?
    /// Distinct spans by `service.name`; what is beyond the sink's limit of names is under `other`.
    public var services: [String: Int]?
    /// The trace figures below are about one trace in this many, chosen by trace identifier: 1
    /// until the sink's memory for traces is full, then a power of two. A kept trace is kept whole.
    public var tracesKeptOneIn: Int?
    /// Traces kept.
    public var traces: Int?
    /// Kept traces with one root, every parent present and every span reachable from the root.
    public var tracesComplete: Int?
    /// Spans of kept traces whose parent did not arrive.
    public var orphanSpans: Int?
    /// Spans of kept traces whose identifier the trace already had.
    public var repeatedSpanIDs: Int?
    /// Median spans of a kept trace (the lower one of two).
    public var spansPerTraceP50: Int?
    /// Most spans of a kept trace.
    public var spansPerTraceMax: Int?
    /// Longest chain from a root (or an orphan) down, in spans.
    public var depthMax: Int?

    /// An empty ledger.
    public init(mode: Mode) {
        self.mode = mode
    }
}

/// A 64-bit number, or none, that is a decimal string in JSON.
@propertyWrapper
public struct DecimalText<Value: DecimalTextValue>: Codable, Sendable, Equatable {
    /// The number.
    public var wrappedValue: Value

    /// Wraps a number.
    public init(wrappedValue: Value) {
        self.wrappedValue = wrappedValue
    }

    /// Reads a decimal string; throws `DecodingError` when it is not one.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = UInt64(text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription:
                    "expected a decimal number below 2^64 in a string, got \"\(text)\"")
        }
        wrappedValue = Value(decimalTextNumber: value)
    }

    /// Writes a decimal string, or null for none.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let value = wrappedValue.decimalTextNumber {
            try container.encode(String(value))
        } else {
            try container.encodeNil()
        }
    }
}

/// What ``DecimalText`` can wrap: `UInt64` and `UInt64?`.
public protocol DecimalTextValue: Sendable, Equatable {
    /// From a number.
    init(decimalTextNumber: UInt64)
    /// The number, or nil for none.
    var decimalTextNumber: UInt64? { get }
}

extension UInt64: DecimalTextValue {
    public init(decimalTextNumber: UInt64) { self = decimalTextNumber }
    public var decimalTextNumber: UInt64? { self }
}

extension Optional: DecimalTextValue where Wrapped == UInt64 {
    public init(decimalTextNumber: UInt64) { self = decimalTextNumber }
    public var decimalTextNumber: UInt64? { self }
}

extension KeyedDecodingContainer {
    // Chosen by the synthesised initialiser: an absent or null key is none, as for any optional.
    func decode(
        _ type: DecimalText<UInt64?>.Type, forKey key: Key
    ) throws -> DecimalText<UInt64?> {
        try decodeIfPresent(type, forKey: key) ?? DecimalText(wrappedValue: nil)
    }
}

extension KeyedEncodingContainer {
    // Likewise: none is left out rather than written as null.
    mutating func encode(_ value: DecimalText<UInt64?>, forKey key: Key) throws {
        guard let number = value.wrappedValue else { return }
        try encode(String(number), forKey: key)
    }
}
