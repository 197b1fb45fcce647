// A comparison for other programs: CSV for spreadsheets, one JSON document for scripts.

/// CSV (RFC 4180), a line for each variant and figure: every figure, not only those that are shown.
public enum ComparisonCSV {
    private static let heading = [
        "scenario", "variant", "family", "budgetSpanShare", "argument", "metric", "unit", "better",
        "median", "min", "max", "lower", "upper", "runs", "ratio", "ratioLower", "ratioUpper",
        "standing",
    ]

    /// The comparison's figures.
    public static func text(of comparison: Comparison) -> String {
        var lines = [heading.joined(separator: ",")]
        let columns = ComparisonDocument.allColumns(of: comparison)
        for variant in comparison.variants {
            for column in columns {
                guard let figure = variant.figures[column.metric] else { continue }
                let fields = [
                    GateCSV.field(comparison.scenario), GateCSV.field(variant.name),
                    GateCSV.field(variant.facts?.family ?? variant.name),
                    number(variant.facts?.budgetSpanShare), number(variant.facts?.argument),
                    GateCSV.field(column.metric), GateCSV.field(column.unit),
                    column.better.rawValue, number(figure.median), number(figure.smallest),
                    number(figure.largest), number(figure.interval?.lower),
                    number(figure.interval?.upper), String(figure.runs),
                    number(figure.ratio?.estimate),
                    number(figure.ratio.flatMap { $0.lower > 0 ? $0.lower : nil }),
                    number(figure.ratio?.upper), variant.standing.rawValue,
                ]
                lines.append(fields.joined(separator: ","))
            }
        }
        return lines.map { $0 + "\r\n" }.joined()
    }

    private static func number(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "" }
        return value.description
    }
}

/// One JSON document, `tracemill.compare/1`.
public enum ComparisonDocument {
    /// The document, ended by a line feed. What does not exist is null.
    public static func text(of comparison: Comparison) -> String {
        value(of: comparison).prettyText()
    }

    static func value(of comparison: Comparison) -> JSONValue {
        .object([
            "schema": .string("tracemill.compare/1"),
            "scenario": .string(comparison.scenario),
            "seed": .string(String(comparison.seed)),
            "rounds": .integer(Int64(comparison.rounds)),
            "sortedBy": .string(comparison.sortedBy),
            "costAxis": .string(comparison.axes.cost),
            "gainAxis": .string(comparison.axes.gain),
            "reference": comparison.reference.map(JSONValue.string) ?? .null,
            "columns": .array(comparison.columns.map { .string($0.metric) }),
            "variants": .array(comparison.variants.map { value(of: $0, in: comparison) }),
            "servicePairs": .array(comparison.servicePairs.map(value)),
            "invalidRuns": .array(
                comparison.invalidRuns.map { run in
                    .object([
                        "variant": .string(run.variant), "round": .integer(Int64(run.round)),
                        "reason": .string(run.reason),
                    ])
                }),
            "advice": .string(ComparisonAdvice.text(of: comparison)),
            "notes": .array(comparison.notes.map(JSONValue.string)),
            "exitCode": .integer(Int64(comparison.exitCode.rawValue)),
        ])
    }

    /// Every figure that some variant has: those shown first, then the rest by name.
    static func allColumns(of comparison: Comparison) -> [ComparedColumn] {
        let shown = Set(comparison.columns.map(\.metric))
        let names = Set(comparison.variants.flatMap(\.figures.keys)).subtracting(shown).sorted()
        return comparison.columns
            + names.map { name in
                comparison.hiddenColumns[name]
                    ?? ComparedColumn(metric: name, unit: "", better: .neither)
            }
    }

    private static func value(
        of variant: ComparedVariant, in comparison: Comparison
    ) -> JSONValue {
        var figures: [String: JSONValue] = [:]
        for column in allColumns(of: comparison) {
            guard let figure = variant.figures[column.metric] else { continue }
            figures[column.metric] = .object([
                "median": number(figure.median), "min": number(figure.smallest),
                "max": number(figure.largest), "interval": interval(figure.interval),
                "ratio": interval(figure.ratio), "runs": .integer(Int64(figure.runs)),
                "unit": .string(column.unit), "better": .string(column.better.rawValue),
            ])
        }
        let facts = variant.facts
        return .object([
            "name": .string(variant.name),
            "sampler": facts.map { .string($0.sampler) } ?? .null,
            "family": facts?.family.map(JSONValue.string) ?? .null,
            "runs": .integer(Int64(variant.runs)),
            "standing": .string(variant.standing.rawValue),
            "dominatedBy": .array(variant.dominators.map(JSONValue.string)),
            "budgetSpansPerS": number(facts?.budgetSpansPerS),
            "budgetSpanShare": number(facts?.budgetSpanShare),
            "argumentName": facts?.argumentName.map(JSONValue.string) ?? .null,
            "argument": number(facts?.argument),
            "solvedSpanShare": number(facts?.solvedSpanShare),
            "residualShare": number(facts?.residualShare),
            "unreachable": facts?.unreachable.map(JSONValue.string) ?? .null,
            "metrics": .object(figures),
        ])
    }

    private static func value(of pairs: ServicePairTable) -> JSONValue {
        .object([
            "variant": .string(pairs.variant),
            "services": .array(pairs.services.map(JSONValue.string)),
            "shares": .array(pairs.shares.map { .array($0.map(number)) }),
        ])
    }

    private static func interval(_ interval: IntervalEstimate?) -> JSONValue {
        guard let interval else { return .null }
        // A ratio without a bound has 0 and infinity.
        return .object([
            "estimate": number(interval.estimate),
            "lower": interval.upper.isFinite ? number(interval.lower) : .null,
            "upper": number(interval.upper),
        ])
    }

    private static func number(_ value: Double?) -> JSONValue {
        guard let value, value.isFinite else { return .null }
        return .number(value)
    }
}
