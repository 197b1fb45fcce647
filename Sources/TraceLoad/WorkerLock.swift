import Glibc

/// A value that worker threads take turns at, behind a pthread mutex: the thread sanitizer does not
/// see the lock of `Synchronization.Mutex` and would report every turn as a race. Any thread.
@safe final class WorkerLock<Value>: @unchecked Sendable {
    // Safe because `value` is only touched with the mutex held, and `mutex` never moves.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    init(_ value: sending Value) {
        self.value = value
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        _ = unsafe pthread_mutex_init(mutex, nil)
    }

    deinit {
        _ = unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// Runs `body` alone; others wait, asleep.
    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        _ = unsafe pthread_mutex_lock(mutex)
        defer { _ = unsafe pthread_mutex_unlock(mutex) }
        return body(&value)
    }
}
