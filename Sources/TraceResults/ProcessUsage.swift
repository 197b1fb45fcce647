// What this process has used so far, and the clocks to tell it by. Any thread.

import Glibc

/// Processor time and memory of this process, at one moment.
public struct ProcessUsage: Sendable, Equatable {
    /// Processor time of all threads, user and system.
    public var cpuNs: UInt64
    /// Resident memory.
    public var residentBytes: UInt64
    /// The largest resident memory so far, or since ``resetPeak()``.
    public var peakResidentBytes: UInt64

    /// The usage now. Reads one file of /proc: tens of microseconds.
    public static func now() -> ProcessUsage {
        let status = FileBytes.text("/proc/self/status") ?? ""
        return ProcessUsage(
            cpuNs: HostClock.processCPUNs(),
            residentBytes: bytes(of: "VmRSS:", in: status),
            peakResidentBytes: bytes(of: "VmHWM:", in: status))
    }

    /// Starts the peak anew from what is resident now, so that a second run in one process has a
    /// peak of its own. False where the kernel does not allow it: the peak then is the process's.
    @discardableResult
    public static func resetPeak() -> Bool {
        let descriptor = unsafe open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let five: [UInt8] = [UInt8(ascii: "5")]
        return unsafe write(descriptor, five, 1) == 1
    }

    /// The value of a line such as `VmHWM:     1234 kB`, in bytes; 0 when there is none.
    static func bytes(of name: String, in status: String) -> UInt64 {
        for line in status.split(separator: "\n") where line.hasPrefix(name) {
            let words = line.split(whereSeparator: \.isWhitespace)
            if words.count >= 2, let kibibytes = UInt64(words[1]) { return kibibytes << 10 }
        }
        return 0
    }
}

/// The kernel's clocks, in nanoseconds. 25 to 300 ns a reading: not for a single span.
public enum HostClock {
    /// Time since some moment in the past; never goes back.
    public static func monotonicNs() -> UInt64 { read(CLOCK_MONOTONIC) }

    /// Time since 1970.
    public static func wallNs() -> UInt64 { read(CLOCK_REALTIME) }

    /// Processor time of all threads of this process.
    public static func processCPUNs() -> UInt64 { read(CLOCK_PROCESS_CPUTIME_ID) }

    /// Processor time of the calling thread.
    public static func threadCPUNs() -> UInt64 { read(CLOCK_THREAD_CPUTIME_ID) }

    /// A moment as RFC 3339 in UTC with milliseconds: `2026-11-21T12:00:00.000Z`.
    public static func timestamp(wallNs: UInt64) -> String {
        let seconds = wallNs / 1_000_000_000
        let secondOfDay = seconds % 86_400
        let (year, month, day) = civil(daysSince1970: seconds / 86_400)
        func two(_ number: UInt64) -> String { (number < 10 ? "0" : "") + String(number) }
        let milliseconds = String(wallNs / 1_000_000 % 1000)
        return "\(year)-\(two(month))-\(two(day))T\(two(secondOfDay / 3600)):"
            + "\(two(secondOfDay / 60 % 60)):\(two(secondOfDay % 60))."
            + String(repeating: "0", count: 3 - milliseconds.count) + milliseconds + "Z"
    }

    /// The day of the Gregorian calendar. Source: Howard Hinnant, chrono-compatible low-level date
    /// algorithms, `civil_from_days`.
    private static func civil(
        daysSince1970: UInt64
    ) -> (year: UInt64, month: UInt64, day: UInt64) {
        let shifted = daysSince1970 + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
    }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        let status = unsafe clock_gettime(clock, &time)
        precondition(status == 0, "every kernel this runs on has these clocks")
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
