// The books by batch number: which batches came, with what in them, how often. Settling folds them
// into ranges of numbers, so that memory does not grow with the length of a run. Not thread-safe;
// the sink's state guards it.

/// What a delivery of a batch turned out to be.
enum BatchDelivery: Equatable {
    /// The first one; its spans are new.
    case first
    /// The batch was received before, with the same spans as far as is still known.
    case duplicate
    /// The batch number was received before, with other spans.
    case mismatch
}

/// Batches of one run, by their number.
struct BatchLedger {
    /// A batch received and not yet settled.
    struct Entry: Equatable {
        /// What its first delivery held.
        var summary: BatchSummary
        /// How often it came.
        var deliveries: Int
    }

    private var open: [UInt64: Entry] = [:]
    private var settled = BatchRanges()
    private let openMax: Int
    /// Batches received at least once.
    private(set) var batches = 0

    /// Books that hold at most `openMax` unsettled batches; when there are more, the lower half of
    /// the numbers is folded unasked.
    init(openMax: Int) {
        precondition(openMax >= 2)
        self.openMax = openMax
    }

    /// Batches not yet settled.
    var openCount: Int { open.count }

    /// Enters a delivery. O(1), and O(log ranges) for a batch long settled.
    mutating func record(_ number: UInt64, _ summary: BatchSummary) -> BatchDelivery {
        if let slot = open.index(forKey: number) {
            open.values[slot].deliveries += 1
            return open.values[slot].summary == summary ? .duplicate : .mismatch
        }
        if settled.contains(number) { return .duplicate }
        open[number] = Entry(summary: summary, deliveries: 1)
        batches += 1
        if open.count > openMax { foldLowerHalf() }
        return .first
    }

    /// Unsettled batches with numbers up to and including `last`, in ascending order.
    func unsettled(through last: UInt64) -> [(number: UInt64, entry: Entry)] {
        open.lazy.filter { $0.key <= last }
            .map { (number: $0.key, entry: $0.value) }
            .sorted { $0.number < $1.number }
    }

    /// Folds every batch with a number up to and including `last`. A later delivery of one of them
    /// is a duplicate; a batch that never came stays new, however low its number.
    /// Returns how many were folded. O(open batches).
    @discardableResult
    mutating func settle(through last: UInt64) -> Int {
        let numbers = open.keys.filter { $0 <= last }.sorted()
        for number in numbers {
            settled.insert(number)
            open[number] = nil
        }
        return numbers.count
    }

    /// Folds the lower half of the open batches.
    mutating func foldLowerHalf() {
        let numbers = open.keys.sorted()
        guard !numbers.isEmpty else { return }
        settle(through: numbers[numbers.count / 2])
    }
}

/// A set of numbers that are mostly consecutive, as ranges.
struct BatchRanges: Equatable {
    /// More ranges than this are not kept: the two lowest then become one, and what was missing
    /// between them counts as delivered. It takes that many lost batches that never came again.
    static let rangesMax = 4096

    private(set) var ranges: [ClosedRange<UInt64>] = []

    /// Whether `number` is in the set. O(log ranges).
    func contains(_ number: UInt64) -> Bool {
        let index = firstIndex(endingAtOrAfter: number)
        return index < ranges.count && ranges[index].lowerBound <= number
    }

    /// Adds `number`. O(1) for the successor of the highest one, else O(ranges).
    mutating func insert(_ number: UInt64) {
        if let last = ranges.last, last.upperBound < UInt64.max, last.upperBound + 1 == number {
            ranges[ranges.count - 1] = last.lowerBound...number
            return
        }
        let index = firstIndex(endingAtOrAfter: number)
        if index < ranges.count, ranges[index].lowerBound <= number { return }
        let touchesNext =
            index < ranges.count && number < UInt64.max && ranges[index].lowerBound == number + 1
        let touchesPrevious =
            index > 0 && number > 0 && ranges[index - 1].upperBound == number - 1
        switch (touchesPrevious, touchesNext) {
        case (true, true):
            ranges[index - 1] = ranges[index - 1].lowerBound...ranges[index].upperBound
            ranges.remove(at: index)
        case (true, false):
            ranges[index - 1] = ranges[index - 1].lowerBound...number
        case (false, true):
            ranges[index] = number...ranges[index].upperBound
        case (false, false):
            ranges.insert(number...number, at: index)
        }
        if ranges.count > Self.rangesMax {
            ranges[1] = ranges[0].lowerBound...ranges[1].upperBound
            ranges.remove(at: 0)
        }
    }

    private func firstIndex(endingAtOrAfter number: UInt64) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < number { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
