// gzip (RFC 1952) of whole request bodies into memory that is kept. Owned by the exporter thread.

import CDeflate
import TraceCore

/// Memory for one compressed request; taken at its full size, touched only as far as requests go.
@safe
struct CompressedBody: ~Copyable {
    private let memory: UnsafeMutableRawPointer?
    /// The most bytes that it takes.
    let capacityBytes: Int
    private let pages: any PageSource
    /// Bytes in use, from the start.
    fileprivate(set) var count = 0

    /// - Parameter capacityBytes: 0 takes no memory.
    init(capacityBytes: Int, pages: any PageSource) {
        self.capacityBytes = capacityBytes
        self.pages = pages
        unsafe memory = capacityBytes > 0 ? pages.allocate(byteCount: capacityBytes) : nil
        guard unsafe capacityBytes == 0 || memory != nil else {
            fatalError("tracemill: no memory for a request of \(capacityBytes) bytes")
        }
    }

    deinit {
        if let memory = unsafe memory {
            unsafe pages.release(memory, byteCount: capacityBytes)
        }
    }

    /// The bytes in use, valid until the next change.
    var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: memory, count: count)
    }

    fileprivate var room: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: memory, count: capacityBytes)
    }
}

/// A compressor made once and used for each body. libdeflate's level 1: of these bodies it makes a little
/// less than zlib's level 1 does, in well under half the time; higher levels cost more than they save.
@safe
final class GzipCompressor {
    private let compressor: OpaquePointer

    /// - Throws: ``ConfigurationError/transport(_:)`` when there is no memory for its state.
    init(level: Int32 = 1) throws(ConfigurationError) {
        guard let compressor = unsafe libdeflate_alloc_compressor(level) else {
            throw .transport("libdeflate has no memory for its state")
        }
        unsafe self.compressor = compressor
    }

    deinit {
        unsafe libdeflate_free_compressor(compressor)
    }

    /// The most that `byteCount` bytes come to, whatever they are.
    static func bytesMax(of byteCount: Int) -> Int {
        libdeflate_gzip_compress_bound(nil, byteCount)
    }

    /// Replaces the contents of `output`, which has room for the worst case, by the gzip form of `input`.
    func compress(_ input: UnsafeRawBufferPointer, into output: inout CompressedBody) {
        let room = unsafe output.room
        // libdeflate asks for an address even where there is nothing to read.
        let count = unsafe withUnsafeBytes(of: UInt8(0)) { nothing in
            unsafe libdeflate_gzip_compress(
                compressor, input.baseAddress ?? nothing.baseAddress!, input.count,
                room.baseAddress!, room.count)
        }
        precondition(count > 0, "the bound promised enough room")
        output.count = count
    }
}
