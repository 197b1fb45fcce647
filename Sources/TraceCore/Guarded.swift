// A lock for what is looked up seldom: names, trace states, tracers. A pthread mutex instead of the standard
// library's `Mutex`, since the thread sanitizer does not see that one and reports races that are none.
import Glibc

/// A value that one thread at a time may touch.
/// Safe because the value is only reached with the mutex held.
@safe final class Guarded<Value>: @unchecked Sendable {
    private var value: Value
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    init(_ value: sending Value) {
        self.value = value
        unsafe mutex = UnsafeMutablePointer.allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        let status = unsafe pthread_mutex_init(mutex, nil)
        precondition(status == 0, "tracemill: no mutex (\(status))")
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// Runs `body` with the value alone. Not recursive.
    func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body(&value)
    }

    /// Locks without running anything: for the moment of a fork alone.
    func lock() { unsafe pthread_mutex_lock(mutex) }

    /// Undoes `lock`, in the thread that called it.
    func unlock() { unsafe pthread_mutex_unlock(mutex) }

    /// The value, for the thread that has called `lock`.
    func withValueWhileLocked(_ body: (inout Value) -> Void) { body(&value) }
}
