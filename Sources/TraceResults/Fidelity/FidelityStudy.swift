// Goes through all traces once (twice where quantiles are estimated), in the order of their numbers, so that
// the same spans give the same figures to the last digit, however many threads made them.

/// Compares what was kept with the truth.
public struct FidelityStudy {
    let truth: TraceTruth
    let codes: [UInt16]
    let kept: KeptSpanTable
    let sampler: SamplerFacts

    /// By code: what a span stands for; 1 for those that do not say.
    let weights: [Double]
    var sums: OperationSums
    var tally = FidelityKept()
    var track: KeptTrack
    var agreement = ServiceAgreement()
    /// By place in `truth.shapes`: whole traces kept, and the weight of those that look like it.
    var wholeTraces: [UInt64]
    var shapeWeights: [Double]
    /// Weights of shapes that only parts of traces have.
    var brokenWeights: [UInt64: Double] = [:]
    /// By service: its bit, 64 for none.
    let serviceBits: [Int]
    /// Services that have a bit, the busiest first.
    let services: [Int]
    let slowNs: UInt64
    private var work = ShapeWork()
    private var members: [Int] = []

    /// The figures and the metrics of what was kept.
    public static func run(
        _ truth: TraceTruth, _ kept: KeptSpanTable, _ sampler: SamplerFacts
    ) -> FidelityResult {
        precondition(kept.codes.count == truth.spans.count, "the table is of another truth")
        var study = FidelityStudy(truth, kept, sampler)
        study.goThrough()
        return study.result()
    }

    private init(_ truth: TraceTruth, _ kept: KeptSpanTable, _ sampler: SamplerFacts) {
        self.truth = truth
        self.kept = kept
        self.sampler = sampler
        codes = kept.codes
        weights =
            [0, 1] + kept.thresholds.map { HorvitzThompson.adjustedCount(threshold: $0) }
        sums = OperationSums(operations: truth.operations.count, weights: weights)
        track = KeptTrack(truth, target: sampler.target)
        wholeTraces = Array(repeating: 0, count: truth.shapes.count)
        shapeWeights = Array(repeating: 0, count: truth.shapes.count)
        services = Self.busiest(truth)
        var bits = Array(repeating: 64, count: truth.services.count)
        for (bit, service) in services.enumerated() { bits[service] = bit }
        serviceBits = bits
        slowNs = Self.slowNs(truth)
    }

    /// Services with spans by their number of spans; at most 64.
    private static func busiest(_ truth: TraceTruth) -> [Int] {
        var spans = Array(repeating: UInt64(0), count: truth.services.count)
        for (operation, count) in zip(truth.operations, truth.operationSpans) {
            spans[operation.service] += count
        }
        return Array(
            spans.indices.filter { spans[$0] > 0 }
                .sorted { (spans[$1], truth.services[$0]) < (spans[$0], truth.services[$1]) }
                .prefix(FidelityFigures.servicesMax))
    }

    private static func slowNs(_ truth: TraceTruth) -> UInt64 {
        let durations = truth.traces.filter { $0.spanCount > 0 }.map(\.durationNs).sorted()
        guard !durations.isEmpty else { return 0 }
        return durations[DurationRanks.rank(0.99, of: durations.count)]
    }

    // MARK: The first pass

    private mutating func goThrough() {
        for arrival in truth.arrivals where arrival.spanCount > 0 {
            var isBroken = false
            forEachTrace(of: arrival) { study, trace, members in
                if study.add(trace, members) { isBroken = true }
            }
            if isBroken { addBroken(arrival) }
        }
    }

    /// Calls `body` with each trace of an arrival and the places of its spans.
    mutating func forEachTrace(
        of arrival: TraceTruth.Arrival,
        _ body: (inout FidelityStudy, TruthTrace, [Int]) -> Void
    ) {
        var own: [Int] = []
        swap(&own, &members)
        defer { swap(&own, &members) }
        let traces = arrival.traces
        if traces.count == 1 {
            own.removeAll(keepingCapacity: true)
            for place in arrival.spans where !truth.spans[place].isAbsent { own.append(place) }
            if !own.isEmpty { body(&self, truth.traces[traces.lowerBound], own) }
            return
        }
        // Several identifiers: their spans run through each other.
        var groups = Array(repeating: [Int](), count: traces.count)
        for place in arrival.spans where !truth.spans[place].isAbsent {
            groups[Int(truth.spans[place].trace) - traces.lowerBound].append(place)
        }
        for (number, group) in groups.enumerated() where !group.isEmpty {
            body(&self, truth.traces[traces.lowerBound + number], group)
        }
    }

    /// Books a trace; true when only a part of it was kept.
    private mutating func add(_ trace: TruthTrace, _ members: [Int]) -> Bool {
        var (present, keptBy) = (UInt64(0), UInt64(0))
        var (keptSpans, failed) = (UInt32(0), UInt32(0))
        var code: UInt16 = 0
        var isMixed = false
        for place in members {
            let span = truth.spans[place]
            let spanCode = codes[place]
            let bit = serviceBits[truth.operations[Int(span.operation)].service]
            let mask: UInt64 = bit < 64 ? 1 << UInt64(bit) : 0
            present |= mask
            track.addCell(span.operation, trace.startNs, isKept: spanCode != 0)
            guard spanCode != 0 else { continue }
            keptBy |= mask
            keptSpans += 1
            failed += span.isError ? 1 : 0
            tally.bytes += UInt64(span.byteCount)
            if code != 0, code != spanCode { isMixed = true }
            code = spanCode
        }
        agreement.add(present: present, kept: keptBy)
        track.add(trace, keptSpans: keptSpans)
        guard keptSpans > 0 else { return false }
        tally.traces += 1
        tally.spans += UInt64(keptSpans)
        if failed > 0 { tally.errorTraces += 1 }
        if trace.durationNs > slowNs { tally.slowTraces += 1 }
        sums.addErrors(members, truth.spans, codes, code: isMixed ? nil : code)
        guard keptSpans == trace.spanCount else { return true }
        tally.completeTraces += 1
        wholeTraces[Int(trace.shape)] += 1
        shapeWeights[Int(trace.shape)] += weight(of: members)
        return false
    }

    /// What a trace stands for: it is seen when the likeliest of its spans is.
    private func weight(of members: [Int]) -> Double {
        var least = Double.infinity
        for place in members where codes[place] != 0 {
            least = min(least, weights[Int(codes[place])])
        }
        return least
    }

    /// Books the shapes of traces as they look with spans missing, and the spans without parents.
    private mutating func addBroken(_ arrival: TraceTruth.Arrival) {
        let spans = truth.spans[arrival.spans]
        let first = arrival.spans.lowerBound
        let codes = codes
        work.run(
            spans, firstTrace: arrival.firstTrace, traceCount: Int(arrival.traceCount),
            operationHashes: truth.operationHashes, isPresent: { codes[first + $0] != 0 })
        for place in arrival.spans where codes[place] != 0 {
            let parent = spans[place].parent
            if parent != TruthSpan.noParent, codes[first + Int(parent)] == 0 {
                tally.orphanSpans += 1
            }
        }
        let shapes = work.shapes
        forEachTrace(of: arrival) { study, trace, members in
            let keptCount = members.count { codes[$0] != 0 }
            guard keptCount > 0, keptCount < members.count else { return }
            let number = Int(study.truth.spans[members[0]].trace - arrival.firstTrace)
            study.brokenWeights[shapes[number], default: 0] += study.weight(of: members)
        }
    }
}

/// What a study found.
public struct FidelityResult: Sendable {
    public var figures: FidelityFigures
    /// Those that are defined; the number beside each says of how many it was made.
    public var metrics: [FidelityMetric: (value: Double, samples: UInt64)]
}
