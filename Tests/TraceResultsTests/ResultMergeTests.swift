import Testing

@testable import TraceResults

/// Shards of one run added up, against the same events counted in one.
@Suite("Merging results")
struct ResultMergeTests {
    /// A run over every `step`-th of ten thousand events from `first` on.
    private func run(first: Int, step: Int, hostHash: String = "a") -> RunResult {
        var result = SampleGate.result(rounds: 1)
        result.environment.soft.hostHash = hostHash
        var run = SampleGate.run(factor: 1)
        run.startedAt = "2026-11-21T12:00:0\(first).000Z"
        run.metrics = [:]
        var ledger = ConservationLedger()
        var issued = IssuedCounts()
        issued.identitySum = 0
        var delivery = DeliveryCounts()
        var sink = SinkLedger(mode: .count)
        var batches = BatchReconciliation()
        var ends = LatencyHistogram()
        var cost = 0.0
        var identities: UInt64 = 0
        var count: UInt64 = 0
        for event in stride(from: first, to: 10_000, by: step) {
            let identity = UInt64(event) &* 0x9E37_79B9_7F4A_7C15
            count += 1
            identities &+= identity
            ends.record(UInt64(event * event % 70_000 + 20))
            cost += Double(event % 100)
        }
        issued.startCalls = count
        issued.recorded = count
        issued.sampledEnded = count
        issued.identitySum = identities
        ledger.issued = issued
        ledger.tracer.startCalls = count
        ledger.tracer.recording = count
        ledger.tracer.endedByCaller = count
        ledger.tracer.sampledEnded = count
        delivery.acknowledged = FateCount(count: count, identitySum: identities)
        ledger.deliveries = [delivery]
        sink.spansTotal = Int(count)
        sink.spansDistinct = Int(count)
        sink.identitySum = identities
        batches.acknowledgedSpans = count
        batches.listedSpans = count
        batches.listedIdentitySum = identities
        ledger.sink = sink
        ledger.batches = batches
        ledger.close()
        run.ledger = ledger
        run.load.achievedSpans = count
        run.load.achievedTraces = count
        run.load.durationNs = 1_000_000_000
        run.set(.spanEnd, ends)
        run.set(.cpuNsPerSpan, cost / Double(count), samples: count)
        run.set(.achievedSpansPerS, Double(count))
        run.setExactFigures(hasFixedIdentifiers: true)
        run.series.append(["startedTraces": Double(count)])
        result.runs = [run]
        return result
    }

    @Test("three shards of a run are the run, to the last count", arguments: [2, 3, 7])
    func exact(shards: Int) throws {
        let whole = run(first: 0, step: 1)
        let merged = try ResultMerge.merged(
            (0..<shards).map { ("\($0).json", run(first: $0, step: shards, hostHash: "\($0)")) })
        let (left, right) = (try #require(merged.runs.first), try #require(whole.runs.first))
        #expect(left.ledger == right.ledger)
        #expect(left.ledger.holds && left.valid)
        #expect(left.histograms == right.histograms)
        #expect(left.load == right.load)
        #expect(left.series == right.series)
        #expect(left.metrics["spanEndNsP99"] == right.metrics["spanEndNsP99"])
        #expect(left.metrics["keptSpansChecksum"] == right.metrics["keptSpansChecksum"])
        #expect(left.metrics["achievedSpansPerS"]?.value == 10_000)
        let (mean, expected) = (left.value(.cpuNsPerSpan) ?? 0, right.value(.cpuNsPerSpan) ?? 1)
        #expect(abs(mean - expected) < 1e-9)
    }

    @Test("another scenario, the same run twice, other rounds: refused")
    func refused() throws {
        let first = run(first: 0, step: 2)
        var other = run(first: 1, step: 2)
        #expect(throws: ResultMergeError.self) { try ResultMerge.merged([("a", first)]) }
        #expect(throws: ResultMergeError.self) {
            try ResultMerge.merged([("a", first), ("b", first)])
        }
        other.scenario = ScenarioFacts(name: "shop", seed: 7, resolved: "version: 1 # else\n")
        #expect(throws: ResultMergeError.self) {
            try ResultMerge.merged([("a", first), ("b", other)])
        }
        other = run(first: 1, step: 2)
        other.scenario.seed = 8
        #expect(throws: ResultMergeError.self) {
            try ResultMerge.merged([("a", first), ("b", other)])
        }
        other = run(first: 1, step: 2)
        other.runs[0].round = 3
        #expect(throws: ResultMergeError.self) {
            try ResultMerge.merged([("a", first), ("b", other)])
        }
        other = run(first: 1, step: 2)
        other.runs[0].histograms["spanEndNs"]?.hdrV2 = "AAAA"
        #expect(throws: ResultMergeError.self) {
            try ResultMerge.merged([("a", first), ("b", other)])
        }
    }

    @Test("one invalid shard makes the whole invalid, and unknown fields stay")
    func invalid() throws {
        var first = run(first: 0, step: 2)
        first.unknownFields["later"] = .bool(true)
        first.runs[0].unknownFields["later"] = .integer(3)
        var other = run(first: 1, step: 2)
        other.runs[0].invalidate("the receiver was gone")
        let merged = try ResultMerge.merged([("a", first), ("b", other)])
        #expect(!merged.runs[0].valid)
        #expect(merged.runs[0].reason == "the receiver was gone")
        #expect(merged.unknownFields["later"] == .bool(true))
        #expect(merged.runs[0].unknownFields["later"] == .integer(3))
    }

    @Test("counters at their largest wrap and do not stop the command")
    func overflow() throws {
        var first = run(first: 0, step: 2)
        var other = run(first: 1, step: 2)
        first.runs[0].ledger.sink?.requests = .max
        other.runs[0].ledger.sink?.requests = .max
        first.runs[0].load.achievedSpans = .max
        let merged = try ResultMerge.merged([("a", first), ("b", other)])
        #expect(merged.runs[0].ledger.sink?.requests == -2)
    }

    /// A graph of one call, and perhaps another that only this shard saw.
    private func graph(calls: Double, traces: UInt64, to callee: String?) -> ServiceGraph {
        var graph = ServiceGraph()
        graph.traces = traces
        graph.oneIn = 2
        graph.durationNs = 1_000 * traces
        graph.nodes = [ServiceGraph.Node(.service, "shop"), ServiceGraph.Node(.database, "stock")]
        var edge = ServiceGraph.Edge()
        edge.to = 1
        edge.calls = calls
        edge.callsPerTrace = calls / Double(traces * 2)
        edge.callsPerS = calls / 10
        edge.errorRate = 0.1
        edge.latencyNsP50 = 5
        edge.latencyNsP99 = 50
        edge.latencyNsMax = UInt64(calls)
        graph.edges = [edge]
        if let callee {
            graph.nodes.append(ServiceGraph.Node(.service, callee))
            edge.to = 2
            edge.errorRate = 0
            graph.edges.append(edge)
        }
        graph.sort()
        return graph
    }

    @Test("the graph adds up: calls and errors exactly, medians only where one shard saw the call")
    func graphs() throws {
        var (first, other) = (run(first: 0, step: 2), run(first: 1, step: 2))
        first.runs[0].graph = graph(calls: 300, traces: 100, to: nil)
        other.runs[0].graph = graph(calls: 900, traces: 200, to: "mail")
        var example = ExampleTrace()
        example.durationNs = 70
        var examples = ExampleTraces()
        examples.traces = 100
        examples.typical = example
        examples.slowest = example
        first.runs[0].exampleTraces = examples
        examples.traces = 200
        examples.slowest?.durationNs = 60
        examples.typical?.durationNs = 6
        other.runs[0].exampleTraces = examples
        for pair in [(first, other), (other, first)] {
            let merged = try ResultMerge.merged([("a", pair.0), ("b", pair.1)])
            let graph = try #require(merged.runs[0].graph)
            #expect(graph.defect == nil)
            #expect(graph.traces == 300)
            #expect(graph.durationNs == 200_000)
            #expect(graph.nodes.map(\.label) == ["mail", "shop", "stock (database)"])
            #expect(graph.edges.map(\.calls) == [900, 1200])
            #expect(graph.edges.map(\.callsPerTrace) == [1.5, 2])
            let both = graph.edges[1]
            #expect(abs(both.errorRate - 0.1) < 1e-12)
            #expect(both.callsPerS == 120)
            #expect(both.latencyNsMax == 900)
            #expect(both.latencyNsP50 == nil && both.latencyNsP99 == nil)
            #expect(graph.edges[0].latencyNsP50 == 5)
            let traces = try #require(merged.runs[0].exampleTraces)
            #expect(traces.traces == 300)
            #expect(traces.slowest?.durationNs == 70)
            #expect(traces.typical?.durationNs == 6)
        }
        // What only one shard has says nothing of the whole.
        other.runs[0].graph = nil
        let merged = try ResultMerge.merged([("a", first), ("b", other)])
        #expect(merged.runs[0].graph == nil)
    }

    @Test("a minor version is read and keeps its name, another major version is refused")
    func minorVersions() throws {
        var result = SampleGate.result(rounds: 1)
        result.schema = "tracemill.result/1.7"
        result.unknownFields["novelty"] = .string("kept")
        let text = try ResultFile.text(of: result)
        let read = try ResultFile.result(fromText: text.utf8)
        #expect(read == result)
        for other in [
            "tracemill.result/2", "tracemill.result/1.", "tracemill.result/1.x",
            "tracemill.result/11",
        ] {
            result.schema = other
            let text = try ResultFile.text(of: result)
            #expect(throws: ResultFileError.self, "\(other)") {
                try ResultFile.result(fromText: text.utf8)
            }
        }
    }
}
