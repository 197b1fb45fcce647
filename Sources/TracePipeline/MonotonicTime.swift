// The clocks of the exporter side. Once or twice a batch: a system call's cost does not matter here.

import Glibc

enum MonotonicTime {
    /// Nanoseconds of CLOCK_MONOTONIC.
    static func nowNs() -> UInt64 { read(CLOCK_MONOTONIC) }

    /// Nanoseconds since 1970.
    static func nowUnixNs() -> UInt64 { read(CLOCK_REALTIME) }

    /// `start` plus `milliseconds`, saturating; a negative number counts as 0.
    static func deadlineNs(from startNs: UInt64, afterMs milliseconds: Int) -> UInt64 {
        let (wait, overflow) = UInt64(max(0, milliseconds))
            .multipliedReportingOverflow(by: 1_000_000)
        let (deadline, carry) = startNs.addingReportingOverflow(wait)
        return overflow || carry ? .max : deadline
    }

    /// Milliseconds from `nowNs` until `deadlineNs`, rounded up, for poll and libcurl: never early.
    static func millisecondsLeft(until deadlineNs: UInt64, nowNs: UInt64) -> Int {
        guard deadlineNs > nowNs else { return 0 }
        return Int(min((deadlineNs - nowNs - 1) / 1_000_000 + 1, UInt64(Int32.max)))
    }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
