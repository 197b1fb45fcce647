// A gate as one JSON document, `tracemill.gate/1`, for scripts.

/// Renders a gate as JSON.
public enum GateDocument {
    /// The document, ended by a line feed. A bound that does not exist is null.
    public static func text(of report: GateReport) -> String {
        value(of: report).prettyText()
    }

    static func value(of report: GateReport) -> JSONValue {
        .object([
            "schema": .string("tracemill.gate/1"),
            "scenario": .string(report.scenario),
            "base": .string(report.baseName),
            "head": .string(report.headName),
            "kind": .string(report.kind.rawValue),
            "rounds": .integer(Int64(report.rounds)),
            "looks": .array(report.looks.map { .integer(Int64($0)) }),
            "verdict": .string(report.verdictText),
            "exitCode": .integer(Int64(report.exitCode.rawValue)),
            "rows": .array(report.rows.map(value)),
            "errors": .array(report.errors.map(JSONValue.string)),
            "notes": .array(report.notes.map(JSONValue.string)),
            "invalidRuns": .array(
                report.invalidRuns.map { run in
                    .object([
                        "variant": .string(run.variant), "round": .integer(Int64(run.round)),
                        "reason": .string(run.reason),
                    ])
                }),
            "machine": .object([
                "fit": .bool(report.fitness.isFit),
                "reasons": .array(report.fitness.reasons.map(JSONValue.string)),
                "unsteadyRounds": .integer(Int64(report.fitness.unsteadyRounds)),
                "calibrationSpread": number(report.fitness.spread),
                "stealShare": number(report.fitness.stealShare),
            ]),
        ])
    }

    private static func value(of row: GateRow) -> JSONValue {
        .object([
            "metric": .string(row.budget.metric),
            "unit": .string(row.unit),
            "better": .string(row.better.rawValue),
            "rule": .string(row.budget.rule.rawValue),
            "limit": number(row.budget.limit),
            "confidence": number(row.confidence),
            "base": number(row.base),
            "head": number(row.head),
            "ratio": interval(row.ratio),
            "bootstrapRatio": interval(row.bootstrap),
            "confirmationRatio": interval(row.confirmation),
            "mannWhitneyP": number(row.mannWhitneyP),
            "pairs": .integer(Int64(row.pairs)),
            "paired": .bool(row.isPaired),
            "verdict": .string(row.label),
            "advisory": .bool(row.isAdvisory),
            "reason": .string(row.reason),
        ])
    }

    private static func interval(_ interval: IntervalEstimate?) -> JSONValue {
        guard let interval else { return .null }
        return .object([
            "estimate": number(interval.estimate), "lower": number(interval.lower),
            "upper": number(interval.upper),
        ])
    }

    private static func number(_ value: Double?) -> JSONValue {
        guard let value, value.isFinite else { return .null }
        return .number(value)
    }
}
