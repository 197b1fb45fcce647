// A lock with a condition that can be waited for until a moment of CLOCK_MONOTONIC. pthread's own,
// which the thread sanitizer understands. Held for a few instructions a batch, never on a span's path.

import Glibc

/// State that threads change under one lock, and wait for.
/// Safe because `state` is only touched with `mutex` held.
@safe final class Monitor<State: Sendable>: @unchecked Sendable {
    private var state: State
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init(_ initial: State) {
        state = initial
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe condition = .allocate(capacity: 1)
        unsafe condition.initialize(to: pthread_cond_t())
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    func withLock<Result>(_ body: (inout State) -> Result) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body(&state)
    }

    /// Changes the state and lets everyone who waits look at it.
    func withLockAndSignal<Result>(_ body: (inout State) -> Result) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer {
            unsafe pthread_cond_broadcast(condition)
            unsafe pthread_mutex_unlock(mutex)
        }
        return body(&state)
    }

    /// Waits until `isMet`, at most until `deadlineNs` (`.max`: without limit).
    /// - Returns: whether it was met.
    func wait(untilNs deadlineNs: UInt64, for isMet: (State) -> Bool) -> Bool {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        var deadline = timespec(
            tv_sec: Int(clamping: deadlineNs / 1_000_000_000),
            tv_nsec: Int(deadlineNs % 1_000_000_000))
        while !isMet(state) {
            if deadlineNs == .max {
                unsafe pthread_cond_wait(condition, mutex)
            } else if unsafe pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT {
                return isMet(state)
            }
        }
        return true
    }
}

/// A thread of the operating system, joined by whoever started it.
/// Safe because `handle` is set before anyone else has the object, and joining happens once.
@safe final class SystemThread: @unchecked Sendable {
    private let handle: pthread_t

    private final class Body {
        let name: String?
        let run: @Sendable () -> Void
        init(_ name: String?, _ run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// - Parameter name: up to 15 bytes, for who looks at the process's threads.
    init(name: String? = nil, _ run: @escaping @Sendable () -> Void) {
        let body = unsafe Unmanaged.passRetained(Body(name, run))
        var handle = pthread_t()
        let status = unsafe pthread_create(
            &handle, nil,
            { raw in
                let body = unsafe Unmanaged<Body>.fromOpaque(raw!).takeRetainedValue()
                if let name = body.name { SystemThread.setName(name) }
                body.run()
                return nil
            }, body.toOpaque())
        precondition(status == 0, "no thread for the exporter: the process is at its limit")
        self.handle = handle
    }

    /// Names the calling thread. By way of the file, since Glibc's module leaves `pthread_setname_np` out;
    /// a process that may not write there does without names.
    private static func setName(_ name: String) {
        let descriptor = unsafe open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        let bytes = Array(name.utf8.prefix(15))
        _ = unsafe write(descriptor, bytes, bytes.count)
        close(descriptor)
    }

    var isCurrent: Bool { pthread_equal(handle, pthread_self()) != 0 }

    func join() {
        pthread_join(handle, nil)
    }

    func detach() {
        pthread_detach(handle)
    }
}
