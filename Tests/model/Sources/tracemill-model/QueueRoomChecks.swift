// The bound of the queue: how many spans wait in it, and whether room that was taken and not used comes back.

@testable import TraceCore

extension QueueChecks {
    /// The bound is in spans: so many wait, the next is dropped and counted.
    static func bound(operations: Int, seed: UInt64) throws -> Int {
        var done = 0
        let capacities = [1, 2, 7, 64, 1024]
        for (index, capacity) in capacities.enumerated() {
            let rig = try Rig { $0.queueSpans = capacity }
            var body = ExportBody(capacityBytes: 1 << 20)
            var rounds: UInt64 = 0
            while done < operations / capacities.count * (index + 1) {
                for _ in 0..<capacity + 5 { rig.tracer.startSpan("span").end() }
                rounds += 1
                let counters = rig.recorder.counters
                try demand(
                    rig.queue.pendingCount == capacity,
                    "\(rig.queue.pendingCount) wait in a queue of \(capacity)")
                try demand(
                    counters.droppedQueueFull == 5 * rounds,
                    "\(counters.droppedQueueFull) counted as dropped, not \(5 * rounds)")
                var drained = 0
                while true {
                    let spans = rig.queue.fill(&body, spans: 100)
                    if spans == 0 { break }
                    drained += spans
                }
                try demand(drained == capacity, "\(drained) came out of \(capacity)")
                done += 2 * (capacity + 5) + drained
                Watchdog.beat()
            }
        }
        return done
    }

    /// Threads take room in batches: when they have gone, what they did not use is there for others.
    static func roomReturned(operations: Int, seed: UInt64) throws -> Int {
        var done = 0
        for capacity in [7, 64, 1024] {
            let rig = try Rig { $0.queueSpans = capacity }
            var body = ExportBody(capacityBytes: 1 << 20)
            func drain() -> Int {
                var drained = 0
                while true {
                    let spans = rig.queue.fill(&body, spans: 100)
                    if spans == 0 { return drained }
                    drained += spans
                }
            }
            for _ in 0..<max(4, operations / (3 * (16 + 2 * capacity))) {
                OSThreads.run(count: 4) { _ in rig.tracer.startSpan("span").end() }
                let brought = drain()
                try demand(brought == 4, "\(brought) spans of four threads")
                for _ in 0..<capacity { rig.tracer.startSpan("span").end() }
                let room = drain()
                try demand(room == capacity, "room for \(room) is left of \(capacity)")
                done += 16 + 2 * capacity
                Watchdog.beat()
            }
        }
        return done
    }
}
