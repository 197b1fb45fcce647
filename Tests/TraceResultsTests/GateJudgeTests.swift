import Testing

@testable import TraceResults

/// A known answer for every verdict.
@Suite("Gate")
struct GateJudgeTests {
    private func judged(_ result: RunResult) -> GateReport { GateJudge.report(on: result) }

    private func row(_ result: RunResult) throws -> GateRow {
        try #require(judged(result).rows.first)
    }

    @Test("nothing changed: passes, whatever the machine's drift")
    func same() throws {
        for seed in 1...20 as ClosedRange<UInt64> {
            let report = judged(SampleGate.result(seed: seed))
            #expect(report.exitCode == .pass, "seed \(seed): \(report.rows)")
            #expect(report.rows.first?.label == "PASS")
        }
    }

    @Test(
        "worse beyond the budget: a regression, and the estimate is right", arguments: [1.08, 1.5])
    func regressed(effect: Double) throws {
        let result = SampleGate.result(effect: effect)
        let row = try row(result)
        #expect(row.verdict == .regressed && row.label == "REGRESSED")
        #expect(judged(result).exitCode == .regression)
        let ratio = try #require(row.ratio)
        #expect(abs(ratio.estimate - effect) < 0.01)
        #expect(ratio.lower < effect && effect < ratio.upper && ratio.lower > 1)
        #expect(row.pairs == 15)
        let p = try #require(row.mannWhitneyP)
        #expect(p > 0 && p <= 1)
        #expect(row.bootstrap?.estimate != nil)
    }

    @Test("worse for certain, yet within the budget: passes")
    func withinBudget() throws {
        let row = try row(SampleGate.result(effect: 1.02, noise: 0.004))
        #expect(row.verdict == .pass)
        #expect(try #require(row.ratio).lower > 1)
    }

    @Test("noise as large as the budget: inconclusive, never a pass")
    func noisy() throws {
        let row = try row(SampleGate.result(effect: 1.04, noise: 0.2))
        #expect(row.verdict == .inconclusive)
        #expect(row.reason.contains("more rounds"))
        #expect(judged(SampleGate.result(effect: 1.04, noise: 0.2)).exitCode == .inconclusive)
    }

    @Test("higher is better: a drop is worse, a rise is not")
    func direction() throws {
        let budgets = [GateBudget("achievedSpansPerS", .regress, 0.05)]
        let drop = try row(SampleGate.result(effect: 1.1, budgets: budgets))
        #expect(drop.verdict == .regressed)
        #expect(abs(try #require(drop.ratio).estimate - 1 / 1.1) < 0.01)
        #expect(try row(SampleGate.result(effect: 0.9, budgets: budgets)).verdict == .pass)
    }

    @Test("arms swapped: what regressed has improved")
    func swapped() throws {
        var result = SampleGate.result(effect: 1.2)
        #expect(judged(result).exitCode == .regression)
        for index in result.runs.indices {
            result.runs[index].variant = result.runs[index].variant == "base" ? "head" : "base"
        }
        #expect(judged(result).exitCode == .pass)
    }

    @Test("an improvement by more than half is suspect, unless it is expected")
    func suspect() throws {
        let result = SampleGate.result(effect: 0.4)
        let report = judged(result)
        #expect(report.exitCode == .usage)
        #expect(report.rows.first?.reason.contains("suspect") == true)
        var settings = GateJudge.settings(of: result)
        settings.acceptsImprovement = true
        #expect(GateJudge.report(on: result, settings: settings).exitCode == .pass)
        #expect(try row(SampleGate.result(effect: 0.55)).verdict == .pass)
    }

    @Test("objectives hold for the head alone")
    func objectives() throws {
        func verdict(_ budget: GateBudget) throws -> GateVerdict {
            try row(SampleGate.result(effect: 1, noise: 0.01, budgets: [budget])).verdict
        }
        // The figure goes from 200 to 440 ns with the machine's drift.
        #expect(try verdict(GateBudget("cpuNsPerSpan", .max, 500)) == .pass)
        #expect(try verdict(GateBudget("cpuNsPerSpan", .max, 190)) == .regressed)
        #expect(try verdict(GateBudget("cpuNsPerSpan", .max, 320)) == .inconclusive)
        #expect(try verdict(GateBudget("achievedSpansPerS", .min, 1e6)) == .pass)
        #expect(try verdict(GateBudget("achievedSpansPerS", .min, 9e6)) == .regressed)
        // A limit that is met to the last digit is met.
        #expect(try verdict(GateBudget("droppedSpanShare", .max, 0)) == .pass)
    }

    @Test("exact figures: any change is one, both ways; one that varies is not exact")
    func exact() throws {
        let budgets = [GateBudget("keptSpans", .exact)]
        let same = SampleGate.result(budgets: budgets)
        #expect(judged(same).exitCode == .pass)
        for change in [-1.0, 1] {
            let report = judged(
                SampleGate.changing("head", of: same) {
                    $0.metrics["keptSpans"]?.value += change
                })
            #expect(report.exitCode == .regression)
            #expect(report.rows.first?.label == "CHANGED")
        }
        let varying = SampleGate.changing("base", of: same) {
            $0.metrics["keptSpans"]?.value += Double($0.round % 2)
        }
        #expect(judged(varying).exitCode == .usage)
    }

    @Test("a figure that is missing, even in one run, is an error", arguments: ["base", "head"])
    func missing(arm: String) throws {
        let result = SampleGate.changing(arm, of: SampleGate.result()) {
            if $0.round == 4 { $0.metrics["cpuNsPerSpan"] = nil }
        }
        let report = judged(result)
        #expect(report.exitCode == .usage)
        #expect(report.rows.first?.reason == "\(arm) does not have it in 1 of 15 runs")
    }

    @Test("units and directions that differ are errors")
    func units() throws {
        let other = SampleGate.changing("head", of: SampleGate.result()) {
            $0.metrics["cpuNsPerSpan"]?.unit = "us"
        }
        #expect(judged(other).exitCode == .usage)
        let neither = SampleGate.result(budgets: [GateBudget("keptSpans", .regress, 0.05)])
        #expect(judged(neither).exitCode == .usage)
        var budget = GateBudget("cpuNsPerSpan", .max, 500)
        budget.limitUnit = "B"
        #expect(judged(SampleGate.result(budgets: [budget])).exitCode == .usage)
    }

    @Test("a scenario that differs is an error")
    func digest() throws {
        var result = SampleGate.result()
        result.design.arms?[1].scenarioSHA256 = String(repeating: "0", count: 64)
        #expect(judged(result).exitCode == .usage)
        result = SampleGate.result()
        result.scenario.resolved += "# changed\n"
        #expect(judged(result).exitCode == .usage)
    }

    @Test("a debug build against a release build is an error where time is judged")
    func buildModes() throws {
        var result = SampleGate.result()
        result.design.arms?[0].tool = ToolFacts()
        result.design.arms?[0].tool?.buildMode = "debug"
        result.design.arms?[1].tool = ToolFacts()
        result.design.arms?[1].tool?.buildMode = "release"
        #expect(judged(result).exitCode == .usage)
        result.design.budgets = [GateBudget("keptSpans", .exact)]
        #expect(judged(result).exitCode == .pass)
    }

    @Test("an invalid run outranks every verdict but an error")
    func invalid() throws {
        let result = SampleGate.changing("head", of: SampleGate.result(effect: 1.2)) {
            if $0.round == 2 { $0.invalidate("the receiver was gone") }
        }
        let report = judged(result)
        #expect(report.exitCode == .invalidRun)
        #expect(report.rows.first?.pairs == 14)
        #expect(report.findings.contains { $0.contains("the receiver was gone") })
    }

    @Test("a run that is over sooner broke off, unless it did all the work of the others")
    func short() throws {
        for (traces, code) in [(100, ExitCode.invalidRun), (300, .pass)] as [(UInt64, ExitCode)] {
            var result = SampleGate.result()
            for index in result.runs.indices { result.runs[index].load.achievedTraces = 300 }
            result.runs[5].load.durationNs /= 5
            result.runs[5].load.achievedTraces = traces
            #expect(judged(result).exitCode == code, "\(traces) of 300 traces")
        }
    }

    @Test("a frozen counter, a broken law, a signal, open books: the run is invalid")
    func books() throws {
        let changes: [(inout RunRecord) -> Void] = [
            { $0.ledger.tracer.endedByCaller -= 1 },
            { $0.ledger.deliveries[0].acknowledged.count = 0 },
            { $0.interrupted = true }, { $0.ledger.checked = [] },
            { $0.load.durationNs = 100_000_000 }, { $0.ledger.violations = [LawViolation()] },
        ]
        for (number, change) in changes.enumerated() {
            let result = SampleGate.changing("head", of: SampleGate.result()) {
                if $0.round == 2 { change(&$0) }
            }
            #expect(judged(result).exitCode == .invalidRun, "change \(number)")
        }
    }

    @Test("a round that lacks an arm, or has it twice, is invalid")
    func truncated() throws {
        var result = SampleGate.result()
        result.runs.removeLast()
        #expect(judged(result).exitCode == .invalidRun)
        result.runs.removeLast()
        #expect(judged(result).exitCode == .invalidRun, "fewer rounds than planned")
        result = SampleGate.result()
        result.runs.append(result.runs[3])
        #expect(judged(result).exitCode == .invalidRun)
    }

    @Test("a percentile needs a hundred samples beyond it")
    func thinPercentile() throws {
        let budgets = [GateBudget("spanEndNsP99", .regress, 0.05)]
        #expect(judged(SampleGate.result(budgets: budgets)).exitCode == .pass)
        var thin = LatencyHistogram()
        for sample in 1...UInt64(9999) { thin.record(30 + sample) }
        let row = try row(
            SampleGate.changing("head", of: SampleGate.result(budgets: budgets)) {
                $0.set(.spanEnd, thin)
            })
        #expect(row.verdict == .inconclusive)
        #expect(row.reason.contains("10,000 samples"))
        thin.record(50)
        let enough = try self.row(
            SampleGate.changing("head", of: SampleGate.result(budgets: budgets)) {
                $0.set(.spanEnd, thin)
            })
        #expect(enough.verdict != .inconclusive)
    }

    @Test("a percentile that its own distribution contradicts is an error")
    func contradiction() throws {
        let result = SampleGate.result(budgets: [GateBudget("spanEndNsP99", .regress, 0.05)])
        let doctored = SampleGate.changing("head", of: result) {
            $0.metrics["spanEndNsP99"]?.value *= 0.7
        }
        #expect(judged(doctored).exitCode == .usage)
    }

    @Test("a figure that is 0 in one arm has no ratio; in both it has not changed")
    func zeros() throws {
        let result = SampleGate.result(budgets: [GateBudget("droppedSpanShare", .regress, 0.05)])
        #expect(judged(result).exitCode == .pass)
        let lossy = SampleGate.changing("head", of: result) {
            $0.metrics["droppedSpanShare"]?.value = 0.01
        }
        #expect(judged(lossy).exitCode == .usage)
    }

    @Test("a machine whose pace jumps within rounds is unfit, one that is slow throughout is not")
    func fitness() throws {
        var result = SampleGate.result()
        for index in result.runs.indices {
            result.runs[index].host.calibrationBeforeNs = 800_000_000
        }
        let report = judged(result)
        #expect(report.exitCode == .inconclusive)
        #expect(report.rows.first?.verdict == .pass)
        #expect(report.findings.contains { $0.contains("unfit") })
        for index in result.runs.indices {
            result.runs[index].host.calibrationAfterNs = 805_000_000
        }
        #expect(judged(result).exitCode == .pass)
        for index in result.runs.indices { result.runs[index].host.stealShare = 0.2 }
        #expect(judged(result).exitCode == .inconclusive)
        // Exact figures are the same on the busiest machine.
        result.design.budgets = [GateBudget("keptSpans", .exact)]
        #expect(judged(result).exitCode == .pass)
    }

    @Test("a regression that does not show itself again is not confirmed")
    func confirmation() throws {
        func combined(second: Double) -> RunResult {
            var result = SampleGate.result(effect: 1.1)
            result.design.confirmsFromRound = 15
            for run in SampleGate.result(effect: second, seed: 9).runs {
                var later = run
                later.round += 15
                result.runs.append(later)
            }
            return result
        }
        #expect(judged(combined(second: 1.1)).exitCode == .regression)
        let report = judged(combined(second: 1))
        #expect(report.exitCode == .inconclusive)
        #expect(report.rows.first?.reason.hasPrefix("not confirmed: 15 more pairs") == true)
        #expect(report.rounds == 15)
        var broken = combined(second: 1.1)
        broken.runs.removeLast()
        #expect(judged(broken).exitCode == .invalidRun)
    }

    @Test("a stored baseline decides where the machine is the same, and advises elsewhere")
    func baseline() throws {
        var result = SampleGate.result(
            effect: 2,
            budgets: [
                GateBudget("cpuNsPerSpan", .regress, 0.05), GateBudget("keptSpans", .exact),
            ])
        result.design.kind = .sequential
        result.design.arms?[0].environment = result.environment
        #expect(judged(result).exitCode == .regression)
        result.design.arms?[0].environment?.soft.kernel = "another"
        #expect(judged(result).exitCode == .regression)
        result.design.arms?[0].environment?.hard.cpuCount = 64
        let report = judged(result)
        #expect(report.exitCode == .pass)
        #expect(report.rows.first?.verdict == .regressed && report.rows.first?.isAdvisory == true)
        #expect(report.notes.contains { $0.contains("advisory") })
        let changed = SampleGate.changing("head", of: result) {
            $0.metrics["keptSpans"]?.value += 1
        }
        #expect(judged(changed).exitCode == .regression)
    }

    @Test("a file that no gate wrote, and no budgets at all, are no passes")
    func nothing() throws {
        #expect(judged(SampleResult.make()).exitCode == .usage)
        var result = SampleGate.result()
        result.design.budgets = []
        #expect(judged(result).exitCode == .inconclusive)
        result = SampleGate.result()
        result.runs = []
        #expect(judged(result).exitCode == .invalidRun)
    }
}
