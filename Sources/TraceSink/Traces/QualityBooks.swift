// Sums over judged traces. Not thread-safe.

import Histogram
import TraceResults

/// What was found in judged traces, in all. Weights say how many traces each stands for.
struct QualityBooks {
    private var figures = TraceQualityFigures()
    private var traceWeight: UInt64 = 0
    private var completeWeight: UInt64 = 0
    private var spanWeight: UInt64 = 0
    private var orphanWeight: UInt64 = 0
    private var wrongParentWeight: UInt64 = 0
    private var lateWeight: UInt64 = 0
    private var sizes = Self.counters()
    private var depths = Self.counters()
    private var starts = StartSample()

    /// All traces, by their weights.
    var tracesEstimated: UInt64 { traceWeight }

    /// How long the traces went on, by their own time.
    var durationNs: UInt64? { starts.durationNs }

    private static func counters() -> Histogram<UInt64> {
        Histogram(
            lowestDiscernibleValue: 1, highestTrackableValue: 1 << 32,
            numberOfSignificantValueDigits: .two)
    }

    mutating func enter(_ trace: StudiedTrace, _ quality: TraceQuality, weight: UInt64) {
        let spans = UInt64(trace.spans.count)
        figures.traces += 1
        figures.spans += spans
        figures.connectedTraces += quality.isConnected ? 1 : 0
        figures.completeTraces += quality.isComplete ? 1 : 0
        figures.rootlessTraces += quality.roots == 0 ? 1 : 0
        figures.cutTraces += trace.isCut ? 1 : 0
        figures.orphanSpans += UInt64(quality.orphans)
        figures.wrongParents += UInt64(quality.wrongParents)
        figures.cyclicSpans += UInt64(quality.cyclic)
        figures.extraRoots += UInt64(quality.extraRoots)
        figures.strayChildren += UInt64(quality.strayChildren)
        figures.disconnectedCalls += UInt64(quality.disconnectedCalls)
        figures.repeatedSpanIDs += UInt64(quality.repeatedIDs)
        figures.spansPerTraceMax = max(figures.spansPerTraceMax, spans)
        figures.depthMax = max(figures.depthMax, UInt64(quality.depth))
        traceWeight &+= weight
        completeWeight &+= quality.isComplete ? weight : 0
        spanWeight &+= weight &* spans
        orphanWeight &+= weight &* UInt64(quality.orphans)
        wrongParentWeight &+= weight &* UInt64(quality.wrongParents)
        sizes.record(spans, count: weight)
        depths.record(UInt64(quality.depth), count: weight)
        if let start = trace.spans.lazy.map(\.startUnixNano).min() { starts.add(start) }
    }

    mutating func enterLate(weight: UInt64) {
        figures.lateSpans += 1
        lateWeight &+= weight
    }

    mutating func enterUndecodable(_ count: Int) {
        figures.undecodableSpans += UInt64(count)
    }

    /// The figures; those that only the study knows are left to it.
    func report() -> TraceQualityFigures {
        var figures = figures
        func share(_ part: UInt64, _ whole: UInt64) -> Double {
            whole == 0 ? 0 : Double(part) / Double(whole)
        }
        figures.tracesEstimated = traceWeight
        figures.completeShare = share(completeWeight, traceWeight)
        figures.orphanShare = share(orphanWeight, spanWeight)
        figures.wrongParentShare = share(wrongParentWeight, spanWeight)
        figures.lateShare = share(lateWeight, lateWeight &+ spanWeight)
        figures.spansPerTraceP50 = sizes.totalCount == 0 ? 0 : sizes.valueAtPercentile(50)
        figures.depthP50 = depths.totalCount == 0 ? 0 : depths.valueAtPercentile(50)
        return figures
    }
}

/// A fair sample of when traces began, for how long they went on: between the first and the last would
/// be as long as one span with a clock gone wrong makes it.
struct StartSample {
    private static let sizeMax = 1024
    private var starts: [UInt64] = []
    private var seen: UInt64 = 0

    mutating func add(_ start: UInt64) {
        seen += 1
        if starts.count < Self.sizeMax {
            starts.append(start)
        } else {
            // Algorithm R (Waterman): each of those seen has the same chance to be here.
            let place = LedgerHash.mix(seen) % seen
            if place < UInt64(Self.sizeMax) { starts[Int(place)] = start }
        }
    }

    /// Time in which the middle 98 of 100 began, made up to all of them; nil for fewer than two or all
    /// at once.
    var durationNs: UInt64? {
        let sorted = starts.sorted()
        let first = (sorted.count - 1) / 100
        let last = sorted.count - 1 - first
        guard last > first, sorted[last] > sorted[first] else { return nil }
        let middle = Double(sorted[last] - sorted[first])
        let whole = middle * Double(sorted.count) / Double(last - first)
        return whole < 9e18 ? UInt64(whole) : nil
    }
}
