// What was kept in the course of simulated time: windows of a second, finer ones for bursts, minutes for
// rare operations.

/// Counts by time. One thread.
struct KeptTrack {
    private static let fineNs: UInt64 = 100_000_000
    private static let minuteNs: UInt64 = 60_000_000_000
    private static let windowsMax: UInt64 = 3_600
    /// Cells of operation and minute that are counted; beyond that there is no such figure.
    private static let cellsMax = 1 << 24
    /// Traces a window that a burst is looked for in has on average.
    private static let fineTraces: UInt64 = 20

    private(set) var windows = FidelityWindows()
    private var windowSpans: [UInt64] = []
    private var windowKeptSpans: [UInt64] = []
    private var fine: [UInt64] = []
    private var fineKept: [UInt64] = []
    /// By operation and minute: bit 0 there were spans, bit 1 some were kept.
    private var cells: [UInt8] = []
    private let minutes: Int
    /// By window and operation that begins traces, when the target wants it.
    private var roots: [UInt64: UInt64] = [:]
    private let target: SamplingTarget?
    /// Of the last beginning.
    private let lastNs: UInt64

    init(_ truth: TraceTruth, target: SamplingTarget?) {
        self.target = target
        lastNs = truth.traces.reduce(0) { max($0, $1.startNs) }
        let secondNs: UInt64 = 1_000_000_000
        let seconds = lastNs / secondNs + 1
        windows.windowNs = secondNs * ((seconds + Self.windowsMax - 1) / Self.windowsMax)
        let count = Int(lastNs / windows.windowNs) + 1
        windows.traces = Array(repeating: 0, count: count)
        windows.keptTraces = windows.traces
        (windowSpans, windowKeptSpans) = (windows.traces, windows.traces)
        if seconds <= Self.windowsMax {
            fine = Array(repeating: 0, count: Int(lastNs / Self.fineNs) + 1)
            fineKept = fine
        }
        let all = lastNs / Self.minuteNs + 1
        let fits = UInt64(truth.operations.count) * all <= UInt64(Self.cellsMax)
        minutes = fits ? Int(all) : 0
        if fits { cells = Array(repeating: 0, count: truth.operations.count * minutes) }
    }

    @inline(__always)
    mutating func addCell(_ operation: UInt16, _ startNs: UInt64, isKept: Bool) {
        guard minutes > 0 else { return }
        let minute = minutes == 1 ? 0 : Int(startNs / Self.minuteNs)
        cells[Int(operation) * minutes + minute] |= isKept ? 3 : 1
    }

    mutating func add(_ trace: TruthTrace, keptSpans: UInt32) {
        let window = Int(trace.startNs / windows.windowNs)
        windows.traces[window] += 1
        windowSpans[window] += UInt64(trace.spanCount)
        if keptSpans > 0 {
            windows.keptTraces[window] += 1
            windowKeptSpans[window] += UInt64(keptSpans)
        }
        if !fine.isEmpty {
            fine[Int(trace.startNs / Self.fineNs)] += 1
            if keptSpans > 0 { fineKept[Int(trace.startNs / Self.fineNs)] += 1 }
        }
        if case .tracesPerSOfEachRoot = target {
            roots[UInt64(window) << 16 | UInt64(trace.operation), default: 0] += 1
        }
    }

    // MARK: Figures

    /// Cells of which a span was kept, of those with spans; nil when there are too many to count.
    var rareKeys: (share: Double, cells: UInt64)? {
        let all = cells.count { $0 != 0 }
        guard all > 0 else { return nil }
        return (Double(cells.count { $0 == 3 }) / Double(all), UInt64(all))
    }

    /// |kept / target − 1| of the whole run, and of the window where it is largest among those whose target
    /// is one at least.
    var budgetError: (whole: Double, worst: Double?)? {
        guard let target else { return nil }
        var isOfSpans = false
        if case .spansPerS = target { isOfSpans = true }
        let kept = isOfSpans ? windowKeptSpans : windows.keptTraces
        let wanted = windows.traces.indices.map { self.wanted($0, target) }
        let total = wanted.reduce(0, +)
        guard total > 0 else { return nil }
        let whole = abs(kept.reduce(0) { $0 + Double($1) } / total - 1)
        let errors = zip(kept, wanted).compactMap { kept, wanted in
            wanted >= 1 ? abs(Double(kept) / wanted - 1) : nil
        }
        return (whole, errors.max())
    }

    /// What the sampler should keep in a window.
    private func wanted(_ window: Int, _ target: SamplingTarget) -> Double {
        let beginNs = UInt64(window) * windows.windowNs
        let seconds = Double(min(windows.windowNs, lastNs + 1 - beginNs)) / 1e9
        let traces = Double(windows.traces[window])
        switch target {
        case .traceShare(let share): return share * traces
        case .tracesPerS(let rate): return min(rate * seconds, traces)
        case .spansPerS(let rate): return min(rate * seconds, Double(windowSpans[window]))
        case .tracesPerSOfEachRoot(let rate):
            return roots.keys.filter { $0 >> 16 == UInt64(window) }.sorted()
                .reduce(0) { $0 + min(rate * seconds, Double(roots[$1] ?? 0)) }
        }
    }

    /// From the beginning of the first burst until what is kept is within the budget again.
    var burstReactionNs: UInt64? {
        guard !fine.isEmpty else { return nil }
        let traces = fine.reduce(0, +)
        if traces >= Self.fineTraces * UInt64(fine.count) {
            return BurstReaction.windows(
                all: fine, kept: fineKept, budget: budget(windowNs: Self.fineNs)
            ).map { UInt64($0) * Self.fineNs }
        }
        return BurstReaction.windows(
            all: windows.traces, kept: windows.keptTraces,
            budget: budget(windowNs: windows.windowNs)
        ).map { UInt64($0) * windows.windowNs }
    }

    /// Traces that the sampler may keep in so much time, where it has a rate.
    private func budget(windowNs: UInt64) -> Double? {
        guard case .tracesPerS(let rate) = target else { return nil }
        return rate * Double(windowNs) / 1e9
    }
}
