// From the bytes of kept spans to what is answered for a trace. Only asked for by people, so it may
// allocate as it likes.

import FoundationEssentials

extension TraceWithServices {
    /// The trace, decoded. Nil never happens for bytes that were verified when they came.
    func decoded(_ key: TraceKey) -> SinkTrace? {
        var span = DecodedSpan()
        var entries: [SinkTrace.Entry] = []
        for (index, kept) in trace.spans.enumerated() {
            let isDecoded = unsafe trace.messages.withUnsafeBytes { bytes in
                let message = unsafe UnsafeRawBufferPointer(rebasing: bytes[kept.message])
                guard (try? unsafe span.decode(message)) != nil else { return false }
                entries.append(SinkTrace.Entry(span, service: services[index]))
                return true
            }
            guard isDecoded else { return nil }
        }
        entries.sort { ($0.startTimeUnixNano, $0.spanId) < ($1.startTimeUnixNano, $1.spanId) }
        return SinkTrace(traceId: key.hex, isCut: trace.isCut, spans: entries)
    }
}

extension SinkTrace.Entry {
    /// A span, copied out of its message, which must still be there.
    fileprivate init(_ span: DecodedSpan, service: String) {
        serviceName = service
        spanId = Hex.text(span.spanID)
        parentSpanId = span.parentSpanID == 0 ? nil : Hex.text(span.parentSpanID)
        traceState = unsafe optionalText(span.traceState)
        flags = span.flags
        name = unsafe text(span.name)
        kind = span.kind
        attributes = span.attributes[..<span.ownAttributes].map(SinkTrace.Attribute.init)
        events = span.events.map { event in
            SinkTrace.Event(
                timeUnixNano: event.timeUnixNano, name: unsafe text(event.name),
                attributes: span.attributes[event.attributes].map(SinkTrace.Attribute.init),
                droppedAttributesCount: event.droppedAttributes)
        }
        links = span.links.map { link in
            SinkTrace.Link(
                traceId: Hex.text(link.traceHigh) + Hex.text(link.traceLow),
                spanId: Hex.text(link.spanID), traceState: unsafe optionalText(link.traceState),
                flags: link.flags,
                attributes: span.attributes[link.attributes].map(SinkTrace.Attribute.init),
                droppedAttributesCount: link.droppedAttributes)
        }
        status = SinkTrace.Status(
            code: span.statusCode, message: unsafe optionalText(span.statusMessage))
        droppedAttributesCount = span.droppedAttributes
        droppedEventsCount = span.droppedEvents
        droppedLinksCount = span.droppedLinks
        startTimeUnixNano = span.startUnixNano
        endTimeUnixNano = span.endUnixNano
    }
}

extension SinkTrace.Attribute {
    fileprivate init(_ attribute: DecodedAttribute) {
        key = unsafe text(attribute.key)
        value = SinkTrace.Value(attribute.value)
    }
}

extension SinkTrace.Value {
    fileprivate init(_ value: DecodedValue) {
        switch value.type {
        case 1: stringValue = unsafe text(value.bytes)
        case 2: boolValue = value.number != 0
        case 3: intValue = String(Int64(bitPattern: value.number))
        case 4: doubleValue = SinkTrace.DoubleText(Double(bitPattern: value.number))
        case 5:
            arrayValue = Array(
                values: unsafe members(value.bytes).compactMap {
                    (try? unsafe DecodedValue($0, depth: 1)).map(SinkTrace.Value.init)
                })
        case 6:
            kvlistValue = List(
                values: unsafe members(value.bytes).compactMap {
                    (try? unsafe DecodedAttribute($0, depth: 1)).map(SinkTrace.Attribute.init)
                })
        case 7: bytesValue = unsafe Data(value.bytes).base64EncodedString()
        default: break
        }
    }
}

// The members of an array or a list: every field 1 of the message.
private func members(_ message: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
    var result = unsafe [UnsafeRawBufferPointer]()
    var reader = unsafe WireReader(message)
    while !reader.isAtEnd {
        guard let tag = try? reader.tag() else { break }
        if tag == .bytes(1) {
            guard let bytes = try? unsafe reader.bytes() else { break }
            unsafe result.append(bytes)
        } else if (try? reader.skip(tag, depth: 1)) == nil {
            break
        }
    }
    return unsafe result
}

private func text(_ bytes: UnsafeRawBufferPointer) -> String {
    unsafe String(decoding: bytes, as: UTF8.self)
}

private func optionalText(_ bytes: UnsafeRawBufferPointer) -> String? {
    bytes.count == 0 ? nil : unsafe text(bytes)
}
