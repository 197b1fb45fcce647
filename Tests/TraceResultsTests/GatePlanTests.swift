import Testing

@testable import TraceResults

/// Budgets as people write them, and plans that could never fail.
@Suite("Gate plans")
struct GatePlanTests {
    @Test("budgets are read with their units")
    func budgets() throws {
        func read(_ text: String) throws -> GateBudget { try GateBudget(parsing: text) }
        #expect(try read("spanEndNsP99 max 2us").limit == 2000)
        #expect(try read("spanEndNsP99 max 2us").limitUnit == "ns")
        #expect(try read("span.end.p99 max 1.5ms").metric == "spanEndNsP99")
        #expect(try read("cpu_per_span regress 5%") == GateBudget("cpuNsPerSpan", .regress, 0.05))
        #expect(try read("cpuNsPerSpan regress 0.05").limit == 0.05)
        #expect(try read("peakResidentBytes max 64MiB").limit == 67_108_864)
        #expect(try read("deliveredSpansPerS min 1_000_000").limit == 1e6)
        #expect(try read("droppedSpanShare max 1%").limit == 0.01)
        #expect(try read("keptSpans exact").rule == .exact)
        #expect(try read("cpuNsPerSpan regress 5% confidence 99%").confidence == 0.99)
    }

    @Test(
        "a budget that cannot be read says what to write",
        arguments: [
            ("", "METRIC regress 5%"), ("cpuNsPerSpan", "METRIC regress 5%"),
            ("cpuNsPerSpan below 5", "METRIC max 2us"), ("cpuNsPerSpam regress 5%", "cpuNsPerSpan"),
            ("cpuNsPerSpan regress", "needs one limit"), ("cpuNsPerSpan regress 0%", "0.1%"),
            ("cpuNsPerSpan regress 5000%", "1000%"), ("cpuNsPerSpan max nan", "no limit"),
            ("cpuNsPerSpan max -1", "no limit"), ("cpuNsPerSpan max inf", "no limit"),
            ("cpuNsPerSpan max 1e999", "no limit"), ("keptSpans exact 5", "takes no limit"),
            ("cpuNsPerSpan regress 5% confidence", "confidence 99%"),
            ("cpuNsPerSpan regress 5% confidence 100%", "99.99%"),
            ("cpuNsPerSpan max 2 us", "one limit"), ("\u{1B}[31mx regress 5%", "\\u{1b}"),
        ])
    func badBudgets(text: String, hint: String) throws {
        do {
            let budget = try GateBudget(parsing: text)
            Issue.record("read as \(budget)")
        } catch {
            #expect(error.description.contains(hint), "\(error)")
            #expect(!error.description.contains("\u{1B}"))
        }
    }

    @Test("every name of a metric means itself, and percentiles are known")
    func catalogue() {
        for name in MetricCatalogue.names {
            #expect(MetricCatalogue.name(name) == name)
        }
        #expect(Set(MetricCatalogue.names).count == MetricCatalogue.names.count)
        #expect(MetricCatalogue.name("span_start_p999") == "spanStartNsP999")
        #expect(MetricCatalogue.name("nothing") == nil)
        #expect(MetricCatalogue.percentile(of: "spanEndNsP999") == 99.9)
        #expect(MetricCatalogue.percentile(of: "spanEndNsP99") == 99)
        #expect(MetricCatalogue.percentile(of: "spanEndNsMax") == nil)
        #expect(MetricCatalogue.histogramName(of: "deliveryNsP50") == "deliveryNs")
        #expect(MetricCatalogue.histogramName(of: "cpuNsPerSpan") == nil)
    }

    @Test("what may err is divided by the budgets that need an interval and by the looks")
    func bonferroni() {
        let budgets = [
            GateBudget("cpuNsPerSpan", .regress, 0.05), GateBudget("spanEndNsP99", .max, 900),
            GateBudget("keptSpans", .exact),
        ]
        let plan = GateSettings(budgets: budgets, looks: [8, 16, 24])
        #expect(abs(plan.confidence(of: budgets[0]) - (1 - 0.05 / 6)) < 1e-12)
        #expect(
            abs(GateSettings(budgets: budgets, rounds: 15).confidence(of: budgets[0]) - 0.975)
                < 1e-12)
    }

    @Test("a plan that no outcome could fail is refused")
    func refusals() {
        let one = [GateBudget("cpuNsPerSpan", .regress, 0.05)]
        #expect(GateSettings(budgets: one, rounds: 5).refusal?.contains("at least 6") == true)
        #expect(GateSettings(budgets: one, rounds: 6).refusal == nil)
        #expect(GateSettings(budgets: [], rounds: 15).refusal != nil)
        #expect(GateSettings(budgets: one, rounds: 0).refusal != nil)
        #expect(GateSettings(budgets: one, rounds: 1_000_000).refusal != nil)
        #expect(
            GateSettings(budgets: one + one, rounds: 15).refusal?.contains("two budgets") == true)
        let many = MetricCatalogue.names.map { GateBudget($0, .regress, 0.05) }
        #expect(GateSettings(budgets: many, rounds: 10).refusal != nil)
        // Exact budgets need no interval: one round can fail them.
        #expect(GateSettings(budgets: [GateBudget("keptSpans", .exact)], rounds: 1).refusal == nil)
        var sure = one[0]
        sure.confidence = 0.9999
        #expect(GateSettings(budgets: [sure], rounds: 14).refusal != nil)
    }

    @Test("a look that could decide nothing costs no confidence")
    func idleLooks() {
        let three = ["cpuNsPerSpan", "spanEndNsP50", "spanStartNsP50"].map {
            GateBudget($0, .regress, 0.05)
        }
        let plan = GateSettings(budgets: three, looks: GateSettings.adaptiveLooks)
            .withoutIdleLooks()
        #expect(plan.looks == [16, 24])
        let one = GateSettings(budgets: [three[0]], looks: GateSettings.adaptiveLooks)
        #expect(one.withoutIdleLooks().looks == [8, 16, 24])
        #expect(one.refusal == nil)
    }
}
