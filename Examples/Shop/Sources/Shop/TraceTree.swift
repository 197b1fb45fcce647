// A trace as text, for reading.

import TraceCore
import TracePipeline

/// Draws traces: a line for each span, indented below its parent, with its events.
public enum TraceTree {
    /// Every trace in the order in which they began.
    public static func text(of spans: [SpanData]) -> String {
        let traces = Dictionary(grouping: spans, by: \.traceID).values
            .map { $0.sorted { $0.startUnixNano < $1.startUnixNano } }
            .sorted { $0[0].startUnixNano < $1[0].startUnixNano }
        return traces.map(text(ofTrace:)).joined(separator: "\n")
    }

    private static func text(ofTrace spans: [SpanData]) -> String {
        let known = Set(spans.map(\.spanID))
        let children = Dictionary(grouping: spans, by: \.parentSpanID)
        var text = "trace \(spans[0].traceID.hex), \(spans.count) spans\n"
        func draw(_ span: SpanData, _ indent: String, isLast: Bool) {
            text += indent + (isLast ? "└─ " : "├─ ") + line(span) + "\n"
            let indent = indent + (isLast ? "   " : "│  ")
            let below = children[span.spanID] ?? []
            for event in span.events {
                let values = event.attributes.map { "\($0.key): \($0.value)" }
                text += indent + (below.isEmpty ? "   " : "│  ")
                text += "• \(event.name) {\(values.joined(separator: ", "))}\n"
            }
            for child in below { draw(child, indent, isLast: child.spanID == below.last?.spanID) }
        }
        // A parent that is not there was somebody else's.
        let roots = spans.filter { $0.parentSpanID.map { !known.contains($0) } ?? true }
        for root in roots { draw(root, "", isLast: root.spanID == roots.last?.spanID) }
        return text
    }

    private static func line(_ span: SpanData) -> String {
        var line = "\(span.serviceName ?? "unknown")  \(span.name)"
        if span.kind != .internal { line += "  [\(span.kind)]" }
        if let host = span["server.address"] ?? span["db.namespace"] { line += " → \(host)" }
        if let status = span["http.response.status_code"] { line += "  \(status)" }
        line += "  \(span.durationNs / 1_000) µs"
        switch span.status {
        case .unset: break
        case .ok: line += "  ok"
        case .error:
            line += "  ERROR" + (span.statusMessage.isEmpty ? "" : ": \(span.statusMessage)")
        }
        return line
    }
}
