// What a result file says of a variant that was compared: its sampler in words and, where a budget was
// given, what was turned to keep it.

/// One variant of a comparison.
public struct VariantFacts: ResultObject {
    /// The `variant` of its runs.
    public var name = ""
    /// Its sampler, and tail stage, in words.
    public var sampler = ""
    /// The variant it was made from, where a sweep made several of one.
    public var family: String?
    /// What it was to keep, in spans a second of simulated time; nil without a budget.
    public var budgetSpansPerS: Double?
    /// The same as a share of all spans.
    public var budgetSpanShare: Double?
    /// Which number of the sampler was turned, such as `traceidratio`; nil where there is none to turn.
    public var argumentName: String?
    /// What it was turned to.
    public var argument: Double?
    /// What it keeps then, in the runs that solved it.
    public var solvedSpanShare: Double?
    /// How far that is from the budget, as a share of it; negative below.
    public var residualShare: Double?
    /// Why it does not keep the budget; nil when it does.
    public var unreachable: String?
    public var unknownFields: [String: JSONValue] = [:]

    public init() {}

    public static let fields: [ResultField<VariantFacts>] = [
        .required("name", \.name),
        .required("sampler", \.sampler),
        .optional("family", \.family),
        .optional("budgetSpansPerS", \.budgetSpansPerS),
        .optional("budgetSpanShare", \.budgetSpanShare),
        .optional("argumentName", \.argumentName),
        .optional("argument", \.argument),
        .optional("solvedSpanShare", \.solvedSpanShare),
        .optional("residualShare", \.residualShare),
        .optional("unreachable", \.unreachable),
    ]
}
