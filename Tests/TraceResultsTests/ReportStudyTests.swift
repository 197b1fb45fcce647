import Testing

@testable import TraceResults

/// What a report concludes from results, before anything is drawn.
@Suite("What a report concludes")
struct ReportStudyTests {
    private func study(_ results: RunResult...) -> ReportStudy {
        ReportStudy(
            results.enumerated().map { ReportInput(path: "a/run-\($0).json", result: $1) })
    }

    @Test(
        "Mann's test for a trend gives what pymannkendall gives",
        arguments: GoldenTrends.cases.indices)
    func trend(index: Int) throws {
        let golden = GoldenTrends.cases[index]
        let found = try #require(TrendTest(golden.values))
        #expect(abs(found.tau - golden.tau) < 1e-12, "\(golden.name)")
        #expect(abs(found.pValue - golden.pValue) < 1e-9, "\(golden.name)")
    }

    @Test("fewer than eight values show no trend, equal ones none either")
    func noTrend() {
        #expect(TrendTest([1, 2, 3, 4, 5, 6, 7]) == nil)
        #expect(TrendTest(Array(repeating: 3, count: 20))?.pValue == 1)
    }

    @Test("the curve of several distributions is that of one with all their samples")
    func curves() throws {
        var random = SeededRandom(seed: 5)
        var whole = LatencyHistogram()
        var curve = LatencyCurve()
        for part in 0..<3 {
            var histogram = LatencyHistogram()
            for _ in 0..<4_000 {
                let value = UInt64.random(in: 20...(5_000_000 << UInt64(part)), using: &random)
                histogram.record(value)
                whole.record(value)
            }
            curve.add(histogram)
        }
        #expect(curve.total == 12_000)
        let percentiles = [0.0, 1, 50, 90, 99, 99.9, 99.99, 100]
        let expected = percentiles.map { Double(whole.valueNs(atPercentile: $0)) }
        let found = curve.values(at: percentiles.map { $0 / 100 })
        for (left, right) in zip(found, expected).dropLast() { #expect(left == right) }
        // The largest is told to its bucket.
        #expect(abs((found.last ?? 0) / Double(whole.maxNs) - 1) < 0.001)
        #expect(curve.shares == curve.shares.sorted())
        #expect(curve.soundShareMax == 1 - 100.0 / 12_000)
        #expect(LatencyCurve().values(at: [0.5]) == [0])
    }

    @Test("groups: the base first, variants of a file, files of one variant, many files by variant")
    func groups() {
        #expect(study(SampleReport.gate()).groups.map(\.name) == ["base", "head"])
        let single = SampleResult.make()
        #expect(study(single).groups.map(\.name) == ["checkout"])
        #expect(study(single, single).groups.map(\.name) == ["run-0", "run-1"])
        let same = ReportStudy(
            ["a/x.json", "b/x.json"].map { ReportInput(path: $0, result: single) })
        #expect(same.groups.map(\.name) == ["x (1)", "x (2)"])
        let many = ReportStudy(
            (0..<40).map { ReportInput(path: "\($0).json", result: SampleReport.gate(rounds: 1)) })
        #expect(many.groups.map(\.name) == ["shop · base", "shop · head"])
        #expect(many.groups.map(\.runs.count) == [40, 40])
    }

    @Test("runs that do not count are in no chart, and named with their reasons")
    func flawed() throws {
        var result = SampleReport.gate()
        result.runs[3].invalidate("the receiver was gone")
        let study = study(result)
        #expect(study.runs.count == 16)
        #expect(study.groups.map(\.runs.count).reduce(0, +) == 15)
        let table = try #require(study.flawTable())
        #expect(table.rows.count == 1)
        #expect(table.rows[0][1].text == "the receiver was gone")
        #expect(self.study(SampleReport.gate()).flawTable() == nil)
    }

    @Test("the forest plot says which budgets are broken, and by how much")
    func forest() throws {
        let figure = try #require(study(SampleReport.gate()).forests().first)
        #expect(figure.concludes.hasPrefix("Worse than allowed, beyond the machine's noise: "))
        #expect(figure.concludes.contains("cpuNsPerSpan (+"))
        #expect(figure.tone == .bad)
        let good = try #require(study(SampleGate.result()).forests().first)
        #expect(good.concludes.hasPrefix("Within its budget: cpuNsPerSpan"))
        #expect(good.tone == .good)
        // An exact figure that changed is in the table, and colours no chart that it is not in.
        let budgets = [
            GateBudget("cpuNsPerSpan", .regress, 0.5), GateBudget("keptSpans", .exact),
        ]
        let changed = SampleGate.changing("head", of: SampleGate.result(budgets: budgets)) {
            $0.metrics["keptSpans"]?.value = 5
        }
        #expect(study(changed).gates.first?.report.verdictText == "CHANGED")
        #expect(study(changed).forests().first?.tone == .good)
    }

    @Test("throughput says what was kept of the schedule, drift what the machine did")
    func course() throws {
        var result = SampleReport.gate()
        let figure = try #require(study(result).throughput())
        #expect(figure.says.hasPrefix("Spans started in each second."))
        result.runs = result.runs.filter { $0.variant == "head" }
        result.design.arms = nil
        let single = try #require(study(result).throughput())
        #expect(
            single.concludes
                == "99.67% of the intended traces were started, none of them late: read times with that in mind."
        )
        #expect(single.legend.map(\.name) == ["intended", "achieved"])
        for index in result.runs.indices {
            result.runs[index].set(.cpuNsPerSpan, 200 + 5 * Double(index))
        }
        let drift = try #require(study(result).drift())
        #expect(drift.concludes.hasPrefix("The machine drifted: "))
        #expect(drift.tone == .unsure)
        for index in result.runs.indices {
            result.runs[index].set(.cpuNsPerSpan, 200 + Double(index * 5 % 8))
        }
        let steady = try #require(study(result).drift())
        #expect(steady.concludes.contains("with no drift to be seen"))
    }

    @Test("samplers: the front, and who gives no more for more")
    func fidelity() throws {
        let figures = study(SampleReport.comparison()).fidelities()
        #expect(
            figures.map(\.title) == [
                "errorTraceRecall against keptSpanShare", "slowTraceRecall against keptSpanShare",
                "patternCoverage against keptSpanShare",
                "errorTraceRecall against cpuMsPerThousandTraces",
            ])
        let text = try #require(figures.first?.concludes)
        #expect(text.contains("sampler-2 (90.00% for 10.00%)"))
        #expect(text.hasPrefix("No other gives more for as little: sampler-0 ("))
        #expect(text.hasSuffix("Beaten by one of them: sampler-1 and sampler-3."))
        #expect(study(SampleReport.gate()).fidelities().isEmpty)
    }

    @Test("services and traces are those of the run that saw most of them, sampled or not")
    func widest() throws {
        var result = SampleReport.gate()
        for index in result.runs.indices { result.runs[index].graph?.traces = 10 }
        result.runs[5].graph?.oneIn = 64
        let figure = try #require(study(result).graphs().first)
        #expect(figure.says.hasSuffix(" Of a run of \(result.runs[5].variant)."))
        #expect(study(result).graphs().count == 1)
        #expect(study(result).waterfalls().count == 2)
        let page = study(result, SampleReport.gate(name: "other"))
        #expect(
            page.graphs().map(\.title) == ["Who calls whom in shop", "Who calls whom in other"])
        #expect(page.waterfalls().count == 4)
    }

    @Test("own time is what no child covers, however children overlap or reach beyond their parent")
    func ownTime() {
        var trace = ExampleTrace()
        func span(_ start: UInt64, _ length: UInt64, below parent: Int?) -> ExampleSpan {
            var span = ExampleSpan()
            span.startNs = start
            span.durationNs = length
            span.parent = parent
            return span
        }
        trace.spans = [
            span(0, 100, below: nil), span(10, 30, below: 0), span(20, 40, below: 0),
            span(90, 50, below: 0), span(5, 5, below: 4), span(5, 5, below: 99),
        ]
        let tree = TraceTree(trace)
        #expect(tree.ownNs == [40, 30, 40, 50, 5, 5])
        #expect(tree.rows.map(\.place).sorted() == [0, 1, 2, 3, 4, 5])
        #expect(tree.rows.prefix(4).map(\.depth) == [0, 1, 1, 1])
    }

    @Test(
        "a graph that calls back, a trace in a ring and distributions of rubbish are drawn all the same"
    )
    func odd() {
        var result = SampleReport.gate(rounds: 2)
        for index in result.runs.indices {
            result.runs[index].graph?.edges.append(ServiceGraph.Edge())
            result.runs[index].exampleTraces?.slowest?.spans[0].parent = 1
            result.runs[index].histograms["spanEndNs"]?.hdrV2 = "!"
            result.runs[index].series.intervalMs = .min
            result.runs[index].series.columns["tracesPerS"] = [.infinity, -1e300, .nan]
            result.runs[index].load.durationNs = .max
            result.runs[index].round = .max
            result.runs[index].metrics["cpuNsPerSpan"]?.value = index.isMultiple(of: 2) ? 1e308 : -1
        }
        let page = ReportPage.html(of: [ReportInput(path: "x", result: result)])
        #expect(page.hasSuffix("</html>\n"))
        result.runs[0].graph?.edges[0].to = 99
        result.runs = [result.runs[0]]
        #expect(ReportPage.html(of: [ReportInput(path: "x", result: result)]).contains("</html>"))
        #expect(
            ReportPage.html(of: [ReportInput(path: "x", result: RunResult())]).contains("EMPTY"))
        #expect(ReportPage.html(of: []).contains("EMPTY"))
    }
}
