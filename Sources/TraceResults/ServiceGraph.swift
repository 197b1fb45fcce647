// Who calls whom, with how many calls, errors and times: as a receiver saw it in spans, or as a scenario
// declares it. What `GET /api/graph` of a sink answers and a result file keeps.

/// A graph of services and of what they talk to.
public struct ServiceGraph: ResultObject {
    /// A service, or something that services talk to.
    public struct Node: ResultObject, Hashable {
        /// What it is.
        public enum Kind: String, Codable, Sendable, CaseIterable {
            case service
            case database
            /// A queue or topic.
            case queue
            /// Called by services, sends no spans itself.
            case external
            /// Whoever calls from outside.
            case outside
        }

        public var kind = Kind.service
        public var name = ""
        public var unknownFields: [String: JSONValue] = [:]

        public init() {}

        public init(_ kind: Kind, _ name: String) {
            self.kind = kind
            self.name = name
        }

        public static let fields: [ResultField<Node>] = [
            .required("kind", \.kind),
            .required("name", \.name),
        ]
    }

    /// Calls, queries or messages from one node to another.
    public struct Edge: ResultObject, Hashable {
        /// Place in `nodes`.
        public var from = 0
        /// Place in `nodes`.
        public var to = 0
        /// Estimated when not every trace was looked into; for a declared graph expected calls, in an
        /// average trace.
        public var calls: Double = 0
        /// Calls for each trace.
        public var callsPerTrace: Double = 0
        /// Calls a second of the spans' own time; nil when they span none.
        public var callsPerS: Double?
        /// Share of calls that failed.
        public var errorRate: Double = 0
        /// Times of the calls, as the caller's span tells them where there is one; to two digits.
        public var latencyNsP50: UInt64?
        public var latencyNsP99: UInt64?
        public var latencyNsMax: UInt64?
        public var unknownFields: [String: JSONValue] = [:]

        public init() {}

        public static let fields: [ResultField<Edge>] = [
            .required("from", \.from),
            .required("to", \.to),
            .required("calls", \.calls),
            .required("callsPerTrace", \.callsPerTrace),
            .optional("callsPerS", \.callsPerS),
            .required("errorRate", \.errorRate),
            .optional("latencyNsP50", \.latencyNsP50),
            .optional("latencyNsP99", \.latencyNsP99),
            .optional("latencyNsMax", \.latencyNsMax),
        ]
    }

    /// Traces looked into; 0 for a declared graph.
    public var traces: UInt64 = 0
    /// One trace in so many was looked into.
    public var oneIn: UInt64 = 1
    /// How long the traces went on by their own time; nil when they span none.
    public var durationNs: UInt64?
    /// Sorted by kind and name.
    public var nodes: [Node] = []
    /// Sorted by caller and callee.
    public var edges: [Edge] = []
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<ServiceGraph>] = [
        .required("traces", \.traces),
        .required("oneIn", \.oneIn),
        .optional("durationNs", \.durationNs),
        .required("nodes", \.nodes),
        .required("edges", \.edges),
    ]

    /// What keeps a graph that somebody else wrote from being shown.
    public var defect: String? {
        for (place, edge) in edges.enumerated()
        where !nodes.indices.contains(edge.from) || !nodes.indices.contains(edge.to) {
            return "edge \(place) of the graph leads to a node that is not there"
        }
        return nil
    }

    /// Puts nodes and edges into their order.
    public mutating func sort() {
        let order = nodes.indices.sorted {
            (nodes[$0].kind.order, nodes[$0].name) < (nodes[$1].kind.order, nodes[$1].name)
        }
        var places = Array(repeating: 0, count: nodes.count)
        for (place, old) in order.enumerated() { places[old] = place }
        nodes = order.map { nodes[$0] }
        for index in edges.indices {
            edges[index].from = places[edges[index].from]
            edges[index].to = places[edges[index].to]
        }
        edges.sort { ($0.from, $0.to) < ($1.from, $1.to) }
    }
}

extension ServiceGraph.Node.Kind {
    /// Where it stands in lists: callers first.
    var order: Int {
        switch self {
        case .outside: 0
        case .service: 1
        case .queue: 2
        case .database: 3
        case .external: 4
        }
    }
}

extension ServiceGraph.Node {
    /// Its name for people: what it is, when that is not a service.
    public var label: String {
        switch kind {
        case .service: name
        case .outside: "(outside)"
        case .database: "\(name) (database)"
        case .queue: "\(name) (queue)"
        case .external: "\(name) (external)"
        }
    }
}
