// Count mode: finds the spans of an export request and sums their hashes, without decoding them.

/// What the books need to know of one request's spans.
struct BatchSummary: Equatable, Sendable {
    /// Spans in the request.
    var spans = 0
    /// Wrapping sum of the spans' identity hashes.
    var identitySum: UInt64 = 0
    /// Wrapping sum of the spans' content hashes.
    var contentSum: UInt64 = 0
    /// Whether the hashed contents are the sink's own form of the spans, not the sender's bytes.
    var isTranslated = false

    /// Adds another request's, or one span's.
    @inline(__always)
    mutating func add(_ other: BatchSummary) {
        spans &+= other.spans
        identitySum &+= other.identitySum
        contentSum &+= other.contentSum
    }
}

/// Scans an `ExportTraceServiceRequest` down to the bytes of each span.
///
/// A span's inside is not checked here beyond its identifiers: its content hash covers every byte,
/// and verify mode looks at the fields. O(bytes), does not allocate. Of one trace in so many the spans
/// are handed to a ``SpanSample``, which looks into them.
/// Source: opentelemetry-proto, trace/v1/trace.proto and collector/trace/v1/trace_service.proto.
enum CountScanner {
    /// Counts the spans of `request`.
    /// - Parameter sample: takes the spans that are to be looked into.
    /// - Throws: `WireError` when the bytes are not such a message, down to the spans' lengths.
    static func scan(
        _ request: UnsafeRawBufferPointer, sample: SpanSample? = nil
    ) throws(WireError) -> BatchSummary {
        var summary = BatchSummary()
        var reader = unsafe WireReader(request)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == .bytes(1) {
                unsafe try scanResourceSpans(try reader.bytes(), sample, into: &summary)
            } else {
                try reader.skip(tag, depth: 1)
            }
        }
        return summary
    }

    private static func scanResourceSpans(
        _ bytes: UnsafeRawBufferPointer, _ sample: SpanSample?, into summary: inout BatchSummary
    ) throws(WireError) {
        var reader = unsafe WireReader(bytes)
        var resource = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case .bytes(1): unsafe resource = try reader.bytes()
            case .bytes(2):
                unsafe try scanScopeSpans(try reader.bytes(), sample, into: &summary)
            default: try reader.skip(tag, depth: 2)
            }
        }
        unsafe sample?.endResource(resource)
    }

    private static func scanScopeSpans(
        _ bytes: UnsafeRawBufferPointer, _ sample: SpanSample?, into summary: inout BatchSummary
    ) throws(WireError) {
        var reader = unsafe WireReader(bytes)
        var sums = BatchSummary()
        let hashMax = sample?.hashMax ?? 0
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == .bytes(2) {
                let span = unsafe try reader.bytes()
                let found = unsafe try identity(of: span)
                sums.spans &+= 1
                sums.identitySum &+= found.hash
                sums.contentSum &+= unsafe LedgerHash.content(span)
                if found.choice <= hashMax { unsafe sample?.take(span) }
            } else {
                try reader.skip(tag, depth: 3)
            }
        }
        summary.add(sums)
    }

    /// The identity hash of an encoded span, and the hash that its trace is chosen by.
    @inline(__always)
    static func identity(
        of span: UnsafeRawBufferPointer
    ) throws(WireError) -> (hash: UInt64, choice: UInt64) {
        // Every known encoder writes the identifiers first: 0A 10 <16 bytes> 12 08 <8 bytes>.
        if span.count >= 28, let base = span.baseAddress,
            unsafe base.loadUnaligned(as: UInt16.self) == UInt16(littleEndian: 0x100A),
            unsafe base.loadUnaligned(fromByteOffset: 18, as: UInt16.self)
                == UInt16(littleEndian: 0x0812)
        {
            let high = unsafe base.loadUnaligned(fromByteOffset: 2, as: UInt64.self)
            let low = unsafe base.loadUnaligned(fromByteOffset: 10, as: UInt64.self)
            let spanID = unsafe base.loadUnaligned(fromByteOffset: 20, as: UInt64.self)
            return hashes(
                UInt64(bigEndian: high), UInt64(bigEndian: low), UInt64(bigEndian: spanID))
        }
        return unsafe try identityOfUnusualSpan(span)
    }

    @inline(__always)
    private static func hashes(
        _ high: UInt64, _ low: UInt64, _ spanID: UInt64
    ) -> (hash: UInt64, choice: UInt64) {
        (
            LedgerHash.identity(traceHigh: high, traceLow: low, spanID: spanID),
            TraceChoice.hash(high: high, low: low)
        )
    }

    // The identifiers in any place; the last of each counts, a missing one is 0.
    private static func identityOfUnusualSpan(
        _ span: UnsafeRawBufferPointer
    ) throws(WireError) -> (hash: UInt64, choice: UInt64) {
        var reader = unsafe WireReader(span)
        var trace: (high: UInt64, low: UInt64) = (0, 0)
        var spanID: UInt64 = 0
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case .bytes(1): trace = unsafe try Identifier.trace(try reader.bytes())
            case .bytes(2): spanID = unsafe try Identifier.span(try reader.bytes())
            default: try reader.skip(tag, depth: 4)
            }
        }
        return hashes(trace.high, trace.low, spanID)
    }
}

/// Identifiers on the wire: big-endian numbers, or no bytes for none.
enum Identifier {
    /// A trace identifier of 16 bytes, or (0, 0) for none.
    @inline(__always)
    static func trace(
        _ bytes: UnsafeRawBufferPointer
    ) throws(WireError) -> (high: UInt64, low: UInt64) {
        if bytes.count == 0 { return (0, 0) }
        guard bytes.count == 16 else { throw .identifierLength }
        let high = unsafe bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
        let low = unsafe bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        return (UInt64(bigEndian: high), UInt64(bigEndian: low))
    }

    /// A span identifier of 8 bytes, or 0 for none.
    @inline(__always)
    static func span(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> UInt64 {
        if bytes.count == 0 { return 0 }
        guard bytes.count == 8 else { throw .identifierLength }
        return UInt64(bigEndian: unsafe bytes.loadUnaligned(as: UInt64.self))
    }
}
