import TraceResults

/// The lines that people read.
enum BenchTable {
    static func heading(_ group: BenchGroup) -> String { "\n\(group.title)" }

    static func row(_ figure: BenchFigure) -> String {
        let samples = figure.samples
        // As many decimals as the median needs, and the same for all in the line.
        let decimals = decimals(figure.median)
        var line = pad("  " + figure.title, 46)
        line += padLeft(text(figure.median, decimals), 12) + " " + pad(figure.unit, 7)
        line += pad(
            " [\(text(samples[0], decimals))–\(text(samples.last ?? 0, decimals))]", 25)
        if let ratio = figure.ratio {
            let reference = BenchFigure.median(figure.references)
            line += "\(text(ratio, ratio < 0.1 ? 3 : 2)) × \(figure.referenceName)"
            line += " \(text(reference, Self.decimals(reference)))"
        }
        if !figure.note.isEmpty { line += (figure.ratio == nil ? "" : " · ") + figure.note }
        if let quiet = figure.quiet {
            let decimals = Self.decimals(quiet.median)
            line += "  (host slow in \(samples.count - quiet.count) of \(samples.count)"
            line += quiet.count == 0 ? ")" : "; else \(text(quiet.median, decimals)))"
        }
        return line.reversed().drop { $0 == " " }.reversed().map(String.init).joined()
    }

    static func text(_ value: Double, _ decimals: Int) -> String {
        NumberText.fixed(value, decimals: decimals)
    }

    private static func decimals(_ value: Double) -> Int {
        abs(value) >= 1000 ? 0 : abs(value) < 1 && value != 0 ? 3 : 1
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    private static func padLeft(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
