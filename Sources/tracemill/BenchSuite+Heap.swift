// What a span asks of the allocator, on the thread that makes it and on the one that makes bodies of it.
import TraceCore
import TraceLoad

extension BenchSuite {
    mutating func heap() throws {
        let rows = [
            BenchRow(
                "heapCallsPerSpan", "allocations, a sampled span", unit: "calls", beside: ""),
            BenchRow(
                "heapCallsPerSpanExporter", "… into bodies, on another thread", unit: "calls",
                beside: ""),
        ]
        guard isAnyWanted(rows) else { return }
        let shape = FiveAttributes()
        let rig = try BenchRig(clock: clock, queueSpans: 16_384)
        let (queue, count) = (rig.recorder.queue, 8_192)
        let failure = BenchBroken(description: "jemalloc keeps no statistics: no allocations")
        try measure(rows) { _ in
            let made = HeapCount.calls {
                for number in 0..<count { _ = shape.make(rig.tracer, number, at: nil) }
            }
            rig.note(made: count)
            let drained = try ProducerThreads.run(1) { _ in
                var body = ExportBody()
                return HeapCount.calls { while queue.fill(&body, spans: 512) > 0 {} }
            }
            guard let made, let drained = drained.first, let drained else { throw failure }
            return [
                BenchSample(Double(made) / Double(count)),
                BenchSample(Double(drained) / Double(count)),
            ]
        }
        try rig.check("spans whose allocations were counted")
    }
}
