// From the bytes of kept spans to what is answered for a trace. Only asked for by people, so it may
// allocate as it likes.

import FoundationEssentials

extension OTLPTraces {
    /// Reads `TracesData` in protobuf. Spans that came in several pieces, of the same resource and scope, are
    /// put together again.
    /// - Throws: `WireError` for whatever is not one.
    init(protobuf message: UnsafeRawBufferPointer) throws(WireError) {
        var span = DecodedSpan()
        var places: [[UInt8]: Int] = [:]
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == .bytes(1) else {
                try reader.skip(tag, depth: 1)
                continue
            }
            // Everything but the spans, which tells two resources apart.
            var head: [UInt8] = []
            let part = unsafe try ResourceSpans(protobuf: reader.bytes(), head: &head, &span)
            if let known = places[head] {
                resourceSpans[known].add(part.scopeSpans)
            } else {
                places[head] = resourceSpans.count
                resourceSpans.append(part)
            }
        }
        for index in resourceSpans.indices { resourceSpans[index].sortSpans() }
    }
}

extension OTLPTraces.ResourceSpans {
    fileprivate init(
        protobuf message: UnsafeRawBufferPointer, head: inout [UInt8], _ span: inout DecodedSpan
    ) throws(WireError) {
        resource = OTLPTraces.Resource(attributes: [])
        scopeSpans = []
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case .bytes(1):
                let bytes = unsafe try reader.bytes()
                unsafe head += bytes
                resource = unsafe try OTLPTraces.Resource(protobuf: bytes)
            case .bytes(2):
                let scope = unsafe try OTLPTraces.ScopeSpans(protobuf: reader.bytes(), &span)
                add([scope])
            case .bytes(3):
                let bytes = unsafe try reader.text()
                unsafe head += bytes
                schemaUrl = unsafe optionalText(bytes)
            default: try reader.skip(tag, depth: 2)
            }
        }
    }

    fileprivate mutating func add(_ more: [OTLPTraces.ScopeSpans]) {
        for scope in more {
            let known = scopeSpans.firstIndex {
                $0.scope == scope.scope && $0.schemaUrl == scope.schemaUrl
            }
            if let known {
                scopeSpans[known].spans += scope.spans
            } else {
                scopeSpans.append(scope)
            }
        }
    }

    fileprivate mutating func sortSpans() {
        for index in scopeSpans.indices {
            scopeSpans[index].spans.sort {
                ($0.startTimeUnixNano, $0.spanId) < ($1.startTimeUnixNano, $1.spanId)
            }
        }
    }
}

extension OTLPTraces.Resource {
    fileprivate init(protobuf message: UnsafeRawBufferPointer) throws(WireError) {
        attributes = []
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case .bytes(1):
                attributes.append(
                    OTLPTraces.Attribute(
                        unsafe try DecodedAttribute(reader.bytes(), depth: 4)))
            case .varint(2): droppedAttributesCount = optional(try reader.uint32())
            default: try reader.skip(tag, depth: 3)
            }
        }
    }
}

extension OTLPTraces.ScopeSpans {
    fileprivate init(
        protobuf message: UnsafeRawBufferPointer, _ span: inout DecodedSpan
    ) throws(WireError) {
        spans = []
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case .bytes(1): scope = unsafe try OTLPTraces.Scope(protobuf: reader.bytes())
            case .bytes(2):
                unsafe try span.decode(reader.bytes())
                spans.append(OTLPTraces.Span(span))
            case .bytes(3): schemaUrl = unsafe optionalText(try reader.text())
            default: try reader.skip(tag, depth: 3)
            }
        }
    }
}

extension OTLPTraces.Scope {
    fileprivate init(protobuf message: UnsafeRawBufferPointer) throws(WireError) {
        name = ""
        attributes = []
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case .bytes(1): name = unsafe text(try reader.text())
            case .bytes(2): version = unsafe optionalText(try reader.text())
            case .bytes(3):
                attributes.append(
                    OTLPTraces.Attribute(
                        unsafe try DecodedAttribute(reader.bytes(), depth: 5)))
            case .varint(4): droppedAttributesCount = optional(try reader.uint32())
            default: try reader.skip(tag, depth: 4)
            }
        }
    }
}

extension OTLPTraces.Span {
    /// A span, copied out of its message, which must still be there.
    fileprivate init(_ span: DecodedSpan) {
        traceId = Hex.text(span.traceHigh) + Hex.text(span.traceLow)
        spanId = Hex.text(span.spanID)
        parentSpanId = span.parentSpanID == 0 ? nil : Hex.text(span.parentSpanID)
        traceState = unsafe optionalText(span.traceState)
        flags = optional(span.flags)
        name = unsafe text(span.name)
        kind = Int32(truncatingIfNeeded: span.kind)
        attributes = span.attributes[..<span.ownAttributes].map(OTLPTraces.Attribute.init)
        events = span.events.map { event in
            OTLPTraces.Event(
                timeUnixNano: event.timeUnixNano, name: unsafe text(event.name),
                attributes: span.attributes[event.attributes].map(OTLPTraces.Attribute.init),
                droppedAttributesCount: optional(event.droppedAttributes))
        }
        links = span.links.map { link in
            OTLPTraces.Link(
                traceId: Hex.text(link.traceHigh) + Hex.text(link.traceLow),
                spanId: Hex.text(link.spanID), traceState: unsafe optionalText(link.traceState),
                flags: optional(link.flags),
                attributes: span.attributes[link.attributes].map(OTLPTraces.Attribute.init),
                droppedAttributesCount: optional(link.droppedAttributes))
        }
        let message = unsafe optionalText(span.statusMessage)
        if span.statusCode != 0 || message != nil {
            status = OTLPTraces.Status(
                code: Int32(truncatingIfNeeded: span.statusCode), message: message)
        }
        droppedAttributesCount = optional(span.droppedAttributes)
        droppedEventsCount = optional(span.droppedEvents)
        droppedLinksCount = optional(span.droppedLinks)
        startTimeUnixNano = span.startUnixNano
        endTimeUnixNano = span.endUnixNano
    }
}

extension OTLPTraces.Attribute {
    fileprivate init(_ attribute: DecodedAttribute) {
        key = unsafe text(attribute.key)
        value = OTLPTraces.Value(attribute.value)
    }
}

extension OTLPTraces.Value {
    fileprivate init(_ value: DecodedValue) {
        switch value.type {
        case 1: stringValue = unsafe text(value.bytes)
        case 2: boolValue = value.number != 0
        case 3: intValue = String(Int64(bitPattern: value.number))
        case 4: doubleValue = OTLPTraces.DoubleText(Double(bitPattern: value.number))
        case 5:
            arrayValue = Array(
                values: unsafe members(value.bytes).compactMap {
                    (try? unsafe DecodedValue($0, depth: 1)).map(OTLPTraces.Value.init)
                })
        case 6:
            kvlistValue = List(
                values: unsafe members(value.bytes).compactMap {
                    (try? unsafe DecodedAttribute($0, depth: 1)).map(OTLPTraces.Attribute.init)
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

private func optional(_ number: UInt32) -> UInt32? { number == 0 ? nil : number }
