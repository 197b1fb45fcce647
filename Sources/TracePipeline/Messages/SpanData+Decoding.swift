// From an export request back to spans. Source: opentelemetry-proto, trace_service.proto, trace.proto,
// common.proto, resource.proto; written from these, apart from the encoder.

import TraceCore

extension SpanData {
    /// Decodes every span of an OTLP `ExportTraceServiceRequest`, in the order in which they stand.
    ///
    /// Fields that are not known are passed over. O(bytes); allocates for each span. Any thread.
    /// - Throws: for whatever is no such message: bytes that end early, identifiers of a wrong length (a
    ///   span without ids is none), strings that are not UTF-8, more than 64 messages inside each other.
    public static func decode(request: RawSpan) throws(ProtobufError) -> [SpanData] {
        var spans: [SpanData] = []
        var cursor = ProtobufCursor(request)
        while !cursor.isAtEnd {
            let tag = try cursor.tag()
            if tag == .bytes(1) {
                try decode(resourceSpans: cursor.payload(), into: &spans)
            } else {
                try skip(&cursor, tag, fields: 1...1)
            }
        }
        return spans
    }

    /// As ``decode(request:)`` of a `RawSpan`.
    public static func decode(request: [UInt8]) throws(ProtobufError) -> [SpanData] {
        unsafe try decode(request: request.span.bytes)
    }

    private static func decode(
        resourceSpans: RawSpan, into spans: inout [SpanData]
    ) throws(ProtobufError) {
        // What its spans share may stand behind them.
        var shared = SpanData()
        var cursor = ProtobufCursor(resourceSpans)
        while !cursor.isAtEnd {
            let tag = try cursor.tag()
            switch tag {
            case .bytes(1): try decode(resource: cursor.payload(), into: &shared.resource)
            case .bytes(2): _ = try cursor.payload()
            case .bytes(3): shared.resourceSchemaURL = try cursor.string()
            default: try skip(&cursor, tag, fields: 1...3)
            }
        }
        cursor = ProtobufCursor(resourceSpans)
        while !cursor.isAtEnd {
            let tag = try cursor.tag()
            if tag == .bytes(2) {
                try decode(scopeSpans: cursor.payload(), sharing: shared, into: &spans)
            } else {
                try cursor.skip(tag)
            }
        }
    }

    private static func decode(
        resource: RawSpan, into attributes: inout [Attribute]
    ) throws(ProtobufError) {
        var cursor = ProtobufCursor(resource)
        while !cursor.isAtEnd {
            let tag = try cursor.tag()
            if tag == .bytes(1) {
                attributes.append(try Attribute(message: cursor.payload(), depth: 4))
            } else {
                try skip(&cursor, tag, fields: 1...1)
            }
        }
    }

    private static func decode(
        scopeSpans: RawSpan, sharing shared: SpanData, into spans: inout [SpanData]
    ) throws(ProtobufError) {
        var shared = shared
        var cursor = ProtobufCursor(scopeSpans)
        while !cursor.isAtEnd {
            let tag = try cursor.tag()
            switch tag {
            case .bytes(1): try shared.scope.merge(message: cursor.payload())
            case .bytes(2): _ = try cursor.payload()
            case .bytes(3): shared.scope.schemaURL = try cursor.string()
            default: try skip(&cursor, tag, fields: 1...3)
            }
        }
        cursor = ProtobufCursor(scopeSpans)
        while !cursor.isAtEnd {
            let tag = try cursor.tag()
            if tag == .bytes(2) {
                var span = shared
                try span.merge(message: cursor.payload())
                spans.append(span)
            } else {
                try cursor.skip(tag)
            }
        }
    }

    private mutating func merge(message: RawSpan) throws(ProtobufError) {
        var hasTraceID = false
        var hasSpanID = false
        var cursor = ProtobufCursor(message)
        while !cursor.isAtEnd {
            let tag = try cursor.tag()
            switch tag {
            case .bytes(1): (traceID, hasTraceID) = (try cursor.traceID(), true)
            case .bytes(2): (spanID, hasSpanID) = (try cursor.spanID(), true)
            case .bytes(3): traceState = try cursor.string()
            case .bytes(4): parentSpanID = try Self.parentID(&cursor)
            case .bytes(5): name = try cursor.string()
            // "MAY assume INTERNAL when receiving UNSPECIFIED" (trace.proto); unknown ones likewise.
            case .varint(6): kind = SpanKind(rawValue: try Self.number(&cursor)) ?? .internal
            case .fixed64(7): startUnixNano = try cursor.fixed64()
            case .fixed64(8): endUnixNano = try cursor.fixed64()
            case .bytes(9):
                attributes.append(try Attribute(message: cursor.payload(), depth: 5))
            case .varint(10): droppedAttributeCount = try cursor.uint32()
            case .bytes(11): events.append(try Event(message: cursor.payload()))
            case .varint(12): droppedEventCount = try cursor.uint32()
            case .bytes(13): links.append(try Link(message: cursor.payload()))
            case .varint(14): droppedLinkCount = try cursor.uint32()
            case .bytes(15): try mergeStatus(message: cursor.payload())
            case .fixed32(16): flags = try cursor.fixed32()
            default: try Self.skip(&cursor, tag, fields: 1...16)
            }
        }
        guard hasTraceID, hasSpanID else { throw .identifierLength }
    }

    private mutating func mergeStatus(message: RawSpan) throws(ProtobufError) {
        var cursor = ProtobufCursor(message)
        while !cursor.isAtEnd {
            let tag = try cursor.tag()
            switch tag {
            case .bytes(2): statusMessage = try cursor.string()
            case .varint(3): status = SpanStatus(rawValue: try Self.number(&cursor)) ?? .unset
            default: try Self.skip(&cursor, tag, fields: 2...3)
            }
        }
    }

    /// A small number; one that is not small is 255, which stands for nothing.
    private static func number(_ cursor: inout ProtobufCursor) throws(ProtobufError) -> UInt8 {
        UInt8(clamping: try cursor.varint())
    }

    /// No bytes mean no parent, and so does zero.
    private static func parentID(_ cursor: inout ProtobufCursor) throws(ProtobufError) -> SpanID? {
        var ahead = cursor
        if try ahead.payload().isEmpty {
            cursor = ahead
            return nil
        }
        let id = try cursor.spanID()
        return id.isValid ? id : nil
    }

    /// Passes over an unknown field; a known one of another wire type is no such message.
    static func skip(
        _ cursor: inout ProtobufCursor, _ tag: ProtobufTag, fields: ClosedRange<UInt32>
    ) throws(ProtobufError) {
        guard !fields.contains(tag.field) else { throw .malformed }
        try cursor.skip(tag)
    }
}

extension SpanData.Scope {
    fileprivate mutating func merge(message: RawSpan) throws(ProtobufError) {
        var cursor = ProtobufCursor(message)
        while !cursor.isAtEnd {
            let tag = try cursor.tag()
            switch tag {
            case .bytes(1): name = try cursor.string()
            case .bytes(2): version = try cursor.string()
            case .bytes(3):
                attributes.append(try SpanData.Attribute(message: cursor.payload(), depth: 5))
            default: try SpanData.skip(&cursor, tag, fields: 1...3)
            }
        }
    }
}

extension SpanData.Event {
    fileprivate init(message: RawSpan) throws(ProtobufError) {
        self.init()
        var cursor = ProtobufCursor(message)
        while !cursor.isAtEnd {
            let tag = try cursor.tag()
            switch tag {
            case .fixed64(1): timeUnixNano = try cursor.fixed64()
            case .bytes(2): name = try cursor.string()
            case .bytes(3):
                attributes.append(try SpanData.Attribute(message: cursor.payload(), depth: 6))
            case .varint(4): droppedAttributeCount = try cursor.uint32()
            default: try SpanData.skip(&cursor, tag, fields: 1...4)
            }
        }
    }
}

extension SpanData.Link {
    fileprivate init(message: RawSpan) throws(ProtobufError) {
        self.init()
        var cursor = ProtobufCursor(message)
        while !cursor.isAtEnd {
            let tag = try cursor.tag()
            switch tag {
            case .bytes(1): traceID = try cursor.traceID()
            case .bytes(2): spanID = try cursor.spanID()
            case .bytes(3): traceState = try cursor.string()
            case .bytes(4):
                attributes.append(try SpanData.Attribute(message: cursor.payload(), depth: 6))
            case .varint(5): droppedAttributeCount = try cursor.uint32()
            case .fixed32(6): flags = try cursor.fixed32()
            default: try SpanData.skip(&cursor, tag, fields: 1...6)
            }
        }
    }
}

extension SpanData.Attribute {
    /// Reads a `KeyValue` message that is `depth` messages deep.
    init(message: RawSpan, depth: Int) throws(ProtobufError) {
        self.init(key: "", value: .string(""))
        var cursor = ProtobufCursor(message)
        while !cursor.isAtEnd {
            let tag = try cursor.tag()
            switch tag {
            case .bytes(1): key = try cursor.string()
            case .bytes(2): value = try AttributeValue(message: cursor.payload(), depth: depth + 1)
            default: try SpanData.skip(&cursor, tag, fields: 1...2)
            }
        }
    }
}

extension AttributeValue {
    /// Reads an `AnyValue` message that is `depth` messages deep. Of several values the last one counts,
    /// as in any oneof.
    init(message: RawSpan, depth: Int) throws(ProtobufError) {
        guard depth <= ProtobufCursor.depthMax else { throw .tooDeep }
        self = .string("")
        var cursor = ProtobufCursor(message)
        while !cursor.isAtEnd {
            let tag = try cursor.tag()
            switch tag {
            case .bytes(1): self = .string(try cursor.string())
            case .varint(2): self = .bool(try cursor.varint() != 0)
            case .varint(3): self = .int(Int(truncatingIfNeeded: try cursor.varint()))
            case .fixed64(4): self = .double(Double(bitPattern: try cursor.fixed64()))
            case .bytes(5): self = try Self.array(message: cursor.payload(), depth: depth + 1)
            case .bytes(7):
                let payload = try cursor.payload()
                self = .bytes(unsafe payload.withUnsafeBytes { unsafe Array($0) })
            default: try SpanData.skip(&cursor, tag, fields: 1...7)
            }
        }
    }

    /// An empty array is one of strings: the wire does not say. One of several types is no attribute.
    private static func array(message: RawSpan, depth: Int) throws(ProtobufError) -> AttributeValue
    {
        guard depth <= ProtobufCursor.depthMax else { throw .tooDeep }
        var elements: [AttributeValue] = []
        var cursor = ProtobufCursor(message)
        while !cursor.isAtEnd {
            let tag = try cursor.tag()
            guard tag == .bytes(1) else {
                try SpanData.skip(&cursor, tag, fields: 1...1)
                continue
            }
            elements.append(try AttributeValue(message: cursor.payload(), depth: depth + 1))
        }
        return try AttributeValue(elements: elements)
    }

    private init(elements: [AttributeValue]) throws(ProtobufError) {
        func all<T>(_ value: (AttributeValue) -> T?) throws(ProtobufError) -> [T] {
            let values = elements.compactMap(value)
            guard values.count == elements.count else { throw .malformed }
            return values
        }
        switch elements.first {
        case nil: self = .strings([])
        case .string:
            self = .strings(try all { if case .string(let value) = $0 { value } else { nil } })
        case .int: self = .ints(try all { if case .int(let value) = $0 { value } else { nil } })
        case .double:
            self = .doubles(try all { if case .double(let value) = $0 { value } else { nil } })
        case .bool: self = .bools(try all { if case .bool(let value) = $0 { value } else { nil } })
        default: throw .malformed
        }
    }
}
