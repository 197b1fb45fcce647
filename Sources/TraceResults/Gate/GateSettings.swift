// How a gate goes about it: how many rounds, at which of them it looks, how the confidence is divided.
// A plan that no outcome could fail is refused before anything runs.

/// The plan of a gate.
public struct GateSettings: Sendable, Equatable {
    /// What is judged.
    public var budgets: [GateBudget]
    /// The numbers of pairs at which the gate looks, ascending; the last is the most it collects.
    public var looks: [Int]
    /// Whether a regression must show itself a second time, in pairs of its own.
    public var confirms = false
    /// Whether an improvement by more than half passes.
    public var acceptsImprovement = false

    /// The most rounds.
    public static let roundsMax = 200
    /// The rounds of a gate where nobody says.
    public static let standardRounds = 15
    /// The looks of an adaptive gate.
    public static let adaptiveLooks = [8, 16, 24]

    /// A plan of one look.
    public init(budgets: [GateBudget], rounds: Int = GateSettings.standardRounds) {
        self.budgets = budgets
        looks = [rounds]
    }

    /// A plan of several looks.
    public init(budgets: [GateBudget], looks: [Int]) {
        self.budgets = budgets
        self.looks = looks
    }

    /// The most pairs.
    public var rounds: Int { looks.last ?? 0 }

    /// Whether anything judged depends on how fast the machine was.
    public var dependsOnTime: Bool { budgets.contains(where: \.needsInterval) }

    /// The confidence of the one interval that decides about a budget at one look: what it may err is
    /// divided by the budgets that need an interval and by the looks (Bonferroni).
    public func confidence(of budget: GateBudget) -> Double {
        let parts = max(1, budgets.count(where: \.needsInterval)) * max(1, looks.count)
        return 1 - (1 - budget.confidence) / Double(parts)
    }

    /// The fewest pairs that can decide about every budget; nil where none can.
    public var smallestCount: Int? {
        var most = 1
        for budget in budgets where budget.needsInterval {
            guard let count = SignedRank.smallestCount(confidence: confidence(of: budget)) else {
                return nil
            }
            most = max(most, count)
        }
        return most
    }

    /// The plan without looks that could decide nothing: they would only cost confidence.
    public func withoutIdleLooks() -> GateSettings {
        var plan = self
        while plan.looks.count > 1, let first = plan.looks.first, let needed = plan.smallestCount,
            first < needed
        {
            plan.looks.removeFirst()
        }
        return plan
    }

    /// Why the plan is refused where the base is stored runs instead of pairs; nil when it is not.
    public func refusal(againstRuns baseCount: Int) -> String? {
        guard baseCount > 0 else { return "the baseline holds no run" }
        var plan = self
        plan.budgets = budgets.filter { $0.rule != .regress }
        if plan.budgets.isEmpty { plan.budgets = [GateBudget("keptSpans", .exact)] }
        if let reason = plan.refusal { return reason }
        for budget in budgets where budget.rule == .regress {
            let rank = RankSum.boundRank(baseCount, rounds, confidence: confidence(of: budget))
            guard rank == 0 else { continue }
            return
                "\(GateText.count(rounds, "run")) against \(GateText.count(baseCount, "stored run")) "
                + "cannot fail '\(budget.metric) regress' at this confidence: record a baseline of more "
                + "runs, with --record, or use more --rounds"
        }
        return nil
    }

    /// Why the plan is refused; nil when it is not.
    public var refusal: String? {
        guard !budgets.isEmpty else { return "there is no budget to judge by: a gate cannot fail" }
        guard (1...Self.roundsMax).contains(rounds), looks == looks.sorted(), looks.first ?? 0 > 0
        else { return "a gate takes from 1 to \(Self.roundsMax) rounds" }
        var seen: Set<String> = []
        for budget in budgets {
            guard seen.insert("\(budget.metric) \(budget.rule.rawValue)").inserted else {
                return
                    "the metric \(budget.metric) has two budgets '\(budget.rule.rawValue)': keep one"
            }
        }
        guard let needed = smallestCount, needed <= rounds else {
            let judged = GateText.count(budgets.count(where: \.needsInterval), "budget")
            let looked = looks.count > 1 ? " at \(looks.count) looks" : ""
            let needed = smallestCount.map { "at least \($0) rounds" } ?? "fewer budgets"
            return
                "with \(GateText.count(rounds, "pair")), \(judged)\(looked) and this confidence no "
                + "outcome whatever could fail: use \(needed), or gate fewer metrics"
        }
        return nil
    }
}
