// The graph of a run that ran in shards: what each receiver saw, added up. Calls, errors and largest times
// add up exactly; medians and p99 of two shards make none of the whole, and are left out of it.

extension ServiceGraph {
    /// The graph of both shards' traces. A trace is in one of them, whole.
    func sum(_ other: ServiceGraph) -> ServiceGraph {
        guard defect == nil, other.defect == nil else { return defect == nil ? self : other }
        var whole = self
        whole.traces = traces &+ other.traces
        whole.oneIn = max(oneIn, other.oneIn)
        // Shards run at the same time.
        whole.durationNs = zipped(durationNs, other.durationNs, max)
        var places = Dictionary(
            nodes.enumerated().map { ($0.element.identity, $0.offset) },
            uniquingKeysWith: { first, _ in first })
        let moved = other.nodes.map { node -> Int in
            if let known = places[node.identity] { return known }
            whole.nodes.append(node)
            places[node.identity] = whole.nodes.count - 1
            return whole.nodes.count - 1
        }
        var edges = Dictionary(
            edges.enumerated().map { ([$0.element.from, $0.element.to], $0.offset) },
            uniquingKeysWith: { first, _ in first })
        for edge in other.edges {
            var edge = edge
            edge.from = moved[edge.from]
            edge.to = moved[edge.to]
            if let known = edges[[edge.from, edge.to]] {
                whole.edges[known] = whole.edges[known].sum(edge)
            } else {
                edges[[edge.from, edge.to]] = whole.edges.count
                whole.edges.append(edge)
            }
        }
        let tracesInAll = tracesEstimated + other.tracesEstimated
        for index in whole.edges.indices where tracesInAll > 0 {
            whole.edges[index].callsPerTrace = whole.edges[index].calls / tracesInAll
        }
        whole.sort()
        return whole
    }

    /// All traces, looked into or not: what calls were divided by.
    private var tracesEstimated: Double {
        guard let edge = edges.first(where: { $0.callsPerTrace > 0 && $0.calls > 0 }) else {
            return Double(traces) * Double(oneIn)
        }
        return edge.calls / edge.callsPerTrace
    }
}

extension ServiceGraph.Node {
    fileprivate var identity: [String] { [kind.rawValue, name] }
}

extension ServiceGraph.Edge {
    fileprivate func sum(_ other: ServiceGraph.Edge) -> ServiceGraph.Edge {
        var whole = self
        whole.calls = calls + other.calls
        if whole.calls > 0 {
            whole.errorRate =
                (errorRate * calls + other.errorRate * other.calls) / whole.calls
        }
        whole.callsPerS = zipped(callsPerS, other.callsPerS, +)
        whole.latencyNsMax = zipped(latencyNsMax, other.latencyNsMax, max)
        whole.latencyNsP50 = nil
        whole.latencyNsP99 = nil
        return whole
    }
}
