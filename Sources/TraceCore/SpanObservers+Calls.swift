// Turning the calls of hooks and followers off and on while spans start and end; ends that may not wait.
import CThread
import Synchronization

extension SpanRecorder {
    /// Whether starts and ends call the hooks and copy to followers; on once there are any. Off, they cost
    /// what they cost without.
    ///
    /// Turned on, it holds for every start and end that begins afterwards; one that is under way may still
    /// pass by. Any thread.
    public var callsObservers: Bool {
        get {
            unsafe core.pointee.shared.pointee.signals.load(ordering: .relaxed) & Signal.observed
                != 0
        }
        set {
            if newValue {
                // release: whoever sees the bit finds the hooks, which were set before.
                unsafe core.pointee.shared.pointee.signals.bitwiseOr(
                    Signal.observed, ordering: .sequentiallyConsistent)
                _ = tracemill_process_barrier()
            } else {
                unsafe core.pointee.shared.pointee.signals.bitwiseAnd(
                    ~Signal.observed, ordering: .relaxed)
            }
        }
    }

    /// Runs `body`; meanwhile no `end` on the calling thread waits for room in this recorder's queue. A span
    /// that finds none is dropped, counted. For ends on an exporter thread, which others wait for.
    public func withoutWaiting<Result>(_ body: () throws -> Result) rethrows -> Result {
        let producer = unsafe RecorderCore.producer(core)
        let neverWaited = unsafe producer.pointee.neverWaits
        unsafe producer.pointee.neverWaits = true
        defer { unsafe producer.pointee.neverWaits = neverWaited }
        return try body()
    }
}
