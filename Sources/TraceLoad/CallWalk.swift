/// Depth-first walk over the calls of a scenario, for cycles and bounds. One thread.
struct CallWalk {
    struct Edge {
        var from: String
        var to: String
        var position: SourcePosition
        /// Most times it is taken in one run of the caller.
        var most: Double
    }

    enum Finding {
        case fine
        case cycle([Edge])
        case tooDeep(Edge)
    }

    /// Of an operation as it is, and as it is in each incident that changes it.
    private var edges: [String: [[Edge]]] = [:]
    let limit: Int
    private(set) var hasFailed = false
    /// Longest chain of calls below each operation that is done with.
    private var depths: [String: Int] = [:]
    private var path: [Edge] = []

    init(limit: Int) {
        self.limit = limit
    }

    mutating func add(_ edges: [Edge], from name: String) {
        self.edges[name, default: []].append(edges)
    }

    /// The first trouble reachable from `name` that no earlier visit has met.
    mutating func visit(_ name: String) -> Finding {
        if depths[name] != nil { return .fine }
        var depth = 0
        for edge in (edges[name] ?? []).joined() {
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
        let most = (edges[name] ?? []).map { edges in
            edges.reduce(1) { $0 + $1.most * (1 + mostSpans($1.to, &known)) }
        }
        let spans = most.max() ?? 1
        known[name] = spans
        return spans
    }
}
