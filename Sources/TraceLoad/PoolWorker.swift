import TraceCore

/// A worker at `rate: max`: claims windows of plans and replays them trace by trace, as fast as it can,
/// with the plans' own timestamps. Runs on a thread of its own.
struct PoolWorker {
    let pool: PlanPool
    let control: ReplayControl
    let arrivalsMax: UInt64
    /// Monotonic clock; `.max` for none.
    let deadlineNs: UInt64
    let epochUnixNano: UInt64
    /// Computes what the spans should say; nil when the replay does not verify.
    var expectation: SpanExpectation?

    mutating func run(_ executor: inout TraceExecutor) {
        var live = LiveSpans(capacity: 64)
        defer { live.deallocate() }
        var window = PlanPool.Window()
        // However late a busy machine lets it begin, it replays some traces: a short run is no empty one.
        repeat {
            guard !control.isStopped, pool.claim(&window, arrivalsMax: arrivalsMax) else { return }
            live.reserve(window.batch.spansPerTraceMax)
            replay(window, &executor, live)
            control.add(executor.takeProgress())
        } while TraceClock.monotonicNs < deadlineNs
    }

    private mutating func replay(
        _ window: PlanPool.Window, _ executor: inout TraceExecutor, _ live: LiveSpans
    ) {
        executor.firstIndex = window.firstIndex
        unsafe window.batch.events.withUnsafeBufferPointer { events in
            unsafe window.batch.text.withUnsafeBufferPointer { text in
                // A batch without texts has no address; nothing reads through this one.
                let bytes = unsafe text.baseAddress ?? UnsafePointer(bitPattern: 8)!
                for number in 0..<window.traceCount {
                    if number > 0, number & 15 == 0, TraceClock.monotonicNs >= deadlineNs { return }
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
                        let head = TraceHead(
                            index: index, startNs: window.startNs &+ plan.startNs, intendedNs: 0)
                        expectation?.begin(0, head)
                        for place in plan.events {
                            unsafe expectation?.add(events[place], 0, text)
                        }
                        let sum = unsafe expectation?.finish(
                            0, cipher: executor.cipher, firstIndex: window.firstIndex,
                            spans: live.spans)
                        executor.counters.semanticSum &+= sum ?? 0
                    }
                }
            }
        }
    }
}
