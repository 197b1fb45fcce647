import Synchronization
import TraceCore

/// A worker under the simulated clock: claims windows of plans and replays them trace by trace, as
/// fast as it can, with the plans' own timestamps. Runs on a thread of its own.
struct SimulatedWorker {
    let source: PlanSource
    let control: ReplayControl
    let arrivalsMax: UInt64
    /// Monotonic clock; `.max` for none.
    let deadlineNs: UInt64
    let epochUnixNano: UInt64
    /// Computes what the spans should say; nil when the replay does not verify.
    var expectation: SpanExpectation?

    /// True when the schedule ran out before the limit.
    mutating func run(_ executor: inout TraceExecutor) -> Bool {
        var live = LiveSpans(capacity: 64)
        defer { live.deallocate() }
        var window = PlanSource.Window()
        while !control.isStopped, TraceClock.monotonicNs < deadlineNs {
            guard source.claim(&window, arrivalsMax: arrivalsMax) else { return true }
            live.reserve(window.batch.spansPerTraceMax)
            replay(window, &executor, live)
            control.add(
                executor.takeProgress(), dropped: UInt64(window.batch.droppedArrivals))
        }
        return false
    }

    private mutating func replay(
        _ window: PlanSource.Window, _ executor: inout TraceExecutor, _ live: LiveSpans
    ) {
        unsafe window.batch.events.withUnsafeBufferPointer { events in
            unsafe window.batch.text.withUnsafeBufferPointer { text in
                // A batch without texts has no address; nothing reads through this one.
                let bytes = unsafe text.baseAddress ?? UnsafePointer(bitPattern: 8)!
                for number in 0..<window.traceCount {
                    if number & 15 == 0, TraceClock.monotonicNs >= deadlineNs { return }
                    let plan = window.batch.traces[number]
                    let index = window.firstIndex &+ plan.index
                    let startUnixNano = epochUnixNano &+ window.startNs &+ plan.startNs
                    for place in plan.events {
                        unsafe executor.execute(
                            events[place], index: index, epochUnixNano: startUnixNano, text: bytes,
                            live: live)
                    }
                    executor.counters.traces &+= UInt64(plan.rootCount)
                    if expectation != nil {
                        let sum = unsafe expectation?.semanticSum(
                            events, plan.events, index: index, startUnixNano: startUnixNano,
                            text: window.batch.text, cipher: executor.cipher, spans: live.spans)
                        executor.counters.semanticSum &+= sum ?? 0
                    }
                }
            }
        }
    }
}
