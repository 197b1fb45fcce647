import Testing
import TraceCore
import TraceResults

@testable import TraceLoad

@Suite struct TracerCountsTests {
    /// Twelve starts that record: five ended by their caller, three and two by the sweeper, two live.
    private var counters: CoreCounters {
        var counters = CoreCounters()
        counters.startCalls = 21
        counters.notRecordedSampler = 1
        counters.notRecordedStoreFull = 2
        counters.notRecordedAfterShutdown = 3
        counters.notRecordedDisabled = 1
        counters.notRecordedForked = 2
        counters.recording = 12
        counters.recordingOnly = 1
        counters.ended = 8
        counters.sweptEnded = 3
        counters.sweptDropped = 2
        counters.endedSampled = 7
        return counters
    }

    @Test("Spans that the sweeper settled stand in fields of their own, and L0 and L1 hold")
    func swept() {
        let counts = TracerCounts(counters, liveSlots: 2)
        #expect(counts.endedByCaller == 5)
        #expect(counts.endedBySweeper == 3)
        #expect(counts.discardedBySweeper == 2)
        #expect(counts.live == 2)
        #expect(counts.sampledEnded == 7)
        #expect(counts.notRecorded == 9)
        #expect(ConservationLaws.startCalls(counts).isEmpty)
        #expect(ConservationLaws.recording(counts).isEmpty)
        #expect(counters.live == counts.live)
    }

    @Test("A span that is in no field breaks L1")
    func missing() {
        var counters = counters
        counters.sweptDropped = 1
        #expect(!ConservationLaws.recording(TracerCounts(counters, liveSlots: 2)).isEmpty)
    }
}
