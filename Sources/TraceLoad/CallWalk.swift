/// Depth-first walk over the calls of a scenario, for cycles and bounds. One thread.
struct CallWalk {
    struct Edge {
        var from: String
        var to: String
        var position: SourcePosition
        /// Most times it is taken in one run of the caller.
        var most: Double
        /// Spans of the caller's that each of them has: a client or producer span, or none.
        var callerSpans: Double
    }

    /// The calls of a script.
    indirect enum Calls {
        case edge(Edge)
        case all([Calls])
        case oneOf([Calls])

        var edges: [Edge] {
            switch self {
            case .edge(let edge): [edge]
            case .all(let parts), .oneOf(let parts): parts.flatMap(\.edges)
            }
        }
    }

    enum Finding {
        case fine
        case cycle([Edge])
        case tooDeep(Edge)
    }

    /// Of an operation as it is, and as it is in each incident that changes it.
    private var calls: [String: [Calls]] = [:]
    private var edges: [String: [Edge]] = [:]
    let limit: Int
    private(set) var hasFailed = false
    /// Longest chain of calls below each operation that is done with.
    private var depths: [String: Int] = [:]
    private var path: [Edge] = []

    init(limit: Int) {
        self.limit = limit
    }

    mutating func add(_ calls: Calls, from name: String) {
        self.calls[name, default: []].append(calls)
        edges[name, default: []] += calls.edges
    }

    /// The first trouble reachable from `name` that no earlier visit has met.
    mutating func visit(_ name: String) -> Finding {
        if depths[name] != nil { return .fine }
        var depth = 0
        for edge in edges[name] ?? [] {
            if let start = path.firstIndex(where: { $0.from == edge.to }) {
                hasFailed = true
                return .cycle(Array(path[start...]) + [edge])
            }
            if edge.to == name {
                hasFailed = true
                return .cycle([edge])
            }
            path.append(edge)
            let finding = path.count > limit ? .tooDeep(edge) : visit(edge.to)
            path.removeLast()
            guard case .fine = finding else {
                hasFailed = true
                depths[name] = depth
                return finding
            }
            depth = max(depth, 1 + (depths[edge.to] ?? 0))
            if depth > limit {
                hasFailed = true
                depths[name] = 0
                return .tooDeep(edge)
            }
        }
        depths[name] = depth
        return .fine
    }

    /// Most spans one run of `name` creates, itself and client or producer spans included.
    func mostSpans(_ name: String, _ known: inout [String: Double]) -> Double {
        if let spans = known[name] { return spans }
        let spans = 1 + ((calls[name] ?? []).map { mostSpans(in: $0, &known) }.max() ?? 0)
        known[name] = spans
        return spans
    }

    private func mostSpans(in calls: Calls, _ known: inout [String: Double]) -> Double {
        switch calls {
        case .edge(let edge):
            edge.most * (edge.callerSpans + mostSpans(edge.to, &known))
        case .all(let parts): parts.reduce(0) { $0 + mostSpans(in: $1, &known) }
        case .oneOf(let parts): parts.map { mostSpans(in: $0, &known) }.max() ?? 0
        }
    }
}
