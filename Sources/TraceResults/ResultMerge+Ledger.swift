// Adding up the books of shards. Counts add, sums of hashes wrap, and the laws are checked again on what
// comes out.

extension ConservationLedger {
    /// Adds another shard's books, and checks the whole.
    mutating func add(_ other: ConservationLedger) {
        issued = zipped(issued, other.issued) { $0.sum($1) }
        tracer.add(other.tracer)
        for delivery in other.deliveries {
            if let index = deliveries.firstIndex(where: { $0.processor == delivery.processor }) {
                deliveries[index].add(delivery)
            } else {
                deliveries.append(delivery)
            }
        }
        sink = zipped(sink, other.sink) { $0.sum($1) }
        batches = zipped(batches, other.batches) { $0.sum($1) }
        checked = checked.filter(other.checked.contains)
        var found = violations + other.violations
        if found.isEmpty { found = violations(at: .atRest) }
        violationsOmitted &+= other.violationsOmitted
        violationsOmitted &+= UInt64(max(0, found.count - Self.violationsMax))
        violations = Array(found.prefix(Self.violationsMax))
    }
}

extension IssuedCounts {
    fileprivate func sum(_ other: IssuedCounts) -> IssuedCounts {
        var whole = self
        whole.startCalls &+= other.startCalls
        whole.recorded &+= other.recorded
        whole.sampledEnded &+= other.sampledEnded
        whole.identitySum = zipped(identitySum, other.identitySum, &+)
        whole.semanticSum = zipped(semanticSum, other.semanticSum, &+)
        return whole
    }
}

extension TracerCounts {
    fileprivate mutating func add(_ other: TracerCounts) {
        for path in Self.counters { self[keyPath: path] &+= other[keyPath: path] }
    }

    private static var counters: [WritableKeyPath<TracerCounts, UInt64>] {
        [
            \.startCalls, \.notRecordedSampler, \.notRecordedStoreFull, \.notRecordedAfterShutdown,
            \.notRecordedDisabled, \.recording, \.endedByCaller, \.endedBySweeper,
            \.discardedBySweeper, \.live, \.sampledEnded,
        ]
    }
}

extension DeliveryCounts {
    fileprivate mutating func add(_ other: DeliveryCounts) {
        for (_, path) in Self.fates {
            let (own, foreign) = (self[keyPath: path], other[keyPath: path])
            self[keyPath: path].count = own.count &+ foreign.count
            self[keyPath: path].identitySum =
                switch (own.identitySum, foreign.identitySum) {
                case (let left?, let right?): left &+ right
                // A fate without spans adds nothing to the sum of the other's.
                case (let sum?, nil) where foreign.count == 0: sum
                case (nil, let sum?) where own.count == 0: sum
                default: nil
                }
        }
    }
}

extension BatchReconciliation {
    fileprivate func sum(_ other: BatchReconciliation) -> BatchReconciliation {
        let paths: [WritableKeyPath<BatchReconciliation, UInt64>] = [
            \.matchedBatches, \.matchedSpans, \.settledBatches, \.listedBatches, \.listedSpans,
            \.listedIdentitySum, \.listedContentSum, \.acknowledgedSpans, \.rejectedSpans,
            \.indeterminateReceivedSpans, \.indeterminateUnseenSpans, \.resentSpans,
            \.mismatchCount,
        ]
        var whole = self
        for path in paths { whole[keyPath: path] &+= other[keyPath: path] }
        return whole
    }
}

extension SinkLedger {
    fileprivate func sum(_ other: SinkLedger) -> SinkLedger {
        var whole = self
        let counts: [WritableKeyPath<SinkLedger, Int>] = [
            \.requests, \.badRequests, \.faultsInjected, \.connections, \.connectionsRefused,
            \.bytesReceived, \.bytesInflated, \.spansTotal, \.spansDistinct, \.spansDuplicate,
            \.spansRejected, \.unnumberedSpans, \.batches, \.openBatches, \.mismatchedDeliveries,
        ]
        for path in counts { whole[keyPath: path] &+= other[keyPath: path] }
        let found: [WritableKeyPath<SinkLedger, Int?>] = [
            \.invalidSpans, \.negativeDurations, \.traces, \.tracesComplete, \.orphanSpans,
            \.repeatedSpanIDs,
        ]
        for path in found {
            whole[keyPath: path] = zipped(self[keyPath: path], other[keyPath: path], &+)
        }
        if jsonSpans != nil || other.jsonSpans != nil {
            whole.jsonSpans = (jsonSpans ?? 0) &+ (other.jsonSpans ?? 0)
        }
        if plainRequests != nil || other.plainRequests != nil {
            whole.plainRequests = (plainRequests ?? 0) &+ (other.plainRequests ?? 0)
        }
        whole.identitySum &+= other.identitySum
        whole.contentSum &+= other.contentSum
        whole.cpuNs &+= other.cpuNs
        whole.peakResidentBytes &+= other.peakResidentBytes
        whole.semanticSum = zipped(semanticSum, other.semanticSum, &+)
        whole.services = zipped(services, other.services) { $0.merging($1, uniquingKeysWith: &+) }
        whole.spansPerTraceMax = zipped(spansPerTraceMax, other.spansPerTraceMax, max)
        whole.depthMax = zipped(depthMax, other.depthMax, max)
        whole.tracesKeptOneIn = tracesKeptOneIn == other.tracesKeptOneIn ? tracesKeptOneIn : nil
        // The median of two medians is none.
        whole.spansPerTraceP50 = spansPerTraceP50 == other.spansPerTraceP50 ? spansPerTraceP50 : nil
        return whole
    }
}

extension TraceQualityFigures {
    /// Traces of two shards: a trace is in one of them, whole. Medians are those of the larger shard.
    func sum(_ other: TraceQualityFigures) -> TraceQualityFigures {
        var whole = traces >= other.traces ? self : other
        let counts: [WritableKeyPath<TraceQualityFigures, UInt64>] = [
            \.traces, \.unsettledTraces, \.tracesEstimated, \.connectedTraces, \.completeTraces,
            \.rootlessTraces, \.cutTraces, \.spans, \.orphanSpans, \.wrongParents, \.cyclicSpans,
            \.extraRoots, \.strayChildren, \.disconnectedCalls, \.repeatedSpanIDs, \.lateSpans,
            \.undecodableSpans,
        ]
        for path in counts { whole[keyPath: path] = self[keyPath: path] &+ other[keyPath: path] }
        func share(_ part: KeyPath<TraceQualityFigures, Double>, by weights: (UInt64, UInt64))
            -> Double
        {
            let (own, foreign) = (Double(weights.0), Double(weights.1))
            guard own + foreign > 0 else { return 0 }
            return (self[keyPath: part] * own + other[keyPath: part] * foreign) / (own + foreign)
        }
        whole.completeShare = share(\.completeShare, by: (traces, other.traces))
        whole.orphanShare = share(\.orphanShare, by: (spans, other.spans))
        whole.wrongParentShare = share(\.wrongParentShare, by: (spans, other.spans))
        whole.lateShare = share(
            \.lateShare, by: (spans &+ lateSpans, other.spans &+ other.lateSpans))
        whole.oneIn = max(oneIn, other.oneIn)
        whole.quietNs = max(quietNs, other.quietNs)
        whole.spansPerTraceMax = max(spansPerTraceMax, other.spansPerTraceMax)
        whole.depthMax = max(depthMax, other.depthMax)
        whole.services = Set(services).union(other.services).sorted()
        return whole
    }
}
