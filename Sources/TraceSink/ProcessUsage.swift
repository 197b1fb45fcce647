// What this process has used so far, as the kernel counts it.

import Glibc

/// CPU time and memory of the process.
enum ProcessUsage {
    /// User and system time of all threads, in nanoseconds (getrusage).
    static func cpuNs() -> UInt64 {
        var usage = rusage()
        let myself = __rusage_who_t(RUSAGE_SELF.rawValue)
        guard unsafe getrusage(myself, &usage) == 0 else { return 0 }
        return nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime)
    }

    private static func nanoseconds(_ time: timeval) -> UInt64 {
        UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_usec) * 1_000
    }

    /// Largest resident set so far, in bytes: VmHWM of /proc/self/status, which unlike ru_maxrss
    /// does not begin with what the process was before exec. 0 where there is no such file.
    static func peakResidentBytes() -> UInt64 {
        let file = unsafe open("/proc/self/status", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return 0 }
        defer { close(file) }
        var text = [UInt8](repeating: 0, count: 8192)
        let length = unsafe text.withUnsafeMutableBytes {
            unsafe read(file, $0.baseAddress, $0.count)
        }
        guard length > 0 else { return 0 }
        let key = Array("VmHWM:".utf8)
        for line in text[..<length].split(separator: UInt8(ascii: "\n"))
        where line.starts(with: key) {
            let digits = line.drop { !(0x30...0x39).contains($0) }
                .prefix { (0x30...0x39).contains($0) }
            return digits.reduce(0) { $0 * 10 + UInt64($1 - 0x30) } * 1024
        }
        return 0
    }

    /// CLOCK_MONOTONIC in nanoseconds.
    static func monotonicNs() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// CLOCK_REALTIME: Unix time in nanoseconds.
    static func wallNs() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
