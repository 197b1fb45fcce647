// What a comparison comes to, in sentences: what each choice on the front keeps, what it gives up, and for
// how many times the cost. Every number in it stands in the table.

/// Writes advice.
public enum ComparisonAdvice {
    private static let choicesMax = 5
    /// What a tail stage lets go for want of room and is not worth a word.
    private static let evictedShareMin = 0.0005

    /// One paragraph; empty where there is nothing to choose and nothing to mend.
    public static func text(of comparison: Comparison) -> String {
        ([choice(comparison)] + evicted(comparison)).filter { !$0.isEmpty }
            .joined(separator: " ")
    }

    private static func choice(_ comparison: Comparison) -> String {
        let front = comparison.front
        guard comparison.variants.count > 1, let cheapest = front.first else { return "" }
        guard front.count > 1 else {
            return only(cheapest, comparison)
        }
        var sentences = [
            "\(cheapest.name) costs least: \(cost(cheapest, comparison)); "
                + "\(gains(cheapest, comparison))."
        ]
        // Evenly spread over a long front, the best always among them.
        let others = Array(front.dropFirst())
        let step = max(1, (others.count + choicesMax - 2) / (choicesMax - 1))
        let chosen = others.indices.filter { (others.count - 1 - $0) % step == 0 }
        for index in chosen {
            let variant = others[index]
            let price = prices(variant, over: cheapest, comparison)
            sentences.append(
                "\(variant.name) \(gains(variant, comparison))"
                    + (price.isEmpty ? "." : ", for \(price)."))
        }
        if let best = front.last, let given = givenUp(best, comparison) { sentences.append(given) }
        let dominated = comparison.variants.filter { $0.standing == .dominated }
        if let worst = dominated.first, let dominator = worst.dominators.first {
            let names = dominated.prefix(4).map(\.name).joined(separator: ", ")
            let more = dominated.count > 4 ? " and \(dominated.count - 4) more" : ""
            sentences.append(
                dominated.count == 1
                    ? "\(names) is dominated: \(dominator) is no worse in both."
                    : "Nothing speaks for \(names)\(more) in these two figures.")
        }
        return sentences.joined(separator: " ")
    }

    private static func only(_ best: ComparedVariant, _ comparison: Comparison) -> String {
        let others = comparison.variants.filter { $0.standing == .dominated }
        guard !others.isEmpty else { return "" }
        return "\(best.name) is no worse than any other in "
            + "\(ComparisonColumns.title(comparison.axes.cost)) and "
            + "\(ComparisonColumns.title(comparison.axes.gain)): \(cost(best, comparison)); "
            + "\(gains(best, comparison))."
    }

    private static func column(_ metric: String, _ comparison: Comparison) -> ComparedColumn {
        // The axes may be of figures that the table does not show.
        comparison.columns.first { $0.metric == metric } ?? comparison.hiddenColumns[metric]
            ?? ComparedColumn(metric: metric, unit: "1", better: .neither)
    }

    private static func cost(_ variant: ComparedVariant, _ comparison: Comparison) -> String {
        let metric = comparison.axes.cost
        guard let value = variant.median(metric) else { return "n/a" }
        return "\(ComparisonColumns.text(value, column(metric, comparison))) "
            + ComparisonColumns.title(metric)
    }

    private static let kept: [(metric: String, what: String)] = [
        ("errorTraceRecall", "of error traces"), ("slowTraceRecall", "of slow ones"),
        ("patternCoverage", "of call patterns"), ("rareKeysKeptShare", "of rare keys"),
    ]

    /// `keeps 41% of error traces and 9.8% of slow ones`.
    private static func gains(_ variant: ComparedVariant, _ comparison: Comparison) -> String {
        var parts = kept.compactMap { metric, what in
            variant.median(metric).map { "\(ComparisonColumns.percent($0)) \(what)" }
        }
        if let gain = variant.median(comparison.axes.gain),
            !kept.contains(where: { $0.metric == comparison.axes.gain })
        {
            let metric = comparison.axes.gain
            parts.insert(
                "\(ComparisonColumns.text(gain, column(metric, comparison))) "
                    + ComparisonColumns.title(metric), at: 0)
        }
        let shown = parts.prefix(3)
        guard let last = shown.last else { return "keeps what no figure tells" }
        let verb = kept.contains { variant.median($0.metric) != nil } ? "keeps" : "gives"
        guard shown.count > 1 else { return "\(verb) \(last)" }
        return "\(verb) \(shown.dropLast().joined(separator: ", ")) and \(last)"
    }

    /// `2.3 × the memory and 1.4 × the CPU`: what stands out.
    private static func prices(
        _ variant: ComparedVariant, over cheapest: ComparedVariant, _ comparison: Comparison
    ) -> String {
        let names: [(metric: String, what: String)] = [
            (comparison.axes.cost, costNoun(comparison.axes.cost)), ("heldBytesMax", "memory"),
            ("exportedBytesPerS", "bytes sent"),
        ]
        var seen: Set<String> = []
        let parts = names.filter { seen.insert($0.metric).inserted }.compactMap {
            metric, what -> String? in
            guard let value = variant.median(metric), let least = cheapest.median(metric),
                value > 0, least > 0
            else { return nil }
            let ratio = value / least
            guard ratio >= 1.05 || ratio <= 0.95 else { return nil }
            return "\(NumberText.short(ratio)) × the \(what)"
        }
        guard let last = parts.last else { return "" }
        return parts.count > 1
            ? parts.dropLast().joined(separator: ", ") + " and " + last : last
    }

    private static func costNoun(_ metric: String) -> String {
        switch metric {
        case "cpuMsPerThousandTraces", "cpuNsPerSpan": "CPU"
        case "heldBytesMax", "peakResidentBytes": "memory"
        default: ComparisonColumns.title(metric)
        }
    }

    /// Tail stages that were too small for their traffic: their other figures say little of their policies.
    private static func evicted(_ comparison: Comparison) -> [String] {
        let metric = FidelityMetric.tailEvictedLossShare.rawValue
        let small = comparison.variants.compactMap { variant in
            variant.median(metric).map { (name: variant.name, share: $0) }
        }.filter { $0.share > evictedShareMin }.sorted { $0.share > $1.share }
        guard !small.isEmpty else { return [] }
        let names = small.map { "\($0.name) (\(ComparisonColumns.percent($0.share)))" }
        return [
            "A full tail stage let spans go undecided, errors among them, in "
                + "\(ReportText.list(names)): raise its num_traces or memory, or lower its decision_wait."
        ]
    }

    /// What even the best gives up.
    private static func givenUp(_ best: ComparedVariant, _ comparison: Comparison) -> String? {
        var losses: [String] = []
        if let kept = best.median("keptSpanShare"), kept < 1 {
            losses.append("keeps only \(ComparisonColumns.percent(kept)) of all spans")
        }
        if let whole = best.median("completeKeptTraceShare"), whole < 0.9995 {
            losses.append(
                "leaves \(ComparisonColumns.percent(1 - whole)) of its traces incomplete")
        }
        if let late = best.median("decisionDelayNsP50"), late > 1e6 {
            losses.append("decides \(NumberText.duration(ns: late)) later")
        }
        if best.median("errorTraceRecall") != nil, best.median("countEstimateRmse") == nil {
            losses.append("allows no estimate of how many there were")
        }
        guard let last = losses.last else { return nil }
        let list =
            losses.count > 1 ? losses.dropLast().joined(separator: ", ") + " and " + last : last
        return "What \(best.name) gives up: it \(list)."
    }
}
