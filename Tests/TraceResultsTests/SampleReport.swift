@testable import TraceResults

/// Results in which everything that a report draws is there.
enum SampleReport {
    /// Names that somebody put into a scenario to break whoever shows it.
    static let hostile =
        "</script><img src=x onerror=alert(1)>\"'><svg/onload=alert(2)>\u{1b}[31m\u{202e}=1+1"

    /// A gate with distributions, series, a graph and traces; `name` is called wherever a file names something.
    static func gate(name: String = "shop", rounds: Int = 8) -> RunResult {
        var result = SampleGate.result(
            rounds: rounds, effect: 1.2,
            budgets: [
                GateBudget("cpuNsPerSpan", .regress, 0.05),
                GateBudget("achievedSpansPerS", .regress, 0.05),
                GateBudget("spanEndNsP99", .max, 1e6), GateBudget("keptSpans", .exact),
            ])
        result.scenario = ScenarioFacts(name: name, seed: 7, resolved: "name: \(name)\n")
        result.environment.hard.cpuModel = name
        for index in (result.design.arms ?? []).indices {
            result.design.arms?[index].scenarioSHA256 = result.scenario.sha256
        }
        for index in result.runs.indices {
            let second = index < 10 ? "0\(index)" : "\(index % 60)"
            result.runs[index].startedAt = "2026-11-21T12:\(10 + index / 60):\(second).000Z"
            fill(&result.runs[index], name: name)
        }
        return result
    }

    /// Variants of samplers with figures of fidelity.
    static func comparison(name: String = "sampler") -> RunResult {
        var result = SampleGate.result(rounds: 2)
        result.design.kind = .interleaved
        result.design.arms = nil
        result.design.budgets = nil
        result.runs = []
        let variants = [(0.01, 0.1), (0.1, 0.4), (0.1, 0.9), (0.5, 0.85), (1, 1)]
        for (place, (share, recall)) in variants.enumerated() {
            for round in 0..<2 {
                var run = SampleGate.run(factor: 1)
                run.variant = "\(name)-\(place)"
                run.round = round
                run.metrics["keptSpanShare"] = Metric(
                    share, unit: "1", better: .neither, kind: .mean)
                for gain in ["errorTraceRecall", "slowTraceRecall", "patternCoverage"] {
                    run.metrics[gain] = Metric(recall, unit: "1", better: .higher, kind: .mean)
                }
                run.metrics["cpuMsPerThousandTraces"] = Metric(
                    4 + share, unit: "ms", better: .lower, kind: .mean)
                result.runs.append(run)
            }
        }
        return result
    }

    /// Figures over commits: a single change, and several close to each other at the end.
    static func courses(name: String = "shop") -> [ReportCourse] {
        [[12], [3, 5, 34, 36, 38, 39]].map { starts in
            let levels = [100.0] + starts.indices.map { $0.isMultiple(of: 2) ? 149.5 : 102 }
            let points = (0..<40).map { index -> CourseChart.Point in
                let level = levels[starts.count { $0 <= index }]
                let median = level + Double(index * 7 % 5)
                return CourseChart.Point(
                    label: "\(name)c0ffee\(index)".suffix(8).description, name: "\(name) \(index)",
                    median: median, lowest: median - 4, highest: median + 6)
            }
            let changes = starts.enumerated().map { place, index in
                CourseChart.Change(
                    index: index, text: place.isMultiple(of: 2) ? "+49.5% worse" : "-31.8% better",
                    isWorse: place.isMultiple(of: 2), before: levels[place],
                    after: levels[place + 1])
            }
            return ReportCourse(
                metric: "cpuNsPerSpan", says: "Medians of \(name).",
                concludes: "Worse since \(name)c0ffee.", tone: starts.count == 1 ? .bad : .good,
                chart: CourseChart(
                    title: "cpuNsPerSpan", description: name, unit: "ns", points: points,
                    changes: changes),
                table: ReportTable(
                    caption: "cpuNsPerSpan by result file",
                    columns: [.text("commit"), .number("ns")],
                    rows: points.map { [.init($0.label), .init("\($0.median)")] }))
        }
    }

    private static func fill(_ run: inout RunRecord, name: String) {
        run.set(.spanEnd, SampleGate.ends(factor: 1))
        run.load.intendedTracesPerS = 100
        run.load.intendedTraces = 300
        run.load.achievedTraces = 299
        for second in 0..<5 {
            run.series.append([
                "intendedTracesPerS": 100, "tracesPerS": 98 + Double(second % 3),
                "startedSpansPerS": 600 + Double(second), "acknowledgedSpansPerS": 590,
            ])
        }
        var graph = ServiceGraph()
        graph.traces = 100
        graph.nodes = [
            ServiceGraph.Node(.outside, ""), ServiceGraph.Node(.service, name),
            ServiceGraph.Node(.service, "stock"), ServiceGraph.Node(.database, "\(name) rows"),
        ]
        graph.edges = [(0, 1), (1, 2), (2, 3), (2, 1)].map { from, to in
            var edge = ServiceGraph.Edge()
            edge.from = from
            edge.to = to
            edge.calls = 100
            edge.callsPerTrace = 1
            edge.errorRate = from == 1 ? 0.2 : 0
            edge.latencyNsP50 = 1_000
            edge.latencyNsP99 = UInt64(10_000 * (to + 1))
            return edge
        }
        run.graph = graph
        var examples = ExampleTraces()
        examples.traces = 100
        examples.typical = trace(name: name, lengthNs: 1_000_000)
        examples.slowest = trace(name: name, lengthNs: 9_000_000)
        run.exampleTraces = examples
    }

    private static func trace(name: String, lengthNs: UInt64) -> ExampleTrace {
        var trace = ExampleTrace()
        trace.durationNs = lengthNs
        trace.spanCount = 3
        trace.spans = (0..<3).map { place in
            var span = ExampleSpan()
            span.parent = place == 0 ? nil : place - 1
            span.service = place == 1 ? "stock" : name
            span.operation = "GET /\(name)"
            span.kind = .server
            span.startNs = UInt64(place) * lengthNs / 10
            span.durationNs = lengthNs - 2 * span.startNs
            span.isError = place == 2
            return span
        }
        return trace
    }
}
