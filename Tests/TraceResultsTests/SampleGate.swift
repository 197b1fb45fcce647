@testable import TraceResults

/// Results of gates whose verdict is known beforehand.
enum SampleGate {
    /// A result of two arms, a run each in every round.
    ///
    /// - Parameters:
    ///   - effect: head over base of the processor time.
    ///   - noise: the largest relative deviation of a single run; a slow wave common to both arms of a
    ///     round comes on top.
    static func result(
        rounds: Int = 15, effect: Double = 1, noise: Double = 0.01, budgets: [GateBudget]? = nil,
        looks: [Int]? = nil, seed: UInt64 = 1
    ) -> RunResult {
        var random = SeededRandom(seed: seed)
        var result = RunResult()
        result.scenario = ScenarioFacts(name: "shop", seed: 7, resolved: "version: 1\n")
        result.environment.hard.architecture = "x86_64"
        result.environment.hard.cpuModel = "Some Processor"
        result.environment.hard.cpuCount = 2
        result.design.kind = .paired
        result.design.rounds = rounds
        result.design.budgets = budgets ?? [GateBudget("cpuNsPerSpan", .regress, 0.05)]
        result.design.looks = looks ?? [rounds]
        result.design.arms = [arm(.base, result), arm(.head, result)]
        // A distribution takes time to make: only where it is judged.
        let needsDistribution = budgets?.contains { $0.metric.hasPrefix("spanEnd") } == true
        for round in 0..<rounds {
            // The machine drifts from round to round by far more than what is looked for.
            let pace = 1 + 0.3 * Double(round % 5)
            for (slot, name) in ["base", "head"].enumerated() {
                let deviation = 1 + Double.random(in: -noise...noise, using: &random)
                let factor = (name == "head" ? effect : 1) * pace * deviation
                var run = self.run(factor: factor)
                if needsDistribution { run.set(.spanEnd, ends(factor: factor)) }
                run.variant = name
                run.round = round
                run.slot = slot
                result.runs.append(run)
            }
        }
        return result
    }

    static func arm(_ role: ArmFacts.Role, _ result: RunResult) -> ArmFacts {
        var arm = ArmFacts()
        arm.role = role
        arm.variant = role.rawValue
        arm.scenarioSHA256 = result.scenario.sha256
        return arm
    }

    /// A valid run with balanced books, `factor` times as costly as usual.
    static func run(factor: Double) -> RunRecord {
        var run = RunRecord()
        run.startedAt = "2026-11-21T12:00:00.000Z"
        run.valid = true
        run.load.durationNs = 3_000_000_000
        run.load.achievedSpans = 1_000_000
        run.host.calibrationBeforeNs = 500_000_000
        run.host.calibrationAfterNs = 510_000_000
        run.host.stealShare = 0.01
        run.ledger.tracer.startCalls = 1_000_000
        run.ledger.tracer.recording = 1_000_000
        run.ledger.tracer.endedByCaller = 1_000_000
        run.ledger.tracer.sampledEnded = 1_000_000
        var delivery = DeliveryCounts()
        delivery.reachesSink = false
        delivery.acknowledged = FateCount(count: 1_000_000, identitySum: 77)
        run.ledger.deliveries = [delivery]
        run.ledger.close()
        run.set(.cpuNsPerSpan, 200 * factor, samples: 1_000_000)
        run.set(.achievedSpansPerS, 5e6 / factor)
        run.set(.droppedSpanShare, 0)
        run.setExactFigures(hasFixedIdentifiers: false)
        return run
    }

    /// 24,000 ends of spans.
    static func ends(factor: Double) -> LatencyHistogram {
        var ends = LatencyHistogram()
        for sample in 1...UInt64(400) {
            ends.record(UInt64(Double(40_000 + sample * 50) * factor), count: 60)
        }
        return ends
    }

    /// Changes every run of an arm.
    static func changing(
        _ arm: String, of result: RunResult, _ change: (inout RunRecord) -> Void
    ) -> RunResult {
        var result = result
        for index in result.runs.indices where result.runs[index].variant == arm {
            change(&result.runs[index])
        }
        return result
    }
}
