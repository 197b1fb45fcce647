// The service graph as a picture: callers above those whom they call. Layers by the longest way from a caller
// (Sugiyama, Tagawa and Toda, 1981), the order within them by the mean place of the neighbours above.

extension ReportStudy {
    /// Graphs drawn; each variant sees the same services.
    private static let graphsMax = 3
    private static let nodesMax = 40

    /// A picture for each scenario that has a graph.
    func graphs() -> [ReportFigure] {
        let found = widest { run in
            guard let graph = run.graph, graph.defect == nil, !graph.edges.isEmpty else {
                return nil
            }
            return Double(graph.traces) * Double(graph.oneIn)
        }
        return found.prefix(Self.graphsMax).enumerated().compactMap { place, seen in
            seen.run.graph.map { Self.figure("graph-\(place)", groups[seen.group], $0) }
        }
    }

    /// Of each scenario the run that saw most, by a count of its traces: a sampler that keeps errors alone shows
    /// services as they are not. With the place of its group.
    func widest(_ traces: (RunRecord) -> Double?) -> [(group: Int, run: RunRecord)] {
        var names: [String] = []
        var found: [String: (group: Int, run: RunRecord, traces: Double)] = [:]
        for (number, group) in groups.enumerated() {
            for run in group.runs {
                guard let count = traces(run) else { continue }
                if found[group.scenario] == nil { names.append(group.scenario) }
                if count >= found[group.scenario]?.traces ?? 0 {
                    found[group.scenario] = (number, run, count)
                }
            }
        }
        return names.compactMap { found[$0].map { ($0.group, $0.run) } }
    }

    private static func figure(
        _ id: String, _ group: ReportGroup, _ graph: ServiceGraph
    ) -> ReportFigure {
        let several = " Of a run of \(group.name)."
        var table = ReportTable(
            caption: "Calls between services",
            columns: [
                .text("caller"), .text("callee"), .number("calls a trace"), .number("errors"),
                .number("p50"), .number("p99"), .number("max"),
            ])
        for edge in graph.edges.sorted(by: { $0.calls > $1.calls }) {
            func time(_ value: UInt64?) -> ReportTable.Cell {
                .init(value.map { NumberText.duration(ns: Double($0)) } ?? "–")
            }
            table.rows.append([
                .init(graph.nodes[edge.from].label), .init(graph.nodes[edge.to].label),
                .init(NumberText.short(edge.callsPerTrace)),
                .init(
                    NumberText.percent(share: edge.errorRate), edge.isFailing ? .bad : .plain),
                time(edge.latencyNsP50), time(edge.latencyNsP99), time(edge.latencyNsMax),
            ])
        }
        let drawn = graph.busiest(nodesMax)
        let rest = graph.nodes.count - drawn.nodes.count
        let left = rest > 0 ? " The \(rest) least called are only in the table." : ""
        return ReportFigure(
            id, "Who calls whom in \(group.scenario)",
            says:
                "Callers above, callees below, as the receiver saw them in spans: an arrow is as thick "
                + "as calls are many, and red where more than 1% of them fail. In the boxes: how often each "
                + "is called in a trace (×), and its longest p99.\(several)\(left)",
            concludes: conclusion(graph), table: table,
            drawings: ChartFrame.Width.allCases.map { width in
                let drawing = GraphDrawing(drawn, width)
                return ChartFrame.image(
                    width, height: drawing.height, id: "\(id)-\(width.rawValue)",
                    title: "Who calls whom in \(group.scenario)",
                    description: conclusion(graph), drawing.markup)
            })
    }

    private static func conclusion(_ graph: ServiceGraph) -> String {
        func name(_ edge: ServiceGraph.Edge) -> String {
            "\(graph.nodes[edge.from].label) to \(graph.nodes[edge.to].label)"
        }
        let calls = graph.edges.filter { graph.nodes[$0.from].kind != .outside }
        var text =
            "\(GateText.count(graph.nodes.count { $0.kind == .service }, "service")) and "
            + "\(GateText.count(graph.edges.count, "kind")) of calls."
        if let slowest = calls.max(by: { ($0.latencyNsP99 ?? 0) < ($1.latencyNsP99 ?? 0) }),
            let time = slowest.latencyNsP99
        {
            text +=
                " Slowest at p99: \(name(slowest)), \(NumberText.duration(ns: Double(time)))."
        }
        let failing = calls.filter(\.isFailing)
        if let worst = failing.max(by: { $0.errorRate < $1.errorRate }) {
            text +=
                " Most errors: \(name(worst)), \(NumberText.percent(share: worst.errorRate))."
        } else {
            text += " No kind of call fails in more than 1%."
        }
        return text
    }
}

extension ServiceGraph.Edge {
    fileprivate var isFailing: Bool { errorRate > 0.01 }
}

extension ServiceGraph {
    /// The graph among the nodes that are called or call most.
    fileprivate func busiest(_ countMax: Int) -> ServiceGraph {
        guard nodes.count > countMax else { return self }
        var weights = nodes.map { _ in 0.0 }
        for edge in edges {
            weights[edge.from] += edge.calls
            weights[edge.to] += edge.calls
        }
        let kept = Set(nodes.indices.sorted { weights[$0] > weights[$1] }.prefix(countMax))
        var places: [Int: Int] = [:]
        var graph = self
        graph.nodes = nodes.indices.filter(kept.contains).map { old in
            places[old] = places.count
            return nodes[old]
        }
        graph.edges = edges.compactMap { edge in
            guard let from = places[edge.from], let to = places[edge.to] else { return nil }
            var edge = edge
            edge.from = from
            edge.to = to
            return edge
        }
        return graph
    }
}

/// Boxes and arrows of one graph at one width.
private struct GraphDrawing {
    private(set) var markup = Markup()
    private(set) var height = 0.0
    private let graph: ServiceGraph
    private let width: ChartFrame.Width
    private var boxes: [(x: Double, y: Double, width: Double)] = []
    private static let boxHeight = 40.0

    init(_ graph: ServiceGraph, _ width: ChartFrame.Width) {
        self.graph = graph
        self.width = width
        place()
        for edge in graph.edges where edge.from != edge.to { draw(edge) }
        for place in graph.nodes.indices { drawBox(place) }
    }

    // MARK: Placing

    private mutating func place() {
        let layers = Self.layers(of: graph)
        let columnsMax = width == .wide ? 5 : 2
        let gap = width == .wide ? 20.0 : 14
        boxes = graph.nodes.map { _ in (0, 0, 0) }
        var centres = graph.nodes.map { _ in width.units / 2 }
        var top = 6.0
        for layer in 0...(layers.max() ?? 0) {
            let members = graph.nodes.indices.filter { layers[$0] == layer }
            func mean(_ node: Int) -> Double {
                let callers = graph.edges.filter { $0.to == node && layers[$0.from] < layer }
                guard !callers.isEmpty else { return width.units / 2 }
                return callers.reduce(0) { $0 + centres[$1.from] } / Double(callers.count)
            }
            let keyed = members.map { (mean($0), $0) }.sorted { $0 < $1 }.map(\.1)
            for start in stride(from: 0, to: keyed.count, by: columnsMax) {
                let row = keyed[start..<min(keyed.count, start + columnsMax)]
                let room = (width.units - 12 - gap * Double(row.count - 1)) / Double(row.count)
                let boxWidth = min(width == .wide ? 170 : 150, room)
                let whole = boxWidth * Double(row.count) + gap * Double(row.count - 1)
                var x = (width.units - whole) / 2
                for node in row {
                    boxes[node] = (x, top, boxWidth)
                    centres[node] = x + boxWidth / 2
                    x += boxWidth + gap
                }
                let isLastRow = start + columnsMax >= keyed.count
                top += Self.boxHeight + (isLastRow ? 44 : 16)
            }
        }
        height = top - 34
    }

    /// The longest way to each node, calls back to a caller left out. O(nodes · edges).
    private static func layers(of graph: ServiceGraph) -> [Int] {
        var callees = graph.nodes.map { _ in [Int]() }
        for edge in graph.edges where edge.from != edge.to { callees[edge.from].append(edge.to) }
        var state = graph.nodes.map { _ in 0 }
        var order: [Int] = []
        var forward = graph.nodes.map { _ in [Int]() }
        let called = Set(graph.edges.filter { $0.from != $0.to }.map(\.to))
        let starts = graph.nodes.indices.sorted {
            (called.contains($0) ? 1 : 0, $0) < (called.contains($1) ? 1 : 0, $1)
        }
        for start in starts where state[start] == 0 {
            var stack = [(node: start, next: 0)]
            state[start] = 1
            while let (node, next) = stack.last {
                guard next < callees[node].count else {
                    state[node] = 2
                    order.append(node)
                    stack.removeLast()
                    continue
                }
                stack[stack.count - 1].next += 1
                let callee = callees[node][next]
                // A callee that is on the way here calls back: no layer follows from it.
                guard state[callee] != 1 else { continue }
                forward[node].append(callee)
                if state[callee] == 0 {
                    state[callee] = 1
                    stack.append((callee, 0))
                }
            }
        }
        var layers = graph.nodes.map { _ in 0 }
        for node in order.reversed() {
            for callee in forward[node] { layers[callee] = max(layers[callee], layers[node] + 1) }
        }
        return layers
    }

    // MARK: Drawing

    private mutating func draw(_ edge: ServiceGraph.Edge) {
        let (from, to) = (boxes[edge.from], boxes[edge.to])
        let most = graph.edges.map(\.calls).max() ?? 1
        let share = most > 0 ? max(0, min(1, edge.calls / most)) : 0
        let thickness = 1 + 4 * share.squareRoot()
        let style = edge.isFailing ? " failing" : ""
        let coordinate = Markup.coordinate
        let start: (x: Double, y: Double)
        let end: (x: Double, y: Double)
        let path: String
        if to.y > from.y {
            start = (from.x + from.width * port(edge, isStart: true), from.y + Self.boxHeight)
            end = (to.x + to.width * port(edge, isStart: false), to.y - 7)
            let bend = max(16, (end.y - start.y) / 2)
            path =
                "M\(coordinate(start.x)) \(coordinate(start.y))C\(coordinate(start.x)) "
                + "\(coordinate(start.y + bend)) \(coordinate(end.x)) \(coordinate(end.y - bend)) "
                + "\(coordinate(end.x)) \(coordinate(end.y))"
        } else {
            // Back to a caller, or beside it: round the outside.
            start = (from.x + from.width * 0.8, from.y)
            end = (to.x + to.width * 0.8, to.y - 7)
            let above = min(from.y, to.y) - 26
            path =
                "M\(coordinate(start.x)) \(coordinate(start.y))C\(coordinate(start.x + 30)) "
                + "\(coordinate(above)) \(coordinate(end.x + 30)) \(coordinate(above)) "
                + "\(coordinate(end.x)) \(coordinate(end.y))"
        }
        let name =
            "\(graph.nodes[edge.from].label) → \(graph.nodes[edge.to].label): "
            + "\(NumberText.short(edge.callsPerTrace)) calls a trace, "
            + "\(NumberText.percent(share: edge.errorRate)) errors"
            + (edge.latencyNsP99.map { ", p99 \(NumberText.duration(ns: Double($0)))" } ?? "")
        markup.element(
            "path", ["class": "edge\(style)", "d": path, "stroke-width": coordinate(thickness)]
        ) { $0.element("title", text: name) }
        let half = 3 + thickness / 2
        markup.element(
            "path",
            [
                "class": "tip\(style)",
                "d": "M\(coordinate(end.x)) \(coordinate(end.y + 7))L\(coordinate(end.x - half)) "
                    + "\(coordinate(end.y - 1))L\(coordinate(end.x + half)) \(coordinate(end.y - 1))z",
            ])
    }

    /// Where on a box an arrow leaves or arrives: side by side, in the order of their other ends, so that those
    /// of one box do not cross.
    private func port(_ edge: ServiceGraph.Edge, isStart: Bool) -> Double {
        func other(_ edge: ServiceGraph.Edge) -> Double {
            let box = boxes[isStart ? edge.to : edge.from]
            return box.x + box.width / 2
        }
        let beside = graph.edges.filter { other in
            other.from != other.to && boxes[other.to].y > boxes[other.from].y
                && (isStart ? other.from == edge.from : other.to == edge.to)
        }.sorted { (other($0), $0.from, $0.to) < (other($1), $1.from, $1.to) }
        let place = beside.firstIndex { $0.from == edge.from && $0.to == edge.to } ?? 0
        return Double(place + 1) / Double(beside.count + 1)
    }

    private mutating func drawBox(_ place: Int) {
        let node = graph.nodes[place]
        let box = boxes[place]
        let arriving = graph.edges.filter { $0.to == place }
        let calls = arriving.reduce(0) { $0 + $1.callsPerTrace }
        let slowest = arriving.compactMap(\.latencyNsP99).max()
        var facts = ""
        if !arriving.isEmpty {
            facts =
                "×\(ReportText.tick(calls, unit: "1"))"
                + (slowest.map { ", \(NumberText.duration(ns: Double($0)))" } ?? "")
        }
        let name = node.kind == .outside ? "outside" : node.name
        let radius = node.kind == .service ? "5" : "19"
        markup.element("g") { group in
            group.element("title", text: "\(node.label) \(facts)")
            group.element(
                "rect",
                [
                    "class": "node \(ChartFrame.series(node.kind.series))",
                    "x": Markup.coordinate(box.x), "y": Markup.coordinate(box.y),
                    "width": Markup.coordinate(box.width),
                    "height": Markup.coordinate(Self.boxHeight), "rx": radius,
                ])
            let middle = box.x + box.width / 2
            ChartFrame.label(
                name, middle, box.y + (facts.isEmpty ? 24 : 17), anchor: "middle",
                style: "strong", room: box.width - 10, to: &group)
            ChartFrame.label(
                facts, middle, box.y + 32, anchor: "middle", style: "small",
                room: box.width - 8, to: &group)
        }
    }
}

extension ServiceGraph.Node.Kind {
    fileprivate var series: Int {
        switch self {
        case .service: 0
        case .outside: 7
        case .queue: 3
        case .database: 2
        case .external: 1
        }
    }
}
