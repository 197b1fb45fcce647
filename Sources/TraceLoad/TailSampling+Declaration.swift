import TraceCore
import TracePipeline

extension TailSampling {
    /// What a trace may take at most on average, where a scenario says only how many may wait: as much as in the
    /// default sizes.
    private static let bytesPerTrace = (300 << 20) / 50_000

    /// The stage that a scenario asks for.
    init(_ declaration: TailDeclaration) {
        // A line was read when the scenario was.
        if let line = declaration.line, let tail = try? TailSampling(text: line) {
            self = tail
            return
        }
        var names: [String: Int] = [:]
        self.init(
            declaration.policies.map { policy in
                names[policy.name, default: 0] += 1
                let number = names[policy.name, default: 1]
                return TailPolicy(
                    TailRule(policy.rule),
                    name: number == 1 ? policy.name : "\(policy.name) \(number)")
            })
        decisionWaitMs = max(1, Int((declaration.decisionWaitNs / 1e6).rounded()))
        tracesMax = declaration.traceCountMax
        keptDecisionsMax = declaration.keptTracesRemembered
        droppedDecisionsMax = declaration.droppedTracesRemembered
        let traces = max(tracesMax, (keptDecisionsMax + droppedDecisionsMax) / 50)
        memoryBytesMax = max(memoryBytesMax, traces * Self.bytesPerTrace)
    }
}

extension TailRule {
    init(_ rule: TailPolicyDeclaration.Rule) {
        func rules(_ policies: [TailPolicyDeclaration]) -> [TailRule] {
            policies.map { TailRule($0.rule) }
        }
        switch rule {
        case .always: self = .always
        case .latency(let lower, let upper):
            self = .latency(
                atLeastNs: UInt64(clamping: Int64(lower)),
                atMostNs: upper.map { UInt64(clamping: Int64($0)) })
        case .statusCode(let statuses):
            self = .status(
                statuses.map { status in
                    switch status {
                    case .unset: .unset
                    case .ok: .ok
                    case .error: .error
                    }
                })
        case .string(let key, let values, let patterns, let invert):
            // Without patterns texts are compared, which costs less.
            let test: TailAttributeCondition.Test =
                patterns.isEmpty
                ? .texts(values)
                : .patterns(
                    values.map { Self.expression($0, isPattern: false) }
                        + patterns.map { Self.expression($0, isPattern: true) })
            self = .attribute(TailAttributeCondition(key, test, isInverted: invert))
        case .number(let key, let min, let max, let invert):
            self = .attribute(
                TailAttributeCondition(
                    key,
                    .number(
                        atLeast: min.isFinite ? min : nil, atMost: max.isFinite ? max : nil),
                    isInverted: invert))
        case .boolean(let key, let value, let invert):
            self = .attribute(TailAttributeCondition(key, .flag(value), isInverted: invert))
        case .probabilistic(let share): self = .probabilistic(share)
        case .rateLimiting(let rate): self = .rateLimiting(spansPerS: rate)
        case .spanCount(let min, let max):
            self = .spanCount(atLeast: min, atMost: max == .max ? nil : max)
        case .traceState(let key, let values): self = .traceState(key: key, values: values)
        case .and(let policies): self = .and(rules(policies))
        case .not(let policy): self = .not(TailRule(policy.rule))
        case .drop(let policies): self = .drop(rules(policies))
        case .composite(let rate, let parts):
            self = .composite(
                TailComposite(
                    spansPerS: rate,
                    parts.map { .init(TailRule($0.policy.rule), share: $0.share) }))
        }
    }

    /// A text as a regular expression for all of it; in a pattern `*` stands for any characters.
    private static func expression(_ text: String, isPattern: Bool) -> String {
        let steps = text.map { character in
            if isPattern, character == "*" { return "(?:.|\\n)*" }
            let isPlain = !character.isASCII || character.isLetter || character.isNumber
            return isPlain || character == "_" ? String(character) : "\\" + String(character)
        }
        return "^" + steps.joined() + "$"
    }
}
