// What a figure may cost. Three kinds, and each is judged by its own rule alone: an objective in the
// figure's unit, a share over the other arm, or no change at all.

/// One budget of one figure.
public struct GateBudget: ResultObject {
    /// What the limit means.
    public enum Rule: String, Codable, Sendable, CaseIterable {
        /// At most the limit, in the figure's unit.
        case max
        /// At least the limit, in the figure's unit.
        case min
        /// Worse than the base by less than this share.
        case regress
        /// The same in every run of both arms: any change is one.
        case exact
    }

    /// The figure's name in result files.
    public var metric = ""
    /// What the limit means.
    public var rule = Rule.regress
    /// In the figure's unit for `max` and `min`, a share of one for `regress`, 0 for `exact`.
    public var limit = 0.0
    /// The unit the limit was written in (`ns`, `B`, `1`); nil for a bare number, which takes the figure's.
    public var limitUnit: String?
    /// Of the interval that decides, before it is divided among figures and looks.
    public var confidence = 0.95
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    /// A budget.
    public init(_ metric: String, _ rule: Rule, _ limit: Double = 0, confidence: Double = 0.95) {
        self.metric = metric
        self.rule = rule
        self.limit = limit
        self.confidence = confidence
    }

    public static let fields: [ResultField<GateBudget>] = [
        .required("metric", \.metric),
        .required("rule", \.rule),
        .required("limit", \.limit),
        .optional("limitUnit", \.limitUnit),
        .required("confidence", \.confidence),
    ]

    /// What a gate judges where nobody says: processor time for each span, and how many there are a second.
    public static let standard = [
        GateBudget("cpuNsPerSpan", .regress, 0.05), GateBudget("achievedSpansPerS", .regress, 0.05),
    ]

    /// Whether an interval decides, which takes its part of the confidence.
    var needsInterval: Bool { rule != .exact }
}

/// Why a budget cannot be read.
public struct GateBudgetError: Error, Sendable, CustomStringConvertible {
    public var description: String
}

extension GateBudget {
    /// The budget that a line says: `METRIC max|min LIMIT`, `METRIC regress PERCENT`, `METRIC exact`,
    /// and behind it perhaps `confidence 99%`.
    public init(parsing text: String) throws(GateBudgetError) {
        let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
        let shown = "'\(TerminalText.neutralised(text.prefix(80)))'"
        guard words.count >= 2, let rule = Rule(rawValue: words[1]) else {
            throw GateBudgetError(
                description: "the budget \(shown) has no rule: write 'METRIC regress 5%', "
                    + "'METRIC max 2us', 'METRIC min 100000' or 'METRIC exact'")
        }
        var confidence = 0.95
        var rest = words[2...]
        if let index = rest.firstIndex(of: "confidence") {
            guard index == rest.endIndex - 2 else {
                throw GateBudgetError(
                    description: "the budget \(shown) has a confidence without a value: write "
                        + "'confidence 99%' at its end")
            }
            confidence = try Self.share(rest[index + 1], in: shown)
            rest = rest[..<index]
        }
        guard rest.count == (rule == .exact ? 0 : 1) else {
            throw GateBudgetError(
                description: rule == .exact
                    ? "the budget \(shown) is exact, which takes no limit: leave out "
                        + "'\(TerminalText.neutralised(rest.joined(separator: " ").prefix(40)))'"
                    : "the budget \(shown) needs one limit behind '\(rule.rawValue)', such as "
                        + (rule == .regress ? "5%" : "2us"))
        }
        try self.init(
            metric: words[0], rule: rule, limitText: rest.first, confidence: confidence)
    }

    /// A budget from its parts, as scenario files have them.
    ///
    /// - Parameters:
    ///   - metric: any spelling that ``MetricCatalogue`` knows.
    ///   - limitText: such as `2us`, `64KiB`, `5%` or `100000`; nil for `exact`.
    public init(
        metric spelling: String, rule: Rule, limitText: String?, confidence: Double
    ) throws(GateBudgetError) {
        guard let name = MetricCatalogue.name(spelling) else {
            let near = MetricCatalogue.suggestions(for: spelling).joined(separator: ", ")
            throw GateBudgetError(
                description: "no run has a metric '"
                    + TerminalText.neutralised(spelling.prefix(60)) + "': did you mean \(near)?")
        }
        guard (0.5...0.9999).contains(confidence) else {
            throw GateBudgetError(
                description:
                    "a confidence of \(NumberText.short(confidence * 100))% cannot be had: "
                    + "write one from 50% to 99.99%")
        }
        self.init(name, rule, confidence: confidence)
        guard rule != .exact else { return }
        let text = limitText ?? ""
        let shown = "'\(TerminalText.neutralised("\(name) \(rule.rawValue) \(text)".prefix(80)))'"
        if rule == .regress {
            limit = try Self.share(text, in: shown)
            // Below a thousandth nothing is told apart, above ten times nothing ever fails.
            guard (0.001...10).contains(limit) else {
                throw GateBudgetError(
                    description: "the budget \(shown) allows \(text): write from 0.1% to 1000%")
            }
            return
        }
        let (value, unit) = try Self.quantity(text, in: shown)
        limit = value
        limitUnit = unit
    }

    /// The budget in a few words: `max 2.00 µs`, `regress 5%`, `exact`.
    public func text(unit: String) -> String {
        switch rule {
        case .max, .min: "\(rule.rawValue) \(GateText.value(limit, unit: unit))"
        case .regress: "regress \(Self.percent(limit))"
        case .exact: "exact"
        }
    }

    private static func percent(_ share: Double) -> String {
        let percent = (share * 1000).rounded() / 10
        return percent == percent.rounded()
            ? "\(NumberText.fixed(percent, decimals: 0))%"
            : "\(NumberText.fixed(percent, decimals: 1))%"
    }

    private static func share(_ text: String, in shown: String) throws(GateBudgetError) -> Double {
        let isPercent = text.hasSuffix("%")
        guard let number = Double(text.dropLast(isPercent ? 1 : 0)), number.isFinite, number >= 0
        else {
            throw GateBudgetError(
                description:
                    "in the budget \(shown), '\(TerminalText.neutralised(text.prefix(30)))' is "
                    + "no share: write 5% or 0.05")
        }
        return isPercent ? number / 100 : number
    }

    private static let units: [(suffix: String, factor: Double, unit: String)] = [
        ("KiB", 1024, "B"), ("MiB", 1_048_576, "B"), ("GiB", 1_073_741_824, "B"), ("ns", 1, "ns"),
        ("us", 1e3, "ns"), ("µs", 1e3, "ns"), ("ms", 1e6, "ns"), ("/s", 1, "1/s"), ("B", 1, "B"),
        ("s", 1e9, "ns"), ("%", 0.01, "1"),
    ]

    private static func quantity(
        _ text: String, in shown: String
    ) throws(GateBudgetError) -> (value: Double, unit: String?) {
        let match = units.first { text.hasSuffix($0.suffix) }
        let digits = text.dropLast(match?.suffix.count ?? 0)
        guard let number = Double(digits.filter { $0 != "," && $0 != "_" }), number.isFinite,
            number >= 0
        else {
            throw GateBudgetError(
                description:
                    "in the budget \(shown), '\(TerminalText.neutralised(text.prefix(30)))' is "
                    + "no limit: write a number with its unit, such as 2us, 64KiB, 5% or 100000")
        }
        return (number * (match?.factor ?? 1), match?.unit)
    }
}
