import Testing
import TraceResults

@testable import TraceSink

@Suite("Judging and keeping traces")
struct TraceStoreTests {
    private func quality(_ spans: [(id: UInt64, parent: UInt64)]) -> TraceQuality {
        var trace = KeptTrace()
        trace.spans = spans.map {
            KeptSpan(spanID: $0.id, parentSpanID: $0.parent, service: 0, message: 0..<0)
        }
        return TraceQuality(trace)
    }

    @Test("A chain and a tree with one root are complete")
    func complete() {
        let chain = quality((1...50).map { (id: $0, parent: $0 - 1) }.reversed())
        #expect(chain.isComplete)
        #expect(chain.depth == 50)
        let tree = quality((1...127).map { (id: $0, parent: $0 / 2) })
        #expect(tree.isComplete)
        #expect(tree.roots == 1)
        #expect(tree.depth == 7)
        #expect(quality([(id: 1, parent: 0)]).isComplete)
    }

    @Test("A missing parent, two roots, none, and repeated identifiers are not")
    func incomplete() {
        let orphans = quality([(1, 0), (2, 1), (3, 9), (4, 3), (5, 9)])
        #expect(!orphans.isComplete)
        #expect(orphans.orphans == 2)
        #expect(orphans.depth == 2)
        #expect(quality([(1, 0), (2, 0)]).roots == 2)
        #expect(!quality([(1, 0), (2, 0)]).isComplete)
        #expect(!quality([(2, 1)]).isComplete)
        let repeated = quality([(1, 0), (2, 1), (2, 1), (2, 1)])
        #expect(repeated.repeatedIDs == 2)
        #expect(!repeated.isComplete)
    }

    @Test("Spans that are their own ancestors end the search, and are not complete")
    func rings() {
        let ring = quality([(1, 0), (2, 3), (3, 4), (4, 2), (5, 4), (6, 6), (7, 6), (8, 1)])
        #expect(!ring.isComplete)
        #expect(ring.orphans == 0)
        #expect(ring.roots == 1)
        #expect(ring.depth == 2)
    }

    @Test("A random forest has the depth that walking up finds", arguments: 0..<10 as Range<UInt64>)
    func forest(seed: UInt64) {
        var numbers = SeededNumbers(seed)
        let count = UInt64.random(in: 1...300, using: &numbers)
        var parents: [UInt64: UInt64] = [:]
        for id in 1...count { parents[id] = UInt64.random(in: 0..<id, using: &numbers) }
        var deepest = 0
        for id in 1...count {
            var depth = 1
            var next = id
            while let parent = parents[next], parent != 0 {
                depth += 1
                next = parent
            }
            deepest = max(deepest, depth)
        }
        let shuffled = parents.map { (id: $0.key, parent: $0.value) }.shuffled(using: &numbers)
        let result = quality(shuffled)
        #expect(result.depth == deepest)
        #expect(result.roots == parents.values.count { $0 == 0 })
        #expect(result.orphans == 0)
    }

    private func add(_ request: [UInt8], to store: inout TraceStore) throws {
        try unsafe request.withUnsafeBytes {
            store.add(unsafe try RequestVerifier.verify($0))
        }
    }

    @Test("A full store keeps a fair share of whole traces, and says which share")
    func sampling() throws {
        var limits = SinkConfiguration.TraceLimits()
        limits.spansMax = 1_000
        var store = TraceStore(limits: limits)
        for round in 0..<2 as Range<UInt64> {
            for trace in 1...2_000 as ClosedRange<UInt64> {
                let spans = (1...2).map { index in
                    WrittenSpan(
                        traceLow: trace, spanID: round * 2 + index,
                        parent: round * 2 + index - 1
                    ).message
                }
                try add(exportRequest(spans, service: "s"), to: &store)
            }
        }
        var ledger = SinkLedger(mode: .verify)
        store.report(into: &ledger)
        let oneIn = try #require(ledger.tracesKeptOneIn)
        let traces = try #require(ledger.traces)
        #expect(oneIn >= 8 && oneIn & (oneIn - 1) == 0)
        #expect(traces * 4 <= 1_000)
        // 2,000 / oneIn on average; far outside would be unfair.
        #expect(traces > 2_000 / oneIn / 2 && traces < 2_000 / oneIn * 2)
        #expect(ledger.tracesComplete == traces)
        #expect(ledger.spansPerTraceMax == 4)
        #expect(ledger.depthMax == 4)
        #expect(ledger.services == ["s": 8_000])
    }

    @Test("One endless trace is cut, and does not push the others out")
    func endlessTrace() throws {
        var limits = SinkConfiguration.TraceLimits()
        limits.spansMax = 400
        var store = TraceStore(limits: limits)
        for trace in 10..<60 as Range<UInt64> {
            try add(exportRequest([WrittenSpan(traceLow: trace).message]), to: &store)
        }
        for id in 1...1_000 as ClosedRange<UInt64> {
            try add(
                exportRequest([
                    WrittenSpan(traceLow: 1, spanID: id, parent: id - 1).message
                ]), to: &store)
        }
        var ledger = SinkLedger(mode: .verify)
        store.report(into: &ledger)
        #expect(ledger.traces == 51)
        #expect(ledger.tracesComplete == 50)
        #expect(ledger.tracesKeptOneIn == 1)
        #expect(store.trace(TraceKey(high: 0x1111, low: 1))?.trace.isCut == true)
    }

    @Test("Bytes are bounded as spans are")
    func bytesMax() throws {
        var limits = SinkConfiguration.TraceLimits()
        limits.bytesMax = 10_000
        var store = TraceStore(limits: limits)
        let name = String(repeating: "n", count: 500)
        for trace in 1...100 as ClosedRange<UInt64> {
            try add(
                exportRequest([WrittenSpan(traceLow: trace, name: name).message]), to: &store)
        }
        var ledger = SinkLedger(mode: .verify)
        store.report(into: &ledger)
        #expect(try #require(ledger.traces) <= 19)
        #expect(try #require(ledger.tracesKeptOneIn) >= 4)
    }

    @Test("More services than are told apart are counted together")
    func services() throws {
        var limits = SinkConfiguration.TraceLimits()
        limits.servicesMax = 2
        var store = TraceStore(limits: limits)
        for service in ["a", "b", "c", "d", "a"] {
            try add(exportRequest([WrittenSpan().message], service: service), to: &store)
        }
        var ledger = SinkLedger(mode: .verify)
        store.report(into: &ledger)
        #expect(ledger.services == ["a": 2, "b": 1, "other": 2])
        let trace = try #require(store.trace(TraceKey(high: 0x1111, low: 0x2222)))
        #expect(trace.services == ["a", "b", "other", "other", "a"])
    }

    @Test("Invalid identifiers and negative durations are counted")
    func invalidSpans() throws {
        var store = TraceStore(limits: SinkConfiguration.TraceLimits())
        try add(
            exportRequest([
                WrittenSpan(traceHigh: 0, traceLow: 0).message, WrittenSpan(spanID: 0).message,
                WrittenSpan(start: 5, end: 4).message, WrittenSpan(start: 5, end: 5).message,
                ProtobufWriter { $0.text(5, "no identifiers") }.bytes,
            ]), to: &store)
        var ledger = SinkLedger(mode: .verify)
        store.report(into: &ledger)
        #expect(ledger.invalidSpans == 3)
        #expect(ledger.negativeDurations == 1)
    }
}
