// From a body as the queue builds it to a request as it goes over the wire: encoding, then compression.
// Owned by the exporter thread.

import TraceCore

/// Why a body is not sent at all.
enum UnsendableBody: Error, CustomStringConvertible {
    case malformed(ProtobufError)
    case oversize

    var reason: DropReason {
        switch self {
        case .malformed: .refused
        case .oversize: .oversize
        }
    }

    var description: String {
        switch self {
        case .malformed(let error): "a request cannot be written as JSON: \(error)"
        case .oversize: "a request is longer than 64 MiB as JSON; make batches smaller"
        }
    }
}

/// The memory that one request is written into, used again for the next.
struct RequestBuffers: ~Copyable {
    fileprivate var json: JSONWriter
    fileprivate var compressed: CompressedBody

    /// - Parameter bodyCapacityBytes: the longest body that comes.
    init(_ settings: OTLPHTTPSettings, bodyCapacityBytes: Int, pages: any PageSource) {
        json = JSONWriter(bytesMax: settings.requestBytesMax)
        compressed = CompressedBody(
            capacityBytes: Self.compressedBytesMax(settings, bodyCapacityBytes), pages: pages)
    }

    /// Bytes that the buffers of one request may come to hold.
    static func footprint(
        _ settings: OTLPHTTPSettings, bodyCapacityBytes: Int, pages: some PageSource
    ) -> (jsonBytes: Int, compressedBytes: Int) {
        let compressed = compressedBytesMax(settings, bodyCapacityBytes)
        return (
            settings.encoding == .json ? payloadBytesMax(settings, bodyCapacityBytes) : 0,
            compressed > 0 ? pages.footprintBytes(of: compressed) : 0
        )
    }

    private static func compressedBytesMax(
        _ settings: OTLPHTTPSettings, _ bodyCapacityBytes: Int
    ) -> Int {
        settings.compression == .gzip
            ? GzipCompressor.bytesMax(of: payloadBytesMax(settings, bodyCapacityBytes)) : 0
    }

    /// The longest request before compression.
    private static func payloadBytesMax(
        _ settings: OTLPHTTPSettings, _ bodyCapacityBytes: Int
    ) -> Int {
        switch settings.encoding {
        case .protobuf: bodyCapacityBytes
        case .json:
            min(settings.requestBytesMax, bodyCapacityBytes * OTLPJSONTranscoder.growthMax)
        }
    }
}

/// Writes bodies the way the settings ask for.
struct RequestEncoder {
    private let encoding: OTLPEncoding
    private let compressor: GzipCompressor?

    init(_ settings: OTLPHTTPSettings) throws(ConfigurationError) {
        encoding = settings.encoding
        bodyBytesMax = Self.bodyBytesMax(settings)
        compressor = settings.compression == .gzip ? try GzipCompressor() : nil
    }

    /// The largest body whose request keeps to 64 MiB before compression.
    let bodyBytesMax: Int

    static func bodyBytesMax(_ settings: OTLPHTTPSettings) -> Int {
        switch settings.encoding {
        case .protobuf: settings.requestBytesMax
        case .json: settings.requestBytesMax / OTLPJSONTranscoder.growthMax
        }
    }

    /// The longest body, of `bytes` at most, whose request keeps to 64 MiB and whose compressed form takes no
    /// more than `bytes` either, whatever is in it.
    static func bodyCapacityBytes(_ settings: OTLPHTTPSettings, atMost bytes: Int) -> Int {
        let capacity = min(bytes, bodyBytesMax(settings))
        guard settings.compression == .gzip, settings.encoding == .protobuf else { return capacity }
        return capacity - (GzipCompressor.bytesMax(of: capacity) - capacity)
    }

    /// The bytes to send for `body`: its own, or some in `buffers`; valid until either changes.
    func encode(
        _ body: UnsafeRawBufferPointer, in buffers: inout RequestBuffers
    ) throws(UnsendableBody) -> UnsafeRawBufferPointer {
        var payload = unsafe body
        if encoding == .json {
            buffers.json.removeAll()
            do throws(ProtobufError) {
                try OTLPJSONTranscoder.write(
                    unsafe RawSpan(_unsafeBytes: body), to: &buffers.json)
            } catch {
                throw .malformed(error)
            }
            guard !buffers.json.isFull else { throw .oversize }
            unsafe payload = buffers.json.bytes
        }
        guard let compressor else { return unsafe payload }
        unsafe compressor.compress(payload, into: &buffers.compressed)
        return unsafe buffers.compressed.bytes
    }
}
