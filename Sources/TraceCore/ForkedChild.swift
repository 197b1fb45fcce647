// A forked child is inert: it has the memory of all threads and only one of them, so no exporter, and what its
// parent had pending is its parent's to send. Starts there do not record, ends go nowhere, nobody is woken.
// Source: pthread_atfork(3); OpenTelemetry specification, "Forking" notes of the SDKs that resend.
import Glibc

enum ForkedChild {
    /// Registers with the C library, once in the process.
    static let isHandled: Bool = {
        pthread_atfork(
            {
                // No other thread is inside while the process is copied, so the child's locks are whole.
                RecorderIndices.state.lock()
                InternTable.table.lock()
                PackedLimits.table.lock()
                TraceStateTable.table.lock()
            },
            { ForkedChild.unlock() },
            {
                RecorderIndices.markForked()
                ForkedChild.unlock()
            }) == 0
    }()

    private static func unlock() {
        TraceStateTable.table.unlock()
        PackedLimits.table.unlock()
        InternTable.table.unlock()
        RecorderIndices.state.unlock()
    }
}
