// Tail sampling in one line of text, for scenario files and command lines:
// `tail:errors+slow:500ms+ratio:0.01`, `tail:wait:10s+drop(attr:http.route=/health)+composite(1000,errors@50%,always)`.

import TraceCore

/// Why a line of text is no tail sampling.
public struct TailSamplingError: Error, Equatable, CustomStringConvertible {
    /// The text, and where in it, from 1.
    public var text: String
    public var character: Int
    public var problem: String
    public var remedy: String

    public var description: String {
        "tail sampling \"\(text)\", character \(character): \(problem); write \(remedy)"
    }
}

extension TailSampling {
    /// Reads one line: `tail:`, then policies and settings, parted by `+`.
    ///
    /// Policies: `always`, `errors`, `status:error|unset`, `slow:500ms` (at least), `slow:500ms..2s` (more than,
    /// at most), `ratio:0.01`, `ratio:0.01:salt`, `rate:500` (spans/s), `spans:2..100`, `attr:KEY=A|B`,
    /// `attr:KEY~PATTERN|…`, `num:KEY=50..100`, `flag:KEY=true`, each attribute with `!` before the sign turned
    /// around; `state:KEY=A|B`, `and(…,…)`, `not(…)`, `drop(…,…)`, `composite(1000,errors@50%,always)`. Keys and values
    /// with other characters than letters, digits and `._-/:*%` stand in quotes.
    /// Settings: `wait:30s`, `traces:50000`, `memory:300MiB`, `kept:50000`, `dropped:200000`.
    public init(text: String) throws(TailSamplingError) {
        var reader = TailTextReader(text)
        self.init([])
        try reader.expect(
            "tail:", "`tail:` and policies, such as tail:errors+slow:500ms+ratio:0.01")
        var settings: Set<String> = []
        repeat {
            let start = reader.place
            if try reader.readSetting(into: &self, &settings) { continue }
            let rule = try reader.rule()
            let policy = TailPolicy(rule)
            if policies.contains(where: { $0.name == policy.name }) {
                throw reader.error("the same policy stands there already", "it once", at: start)
            }
            policies.append(policy)
        } while reader.accept("+")
        try reader.expectEnd()
        do {
            try validate()
        } catch {
            throw reader.error("\(error)", "other values", at: 0)
        }
    }
}

/// Reads the text, character by character.
struct TailTextReader {
    private let text: String
    private let characters: [Character]
    private(set) var place = 0
    private var depth = 0

    init(_ text: String) {
        self.text = text
        characters = Array(text)
    }

    func error(
        _ problem: String, _ remedy: String, at place: Int? = nil
    ) -> TailSamplingError {
        TailSamplingError(
            text: text, character: (place ?? self.place) + 1, problem: problem, remedy: remedy)
    }

    var position: Int { place }
    var peek: Character? { place < characters.count ? characters[place] : nil }
    mutating func advance() { place += 1 }

    /// Whether what stands behind the next character, an `e`, makes it an exponent.
    var hasExponentNext: Bool {
        let next = place + 1 < characters.count ? characters[place + 1] : " "
        return next.isNumber || next == "-" || next == "+"
    }
    var hasDigitNext: Bool { place + 1 < characters.count && characters[place + 1].isNumber }
    /// Whether two points stand here.
    var isRange: Bool {
        place + 1 < characters.count && characters[place] == "." && characters[place + 1] == "."
    }

    private var rest: String { place < characters.count ? "\"\(characters[place])\"" : "the end" }

    mutating func accept(_ wanted: String) -> Bool {
        let wanted = Array(wanted)
        guard place + wanted.count <= characters.count,
            characters[place..<place + wanted.count].elementsEqual(wanted)
        else { return false }
        place += wanted.count
        return true
    }

    mutating func expect(_ wanted: String, _ remedy: String) throws(TailSamplingError) {
        guard accept(wanted) else { throw error("\(rest) is not `\(wanted)`", remedy) }
    }

    func expectEnd() throws(TailSamplingError) {
        guard place == characters.count else {
            throw error("\(rest) is too much", "`+` and another policy, or nothing")
        }
    }

    // MARK: Settings

    /// Reads a setting if one stands here.
    mutating func readSetting(
        into tail: inout TailSampling, _ seen: inout Set<String>
    ) throws(TailSamplingError) -> Bool {
        let start = place
        for name in ["wait", "traces", "memory", "kept", "dropped"] where accept(name + ":") {
            guard seen.insert(name).inserted else {
                throw error("`\(name)` stands there twice", "it once", at: start)
            }
            switch name {
            case "wait":
                let ns = try duration()
                guard ns % 1_000_000 == 0, ns > 0 else {
                    throw error("the wait is whole milliseconds", "`wait:30s`", at: start)
                }
                tail.decisionWaitMs = Int(ns / 1_000_000)
            case "traces": tail.tracesMax = try wholeNumber("`traces:50000`")
            case "memory": tail.memoryBytesMax = try size()
            case "kept": tail.keptDecisionsMax = try wholeNumber("`kept:50000`")
            default: tail.droppedDecisionsMax = try wholeNumber("`dropped:200000`")
            }
            return true
        }
        return false
    }

    // MARK: Rules

    private static let names =
        "always, errors, status:, slow:, ratio:, rate:, spans:, attr:, num:, flag:, state:, and(), "
        + "not(), drop() or composite()"

    mutating func rule() throws(TailSamplingError) -> TailRule {
        depth += 1
        defer { depth -= 1 }
        guard depth <= TailSampling.depthLimit else {
            throw error("rules stand 16 deep at most", "fewer in one another")
        }
        let start = place
        let name = bareWord()
        switch name {
        case "always": return .always
        case "errors": return .errors
        case "and": return .and(try rules())
        case "drop":
            guard depth == 1 else {
                throw error(
                    "`drop` decides about a trace and stands in no other rule",
                    "it beside the others", at: start)
            }
            return .drop(try rules())
        case "not":
            let inner = try rules()
            guard inner.count == 1 else {
                throw error("`not` takes one rule", "`not(errors)`", at: start)
            }
            return .not(inner[0])
        case "composite": return try composite()
        case "status", "slow", "ratio", "rate", "spans", "attr", "num", "flag", "state":
            try expect(":", "`\(name):` and what it takes")
            return try rule(taking: name)
        default:
            throw error(
                name.isEmpty ? "a policy is missing" : "there is no policy \"\(name)\"",
                "one of \(Self.names)", at: start)
        }
    }

    private mutating func rule(taking name: String) throws(TailSamplingError) -> TailRule {
        switch name {
        case "status":
            var statuses: [SpanStatus] = []
            repeat {
                let start = place
                switch bareWord().lowercased() {
                case "unset": statuses.append(.unset)
                case "ok": statuses.append(.ok)
                case "error": statuses.append(.error)
                default: throw error("that is no status", "unset, ok or error", at: start)
                }
            } while accept("|")
            return .status(statuses)
        case "slow":
            let atLeast = try duration()
            guard accept("..") else { return .latency(atLeastNs: atLeast) }
            let start = place
            let atMost = try duration()
            guard atMost > atLeast else {
                throw error("the upper bound is not above the lower", "`slow:500ms..2s`", at: start)
            }
            return .latency(atLeastNs: atLeast, atMostNs: atMost)
        case "ratio":
            let start = place
            let share = try number("a share from 0 to 1, such as `ratio:0.01`")
            guard share >= 0, share <= 1 else {
                throw error("\(share) is not a share from 0 to 1", "`ratio:0.01`", at: start)
            }
            return .probabilistic(
                share, salt: accept(":") ? try word("a salt") : TailRule.defaultSalt)
        case "rate": return .rateLimiting(spansPerS: try rate())
        case "spans":
            let atLeast = accept("..") ? nil : try wholeNumber("`spans:2` or `spans:2..100`")
            if atLeast == nil || accept("..") {
                let most = isDigit ? try wholeNumber("`spans:2..100`") : nil
                if atLeast == nil && most == nil {
                    throw error("both bounds are missing", "`spans:2..100`")
                }
                return .spanCount(atLeast: atLeast ?? 0, atMost: most)
            }
            return .spanCount(atLeast: atLeast ?? 0)
        case "state":
            let key = try word("a tracestate key")
            try expect("=", "`state:KEY=VALUE`")
            return .traceState(key: key, values: try words())
        default: return try attribute(name)
        }
    }

    private mutating func attribute(_ kind: String) throws(TailSamplingError) -> TailRule {
        let key = try word("an attribute's key, such as `\(kind):http.route=…`")
        let isInverted = accept("!")
        let test: TailAttributeCondition.Test
        if kind == "attr", accept("~") {
            test = .patterns(try words())
        } else {
            let usage = ["num": "50..100", "flag": "true"][kind] ?? "VALUE"
            try expect("=", "`\(kind):\(key)=\(usage)`")
            switch kind {
            case "attr": test = .texts(try words())
            case "num":
                let low = accept("..") ? nil : try number("`num:\(key)=50..100`")
                if low != nil, !accept("..") {
                    test = .number(atLeast: low, atMost: low)
                } else {
                    let high = isDigit ? try number("`num:\(key)=50..100`") : nil
                    test = .number(atLeast: low, atMost: high)
                }
            default:
                let start = place
                switch bareWord().lowercased() {
                case "true": test = .flag(true)
                case "false": test = .flag(false)
                default: throw error("that is neither true nor false", "one of them", at: start)
                }
            }
        }
        return .attribute(TailAttributeCondition(key, test, isInverted: isInverted))
    }

    private mutating func rules() throws(TailSamplingError) -> [TailRule] {
        try expect("(", "rules in parentheses, such as `and(errors,slow:1s)`")
        var rules: [TailRule] = []
        repeat { rules.append(try rule()) } while accept(",")
        try expect(")", "`,` and another rule, or `)`")
        return rules
    }

    private mutating func composite() throws(TailSamplingError) -> TailRule {
        try expect("(", "`composite(1000,errors@50%,always)`")
        let rate = try rate()
        var parts: [TailComposite.Part] = []
        while accept(",") {
            var part = TailComposite.Part(try rule())
            if accept("@") {
                part.share = try number("a percentage, such as `errors@50%`") / 100
                try expect("%", "a percentage, such as `errors@50%`")
            }
            parts.append(part)
        }
        try expect(")", "`,` and another rule, or `)`")
        return .composite(TailComposite(spansPerS: rate, parts))
    }
}
