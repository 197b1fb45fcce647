@testable import TraceResults

/// A result in which every part is filled.
enum SampleResult {
    static func make() -> RunResult {
        var result = RunResult()
        result.tool = ToolFacts.current(version: "0.1.0", commit: "abc1234")
        result.scenario = ScenarioFacts(name: "checkout", seed: .max, resolved: "version: 1\n")
        result.environment.hard.architecture = "x86_64"
        result.environment.hard.cpuModel = "Some Processor"
        result.environment.hard.cpuCount = 2
        result.environment.hard.cpuQuota = 1.5
        result.environment.soft.kernel = "6.1"
        result.environment.soft.libc = "glibc 2.36"
        result.environment.soft.virtualisation = "none"
        result.environment.soft.hostHash = "0123456789abcdef"
        result.environment.soft.bootHash = "fedcba9876543210"
        result.design.kind = .interleaved
        result.design.orderSeed = 1 << 63
        result.design.rounds = 1
        result.runs = [run()]
        return result
    }

    static func run() -> RunRecord {
        var run = RunRecord()
        run.startedAt = "2026-11-21T12:00:00.000Z"
        run.valid = true
        run.load.durationNs = 10_000_000_000
        run.load.intendedTraces = 100_000
        run.load.achievedTraces = 99_998
        run.load.intendedSpans = 2_000_000
        run.load.achievedSpans = 1_999_960
        run.load.intendedTracesPerS = 10_000
        run.load.intendedSpansPerS = 200_000
        run.load.lateStarts = 12
        run.host.stealShare = 0.01
        run.host.cpuPressureShare = 0.25
        var memory = MemoryFacts()
        memory.statedStoreBytes = 140 << 20
        memory.statedRingBytes = 130 << 20
        memory.statedBodiesBytes = 128 << 20
        memory.statedExporterBytes = 2 << 20
        memory.heldBytes = 90 << 20
        memory.residentBeforeBytes = 12 << 20
        memory.peakResidentBytes = 88_000_000
        run.memory = memory

        var tracer = TracerCounts()
        tracer.startCalls = 1_999_960
        tracer.notRecordedSampler = 1960
        tracer.recording = 1_998_000
        tracer.endedByCaller = 1_998_000
        tracer.sampledEnded = 1_998_000
        run.ledger.tracer = tracer
        var delivery = DeliveryCounts()
        delivery.acknowledged = FateCount(count: 1_997_000, identitySum: 5)
        delivery.droppedQueueFull = FateCount(count: 1000, identitySum: .max)
        run.ledger.deliveries = [delivery]
        var sink = SinkLedger(mode: .count)
        sink.spansTotal = 1_997_000
        sink.spansDistinct = 1_997_000
        sink.identitySum = 5
        sink.contentSum = .max
        sink.batches = 3901
        run.ledger.sink = sink
        var batches = BatchReconciliation()
        batches.matchedBatches = 3901
        batches.listedBatches = 3901
        batches.listedSpans = 1_997_000
        batches.listedIdentitySum = 5
        batches.listedContentSum = .max
        run.ledger.batches = batches
        run.ledger.close()

        for (index, name) in LatencyName.allCases.enumerated() where name != .scheduleLag {
            var histogram = LatencyHistogram()
            for sample in 1...UInt64(31_250) {
                histogram.record(sample * UInt64(1 + index * index * 40) / 500 + 30)
            }
            run.set(name, histogram)
        }
        run.set(.deliveredSpansPerS, 199_690.4)
        run.set(.replayOverheadNsPerSpan, 12.34)
        run.set(.timerFloorNs, 11)
        run.set(.encodeNsPerSpan, 14.2)
        run.set(.wireBytesPerSpan, 41.5)
        run.set(.bodyBytesPerSpan, 243.1)
        run.set(.cpuNsPerSpan, 312)
        run.set(.allocatedBytesPerSpan, 0)
        run.set(.peakResidentBytes, 88_000_000)
        run.series.append(["startedTraces": 10_000, "queuedSpans": 12.5])
        run.series.append(["startedTraces": 9998, "droppedSpans": 1000])
        return run
    }
}
