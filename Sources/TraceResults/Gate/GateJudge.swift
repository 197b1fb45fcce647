// The rule by which a gate decides. For each figure and pair, d = ln(head / base), turned so that more is
// worse; the Hodges–Lehmann estimate of d with the exact interval; and three verdicts:
//
//   REGRESSED     the whole interval is worse than no change, and the estimate is beyond the budget
//   PASS          the whole interval is within the budget
//   INCONCLUSIVE  anything else
//
// One collection gives one interval a figure and look, each at its part of the confidence.

import Glibc

/// Judges a result by budgets. Any thread; reads, changes nothing.
public enum GateJudge {
    /// An improvement beyond this ratio is looked at before it is believed.
    static let suspectRatio = 0.5
    /// A percentile says something with this many samples beyond it.
    static let samplesBeyondMin = 100.0

    /// What a result says of the budgets.
    ///
    /// - Parameters:
    ///   - result: runs of both arms, the arms named in its design.
    ///   - settings: the plan; the result's own where nil.
    public static func report(on result: RunResult, settings: GateSettings? = nil) -> GateReport {
        let settings = settings ?? self.settings(of: result)
        var report = GateReport()
        report.scenario = result.scenario.name
        report.kind = result.design.kind
        report.looks = settings.looks
        guard let base = arm(.base, of: result), let head = arm(.head, of: result) else {
            report.errors.append(
                "the result has no base and head: a file of `tracemill gate` names both in design.arms"
            )
            return report
        }
        report.baseName = base.variant
        report.headName = head.variant
        report.errors += differences(
            base, head, result, dependsOnTime: settings.dependsOnTime)
        let isPaired = result.design.kind == .paired
        let confirmsFrom = result.design.confirmsFromRound ?? Int.max
        let first = result.runs.filter { $0.round < confirmsFrom }
        // What was stored says nothing of the machine today.
        let collected = isPaired ? first : first.filter { $0.variant == head.variant }
        let rounds = Set(collected.map(\.round)).count
        report.rounds = rounds
        if settings.dependsOnTime { report.fitness = RunnerFitness(collected) }
        let planned = 0..<plannedRounds(settings, collected: rounds, result)
        let samples = GateSamples(
            first, arms: (base.variant, head.variant), isPaired: isPaired,
            planned: isPaired ? planned : nil)
        report.invalidRuns = samples.invalid
        let advisory = advisoryReason(base, head, result)
        if let advisory { report.notes.append(advisory) }
        let reader = GateReader(samples: samples, settings: settings, isPaired: isPaired)
        report.rows = settings.budgets.map { budget in
            var row = reader.row(budget)
            row.isAdvisory = advisory != nil && budget.rule != .exact
            return row
        }
        if settings.confirms || result.design.confirmsFromRound != nil {
            confirm(&report, result, settings)
        }
        if report.notes.isEmpty, !isPaired, settings.dependsOnTime {
            report.notes.append(
                "the runs are not paired: the intervals are Mann and Whitney's, and what changed on the "
                    + "machine between the two is in them")
        }
        return report
    }

    /// What a single run says of the objectives among the budgets; the others need a gate.
    public static func rows(ofSingle run: RunRecord, budgets: [GateBudget]) -> [GateRow] {
        let objectives = budgets.filter { $0.rule == .max || $0.rule == .min }
        let samples = GateSamples(
            [run], arms: ("", run.variant), isPaired: false, planned: nil)
        let reader = GateReader(
            samples: samples, settings: GateSettings(budgets: objectives, rounds: 1),
            isPaired: false)
        return objectives.map { reader.row($0) }
    }

    /// The plan that a result's own design tells.
    public static func settings(of result: RunResult) -> GateSettings {
        let rounds = Set(
            result.runs.map(\.round).filter { $0 < result.design.confirmsFromRound ?? .max }
        ).count
        return GateSettings(
            budgets: result.design.budgets ?? [], looks: result.design.looks ?? [max(1, rounds)])
    }

    private static func arm(_ role: ArmFacts.Role, of result: RunResult) -> ArmFacts? {
        result.design.arms?.first { $0.role == role }
    }

    /// How many rounds must be there: those of the look at which the collection stopped.
    private static func plannedRounds(
        _ settings: GateSettings, collected: Int, _ result: RunResult
    ) -> Int {
        let looks = result.design.looks ?? settings.looks
        return looks.first { $0 >= collected } ?? looks.last ?? collected
    }

    private static func differences(
        _ base: ArmFacts, _ head: ArmFacts, _ result: RunResult, dependsOnTime: Bool
    ) -> [String] {
        var errors: [String] = []
        // An arm of which no run left a result says nothing of its scenario: its runs are invalid.
        func isSilent(_ arm: ArmFacts) -> Bool {
            arm.scenarioSHA256.isEmpty
                && !result.runs.contains { $0.variant == arm.variant && $0.valid }
        }
        let differs = base.scenarioSHA256.isEmpty || base.scenarioSHA256 != head.scenarioSHA256
        if differs, !isSilent(base), !isSilent(head) {
            errors.append(
                "\(base.variant) and \(head.variant) did not run the same scenario: digests "
                    + "\(base.scenarioSHA256.prefix(12)) and \(head.scenarioSHA256.prefix(12))")
        }
        if result.scenario.sha256 != SHA256Digest.hex(of: result.scenario.resolved) {
            errors.append("the scenario in the file is not the one its digest was made of")
        }
        // A debug build keeps the same spans, and takes its time about it.
        if dependsOnTime, let left = base.tool?.buildMode, let right = head.tool?.buildMode,
            left != right
        {
            errors.append(
                "\(base.variant) is a \(left) build and \(head.variant) a \(right) build: build both "
                    + "alike")
        }
        return errors
    }

    /// Why relative and absolute rows are shown only; nil where they decide.
    private static func advisoryReason(
        _ base: ArmFacts, _ head: ArmFacts, _ result: RunResult
    ) -> String? {
        for arm in [base, head] {
            guard let stored = arm.environment, stored.hard != result.environment.hard else {
                continue
            }
            return "\(arm.variant) ran on another machine (\(text(of: stored.hard))) than this one "
                + "(\(text(of: result.environment.hard))): what depends on time is advisory, exact "
                + "budgets hold"
        }
        return nil
    }

    private static func text(of facts: HardFacts) -> String {
        let quota = facts.cpuQuota.map { ", quota \(NumberText.short($0))" } ?? ""
        return "\(facts.cpuCount) × \(facts.cpuModel), \(facts.architecture)\(quota)"
    }

    /// A regression stands if pairs of its own, collected afterwards, show it again.
    private static func confirm(
        _ report: inout GateReport, _ result: RunResult, _ settings: GateSettings
    ) {
        let rows = report.rows.indices.filter {
            report.rows[$0].verdict == .regressed && report.rows[$0].budget.rule == .regress
        }
        guard let from = result.design.confirmsFromRound, !rows.isEmpty else { return }
        let second = result.runs.filter { $0.round >= from }
        let count = Set(second.map(\.round)).count
        let samples = GateSamples(
            second, arms: (report.baseName, report.headName), isPaired: true,
            planned: from..<from + max(count, report.rounds))
        report.invalidRuns += samples.invalid
        let plan = GateSettings(
            budgets: rows.map { report.rows[$0].budget }, looks: [max(1, count)])
        let reader = GateReader(samples: samples, settings: plan, isPaired: true)
        for index in rows {
            let again = reader.row(report.rows[index].budget)
            report.rows[index].confirmation = again.ratio
            guard again.verdict != .regressed else { continue }
            report.rows[index].verdict = .inconclusive
            let shown = again.ratio.map(GateText.change) ?? again.reason
            report.rows[index].reason =
                "not confirmed: \(GateText.count(again.pairs, "more pair")) gave \(shown)"
        }
    }
}
