import Testing

@testable import TraceSink

@Suite("The books by batch number")
struct BatchLedgerTests {
    private let summary = BatchSummary(spans: 3, identitySum: 5, contentSum: 7)

    @Test("The first delivery of a batch is new, later ones are duplicates")
    func duplicates() {
        var ledger = BatchLedger(openMax: 100)
        #expect(ledger.record(1, summary) == .first)
        #expect(ledger.record(2, summary) == .first)
        #expect(ledger.record(1, summary) == .duplicate)
        #expect(ledger.batches == 2)
        #expect(ledger.unsettled(through: 1).map(\.number) == [1])
        #expect(ledger.unsettled(through: 9).map(\.entry.deliveries) == [2, 1])
    }

    @Test("A second delivery with other spans is a mismatch, and the first one stays")
    func mismatch() {
        var ledger = BatchLedger(openMax: 100)
        _ = ledger.record(1, summary)
        let other = BatchSummary(spans: 3, identitySum: 5, contentSum: 8)
        #expect(ledger.record(1, other) == .mismatch)
        #expect(ledger.unsettled(through: 1).first?.entry.summary == summary)
    }

    @Test("A folded batch that comes late is a duplicate; one that never came is new")
    func settling() {
        var ledger = BatchLedger(openMax: 100)
        for number in [1, 2, 4, 7] as [UInt64] { _ = ledger.record(number, summary) }
        #expect(ledger.settle(through: 4) == 3)
        #expect(ledger.openCount == 1)
        #expect(ledger.unsettled(through: .max).map(\.number) == [7])
        #expect(ledger.record(2, summary) == .duplicate)
        #expect(ledger.record(3, summary) == .first)
        #expect(ledger.record(3, summary) == .duplicate)
        #expect(ledger.settle(through: 4) == 1)
        #expect(ledger.record(3, summary) == .duplicate)
        #expect(ledger.batches == 5)
    }

    @Test("Memory stays flat when a long run is settled as it goes")
    func flatMemory() {
        var ledger = BatchLedger(openMax: 1_000)
        for number in 1...200_000 as ClosedRange<UInt64> {
            #expect(ledger.record(number, summary) == .first)
            if number % 500 == 0 { ledger.settle(through: number) }
        }
        #expect(ledger.openCount == 0)
        #expect(ledger.batches == 200_000)
        #expect(ledger.record(1, summary) == .duplicate)
        #expect(ledger.record(200_000, summary) == .duplicate)
    }

    @Test("Nobody settling folds the older half, which stays known")
    func foldedUnasked() {
        var ledger = BatchLedger(openMax: 10)
        for number in 0..<100 as Range<UInt64> {
            #expect(ledger.record(number, summary) == .first)
        }
        #expect(ledger.openCount <= 10)
        for number in 0..<100 as Range<UInt64> {
            #expect(ledger.record(number, summary) == .duplicate)
        }
    }

    @Test(
        "Ranges are the set they stand for", arguments: 0..<4 as Range<UInt64>,
        [0...40, 100...900, UInt64.max - 40...UInt64.max] as [ClosedRange<UInt64>])
    func ranges(seed: UInt64, domain: ClosedRange<UInt64>) {
        var numbers = SeededNumbers(seed)
        var ranges = BatchRanges()
        var model: Set<UInt64> = []
        for _ in 0..<200 {
            let number = UInt64.random(in: domain, using: &numbers)
            ranges.insert(number)
            model.insert(number)
            #expect(ranges.contains(number))
        }
        for number in domain {
            #expect(ranges.contains(number) == model.contains(number))
        }
        for (left, right) in zip(ranges.ranges, ranges.ranges.dropFirst()) {
            #expect(left.upperBound + 1 < right.lowerBound)
        }
    }

    @Test("More holes than are kept close from below")
    func rangesMax() {
        var ranges = BatchRanges()
        for number in 0..<UInt64(BatchRanges.rangesMax + 10) { ranges.insert(number * 2) }
        #expect(ranges.ranges.count == BatchRanges.rangesMax)
        #expect(ranges.contains(0) && ranges.contains(1))
        #expect(!ranges.contains(UInt64(BatchRanges.rangesMax + 9) * 2 - 1))
    }
}
