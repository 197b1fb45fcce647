// Deadlines on CLOCK_MONOTONIC, and their way into the milliseconds of poll and libcurl.

import Glibc
import TraceCore

enum MonotonicTime {
    /// CPU time of the calling thread.
    static var threadCPUNs: UInt64 {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// `start` plus `milliseconds`, saturating; a negative number counts as 0.
    static func deadlineNs(from startNs: UInt64, afterMs milliseconds: Int) -> UInt64 {
        let (wait, overflow) = UInt64(max(0, milliseconds))
            .multipliedReportingOverflow(by: 1_000_000)
        let (deadline, carry) = startNs.addingReportingOverflow(wait)
        return overflow || carry ? .max : deadline
    }

    /// Milliseconds from `nowNs` until `deadlineNs`, rounded up: never early.
    static func millisecondsLeft(until deadlineNs: UInt64, nowNs: UInt64) -> Int {
        guard deadlineNs > nowNs else { return 0 }
        return Int(min((deadlineNs - nowNs - 1) / 1_000_000 + 1, UInt64(Int32.max)))
    }

    /// Sleeps until `fileDescriptor` can be read, or until `deadlineNs` (nil: without a timer).
    /// - Returns: whether it can be read.
    static func poll(_ fileDescriptor: Int32, untilNs deadlineNs: UInt64?) -> Bool {
        let timeoutMs = deadlineNs.map {
            millisecondsLeft(until: $0, nowNs: TraceClock.monotonicNs)
        }
        var descriptor = pollfd(fd: fileDescriptor, events: Int16(POLLIN), revents: 0)
        return unsafe Glibc.poll(&descriptor, 1, Int32(timeoutMs ?? -1)) > 0
    }
}
