import Testing

@testable import TraceResults

@Suite("Conservation laws")
struct ConservationLawsTests {
    /// Books of a sound run: 2,000 start calls, 1,024 sampled ends, all but 24 acknowledged.
    static func soundLedger() -> ConservationLedger {
        var ledger = ConservationLedger()
        ledger.tracer.startCalls = 2000
        ledger.tracer.notRecordedSampler = 900
        ledger.tracer.notRecordedStoreFull = 40
        ledger.tracer.notRecordedAfterShutdown = 5
        ledger.tracer.notRecordedDisabled = 1
        ledger.tracer.recording = 1054
        ledger.tracer.endedByCaller = 1044
        ledger.tracer.live = 10
        ledger.tracer.sampledEnded = 1024
        var issued = IssuedCounts()
        issued.startCalls = 2000
        issued.recorded = 1054
        issued.sampledEnded = 1024
        issued.identitySum = 700
        issued.semanticSum = 77
        ledger.issued = issued
        var delivery = DeliveryCounts()
        delivery.acknowledged = FateCount(count: 1000, identitySum: 600)
        delivery.rejected = FateCount(count: 4)
        delivery.droppedQueueFull = FateCount(count: 20, identitySum: 100)
        ledger.deliveries = [delivery]
        var sink = SinkLedger(mode: .verify)
        sink.spansTotal = 1012
        sink.spansDistinct = 1004
        sink.spansDuplicate = 8
        sink.identitySum = 600
        sink.batches = 2
        sink.semanticSum = 12345
        ledger.sink = sink
        var batches = BatchReconciliation()
        batches.matchedBatches = 2
        batches.listedBatches = 2
        batches.listedSpans = 1004
        batches.listedIdentitySum = 600
        batches.acknowledgedSpans = 1000
        batches.rejectedSpans = 4
        batches.resentSpans = 8
        ledger.batches = batches
        return ledger
    }

    @Test("sound books break no law, at rest or running")
    func sound() {
        var ledger = Self.soundLedger()
        #expect(ledger.violations(at: .atRest) == [])
        #expect(ledger.violations(at: .running) == [])
        ledger.close()
        #expect(ledger.holds)
        #expect(ledger.checked == Law.allCases)
        #expect(
            ledger.verdictText
                == "ledger: L0 L1 L2 L3 hold; 2 batches match the sink's own decode")
    }

    @Test("books that were never closed do not hold")
    func unchecked() {
        #expect(!Self.soundLedger().holds)
        #expect(Self.soundLedger().verdictText == "ledger: not checked")
    }

    struct Case: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var law: Law
        var what: String
        var difference: Int64?
        var message: String
        var breakIt: @Sendable (inout ConservationLedger) -> Void
    }

    static let cases: [Case] = [
        Case(
            testDescription: "a start call vanishes in the tracer", law: .startCalls,
            what: "start calls", difference: -1,
            message: "L0: 2,000 start calls, 1,999 accounted for (945 not recorded, "
                + "1,054 recording): 1 missing in the sampler or the store"
        ) { $0.tracer.notRecordedSampler -= 1 },
        Case(
            testDescription: "a start call is counted under two reasons", law: .startCalls,
            what: "start calls", difference: 3,
            message: "L0: 2,000 start calls, 2,003 accounted for (949 not recorded, "
                + "1,054 recording): 3 too many in the sampler or the store"
        ) { $0.tracer.notRecordedStoreFull += 3 },
        Case(
            testDescription: "the tracer sees fewer start calls than were made", law: .startCalls,
            what: "start calls issued", difference: -10,
            message: "L0: the generator made 2,010 start calls, the tracer counted 2,000: "
                + "10 missing on the way into the tracer"
        ) { $0.issued?.startCalls = 2010 },
        Case(
            testDescription: "a recording span never reaches the caller", law: .startCalls,
            what: "recording spans issued", difference: 1,
            message: "L0: the generator was given 1,053 recording spans, the tracer counted "
                + "1,054: 1 too many between store and caller"
        ) { $0.issued?.recorded = 1053 },
        Case(
            testDescription: "a slot is lost between start and end", law: .recording,
            what: "recording spans", difference: -1,
            message: "L1: 1,054 spans recorded, 1,053 accounted for (1,044 ended by the caller, "
                + "0 ended and 0 discarded by the sweeper, 9 live): 1 missing between start and end"
        ) { $0.tracer.live -= 1 },
        Case(
            testDescription: "a swept span is ended again", law: .recording,
            what: "recording spans", difference: 1,
            message: "L1: 1,054 spans recorded, 1,055 accounted for (1,044 ended by the caller, "
                + "0 ended and 1 discarded by the sweeper, 10 live): "
                + "1 too many between start and end"
        ) { $0.tracer.discardedBySweeper += 1 },
        Case(
            testDescription: "an end is not counted by the tracer", law: .recording,
            what: "sampled ends issued", difference: -1,
            message: "L1: the generator ended 1,025 sampled spans, the tracer counted 1,024: "
                + "1 missing at end"
        ) { $0.issued?.sampledEnded = 1025 },
        Case(
            testDescription: "a finished span vanishes on its way out", law: .delivery,
            what: "fates of batch", difference: -1,
            message: "L2: 1,024 spans ended and sampled, 1,023 accounted for: 1 missing between "
                + "queue and acknowledgement of processor 'batch'"
        ) { $0.deliveries[0].droppedQueueFull.count -= 1 },
        Case(
            testDescription: "a span leaves under two fates", law: .delivery,
            what: "fates of batch", difference: 2,
            message: "L2: 1,024 spans ended and sampled, 1,026 accounted for: 2 too many between "
                + "queue and acknowledgement of processor 'batch'"
        ) { $0.deliveries[0].droppedShutdown.count += 2 },
        Case(
            testDescription: "one span is lost and another doubled", law: .delivery,
            what: "identities of batch", difference: nil,
            message: "L2: as many spans left processor 'batch' as were ended, but not the same "
                + "ones: one was lost while another was doubled or had its ids altered "
                + "(expected 0x2bc, found 0x2bd)"
        ) { $0.deliveries[0].droppedQueueFull.identitySum = 101 },
        Case(
            testDescription: "the sink's own figures contradict each other", law: .receipt,
            what: "spans at the sink", difference: -1,
            message: "L3: the sink received 1,013 spans, yet counts 1,004 distinct and "
                + "8 duplicate ones"
        ) { $0.sink?.spansTotal = 1013 },
        Case(
            testDescription: "acknowledged spans never arrived", law: .receipt,
            what: "acknowledged spans received", difference: -1,
            message: "L3: 1,000 spans acknowledged, 999 received: 1 missing between the sink's "
                + "answer and its books"
        ) {
            $0.sink?.spansDistinct = 999
            $0.sink?.spansTotal = 1007
            $0.batches?.listedSpans = 999
        },
        Case(
            testDescription: "more arrived than can have been sent", law: .receipt,
            what: "received spans sent", difference: 6,
            message: "L3: at most 1,004 spans may have arrived, the sink received 1,010 distinct "
                + "ones: 6 came from somewhere else or were refused and kept all the same"
        ) {
            $0.sink?.spansDistinct = 1010
            $0.sink?.spansTotal = 1018
            $0.batches?.listedSpans = 1010
        },
        Case(
            testDescription: "duplicates nobody sent", law: .receipt,
            what: "duplicates resent", difference: 5,
            message: "L3: 3 spans sent again, 8 received again: 5 duplicates that nobody sent"
        ) { $0.batches?.resentSpans = 3 },
        Case(
            testDescription: "a batch is altered when sent again", law: .receipt,
            what: "deliveries that differ", difference: 2,
            message: "L3: 2 deliveries differ from the first of the same batch: a batch was "
                + "altered when sent again"
        ) { $0.sink?.mismatchedDeliveries = 2 },
        Case(
            testDescription: "somebody else sends too", law: .receipt,
            what: "spans without a batch number", difference: 3,
            message: "L3: 3 spans came without a batch number: another sender uses this sink"
        ) { $0.sink?.unnumberedSpans = 3 },
        Case(
            testDescription: "a batch is folded before it is compared", law: .receipt,
            what: "batches compared", difference: -3,
            message: "L3: the sink received 5 batches and listed 2: 3 were folded before they "
                + "were compared; ask for its list more often"
        ) { $0.sink?.batches = 5 },
        Case(
            testDescription: "other spans arrived than were acknowledged", law: .receipt,
            what: "identities received", difference: nil,
            message: "L3: the sink received as many spans as were acknowledged, but not the same "
                + "ones (expected 0x258, found 0x259)"
        ) {
            $0.sink?.identitySum = 601
            $0.batches?.listedIdentitySum = 601
        },
        Case(
            testDescription: "the sink's list does not hold all its spans", law: .receipt,
            what: "spans listed", difference: -1,
            message: "L3: the sink counts 1,004 distinct spans, its list of batches 1,003"
        ) { $0.batches?.listedSpans = 1003 },
        Case(
            testDescription: "the sink's list has other contents than its total", law: .receipt,
            what: "contents listed", difference: nil,
            message: "L3: the sink's totals are not the sums of the batches it listed "
                + "(expected 0x0, found 0x9)"
        ) { $0.batches?.listedContentSum = 9 },
    ]

    @Test("each broken law is found, alone and in words", arguments: cases)
    func broken(broken: Case) throws {
        var ledger = Self.soundLedger()
        broken.breakIt(&ledger)
        let violations = ledger.violations(at: .atRest)
        let violation = try #require(violations.first)
        #expect(violations.count == 1, "\(violations.map(\.message))")
        #expect(violation.law == broken.law)
        #expect(violation.what == broken.what)
        #expect(violation.difference == broken.difference)
        #expect(violation.message == broken.message)
        ledger.close()
        #expect(!ledger.holds)
        #expect(ledger.verdictText == "ledger: BROKEN in 1 place: \(broken.message)")
    }

    @Test("every span delivered and one of them changed is found by the meaning alone")
    func meaning() {
        var ledger = Self.soundLedger()
        ledger.deliveries[0].acknowledged = FateCount(count: 1024, identitySum: 700)
        ledger.deliveries[0].rejected = FateCount()
        ledger.deliveries[0].droppedQueueFull = FateCount()
        ledger.sink?.spansDistinct = 1024
        ledger.sink?.spansTotal = 1032
        ledger.sink?.identitySum = 700
        ledger.batches?.listedSpans = 1024
        ledger.batches?.listedIdentitySum = 700
        #expect(ledger.violations(at: .atRest).map(\.what) == ["meaning received"])
        ledger.sink?.semanticSum = 77
        #expect(ledger.violations(at: .atRest) == [])
    }

    @Test("while running only what is downstream may lag behind")
    func running() {
        var ledger = Self.soundLedger()
        ledger.tracer.startCalls += 100
        ledger.tracer.recording += 50
        ledger.tracer.sampledEnded += 10
        #expect(ledger.violations(at: .running) == [])
        ledger.deliveries[0].acknowledged.count += 11
        #expect(ledger.violations(at: .running).map(\.law) == [.delivery])
    }

    @Test("the sweeper's ends are not expected of the generator")
    func sweeper() {
        var ledger = Self.soundLedger()
        ledger.tracer.live = 0
        ledger.tracer.endedBySweeper = 10
        ledger.tracer.sampledEnded = 1034
        ledger.deliveries[0].droppedOversize = FateCount(count: 10, identitySum: 5)
        #expect(ledger.violations(at: .atRest) == [])
        ledger.tracer.sampledEnded = 1035
        #expect(ledger.violations(at: .atRest).map(\.law) == [.recording, .delivery])
    }

    @Test("spans of unknown fate may arrive or not")
    func indeterminate() {
        var ledger = Self.soundLedger()
        ledger.deliveries[0].droppedQueueFull = FateCount()
        ledger.deliveries[0].droppedRetriesExhausted = FateCount(count: 20, identitySum: 100)
        ledger.batches?.indeterminateUnseenSpans = 20
        #expect(ledger.violations(at: .atRest) == [])
        ledger.batches?.indeterminateUnseenSpans = 0
        ledger.batches?.indeterminateReceivedSpans = 20
        ledger.sink?.spansDistinct = 1024
        ledger.sink?.spansTotal = 1032
        ledger.batches?.listedSpans = 1024
        ledger.issued?.semanticSum = nil
        #expect(ledger.violations(at: .atRest) == [])
        // Without the records it may have been any of the given-up ones, and no more.
        ledger.batches = nil
        #expect(ledger.violations(at: .atRest) == [])
        ledger.sink?.spansDistinct = 1025
        ledger.sink?.spansTotal = 1033
        #expect(ledger.violations(at: .atRest).map(\.what) == ["received spans sent"])
    }

    @Test("identities are compared only where every fate has a sum")
    func missingSums() {
        var ledger = Self.soundLedger()
        ledger.deliveries[0].droppedQueueFull.identitySum = nil
        ledger.issued?.identitySum = 1
        #expect(ledger.violations(at: .atRest) == [])
    }

    @Test("every fate counts as accounted for, and those that lose spans as dropped")
    func fates() {
        var delivery = DeliveryCounts()
        for (index, fate) in DeliveryCounts.fates.enumerated() {
            delivery[keyPath: fate.path] = FateCount(count: 1 << index, identitySum: 1 << index)
        }
        #expect(delivery.accountedFor == (1 << 11) - 1)
        #expect(delivery.identitySum == (1 << 11) - 1)
        let lost = DeliveryCounts.fates.filter { $0.name.hasPrefix("dropped") }
        #expect(lost.count == 5)
        #expect(delivery.dropped == lost.reduce(0) { $0 + delivery[keyPath: $1.path].count })
    }

    @Test("differences beyond 63 bits saturate")
    func saturation() {
        var tracer = TracerCounts()
        tracer.startCalls = .max
        #expect(ConservationLaws.startCalls(tracer).first?.difference == -.max)
        tracer.startCalls = 0
        tracer.recording = .max
        #expect(ConservationLaws.startCalls(tracer).first?.difference == .max)
    }
}
