// Adding up the shards of one run: counters, sums and distributions exactly, so that the result of many
// machines is the one that a single machine would have written.

import Glibc

/// Why results cannot be merged.
public enum ResultMergeError: Error, Sendable, CustomStringConvertible {
    /// Fewer than two files.
    case tooFew
    /// Scenario digests or seeds differ.
    case differentScenarios(left: String, right: String)
    /// The same run is in two files.
    case sameRun(left: String, right: String, startedAt: String)
    /// One file has runs that another has not.
    case differentRuns(path: String, detail: String)
    /// A distribution cannot be read.
    case badHistogram(path: String, name: String, reason: String)

    public var description: String {
        switch self {
        case .tooFew: "merging takes two result files or more"
        case .differentScenarios(let left, let right):
            "\(shown(left)) and \(shown(right)) are not of the same scenario and seed: only shards of one "
                + "run add up"
        case .sameRun(let left, let right, let startedAt):
            "\(shown(left)) and \(shown(right)) hold the same run, started at \(startedAt): it would "
                + "count twice"
        case .differentRuns(let path, let detail):
            "\(shown(path)) does not have the runs of the first file: \(detail)"
        case .badHistogram(let path, let name, let reason):
            "\(shown(path)): the distribution '\(TerminalText.neutralised(name))' cannot be read: \(reason)"
        }
    }

    private func shown(_ path: String) -> String { "'\(TerminalText.neutralised(path))'" }
}

/// Merges result files.
public enum ResultMerge {
    /// One result of all shards. Runs are matched by variant and round; what is not a count is taken from
    /// the first file, unknown fields among it.
    public static func merged(
        _ files: [(path: String, result: RunResult)]
    ) throws(ResultMergeError) -> RunResult {
        guard let first = files.first, files.count > 1 else { throw .tooFew }
        var merged = first.result
        for (index, file) in files.enumerated().dropFirst() {
            let (left, right) = (first.result.scenario, file.result.scenario)
            guard left.sha256 == right.sha256, left.seed == right.seed, !left.sha256.isEmpty,
                right.sha256 == SHA256Digest.hex(of: right.resolved)
            else { throw .differentScenarios(left: first.path, right: file.path) }
            for earlier in files[..<index] {
                if let startedAt = sharedRun(earlier.result, file.result) {
                    throw .sameRun(left: earlier.path, right: file.path, startedAt: startedAt)
                }
            }
        }
        merged.runs = []
        for run in first.result.runs {
            var whole = run
            for file in files.dropFirst() {
                let matches = file.result.runs.filter {
                    $0.variant == run.variant && $0.round == run.round
                }
                guard matches.count == 1, file.result.runs.count == first.result.runs.count else {
                    throw .differentRuns(
                        path: file.path,
                        detail:
                            "\(matches.count) of '\(TerminalText.neutralised(run.variant))' in round "
                            + "\(run.round + 1)")
                }
                do {
                    try whole.add(matches[0])
                } catch {
                    throw .badHistogram(
                        path: file.path, name: error.name, reason: "\(error.reason)")
                }
            }
            merged.runs.append(whole)
        }
        return merged
    }

    /// When a run began that both results hold; nil when there is none.
    private static func sharedRun(_ left: RunResult, _ right: RunResult) -> String? {
        guard left.environment.soft.hostHash == right.environment.soft.hostHash else { return nil }
        for run in left.runs {
            let isThere = right.runs.contains {
                $0.startedAt == run.startedAt && $0.variant == run.variant
                    && $0.ledger == run.ledger
            }
            if isThere { return run.startedAt }
        }
        return nil
    }
}

/// A distribution of a run that cannot be read.
struct MergedHistogramError: Error {
    var name: String
    var reason: HistogramCodecError
}

extension RunRecord {
    /// Adds another shard's part of the same run.
    mutating func add(_ other: RunRecord) throws(MergedHistogramError) {
        let ownSpans = Double(load.achievedSpans)
        let otherSpans = Double(other.load.achievedSpans)
        startedAt = min(startedAt, other.startedAt)
        interrupted = interrupted || other.interrupted
        if !other.valid { invalidate(other.reason ?? "a shard is invalid") }
        load.add(other.load)
        host.takeWorst(other.host)
        memory = memory.flatMap { own in other.memory.map { own.sum($0) } }
        ledger.add(other.ledger)
        if let violation = ledger.violations.first { invalidate(violation.message) }
        for (name, metric) in other.metrics {
            guard let own = metrics[name] else { continue }
            metrics[name] = own.sum(metric, weights: (ownSpans, otherSpans))
        }
        // What only one shard has says nothing of the whole.
        for name in metrics.keys where other.metrics[name] == nil { metrics[name] = nil }
        try addHistograms(other)
        if metrics[MetricName.keptSpans.rawValue] != nil {
            setExactFigures(
                hasFixedIdentifiers: metrics[MetricName.keptSpansChecksum.rawValue] != nil)
        }
        traceQuality = zipped(traceQuality, other.traceQuality) { $0.sum($1) }
        // Each shard has a truth of its own; their figures are no figure of the whole.
        fidelity = nil
        for name in FidelityMetric.allCases where name.isOfTraces { metrics[name.rawValue] = nil }
        graph = zipped(graph, other.graph) { $0.sum($1) }
        exampleTraces = zipped(exampleTraces, other.exampleTraces) { $0.sum($1) }
        series.add(other.series)
    }

    private mutating func addHistograms(_ other: RunRecord) throws(MergedHistogramError) {
        for name in Set(histograms.keys).union(other.histograms.keys) {
            var sum = LatencyHistogram()
            for record in [histograms[name], other.histograms[name]].compactMap(\.self) {
                do {
                    sum.merge(try record.histogram())
                } catch {
                    throw MergedHistogramError(name: name, reason: error)
                }
            }
            if let latency = LatencyName(rawValue: name) {
                set(latency, sum)
            } else {
                histograms[name] = HistogramRecord(sum)
            }
        }
    }
}

extension Metric {
    /// One figure of two shards: rates and totals add up, means count by their samples.
    fileprivate func sum(_ other: Metric, weights: (own: Double, other: Double)) -> Metric {
        var whole = self
        whole.samples = samples &+ other.samples
        switch kind {
        case .rate, .total, .exact: whole.value += other.value
        case .mean, .percentile:
            // A mean that does not say of how many counts by the spans of its shard.
            let isCounted = samples > 1 && other.samples > 1
            let own = isCounted ? Double(samples) : weights.own
            let foreign = isCounted ? Double(other.samples) : weights.other
            guard own + foreign > 0 else { return whole }
            whole.value = (value * own + other.value * foreign) / (own + foreign)
        }
        return whole
    }
}

extension LoadFacts {
    fileprivate mutating func add(_ other: LoadFacts) {
        durationNs = max(durationNs, other.durationNs)
        intendedTraces &+= other.intendedTraces
        achievedTraces &+= other.achievedTraces
        intendedSpans &+= other.intendedSpans
        achievedSpans &+= other.achievedSpans
        lateStarts &+= other.lateStarts
        skippedTraces &+= other.skippedTraces
        intendedTracesPerS = zipped(intendedTracesPerS, other.intendedTracesPerS, +)
        intendedSpansPerS = zipped(intendedSpansPerS, other.intendedSpansPerS, +)
    }
}

extension HostConditions {
    /// The busier of two hosts, quantity by quantity.
    fileprivate mutating func takeWorst(_ other: HostConditions) {
        stealShare = zipped(stealShare, other.stealShare, max)
        cpuPressureShare = zipped(cpuPressureShare, other.cpuPressureShare, max)
        memoryPressureShare = zipped(memoryPressureShare, other.memoryPressureShare, max)
        ioPressureShare = zipped(ioPressureShare, other.ioPressureShare, max)
        calibrationBeforeNs = zipped(calibrationBeforeNs, other.calibrationBeforeNs, max)
        calibrationAfterNs = zipped(calibrationAfterNs, other.calibrationAfterNs, max)
    }
}

extension MemoryFacts {
    fileprivate func sum(_ other: MemoryFacts) -> MemoryFacts {
        var whole = self
        whole.statedStoreBytes &+= other.statedStoreBytes
        whole.statedRingBytes &+= other.statedRingBytes
        whole.statedTailBytes &+= other.statedTailBytes
        whole.statedBodiesBytes &+= other.statedBodiesBytes
        whole.statedExporterBytes &+= other.statedExporterBytes
        whole.heldBytes = zipped(heldBytes, other.heldBytes, &+)
        whole.residentBeforeBytes &+= other.residentBeforeBytes
        whole.peakResidentBytes &+= other.peakResidentBytes
        return whole
    }
}

extension RunSeries {
    /// Adds row by row; the shorter one counts as 0 where it has ended.
    fileprivate mutating func add(_ other: RunSeries) {
        let rows = max(rowCount, other.rowCount)
        for name in Set(columns.keys).union(other.columns.keys) {
            let own = columns[name] ?? []
            let foreign = other.columns[name] ?? []
            columns[name] = (0..<rows).map { row in
                (row < own.count ? own[row] : 0) + (row < foreign.count ? foreign[row] : 0)
            }
        }
    }
}

/// Both values by `combine`; nil unless both are there.
func zipped<Value>(_ left: Value?, _ right: Value?, _ combine: (Value, Value) -> Value) -> Value? {
    guard let left, let right else { return nil }
    return combine(left, right)
}
