// A comparison as Markdown for a page, a comment or a step summary. Names come from files and may hold
// anything: GateMarkdown's escaping writes whatever Markdown or HTML reads as numbers.

/// Renders a comparison as GitHub-flavoured Markdown.
public enum ComparisonMarkdown {
    /// Rows of which a document holds more are counted instead.
    private static let variantsMax = 200

    /// The comparison as Markdown.
    public static func text(of comparison: Comparison) -> String {
        var text =
            "### \(escaped(comparison.scenario)): "
            + "\(GateText.count(comparison.variants.count, "variant")), "
            + "\(GateText.count(comparison.rounds, "round")) from seed \(comparison.seed)\n\n"
        let advice = ComparisonAdvice.text(of: comparison)
        if !advice.isEmpty { text += escaped(advice, limit: 4000) + "\n\n" }
        text += table(comparison)
        text +=
            "\n● on the front of \(escaped(ComparisonColumns.title(comparison.axes.cost))) and "
            + "\(escaped(ComparisonColumns.title(comparison.axes.gain))), ○ dominated; **best** of a "
            + "column; medians with "
            + (comparison.rounds >= ComparedFigure.intervalRunsMin
                ? "95% intervals\n" : "the range of the rounds\n")
        text += budgets(comparison)
        for pairs in comparison.servicePairs where pairs.isSplit { text += table(pairs) }
        if let words = ServicePairTable.wordsOfWhole(comparison.servicePairs) {
            text += "\n\(escaped(words))\n"
        }
        if !comparison.invalidRuns.isEmpty {
            text += "\n"
            for run in comparison.invalidRuns.prefix(16) {
                text +=
                    "- ❌ \(escaped(run.variant)), round \(run.round + 1), does not count: "
                    + "\(escaped(run.reason))\n"
            }
        }
        if !comparison.notes.isEmpty { text += "\n" }
        for note in comparison.notes { text += "- \(escaped(note))\n" }
        return text
    }

    private static func table(_ comparison: Comparison) -> String {
        guard !comparison.variants.isEmpty else { return "" }
        let columns = comparison.columns
        var text =
            "| | variant | "
            + columns.map { escaped(ComparisonColumns.title($0.metric)) }.joined(separator: " | ")
            + " |\n|---|---|" + String(repeating: "--:|", count: columns.count) + "\n"
        let best = columns.map { ComparisonMarks.best(of: $0, in: comparison) }
        for variant in comparison.variants.prefix(variantsMax) {
            let cells = zip(columns, best).map { column, best -> String in
                guard let figure = variant.figures[column.metric] else { return "n/a" }
                let median = escaped(ComparisonColumns.text(figure.median, column))
                let shown = best.contains(variant.name) ? "**\(median)**" : median
                let spread = ComparisonColumns.spread(figure, column)
                return spread.map { "\(shown) <sub>\(escaped($0))</sub>" } ?? shown
            }
            let mark = ComparisonMarks.mark(variant.standing)
            text += "| \(mark) | \(escaped(variant.name)) | \(cells.joined(separator: " | ")) |\n"
        }
        if comparison.variants.count > variantsMax {
            text += "\n\(comparison.variants.count - variantsMax) more variants left out\n"
        }
        return text
    }

    private static func budgets(_ comparison: Comparison) -> String {
        let solved = comparison.variants.compactMap(\.facts).filter { $0.budgetSpanShare != nil }
        guard !solved.isEmpty else { return "" }
        var text = "\n| variant | budget | kept | off by | solved |\n|---|--:|--:|--:|---|\n"
        for facts in solved {
            let argument =
                facts.argument.map { "\(facts.argumentName ?? "") \(ComparisonText.argument($0))" }
                ?? facts.unreachable ?? "–"
            let cells = [
                facts.name, facts.budgetSpanShare.map(ComparisonColumns.percent) ?? "–",
                facts.solvedSpanShare.map(ComparisonColumns.percent) ?? "–",
                facts.residualShare.map(ComparisonText.signedPercent) ?? "–",
                facts.unreachable == nil || facts.argument == nil
                    ? argument : "\(argument): \(facts.unreachable ?? "")",
            ]
            text += "| " + cells.map { escaped($0) }.joined(separator: " | ") + " |\n"
        }
        return text
    }

    private static func table(_ pairs: ServicePairTable) -> String {
        let names = pairs.services.map { escaped($0) }
        var text = "\n\(escaped(pairs.variant)): of the traces that a row kept, the column kept\n\n"
        text += "| | \(names.joined(separator: " | ")) |\n"
        text += "|---|" + String(repeating: "--:|", count: names.count) + "\n"
        for (row, name) in names.enumerated() {
            let shares = pairs.shares[row].map { $0.map(ComparisonColumns.percent) ?? "–" }
            text += "| \(name) | \(shares.map { escaped($0) }.joined(separator: " | ")) |\n"
        }
        return text
    }

    private static func escaped(_ text: String, limit: Int = 800) -> String {
        EscapedText.markdown(text, limit: limit)
    }
}
