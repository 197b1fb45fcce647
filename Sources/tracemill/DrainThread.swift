import Glibc
import Synchronization
import TraceCore

/// A thread that drains a queue into request bodies and throws them away, as an exporter would: it
/// sleeps until a batch is full.
final class DrainThread: Sendable {
    private struct State {
        var spans: UInt64 = 0
        var fillNs: UInt64 = 0
        var isOver = false
    }

    private let state = Mutex(State())
    private let finished = Atomic(false)
    private let queue: SpanQueue

    init(_ queue: SpanQueue, batchSpans: Int = 512) {
        self.queue = queue
        WatchThread.start { [self] in
            loop(batchSpans)
            finished.store(true, ordering: .releasing)
        }
    }

    /// Spans drained so far, and the time that took.
    var totals: (spans: UInt64, fillNs: UInt64) { state.withLock { ($0.spans, $0.fillNs) } }

    /// Waits until everything published so far is drained.
    func waitUntilIdle(_ queue: SpanQueue) {
        while queue.pendingCount > 0 {
            queue.wake()
            usleep(200)
        }
    }

    func stop() {
        state.withLock { $0.isOver = true }
        while !finished.load(ordering: .acquiring) {
            queue.wake()
            usleep(200)
        }
    }

    private func loop(_ batchSpans: Int) {
        var body = ExportBody()
        while !state.withLock({ $0.isOver }) {
            let start = TraceClock.monotonicNs
            let spans = queue.fill(&body, spans: batchSpans)
            let passed = TraceClock.monotonicNs - start
            if spans > 0 {
                state.withLock { state in
                    state.spans += UInt64(spans)
                    state.fillNs += passed
                }
            }
            guard spans < batchSpans, queue.armWakeup(pendingAtLeast: batchSpans) else { continue }
            var descriptor = pollfd(
                fd: queue.eventFileDescriptor, events: Int16(POLLIN), revents: 0)
            _ = unsafe poll(&descriptor, 1, 100)
            queue.disarm()
            queue.acknowledgeWakeup()
        }
    }
}
