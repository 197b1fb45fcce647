import Testing

@testable import TraceResults

@Suite("Batch reconciler")
struct BatchReconcilerTests {
    static func record(
        _ number: UInt64, outcome: BatchOutcome = .acknowledged, indeterminate: Bool = false,
        attempts: Int = 1
    ) -> BatchRecord {
        BatchRecord(
            number: number, spans: 10, identitySum: number &* 3, contentSum: number &* 5,
            outcome: outcome, isIndeterminate: indeterminate, attempts: attempts)
    }

    static func line(_ number: UInt64, deliveries: Int = 1) -> BatchLine {
        BatchLine(
            number: number, spans: 10, identitySum: number &* 3, contentSum: number &* 5,
            deliveries: deliveries)
    }

    @Test("a line is read as the sink writes it")
    func parsing() throws {
        let line = try BatchLine(text: "812 512 00ff cafe 2")
        let expected = BatchLine(
            number: 812, spans: 512, identitySum: 255, contentSum: 0xCAFE, deliveries: 2)
        #expect(line == expected)
    }

    @Test(
        "a line of another shape is refused",
        arguments: [
            "", "1 2 3 4", "1 2 3 4 5 6", "-1 2 3 4 5", "1 -2 3 4 5", "1 2 x 4 5", "1 2 3 4 0",
            "18446744073709551615 1 1 1 1", "<html>", "1 2 3 10000000000000000 5",
            " 1 2 3 4 5",
            "1  2 3 4 5", "1 2 3 4 a", "9999999999999999999 9223372036854775808 3 4 5",
        ])
    func malformedLine(text: String) {
        #expect(throws: BatchLineError.self) { try BatchLine(text: text) }
    }

    @Test("a whole list is read, and stops at the first line that is none")
    func list() throws {
        var reconciler = BatchReconciler()
        try reconciler.receive(list: "1 10 3 5 1\n\n2 10 6 a 2\n".utf8)
        #expect(reconciler.totals.listedBatches == 2)
        #expect(reconciler.totals.listedContentSum == 15)
        let error = #expect(throws: BatchLineError.self) {
            try reconciler.receive(list: "3 10 9 f 1\n\u{1B}[2J".utf8)
        }
        #expect(error?.description.contains("the line \"\\u{1b}[2J\" where") == true)
        #expect(reconciler.totals.listedBatches == 3)
    }

    @Test("what matches folds away and may be settled at the sink")
    func folding() throws {
        var reconciler = BatchReconciler()
        #expect(reconciler.settleThrough == nil)
        for number in 1...10_000 as ClosedRange<UInt64> {
            reconciler.settle(Self.record(number))
            reconciler.receive(Self.line(number))
            #expect(reconciler.openCount == 0)
        }
        #expect(reconciler.settleThrough == 10_000)
        reconciler.finish()
        #expect(reconciler.totals.matchedBatches == 10_000)
        #expect(reconciler.totals.matchedSpans == 100_000)
        #expect(reconciler.totals.mismatchCount == 0)
    }

    @Test("a batch under way holds back settling, in whichever order its two accounts come")
    func holding() {
        var reconciler = BatchReconciler()
        reconciler.receive(Self.line(1))
        reconciler.settle(Self.record(3))
        reconciler.receive(Self.line(3))
        #expect(reconciler.settleThrough == nil)
        reconciler.settle(Self.record(1))
        #expect(reconciler.settleThrough == 1)
        reconciler.settle(Self.record(2))
        #expect(reconciler.settleThrough == 1)
        // Listed again before it is settled there: nothing new.
        reconciler.receive(Self.line(3))
        reconciler.receive(Self.line(2))
        #expect(reconciler.settleThrough == 3)
        reconciler.finish()
        #expect(reconciler.totals.matchedBatches == 3)
        #expect(reconciler.totals.mismatchCount == 0)
    }

    @Test("a batch of unknown fate holds back for a while and is recognised when it comes late")
    func late() {
        var reconciler = BatchReconciler(holdBack: 8)
        reconciler.settle(Self.record(1, outcome: .retriesExhausted, indeterminate: true))
        for number in 2...9 as ClosedRange<UInt64> {
            reconciler.settle(Self.record(number))
            reconciler.receive(Self.line(number))
        }
        #expect(reconciler.settleThrough == nil)
        reconciler.settle(Self.record(10))
        #expect(reconciler.settleThrough == 9)
        reconciler.receive(Self.line(10))
        reconciler.receive(Self.line(1))
        reconciler.finish()
        #expect(reconciler.totals.matchedBatches == 10)
        #expect(reconciler.totals.indeterminateReceivedSpans == 10)
        #expect(reconciler.totals.indeterminateUnseenSpans == 0)
        #expect(reconciler.mismatches == [])
    }

    @Test("one batch number is settled twice")
    func settledTwice() {
        var reconciler = BatchReconciler()
        reconciler.settle(Self.record(1))
        reconciler.settle(Self.record(1))
        #expect(reconciler.mismatches.map(\.kind) == [.settledTwice])
        #expect(
            reconciler.mismatches[0].violation.message
                == "L2: the exporter settled batch 1 twice: its spans are counted under two fates")
    }

    @Test("mismatches beyond the bound are counted, not kept")
    func bounded() {
        var reconciler = BatchReconciler(mismatchesMax: 3)
        for number in 1...50 as ClosedRange<UInt64> { reconciler.settle(Self.record(number)) }
        reconciler.finish()
        #expect(reconciler.mismatches.map(\.number) == [1, 2, 3])
        #expect(reconciler.totals.mismatchCount == 50)
        var ledger = ConservationLedger()
        ledger.close(with: &reconciler)
        #expect(ledger.violations.count == 3)
        #expect(ledger.violationsOmitted == 47)
        #expect(ledger.verdictText.hasPrefix("ledger: BROKEN in 50 places: L3: batch 1 with"))
    }

    @Test("sums that one side does not keep are not compared")
    func comparison() {
        var record = Self.record(1)
        record.identitySum = 0
        record.contentSum = 0
        var counting = BatchReconciler(comparing: [])
        counting.settle(record)
        counting.receive(Self.line(1))
        #expect(counting.totals.mismatchCount == 0)
        var summing = BatchReconciler()
        summing.settle(record)
        summing.receive(Self.line(1))
        #expect(summing.mismatches.map(\.kind) == [.identity])
    }

    @Test("every mismatch says what to look at")
    func messages() {
        func message(_ kind: BatchMismatch.Kind, _ expected: UInt64, _ found: UInt64) -> String {
            BatchMismatch(kind: kind, number: 1812, expected: expected, found: found).violation
                .message
        }
        #expect(
            message(.missingAtSink, 512, 0)
                == "L3: batch 1,812 with 512 spans was acknowledged but never reached the sink")
        #expect(
            message(.receivedThoughRefused, 0, 1)
                == "L3: batch 1,812 was refused by a definite answer, yet the sink counts 1 span "
                + "of it as received")
        #expect(
            message(.spanCount, 512, 511)
                == "L3: batch 1,812 was sent with 512 spans, the sink decoded 511 of them")
        #expect(
            message(.excessDeliveries, 1, 3)
                == "L3: batch 1,812 was sent once and received 3 times")
        #expect(message(.content, 1, 16).hasSuffix("(expected 0x1, found 0x10)"))
    }
}

/// The reconciler against a model of an exporter and a sink that lose, double, reorder and damage.
@Suite("Batch reconciler against a model")
struct BatchReconcilerModelTests {
    struct Expected: Hashable {
        var kind: BatchMismatch.Kind
        var number: UInt64
    }

    @Test("every fault is classified, and nothing else", arguments: 1...60 as ClosedRange<UInt64>)
    func classification(seed: UInt64) {
        var random = SplitMix(state: seed)
        let batchCount = Int.random(in: 1...600, using: &random)
        var expected: Set<Expected> = []
        var unseen: UInt64 = 0
        var arrived: UInt64 = 0
        var records: [BatchRecord] = []
        var lines: [BatchLine] = []
        for number in 1...UInt64(batchCount) {
            var record = BatchRecord(
                number: number, spans: Int.random(in: 1...512, using: &random),
                identitySum: random.next(), contentSum: random.next(), outcome: .acknowledged,
                attempts: Int.random(in: 1...3, using: &random))
            var line: BatchLine? = BatchLine(
                number: number, spans: record.spans, identitySum: record.identitySum,
                contentSum: record.contentSum,
                deliveries: Int.random(in: 1...record.attempts, using: &random))
            func expect(_ kind: BatchMismatch.Kind) {
                expected.insert(Expected(kind: kind, number: number))
            }
            switch Int.random(in: 0..<20, using: &random) {
            case 0:  // acknowledged and lost
                line = nil
                expect(.missingAtSink)
            case 1:  // refused
                record.outcome = .refused
                line = nil
            case 2:  // refused and kept all the same
                record.outcome = .refused
                expect(.receivedThoughRefused)
            case 3:  // given up without an answer, did not arrive
                record.outcome = .retriesExhausted
                record.isIndeterminate = true
                line = nil
                unseen += UInt64(record.spans)
            case 4:  // given up without an answer, did arrive
                record.outcome = .shutdown
                record.isIndeterminate = true
                arrived += UInt64(record.spans)
            case 5:  // a span short
                line?.spans -= 1
                expect(.spanCount)
            case 6:  // another span in place of one
                line?.identitySum ^= 1
                expect(.identity)
            case 7:  // a damaged byte
                line?.contentSum ^= 1 << 63
                expect(.content)
            case 8:  // doubled on the way
                line?.deliveries = record.attempts + 1
                expect(.excessDeliveries)
            case 9:  // partly rejected
                record.rejectedSpans = Int.random(in: 1...record.spans, using: &random)
            case 10:  // doubled and damaged
                line?.deliveries = record.attempts + 2
                line?.contentSum &+= 1
                expect(.excessDeliveries)
                expect(.content)
            default: break
            }
            records.append(record)
            if let line { lines.append(line) }
        }
        for foreign in 0..<UInt64.random(in: 0..<3, using: &random) {
            let number = UInt64(batchCount) + 1 + foreign
            lines.append(
                BatchLine(
                    number: number, spans: 1, identitySum: 1, contentSum: 1, deliveries: 1))
            expected.insert(Expected(kind: .neverSent, number: number))
        }

        var reconciler = BatchReconciler(mismatchesMax: .max, holdBack: 16)
        feed(&reconciler, records, lines, &random)
        reconciler.finish()

        let found = reconciler.mismatches.map { Expected(kind: $0.kind, number: $0.number) }
        #expect(Set(found) == expected)
        #expect(found.count == expected.count)
        let totals = reconciler.totals
        #expect(totals.mismatchCount == UInt64(expected.count))
        #expect(totals.indeterminateUnseenSpans == unseen)
        #expect(totals.indeterminateReceivedSpans == arrived)
        #expect(totals.settledBatches == UInt64(records.count))
        #expect(totals.listedBatches == UInt64(lines.count))
        #expect(totals.listedSpans == lines.reduce(0) { $0 + UInt64($1.spans) })
        #expect(totals.listedContentSum == lines.reduce(0) { $0 &+ $1.contentSum })
        let bad = Set(expected.map(\.number))
        let good = lines.filter { !bad.contains($0.number) }
        #expect(totals.matchedBatches == UInt64(good.count))
        #expect(reconciler.openCount == 0)
    }

    /// Feeds both accounts in a random order that keeps near neighbours together, the sink listing
    /// everything it has not settled again and again, as the real one does.
    private func feed(
        _ reconciler: inout BatchReconciler, _ records: [BatchRecord], _ lines: [BatchLine],
        _ random: inout SplitMix
    ) {
        func jittered<Element>(
            _ elements: [Element], number: (Element) -> UInt64
        ) -> [(order: UInt64, element: Element)] {
            elements.map { (number($0) + UInt64.random(in: 0..<40, using: &random), $0) }
                .sorted { $0.order < $1.order }
        }
        let settling = jittered(records, number: \.number)
        let arriving = jittered(lines, number: \.number)
        var settled = 0
        var atSink: [BatchLine] = []
        var arrivedCount = 0
        for step in 0...UInt64(records.count + 50) {
            while settled < settling.count, settling[settled].order <= step {
                reconciler.settle(settling[settled].element)
                settled += 1
            }
            while arrivedCount < arriving.count, arriving[arrivedCount].order <= step {
                atSink.append(arriving[arrivedCount].element)
                arrivedCount += 1
            }
            guard step % 7 == 0 else { continue }
            for line in atSink.shuffled(using: &random) { reconciler.receive(line) }
            if let through = reconciler.settleThrough { atSink.removeAll { $0.number <= through } }
        }
        for line in atSink { reconciler.receive(line) }
    }
}
