// What can be wrong with a declaration of tail sampling, found before anything starts.

import TraceCore

extension TailSampling {
    static let tracesLimit = 1 << 24
    /// Attribute and tracestate conditions of one stage: a bit each.
    static let conditionsLimit = 64
    static let depthLimit = 16
    /// Below this no trace of any size has room.
    static let spanBytesMin = 64 << 10

    public func validate() throws(ConfigurationError) {
        try Self.check(
            "decisionWaitMs", (1...Int(Int32.max)).contains(decisionWaitMs),
            "milliseconds from 1 to \(Int32.max)")
        try Self.check(
            "tracesMax", (1...Self.tracesLimit).contains(tracesMax),
            "traces from 1 to \(Self.tracesLimit)")
        for (name, value) in [
            ("keptDecisionsMax", keptDecisionsMax), ("droppedDecisionsMax", droppedDecisionsMax),
        ] {
            try Self.check(
                name, (0...Self.tracesLimit).contains(value),
                "traces from 0 (none) to \(Self.tracesLimit)")
        }
        let tables = holdSizes.tableBytes(pages: MappedPageSource())
        try Self.check(
            "memoryBytesMax",
            memoryBytesMax >= tables + Self.spanBytesMin && memoryBytesMax <= 1 << 40,
            "\(tables + Self.spanBytesMin) bytes or more, of which its tables take \(tables) "
                + "(fewer traces and decisions take less), and at most 1 TiB")
        try Self.check(
            "policies", !policies.isEmpty,
            "without a policy nothing would be kept; write at least one, such as .always")
        var names: Set<String> = []
        for policy in policies {
            try Self.check(
                "policies", !policy.name.isEmpty && names.insert(policy.name).inserted,
                "two are called \"\(policy.name)\"; give each a name of its own")
            try policy.rule.validate(at: "tail.policies[\(policy.name)]", depth: 0)
        }
        let conditions = policies.reduce(0) { $0 + $1.rule.conditionCount }
        try Self.check(
            "policies", conditions <= Self.conditionsLimit,
            "\(conditions) conditions on attributes and tracestates; at most "
                + "\(Self.conditionsLimit), several values or patterns may stand in one")
    }

    private static func check(
        _ name: String, _ isFit: Bool, _ reason: String
    ) throws(ConfigurationError) {
        if !isFit { throw .invalidSetting(name: "tail.\(name)", reason: reason) }
    }
}

extension TailRule {
    /// Conditions that take a bit.
    var conditionCount: Int {
        switch self {
        case .attribute, .traceState: 1
        case .and(let rules), .drop(let rules): rules.reduce(0) { $0 + $1.conditionCount }
        case .not(let rule): rule.conditionCount
        case .composite(let composite): composite.parts.reduce(0) { $0 + $1.rule.conditionCount }
        default: 0
        }
    }

    func validate(at path: String, depth: Int) throws(ConfigurationError) {
        func check(_ isFit: Bool, _ reason: String) throws(ConfigurationError) {
            if !isFit { throw .invalidSetting(name: path, reason: reason) }
        }
        func checkAll(_ rules: [TailRule], _ name: String) throws(ConfigurationError) {
            try check(!rules.isEmpty, "\(name) has nothing in it; write at least one rule")
            for (index, rule) in rules.enumerated() {
                try rule.validate(at: "\(path).\(name)[\(index)]", depth: depth + 1)
            }
        }
        try check(depth < TailSampling.depthLimit, "rules in rules, 16 deep at most")
        switch self {
        case .always: break
        case .latency(let atLeast, let atMost):
            try check(
                atMost.map { $0 > atLeast } ?? true, "the upper bound must be above the lower")
        case .status(let statuses):
            try check(!statuses.isEmpty, "no status; write unset, ok or error")
        case .attribute(let condition): try condition.validate(at: path)
        case .traceState(let key, let values):
            try check(!key.isEmpty, "the key is empty; write that of a tracestate member")
            try check(!values.isEmpty, "no values; write at least one")
        case .probabilistic(let share, _):
            try check(share >= 0 && share <= 1, "\(share) is not a share from 0 to 1")
        case .rateLimiting(let rate):
            try check(
                SpanBudget.rates.contains(rate),
                "\(rate) is not a number of spans a second above 0, at most 1e9")
        case .spanCount(let atLeast, let atMost):
            try check(
                atLeast >= 0 && atMost.map { $0 >= atLeast && $0 >= 1 } ?? true,
                "a number of spans from 0, and an upper bound that is not below it")
        case .and(let rules): try checkAll(rules, "and")
        case .not(let rule): try rule.validate(at: path + ".not", depth: depth + 1)
        case .drop(let rules):
            try check(depth == 0, "drop decides about a trace and stands in no other rule")
            try checkAll(rules, "drop")
        case .composite(let composite):
            try check(
                SpanBudget.rates.contains(composite.spansPerS),
                "\(composite.spansPerS) is not a number of spans a second above 0, at most 1e9")
            let shares = composite.parts.map { $0.share ?? composite.equalShare }
            try check(
                shares.allSatisfy { $0 > 0 && $0 <= 1 } && shares.reduce(0, +) < 1.000_001,
                "shares above 0 that come to 1 at most; one that is left out counts as "
                    + "1/\(composite.parts.count)")
            try checkAll(composite.parts.map(\.rule), "composite")
        }
    }
}

extension TailAttributeCondition {
    func validate(at path: String) throws(ConfigurationError) {
        func check(_ isFit: Bool, _ reason: String) throws(ConfigurationError) {
            if !isFit { throw .invalidSetting(name: path, reason: reason) }
        }
        try check(!key.isEmpty, "the key is empty; write an attribute's")
        switch test {
        case .texts(let texts): try check(!texts.isEmpty, "no values; write at least one")
        case .patterns(let patterns, let cached):
            try check(!patterns.isEmpty, "no pattern; write at least one")
            try check((0...1_048_576).contains(cached), "cached values from 0 to 1,048,576")
            for pattern in patterns {
                do {
                    _ = try TailPattern(pattern)
                } catch {
                    throw .invalidSetting(name: path, reason: "\(error)")
                }
            }
        case .number(let atLeast, let atMost):
            try check(atLeast != nil || atMost != nil, "no bound; write at least one")
            try check(
                (atLeast ?? -.infinity) <= (atMost ?? .infinity),
                "the upper bound is below the lower")
        case .flag: break
        }
    }
}
