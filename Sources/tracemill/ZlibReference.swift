// zlib by itself: what gzip costs when nothing else is done.
import CZlib
import TraceCore
import TraceLoad
import TraceResults

/// Bodies compressed by zlib's level 1 on one thread, one after the other.
struct ZlibReference {
    /// Spans and bytes in a second of this thread's time by the wall clock.
    var spansPerS = 0.0
    var bytesPerS = 0.0
    /// Compressed.
    var bytesPerSpan = 0.0

    /// Nil without bodies, or without memory for zlib's state.
    /// - Parameter timeNs: for how long; whole rounds over the bodies, of which the fastest counts: what
    ///   else the machine does is no part of a reference.
    init?(_ bodies: [DeliveryTrial.Body], timeNs: UInt64) {
        var stream = unsafe z_stream()
        let byteCount = bodies.reduce(0) { $0 + $1.bytes.count }
        let spans = bodies.reduce(0) { $0 + $1.spans }
        guard spans > 0, unsafe tracemill_gzip_init(&stream, 1) == Z_OK else { return nil }
        defer { _ = unsafe deflateEnd(&stream) }
        let largest = bodies.reduce(0) { max($0, $1.bytes.count) }
        var output = [UInt8](
            repeating: 0, count: unsafe Int(deflateBound(&stream, UInt(largest))))
        let startedNs = TraceClock.monotonicNs
        var fastestNs = UInt64.max
        var compressed = 0
        while TraceClock.monotonicNs - startedNs < timeNs || fastestNs == .max {
            let roundNs = TraceClock.monotonicNs
            compressed = 0
            for body in bodies {
                compressed += unsafe Self.compress(body.bytes, &stream, into: &output)
            }
            fastestNs = min(fastestNs, TraceClock.monotonicNs - roundNs)
        }
        let seconds = Double(fastestNs) / 1e9
        spansPerS = Double(spans) / seconds
        bytesPerS = Double(byteCount) / seconds
        bytesPerSpan = Double(compressed) / Double(spans)
    }

    private static func compress(
        _ input: [UInt8], _ stream: inout z_stream, into output: inout [UInt8]
    ) -> Int {
        unsafe input.withUnsafeBufferPointer { input in
            unsafe output.withUnsafeMutableBufferPointer { output in
                unsafe deflateReset(&stream)
                unsafe stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                unsafe stream.avail_in = UInt32(input.count)
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(output.count)
                let status = unsafe deflate(&stream, Z_FINISH)
                precondition(status == Z_STREAM_END, "deflateBound promised enough room")
                return unsafe Int(stream.total_out)
            }
        }
    }
}
