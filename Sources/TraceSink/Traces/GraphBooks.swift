// The graph of who calls whom, counted from judged traces. Bounded: what is beyond the bounds goes
// under `other`. Not thread-safe.

import Histogram
import TraceResults

/// Calls between nodes, each weighing as many traces as its own stands for.
struct GraphBooks {
    private struct NodeKey: Hashable {
        var kind: ServiceGraph.Node.Kind
        var name: Int32
    }

    private struct EdgeKey: Hashable {
        var from: NodeKey
        var to: NodeKey
    }

    fileprivate struct Edge {
        var calls: UInt64 = 0
        var errors: UInt64 = 0
        var latency = Histogram<UInt64>(
            lowestDiscernibleValue: 1, highestTrackableValue: LatencyHistogram.highestTrackableNs,
            numberOfSignificantValueDigits: .two)
    }

    private let edgesMax: Int
    // About 37 KiB each, which the histogram takes.
    private var edges: [EdgeKey: Edge] = [:]

    init(edgesMax: Int) {
        self.edgesMax = edgesMax
    }

    /// Takes in a trace that `judge` has just judged. O(spans).
    mutating func enter(
        _ trace: StudiedTrace, _ judge: TraceJudge, weight: UInt64, _ names: NameTable
    ) {
        let spans = trace.spans
        for (place, span) in spans.enumerated() where !judge.isRepeated[place] {
            enterArrival(of: span, below: judge.parents[place], in: spans, weight)
            enterDeparture(of: span, isContinued: judge.isContinued[place], names, weight)
        }
    }

    /// How its service was reached.
    private mutating func enterArrival(
        of span: StudiedSpan, below parent: Int, in spans: [StudiedSpan], _ weight: UInt64
    ) {
        let service = NodeKey(kind: .service, name: span.service)
        if span.kind == .consumer {
            var queue = span.peer == .queue ? span.peerName : nil
            if queue == nil, parent >= 0, spans[parent].peer == .queue {
                queue = spans[parent].peerName
            }
            if let queue {
                add(NodeKey(kind: .queue, name: queue), service, span, weight)
                return
            }
        }
        guard parent >= 0 else {
            if parent == TraceJudge.Parent.none, span.kind == .server {
                add(NodeKey(kind: .outside, name: NameTable.other), service, span, weight)
            }
            return
        }
        let caller = spans[parent]
        let isSide = caller.kind == .client || caller.kind == .producer
        guard span.service != caller.service || (isSide && span.kind.isEntry) else { return }
        // The caller's side of a call has the network in it, and the error the caller got.
        var call = isSide ? caller : span
        call.isError = span.isError || call.isError
        add(NodeKey(kind: .service, name: caller.service), service, call, weight)
    }

    /// What it calls that no span of another service answers for.
    private mutating func enterDeparture(
        of span: StudiedSpan, isContinued: Bool, _ names: NameTable, _ weight: UInt64
    ) {
        let service = NodeKey(kind: .service, name: span.service)
        switch (span.peer, span.kind) {
        case (.queue, .producer), (.queue, .client):
            add(service, NodeKey(kind: .queue, name: span.peerName), span, weight)
        case (.database, .client), (.database, .internal):
            guard !isContinued else { return }
            add(service, NodeKey(kind: .database, name: span.peerName), span, weight)
        case (.callee, .client) where !isContinued:
            let isKnown = span.peerName != NameTable.other && names.isService[Int(span.peerName)]
            add(
                service, NodeKey(kind: isKnown ? .service : .external, name: span.peerName), span,
                weight)
        default: break
        }
    }

    private mutating func add(
        _ from: NodeKey, _ to: NodeKey, _ span: StudiedSpan, _ weight: UInt64
    ) {
        var key = EdgeKey(from: from, to: to)
        if edges[key] == nil, edges.count >= edgesMax {
            let other = NodeKey(kind: .service, name: NameTable.other)
            key = EdgeKey(from: other, to: other)
        }
        edges[key, default: Edge()].count(span, weight)
    }

    /// The graph, sorted.
    /// - Parameters:
    ///   - traces: all traces, by their weights.
    ///   - durationNs: how long they went on; nil when that is not to be told.
    func graph(traces: UInt64, durationNs: UInt64?, _ names: NameTable) -> ServiceGraph {
        var graph = ServiceGraph()
        graph.durationNs = durationNs
        var places: [NodeKey: Int] = [:]
        func place(_ key: NodeKey) -> Int {
            if let known = places[key] { return known }
            let name = key.kind == .outside ? "" : names.name(key.name)
            graph.nodes.append(ServiceGraph.Node(key.kind, name))
            places[key] = graph.nodes.count - 1
            return graph.nodes.count - 1
        }
        for (key, counted) in edges {
            var edge = ServiceGraph.Edge()
            edge.from = place(key.from)
            edge.to = place(key.to)
            edge.calls = Double(counted.calls)
            edge.callsPerTrace = edge.calls / Double(max(1, traces))
            edge.errorRate = Double(counted.errors) / Double(max(1, counted.calls))
            if let durationNs, durationNs > 0 {
                edge.callsPerS = edge.calls / (Double(durationNs) / 1e9)
            }
            edge.latencyNsP50 = counted.percentile(50)
            edge.latencyNsP99 = counted.percentile(99)
            edge.latencyNsMax = counted.percentile(100)
            graph.edges.append(edge)
        }
        graph.sort()
        return graph
    }
}

extension GraphBooks.Edge {
    fileprivate mutating func count(_ span: StudiedSpan, _ weight: UInt64) {
        calls &+= weight
        if span.isError { errors &+= weight }
        latency.record(
            min(span.durationNs, LatencyHistogram.highestTrackableNs), count: weight)
    }

    fileprivate func percentile(_ percentile: Double) -> UInt64? {
        latency.totalCount == 0 ? nil : latency.valueAtPercentile(percentile)
    }
}
