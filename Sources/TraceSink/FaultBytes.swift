// Bytes and texts that only faults need: an HTTP date, a gzip bomb.

import CZlib
import Glibc

/// Dates as HTTP writes them (RFC 9110, 5.6.7).
enum HTTPDate {
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// The date so many seconds from now.
    static func text(secondsFromNow seconds: Int) -> String {
        text(unixSeconds: time(nil) + seconds)
    }

    /// The date of a Unix time.
    static func text(unixSeconds: Int) -> String {
        var time = time_t(unixSeconds)
        var parts = unsafe tm()
        _ = unsafe gmtime_r(&time, &parts)
        let clock = unsafe [parts.tm_hour, parts.tm_min, parts.tm_sec].map { pad($0) }
            .joined(separator: ":")
        let day = unsafe days[Int(parts.tm_wday)]
        let month = unsafe months[Int(parts.tm_mon)]
        return unsafe "\(day), \(pad(parts.tm_mday)) \(month) \(parts.tm_year + 1900) \(clock) GMT"
    }

    private static func pad(_ number: Int32) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }
}

/// A small gzip body that inflates to a large one.
enum GzipBomb {
    /// `head` and then so many zeros, as gzip. Takes about 3 ms of CPU for each MiB of zeros.
    static func bytes(head: [UInt8], zeros: Int) -> [UInt8] {
        var result: [UInt8] = []
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        defer { unsafe stream.deallocate() }
        guard unsafe tracemill_gzip_init(stream, 9) == Z_OK else { return [] }
        defer { unsafe deflateEnd(stream) }
        let block = [UInt8](repeating: 0, count: 1 << 20)
        unsafe deflate(head, isLast: zeros == 0, stream, into: &result)
        var left = zeros
        while left > 0 {
            let size = min(left, block.count)
            left -= size
            unsafe deflate(Array(block[..<size]), isLast: left == 0, stream, into: &result)
        }
        return result
    }

    private static func deflate(
        _ input: [UInt8], isLast: Bool, _ stream: UnsafeMutablePointer<z_stream>,
        into result: inout [UInt8]
    ) {
        var input = input
        var room = [UInt8](repeating: 0, count: 1 << 16)
        unsafe input.withUnsafeMutableBufferPointer { source in
            unsafe stream.pointee.next_in = source.baseAddress
            unsafe stream.pointee.avail_in = UInt32(source.count)
            repeat {
                let written = unsafe room.withUnsafeMutableBufferPointer { target in
                    unsafe stream.pointee.next_out = target.baseAddress
                    unsafe stream.pointee.avail_out = UInt32(target.count)
                    unsafe CZlib.deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
                    return target.count - Int(unsafe stream.pointee.avail_out)
                }
                result += room[..<written]
            } while unsafe stream.pointee.avail_out == 0
            unsafe stream.pointee.next_in = nil
            unsafe stream.pointee.next_out = nil
        }
    }
}
