import Testing

@testable import TraceResults

@Suite("Memory over a long run")
struct SoakStudyTests {
    @Test(
        "slopes and intervals as scipy's theilslopes has them",
        arguments: GoldenSlopes.cases.indices)
    func golden(index: Int) throws {
        let golden = GoldenSlopes.cases[index]
        let points = zip(golden.x, golden.y).map { TheilSen.Point($0, $1) }
        let found = try #require(TheilSen.slope([points]))
        #expect(abs(found.estimate - golden.slope) < 1e-9, "\(golden.name)")
        #expect(abs(found.lower - golden.lower) < 1e-9, "\(golden.name)")
        #expect(abs(found.upper - golden.upper) < 1e-9, "\(golden.name)")
        #expect(TheilSen.slope([[], [TheilSen.Point(1, 2)], []]) == nil)
    }

    @Test("a level that changes between two groups is no slope")
    func groups() throws {
        let low = (0..<20).map { TheilSen.Point(Double($0), Double($0 % 3)) }
        let high = (30..<50).map { TheilSen.Point(Double($0), 500 + Double($0 % 3)) }
        let apart = try #require(TheilSen.slope([low, high]))
        #expect(apart.lower <= 0 && apart.upper >= 0 && abs(apart.estimate) < 0.1)
        let joined = try #require(TheilSen.slope([low + high]))
        // As one group, the jump is a slope that is there for certain.
        #expect(joined.lower > 0 && joined.estimate > 1)
    }

    /// An hour of rows; `grows` in bytes an hour.
    private func run(
        seconds: Int = 3_600, grows: Double = 0, noise: Double = 40_000,
        outage: Range<Int>? = nil, step: Double = 0
    ) -> RunRecord {
        var run = SampleResult.run()
        run.load.durationNs = UInt64(seconds) * 1_000_000_000
        run.series = RunSeries()
        var numbers = SplitMix(state: 5)
        for second in 1...seconds {
            let share = Double(numbers.next() >> 11) * 0x1p-53
            let isAway = outage?.contains(second) ?? false
            // Pools fill at first, whatever comes then.
            let filling = min(1, 12 * Double(second) / Double(seconds)) * 8e6
            let held = outage.map { second >= $0.lowerBound } ?? false ? step : 0
            run.series.append([
                "elapsedS": Double(second), "acknowledgedSpansPerS": isAway ? 0 : 10_000,
                "residentBytes": 4e7 + filling + held + grows * Double(second) / 3600
                    + noise * share,
            ])
        }
        if outage != nil { run.ledger.sink?.lastFaultNs = 7 }
        return run
    }

    private func study(_ run: RunRecord, wantsOutage: Bool = false) -> SoakStudy {
        SoakStudy(
            run,
            limits: SoakStudy.Limits(
                settleNs: run.load.durationNs / 6, slopeBytesPerHour: 0x1p20,
                wantsOutage: wantsOutage))
    }

    private func line(_ study: SoakStudy, _ name: String) throws -> SoakStudy.Line {
        try #require(study.lines.first { $0.name == name })
    }

    @Test("memory that is level passes, whatever it did at first; memory that grows is found out")
    func slopes() throws {
        let level = study(run())
        #expect(level.code == .pass, "\(level.lines)")
        #expect(try line(level, "laws").text.hasPrefix("hold, "))
        let slope = try #require(level.slope(of: "residentBytes"))
        #expect(abs(slope.estimate) < 10_000 && slope.upper < 20_000 && slope.lower > -20_000)

        let growing = study(run(grows: 2e6))
        #expect(growing.code == .regression)
        #expect(try line(growing, "resident").text.hasPrefix("GROWS: +1.9"))
        let found = try #require(growing.slope(of: "residentBytes"))
        #expect(abs(found.estimate - 2e6) < 20_000 && found.lower > 1.9e6)

        let slowly = study(run(grows: 5e5))
        #expect(slowly.code == .pass, "\(slowly.lines)")
    }

    @Test("what is too short or too noisy to tell is inconclusive")
    func unsure() throws {
        #expect(study(run(seconds: 6)).code == .inconclusive)
        let noisy = study(run(seconds: 60, noise: 3e6))
        #expect(try line(noisy, "resident").text.contains("cannot be told yet"))
        #expect(noisy.code == .inconclusive)
    }

    @Test("an outage is no part of the slope, and what it left in memory neither")
    func outage() throws {
        var away = run(outage: 1_800..<2_400, step: 6e6)
        away.set(.recoveryNs, 3e8)
        let judged = study(away, wantsOutage: true)
        #expect(judged.code == .pass, "\(judged.lines)")
        let text = try line(judged, "outage").text
        #expect(text.hasPrefix("600 s ") || text.hasPrefix("10.0 min "), "\(text)")
        #expect(try line(judged, "outage").text.contains("a fresh span 300 ms after it"))

        away.set(.recoveryNs, 6e9)
        #expect(try line(study(away), "outage").code == .regression)
        away.metrics["recoveryNs"] = nil
        #expect(try line(study(away), "outage").text.contains("NO SPAN"))
        // Asked for, and it never was.
        #expect(try line(study(run(), wantsOutage: true), "outage").code == .invalidRun)
        #expect(study(run(), wantsOutage: true).code == .invalidRun)
    }

    @Test("the ceiling is what was there before and what was stated; a broken law is a broken law")
    func ceiling() throws {
        var high = run()
        let stated = try #require(high.memory)
        high.memory?.peakResidentBytes = stated.residentBeforeBytes + stated.statedBytes
        #expect(study(high).code == .pass)
        high.memory?.peakResidentBytes += 1
        #expect(try line(study(high), "ceiling").text.hasPrefix("EXCEEDED: "))
        #expect(study(high).code == .regression)
        var pages = run()
        pages.set(.heldBytesMax, Double(stated.statedBytes) + 4096)
        #expect(study(pages).code == .regression)

        var broken = run()
        broken.ledger.tracer.recording += 1
        #expect(study(broken).code == .invalidRun)
        #expect(try line(study(broken), "laws").text.hasPrefix("BROKEN: "))
        var invalid = run()
        invalid.invalidate("interrupted by a signal")
        #expect(study(invalid).code == .invalidRun)
        #expect(study(RunRecord()).code == .invalidRun)
    }

    @Test("the report draws memory over time, of runs that are long enough")
    func report() throws {
        var result = SampleResult.make()
        result.runs = [run()]
        let figure = try #require(
            ReportStudy([ReportInput(path: "soak.json", result: result)]).memory())
        #expect(figure.concludes.contains("an hour ["))
        #expect(figure.legend.map(\.name) == ["resident"])
        result.runs = [run(seconds: 20)]
        #expect(ReportStudy([ReportInput(path: "soak.json", result: result)]).memory() == nil)
    }
}
