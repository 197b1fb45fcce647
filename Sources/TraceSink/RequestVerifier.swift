// Verify mode's way through a request: decodes every span, checks what it says, digests what it
// means, and lists it for the trace store.

import TraceResults

/// A trace identifier as a key.
struct TraceKey: Hashable, Sendable {
    var high: UInt64
    var low: UInt64
}

extension TraceKey {
    /// Reads 32 hexadecimal digits, nil for anything else.
    init?(hex: some StringProtocol) {
        guard hex.utf8.count == 32, hex.utf8.allSatisfy(Self.isHexDigit),
            let high = UInt64(hex.prefix(16), radix: 16),
            let low = UInt64(hex.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    // UInt64 would also read a sign.
    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
    }

    /// 32 hexadecimal digits.
    var hex: String { Hex.text(high) + Hex.text(low) }
}

/// A span that verify mode decoded; its bytes are good as long as the request's.
@safe
struct VerifiedSpan {
    var observed: ObservedSpan
    var name: UnsafeRawBufferPointer
    var message: UnsafeRawBufferPointer
    /// Index in `VerifiedRequest.scopes`.
    var scope: Int
}

/// A resource or a scope and the address of its schema, encoded; as good as the request's bytes.
@safe
struct VerifiedOrigin {
    var message = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    var schemaURL = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
}

/// What verify mode found in a request.
struct VerifiedRequest {
    var summary = BatchSummary()
    /// Wrapping sum of the spans' digests.
    var semanticSum: UInt64 = 0
    /// Spans with a trace or span identifier of zeros.
    var invalidSpans = 0
    /// Spans that end before they start.
    var negativeDurations = 0
    /// `service.name` of each resource, empty for none.
    var services: [String] = []
    /// Resources, each at the place of its service.
    var resources: [VerifiedOrigin] = []
    /// Scopes of all resources, in order.
    var scopes: [VerifiedOrigin] = []
    var spans: [VerifiedSpan] = []
}

/// Decodes an `ExportTraceServiceRequest` to the last field.
enum RequestVerifier {
    /// Verifies `request`. The result is good as long as its bytes.
    /// - Throws: `WireError` when any of it is not what the definitions say.
    static func verify(_ request: UnsafeRawBufferPointer) throws(WireError) -> VerifiedRequest {
        var result = VerifiedRequest()
        var span = DecodedSpan()
        var reader = unsafe WireReader(request)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == .bytes(1) {
                unsafe try verifyResourceSpans(reader.bytes(), &span, into: &result)
            } else {
                try reader.skip(tag, depth: 1)
            }
        }
        return result
    }

    private static func verifyResourceSpans(
        _ message: UnsafeRawBufferPointer, _ span: inout DecodedSpan,
        into result: inout VerifiedRequest
    ) throws(WireError) {
        // The resource may stand behind its spans, so it takes a pass of its own.
        var service = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        var resource = VerifiedOrigin()
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case .bytes(1):
                unsafe resource.message = try reader.bytes()
                unsafe service = try serviceName(ofResource: resource.message)
            case .bytes(3): unsafe resource.schemaURL = try reader.text()
            default: try reader.skip(tag, depth: 2)
            }
        }
        result.resources.append(resource)
        result.services.append(unsafe String(decoding: service, as: UTF8.self))
        reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == .bytes(2) {
                unsafe try verifyScopeSpans(reader.bytes(), service, &span, into: &result)
            } else {
                try reader.skip(tag, depth: 2)
            }
        }
    }

    /// Checks a `Resource`; returns its `service.name`.
    static func serviceName(
        ofResource message: UnsafeRawBufferPointer
    ) throws(WireError) -> UnsafeRawBufferPointer {
        var service = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case .bytes(1):
                let attribute = unsafe try DecodedAttribute(reader.bytes(), depth: 4)
                if attribute.value.type == 1,
                    unsafe attribute.key.elementsEqual("service.name".utf8)
                {
                    unsafe service = attribute.value.bytes
                }
            default: try reader.skip(tag, depth: 3)
            }
        }
        return unsafe service
    }

    private static func verifyScopeSpans(
        _ message: UnsafeRawBufferPointer, _ service: UnsafeRawBufferPointer,
        _ span: inout DecodedSpan, into result: inout VerifiedRequest
    ) throws(WireError) {
        let place = result.scopes.count
        result.scopes.append(VerifiedOrigin())
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case .bytes(1):
                let scope = unsafe try reader.bytes()
                unsafe try verifyScope(scope)
                unsafe result.scopes[place].message = scope
            case .bytes(2):
                let bytes = unsafe try reader.bytes()
                unsafe try span.decode(bytes)
                unsafe enter(span, bytes, service, into: &result)
            case .bytes(3): unsafe result.scopes[place].schemaURL = try reader.text()
            default: try reader.skip(tag, depth: 3)
            }
        }
    }

    private static func verifyScope(_ message: UnsafeRawBufferPointer) throws(WireError) {
        var reader = unsafe WireReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case .bytes(1), .bytes(2): _ = unsafe try reader.text()
            case .bytes(3): _ = unsafe try DecodedAttribute(reader.bytes(), depth: 5)
            default: try reader.skip(tag, depth: 4)
            }
        }
    }

    private static func enter(
        _ span: DecodedSpan, _ bytes: UnsafeRawBufferPointer, _ service: UnsafeRawBufferPointer,
        into result: inout VerifiedRequest
    ) {
        result.summary.spans += 1
        result.summary.identitySum &+= LedgerHash.identity(
            traceHigh: span.traceHigh, traceLow: span.traceLow, spanID: span.spanID)
        result.summary.contentSum &+= unsafe LedgerHash.content(bytes)
        result.semanticSum &+= unsafe span.digest(service: service)
        if span.traceHigh | span.traceLow == 0 || span.spanID == 0 { result.invalidSpans += 1 }
        if span.endUnixNano < span.startUnixNano { result.negativeDurations += 1 }
        result.spans.append(
            unsafe VerifiedSpan(
                observed: ObservedSpan(span, service: result.services.count - 1),
                name: span.name, message: bytes, scope: result.scopes.count - 1))
    }
}

extension DecodedSpan {
    /// The span's ``SpanDigest``, fed in the order given there.
    func digest(service: UnsafeRawBufferPointer) -> UInt64 {
        var digest = SpanDigest()
        digest.add(traceHigh)
        digest.add(traceLow)
        digest.add(spanID)
        digest.add(parentSpanID)
        digest.add(kind)
        digest.add(UInt64(flags & 0x3))
        unsafe digest.add(utf8: name)
        digest.add(startUnixNano)
        digest.add(endUnixNano)
        digest.add(statusCode)
        unsafe digest.add(utf8: statusMessage)
        add(0..<ownAttributes, to: &digest)
        digest.add(UInt64(events.count))
        for event in events {
            digest.add(event.timeUnixNano)
            unsafe digest.add(utf8: event.name)
            add(event.attributes, to: &digest)
        }
        digest.add(UInt64(links.count))
        for link in links {
            digest.add(link.traceHigh)
            digest.add(link.traceLow)
            digest.add(link.spanID)
        }
        unsafe digest.add(utf8: service)
        return digest.finish()
    }

    private func add(_ range: Range<Int>, to digest: inout SpanDigest) {
        digest.add(UInt64(range.count))
        for attribute in attributes[range] {
            unsafe digest.add(utf8: attribute.key)
            digest.add(UInt64(attribute.value.type))
            switch attribute.value.type {
            case 0: break
            case 2, 3, 4: digest.add(attribute.value.number)
            default: unsafe digest.add(utf8: attribute.value.bytes)
            }
        }
    }
}
