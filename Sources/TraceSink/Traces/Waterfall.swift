// A trace for the terminal: a line a span, its tree on the left, when it ran on the right.

import TraceResults

/// Draws traces.
public struct Waterfall: Sendable {
    /// Columns of the terminal; what is drawn is at least 72 wide.
    public var columns = 80
    /// How it is coloured.
    public var style = TerminalStyle.plain
    /// Whether each span's events follow it.
    public var showsEvents = false
    /// Spans shown at most.
    public var spansMax = 500

    /// For 80 columns, without colours.
    public init() {}

    private static let durationColumns = 9
    private static let columnsMin = 72

    /// The document as lines, ended by a line feed.
    public func text(of document: OTLPTraces) -> String {
        let forest = SpanForest(document, rowsMax: max(1, spansMax))
        guard !forest.rows.isEmpty else { return "a trace without spans\n" }
        let layout = Layout(forest, columns: max(Self.columnsMin, columns))
        var colours: [String: Int] = [:]
        var lines = heading(document, forest)
        lines.append("")
        lines.append(axis(layout))
        for row in forest.rows {
            let colour = colours[row.service] ?? colours.count
            colours[row.service] = colour
            lines.append(line(row, colour, layout))
            if showsEvents { lines += row.span.events.map { event($0, of: row, layout) } }
        }
        let left = forest.spanCount - forest.rows.count
        if left > 0 {
            lines.append(
                style.dim("… \(NumberText.grouped(left)) more spans (--max-spans shows more)"))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    // MARK: Above

    private func heading(_ document: OTLPTraces, _ forest: SpanForest) -> [String] {
        let shape = TraceShape(document)
        let first = forest.rows[0].span
        let facts = [
            Self.count(shape.spans, "span"), Self.count(shape.services.count, "service"),
            NumberText.duration(ns: Double(forest.extent.end - forest.extent.start)),
        ]
        var line = FittedLine(columns: max(Self.columnsMin, columns))
        line.add(facts.joined(separator: ", ")) { $0 }
        if shape.errors > 0 {
            line.add(", ") { $0 }
            line.add(Self.count(shape.errors, "error")) { style.bad($0) }
        }
        line.add("  began \(HostClock.timestamp(wallNs: forest.extent.start))") { style.dim($0) }
        let id = TerminalText.truncated(TerminalText.neutralised(first.traceId), columns: 32)
        var lines = [style.bold("trace \(id)"), line.text]
        if let flaws = shape.flaws { lines.append(style.warning("incomplete: \(flaws)")) }
        return lines
    }

    static func count(_ number: Int, _ noun: String) -> String {
        "\(NumberText.grouped(number)) \(noun)\(number == 1 ? "" : "s")"
    }

    private func axis(_ layout: Layout) -> String {
        let total = Double(layout.endNs - layout.startNs)
        let end = NumberText.duration(ns: total)
        let middle = NumberText.duration(ns: total / 2)
        var line =
            String(repeating: " ", count: layout.leftColumns + Self.durationColumns + 2) + "0"
        let half = layout.barColumns / 2
        if layout.barColumns >= 40 {
            line += String(repeating: " ", count: max(1, half - 1 - middle.count / 2)) + middle
        }
        let room = layout.columns - TerminalText.width(line) - end.count
        return style.dim(line + String(repeating: " ", count: max(1, room)) + end)
    }

    // MARK: Rows

    private func line(_ row: ForestRow, _ colour: Int, _ layout: Layout) -> String {
        let span = row.span
        let isError = span.isError
        var left = FittedLine(columns: layout.leftColumns)
        left.add(layout.tree(row)) { style.dim($0) }
        if isError { left.add("✗ ") { style.bad($0) } }
        if !row.isWithinService {
            let service = row.service.isEmpty ? "(no service)" : row.service
            left.add(TerminalText.neutralised(service) + " ") { style.coloured($0, colour) }
        }
        left.add(TerminalText.neutralised(span.name)) { isError ? style.bad($0) : $0 }
        switch row.flaw {
        case .parentMissing:
            let parent = TerminalText.neutralised(span.parentSpanId ?? "")
            left.add("  parent \(parent) is not there") { style.warning($0) }
        case .cycle: left.add("  is its own ancestor") { style.warning($0) }
        case nil: break
        }
        if isError, let message = span.status?.message {
            left.add("  " + TerminalText.neutralised(message)) { style.dim($0) }
        }
        let bar = layout.bar(span)
        let duration = TerminalText.rightAligned(
            layout.duration(span), columns: Self.durationColumns)
        let lead = String(repeating: " ", count: bar.lead)
        return left.padded + duration + "  " + lead
            + (isError ? style.bad(bar.text) : style.coloured(bar.text, colour))
    }

    private func event(_ event: OTLPTraces.Event, of row: ForestRow, _ layout: Layout) -> String {
        var line = FittedLine(columns: layout.columns)
        line.add(layout.tree(below: row)) { style.dim($0) }
        let start = row.span.startTimeUnixNano
        let offset = event.timeUnixNano > start ? event.timeUnixNano - start : 0
        line.add("• +\(NumberText.duration(ns: Double(offset))) ") { style.dim($0) }
        line.add(TerminalText.neutralised(event.name)) { $0 }
        for attribute in event.attributes {
            let value = TerminalText.neutralised(attribute.value.line)
            line.add("  \(TerminalText.neutralised(attribute.key))=\(value)") { style.dim($0) }
        }
        return line.text
    }
}

extension Waterfall {
    /// Where everything goes.
    struct Layout {
        /// Levels drawn in front of a span; of more the last ones.
        private let levelsMax: Int
        let columns: Int
        let leftColumns: Int
        let barColumns: Int
        let startNs: UInt64
        let endNs: UInt64

        init(_ forest: SpanForest, columns: Int) {
            self.columns = columns
            (startNs, endNs) = forest.extent
            let leftMax = columns * 11 / 20
            levelsMax = max(3, leftMax / 4)
            var wanted = 24
            for row in forest.rows {
                let indent = 2 * min(row.depth, levelsMax + 5)
                let service = row.isWithinService ? 0 : TerminalText.width(row.service) + 1
                let flaw =
                    switch row.flaw {
                    case .parentMissing: 38
                    case .cycle: 21
                    case nil: 0
                    }
                wanted = max(
                    wanted, indent + service + TerminalText.width(row.span.name) + flaw + 2)
            }
            leftColumns = min(leftMax, wanted)
            barColumns = columns - leftColumns - Waterfall.durationColumns - 2
        }

        /// The lines of the tree in front of a span.
        func tree(_ row: ForestRow) -> String {
            guard let own = row.isLast.last else { return "" }
            return tree(row.isLast.dropLast(), of: row.depth - 1) + (own ? "└ " : "├ ")
        }

        /// The lines of the tree in front of what belongs to a span.
        func tree(below row: ForestRow) -> String { tree(row.isLast[...], of: row.depth) + "  " }

        private func tree(_ levels: ArraySlice<Bool>, of depth: Int) -> String {
            guard depth > levelsMax else { return lines(levels) }
            return "⋯\(depth - levelsMax) " + lines(levels.suffix(levelsMax))
        }

        private func lines(_ levels: ArraySlice<Bool>) -> String {
            levels.map { $0 ? "  " : "│ " }.joined()
        }

        func duration(_ span: OTLPTraces.Span) -> String {
            guard span.endTimeUnixNano >= span.startTimeUnixNano else { return "< 0" }
            return NumberText.duration(
                ns: Double(span.endTimeUnixNano - span.startTimeUnixNano))
        }

        /// A bar in half columns, at least one long.
        func bar(_ span: OTLPTraces.Span) -> (lead: Int, text: String) {
            let halves = barColumns * 2
            let total = Double(max(1, endNs - startNs))
            func half(_ time: UInt64) -> Double {
                Double(max(startNs, time) - startNs) / total * Double(halves)
            }
            let first = min(halves - 1, Int(half(span.startTimeUnixNano)))
            let end = max(span.startTimeUnixNano, span.endTimeUnixNano)
            let last = min(halves, max(first + 1, Int(half(end).rounded())))
            var text = first % 2 == 1 ? "▐" : ""
            let whole = (last / 2) - (first + 1) / 2
            if whole > 0 { text += String(repeating: "█", count: whole) }
            if last % 2 == 1, first % 2 == 0 || last > first + 1 { text += "▌" }
            return (first / 2, text)
        }
    }

    /// A line of pieces, each with its own style, cut where there is no more room.
    struct FittedLine {
        private var room: Int
        private(set) var text = ""

        init(columns: Int) {
            room = columns
        }

        mutating func add(_ piece: String, _ styled: (String) -> String) {
            guard room > 0, !piece.isEmpty else { return }
            let cut = TerminalText.truncated(piece, columns: room)
            room -= TerminalText.width(cut)
            text += styled(cut)
        }

        /// The line, filled up with blanks.
        var padded: String { text + String(repeating: " ", count: max(0, room)) }
    }
}

extension OTLPTraces.Value {
    /// The value on one line.
    var line: String {
        if let stringValue { return stringValue }
        if let boolValue { return boolValue ? "true" : "false" }
        if let intValue { return intValue }
        if let doubleValue { return "\(doubleValue.value)" }
        if let bytesValue { return bytesValue }
        if let arrayValue { return "[\(arrayValue.values.map(\.line).joined(separator: ", "))]" }
        if let kvlistValue {
            return
                "{\(kvlistValue.values.map { "\($0.key)=\($0.value.line)" }.joined(separator: ", "))}"
        }
        return ""
    }
}
