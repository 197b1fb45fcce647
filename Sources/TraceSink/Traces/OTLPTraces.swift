// Traces as OTLP's JSON: what `GET /api/traces/<id>` answers, so that whatever reads OTLP reads it.
// Source: opentelemetry-proto, trace/v1/trace.proto (`TracesData`) and "JSON Protobuf Encoding":
// identifiers in hexadecimal, enumerations as numbers, 64-bit numbers as decimal strings.

public import TraceResults

/// A `TracesData` document. Fields that are absent have their default value.
public struct OTLPTraces: Codable, Sendable, Equatable {
    /// Spans by resource.
    public var resourceSpans: [ResourceSpans] = []

    /// The spans of a resource.
    public struct ResourceSpans: Codable, Sendable, Equatable {
        public var resource: Resource
        public var scopeSpans: [ScopeSpans]
        public var schemaUrl: String?
    }

    /// What sent spans.
    public struct Resource: Codable, Sendable, Equatable {
        public var attributes: [Attribute]
        public var droppedAttributesCount: UInt32?

        /// Its `service.name`; empty for none.
        public var serviceName: String {
            attributes.first { $0.key == "service.name" }?.value.stringValue ?? ""
        }
    }

    /// The spans of an instrumentation scope.
    public struct ScopeSpans: Codable, Sendable, Equatable {
        public var scope: Scope?
        public var spans: [Span]
        public var schemaUrl: String?
    }

    /// An instrumentation scope.
    public struct Scope: Codable, Sendable, Equatable {
        public var name: String
        public var version: String?
        public var attributes: [Attribute]
        public var droppedAttributesCount: UInt32?
    }

    /// A span.
    public struct Span: Codable, Sendable, Equatable {
        /// 32 hexadecimal digits.
        public var traceId: String
        /// 16 hexadecimal digits.
        public var spanId: String
        /// 16 hexadecimal digits, nil for a root.
        public var parentSpanId: String?
        /// The W3C tracestate.
        public var traceState: String?
        /// W3C trace flags, and OTLP's bits above them.
        public var flags: UInt32?
        /// The name.
        public var name: String
        /// As OTLP numbers it: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
        public var kind: Int32
        /// Start, Unix time in nanoseconds.
        @DecimalText public var startTimeUnixNano: UInt64 = 0
        /// End, Unix time in nanoseconds.
        @DecimalText public var endTimeUnixNano: UInt64 = 0
        /// The attributes in order.
        public var attributes: [Attribute]
        /// The events in order.
        public var events: [Event]
        /// The links in order.
        public var links: [Link]
        /// The status; nil when it is not set.
        public var status: Status?
        /// Attributes dropped by limits at the source.
        public var droppedAttributesCount: UInt32?
        /// Events dropped by limits at the source.
        public var droppedEventsCount: UInt32?
        /// Links dropped by limits at the source.
        public var droppedLinksCount: UInt32?

        /// Whether its status is an error.
        public var isError: Bool { status?.code == 2 }
    }

    /// A span's status.
    public struct Status: Codable, Sendable, Equatable {
        /// 0 unset, 1 ok, 2 error.
        public var code: Int32
        /// What was said of an error.
        public var message: String?
    }

    /// A key and its value.
    public struct Attribute: Codable, Sendable, Equatable {
        /// The key.
        public var key: String
        /// The value.
        public var value: Value
    }

    /// A value: exactly one of these, or none.
    public struct Value: Codable, Sendable, Equatable {
        public var stringValue: String?
        public var boolValue: Bool?
        /// A signed decimal number.
        public var intValue: String?
        /// A decimal number, or `NaN`, `Infinity`, `-Infinity`.
        public var doubleValue: DoubleText?
        public var arrayValue: Array?
        public var kvlistValue: List?
        /// Base64.
        public var bytesValue: String?

        /// The values of an array.
        public struct Array: Codable, Sendable, Equatable {
            public var values: [Value]
        }

        /// The entries of a key-value list.
        public struct List: Codable, Sendable, Equatable {
            public var values: [Attribute]
        }
    }

    /// An event of a span.
    public struct Event: Codable, Sendable, Equatable {
        /// Unix time in nanoseconds.
        @DecimalText public var timeUnixNano: UInt64 = 0
        public var name: String
        public var attributes: [Attribute]
        public var droppedAttributesCount: UInt32?
    }

    /// A link to another span.
    public struct Link: Codable, Sendable, Equatable {
        public var traceId: String
        public var spanId: String
        public var traceState: String?
        public var flags: UInt32?
        public var attributes: [Attribute]
        public var droppedAttributesCount: UInt32?
    }

    /// A double in protobuf's JSON: a number, or a string for what has no number in JSON and for a zero
    /// below zero, whose sign `JSONEncoder` forgets.
    public struct DoubleText: Codable, Sendable, Equatable {
        /// The number.
        public var value: Double

        /// A double for JSON.
        public init(_ value: Double) { self.value = value }

        /// Reads a number or one of the four strings.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Double.self) {
                value = number
                return
            }
            switch try container.decode(String.self) {
            case "NaN": value = .nan
            case "Infinity": value = .infinity
            case "-Infinity": value = -.infinity
            case "-0": value = -0.0
            default:
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "not a double")
            }
        }

        /// Writes a number or one of the four strings.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            if value == 0, value.sign == .minus {
                try container.encode("-0")
            } else if value.isFinite {
                try container.encode(value)
            } else {
                try container.encode(value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity")
            }
        }
    }
}
