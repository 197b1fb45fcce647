// L3 batch by batch, while the run goes on: the exporter's settled records on one side, the sink's
// lines on the other. What matches folds away, so that memory holds only what is under way, what
// disagrees (bounded), and batches that nobody knows the fate of. One owner at a time.
//
// The sink keeps a batch until it is told to settle it, and lists it until then; the owner asks for
// the list, feeds it, and settles the sink through `settleThrough`.

/// Compares the batches an exporter settled with those a sink received.
public struct BatchReconciler: Sendable {
    /// What of a batch is compared; leave out what one side does not keep.
    public struct Comparison: OptionSet, Sendable {
        public let rawValue: Int

        public init(rawValue: Int) {
            self.rawValue = rawValue
        }

        /// The identity sums.
        public static let identities = Comparison(rawValue: 1)
        /// The content sums.
        public static let contents = Comparison(rawValue: 2)
    }

    private let comparison: Comparison
    private let mismatchesMax: Int
    private let holdBack: UInt64

    /// The first disagreements, at most as many as asked for; their number is in ``totals``.
    public private(set) var mismatches: [BatchMismatch] = []
    /// The figures so far.
    public private(set) var totals = BatchReconciliation()

    /// Settled and not yet listed by the sink: acknowledged, or of unknown fate.
    private var awaitingLine: [UInt64: BatchRecord] = [:]
    /// Listed by the sink and not yet settled by the exporter.
    private var awaitingRecord: [UInt64: BatchLine] = [:]
    /// Settled by a definite refusal: the sink must not list them.
    private var refused = RangeSet<UInt64>()
    /// Every number below this one needs nothing more from the sink.
    private var doneBelow: UInt64
    /// Numbers above `doneBelow` of which the same is true.
    private var doneAbove: Set<UInt64> = []
    private let firstNumber: UInt64
    /// Batches of unknown fate in the order they were settled, from `undecidedHead` on.
    private var undecided: [UInt64] = []
    private var undecidedHead = 0
    private var newest: UInt64 = 0

    /// A comparison of nothing yet.
    ///
    /// - Parameters:
    ///   - comparison: what is compared besides the number of spans.
    ///   - firstNumber: the number of the exporter's first batch; they count up by one.
    ///   - mismatchesMax: how many disagreements are kept.
    ///   - holdBack: how many batches later a batch of unknown fate that has not arrived stops
    ///     holding back ``settleThrough``. It is still recognised when it does arrive.
    public init(
        comparing comparison: Comparison = [.identities, .contents], firstNumber: UInt64 = 1,
        mismatchesMax: Int = 100, holdBack: UInt64 = 4096
    ) {
        self.comparison = comparison
        self.mismatchesMax = mismatchesMax
        self.holdBack = holdBack
        self.firstNumber = firstNumber
        doneBelow = firstNumber
    }

    /// The highest number through which the sink may settle: of all batches up to it nothing more
    /// is to be learned from its list. Nil when there is none yet.
    public var settleThrough: UInt64? {
        doneBelow > firstNumber ? doneBelow - 1 : nil
    }

    /// Batches held in memory.
    public var openCount: Int {
        awaitingLine.count + awaitingRecord.count
    }

    /// Enters a batch that the exporter has settled. O(1) amortised.
    public mutating func settle(_ record: BatchRecord) {
        let number = record.number
        if isKnown(number) {
            note(.settledTwice, number, expected: 1, found: 2)
            return
        }
        count(record)
        newest = max(newest, number)
        releaseHeldBack()
        if let line = awaitingRecord.removeValue(forKey: number) {
            compare(record, line)
            finish(number)
        } else if record.outcome == .acknowledged {
            awaitingLine[number] = record
        } else if record.isIndeterminate {
            awaitingLine[number] = record
            undecided.append(number)
        } else {
            refused.insert(contentsOf: number..<number + 1)
            finish(number)
        }
    }

    /// Enters a line of the sink's list. A batch may be listed again until it is settled there.
    /// O(1) amortised.
    public mutating func receive(_ line: BatchLine) {
        let number = line.number
        if let record = awaitingLine.removeValue(forKey: number) {
            count(line)
            compare(record, line)
            finish(number)
        } else if refused.contains(number) {
            count(line)
            refused.remove(contentsOf: number..<number + 1)
            note(.receivedThoughRefused, number, expected: 0, found: UInt64(line.spans))
        } else if !isDone(number) {
            if awaitingRecord.updateValue(line, forKey: number) == nil { count(line) }
        }
    }

    /// Enters the sink's whole list in UTF-8: a line a batch, empty lines ignored.
    public mutating func receive(list: some Sequence<UInt8>) throws(BatchLineError) {
        let bytes = Array(list)
        var start = 0
        for end in 0...bytes.count where end == bytes.count || bytes[end] == UInt8(ascii: "\n") {
            if end > start { receive(try BatchLine(utf8: bytes[start..<end])) }
            start = end + 1
        }
    }

    /// Classifies what is left, once both sides are at rest and the last list has been entered.
    public mutating func finish() {
        for record in awaitingLine.values.sorted(by: { $0.number < $1.number }) {
            if record.outcome == .acknowledged {
                note(
                    .missingAtSink, record.number, expected: UInt64(record.spans), found: 0)
            } else {
                totals.indeterminateUnseenSpans &+= UInt64(record.spans)
            }
        }
        for line in awaitingRecord.values.sorted(by: { $0.number < $1.number }) {
            note(.neverSent, line.number, expected: 0, found: UInt64(line.spans))
        }
        awaitingLine = [:]
        awaitingRecord = [:]
    }

    // MARK: Comparing

    private mutating func compare(_ record: BatchRecord, _ line: BatchLine) {
        let spans = UInt64(record.spans)
        guard record.outcome == .acknowledged || record.isIndeterminate else {
            note(.receivedThoughRefused, record.number, expected: 0, found: UInt64(line.spans))
            return
        }
        if record.outcome != .acknowledged { totals.indeterminateReceivedSpans &+= spans }
        let before = totals.mismatchCount
        if record.spans != line.spans {
            note(.spanCount, record.number, expected: spans, found: UInt64(line.spans))
        } else if comparison.contains(.identities), record.identitySum != line.identitySum {
            note(
                .identity, record.number, expected: record.identitySum, found: line.identitySum)
        } else if comparison.contains(.contents), record.contentSum != line.contentSum {
            note(.content, record.number, expected: record.contentSum, found: line.contentSum)
        }
        if line.deliveries > record.attempts {
            note(
                .excessDeliveries, record.number, expected: UInt64(record.attempts),
                found: UInt64(line.deliveries))
        }
        if totals.mismatchCount == before {
            totals.matchedBatches += 1
            totals.matchedSpans &+= spans
        }
    }

    private mutating func note(
        _ kind: BatchMismatch.Kind, _ number: UInt64, expected: UInt64, found: UInt64
    ) {
        totals.mismatchCount += 1
        guard mismatches.count < mismatchesMax else { return }
        mismatches.append(
            BatchMismatch(kind: kind, number: number, expected: expected, found: found))
    }

    private mutating func count(_ record: BatchRecord) {
        totals.settledBatches += 1
        totals.resentSpans &+= UInt64(record.spans) &* UInt64(max(0, record.attempts - 1))
        guard record.outcome == .acknowledged else { return }
        totals.acknowledgedSpans &+= UInt64(max(0, record.spans - record.rejectedSpans))
        totals.rejectedSpans &+= UInt64(record.rejectedSpans)
    }

    private mutating func count(_ line: BatchLine) {
        totals.listedBatches += 1
        totals.listedSpans &+= UInt64(line.spans)
        totals.listedIdentitySum &+= line.identitySum
        totals.listedContentSum &+= line.contentSum
    }

    // MARK: Folding

    private func isDone(_ number: UInt64) -> Bool {
        number < doneBelow || doneAbove.contains(number)
    }

    /// Whether a record of this number was entered before.
    private func isKnown(_ number: UInt64) -> Bool {
        isDone(number) || awaitingLine[number] != nil
    }

    private mutating func finish(_ number: UInt64) {
        guard number >= doneBelow else { return }
        doneAbove.insert(number)
        while doneAbove.remove(doneBelow) != nil { doneBelow += 1 }
    }

    /// Lets go of batches of unknown fate that are far behind.
    private mutating func releaseHeldBack() {
        while undecidedHead < undecided.count,
            newest - min(newest, undecided[undecidedHead]) > holdBack
        {
            finish(undecided[undecidedHead])
            undecidedHead += 1
        }
        if undecidedHead > 1024, undecidedHead * 2 > undecided.count {
            undecided.removeFirst(undecidedHead)
            undecidedHead = 0
        }
    }
}
