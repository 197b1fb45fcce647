/// The part of the key table for incidents, broken instrumentation and tail sampling.
extension ScenarioSection {
    var disturbanceKeys: [ScenarioKey] {
        switch self {
        case .incident:
            [
                .init("name", .string, .required, "What to call it."),
                .init("at", .duration, .required, "When it begins, from the start of the traffic."),
                .init("for", .duration, .required, "How long it lasts."),
                .init(
                    "set", .map(.anything), .required,
                    "What is different: `service/operation.key`, `service/*.key`, `service.down`."),
            ]
        case .late:
            [
                .init("rate", .probability, .required, "Share of spans."),
                .init(
                    "delay", .durationDistribution, .required,
                    "How much later than they should they are ended."),
            ]
        case .oversize:
            [
                .init("rate", .probability, .required, "Share of traces."),
                .init("spans", .integer(minimum: 1), .required, "Spans more below their root."),
            ]
        default:
            [
                .init("late", .section(.late), default: "none", "Spans that are ended late."),
                .init(
                    "missing_root", .probability, default: "0",
                    "Share of traces whose root is never recorded."),
                .init(
                    "orphan", .probability, default: "0",
                    "Share of spans below a root with a parent that nobody has."),
                .init("duplicate", .probability, default: "0", "Share of spans sent twice."),
                .init(
                    "broken_propagation", .probability, default: "0",
                    "Share of calls and messages between services that lose their headers."),
                .init(
                    "never_ended", .probability, default: "0", "Share of spans that nobody ends."),
                .init(
                    "oversize", .section(.oversize), default: "none",
                    "Traces with far more spans than the others."),
            ]
        }
    }

    var tailKeys: [ScenarioKey] {
        switch self {
        case .tail:
            [
                .init(
                    "decision_wait", .duration, default: "30s",
                    "From a trace's first span to its decision."),
                .init(
                    "num_traces", .integer(minimum: 1), default: "50000",
                    "Traces that wait; the oldest goes undecided when there are more."),
                .init(
                    "kept_cache", .integer(minimum: 0), default: "50000",
                    "Kept traces remembered for late spans."),
                .init(
                    "dropped_cache", .integer(minimum: 0), default: "50000",
                    "Dropped traces remembered for late spans."),
                .init("policies", .list(.section(.tailPolicy)), .required, "What is kept."),
            ]
        case .tailPolicy:
            [
                .init("name", .string, default: "by its form", "What results call it."),
                .init("always", .choice(["true"]), "Keeps every trace."),
                .init(
                    "latency", .either([.duration, .section(.latencyRule)]),
                    "Keeps traces that last at least so long."),
                .init(
                    "status_code", .list(.choice(["unset", "ok", "error"])),
                    "Keeps traces with a span of this status."),
                .init(
                    "string_attribute", .section(.stringRule), "By a text, in a span or resource."),
                .init("numeric_attribute", .section(.numberRule), "By a number."),
                .init("boolean_attribute", .section(.booleanRule), "By true or false."),
                .init("probabilistic", .probability, "Keeps this share of traces, by trace id."),
                .init("rate_limiting", .number, "Keeps traces up to so many spans a second."),
                .init("span_count", .section(.spanCountRule), "By the number of spans."),
                .init("trace_state", .section(.traceStateRule), "By the tracestate."),
                .init("and", .list(.section(.tailPolicy)), "Keeps what all of them keep."),
                .init("not", .section(.tailPolicy), "Keeps what the other does not."),
                .init(
                    "drop", .list(.section(.tailPolicy)),
                    "Drops what all of them keep, whatever others say."),
                .init(
                    "composite", .section(.compositeRule),
                    "Shares a rate among policies; what is over its share falls to the next."),
                .init("share", .probability, "Within `composite`: of its rate."),
            ]
        case .latencyRule:
            [
                .init("lower", .duration, .required, "At least; with `upper`, above."),
                .init("upper", .duration, default: "none", "At most."),
            ]
        case .stringRule:
            [
                .init("key", .string, .required, "Attribute key."),
                .init("values", .list(.string), default: "[]", "Any of these."),
                .init("patterns", .list(.string), default: "[]", "Such as `/api/*`."),
                .init("invert", .boolean, default: "false", "When no span has it."),
            ]
        case .numberRule:
            [
                .init("key", .string, .required, "Attribute key."),
                .init("min", .number, default: "none", "At least."),
                .init("max", .number, default: "none", "At most."),
                .init("invert", .boolean, default: "false", "When no span has it."),
            ]
        case .booleanRule:
            [
                .init("key", .string, .required, "Attribute key."),
                .init("value", .boolean, default: "true", "Which of the two."),
                .init("invert", .boolean, default: "false", "When no span has it."),
            ]
        case .spanCountRule:
            [
                .init("min", .integer(minimum: 0), default: "none", "At least."),
                .init("max", .integer(minimum: 0), default: "none", "At most."),
            ]
        case .traceStateRule:
            [
                .init("key", .string, .required, "Key of a tracestate member."),
                .init("values", .list(.string), .required, "Any of these."),
            ]
        default:
            [
                .init("rate", .number, .required, "Spans a second of all of them."),
                .init(
                    "policies", .list(.section(.tailPolicy)), .required,
                    "In order, each with its `share`."),
            ]
        }
    }
}
