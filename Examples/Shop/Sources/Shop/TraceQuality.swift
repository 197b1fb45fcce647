// Are the traces whole? Gaps are instrumentation that does not pass its context on.

import TraceCore
import TracePipeline

/// How many traces are one connected tree.
public struct TraceQuality: Sendable, Equatable {
    public var traces = 0
    public var connectedTraces = 0

    public init(spans: [SpanData]) {
        for trace in Dictionary(grouping: spans, by: \.traceID).values {
            traces += 1
            if Self.isConnectedTree(trace) { connectedTraces += 1 }
        }
    }

    /// 0…1; 1 where there is no trace.
    public var connectedShare: Double {
        traces == 0 ? 1 : Double(connectedTraces) / Double(traces)
    }

    /// Whether the spans of one trace are a tree: a single root from which every span is reached. A
    /// parent that is missing leaves its children out of reach; so does a cycle.
    public static func isConnectedTree(_ spans: [SpanData]) -> Bool {
        let children = Dictionary(grouping: spans, by: \.parentSpanID)
        guard Set(spans.map(SpanPlace.init)).count == spans.count,
            let roots = children[nil], roots.count == 1
        else { return false }
        var reached = 0
        var front = roots
        while let span = front.popLast() {
            reached += 1
            front += children[span.spanID] ?? []
        }
        return reached == spans.count
    }
}
