// Words and numbers within the text of tail sampling, and how they are written again.

import TraceCore

extension TailTextReader {
    /// Characters of words that stand without quotes.
    static func isBare(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber)
            || "._-/:*%".contains(character)
    }

    var isDigit: Bool {
        peek.map { $0.isASCII && $0.isNumber || "-.".contains($0) } ?? false
    }

    /// Letters, as in names.
    mutating func bareWord() -> String {
        var word = ""
        while let character = peek, character.isASCII, character.isLetter {
            word.append(character)
            advance()
        }
        return word
    }

    /// A word, in quotes or without.
    mutating func word(_ what: String) throws(TailSamplingError) -> String {
        guard accept("\"") else {
            var word = ""
            while let character = peek, Self.isBare(character) {
                word.append(character)
                advance()
            }
            if word.isEmpty {
                throw error("\(what) is missing", "letters and digits, or text in quotes")
            }
            return word
        }
        let start = position - 1
        var word = ""
        while let character = peek {
            advance()
            switch character {
            case "\"": return word
            case "\\":
                guard let escaped = peek, escaped == "\"" || escaped == "\\" else {
                    throw error("in quotes `\\` stands before `\"` or `\\`", "`\\\\` for one")
                }
                word.append(escaped)
                advance()
            default: word.append(character)
            }
        }
        throw error("the quotes are not closed", "another `\"`", at: start)
    }

    mutating func words() throws(TailSamplingError) -> [String] {
        var words: [String] = []
        repeat { words.append(try word("a value")) } while accept("|")
        return words
    }

    private mutating func digits(_ remedy: String) throws(TailSamplingError) -> (String, Int) {
        let start = position
        var text = ""
        while let character = peek, character.isASCII {
            // Two points part a range, one belongs to the number.
            if character == ".", text.contains(".") || isRange { break }
            let isSign =
                character == "-" && (text.isEmpty || text.hasSuffix("e"))
                || character == "+" && text.hasSuffix("e") && hasDigitNext
            let isExponent =
                character == "e" && !text.isEmpty && !text.contains("e") && hasExponentNext
            guard character.isNumber || character == "." || isSign || isExponent else { break }
            text.append(character)
            advance()
        }
        if text.isEmpty { throw error("a number is missing", remedy, at: start) }
        return (text, start)
    }

    mutating func number(_ remedy: String) throws(TailSamplingError) -> Double {
        let (text, start) = try digits(remedy)
        guard let value = Double(text), value.isFinite else {
            throw error("\"\(text)\" is not a number", remedy, at: start)
        }
        return value
    }

    mutating func wholeNumber(_ remedy: String) throws(TailSamplingError) -> Int {
        let (text, start) = try digits(remedy)
        guard let value = Int(text), value >= 0 else {
            throw error("\"\(text)\" is not a whole number", remedy, at: start)
        }
        return value
    }

    mutating func rate() throws(TailSamplingError) -> Double {
        let start = position
        let rate = try number("spans a second, such as `rate:500`")
        guard SpanBudget.rates.contains(rate) else {
            throw error(
                "\(TailText.number(rate)) is not a number of spans a second above 0, at most 1e9",
                "`rate:500`", at: start)
        }
        return rate
    }

    /// Nanoseconds.
    mutating func duration() throws(TailSamplingError) -> UInt64 {
        let start = position
        let value = try number("a duration, such as 500ms or 2s")
        let unit = bareWord()
        guard let factor = TailText.durationUnits.first(where: { $0.name == unit })?.ns else {
            throw error("a duration has a unit", "ns, us, ms, s, m or h, such as 500ms", at: start)
        }
        let ns = (value * Double(factor)).rounded()
        guard ns >= 0, ns < 1e18 else {
            throw error("that is no duration", "one from 0 to 30 years", at: start)
        }
        return UInt64(ns)
    }

    /// Bytes.
    mutating func size() throws(TailSamplingError) -> Int {
        let start = position
        let value = try number("a size, such as `memory:300MiB`")
        let unit = bareWord()
        guard let factor = TailText.sizeUnits.first(where: { $0.name == unit })?.bytes,
            value >= 0, value * Double(factor) < 1e15
        else { throw error("that is no size", "`memory:300MiB`, or KiB, GiB, B", at: start) }
        return Int((value * Double(factor)).rounded())
    }
}

/// How values are written.
enum TailText {
    static let durationUnits: [(name: String, ns: UInt64)] = [
        ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000),
        ("us", 1_000), ("ns", 1),
    ]
    static let sizeUnits: [(name: String, bytes: Int)] = [
        ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
    ]

    static func duration(_ ns: UInt64) -> String {
        let unit = durationUnits.first { ns >= $0.ns && ns % $0.ns == 0 } ?? ("ns", 1)
        return ns == 0 ? "0s" : "\(ns / unit.ns)\(unit.name)"
    }

    static func size(_ bytes: Int) -> String {
        let unit = sizeUnits.first { bytes >= $0.bytes && bytes % $0.bytes == 0 } ?? ("B", 1)
        return "\(bytes / unit.bytes)\(unit.name)"
    }

    static func number(_ value: Double) -> String {
        value.rounded() == value && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }

    /// A share as a percentage that is read as the same share.
    static func percentage(_ share: Double) -> String {
        let short = (share * 1e14).rounded() / 1e12
        return number(short / 100 == share ? short : share * 100)
    }

    static func word(_ text: String) -> String {
        // A value is read as far as its characters go: two points would part a range nowhere here.
        if !text.isEmpty, text.allSatisfy(TailTextReader.isBare) { return text }
        return "\"" + text.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] } + "\""
    }

    static func words(_ texts: [String]) -> String { texts.map(word).joined(separator: "|") }
}

extension TailRule: CustomStringConvertible {
    /// As ``TailSampling/init(text:)`` reads it, but for how many values of patterns are remembered.
    public var description: String {
        switch self {
        case .always: return "always"
        case .latency(let atLeast, let atMost):
            return "slow:\(TailText.duration(atLeast))"
                + (atMost.map { "..\(TailText.duration($0))" } ?? "")
        case .status([.error]): return "errors"
        case .status(let statuses):
            return "status:" + statuses.map { "\($0)" }.joined(separator: "|")
        case .attribute(let condition): return condition.text
        case .traceState(let key, let values):
            return "state:\(TailText.word(key))=\(TailText.words(values))"
        case .probabilistic(let share, let salt):
            return "ratio:\(TailText.number(share))"
                + (salt == TailRule.defaultSalt ? "" : ":\(TailText.word(salt))")
        case .rateLimiting(let rate): return "rate:\(TailText.number(rate))"
        case .spanCount(let atLeast, let atMost):
            return "spans:\(atLeast)" + (atMost.map { "..\($0)" } ?? "")
        case .and(let rules): return "and(\(Self.list(rules)))"
        case .not(let rule): return "not(\(rule))"
        case .drop(let rules): return "drop(\(Self.list(rules)))"
        case .composite(let composite):
            let parts = composite.parts.map { part in
                "\(part.rule)" + (part.share.map { "@\(TailText.percentage($0))%" } ?? "")
            }
            return "composite("
                + ([TailText.number(composite.spansPerS)] + parts).joined(separator: ",")
                + ")"
        }
    }

    private static func list(_ rules: [TailRule]) -> String {
        rules.map(\.description).joined(separator: ",")
    }
}

extension TailAttributeCondition {
    fileprivate var text: String {
        let sign = isInverted ? "!" : ""
        let key = TailText.word(key)
        func bound(_ value: Double?) -> String { value.map(TailText.number) ?? "" }
        switch test {
        case .texts(let texts): return "attr:\(key)\(sign)=\(TailText.words(texts))"
        case .patterns(let patterns, _): return "attr:\(key)\(sign)~\(TailText.words(patterns))"
        case .number(let atLeast, let atMost):
            return "num:\(key)\(sign)=\(bound(atLeast))..\(bound(atMost))"
        case .flag(let value): return "flag:\(key)\(sign)=\(value)"
        }
    }
}

extension TailSampling: CustomStringConvertible {
    /// As ``init(text:)`` reads it, settings that stand at their default left out; names of policies are not in it.
    public var description: String {
        let defaults = TailSampling([])
        var parts: [String] = []
        if decisionWaitMs != defaults.decisionWaitMs {
            parts.append("wait:\(TailText.duration(UInt64(max(0, decisionWaitMs)) * 1_000_000))")
        }
        if tracesMax != defaults.tracesMax { parts.append("traces:\(tracesMax)") }
        if memoryBytesMax != defaults.memoryBytesMax {
            parts.append("memory:\(TailText.size(memoryBytesMax))")
        }
        if keptDecisionsMax != defaults.keptDecisionsMax {
            parts.append("kept:\(keptDecisionsMax)")
        }
        if droppedDecisionsMax != defaults.droppedDecisionsMax {
            parts.append("dropped:\(droppedDecisionsMax)")
        }
        return "tail:" + (parts + policies.map { "\($0.rule)" }).joined(separator: "+")
    }
}
