// A trace span by span: a typical one and the slowest, each bar at its time below the span that caused it.

extension ReportStudy {
    private static let tracesMax = 3
    private static let rowsMax = 60

    /// The traces that results hold, two for each scenario.
    func waterfalls() -> [ReportFigure] {
        let found = widest { run in
            // The graph tells how many there were of those that were looked into.
            run.exampleTraces.map { Double($0.traces) * Double(run.graph?.oneIn ?? 1) }
        }
        var figures: [ReportFigure] = []
        for (place, seen) in found.prefix(Self.tracesMax).enumerated() {
            guard let examples = seen.run.exampleTraces else { continue }
            let group = groups[seen.group]
            let typicalNs = examples.typical?.durationNs
            for (kind, trace) in [("typical", examples.typical), ("slowest", examples.slowest)] {
                guard let trace, !trace.spans.isEmpty else { continue }
                var figure = Self.figure(
                    "trace-\(kind)-\(place)", kind, trace, group, examples,
                    typicalNs: kind == "slowest" ? typicalNs : nil)
                figure.hasAreas = true
                figures.append(figure)
            }
        }
        return figures
    }

    private static func figure(
        _ id: String, _ kind: String, _ trace: ExampleTrace, _ group: ReportGroup,
        _ examples: ExampleTraces, typicalNs: UInt64?
    ) -> ReportFigure {
        let tree = TraceTree(trace)
        let among = NumberText.grouped(examples.traces)
        let choice =
            kind == "typical"
            ? "Of a sample of the \(among) traces looked into, of those that begin as most do, the one "
                + "of median length."
            : "The longest of the \(among) traces looked into."
        let hidden =
            trace.spanCount > UInt64(min(rowsMax, trace.spans.count))
            ? " Its first \(min(rowsMax, trace.spans.count)) of \(NumberText.grouped(trace.spanCount)) "
                + "spans are drawn." : ""
        var table = ReportTable(
            caption: "Spans of the \(kind) trace",
            columns: [
                .text("span"), .text("service"), .text("kind"), .number("start"),
                .number("duration"), .number("own time"), .text("error"),
            ])
        for row in tree.rows {
            let span = trace.spans[row.place]
            table.rows.append([
                .init(String(repeating: "· ", count: min(row.depth, 12)) + span.operation),
                .init(span.service), .init(span.kind.rawValue),
                .init(NumberText.duration(ns: Double(span.startNs))),
                .init(NumberText.duration(ns: Double(span.durationNs))),
                .init(NumberText.duration(ns: tree.ownNs[row.place])),
                span.isError ? .init("error", .bad) : "",
            ])
        }
        return ReportFigure(
            id, "The \(kind) trace of \(group.scenario)",
            says: choice + " Each bar is a span at its time, below the one that caused it; ✗ marks "
                + "errors.\(hidden)",
            concludes: conclusion(trace, tree, typicalNs: typicalNs),
            legend: tree.services.prefix(ChartPalette.seriesCount).enumerated().map {
                ($0.offset, $0.element)
            }, table: table
        ) { draw(trace, tree, $0) }
    }

    private static func conclusion(
        _ trace: ExampleTrace, _ tree: TraceTree, typicalNs: UInt64?
    ) -> String {
        var text = "It took \(NumberText.duration(ns: Double(trace.durationNs)))"
        if let typicalNs, typicalNs > 0 {
            let factor = Double(trace.durationNs) / Double(typicalNs)
            text += ", \(NumberText.short(factor)) times the typical one"
        }
        text += "."
        let whole = tree.ownNs.reduce(0, +)
        let byService = Dictionary(grouping: trace.spans.indices) { trace.spans[$0].service }
            .mapValues { $0.reduce(0) { $0 + tree.ownNs[$1] } }
        if whole > 0, let most = byService.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }) {
            text +=
                " \(most.key.isEmpty ? "A service without a name" : most.key) spent most time on its "
                + "own account, \(NumberText.percent(share: most.value / whole)) of all"
            if let longest = trace.spans.indices.max(by: { tree.ownNs[$0] < tree.ownNs[$1] }) {
                text +=
                    "; the longest single piece is in \(trace.spans[longest].operation), "
                    + NumberText.duration(ns: tree.ownNs[longest])
            }
            text += "."
        }
        let errors = trace.spans.count(where: \.isError)
        if errors > 0 { text += " \(GateText.count(errors, "span")) ended in an error." }
        return text
    }

    private static func draw(
        _ trace: ExampleTrace, _ tree: TraceTree, _ width: ChartFrame.Width
    ) -> ChartFrame {
        let isWide = width == .wide
        let rowHeight = isWide ? 20.0 : 33
        let rows = tree.rows.prefix(rowsMax)
        let names = isWide ? 236.0 : 6
        var frame = ChartFrame(
            width, height: rowHeight * Double(rows.count) + 62,
            x: .linear(
                "time since the trace began", covering: [0, Double(max(1, trace.durationNs))],
                endsAtValues: true, steps: isWide ? 5 : 3
            ) { $0 == 0 ? "0" : ReportText.tick($0, unit: "ns") },
            y: .linear("", covering: [0, 1]) { _ in "" }, hidesVertical: true,
            margins: (names, isWide ? 74 : 66))
        for (number, row) in rows.enumerated() {
            let span = trace.spans[row.place]
            let top = 12 + rowHeight * Double(number)
            let indent = Double(min(row.depth, isWide ? 9 : 7)) * 9
            let parent = span.parent.map { trace.spans[$0].service }
            let service = span.service.isEmpty ? "(no service)" : span.service
            let name =
                (span.isError ? "✗ " : "")
                + (parent == span.service ? span.operation : "\(service) \(span.operation)")
            let start = frame.across(Double(span.startNs))
            let end = frame.across(Double(span.startNs) + Double(span.durationNs))
            let duration = NumberText.duration(ns: Double(span.durationNs))
            let middle = isWide ? top + 13 : top + 12
            frame.label(
                name, 4 + indent, middle, style: span.isError ? "bad" : "label",
                room: (isWide ? names - 12 : width.units - 12) - indent)
            frame.bar(
                start, isWide ? top + 4 : top + 17, width: max(1.5, end - start),
                height: isWide ? 12 : 11, series: tree.series(of: span.service),
                name: "\(service) \(span.operation): \(duration)")
            frame.label(
                duration, width.units - 2, isWide ? middle : top + 27, anchor: "end",
                style: "small")
        }
        return frame
    }
}

/// The spans of a trace in the order of their tree, and what each took for itself.
struct TraceTree: Sendable {
    /// Place of a span and the levels above it.
    private(set) var rows: [(place: Int, depth: Int)] = []
    /// Time of each span in which none of its children ran.
    private(set) var ownNs: [Double]
    /// In the order of their first span.
    let services: [String]
    private let numbers: [String: Int]

    /// O(n log n), whatever the parents say: rings are cut where they are met.
    init(_ trace: ExampleTrace) {
        let spans = trace.spans
        var children = spans.map { _ in [Int]() }
        var roots: [Int] = []
        for (place, span) in spans.enumerated() {
            if let parent = span.parent, spans.indices.contains(parent), parent != place {
                children[parent].append(place)
            } else {
                roots.append(place)
            }
        }
        ownNs = spans.indices.map { Self.own(spans[$0], children[$0].map { spans[$0] }) }
        var isPlaced = spans.map { _ in false }
        for start in roots + Array(spans.indices) where !isPlaced[start] {
            var stack = [(place: start, depth: 0)]
            while let next = stack.popLast() {
                guard !isPlaced[next.place] else { continue }
                isPlaced[next.place] = true
                rows.append(next)
                for child in children[next.place].sorted(by: {
                    (spans[$0].startNs, $0) > (spans[$1].startNs, $1)
                }) {
                    stack.append((child, next.depth + 1))
                }
            }
        }
        var numbers: [String: Int] = [:]
        var services: [String] = []
        for row in rows where numbers[spans[row.place].service] == nil {
            numbers[spans[row.place].service] = services.count
            services.append(spans[row.place].service)
        }
        self.numbers = numbers
        self.services = services
    }

    /// The colour of a service.
    func series(of service: String) -> Int { numbers[service] ?? 0 }

    private static func own(_ span: ExampleSpan, _ children: [ExampleSpan]) -> Double {
        let (start, end) = (
            Double(span.startNs), Double(span.startNs) + Double(span.durationNs)
        )
        var covered = 0.0
        var reached = start
        for child in children.sorted(by: { $0.startNs < $1.startNs }) {
            let first = max(reached, Double(child.startNs))
            let last = min(end, Double(child.startNs) + Double(child.durationNs))
            if last > first {
                covered += last - first
                reached = last
            }
        }
        return end - start - covered
    }
}
