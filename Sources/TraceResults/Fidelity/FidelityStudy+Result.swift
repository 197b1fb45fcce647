// From what was summed up to figures and metrics.

import Glibc

extension FidelityStudy {
    mutating func result() -> FidelityResult {
        var figures = FidelityFigures()
        figures.truth = truthFigures
        figures.hasAdjustedCounts = hasAdjustedCounts
        figures.adjustedCountsMissing = adjustedCountsMissing
        let estimates = estimates()
        figures.operationCount = estimates.count
        figures.operations = Array(
            estimates.sorted {
                ($1.count.truth, $0.service, $0.operation)
                    < ($0.count.truth, $1.service, $1.operation)
            }.prefix(FidelityFigures.operationsMax))
        figures.services = services.map { truth.services[$0] }
        let pairs = agreement.pairs(services: services.count)
        figures.keptGivenKept = pairs.keptGivenKept
        figures.windows = track.windows
        tally.patterns = UInt64(wholeTraces.count { $0 > 0 })
        tally.repeatedSpans = kept.repeatedCount
        figures.kept = tally
        let mix = mix()
        figures.patterns = patterns(keptWeight: mix.reduce(0) { $0 + $1.right })
        var metrics = Metrics()
        addKept(figures, &metrics)
        if tally.traces > 0 {
            metrics.add(
                .patternEntropyBits, ShapeMix.entropyBits(mix.map(\.right)), tally.traces)
            metrics.add(.patternDivergenceBits, ShapeMix.divergenceBits(mix), tally.traces)
        }
        metrics.add(.serviceAgreement, pairs.meanJaccard, tally.traces)
        addEstimates(estimates, &metrics)
        addTimes(&metrics)
        return FidelityResult(figures: figures, metrics: metrics.values)
    }

    private var truthFigures: FidelityTruth {
        var figures = FidelityTruth()
        let traces = truth.traces.filter { $0.spanCount > 0 }
        figures.traces = UInt64(traces.count)
        figures.spans = truth.spanCount
        figures.bytes = truth.byteCount
        figures.errorTraces = UInt64(traces.count { $0.errorCount > 0 })
        figures.errorSpans = truth.operationErrors.reduce(0, +)
        figures.slowTraces = UInt64(traces.count { $0.durationNs > slowNs })
        figures.slowNs = slowNs
        figures.patterns = UInt64(truth.shapes.count)
        figures.patternEntropyBits = ShapeMix.entropyBits(
            shapeOrder.map { Double(truth.shapes[$0].traceCount) })
        let firstNs = traces.reduce(UInt64.max) { min($0, $1.startNs) }
        let lastNs = traces.reduce(0) { max($0, $1.startNs + $1.durationNs) }
        figures.durationNs = traces.isEmpty ? 0 : lastNs - firstNs
        return figures
    }

    // MARK: Shapes

    /// Places of the shapes in the order of their hashes: theirs among themselves is that of the simulation.
    private var shapeOrder: [Int] {
        truth.shapes.indices.sorted { truth.shapes[$0].hash < truth.shapes[$1].hash }
    }

    /// Weights of every shape in the truth and in what was kept, broken ones behind.
    private func mix() -> [(left: Double, right: Double)] {
        var broken = brokenWeights
        var mix = shapeOrder.map { place in
            let shape = truth.shapes[place]
            // A part of a trace may look like another shape.
            let seen = shapeWeights[place] + (broken.removeValue(forKey: shape.hash) ?? 0)
            return (left: Double(shape.traceCount), right: seen)
        }
        for hash in broken.keys.sorted() { mix.append((0, broken[hash] ?? 0)) }
        return mix
    }

    private func patterns(keptWeight: Double) -> [PatternFigures] {
        let shapes = truth.shapes
        let frequent = shapes.indices.sorted {
            (shapes[$1].traceCount, shapes[$0].hash) < (shapes[$0].traceCount, shapes[$1].hash)
        }
        return frequent.prefix(FidelityFigures.patternsMax).map { place in
            let shape = shapes[place]
            let root = truth.operations[Int(shape.operation)]
            let digits = String(shape.hash, radix: 16)
            var figures = PatternFigures()
            figures.shape = String(repeating: "0", count: 16 - digits.count) + digits
            figures.root = "\(truth.services[root.service])/\(root.name)"
            figures.spans = UInt64(shape.spanCount)
            figures.traces = shape.traceCount
            figures.keptTraces = wholeTraces[place]
            let seen = shapeWeights[place] + (brokenWeights[shape.hash] ?? 0)
            figures.keptShare = keptWeight > 0 ? min(1, seen / keptWeight) : 0
            return figures
        }
    }

    // MARK: Metrics

    struct Metrics {
        var values: [FidelityMetric: (value: Double, samples: UInt64)] = [:]

        /// One that is not there, or not finite, or made of nothing, is left out.
        mutating func add(_ name: FidelityMetric, _ value: Double?, _ samples: UInt64) {
            guard let value, value.isFinite, samples > 0 else { return }
            values[name] = (value, samples)
        }

        mutating func add(_ name: FidelityMetric, _ part: UInt64, of whole: UInt64) {
            add(name, whole > 0 ? Double(part) / Double(whole) : nil, whole)
        }
    }

    private func addKept(_ figures: FidelityFigures, _ metrics: inout Metrics) {
        let (all, kept) = (figures.truth, figures.kept)
        metrics.add(.keptTraceShare, kept.traces, of: all.traces)
        metrics.add(.keptSpanShare, kept.spans, of: all.spans)
        metrics.add(.keptByteShare, kept.bytes, of: all.bytes)
        metrics.add(.errorTraceRecall, kept.errorTraces, of: all.errorTraces)
        metrics.add(.errorTracePrecision, kept.errorTraces, of: kept.traces)
        metrics.add(.slowTraceRecall, kept.slowTraces, of: all.slowTraces)
        metrics.add(.patternCoverage, kept.patterns, of: all.patterns)
        metrics.add(.completeKeptTraceShare, kept.completeTraces, of: kept.traces)
        metrics.add(.keptOrphanSpanShare, kept.orphanSpans, of: kept.spans)
    }

    private func addEstimates(_ estimates: [OperationEstimates], _ metrics: inout Metrics) {
        let errors = estimates.compactMap { $0.count.relativeError }
        let count = UInt64(errors.count)
        if count > 0 {
            let (sum, squares) = errors.reduce((0.0, 0.0)) { ($0.0 + $1, $0.1 + $1 * $1) }
            metrics.add(.countEstimateBias, sum / Double(count), count)
            metrics.add(.countEstimateRmse, (squares / Double(count)).squareRoot(), count)
        }
        let hits = estimates.compactMap { $0.count.isHit }
        metrics.add(
            .countIntervalHitShare, UInt64(hits.count { $0 }), of: UInt64(hits.count))
        func addMedian(_ name: FidelityMetric, _ values: [Double]) {
            metrics.add(name, Self.median(values), UInt64(values.count))
        }
        addMedian(
            .durationP50Error, estimates.compactMap { $0.durationNsP50.relativeError.map(abs) })
        addMedian(
            .durationP99Error, estimates.compactMap { $0.durationNsP99.relativeError.map(abs) })
        // What never fails is never estimated to: it would only hide the others.
        addMedian(
            .errorRateError,
            estimates.filter { $0.errorRate.truth > 0 }
                .compactMap { rate in rate.errorRate.estimate.map { abs($0 - rate.errorRate.truth) }
                })
    }

    private func addTimes(_ metrics: inout Metrics) {
        let traces = truth.traces.count { $0.spanCount > 0 }
        if let rare = track.rareKeys { metrics.add(.rareKeysKeptShare, rare.share, rare.cells) }
        if let error = track.budgetError {
            metrics.add(.budgetErrorShare, error.whole, UInt64(traces))
            metrics.add(
                .budgetErrorShareWorst, error.worst, UInt64(track.windows.traces.count))
        }
        metrics.add(.burstReactionNs, track.burstReactionNs.map { Double($0) }, 1)
        guard let waitNs = sampler.decisionWaitNs else {
            metrics.add(.decisionDelayNsP50, 0, UInt64(traces))
            metrics.add(.decisionDelayNsP99, 0, UInt64(traces))
            return
        }
        let delays = truth.traces.filter { $0.spanCount > 0 }.map { $0.firstEndNs + waitNs }
            .sorted()
        guard !delays.isEmpty else { return }
        for (name, share) in [
            (FidelityMetric.decisionDelayNsP50, 0.5), (.decisionDelayNsP99, 0.99),
        ] {
            let delayNs = delays[DurationRanks.rank(share, of: delays.count)]
            metrics.add(name, Double(delayNs), UInt64(traces))
        }
    }

    /// Nil of nothing.
    static func median(_ values: [Double]) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1
            ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
