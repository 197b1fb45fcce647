// A comparison on the terminal: a row for each variant in blocks of columns that fit, the best of each
// column marked, the dominated greyed; under the medians what lies around them.

/// Renders a comparison as text.
public struct ComparisonTable: Sendable {
    /// How the text is coloured.
    public var style: TerminalStyle
    /// Columns of the terminal.
    public var width: Int

    /// A renderer.
    public init(style: TerminalStyle = .plain, width: Int = 80) {
        self.style = style
        self.width = max(60, width)
    }

    /// A space and a figure.
    private static let cellWidth = 12
    private static let nameWidthMax = 26

    /// The comparison as text, ended by a line feed.
    ///
    /// - Parameters:
    ///   - comparison: what was found.
    ///   - path: where the runs were written; nil when they were not.
    public func text(of comparison: Comparison, path: String?) -> String {
        var blocks = [[title(comparison)]]
        let perBlock = max(1, (width - 4 - nameWidth(comparison)) / Self.cellWidth)
        var rest = comparison.columns[...]
        while !rest.isEmpty {
            blocks.append(block(comparison, Array(rest.prefix(perBlock))))
            rest = rest.dropFirst(perBlock)
        }
        blocks.append(legend(comparison))
        blocks.append(budgets(comparison))
        for table in comparison.servicePairs where table.isSplit { blocks.append(pairs(table)) }
        if let words = ServicePairTable.wordsOfWhole(comparison.servicePairs) {
            blocks.append(
                TerminalText.wrapped(
                    TerminalText.neutralised(words), columns: width - 2, indent: "  "
                ).map { "  " + $0 })
        }
        blocks.append(invalid(comparison))
        blocks.append(
            TerminalText.wrapped(
                TerminalText.neutralised(ComparisonAdvice.text(of: comparison)),
                columns: width - 2, indent: ""
            ).map { "  " + $0 })
        var last = comparison.notes.flatMap { note in
            TerminalText.wrapped(
                TerminalText.neutralised(note), columns: width - 2, indent: "  "
            ).map { style.dim("  " + $0) }
        }
        if let path { last.append("  result: " + TerminalText.neutralised(path)) }
        blocks.append(last)
        return blocks.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") }
            .joined(separator: "\n\n") + "\n"
    }

    private func title(_ comparison: Comparison) -> String {
        let name = TerminalText.truncated(
            TerminalText.neutralised(comparison.scenario), columns: 30)
        let rest =
            "\(GateText.count(comparison.variants.count, "variant")), "
            + "\(GateText.count(comparison.rounds, "round")), seed \(comparison.seed)"
            + (comparison.rounds > 1 ? " and on" : "") + ", by "
            + ComparisonColumns.title(comparison.sortedBy)
        return "compare " + style.bold(name) + "  " + style.dim(rest)
    }

    // MARK: Figures

    private func nameWidth(_ comparison: Comparison) -> Int {
        let widest = comparison.variants.map {
            TerminalText.width(TerminalText.neutralised($0.name))
        }.max()
        return min(max(widest ?? 0, 7), Self.nameWidthMax)
    }

    private func block(_ comparison: Comparison, _ columns: [ComparedColumn]) -> [String] {
        let nameWidth = nameWidth(comparison)
        let titles = columns.map { column in
            let words = TerminalText.wrapped(
                ComparisonColumns.title(column.metric), columns: Self.cellWidth - 1, indent: "")
            return words.count > 1
                ? [words[0], words.dropFirst().joined(separator: " ")] : ["", words.first ?? ""]
        }
        var lines = [0, 1].map { row in
            style.bold(
                "    " + TerminalText.fitted(row == 1 ? "variant" : "", columns: nameWidth)
                    + titles.map { cell($0[row]) }.joined())
        }
        let best = columns.map { ComparisonMarks.best(of: $0, in: comparison) }
        for variant in comparison.variants {
            let name = TerminalText.fitted(
                TerminalText.neutralised(variant.name), columns: nameWidth)
            let mark = ComparisonMarks.mark(variant.standing)
            var cells = ""
            for (column, best) in zip(columns, best) {
                guard let figure = variant.figures[column.metric] else {
                    cells += cell("n/a")
                    continue
                }
                let isBest = best.contains(variant.name)
                let text = cell(
                    ComparisonColumns.text(figure.median, column) + (isBest ? "*" : " "))
                cells += isBest ? style.good(text) : text
            }
            let line = "  \(mark) \(name)\(cells)"
            lines.append(variant.standing == .dominated ? style.dim(line) : line)
            let spreads = columns.map { column in
                variant.figures[column.metric].flatMap { ComparisonColumns.spread($0, column) }
            }
            if spreads.contains(where: { $0 != nil }) {
                let cells = spreads.map { cell(($0 ?? "") + " ") }.joined()
                lines.append(
                    style.dim("    " + String(repeating: " ", count: nameWidth) + cells))
            }
        }
        return lines
    }

    private func cell(_ text: String) -> String {
        TerminalText.rightAligned(
            TerminalText.truncated(text, columns: Self.cellWidth - 1), columns: Self.cellWidth)
    }

    private func legend(_ comparison: Comparison) -> [String] {
        let around =
            comparison.rounds >= ComparedFigure.intervalRunsMin
            ? "below: 95% interval" : "below: the range of the rounds"
        let text =
            "* best of the column. \(ComparisonMarks.mark(.front)) on the front of "
            + "\(ComparisonColumns.title(comparison.axes.cost)) and "
            + "\(ComparisonColumns.title(comparison.axes.gain)), "
            + "\(ComparisonMarks.mark(.dominated)) dominated. Medians; \(around)."
        return TerminalText.wrapped(text, columns: width - 2, indent: "").map {
            style.dim("  " + $0)
        }
    }

    // MARK: What goes with them

    private func budgets(_ comparison: Comparison) -> [String] {
        let solved = comparison.variants.compactMap(\.facts).filter { $0.budgetSpanShare != nil }
        guard !solved.isEmpty else { return [] }
        let width = nameWidth(comparison)
        var lines = [
            style.bold(
                "    " + TerminalText.fitted("budget", columns: width) + cell("to keep")
                    + cell("kept") + cell("off by") + "  solved")
        ]
        for facts in solved {
            let argument =
                facts.argument.map {
                    "\(facts.argumentName ?? "argument") \(ComparisonText.argument($0))"
                }
                ?? "–"
            let line =
                "    "
                + TerminalText.fitted(TerminalText.neutralised(facts.name), columns: width)
                + cell(facts.budgetSpanShare.map(ComparisonColumns.percent) ?? "–")
                + cell(facts.solvedSpanShare.map(ComparisonColumns.percent) ?? "–")
                + cell(facts.residualShare.map(ComparisonText.signedPercent) ?? "–")
                + "  " + TerminalText.neutralised(argument)
            lines.append(facts.unreachable == nil ? line : style.warning(line))
            if let reason = facts.unreachable {
                lines += TerminalText.wrapped(
                    TerminalText.neutralised(reason), columns: self.width - 6, indent: ""
                ).map { style.warning("      " + $0) }
            }
        }
        return lines
    }

    private func pairs(_ table: ServicePairTable) -> [String] {
        let name = TerminalText.truncated(TerminalText.neutralised(table.variant), columns: 30)
        var lines = [style.bold("  \(name): of the traces that a row kept, the column kept")]
        let names = table.services.map { TerminalText.neutralised($0) }
        let width = min(20, names.map { TerminalText.width($0) }.max() ?? 0)
        let shown = max(1, (self.width - 4 - width) / 10)
        func cell(_ text: String) -> String {
            TerminalText.rightAligned(TerminalText.truncated(text, columns: 9), columns: 10)
        }
        lines.append(
            "    " + TerminalText.fitted("", columns: width)
                + names.prefix(shown).map(cell).joined())
        for (row, name) in names.enumerated().prefix(shown) {
            let shares = table.shares[row].prefix(shown).map {
                cell($0.map(ComparisonColumns.percent) ?? "–")
            }
            lines.append(
                "    " + TerminalText.fitted(name, columns: width) + shares.joined())
        }
        if names.count > shown {
            lines.append(style.dim("    and \(names.count - shown) more in the JSON document"))
        }
        return lines
    }

    private func invalid(_ comparison: Comparison) -> [String] {
        var lines = comparison.invalidRuns.prefix(8).flatMap { run in
            TerminalText.wrapped(
                "! " + TerminalText.neutralised(run.variant)
                    + ", round \(run.round + 1), does not count: "
                    + TerminalText.neutralised(run.reason), columns: width - 2, indent: "  "
            ).map { style.bad("  " + $0) }
        }
        if comparison.invalidRuns.count > 8 {
            lines.append(style.bad("  ! and \(comparison.invalidRuns.count - 8) more"))
        }
        return lines
    }
}

/// Marks of variants and of the best figures.
enum ComparisonMarks {
    static func mark(_ standing: ComparedVariant.Standing) -> String {
        switch standing {
        case .front: "●"
        case .dominated: "○"
        case .unplaced: " "
        }
    }

    /// The names of the variants with the best figure; none where neither way is better, or all are alike.
    static func best(of column: ComparedColumn, in comparison: Comparison) -> Set<String> {
        let values = comparison.variants.compactMap { variant in
            variant.median(column.metric).map { (name: variant.name, value: $0) }
        }
        guard column.better != .neither, values.count > 1 else { return [] }
        let numbers = values.map(\.value)
        guard let best = column.better == .lower ? numbers.min() : numbers.max(),
            numbers.contains(where: { $0 != best })
        else { return [] }
        return Set(values.filter { $0.value == best }.map(\.name))
    }
}

/// Numbers of comparisons.
enum ComparisonText {
    /// A sampler's argument to four digits: `0.02341`, `512.3`.
    static func argument(_ value: Double) -> String {
        guard value != 0, value.isFinite else { return "\(value)" }
        let digits = Int((logarithm(abs(value)) / logarithm(10)).rounded(.down))
        return NumberText.fixed(value, decimals: min(9, max(0, 3 - digits)))
    }

    static func signedPercent(_ share: Double) -> String {
        let text = ComparisonColumns.percent(abs(share))
        return share < 0 ? "-\(text)" : "+\(text)"
    }
}
