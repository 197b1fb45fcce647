// What a sampler kept, on the terminal.

extension ResultTable {
    /// The block of a run's table.
    func fidelity(_ figures: FidelityFigures, of run: RunRecord) -> [String] {
        func count(_ number: UInt64) -> String { NumberText.grouped(number) }
        let (truth, kept) = (figures.truth, figures.kept)
        var lines = [heading("kept of the planned", ["kept", "planned", "share"], width: 13)]
        for (label, part, whole) in [
            ("traces", kept.traces, truth.traces), ("  whole", kept.completeTraces, kept.traces),
            ("spans", kept.spans, truth.spans),
            ("traces with errors", kept.errorTraces, truth.errorTraces),
            ("slow traces", kept.slowTraces, truth.slowTraces),
            ("call shapes", kept.patterns, truth.patterns),
        ] where whole > 0 {
            let share = NumberText.percent(share: Double(part) / Double(whole))
            // Wholeness is of what was kept.
            let beside = label == "  whole" ? "" : count(whole)
            lines.append(row(label, [count(part), beside, share]))
        }
        lines += remarks(figures, of: run)
        return lines
    }

    private func remarks(_ figures: FidelityFigures, of run: RunRecord) -> [String] {
        var lines: [String] = []
        func percent(_ name: FidelityMetric) -> String? {
            run.value(name).map { NumberText.percent(share: $0) }
        }
        if figures.services.count > 1, let agreement = run.value(.serviceAgreement), agreement < 1 {
            lines.append(
                style.warning(
                    row("services agree", ["", "", NumberText.percent(share: agreement)])))
        }
        if let orphans = percent(.keptOrphanSpanShare), figures.kept.orphanSpans > 0 {
            lines.append(
                style.warning(
                    row(
                        "orphan spans",
                        [NumberText.grouped(figures.kept.orphanSpans), "", orphans])))
        }
        if let budget = percent(.budgetErrorShare) {
            let worst = percent(.budgetErrorShareWorst).map { "  \($0) in the worst second" } ?? ""
            lines.append(row("off the target by", ["", "", budget]) + worst)
        }
        guard figures.hasAdjustedCounts else {
            if let reason = figures.adjustedCountsMissing {
                lines += paragraph("no estimates: " + TerminalText.neutralised(reason))
                    .map(style.dim)
            }
            return lines
        }
        if let bias = run.value(.countEstimateBias), let rmse = percent(.countEstimateRmse) {
            let sign = bias < 0 ? "" : "+"
            lines.append(
                row("counts estimated", ["", "", rmse])
                    + "  off, \(sign)\(NumberText.percent(share: bias)) on average")
        }
        if let median = percent(.durationP50Error), let tail = percent(.durationP99Error) {
            lines.append(row("p50, p99 estimated", ["", median, tail]) + "  off")
        }
        return lines
    }
}
