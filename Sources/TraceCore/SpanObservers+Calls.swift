// Turning the calls of hooks and followers off and on while spans start and end.
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
}
