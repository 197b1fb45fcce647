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
    fileprivate var compressed = ByteBuffer()

    init(_ settings: OTLPHTTPSettings) {
        json = JSONWriter(bytesMax: settings.requestBytesMax)
    }
}

/// Writes bodies the way the settings ask for.
struct RequestEncoder {
    private let encoding: OTLPEncoding
    private let requestBytesMax: Int
    private let compressor: GzipCompressor?

    init(_ settings: OTLPHTTPSettings) throws(ConfigurationError) {
        encoding = settings.encoding
        requestBytesMax = settings.requestBytesMax
        compressor = settings.compression == .gzip ? try GzipCompressor() : nil
    }

    /// The largest body whose request keeps to 64 MiB before compression.
    var bodyBytesMax: Int {
        switch encoding {
        case .protobuf: requestBytesMax
        case .json: requestBytesMax / OTLPJSONTranscoder.growthMax
        }
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
