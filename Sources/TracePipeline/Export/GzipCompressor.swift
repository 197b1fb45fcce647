// gzip (RFC 1952) of whole request bodies into a reused buffer. Owned by the exporter thread.

import CZlib

/// Memory owned by one thing and grown when needed; contents are not kept when it grows.
@safe
struct ByteBuffer: ~Copyable {
    private var storage: UnsafeMutableRawBufferPointer
    /// Bytes in use, from the start.
    private(set) var count = 0

    init() {
        unsafe storage = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    }

    deinit {
        unsafe storage.deallocate()
    }

    /// The bytes in use, valid until the next change.
    var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: storage[..<count])
    }

    /// Room for `capacity` bytes; what was in it may be gone.
    fileprivate mutating func reset(capacity: Int) -> UnsafeMutableRawBufferPointer {
        if unsafe storage.count < capacity {
            unsafe storage.deallocate()
            unsafe storage = .allocate(byteCount: capacity, alignment: 64)
        }
        count = 0
        return unsafe storage
    }

    fileprivate mutating func setCount(_ newCount: Int) {
        count = newCount
    }
}

/// A deflate state made once and reset for each body (zlib level 1: bodies repeat their keys, and
/// higher levels cost several times the CPU for a few percent).
@safe
final class GzipCompressor {
    private let stream: UnsafeMutablePointer<z_stream>

    /// - Throws: ``ConfigurationError/transport(_:)`` when zlib cannot allocate its state.
    init(level: Int32 = 1) throws(ConfigurationError) {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        guard unsafe tracemill_gzip_init(stream, level) == Z_OK else {
            unsafe stream.deallocate()
            throw .transport("zlib has no memory for its state")
        }
    }

    deinit {
        _ = unsafe deflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Replaces the contents of `output` by the gzip form of `input`.
    ///
    /// One call of deflate: the output has room for the worst case, so it cannot fall short.
    func compress(_ input: UnsafeRawBufferPointer, into output: inout ByteBuffer) {
        precondition(input.count <= Int(UInt32.max), "a request body has less than 4 GiB")
        unsafe deflateReset(stream)
        let bound = unsafe Int(deflateBound(stream, UInt(input.count)))
        let room = unsafe output.reset(capacity: bound)
        unsafe stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        unsafe stream.pointee.avail_in = UInt32(input.count)
        unsafe stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_out = UInt32(clamping: room.count)
        let status = unsafe deflate(stream, Z_FINISH)
        precondition(status == Z_STREAM_END, "deflateBound promised enough room")
        output.setCount(unsafe Int(stream.pointee.total_out))
    }
}
