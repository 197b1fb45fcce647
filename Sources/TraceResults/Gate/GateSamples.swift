// The runs of a result sorted into what a gate compares: two arms, rounds, which runs count, and what is
// wrong with the rest. A run is looked at again here, whatever its file says of it: its books must
// balance, and its figures must follow from its distributions.

/// The runs of a gate by arm.
struct GateSamples {
    /// One round with both arms.
    struct Pair {
        var base: RunRecord
        var head: RunRecord
    }

    let baseName: String
    let headName: String
    /// Runs that count.
    private(set) var base: [RunRecord] = []
    private(set) var head: [RunRecord] = []
    /// Runs that do not.
    private(set) var invalid: [GateReport.InvalidRun] = []

    /// Sorts the runs of the given rounds.
    ///
    /// - Parameter planned: how many rounds there should be; nil where nobody planned any.
    init(
        _ runs: [RunRecord], arms: (base: String, head: String), isPaired: Bool,
        planned: Range<Int>?
    ) {
        baseName = arms.base
        headName = arms.head
        for run in runs {
            if let reason = Self.flaw(of: run) {
                invalid.append(.init(variant: run.variant, round: run.round, reason: reason))
            } else if run.variant == arms.base {
                base.append(run)
            } else if run.variant == arms.head {
                head.append(run)
            }
        }
        dropShortRuns()
        guard isPaired, let planned else { return }
        for round in planned {
            for name in [arms.base, arms.head]
            where !runs.contains(where: { $0.round == round && $0.variant == name }) {
                invalid.append(
                    .init(variant: name, round: round, reason: "the round has no run of \(name)"))
            }
        }
        for (round, variant) in Self.repeated(runs) {
            invalid.append(
                .init(variant: variant, round: round, reason: "the round has it more than once"))
        }
    }

    /// The rounds in which both arms count, in order.
    var pairs: [Pair] {
        let heads = Dictionary(head.map { ($0.round, $0) }, uniquingKeysWith: { first, _ in first })
        let bases = Dictionary(base.map { ($0.round, $0) }, uniquingKeysWith: { first, _ in first })
        return bases.keys.sorted().compactMap { round in
            guard let base = bases[round], let head = heads[round] else { return nil }
            return Pair(base: base, head: head)
        }
    }

    /// Why a run does not count; nil when it does.
    static func flaw(of run: RunRecord) -> String? {
        guard run.valid else { return run.reason ?? "it is marked invalid and says no reason" }
        if run.interrupted { return "a signal ended it" }
        if let violation = run.ledger.violations.first { return violation.message }
        // What the file says of its books is not believed: they are added up again.
        if let violation = run.ledger.violations(at: .atRest).first { return violation.message }
        if let batches = run.ledger.batches, batches.mismatchCount > 0 {
            return "\(NumberText.grouped(batches.mismatchCount)) batches did not match the sink's"
        }
        if run.ledger.checked.isEmpty { return "its books were never closed" }
        return nil
    }

    /// A run that ended early compares with nothing, whatever ended it. One that is as quick because the machine
    /// was free for a moment has done all the others' work.
    private mutating func dropShortRuns() {
        let lengths = (base + head).map { Double($0.load.durationNs) }
        guard lengths.count > 1 else { return }
        let usual = OrderStatistics.median(lengths)
        let traces = OrderStatistics.median((base + head).map { Double($0.load.achievedTraces) })
        func isShort(_ run: RunRecord) -> Bool {
            let isWhole = traces > 0 && Double(run.load.achievedTraces) >= traces
            return Double(run.load.durationNs) < usual / 4 && !isWhole
        }
        for run in base + head where isShort(run) {
            let length = NumberText.duration(ns: Double(run.load.durationNs))
            invalid.append(
                .init(
                    variant: run.variant, round: run.round,
                    reason: "it measured for \(length), the others for "
                        + "\(NumberText.duration(ns: usual)): it broke off"))
        }
        base.removeAll(where: isShort)
        head.removeAll(where: isShort)
    }

    private static func repeated(_ runs: [RunRecord]) -> [(round: Int, variant: String)] {
        var seen: Set<[String]> = []
        return runs.filter { !seen.insert(["\($0.round)", $0.variant]).inserted }
            .map { ($0.round, $0.variant) }
    }
}

extension RunRecord {
    /// The figure of a name, or why it cannot be used.
    func checkedMetric(_ name: String) -> Result<Metric, GateMetricFlaw> {
        guard let metric = metrics[name] else { return .failure(.missing) }
        guard metric.value.isFinite else { return .failure(.contradicted("it is not a number")) }
        guard let percentile = MetricCatalogue.percentile(of: name),
            let stem = MetricCatalogue.histogramName(of: name), let record = histograms[stem]
        else { return .success(metric) }
        guard let histogram = try? record.histogram() else {
            return .failure(.contradicted("its distribution cannot be read"))
        }
        let value = Double(histogram.valueNs(atPercentile: percentile))
        guard histogram.count == metric.samples, value == metric.value else {
            return .failure(
                .contradicted(
                    "it says \(GateText.value(metric.value, unit: metric.unit)) of "
                        + "\(NumberText.grouped(metric.samples)) samples, its distribution "
                        + "\(GateText.value(value, unit: "ns")) of \(NumberText.grouped(histogram.count))"
                ))
        }
        return .success(metric)
    }
}

/// Why a figure of a run cannot be used.
enum GateMetricFlaw: Error, Equatable {
    case missing
    case contradicted(String)
}
