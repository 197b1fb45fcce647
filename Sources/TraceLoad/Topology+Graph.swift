import TraceResults

/// The declared graph in the terms of the one that a receiver sees: services, and what they talk to.
extension Topology {
    /// Services that send spans of their own in some trace; a database is seen from its callers only.
    public var servicesWithSpans: Set<String> {
        Set(
            nodes.indices.filter { nodes[$0].runsPerTrace > 0 && !isQuery($0) }
                .map { nodes[$0].service })
    }

    /// Who calls whom how often in an average trace. An edge's error rate is that of its callee.
    public func graph() -> ServiceGraph {
        var sums: [DeclaredEdge: (calls: Double, errors: Double)] = [:]
        func add(
            _ from: ServiceGraph.Node, _ to: ServiceGraph.Node, _ calls: Double, _ failing: Double
        ) {
            guard calls > 0 else { return }
            let known = sums[DeclaredEdge(from: from, to: to)] ?? (0, 0)
            sums[DeclaredEdge(from: from, to: to)] = (
                known.calls + calls, known.errors + calls * failing
            )
        }
        for root in roots where category(root.node) != .messaging {
            let node = nodes[root.node]
            add(
                ServiceGraph.Node(.outside, ""), ServiceGraph.Node(.service, node.service),
                root.share, node.failureRate)
        }
        for edge in edges {
            let (caller, callee) = (nodes[edge.from], nodes[edge.to])
            let from = ServiceGraph.Node(.service, caller.service)
            let calls = caller.runsPerTrace * edge.callsPerRun
            switch category(edge.to) {
            case .messaging:
                let queue = ServiceGraph.Node(.queue, callee.operation)
                add(from, queue, caller.runsPerTrace * edge.sentPerRun, 0)
                add(queue, ServiceGraph.Node(.service, callee.service), calls, callee.failureRate)
            case .database:
                add(from, ServiceGraph.Node(.database, callee.service), calls, callee.failureRate)
            case .internal where caller.service == callee.service: break
            case .internal, .http, .grpc:
                add(from, ServiceGraph.Node(.service, callee.service), calls, callee.failureRate)
            }
        }
        return Self.graph(of: sums)
    }

    private struct DeclaredEdge: Hashable {
        var from: ServiceGraph.Node
        var to: ServiceGraph.Node
    }

    private static func graph(
        of sums: [DeclaredEdge: (calls: Double, errors: Double)]
    ) -> ServiceGraph {
        var graph = ServiceGraph()
        var places: [ServiceGraph.Node: Int] = [:]
        func place(_ node: ServiceGraph.Node) -> Int {
            if let known = places[node] { return known }
            graph.nodes.append(node)
            places[node] = graph.nodes.count - 1
            return graph.nodes.count - 1
        }
        for (key, sum) in sums {
            var edge = ServiceGraph.Edge()
            edge.from = place(key.from)
            edge.to = place(key.to)
            edge.calls = sum.calls
            edge.callsPerTrace = sum.calls
            edge.errorRate = sum.errors / sum.calls
            graph.edges.append(edge)
        }
        graph.sort()
        return graph
    }
}
