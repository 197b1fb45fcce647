import Testing
import TraceResults

@testable import TraceSink

@Suite("Judging a trace")
struct TraceQualityTests {
    private func quality(_ spans: [(id: UInt64, parent: UInt64)]) -> TraceQuality {
        var trace = StudiedTrace()
        trace.spans = spans.map { span in
            StudiedSpan(
                spanID: span.id, parentSpanID: span.parent, startUnixNano: 0, durationNs: 0,
                service: 1, peerName: 0, kind: .internal, peer: .none, isError: false)
        }
        var judge = TraceJudge()
        return judge.judge(trace, NameTable(namesMax: 10))
    }

    @Test("A chain and a tree with one root are connected")
    func connected() {
        let chain = quality((1...50).map { (id: $0, parent: $0 - 1) }.reversed())
        #expect(chain.isConnected && chain.isComplete)
        #expect(chain.depth == 50)
        let tree = quality((1...127).map { (id: $0, parent: $0 / 2) })
        #expect(tree.isConnected)
        #expect(tree.roots == 1)
        #expect(tree.depth == 7)
        #expect(quality([(id: 1, parent: 0)]).isConnected)
    }

    @Test("A missing parent, two roots, none, and repeated identifiers are not")
    func unconnected() {
        let orphans = quality([(1, 0), (2, 1), (3, 9), (4, 3), (5, 9)])
        #expect(!orphans.isConnected)
        #expect(orphans.orphans == 2)
        #expect(orphans.depth == 2)
        #expect(orphans.wrongParents == 0)
        let twoRoots = quality([(1, 0), (2, 0)])
        #expect(twoRoots.roots == 2)
        #expect(twoRoots.wrongParents == 1)
        #expect(!twoRoots.isConnected)
        #expect(!quality([(2, 1)]).isConnected)
        let repeated = quality([(1, 0), (2, 1), (2, 1), (2, 1)])
        #expect(repeated.repeatedIDs == 2)
        #expect(!repeated.isConnected)
    }

    @Test("Spans that are their own ancestors end the search, and have wrong parents")
    func rings() {
        let ring = quality([(1, 0), (2, 3), (3, 4), (4, 2), (5, 4), (6, 6), (7, 6), (8, 1)])
        #expect(!ring.isConnected)
        #expect(ring.orphans == 0)
        #expect(ring.roots == 1)
        #expect(ring.cyclic == 6)
        #expect(ring.wrongParents == 6)
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

    private func study(_ spans: [StudySpan]) throws -> TraceStudy {
        var study = TraceStudy(SinkConfiguration.StudySettings())
        try study.add(spans)
        return study
    }

    /// A call from one service to another, as most agents write it.
    static func call(errors: Bool = false) -> [StudySpan] {
        [
            StudySpan(id: 1, service: "a", kind: .server),
            StudySpan(
                id: 2, parent: 1, service: "a", kind: .client, isError: errors,
                attributes: [("server.address", "b")]),
            StudySpan(id: 3, parent: 2, service: "b", kind: .server),
        ]
    }

    @Test("A call that a span continues is complete; one that nothing continues is disconnected")
    func disconnected() throws {
        var whole = try study(Self.call())
        #expect(whole.figures(nowNs: 0).completeTraces == 1)
        // Propagation was broken: the callee began a trace of its own.
        var spans = Self.call()
        spans[2].trace = 2
        spans[2].parent = 0
        var broken = try study(spans)
        let figures = broken.figures(nowNs: 0)
        #expect(figures.traces == 2)
        #expect(figures.disconnectedCalls == 1)
        #expect(figures.connectedTraces == 2)
        #expect(figures.completeTraces == 1)
        #expect(figures.completeShare == 0.5)
    }

    @Test("A call that failed, and one to a service without spans, need not be continued")
    func notDisconnected() throws {
        var spans = Self.call(errors: true)
        spans[2].trace = 2
        spans[2].parent = 0
        var failed = try study(spans)
        #expect(failed.figures(nowNs: 0).disconnectedCalls == 0)
        var outward = try study(Array(Self.call().prefix(2)))
        #expect(outward.figures(nowNs: 0).disconnectedCalls == 0)
        #expect(outward.figures(nowNs: 0).completeTraces == 1)
    }

    @Test("A span inside a service below another service has a wrong parent; an entry has not")
    func strayChildren() throws {
        var stray = try study([
            StudySpan(id: 1, service: "a", kind: .server),
            StudySpan(id: 2, parent: 1, service: "b", kind: .internal),
            StudySpan(id: 3, parent: 1, service: "b", kind: .client),
        ])
        let figures = stray.figures(nowNs: 0)
        #expect(figures.strayChildren == 2)
        #expect(figures.wrongParents == 2)
        #expect(figures.connectedTraces == 1)
        #expect(figures.completeTraces == 0)
        // A caller without client spans is no mistake.
        var entries = try study([
            StudySpan(id: 1, service: "a", kind: .server),
            StudySpan(id: 2, parent: 1, service: "b", kind: .server),
            StudySpan(id: 3, parent: 1, service: "c", kind: .consumer),
        ])
        #expect(entries.figures(nowNs: 0).wrongParents == 0)
        #expect(entries.figures(nowNs: 0).completeTraces == 1)
    }

    @Test("Copies of spans are told, and taken for nothing else that is wrong")
    func copies() throws {
        var doubled = try study(Self.call() + Self.call().reversed())
        let (quality, graph) = doubled.report(nowNs: 0)
        #expect(quality.repeatedSpanIDs == 3)
        #expect(quality.wrongParents == 0)
        #expect(quality.disconnectedCalls == 0)
        #expect(quality.orphanSpans == 0)
        #expect(quality.completeTraces == 0)
        #expect(graph.edges.map(\.calls) == [1, 1])
    }
}
