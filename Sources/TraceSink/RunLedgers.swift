// The books of several runs: each numbers its batches from 1, and says in each request which run it is.
// Not thread-safe; the sink's state guards it.

/// Batches received, by run and number.
struct RunLedgers {
    private struct Run {
        var batches: BatchLedger
        /// When it was last heard of, in deliveries of all runs.
        var heard: UInt64
        var open: Int { batches.openCount }
    }

    private var runs: [String: Run] = [:]
    private var deliveries: UInt64 = 0
    private let openMax: Int
    private let runsMax: Int
    /// Batches received at least once, those of forgotten runs too.
    private(set) var batches = 0
    /// Batches not yet settled.
    private(set) var openCount = 0

    /// Books of at most `runsMax` runs, with at most `openMax` unsettled batches in all. The run not heard of
    /// for longest gives way to a further one; of too many batches the lower half of the run with the most
    /// of them is folded unasked.
    init(openMax: Int, runsMax: Int) {
        precondition(openMax >= 2 && runsMax >= 1)
        self.openMax = openMax
        self.runsMax = runsMax
    }

    /// Enters a delivery.
    /// - Parameter name: the run's; empty for requests that name none, which are a run of their own.
    mutating func record(run name: String, _ number: UInt64, _ summary: BatchSummary)
        -> BatchDelivery
    {
        deliveries += 1
        if runs[name] == nil { begin(name) }
        let now = deliveries
        let delivery = change(name) { run in
            run.heard = now
            return run.batches.record(number, summary)
        }
        if delivery == .first { batches += 1 }
        if openCount > openMax, let largest = runs.max(by: { $0.value.open < $1.value.open })?.key {
            change(largest) { $0.batches.foldLowerHalf() }
        }
        return delivery ?? .first
    }

    /// Unsettled batches of a run with numbers up to and including `last`, in ascending order.
    func unsettled(run name: String, through last: UInt64)
        -> [(number: UInt64, entry: BatchLedger.Entry)]
    {
        runs[name]?.batches.unsettled(through: last) ?? []
    }

    /// Folds the batches of a run up to and including `last`; returns how many.
    mutating func settle(run name: String, through last: UInt64) -> Int {
        change(name) { $0.batches.settle(through: last) } ?? 0
    }

    private mutating func begin(_ name: String) {
        if runs.count >= runsMax, let oldest = runs.min(by: { $0.value.heard < $1.value.heard }) {
            openCount -= oldest.value.open
            runs[oldest.key] = nil
        }
        runs[name] = Run(batches: BatchLedger(openMax: openMax), heard: deliveries)
    }

    @discardableResult
    private mutating func change<Result>(
        _ name: String, _ body: (inout Run) -> Result
    ) -> Result? {
        guard let slot = runs.index(forKey: name) else { return nil }
        let before = runs.values[slot].open
        defer { openCount += runs.values[slot].open - before }
        return body(&runs.values[slot])
    }
}
