import Testing

@testable import TraceResults

/// From runs to a comparison: which runs count, medians, intervals, dominance.
@Suite("Comparison")
struct ComparisonTests {
    private func variant(_ name: String, _ comparison: Comparison) throws -> ComparedVariant {
        try #require(comparison.variants.first { $0.name == name })
    }

    @Test("variants are sorted by the gain, the front is known, the dominated know by whom")
    func front() throws {
        let comparison = try SampleComparison.comparison(SampleComparison.result())
        #expect(comparison.sortedBy == "errorTraceRecall")
        #expect(comparison.variants.map(\.name) == ["everything", "tail", "ratio", "limit"])
        #expect(comparison.front.map(\.name) == ["ratio", "tail"])
        #expect(try variant("limit", comparison).dominators == ["ratio"])
        #expect(try variant("everything", comparison).dominators == ["tail"])
        #expect(comparison.exitCode == .pass)
        #expect(comparison.columns.map(\.metric).contains("keptSpanShare"))
        #expect(comparison.rounds == 5)
    }

    @Test("sorting by a cost puts the lowest first; by a figure a variant lacks, that one last")
    func sorting() throws {
        var variants = SampleComparison.shop
        variants[1].recall = nil
        var settings = ComparisonSettings()
        settings.sort = "cpu_ms_per_thousand_traces"
        let result = SampleComparison.result(variants)
        let byCost = try SampleComparison.comparison(result, settings)
        #expect(byCost.variants.map(\.name) == ["ratio", "limit", "tail", "everything"])
        let byGain = try SampleComparison.comparison(result)
        #expect(byGain.variants.last?.name == "ratio")
        #expect(try variant("ratio", byGain).standing == .unplaced)
    }

    @Test("an unknown figure names the nearest that there are")
    func unknownMetric() throws {
        var settings = ComparisonSettings()
        settings.metrics = ["errorTraceRecal"]
        let error = #expect(throws: ComparisonError.self) {
            try SampleComparison.comparison(SampleComparison.result(), settings)
        }
        #expect(error?.description.contains("errorTraceRecall") == true)
    }

    @Test("a range up to five rounds, an interval from six on")
    func intervals() throws {
        for rounds in 1...8 {
            let comparison = try SampleComparison.comparison(
                SampleComparison.result(rounds: rounds, noise: 0.01))
            let figure = try #require(
                try variant("tail", comparison).figures["cpuMsPerThousandTraces"])
            #expect(figure.runs == rounds)
            #expect((figure.interval != nil) == (rounds >= 6))
            #expect(figure.smallest <= figure.median && figure.median <= figure.largest)
            if let interval = figure.interval {
                #expect(interval.isBounded && interval.lower >= figure.smallest)
            }
        }
    }

    @Test("ratios are of the same rounds: a machine that drifts by a half hides nothing")
    func ratios() throws {
        let comparison = try SampleComparison.comparison(
            SampleComparison.result(rounds: 10, noise: 0.01))
        // The reference is the first variant of the plan.
        #expect(comparison.reference == "everything")
        let ratio = try #require(
            try variant("tail", comparison).figures["cpuMsPerThousandTraces"]?.ratio)
        #expect(abs(ratio.estimate - 0.8) < 0.01)
        #expect(ratio.lower > 0.78 && ratio.upper < 0.82)
        #expect(
            try variant("everything", comparison).figures["cpuMsPerThousandTraces"]?.ratio == nil)
    }

    @Test(
        "two variants that are the same: the interval of their ratio holds 1 in 95% of comparisons or more"
    )
    func coverage() throws {
        let same = [
            SampleComparison.Variant(name: "a", cost: 5, recall: 0.5),
            SampleComparison.Variant(name: "b", cost: 5, recall: 0.5),
        ]
        for rounds in [6, 7, 10] {
            let repetitions = 1200
            var hits = 0
            var intervalHits = 0
            for seed in 0..<repetitions {
                let result = SampleComparison.result(
                    same, rounds: rounds, noise: 0.08, seed: UInt64(seed * 31 + rounds))
                func costs(_ name: String) -> [Double] {
                    result.runs.filter { $0.variant == name }.compactMap {
                        $0.metrics["cpuMsPerThousandTraces"]?.value
                    }
                }
                let ratio = try #require(ComparedFigure.ratio(of: costs("b"), over: costs("a")))
                if ratio.lower <= 1, 1 <= ratio.upper { hits += 1 }
                // The middle of one variant's own values, without the drift.
                let pace = (0..<rounds).map { 1 + 0.3 * Double($0 % 5) }
                let figure = ComparedFigure(zip(costs("a"), pace).map { $0 / $1 })
                let interval = try #require(figure.interval)
                if interval.lower <= 5, 5 <= interval.upper { intervalHits += 1 }
            }
            // Exact: 1 − 2·P(W ≤ k − 1) under the null, at least 95%.
            let rank = SignedRank.boundRank(count: rounds, confidence: ComparedFigure.confidence)
            let below = SignedRank.cumulative(ranks: Array(1...rounds))
            let exact = 1 - 2 * below[rank - 1]
            #expect(exact >= 0.95)
            for hits in [hits, intervalHits] {
                // Four standard deviations of a share of so many repetitions.
                let room = 4 * (exact * (1 - exact) / Double(repetitions)).squareRoot()
                #expect(
                    abs(Double(hits) / Double(repetitions) - exact) <= room, "\(rounds): \(hits)")
            }
        }
    }

    @Test("fidelity that is equal in every round has no spread, whatever the cost does")
    func equalFidelity() throws {
        let comparison = try SampleComparison.comparison(
            SampleComparison.result(rounds: 6, noise: 0.05))
        for variant in comparison.variants {
            let figure = try #require(variant.figures["errorTraceRecall"])
            #expect(figure.smallest == figure.largest)
            let column = try #require(
                comparison.columns.first { $0.metric == "errorTraceRecall" })
            #expect(ComparisonColumns.spread(figure, column) == nil)
        }
    }

    @Test("a run that does not count is told, left out, and ends with 4")
    func invalid() throws {
        var result = SampleComparison.result()
        let index = try #require(result.runs.firstIndex { $0.variant == "tail" })
        result.runs[index].invalidate("it crashed")
        let unbalanced = try #require(result.runs.lastIndex { $0.variant == "ratio" })
        result.runs[unbalanced].ledger.tracer.sampledEnded -= 1
        let comparison = try SampleComparison.comparison(result)
        #expect(comparison.invalidRuns.map(\.variant).sorted() == ["ratio", "tail"])
        #expect(comparison.exitCode == .invalidRun)
        #expect(try variant("tail", comparison).runs == 4)
    }

    @Test("several files: equal names are told apart by their files, other traces are refused")
    func files() throws {
        let first = SampleComparison.result()
        var second = SampleComparison.result([.init(name: "tail", cost: 6, recall: 0.99)])
        second.scenario.resolved = "name: other\nseed: 43\nservices.0.name: a\npipeline.x: 2\n"
        let comparison = try ComparisonBuilder.comparison(
            of: [("a.json", first), ("b.json", second)], settings: ComparisonSettings())
        #expect(comparison.variants.map(\.name).contains("a.json: tail"))
        #expect(comparison.variants.map(\.name).contains("b.json: tail"))
        // Runs of another collection are no pairs.
        let other = try #require(comparison.variants.first { $0.name == "b.json: tail" })
        #expect(other.figures.values.allSatisfy { $0.ratio == nil })
        second.scenario.resolved = "name: shop\nseed: 42\nservices.0.name: b\n"
        let error = #expect(throws: ComparisonError.self) {
            try ComparisonBuilder.comparison(
                of: [("a.json", first), ("b.json", second)], settings: ComparisonSettings())
        }
        #expect(error?.description.contains("services.0.name: b") == true)
    }

    @Test("services that disagree get a table by pairs, the mean over the rounds, by name")
    func servicePairs() throws {
        func runs(_ disagree: Bool) -> RunResult {
            var result = SampleComparison.result(rounds: 2)
            for index in result.runs.indices {
                var fidelity = FidelityFigures()
                // Another order in each round: the busiest first.
                let isFirst = result.runs[index].round == 0
                fidelity.services = isFirst ? ["web", "bank"] : ["bank", "web"]
                let (low, high) = isFirst ? (0.4, 0.1) : (0.2, 0.6)
                fidelity.keptGivenKept =
                    disagree
                    ? (isFirst ? [[1, low], [high, 1]] : [[1, high], [low, 1]])
                    : [[1, 1], [1, 1]]
                result.runs[index].fidelity = fidelity
            }
            return result
        }
        let comparison = try SampleComparison.comparison(runs(true))
        let table = try #require(comparison.servicePairs.first)
        #expect(table.services == ["bank", "web"])
        // From bank to web: 0.1 and 0.6; from web to bank: 0.4 and 0.2.
        #expect(abs((table.shares[0][1] ?? 0) - 0.35) < 1e-12)
        #expect(abs((table.shares[1][0] ?? 0) - 0.3) < 1e-12)
        #expect(try SampleComparison.comparison(runs(false)).servicePairs.isEmpty)
        // Tables of nothing but 100% are a sentence.
        var mixed = comparison
        mixed.servicePairs.append(
            ServicePairTable(
                variant: "one rule", services: table.services, shares: [[1, 1], [nil, 1]]))
        let text = ComparisonTable().text(of: mixed, path: nil)
        #expect(text.contains("one rule: what one service kept, the others kept, too"))
        #expect(!text.contains("one rule: of the traces"))
    }

    @Test("the advice names what each choice keeps, what it costs more, and what it gives up")
    func advice() throws {
        let comparison = try SampleComparison.comparison(SampleComparison.result())
        let text = ComparisonAdvice.text(of: comparison)
        #expect(
            text.contains("ratio costs least: 4.00 ms CPU/1000 traces; keeps 41.0% of error traces")
        )
        #expect(
            text.contains(
                "tail keeps 100% of error traces, for 2.00 × the CPU and 2.00 × the memory"))
        #expect(text.contains("What tail gives up: it keeps only 20.0% of all spans"))
        #expect(text.contains("Nothing speaks for everything, limit"))
        var other = comparison
        for column in comparison.columns { other.hiddenColumns[column.metric] = column }
        other.columns = []
        #expect(ComparisonAdvice.text(of: other) == text, "whatever the table shows")
        var crowded = SampleComparison.result()
        for index in crowded.runs.indices {
            let share = ["tail": 0.62, "limit": 0.0001][crowded.runs[index].variant]
            crowded.runs[index].set(FidelityMetric.tailEvictedLossShare, share)
        }
        let warned = ComparisonAdvice.text(of: try SampleComparison.comparison(crowded))
        #expect(warned.hasPrefix(text))
        #expect(
            warned.hasSuffix(
                " A full tail stage let spans go undecided, errors among them, in tail (62.0%): raise "
                    + "its num_traces or memory, or lower its decision_wait."))
        let single = try SampleComparison.comparison(
            SampleComparison.result([.init(name: "one", cost: 1, recall: 1)]))
        #expect(ComparisonAdvice.text(of: single).isEmpty)
    }
}
