import Glibc

/// An operating-system thread that runs one closure and is joined. Worker threads block and sleep,
/// which the cooperative pool of Swift's tasks must not.
@safe final class ReplayThread {
    private final class Body {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) {
            self.run = run
        }
    }

    private var thread = pthread_t()

    /// Starts the thread; nil when the system has none to give.
    init?(_ body: @escaping @Sendable () -> Void) {
        let retained = unsafe Unmanaged.passRetained(Body(body))
        let result = unsafe pthread_create(
            &thread, nil,
            { argument in
                unsafe Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, retained.toOpaque())
        guard result == 0 else {
            unsafe retained.release()
            return nil
        }
    }

    /// Waits until the closure has returned; once.
    func join() {
        _ = pthread_join(thread, nil)
    }

    /// CPU time of the calling thread, ns.
    static var cpuNs: UInt64 {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Lets the kernel delay the calling thread's wake-ups by 1 µs instead of the usual 50 µs, where
    /// it allows that: the schedule is the harness's, and its lateness would be laid to the system
    /// under test. Best effort: lateness is measured either way.
    static func sharpenSleep() {
        // `<process>/task/<thread>`; the file is there under the thread's own number only.
        var link = [CChar](repeating: 0, count: 64)
        let count = unsafe readlink("/proc/thread-self", &link, link.count)
        guard count > 0 else { return }
        let text = String(decoding: link[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let thread = text.split(separator: "/").last else { return }
        let file = unsafe open("/proc/\(thread)/timerslack_ns", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        _ = unsafe "1000".withCString { unsafe write(file, $0, 4) }
        close(file)
    }

    /// Sleeps until the monotonic clock reads this, or a signal arrives; does not burn.
    static func sleep(untilMonotonicNs ns: UInt64) {
        var time = timespec()
        time.tv_sec = Int(ns / 1_000_000_000)
        time.tv_nsec = Int(ns % 1_000_000_000)
        _ = unsafe clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil)
    }
}
