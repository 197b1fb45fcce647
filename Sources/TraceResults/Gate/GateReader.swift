// One budget against the runs: the figures of both arms, whether they can be judged at all, and the
// verdict by the budget's own rule. The rules are written down in GateJudge.swift.

import Glibc

/// Judges single budgets over sorted runs.
struct GateReader {
    let samples: GateSamples
    let settings: GateSettings
    let isPaired: Bool

    /// The seed of what is shown for information; any will do, as long as it stays.
    private static let bootstrapSeed: UInt64 = 0x7472_6163_656D_696C

    /// A budget, judged.
    func row(_ budget: GateBudget) -> GateRow {
        var row = GateRow(budget)
        row.confidence = settings.confidence(of: budget)
        row.isPaired = isPaired
        // An objective is about the head; the base is shown beside it.
        let needsBase = budget.rule == .regress || budget.rule == .exact
        let pairs = samples.pairs
        let bases = isPaired ? pairs.map(\.base) : samples.base
        let heads = isPaired ? pairs.map(\.head) : samples.head
        row.pairs = heads.count
        guard !heads.isEmpty, !bases.isEmpty || !needsBase else {
            return row.said(.inconclusive, "no run of both arms counts")
        }
        let base = figures(bases, budget, arm: samples.baseName)
        let head = figures(heads, budget, arm: samples.headName)
        for side in needsBase ? [base, head] : [head] {
            if case .failure(let flaw) = side { return row.said(.error, flaw.reason) }
        }
        guard case .success(let headFigures) = head else { return row }
        row.head = OrderStatistics.median(headFigures.values)
        row.unit = headFigures.unit
        row.better = headFigures.better
        var baseFigures = Figures()
        if case .success(let figures) = base {
            baseFigures = figures
            row.base = OrderStatistics.median(figures.values)
        }
        if needsBase, baseFigures.unit != headFigures.unit {
            return row.said(
                .error,
                "\(samples.baseName) gives it in \(baseFigures.unit), \(samples.headName) in "
                    + "\(headFigures.unit)")
        }
        if let unit = budget.limitUnit, unit != headFigures.unit {
            return row.said(
                .error,
                "the budget is in \(unit), the figure in \(headFigures.unit): write the limit in it"
            )
        }
        if budget.rule != .exact, let reason = thinness(headFigures, baseFigures, budget.metric) {
            return row.said(.inconclusive, reason)
        }
        switch budget.rule {
        case .exact: return exact(row, baseFigures.values, headFigures.values)
        case .max, .min: return objective(row, headFigures.values)
        case .regress: return relative(row, baseFigures.values, headFigures.values)
        }
    }

    // MARK: Figures

    private struct Figures {
        var values: [Double] = []
        var unit = ""
        var better = Metric.Direction.neither
        var kind = Metric.Kind.total
        var samplesMin = UInt64.max
    }

    private struct Flaw: Error {
        var reason: String
    }

    private func figures(
        _ runs: [RunRecord], _ budget: GateBudget, arm: String
    ) -> Result<Figures, Flaw> {
        var figures = Figures()
        var missing = 0
        for run in runs {
            switch run.checkedMetric(budget.metric) {
            case .failure(.missing): missing += 1
            case .failure(.contradicted(let reason)):
                return .failure(
                    Flaw(reason: "round \(run.round + 1) of \(arm) contradicts itself: \(reason)"))
            case .success(let metric):
                if !figures.values.isEmpty,
                    figures.unit != metric.unit || figures.better != metric.better
                {
                    return .failure(
                        Flaw(reason: "runs of \(arm) disagree about its unit or direction"))
                }
                figures.values.append(metric.value)
                figures.unit = metric.unit
                figures.better = metric.better
                figures.kind = metric.kind
                figures.samplesMin = min(figures.samplesMin, metric.samples)
            }
        }
        guard missing == 0, !figures.values.isEmpty else {
            let share = missing == runs.count ? "" : " in \(missing) of \(runs.count) runs"
            return .failure(Flaw(reason: "\(arm) does not have it\(share)"))
        }
        return .success(figures)
    }

    /// Why a percentile says too little; nil where it does not.
    private func thinness(_ head: Figures, _ base: Figures, _ metric: String) -> String? {
        guard head.kind == .percentile, let percentile = MetricCatalogue.percentile(of: metric)
        else { return nil }
        let share = (100 - percentile) / 100
        let count = min(head.samplesMin, base.samplesMin)
        let beyond = Double(count) * share
        // 100,000 samples have a hundred beyond the 99.9th percentile, whatever 100 − 99.9 comes to.
        guard beyond < GateJudge.samplesBeyondMin * (1 - 1e-9) else { return nil }
        let needed = UInt64((GateJudge.samplesBeyondMin / share).rounded())
        return "of \(NumberText.grouped(count)) samples "
            + "\(NumberText.fixed(beyond.rounded(.down), decimals: 0)) lie beyond it, 100 are needed: "
            + "run longer, for \(NumberText.grouped(needed)) samples"
    }

    // MARK: Rules

    private func exact(_ row: GateRow, _ base: [Double], _ head: [Double]) -> GateRow {
        for (arm, values) in [(samples.baseName, base), (samples.headName, head)] {
            guard let low = values.min(), let high = values.max(), low != high else { continue }
            return row.said(
                .error,
                "it is not exact: runs of \(arm) gave \(GateText.exactValue(low)) to "
                    + "\(GateText.exactValue(high)). A fixed seed, `ids: fixed` and rates in numbers make "
                    + "it so")
        }
        guard let before = base.first, let now = head.first, before != now else {
            return row.said(.pass, "")
        }
        return row.said(
            .regressed, "it was \(GateText.exactValue(before)) and is \(GateText.exactValue(now))")
    }

    private func objective(_ row: GateRow, _ values: [Double]) -> GateRow {
        let limit = row.budget.limit
        let sign = row.budget.rule == .max ? 1.0 : -1.0
        let excess = values.map { sign * ($0 - limit) }
        let shown = row.budget.text(unit: row.unit)
        guard excess.count > 1 else {
            // One run, judged as it is: there is nothing to make an interval of.
            return excess[0] <= 0
                ? row.said(.pass, "") : row.said(.regressed, "the budget is \(shown)")
        }
        let interval = SignedRank.interval(of: excess, confidence: row.confidence)
        if interval.lower > 0 { return row.said(.regressed, "the budget is \(shown)") }
        if interval.upper <= 0 { return row.said(.pass, "") }
        return row.said(
            .inconclusive,
            interval.isBounded
                ? "the runs lie on both sides of \(shown)"
                : "\(GateText.count(values.count, "run")) cannot decide at this confidence")
    }

    private func relative(_ row: GateRow, _ base: [Double], _ head: [Double]) -> GateRow {
        guard row.better != .neither else {
            return row.said(.error, "neither way is better for it: give it a max, a min, or exact")
        }
        guard !(base + head).contains(where: { $0 < 0 }), nonZero(base, head) else {
            return row.said(
                .error,
                "it is 0 or below in some runs, so no share of it means anything: give it a max")
        }
        var row = row
        let turn = row.better == .higher ? -1.0 : 1.0
        let worse: IntervalEstimate
        if isPaired {
            let differences = zip(head, base).map { $0 == $1 ? 0 : turn * log($0 / $1) }
            worse = SignedRank.interval(of: differences, confidence: row.confidence)
        } else {
            worse = RankSum.shift(
                from: base.map { turn * log($0) }, to: head.map { turn * log($0) },
                confidence: row.confidence)
        }
        row.ratio = ratio(of: worse, turn: turn)
        if base.allSatisfy({ $0 > 0 }), base.count > 1 {
            row.bootstrap = RatioBootstrap.interval(
                numerators: head, denominators: base, isPaired: isPaired,
                confidence: row.confidence,
                seed: Self.bootstrapSeed)
            row.mannWhitneyP = RankSum.test(head, base).pValue
        }
        return verdict(row, worse)
    }

    /// Whether logarithms can be taken: both of a pair may be 0, which is no change.
    private func nonZero(_ base: [Double], _ head: [Double]) -> Bool {
        guard isPaired else { return !(base + head).contains(0) }
        return zip(base, head).allSatisfy { $0 == $1 || ($0 > 0 && $1 > 0) }
    }

    private func ratio(of worse: IntervalEstimate, turn: Double) -> IntervalEstimate {
        turn > 0
            ? IntervalEstimate(
                estimate: exp(worse.estimate), lower: exp(worse.lower), upper: exp(worse.upper))
            : IntervalEstimate(
                estimate: exp(-worse.estimate), lower: exp(-worse.upper), upper: exp(-worse.lower))
    }

    private func verdict(_ row: GateRow, _ worse: IntervalEstimate) -> GateRow {
        let budget = log1p(row.budget.limit)
        guard worse.isBounded else {
            return row.said(
                .inconclusive,
                "\(GateText.count(row.pairs, isPaired ? "pair" : "run")) cannot decide at this confidence"
            )
        }
        let shown = row.ratio.map { GateText.change($0.estimate) } ?? ""
        if worse.estimate < log(GateJudge.suspectRatio), !settings.acceptsImprovement {
            return row.said(
                .error,
                "suspect: \(shown) is an improvement by more than half. Does the head still do the "
                    + "work? --accept-improvement says that it does")
        }
        if worse.lower > 0, worse.estimate > budget {
            return row.said(
                .regressed, "worse by \(shown), the budget is \(row.budget.text(unit: row.unit))")
        }
        if worse.upper < budget { return row.said(.pass, "") }
        if worse.lower > 0 {
            return row.said(
                .inconclusive,
                "worse for certain, yet maybe within the budget: more rounds would tell")
        }
        return row.said(
            .inconclusive,
            "the interval reaches from no change to beyond the budget: more rounds, or longer "
                + "runs, would tell")
    }
}

extension GateRow {
    fileprivate func said(_ verdict: GateVerdict, _ reason: String) -> GateRow {
        var row = self
        row.verdict = verdict
        row.reason = reason
        return row
    }
}
