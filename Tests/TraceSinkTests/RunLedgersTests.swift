import Testing

@testable import TraceSink

@Suite("The books of several runs")
struct RunLedgersTests {
    private let summary = BatchSummary(spans: 3, identitySum: 5, contentSum: 7)

    @Test("Each run has its own numbers; the counts are of all of them")
    func apart() {
        var ledgers = RunLedgers(openMax: 100, runsMax: 8)
        for run in ["", "a", "b"] {
            #expect(ledgers.record(run: run, 1, summary) == .first)
            #expect(ledgers.record(run: run, 1, summary) == .duplicate)
        }
        #expect(ledgers.batches == 3 && ledgers.openCount == 3)
        #expect(ledgers.settle(run: "a", through: 1) == 1)
        #expect(ledgers.settle(run: "c", through: 1) == 0)
        #expect(ledgers.openCount == 2 && ledgers.batches == 3)
        #expect(ledgers.record(run: "a", 1, summary) == .duplicate)
        #expect(ledgers.unsettled(run: "b", through: 9).map(\.number) == [1])
        #expect(ledgers.unsettled(run: "a", through: 9).isEmpty)
    }

    @Test("Of more runs than may be kept, the one not heard of for longest is forgotten")
    func forgets() {
        var ledgers = RunLedgers(openMax: 100, runsMax: 2)
        _ = ledgers.record(run: "a", 1, summary)
        _ = ledgers.record(run: "b", 1, summary)
        _ = ledgers.record(run: "a", 2, summary)
        #expect(ledgers.record(run: "c", 1, summary) == .first)
        #expect(ledgers.unsettled(run: "b", through: 9).isEmpty)
        #expect(ledgers.unsettled(run: "a", through: 9).map(\.number) == [1, 2])
        #expect(ledgers.openCount == 3 && ledgers.batches == 4)
        #expect(ledgers.record(run: "b", 1, summary) == .first)
    }

    @Test("The bound on open batches is one for all runs", arguments: [2, 3, 10, 64])
    func bounded(openMax: Int) {
        var ledgers = RunLedgers(openMax: openMax, runsMax: 4)
        for number in 1...500 as ClosedRange<UInt64> {
            let run = ["a", "b", "c"][Int(number % 3)]
            #expect(ledgers.record(run: run, number, summary) == .first)
            #expect(ledgers.openCount <= openMax)
            let listed = ["a", "b", "c"].map { ledgers.unsettled(run: $0, through: .max).count }
            #expect(listed.reduce(0, +) == ledgers.openCount)
        }
        #expect(ledgers.batches == 500)
        #expect(ledgers.record(run: "a", 300, summary) == .duplicate)
    }
}
