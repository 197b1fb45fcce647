/// The service graph as text for terminals and as a Mermaid diagram.
extension Topology {
    /// Roots with their call trees, and the averages.
    public func text() -> String {
        var lines: [String] = []
        for root in roots {
            let node = nodes[root.node]
            lines.append(
                "\(node.name)  \(Self.percent(root.share)) of traces, "
                    + "\(Self.decimal(root.spansPerTrace)) spans each")
            appendCalls(of: root.node, indent: "", to: &lines)
        }
        let remark = isExact ? "" : " (timeouts and circuit breakers left out)"
        lines.append("")
        lines.append("expected spans per trace: \(Self.decimal(spansPerTrace))\(remark)")
        return lines.joined(separator: "\n") + "\n"
    }

    private func appendCalls(of number: Int, indent: String, to lines: inout [String]) {
        let calls = edges.filter { $0.from == number }
        for (place, edge) in calls.enumerated() {
            let isLast = place == calls.count - 1
            let node = nodes[edge.to]
            let sign = edge.kind == .call ? "── " : "┄┄ "
            let failure =
                node.failureRate > 0 ? ", fails \(Self.percent(node.failureRate))" : ""
            lines.append(
                indent + (isLast ? "└" : "├") + sign
                    + "\(node.name)  ×\(Self.decimal(edge.callsPerRun))\(failure)")
            appendCalls(of: edge.to, indent: indent + (isLast ? "    " : "│   "), to: &lines)
        }
    }

    /// A `graph LR` with a subgraph a service; messages are dotted arrows.
    public func mermaid() -> String {
        var lines = ["graph LR"]
        var seen: [String] = []
        for node in nodes where !seen.contains(node.service) { seen.append(node.service) }
        for (number, service) in seen.enumerated() {
            lines.append("    subgraph s\(number)[\"\(Self.escaped(service))\"]")
            for (place, node) in nodes.enumerated() where node.service == service {
                lines.append("        n\(place)[\"\(Self.escaped(node.operation))\"]")
            }
            lines.append("    end")
        }
        for edge in edges {
            let arrow = edge.kind == .call ? "-->" : "-.->"
            lines.append(
                "    n\(edge.from) \(arrow)|\(Self.decimal(edge.callsPerRun))| n\(edge.to)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Mermaid takes HTML entities in quoted labels; quotes and angle brackets would end them.
    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("\"", with: "&quot;")
            .replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }

    /// Three digits after the point at most.
    private static func decimal(_ value: Double) -> String {
        let rounded = (value * 1000).rounded() / 1000
        return rounded == rounded.rounded() && abs(rounded) < 1e15
            ? "\(Int(rounded))" : "\(rounded)"
    }

    private static func percent(_ share: Double) -> String { "\(decimal(share * 100))%" }
}
