// Who emits the spans: a resource and an instrumentation scope, encoded once when a tracer is made.
// Source: OpenTelemetry specification, "Resource SDK"; OTLP trace.proto.

/// The attributes of the service that emits spans. Immutable.
public struct Resource: Sendable {
    /// The attributes, in the order given; a later one with the same key replaced the earlier.
    public let attributes: SpanAttributes
    /// The version of the semantic conventions that the attributes' names are of; empty when not said.
    public let schemaURL: String

    public init(attributes: SpanAttributes, schemaURL: String = "") {
        self.attributes = attributes
        self.schemaURL = schemaURL
    }

    /// A resource with `service.name` and whatever else.
    public init(serviceName: String, attributes: SpanAttributes = SpanAttributes()) {
        var all = SpanAttributes()
        all.set(AttributeKey("service.name"), serviceName)
        all.append(contentsOf: attributes)
        self.init(attributes: all)
    }

    /// ResourceSpans.resource and, where there is one, .schema_url as fields: tag, length, payload.
    var encodedField: [UInt8] {
        let field = MessageBytes.field(0x0a, attributes.entries(tag: 0x0a))
        return schemaURL.isEmpty ? field : field + MessageBytes.field(0x1a, Array(schemaURL.utf8))
    }
}

/// Who made the spans within a service: a library's name and version.
struct InstrumentationScope: Hashable, Sendable {
    var name: String
    var version: String
    var schemaURL: String

    /// ScopeSpans.scope and .schema_url as fields.
    var encodedFields: [UInt8] {
        var message: [UInt8] = []
        if !name.isEmpty { message += MessageBytes.field(0x0a, Array(name.utf8)) }
        if !version.isEmpty { message += MessageBytes.field(0x12, Array(version.utf8)) }
        var fields = MessageBytes.field(0x0a, message)
        if !schemaURL.isEmpty { fields += MessageBytes.field(0x1a, Array(schemaURL.utf8)) }
        return fields
    }
}

extension SpanAttributes {
    /// The entries as fields with another tag, at most `countMax` of them.
    func entries(tag: UInt8, countMax: Int = .max) -> [UInt8] {
        var result: [UInt8] = []
        var count = 0
        unsafe entries.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            unsafe EntryWalker.forEachAttribute(in: base, from: 0, to: bytes.count) { entry, _ in
                guard count < countMax else { return }
                count += 1
                result.append(tag)
                unsafe result.append(contentsOf: bytes[entry.lowerBound + 1..<entry.upperBound])
            }
        }
        return result
    }
}

extension EntryWalker {
    /// Calls `body` with the range of each attribute entry and the range of its key within it.
    static func forEachAttribute(
        in bytes: UnsafeRawPointer, from start: Int, to end: Int,
        _ body: (_ entry: Range<Int>, _ key: Range<Int>) -> Void
    ) {
        var offset = start
        while offset < end {
            let entry = offset
            offset += 1
            let length = unsafe Wire.readVarint(bytes, &offset)
            let next = offset + length
            offset += 1
            let keyCount = unsafe Wire.readVarint(bytes, &offset)
            body(entry..<next, offset..<offset + keyCount)
            offset = next
        }
    }
}
