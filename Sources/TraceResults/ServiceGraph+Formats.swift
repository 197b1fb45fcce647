// The graph of who calls whom for people and for the tools that draw graphs. Names come from outside:
// in each format they are made such that they stay names.

import FoundationEssentials

/// How a graph is written.
public enum GraphFormat: String, CaseIterable, Sendable {
    /// A table for the terminal.
    case text
    /// A Mermaid flowchart.
    case mermaid
    /// Graphviz.
    case dot
    /// As in a result file.
    case json
}

extension ServiceGraph {
    /// The graph in a format, ended by a line feed.
    public func text(as format: GraphFormat) -> String {
        switch format {
        case .text: table()
        case .mermaid: mermaid()
        case .dot: dot()
        case .json: json()
        }
    }

    // MARK: Text

    private static let callerColumnsMax = 28
    private static let calleeColumnsMax = 40

    private func table() -> String {
        var lines = [Self.headline(self)]
        guard !edges.isEmpty else { return lines[0] + "\n" }
        let names = nodes.map { TerminalText.neutralised($0.label) }
        func width(_ label: String, _ places: [Int], atMost most: Int) -> Int {
            min(most, max(label.count, places.map { TerminalText.width(names[$0]) }.max() ?? 0))
        }
        let callers = width("caller", edges.map(\.from), atMost: Self.callerColumnsMax)
        let callees = width("callee", edges.map(\.to), atMost: Self.calleeColumnsMax)
        func line(_ caller: String, _ callee: String, _ cells: [String]) -> String {
            let cells = zip(cells, [9, 9, 8, 9, 9]).map {
                TerminalText.rightAligned($0, columns: $1)
            }
            return "  " + TerminalText.fitted(caller, columns: callers) + "  "
                + TerminalText.fitted(callee, columns: callees) + cells.joined(separator: " ")
        }
        lines.append("")
        lines.append(
            line("caller", "callee", ["calls/s", "per trace", "errors", "p50", "p99"]))
        var caller: Int?
        for edge in edges {
            lines.append(
                line(
                    edge.from == caller ? "" : names[edge.from], names[edge.to],
                    [
                        edge.callsPerS.map(NumberText.short) ?? "–",
                        NumberText.short(edge.callsPerTrace),
                        NumberText.percent(share: edge.errorRate), Self.time(edge.latencyNsP50),
                        Self.time(edge.latencyNsP99),
                    ]))
            caller = edge.from
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func headline(_ graph: ServiceGraph) -> String {
        if graph.traces == 0, graph.edges.isEmpty { return "no calls were seen" }
        var text = "\(NumberText.grouped(graph.traces)) traces looked into"
        if graph.oneIn > 1 { text += ", 1 in \(NumberText.grouped(graph.oneIn))" }
        if let duration = graph.durationNs {
            text +=
                "; \(NumberText.duration(ns: Double(duration))) of traffic by the spans' own time"
        }
        return text
    }

    private static func time(_ ns: UInt64?) -> String {
        ns.map { NumberText.duration(ns: Double($0)) } ?? "–"
    }

    // MARK: Diagrams

    /// Rate, errors and p99 of an edge, as far as there are any.
    private func label(_ edge: Edge) -> String {
        var parts = [
            edge.callsPerS.map { "\(NumberText.short($0))/s" }
                ?? "\(NumberText.short(edge.callsPerTrace)) a trace"
        ]
        if edge.errorRate > 0 {
            parts.append("\(NumberText.percent(share: edge.errorRate)) errors")
        }
        if let p99 = edge.latencyNsP99 { parts.append("p99 \(Self.time(p99))") }
        return parts.joined(separator: ", ")
    }

    private func mermaid() -> String {
        var lines = ["graph LR"]
        for (place, node) in nodes.enumerated() {
            let name = Self.htmlText(node.kind == .outside ? "outside" : node.name)
            let shape =
                switch node.kind {
                case .service: "[\"\(name)\"]"
                case .database: "[(\"\(name)\")]"
                case .queue: "[[\"\(name)\"]]"
                case .external: "{{\"\(name)\"}}"
                case .outside: "([\"\(name)\"])"
                }
            lines.append("    n\(place)\(shape)")
        }
        for edge in edges {
            lines.append("    n\(edge.from) -->|\"\(label(edge))\"| n\(edge.to)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Mermaid takes HTML entities in quoted labels; quotes and angle brackets would end them.
    static func htmlText(_ text: String) -> String {
        TerminalText.neutralised(text).replacing("&", with: "&amp;")
            .replacing("\"", with: "&quot;").replacing("<", with: "&lt;")
            .replacing(">", with: "&gt;").replacing("`", with: "&#96;")
    }

    private func dot() -> String {
        var lines = ["digraph services {", "    rankdir=LR;", "    node [shape=box];"]
        for (place, node) in nodes.enumerated() {
            let name = Self.dotText(node.kind == .outside ? "outside" : node.name)
            let shape =
                switch node.kind {
                case .service: ""
                case .database: ", shape=cylinder"
                case .queue: ", shape=cds"
                case .external: ", shape=hexagon"
                case .outside: ", shape=oval"
                }
            lines.append("    n\(place) [label=\(name)\(shape)];")
        }
        for edge in edges {
            lines.append("    n\(edge.from) -> n\(edge.to) [label=\(Self.dotText(label(edge)))];")
        }
        return lines.joined(separator: "\n") + "\n}\n"
    }

    /// A quoted string of DOT, in which a backslash and a quote would mean something.
    private static func dotText(_ text: String) -> String {
        let safe = TerminalText.neutralised(text).replacing("\\", with: "\\\\")
            .replacing("\"", with: "\\\"")
        return "\"\(safe)\""
    }

    private func json() -> String {
        guard let data = try? JSONEncoder().encode(self),
            let value = try? JSONDecoder().decode(JSONValue.self, from: data)
        else { return "{}\n" }
        return value.prettyText()
    }
}
