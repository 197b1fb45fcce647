// What a history keeps of a result file: for each variant what built and ran it, and each figure's
// median over the file's runs. A run is the unit, as everywhere: spans of one run share its luck.

import TraceResults

/// A result file as a history keeps it.
public struct HistoryEntry: Sendable, Equatable {
    /// SHA-256 of the file's bytes: the same file twice is one.
    public var fileSHA256: String
    /// Where it was when it was added, for people.
    public var path: String
    /// What was run.
    public var scenario: String
    /// The seed everything derived from.
    public var seed: UInt64
    /// What it has of each variant.
    public var variants: [HistoryVariant]
    /// Runs that were left out, each with its reason.
    public var leftOut: [String]

    /// Everything a history keeps of a result.
    ///
    /// - Parameters:
    ///   - commit: the commit that was measured, instead of what the file says. Not for the base of a
    ///     gate that compared two programs: that was another one.
    ///   - at: the time it is to stand at, RFC 3339 in UTC, instead of when it ran.
    /// - Throws: ``HistoryError/noValidRun(path:reason:)``.
    public init(
        _ result: RunResult, path: String, fileSHA256: String, commit: String? = nil,
        at time: String? = nil
    ) throws(HistoryError) {
        self.path = path
        self.fileSHA256 = fileSHA256
        scenario = result.scenario.name
        seed = result.scenario.seed
        variants = []
        leftOut = []
        var runs: [String: [RunRecord]] = [:]
        for run in result.runs {
            if let flaw = run.flaw {
                leftOut.append("\(run.variant), round \(run.round + 1): \(flaw)")
            } else {
                // A gate pads the names of its arms to equal length.
                runs[Self.trimmed(run.variant), default: []].append(run)
            }
        }
        let twoPrograms = Set((result.design.arms ?? []).compactMap(\.programCRC32)).count > 1
        for (name, runs) in runs.sorted(by: { $0.key < $1.key }) {
            let arm = result.design.arms?.first { Self.trimmed($0.variant) == name }
            var variant = HistoryVariant(
                name: name, tool: arm?.tool ?? result.tool,
                scenarioSHA256: arm?.scenarioSHA256 ?? result.scenario.sha256,
                environment: arm?.environment ?? result.environment, runs: runs)
            if let commit, !(twoPrograms && arm?.role == .base) { variant.origin.commit = commit }
            if let time { variant.origin.measuredAt = time }
            variants.append(variant)
        }
        guard !variants.isEmpty else {
            throw .noValidRun(path: path, reason: leftOut.first ?? "it has no run at all")
        }
    }

    static func trimmed(_ name: String) -> String {
        String(name.reversed().drop(while: \.isWhitespace).reversed())
    }
}

/// What was measured, when, by which program and where: what a history says of a variant beside its figures.
public struct HistoryOrigin: Sendable, Equatable {
    /// The variant's name; `default` where the scenario has none.
    public var variant: String
    /// When its first run began: RFC 3339, UTC.
    public var measuredAt: String
    /// The commit it was built from; empty when unknown.
    public var commit: String
    /// The version of the program.
    public var version: String
    /// `release` or `debug`.
    public var buildMode: String
    /// Digest of the scenario with everything in it.
    public var scenarioSHA256: String
    /// What decides how fast the machine is, as a digest.
    public var machine: String
    /// The machine for people: processor, count, architecture.
    public var machineText: String
    /// Runs that count.
    public var runs: Int
}

/// One variant of a result file.
public struct HistoryVariant: Sendable, Equatable {
    /// Where its figures come from.
    public var origin: HistoryOrigin
    /// Every figure of its runs, by name.
    public var figures: [String: HistoryFigure]

    init(
        name: String, tool: ToolFacts, scenarioSHA256: String, environment: EnvironmentFacts,
        runs: [RunRecord]
    ) {
        origin = HistoryOrigin(
            variant: name, measuredAt: runs.map(\.startedAt).min() ?? "", commit: tool.commit,
            version: tool.version, buildMode: tool.buildMode, scenarioSHA256: scenarioSHA256,
            machine: environment.hard.fingerprint, machineText: environment.hard.text,
            runs: runs.count)
        figures = [:]
        for metric in Set(runs.flatMap(\.metrics.keys)) {
            let found = runs.compactMap { $0.trustedMetric(metric) }
            figures[metric] = HistoryFigure(found)
        }
    }
}

/// A figure over the runs of one variant of one file.
public struct HistoryFigure: Sendable, Equatable {
    /// Its unit.
    public var unit: String
    /// Which way is better.
    public var better: Metric.Direction
    /// What sort of statistic it is.
    public var kind: Metric.Kind
    /// The median over the runs.
    public var median: Double
    /// The least.
    public var lowest: Double
    /// The greatest.
    public var highest: Double
    /// How many runs had it.
    public var runs: Int

    /// nil without a value.
    init?(_ metrics: [Metric]) {
        guard let first = metrics.first else { return nil }
        let values = metrics.map(\.value)
        unit = first.unit
        better = first.better
        kind = first.kind
        median = OrderStatistics.median(values)
        lowest = values.min() ?? median
        highest = values.max() ?? median
        runs = values.count
    }

    /// As a database has it.
    init(
        unit: String, better: Metric.Direction, kind: Metric.Kind, median: Double, lowest: Double,
        highest: Double, runs: Int
    ) {
        self.unit = unit
        self.better = better
        self.kind = kind
        self.median = median
        self.lowest = lowest
        self.highest = highest
        self.runs = runs
    }
}

extension HardFacts {
    /// Equal for machines whose figures may stand in one series.
    var fingerprint: String {
        let quota = cpuQuota.map { "\($0)" } ?? "none"
        return String(
            SHA256Digest.hex(
                of: [architecture, cpuModel, "\(cpuCount)", quota].joined(separator: "\n")
            )
            .prefix(12))
    }

    /// For people.
    var text: String {
        let quota = cpuQuota.map { ", limited to \(NumberText.short($0))" } ?? ""
        return "\(cpuModel), \(FigureText.count(cpuCount, "CPU"))\(quota), \(architecture)"
    }
}
