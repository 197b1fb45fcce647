// Five attributes again, with texts from the heap and keys written where they are set.
import TraceCore
import TraceLoad
import TraceResults

extension BenchSuite {
    mutating func strings() throws {
        try oneThread(
            LiteralKeys(), BenchRow("literalKeysSpanNs", "keys written where they are set"))
        for (areAll, count) in [(false, "Two"), (true, "Five")] {
            try oneThread(
                HeapStrings(areAll: areAll),
                BenchRow(
                    "heapStrings\(count)SpanNs",
                    "\(count.lowercased()) strings of 16–40 bytes from the heap"))
        }
        try oneThread(
            LentTexts(),
            BenchRow("heapTextsLentSpanNs", "five such texts, lent as UTF-8: no reference counts"))
        try twoThreads()
    }

    private mutating func oneThread(_ shape: some SpanShape, _ row: BenchRow) throws {
        guard isWanted(row.name) else { return }
        try verify(shape)
        let rig = try BenchRig(clock: clock)
        let bursts = scaled(24)
        measure([row]) { _ in
            [BenchSample(rig.bursts(shape, bursts, of: 4096, from: rig.made).spanNs)]
        }
        try rig.check(shape.name)
    }

    /// Two threads whose strings are their own, then two whose strings are the same: every use of a
    /// string counts a reference, and the count of a shared one goes from core to core.
    private mutating func twoThreads() throws {
        for (areAll, count) in [(false, "Two"), (true, "Five")] {
            let rows = [
                BenchRow(
                    "heapStrings\(count)OwnSpanNs",
                    "\(count.lowercased()), on two threads, their own"),
                BenchRow(
                    "heapStrings\(count)SharedSpanNs",
                    "\(count.lowercased()), on two threads, shared",
                    beside: "their own"),
            ]
            guard isAnyWanted(rows) else { continue }
            let own = (0..<2).map { _ in HeapStrings(areAll: areAll) }
            let texts = HeapTexts.make(64, bytes: 16...40)
            let shared = (0..<2).map { _ in HeapStrings(areAll: areAll, texts: texts) }
            try verify(shared)
            let team = try ProducerTeam(clock: clock)
            let rounds = scaled(36)
            var outcomes: [ProducerTeam.Outcome] = []
            try measure(
                rows,
                notes: { _ in
                    [String](repeating: ProducerTeam.text(outcomes), count: 2)
                }
            ) { _ in
                let first = try team.run(own, rounds: rounds)
                let second = try team.run(shared, rounds: rounds)
                outcomes.append(second)
                return [
                    BenchSample(first.spanNs), BenchSample(second.spanNs, beside: first.spanNs),
                ]
            }
            try team.check("heap strings on two threads")
        }
    }
}
