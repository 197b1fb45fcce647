// Who depends on whom, read from finished spans.

import TraceCore
import TracePipeline

/// The services with what they call: other services, databases, and what belongs to somebody else.
public struct DependencyGraph: Sendable, Equatable {
    public struct Edge: Sendable, Hashable {
        public var from: String
        public var to: String

        public init(_ from: String, _ to: String) {
            self.from = from
            self.to = to
        }
    }

    public private(set) var edges: Set<Edge> = []

    public init(spans: [SpanData]) {
        let byContext = Dictionary(
            spans.map { (SpanPlace($0), $0) }, uniquingKeysWith: { first, _ in first })
        let parents = Set(spans.compactMap { SpanPlace(parentOf: $0) })
        for span in spans {
            let service = span.serviceName ?? "unknown"
            if let caller = SpanPlace(parentOf: span).flatMap({ byContext[$0] })?.serviceName,
                caller != service
            {
                edges.insert(Edge(caller, service))
            }
            guard span.kind == .client else { continue }
            if let database = span["db.namespace"] {
                edges.insert(Edge(service, "Database: \(database)"))
            } else if let host = span["server.address"], !parents.contains(SpanPlace(span)) {
                // A call that nobody's span answers: somebody else's service, or one that is down.
                edges.insert(Edge(service, "\(host)"))
            }
        }
    }

    /// As a diagram for Markdown.
    public var mermaid: String {
        let sorted = edges.sorted { ($0.from, $0.to) < ($1.from, $1.to) }
        var names: [String] = []
        func node(_ name: String) -> String {
            if let index = names.firstIndex(of: name) { return "n\(index)" }
            names.append(name)
            return "n\(names.count - 1)[\(name)]"
        }
        return "graph TD\n"
            + sorted.map { "    \(node($0.from)) --> \(node($0.to))\n" }.joined()
    }
}

/// A span by its trace and its id: an id alone is only good within its trace.
struct SpanPlace: Hashable {
    var traceID: TraceID
    var spanID: SpanID

    init(_ span: SpanData) {
        traceID = span.traceID
        spanID = span.spanID
    }

    /// Nil for a root.
    init?(parentOf span: SpanData) {
        guard let parent = span.parentSpanID else { return nil }
        traceID = span.traceID
        spanID = parent
    }
}
