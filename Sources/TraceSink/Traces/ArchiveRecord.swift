// A piece of a trace as the archive writes it: the spans of one request that belong to it. What is kept
// is itself `TracesData` in protobuf, so that the pieces of a trace, one after another, are its document.
//
// Layout: payload length (u32) and CRC-32 of the payload (u32), little-endian; then the payload: trace
// identifier (16 bytes, big-endian), when it came (u64 little-endian, Unix time in nanoseconds), and the
// bytes of the document.

import CZlib

/// Writing and reading records.
enum ArchiveRecord {
    static let headBytes = 8
    static let payloadHeadBytes = 24
    /// More than any request can bring.
    static let payloadBytesMax = 256 << 20

    /// The records of a request, one for each trace in it, in the order they begin there.
    static func records(
        of request: VerifiedRequest, cameUnixNs: UInt64
    ) -> [(trace: TraceKey, spans: [Int], bytes: [UInt8])] {
        let spans = request.spans
        let order = spans.indices.sorted { left, right in
            let (a, b) = (spans[left], spans[right])
            return (a.observed.trace.high, a.observed.trace.low, a.scope, left)
                < (b.observed.trace.high, b.observed.trace.low, b.scope, right)
        }
        var result: [(trace: TraceKey, spans: [Int], bytes: [UInt8])] = []
        var rest = order[...]
        while let first = rest.first {
            let trace = spans[first].observed.trace
            let own = Array(rest.prefix { spans[$0].observed.trace == trace })
            rest = rest.dropFirst(own.count)
            result.append((trace, own, record(trace, own, of: request, cameUnixNs)))
        }
        // In the order in which they stand in the request.
        return result.sorted { ($0.spans.min() ?? 0) < ($1.spans.min() ?? 0) }
    }

    private static func record(
        _ trace: TraceKey, _ own: [Int], of request: VerifiedRequest, _ cameUnixNs: UInt64
    ) -> [UInt8] {
        var payload: [UInt8] = []
        append(trace.high.bigEndian, to: &payload)
        append(trace.low.bigEndian, to: &payload)
        append(cameUnixNs.littleEndian, to: &payload)
        var rest = own[...]
        while let first = rest.first {
            let scope = request.spans[first].scope
            let inScope = rest.prefix { request.spans[$0].scope == scope }
            rest = rest.dropFirst(inScope.count)
            appendResourceSpans(Array(inScope), of: request, to: &payload)
        }
        var record: [UInt8] = []
        record.reserveCapacity(headBytes + payload.count)
        append(UInt32(truncatingIfNeeded: payload.count).littleEndian, to: &record)
        append(
            unsafe payload.withUnsafeBytes { unsafe checksum($0) }.littleEndian, to: &record)
        return record + payload
    }

    private static func appendResourceSpans(
        _ spans: [Int], of request: VerifiedRequest, to payload: inout [UInt8]
    ) {
        let first = request.spans[spans[0]]
        let resource = request.resources[first.observed.service]
        let scope = request.scopes[first.scope]
        let spanBytes = spans.reduce(0) { unsafe $0 + fieldBytes(request.spans[$1].message.count) }
        let scopeBytes =
            unsafe optionalBytes(scope.message) + spanBytes + optionalBytes(scope.schemaURL)
        let resourceBytes =
            unsafe optionalBytes(resource.message) + fieldBytes(scopeBytes)
            + optionalBytes(resource.schemaURL)
        appendHead(1, resourceBytes, to: &payload)
        unsafe appendOptional(1, resource.message, to: &payload)
        appendHead(2, scopeBytes, to: &payload)
        unsafe appendOptional(1, scope.message, to: &payload)
        for span in spans {
            let message = unsafe request.spans[span].message
            appendHead(2, message.count, to: &payload)
            unsafe payload.append(contentsOf: message)
        }
        unsafe appendOptional(3, scope.schemaURL, to: &payload)
        unsafe appendOptional(3, resource.schemaURL, to: &payload)
    }

    /// The record that begins at `offset`; nil when there is none that is whole and undamaged.
    static func read(
        _ bytes: UnsafeRawBufferPointer, at offset: Int
    ) -> (trace: TraceKey, cameUnixNs: UInt64, document: Range<Int>)? {
        guard bytes.count - offset >= headBytes else { return nil }
        let count = Int(
            UInt32(
                littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        let expected = UInt32(
            littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self))
        let start = offset + headBytes
        guard count >= payloadHeadBytes, count <= payloadBytesMax, count <= bytes.count - start,
            unsafe checksum(UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]))
                == expected
        else { return nil }
        let high = unsafe bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self)
        let low = unsafe bytes.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self)
        let came = unsafe bytes.loadUnaligned(fromByteOffset: start + 16, as: UInt64.self)
        return (
            TraceKey(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low)),
            UInt64(littleEndian: came), start + payloadHeadBytes..<start + count
        )
    }

    private static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let base = unsafe bytes.bindMemory(to: UInt8.self).baseAddress
        return UInt32(truncatingIfNeeded: unsafe crc32_z(0, base, bytes.count))
    }

    // MARK: Protobuf

    private static func varintBytes(_ value: Int) -> Int {
        max(1, (64 - UInt64(value).leadingZeroBitCount + 6) / 7)
    }

    private static func fieldBytes(_ count: Int) -> Int { 1 + varintBytes(count) + count }

    private static func optionalBytes(_ bytes: UnsafeRawBufferPointer) -> Int {
        bytes.count == 0 ? 0 : fieldBytes(bytes.count)
    }

    private static func appendHead(_ field: UInt8, _ count: Int, to payload: inout [UInt8]) {
        payload.append(field << 3 | 2)
        var rest = UInt64(count)
        while rest >= 0x80 {
            payload.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        payload.append(UInt8(rest))
    }

    private static func appendOptional(
        _ field: UInt8, _ bytes: UnsafeRawBufferPointer, to payload: inout [UInt8]
    ) {
        guard bytes.count > 0 else { return }
        appendHead(field, bytes.count, to: &payload)
        unsafe payload.append(contentsOf: bytes)
    }

    private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        unsafe withUnsafeBytes(of: value) { unsafe bytes.append(contentsOf: $0) }
    }
}
