// Estimates by operation, with their intervals.

import Glibc

extension FidelityStudy {
    /// Whether what was kept of an operation tells how many there were.
    private func isDefined(_ sum: OperationSum) -> Bool {
        guard sampler.adjustedCountsMissing == nil, kept.spanCount > 0 else { return false }
        // Of an operation of which nothing was kept only the whole can tell.
        if sum.kept == 0 { return hasAdjustedCounts }
        return sum.bare == 0 || sampler.keepsForCertain
    }

    /// Whether every span kept says how many it stands for.
    var hasAdjustedCounts: Bool {
        sampler.adjustedCountsMissing == nil && kept.spanCount > 0
            && (kept.bareCount == 0 || sampler.keepsForCertain)
    }

    /// Why not.
    var adjustedCountsMissing: String? {
        if let reason = sampler.adjustedCountsMissing { return reason }
        if kept.spanCount == 0 { return "no span was kept" }
        guard !hasAdjustedCounts else { return nil }
        return kept.bareCount == kept.spanCount
            ? "no span kept says how many it stands for (ot=th)"
            : "\(NumberText.grouped(kept.bareCount)) of \(NumberText.grouped(kept.spanCount)) spans kept do not "
                + "say how many they stand for (ot=th)"
    }

    /// Estimates of every operation with spans, in the order of `truth.operations`.
    mutating func estimates() -> [OperationEstimates] {
        let ranks = DurationRanks(truth, codes: codes)
        let first = sums.sums
        var (p50Ns, p99Ns) = (
            [UInt64](repeating: 0, count: first.count), [UInt64](repeating: 0, count: first.count)
        )
        var hasRanks = false
        for (operation, sum) in first.enumerated() where sum.kept > 0 && isDefined(sum) {
            let found = ranks.weighted(
                operation, shares: [0.5, 0.99], total: sum.total, weights: weights)
            (p50Ns[operation], p99Ns[operation]) = (found[0] ?? 0, found[1] ?? 0)
            hasRanks = true
        }
        if hasRanks { addRanks(p50Ns, p99Ns) }
        return truth.operations.indices.filter { truth.operationSpans[$0] > 0 }.map {
            estimates($0, ranks, p50Ns: p50Ns[$0], p99Ns: p99Ns[$0])
        }
    }

    /// The second pass: how much the shares up to the estimated quantiles vary from trace to trace.
    private mutating func addRanks(_ p50Ns: [UInt64], _ p99Ns: [UInt64]) {
        for arrival in truth.arrivals where arrival.spanCount > 0 {
            forEachTrace(of: arrival) { study, _, members in
                var code: UInt16 = 0
                var isMixed = false
                for place in members {
                    let spanCode = study.codes[place]
                    if spanCode != 0, code != 0, code != spanCode { isMixed = true }
                    if spanCode != 0 { code = spanCode }
                }
                guard code != 0 else { return }
                study.sums.addRanks(
                    members, study.truth.spans, study.codes, code: isMixed ? nil : code,
                    p50Ns: p50Ns, p99Ns: p99Ns)
            }
        }
    }

    private func estimates(
        _ operation: Int, _ ranks: DurationRanks, p50Ns: UInt64, p99Ns: UInt64
    ) -> OperationEstimates {
        let sum = sums.sums[operation]
        let spans = Double(truth.operationSpans[operation])
        var result = OperationEstimates()
        result.service = truth.services[truth.operations[operation].service]
        result.operation = truth.operations[operation].name
        result.keptSpans = sum.kept
        result.count = Estimate(truth: spans)
        result.errorRate = Estimate(truth: Double(truth.operationErrors[operation]) / spans)
        result.durationNsP50 = Estimate(truth: Double(ranks.truth(operation, share: 0.5)))
        result.durationNsP99 = Estimate(truth: Double(ranks.truth(operation, share: 0.99)))
        guard isDefined(sum) else { return result }
        let interval = HorvitzThompson.totalInterval(
            estimate: sum.total, variance: sum.errorMoments.xx, varianceShare: pooledShare,
            seen: Double(sum.kept))
        result.count.set(sum.total, interval)
        guard sum.kept > 0 else { return result }
        let keptShare = Double(sum.kept) / sum.total
        let rate = sum.errors / sum.total
        let observations = HorvitzThompson.observations(
            share: rate,
            variance: HorvitzThompson.ratioVariance(
                ratio: rate, total: sum.total, sum.errorMoments),
            clusters: Double(sum.clusters), keptShare: keptShare)
        result.errorRate.set(
            rate, HorvitzThompson.shareInterval(rate, observations: observations))
        for (share, valueNs, moments, path) in [
            (0.5, p50Ns, sum.p50Moments, \OperationEstimates.durationNsP50),
            (0.99, p99Ns, sum.p99Moments, \OperationEstimates.durationNsP99),
        ] {
            // Never less than if every span were a sample of its own: with few traces nothing kept may lie
            // beyond the quantile, and then nothing seems to vary.
            let variance = max(
                HorvitzThompson.ratioVariance(ratio: share, total: sum.total, moments),
                share * (1 - share) * (1 - keptShare) / Double(sum.kept))
            let shares = HorvitzThompson.quantileShares(share, variance: variance)
            result[keyPath: path].estimate = Double(valueNs)
            // A bound that no kept span lies beyond bounds nothing, unless all are kept.
            let beyond = (1 - shares.upperBound) * Double(sum.kept)
            guard beyond >= 1 || keptShare >= 1, shares.lowerBound > 0 else { continue }
            let ends = ranks.weighted(
                operation, shares: [shares.lowerBound, shares.upperBound], total: sum.total,
                weights: weights)
            guard let lower = ends[0], let upper = ends[1] else { continue }
            result[keyPath: path].lower = Double(lower)
            result[keyPath: path].upper = Double(upper)
        }
        return result
    }

    /// Variance of a count for each one counted, over all operations: for those of which nothing was kept.
    private var pooledShare: Double {
        let total = sums.sums.reduce(0) { $0 + $1.total }
        return total > 0 ? sums.sums.reduce(0) { $0 + $1.errorMoments.xx } / total : 0
    }
}

extension Estimate {
    fileprivate mutating func set(_ estimate: Double, _ interval: ClosedRange<Double>) {
        self.estimate = estimate
        (lower, upper) = (interval.lowerBound, interval.upperBound)
    }
}
