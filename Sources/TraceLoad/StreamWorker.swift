import TraceCore
import TraceResults

/// A worker that replays its stream: the traces of a time run through each other in it, as they would
/// in a service, and are told apart by slots. Under the simulated clock as fast as it can; in real time
/// each instant when it is due, whether or not earlier ones were late, so that the load does not wait
/// for the system under test. Runs on a thread of its own.
struct StreamWorker {
    let feed: PlanFeed
    let control: ReplayControl
    let worker: Int
    /// Monotonic clock; `.max` for none.
    let deadlineNs: UInt64
    /// Unix time at simulated time 0.
    let epochUnixNano: UInt64
    /// Nil under the simulated clock.
    var pace: RealTimePace?
    /// Computes what the spans should say; nil when the replay does not verify.
    var expectation: SpanExpectation?

    private struct LiveTrace {
        var live = LiveSpans(capacity: 16)
        var head = TraceHead(index: 0, startNs: 0, intendedNs: 0)
        /// When it did begin, by the monotonic clock; in real time only.
        var begunNs: UInt64 = 0
        /// Its beginning fell into the time after the run was stopped.
        var isSkipped = false
    }

    private var traces: [LiveTrace] = []

    init(
        feed: PlanFeed, control: ReplayControl, worker: Int, deadlineNs: UInt64,
        epochUnixNano: UInt64, pace: RealTimePace?, expectation: SpanExpectation?
    ) {
        self.feed = feed
        self.control = control
        self.worker = worker
        self.deadlineNs = deadlineNs
        self.epochUnixNano = epochUnixNano
        self.pace = pace
        self.expectation = expectation
    }

    /// Traces that have begun are always finished.
    mutating func run(_ executor: inout TraceExecutor) {
        defer { for trace in traces { trace.live.deallocate() } }
        var chunk = PlanChunk()
        while feed.next(worker, &chunk) {
            if pace == nil {
                if control.isStopped || TraceClock.monotonicNs >= deadlineNs { feed.close() }
            }
            replay(chunk, &executor)
            control.add(executor.takeProgress())
        }
    }

    private mutating func replay(_ chunk: PlanChunk, _ executor: inout TraceExecutor) {
        unsafe chunk.events.withUnsafeBufferPointer { events in
            unsafe chunk.text.withUnsafeBufferPointer { text in
                // A chunk without texts has no address; nothing reads through this one.
                let bytes = unsafe text.baseAddress ?? UnsafePointer(bitPattern: 8)!
                var slot = 0
                if traces.isEmpty { traces.append(LiveTrace()) }
                var live = traces[0].live
                var index: UInt64 = 0
                var startUnixNano: UInt64 = 0
                var isSkipped = false
                for place in events.indices {
                    let event = unsafe events[place]
                    if event.kind.rawValue < PlanEvent.Kind.begin.rawValue {
                        if isSkipped { continue }
                        if event.isStart || event.kind == .forge,
                            Int(event.span) >= live.capacity
                        {
                            traces[slot].live.grow(toHold: Int(event.span) + 1)
                            live = traces[slot].live
                        }
                        unsafe executor.execute(
                            event, index: index, epochUnixNano: startUnixNano, text: bytes,
                            live: live)
                        if expectation != nil { unsafe expectation?.add(event, slot, text) }
                        continue
                    }
                    slot = Int(event.operand)
                    switch event.kind {
                    case .begin:
                        begin(slot, chunk.heads[Int(event.value)], &executor)
                    case .finish:
                        finish(slot, rootCount: event.value, &executor)
                        continue
                    default:
                        if !traces[slot].isSkipped {
                            pace?.wait(untilSimulatedNs: event.value, &executor, control)
                        }
                    }
                    live = traces[slot].live
                    index = traces[slot].head.index
                    startUnixNano = epochUnixNano &+ traces[slot].head.startNs
                    isSkipped = traces[slot].isSkipped
                }
            }
        }
    }

    private mutating func begin(
        _ slot: Int, _ head: TraceHead, _ executor: inout TraceExecutor
    ) {
        while traces.count <= slot { traces.append(LiveTrace()) }
        traces[slot].head = head
        if control.isStopped {
            feed.close()
            traces[slot].isSkipped = true
            return
        }
        traces[slot].isSkipped = false
        if head.startNs > head.intendedNs {
            executor.timings.queueWait.record(head.startNs - head.intendedNs)
        }
        expectation?.begin(slot, head)
        guard pace != nil else { return }
        let lagNs =
            pace?.wait(
                untilSimulatedNs: head.startNs, &executor, control, isBeginning: true) ?? 0
        if control.isStopped {
            // Stopped while it slept.
            feed.close()
            traces[slot].isSkipped = true
            return
        }
        traces[slot].begunNs = TraceClock.monotonicNs
        executor.counters.pacedStarts &+= 1
        if let pace, lagNs > pace.lagMaxNs { executor.counters.lateStarts &+= 1 }
    }

    private mutating func finish(
        _ slot: Int, rootCount: UInt64, _ executor: inout TraceExecutor
    ) {
        guard !traces[slot].isSkipped else { return }
        executor.counters.traces &+= rootCount
        if let dueNs = pace?.due(traces[slot].head.intendedNs) {
            let nowNs = TraceClock.monotonicNs
            executor.timings.traceLatency.record(nowNs - min(nowNs, dueNs))
            executor.timings.traceService.record(nowNs - min(nowNs, traces[slot].begunNs))
            control.add(executor.takeProgress())
        }
        guard expectation != nil else { return }
        let sum = unsafe expectation?.finish(
            slot, cipher: executor.cipher, firstIndex: 0, spans: traces[slot].live.spans)
        executor.counters.semanticSum &+= sum ?? 0
    }
}
