// A declared graph beside the one that was seen: what is missing, what nobody declared, what is called
// more or less often than it should be.

/// Two graphs, edge by edge.
public struct GraphComparison: Sendable, Equatable {
    /// An edge in both, or in one of them.
    public struct Row: Sendable, Equatable {
        /// What the comparison says of an edge.
        public enum Finding: Sendable, Equatable {
            case asDeclared
            /// Declared, and no call was seen.
            case missing
            /// Seen, and not declared.
            case undeclared
            /// Seen at another rate than declared, by more than chance.
            case differs
        }

        public var from: ServiceGraph.Node
        public var to: ServiceGraph.Node
        /// Calls for each trace; nil when not declared.
        public var declared: ServiceGraph.Edge?
        /// nil when no call was seen.
        public var seen: ServiceGraph.Edge?
        public var finding: Finding
    }

    /// Sorted by caller and callee.
    public var rows: [Row] = []
    /// Traces that what was seen rests on.
    public var traces: UInt64
    /// Whether the declared rates leave something out, such as timeouts.
    public var isDeclaredExact: Bool

    /// A rate differs when it is off by more than this share of the declared one, and by more than
    /// chance: five standard deviations of as many calls, taken for independent.
    public static let tolerance = 0.1

    /// Compares two graphs, of which the declared one has expected calls for a trace.
    public init(declared: ServiceGraph, seen: ServiceGraph, isDeclaredExact: Bool) {
        traces = seen.traces
        self.isDeclaredExact = isDeclaredExact
        var pairs: [Pair: (declared: ServiceGraph.Edge?, seen: ServiceGraph.Edge?)] = [:]
        for edge in declared.edges {
            pairs[Pair(edge, declared), default: (nil, nil)].declared = edge
        }
        for edge in seen.edges { pairs[Pair(edge, seen), default: (nil, nil)].seen = edge }
        rows = pairs.map { pair, edges in
            Row(
                from: pair.from, to: pair.to, declared: edges.declared, seen: edges.seen,
                finding: Self.finding(edges.declared, edges.seen, traces: seen.traces))
        }
        rows.sort { $0.order < $1.order }
    }

    private struct Pair: Hashable {
        var from: ServiceGraph.Node
        var to: ServiceGraph.Node

        init(_ edge: ServiceGraph.Edge, _ graph: ServiceGraph) {
            from = graph.nodes[edge.from]
            to = graph.nodes[edge.to]
        }
    }

    private static func finding(
        _ declared: ServiceGraph.Edge?, _ seen: ServiceGraph.Edge?, traces: UInt64
    ) -> Row.Finding {
        guard let declared else { return .undeclared }
        let expected = declared.callsPerTrace * Double(traces)
        guard let seen else {
            // Too rare to be seen in so few traces is not missing.
            return expected < 10 ? .asDeclared : .missing
        }
        let off = abs(seen.callsPerTrace - declared.callsPerTrace)
        let chance = 5 * max(1, expected).squareRoot() / Double(max(1, traces))
        return off > max(tolerance * declared.callsPerTrace, chance) ? .differs : .asDeclared
    }

    /// Whether everything is as declared.
    public var holds: Bool { rows.allSatisfy { $0.finding == .asDeclared } }
}

extension GraphComparison.Row {
    fileprivate var order: (Int, String, Int, String) {
        (from.kind.order, from.name, to.kind.order, to.name)
    }
}

extension GraphComparison {
    /// The comparison as a table, ended by a line feed.
    public func text(style: TerminalStyle = .plain) -> String {
        var lines = [
            "declared against seen, in calls for each trace; "
                + "\(NumberText.grouped(traces)) traces looked into",
            "",
        ]
        let names = rows.map { TerminalText.neutralised("\($0.from.label) → \($0.to.label)") }
        let width = min(60, max(4, names.map { TerminalText.width($0) }.max() ?? 0))
        func line(_ name: String, _ cells: [String], _ remark: String) -> String {
            let cells = cells.map { TerminalText.rightAligned($0, columns: 10) }.joined()
            return "  " + TerminalText.fitted(name, columns: width) + cells
                + (remark.isEmpty ? "" : "  " + remark)
        }
        lines.append(style.bold(line("call", ["declared", "seen", "errors", "seen"], "")))
        for (row, name) in zip(rows, names) {
            let text = line(
                name,
                [
                    Self.rate(row.declared), Self.rate(row.seen), Self.errors(row.declared),
                    Self.errors(row.seen),
                ], row.remark)
            lines.append(row.finding == .asDeclared ? text : style.warning(text))
        }
        lines.append("")
        lines.append(verdict)
        return lines.joined(separator: "\n") + "\n"
    }

    private var verdict: String {
        guard !holds else { return "seen as declared" }
        var parts: [String] = []
        for (finding, word) in [
            (Row.Finding.missing, "missing"), (.undeclared, "not declared"),
            (.differs, "at another rate"),
        ] {
            let count = rows.count { $0.finding == finding }
            if count > 0 { parts.append("\(count) \(word)") }
        }
        let remark = isDeclaredExact ? "" : "; declared rates leave out timeouts and breakers"
        return parts.joined(separator: ", ") + remark
    }

    private static func rate(_ edge: ServiceGraph.Edge?) -> String {
        edge.map { NumberText.short($0.callsPerTrace) } ?? "–"
    }

    private static func errors(_ edge: ServiceGraph.Edge?) -> String {
        edge.map { NumberText.percent(share: $0.errorRate) } ?? "–"
    }
}

extension GraphComparison.Row {
    fileprivate var remark: String {
        switch finding {
        case .asDeclared: ""
        case .missing: "missing"
        case .undeclared: "not declared"
        case .differs: "differs"
        }
    }
}
