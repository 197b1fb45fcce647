// From runs to a comparison: which runs count, the figures of each variant over the rounds, who is
// dominated. A run is looked at again here, whatever its file says of it.

/// What a comparison is to show.
public struct ComparisonSettings: Sendable, Equatable {
    /// Figures to show; nil for the standard ones.
    public var metrics: [String]?
    /// The figure to sort by; nil for the gain.
    public var sort: String?
    /// Figures of the plot; nil for the standard ones.
    public var cost: String?
    public var gain: String?
    /// The variant that ratios are taken over; nil for the first.
    public var reference: String?

    public init() {}
}

/// Why result files cannot be compared.
public struct ComparisonError: Error, Equatable, CustomStringConvertible {
    public var description: String

    init(_ description: String) { self.description = description }
}

/// Makes comparisons.
public enum ComparisonBuilder {
    /// Runs of one variant from one collection, so that equal rounds are pairs.
    private struct Group {
        var name: String
        var source: Int
        var runs: [RunRecord]
        var facts: VariantFacts?
    }

    /// Compares the variants of result files.
    ///
    /// - Parameter results: each with the path it came from, or nil. Where two files have a variant of one
    ///   name, the path stands before it.
    public static func comparison(
        of results: [(path: String?, result: RunResult)], settings: ComparisonSettings
    ) throws(ComparisonError) -> Comparison {
        guard let first = results.first?.result else {
            throw ComparisonError("there is no result to compare")
        }
        try checkScenarios(results)
        var comparison = Comparison()
        comparison.scenario = first.scenario.name
        comparison.seed = first.scenario.seed
        let groups = groups(results, &comparison)
        let metrics = groups.flatMap(\.runs).reduce(into: [String: Metric]()) { known, run in
            known.merge(run.metrics) { first, _ in first }
        }
        let names = Set(metrics.keys)
        guard !names.isEmpty || !comparison.invalidRuns.isEmpty else {
            throw ComparisonError("the runs have no figures")
        }
        var axes = ComparisonColumns.standardAxes(having: names)
        if let cost = settings.cost { axes.cost = try known(cost, names) }
        if let gain = settings.gain { axes.gain = try known(gain, names) }
        comparison.axes = axes
        let shown: [String]
        if let wanted = settings.metrics {
            var chosen: [String] = []
            for name in wanted { chosen.append(try known(name, names)) }
            shown = chosen
        } else {
            shown = ComparisonColumns.standard(having: names)
        }
        var unique: Set<String> = []
        comparison.columns = shown.filter { unique.insert($0).inserted }.compactMap { name in
            metrics[name].map { ComparedColumn(metric: name, unit: $0.unit, better: $0.better) }
        }
        for (name, metric) in metrics where !unique.contains(name) {
            comparison.hiddenColumns[name] = ComparedColumn(
                metric: name, unit: metric.unit, better: metric.better)
        }
        let reference = try reference(settings.reference, groups)
        comparison.reference = reference?.name
        comparison.variants = groups.map { group in
            var variant = ComparedVariant(name: group.name, facts: group.facts)
            variant.runs = group.runs.count
            for name in names { variant.figures[name] = figure(name, group, reference) }
            return variant
        }
        place(&comparison, metrics)
        let tables = groups.compactMap(pairs)
        // Where every service keeps what any other keeps, there is nothing to show.
        if tables.contains(where: \.isSplit) { comparison.servicePairs = tables }
        comparison.sortedBy =
            try settings.sort.map { name throws(ComparisonError) in
                try known(name, names)
            } ?? axes.gain
        sort(&comparison, metrics[comparison.sortedBy]?.better ?? .higher)
        return comparison
    }

    // MARK: Runs

    private static func groups(
        _ results: [(path: String?, result: RunResult)], _ comparison: inout Comparison
    ) -> [Group] {
        var groups: [Group] = []
        var rounds: Set<Int> = []
        let shared = sharedNames(results)
        for (source, entry) in results.enumerated() {
            var names: [String] = entry.result.design.variants?.map(\.name) ?? []
            for run in entry.result.runs where !names.contains(run.variant) {
                names.append(run.variant)
            }
            for name in names {
                let runs = entry.result.runs.filter { $0.variant == name }
                let isShared = shared.contains(name)
                let shown = isShared ? "\(entry.path ?? "result \(source + 1)"): \(name)" : name
                var group = Group(name: shown, source: source, runs: [])
                group.facts = entry.result.design.variants?.first { $0.name == name }
                for run in runs {
                    if let reason = GateSamples.flaw(of: run) {
                        comparison.invalidRuns.append(
                            .init(variant: shown, round: run.round, reason: reason))
                    } else {
                        group.runs.append(run)
                        rounds.insert(run.round)
                    }
                }
                if !group.runs.isEmpty { groups.append(group) }
            }
        }
        comparison.rounds = rounds.count
        return groups
    }

    private static func sharedNames(
        _ results: [(path: String?, result: RunResult)]
    ) -> Set<String> {
        var seen: Set<String> = []
        var shared: Set<String> = []
        for entry in results {
            for name in Set(entry.result.runs.map(\.variant))
            where !seen.insert(name).inserted { shared.insert(name) }
        }
        return shared
    }

    /// What is compared may differ: seed, pipeline, samplers, how it was run. The traces may not.
    private static func checkScenarios(
        _ results: [(path: String?, result: RunResult)]
    ) throws(ComparisonError) {
        func lines(_ result: RunResult) -> [Substring] {
            result.scenario.resolved.split(separator: "\n").filter { line in
                let path = line.prefix { $0 != ":" }
                let root = path.prefix { $0 != "." }
                let isCompared = ["seed", "name", "description", "pipeline", "variants", "budgets"]
                    .contains(String(root))
                return !isCompared && root != "run" && !path.contains(".sampler")
            }
        }
        guard let first = results.first else { return }
        let expected = lines(first.result)
        for entry in results.dropFirst() {
            let found = lines(entry.result)
            guard found != expected else { continue }
            let index =
                zip(expected, found).enumerated().first { $0.element.0 != $0.element.1 }?
                .offset ?? min(expected.count, found.count)
            func line(_ lines: [Substring]) -> String {
                index < lines.count
                    ? TerminalText.neutralised(lines[index].prefix(80)) : "(nothing)"
            }
            throw ComparisonError(
                "\(TerminalText.neutralised(first.path ?? "the first result")) and "
                    + "\(TerminalText.neutralised(entry.path ?? "another")) are of different traces: "
                    + "'\(line(expected))' in one is '\(line(found))' in the other; compare results of "
                    + "one scenario")
        }
    }

    // MARK: Figures

    private static func figure(
        _ metric: String, _ group: Group, _ reference: Group?
    ) -> ComparedFigure? {
        let values = group.runs.compactMap { $0.metrics[metric]?.value }.filter(\.isFinite)
        guard !values.isEmpty else { return nil }
        var figure = ComparedFigure(values)
        guard let reference, reference.source == group.source, reference.name != group.name else {
            return figure
        }
        let others = Dictionary(
            reference.runs.compactMap { run in run.metrics[metric].map { (run.round, $0.value) } },
            uniquingKeysWith: { first, _ in first })
        let pairs = group.runs.compactMap { run -> (Double, Double)? in
            guard let value = run.metrics[metric]?.value, let other = others[run.round] else {
                return nil
            }
            return (value, other)
        }
        figure.ratio = ComparedFigure.ratio(of: pairs.map(\.0), over: pairs.map(\.1))
        return figure
    }

    private static func reference(
        _ name: String?, _ groups: [Group]
    ) throws(ComparisonError) -> Group? {
        guard let name else { return groups.first }
        if let group = groups.first(where: { $0.name == name }) { return group }
        throw ComparisonError(
            "there is no variant '\(TerminalText.neutralised(name.prefix(60)))' to take ratios over; "
                + "there are \(TerminalText.neutralised(groups.map(\.name).joined(separator: ", ")))"
        )
    }

    /// A figure's name however it is spelt, among those that the runs have.
    private static func known(
        _ spelling: String, _ names: Set<String>
    ) throws(ComparisonError) -> String {
        if names.contains(spelling) { return spelling }
        let isMeant = { MetricCatalogue.isSpelling(spelling, of: $0) }
        if let name = names.sorted().first(where: isMeant) { return name }
        let shown = TerminalText.neutralised(spelling.prefix(60))
        let near = MetricCatalogue.nearest(to: spelling, among: names.sorted(), count: 4)
        throw ComparisonError(
            "no run has the figure '\(shown)'; the nearest are \(near.joined(separator: ", "))")
    }

    /// What services kept of each other's traces, the mean over the rounds.
    private static func pairs(_ group: Group) -> ServicePairTable? {
        guard let services = group.runs.first?.fidelity?.services, services.count > 1 else {
            return nil
        }
        let sorted = services.sorted()
        var sums = sorted.map { _ in sorted.map { _ in (sum: 0.0, count: 0) } }
        for fidelity in group.runs.compactMap(\.fidelity) {
            let matrix = fidelity.keptGivenKept
            // The busiest come first, which may be others in another round.
            for (row, from) in fidelity.services.enumerated() where row < matrix.count {
                for (column, to) in fidelity.services.enumerated()
                where column < matrix[row].count {
                    guard let share = matrix[row][column], let first = sorted.firstIndex(of: from),
                        let second = sorted.firstIndex(of: to)
                    else { continue }
                    sums[first][second].sum += share
                    sums[first][second].count += 1
                }
            }
        }
        return ServicePairTable(
            variant: group.name, services: sorted,
            shares: sums.map { row in row.map { $0.count > 0 ? $0.sum / Double($0.count) : nil } })
    }

    // MARK: Order

    private static func place(_ comparison: inout Comparison, _ metrics: [String: Metric]) {
        let axes = [(comparison.axes.cost, false), (comparison.axes.gain, true)]
        let placed = comparison.variants.indices.filter { index in
            axes.allSatisfy { comparison.variants[index].median($0.0) != nil }
        }
        let points = placed.map { index in
            axes.map { name, isGain in
                let value = comparison.variants[index].median(name) ?? 0
                // A figure without a direction counts as its axis says.
                let isHigherBetter =
                    switch metrics[name]?.better ?? .neither {
                    case .higher: true
                    case .lower: false
                    case .neither: isGain
                    }
                return isHigherBetter ? -value : value
            }
        }
        for (place, dominators) in zip(placed, Dominance.dominators(of: points)) {
            comparison.variants[place].standing = dominators.isEmpty ? .front : .dominated
            comparison.variants[place].dominators = dominators.map {
                comparison.variants[placed[$0]].name
            }
        }
    }

    private static func sort(_ comparison: inout Comparison, _ better: Metric.Direction) {
        let metric = comparison.sortedBy
        let order = comparison.variants.enumerated().sorted { left, right in
            guard let first = left.element.median(metric) else { return false }
            guard let second = right.element.median(metric) else { return true }
            // Equal ones stay as they were.
            if first == second { return left.offset < right.offset }
            return better == .lower ? first < second : first > second
        }
        comparison.variants = order.map(\.element)
    }
}
