import Glibc

/// A value that threads take turns at, behind a pthread mutex, and may wait for others to change: the
/// thread sanitizer does not see the lock of `Synchronization.Mutex` and would report every turn as a
/// race. Any thread.
/// Safe because `value` is only touched with the mutex held, and `mutex` and `changed` never move.
@safe final class WorkerLock<Value>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private var value: Value

    init(_ value: sending Value) {
        self.value = value
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        _ = unsafe pthread_mutex_init(mutex, nil)
        unsafe changed = .allocate(capacity: 1)
        unsafe changed.initialize(to: pthread_cond_t())
        _ = unsafe pthread_cond_init(changed, nil)
    }

    deinit {
        _ = unsafe pthread_cond_destroy(changed)
        unsafe changed.deallocate()
        _ = unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// Runs `body` alone; others wait, asleep.
    func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        _ = unsafe pthread_mutex_lock(mutex)
        defer { _ = unsafe pthread_mutex_unlock(mutex) }
        return try body(&value)
    }

    /// Runs `body` alone, again after each `signal`, until it gives something.
    func waitFor<Result>(_ body: (inout Value) -> Result?) -> Result {
        _ = unsafe pthread_mutex_lock(mutex)
        defer { _ = unsafe pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&value) { return result }
            _ = unsafe pthread_cond_wait(changed, mutex)
        }
    }

    /// Wakes all who wait for a change.
    func signal() { _ = unsafe pthread_cond_broadcast(changed) }
}
