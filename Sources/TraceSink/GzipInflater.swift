// Inflates a gzip body as it arrives, never past a cap. Source: RFC 1952, zlib.

import CZlib

/// Why a body could not be inflated.
enum InflateError: Error, Equatable {
    /// Not gzip, corrupt, or its checksum is wrong.
    case corrupt
    /// The body ended before the gzip stream did.
    case incomplete
    /// It inflates to more bytes than the cap.
    case tooLarge
    /// No memory for the result.
    case noMemory
}

/// A gzip reader for one connection, used again for its next body. Not thread-safe.
@safe
final class GzipInflater {
    // On the heap, since zlib keeps the address of its stream. Safe because it lives as long as
    // this object and no pointer into a caller's bytes stays in it after a call.
    private let stream: UnsafeMutablePointer<z_stream>
    private var isMemberDone = false
    private var hasStarted = false

    /// Throws `InflateError.noMemory` when zlib cannot start.
    init() throws(InflateError) {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        guard unsafe tracemill_gunzip_init(stream) == Z_OK else {
            unsafe stream.deallocate()
            throw .noMemory
        }
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Begins a new body.
    func reset() {
        unsafe inflateReset(stream)
        isMemberDone = false
        hasStarted = false
    }

    /// Inflates the next piece of the body behind what `output` holds, which may grow to `sizeMax`
    /// bytes. Several gzip members one after another are one body (RFC 1952, 2.2).
    func inflate(
        _ input: UnsafeRawBufferPointer, into output: BodyBuffer, sizeMax: Int
    ) throws(InflateError) {
        guard let start = input.baseAddress, input.count > 0 else { return }
        hasStarted = true
        // zlib's pointer is not const for historical reasons; it only reads.
        unsafe stream.pointee.next_in = UnsafeMutablePointer(
            mutating: start.assumingMemoryBound(to: UInt8.self))
        unsafe stream.pointee.avail_in = UInt32(input.count)
        defer {
            unsafe stream.pointee.next_in = nil
            unsafe stream.pointee.next_out = nil
        }
        while unsafe stream.pointee.avail_in > 0 || stream.pointee.avail_out == 0 {
            if isMemberDone {
                guard unsafe stream.pointee.avail_in > 0 else { return }
                unsafe inflateReset(stream)
                isMemberDone = false
            }
            guard output.makeRoom(for: 1 << 15) else { throw .noMemory }
            var status = Z_OK
            var produced = 0
            unsafe output.write { room in
                unsafe stream.pointee.next_out = room.baseAddress.unsafelyUnwrapped
                    .assumingMemoryBound(to: UInt8.self)
                unsafe stream.pointee.avail_out = UInt32(min(room.count, 1 << 30))
                let before = unsafe stream.pointee.avail_out
                status = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
                produced = Int(before - (unsafe stream.pointee.avail_out))
                return produced
            }
            guard output.count <= sizeMax else { throw .tooLarge }
            switch status {
            case Z_OK: break
            case Z_STREAM_END: isMemberDone = true
            // No progress was possible: all input is used up and nothing is left to write.
            case Z_BUF_ERROR where produced == 0: return
            case Z_MEM_ERROR: throw .noMemory
            default: throw .corrupt
            }
        }
    }

    /// Ends the body; throws `InflateError.incomplete` when the stream is not at its end.
    func finish() throws(InflateError) {
        guard hasStarted, isMemberDone else { throw .incomplete }
    }
}
