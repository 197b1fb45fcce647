import Glibc
import Synchronization
import TraceResults

/// SIGINT and SIGTERM: the first one ends the load, and the run drains and writes its result; a second
/// one ends the process at once, with the child it waits for and the folder of its runs.
final class SignalWatch: Sendable {
    private static let pending = Atomic<Int32>(0)
    /// A second signal is being answered, on whatever thread it struck.
    private static let isEnding = Atomic(false)
    private let isOver = Atomic(false)

    /// For whoever is about to end the process: a run that the second signal killed is no failure to speak
    /// of, and the code is the signal's.
    static func yieldToEnding() {
        while isEnding.load(ordering: .sequentiallyConsistent) { pause() }
    }

    /// `onSignal` runs on a thread of its own.
    init(_ onSignal: @escaping @Sendable (ExitCode) -> Void) {
        // Whoever started this program may have had them blocked, and a blocked signal stays so in children.
        var numbers = sigset_t()
        unsafe sigemptyset(&numbers)
        for number in [SIGINT, SIGTERM] { unsafe sigaddset(&numbers, number) }
        unsafe pthread_sigmask(SIG_UNBLOCK, &numbers, nil)
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                let first = SignalWatch.pending.exchange(number, ordering: .relaxed)
                guard first != 0 else { return }
                SignalWatch.isEnding.store(true, ordering: .sequentiallyConsistent)
                // Nothing here allocates or locks: it may have struck anywhere.
                ChildRun.killCurrent()
                RunFolder.removeCurrent()
                _exit(128 + number)
            }
        }
        let watch = self
        WatchThread.start {
            while !watch.isOver.load(ordering: .relaxed) {
                let number = SignalWatch.pending.load(ordering: .relaxed)
                if number != 0 {
                    onSignal(number == SIGINT ? .interrupted : .terminated)
                    return
                }
                usleep(20_000)
            }
        }
    }

    func stop() { isOver.store(true, ordering: .relaxed) }
}

/// A detached thread.
enum WatchThread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    static func start(_ run: @escaping @Sendable () -> Void) {
        let body = unsafe Unmanaged.passRetained(Body(run))
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, nil,
            { raw in
                unsafe Unmanaged<Body>.fromOpaque(raw!).takeRetainedValue().run()
                return nil
            }, body.toOpaque())
        if status == 0 { pthread_detach(thread) } else { unsafe body.release() }
    }
}
