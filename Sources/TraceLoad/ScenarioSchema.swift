import TraceResults

/// The scenario format for editors and readers, both from the parser's own key table: a JSON Schema
/// (draft 2020-12) and the rows of the reference page.
public enum ScenarioSchema {
    /// The text of `scenarios/schema.json`.
    public static func jsonText() -> String {
        var definitions: [String: JSONValue] = [:]
        for section in ScenarioSection.allCases {
            definitions[section.rawValue] = object(section)
        }
        definitions["duration"] = duration("A number with ns, us, ms, s, m or h.", sign: "")
        definitions["signed_duration"] = duration(
            "A duration that may begin with a minus sign.", sign: "-?")
        definitions["probability"] = .object([
            "anyOf": .array([
                .object([
                    "maximum": .integer(1), "minimum": .integer(0), "type": .string("number"),
                ]),
                .object(["pattern": .string("^[0-9.]+%$"), "type": .string("string")]),
            ])
        ])
        definitions["literal"] = .object([
            "type": .array([.string("string"), .string("number"), .string("boolean")])
        ])
        let schema: JSONValue = .object([
            "$defs": .object(definitions),
            "$ref": .string("#/$defs/scenario"),
            "$schema": .string("https://json-schema.org/draft/2020-12/schema"),
            "title": .string("tracemill scenario"),
        ])
        return schema.prettyText()
    }

    /// `0` needs no unit, as a text or as a number.
    private static func duration(_ description: String, sign: String) -> JSONValue {
        any([
            .object([
                "description": .string(description),
                "pattern": .string("^(\(sign)[0-9.]+(e[-+]?[0-9]+)?(ns|us|µs|μs|ms|s|m|h)|0)$"),
                "type": .string("string"),
            ]), .object(["const": .integer(0)]),
        ])
    }

    private static func object(_ section: ScenarioSection) -> JSONValue {
        var properties: [String: JSONValue] = [:]
        var required: [JSONValue] = []
        for key in section.keys where key.support != .notYet {
            var entry: [String: JSONValue] = ["description": .string(key.summary)]
            if case .object(let type) = schema(of: key.type) {
                entry.merge(type) { own, _ in own }
            }
            properties[key.name] = .object(entry)
            if key.support == .required { required.append(.string(key.name)) }
        }
        return .object([
            "additionalProperties": .bool(false), "properties": .object(properties),
            "required": .array(required), "type": .string("object"),
        ])
    }

    private static func reference(_ name: String) -> JSONValue {
        .object(["$ref": .string("#/$defs/\(name)")])
    }

    private static func any(_ alternatives: [JSONValue]) -> JSONValue {
        .object(["anyOf": .array(alternatives)])
    }

    private static func schema(of type: ScenarioKeyType) -> JSONValue {
        switch type {
        case .string: return .object(["type": .array([.string("string"), .string("number")])])
        case .integer(let minimum):
            return .object(["minimum": .integer(Int64(minimum)), "type": .string("integer")])
        case .number: return .object(["type": .string("number")])
        case .boolean: return .object(["type": .string("boolean")])
        case .duration: return reference("duration")
        case .size:
            return any([
                .object(["minimum": .integer(1), "type": .string("integer")]),
                .object([
                    "pattern": .string("^[0-9.]+(KiB|MiB|GiB)$"), "type": .string("string"),
                ]),
            ])
        case .literal: return reference("literal")
        case .probability: return reference("probability")
        case .rate:
            return any([
                .object(["minimum": .integer(0), "type": .string("number")]),
                .object(["const": .string("max")]),
            ])
        case .choice(let names): return .object(["enum": .array(names.map { .string($0) })])
        case .section(let section): return reference(section.rawValue)
        case .list(let element):
            return .object(["items": schema(of: element), "type": .string("array")])
        case .map(let value):
            return .object(["additionalProperties": schema(of: value), "type": .string("object")])
        case .durationDistribution: return any([reference("duration"), reference("distribution")])
        case .signedDurationDistribution:
            return any([reference("signed_duration"), reference("distribution")])
        case .amount:
            return any([
                .object(["type": .string("number")]), reference("duration"),
                .object([
                    "pattern": .string("^[0-9.]+(KiB|MiB|GiB|%)$"), "type": .string("string"),
                ]),
            ])
        case .numberDistribution:
            return any([.object(["type": .string("number")]), reference("distribution")])
        case .value: return any([reference("literal"), reference("generator")])
        case .percentiles:
            return .object([
                "additionalProperties": .bool(false),
                "patternProperties": .object([
                    "^p[0-9.]+$": any([.object(["type": .string("number")]), reference("duration")])
                ]), "required": .array([.string("p0"), .string("p100")]), "type": .string("object"),
            ])
        case .anything: return .object([:])
        case .either(let types): return any(types.map { schema(of: $0) })
        }
    }

    /// The reference tables in Markdown, one a section.
    public static func markdownTables() -> String {
        ScenarioSection.allCases.map { section in
            let rows = section.keys.filter { $0.support != .notYet }.map { key in
                let standard = key.support == .required ? "required" : key.defaultText ?? ""
                return "| `\(key.name)` | \(text(of: key.type)) | \(standard) | \(key.summary) |"
            }
            return
                ([
                    "### `\(section.rawValue)`", "", "| key | type | default | meaning |",
                    "|---|---|---|---|",
                ]
                + rows).joined(separator: "\n")
        }.joined(separator: "\n\n") + "\n"
    }

    private static func text(of type: ScenarioKeyType) -> String {
        switch type {
        case .string: "text"
        case .integer(let minimum): "whole number ≥ \(minimum)"
        case .number: "number"
        case .boolean: "true, false"
        case .duration: "duration"
        case .size: "size"
        case .literal: "literal"
        case .probability: "probability"
        case .rate: "traces per second, `max`"
        case .choice(let names): names.map { "`\($0)`" }.joined(separator: ", ")
        case .section(let section): "`\(section.rawValue)`"
        case .list(let element): "list of \(text(of: element))"
        case .map(let value): "map of \(text(of: value))"
        case .durationDistribution: "duration or `distribution`"
        case .signedDurationDistribution: "signed duration or `distribution`"
        case .amount: "number, duration or size"
        case .numberDistribution: "number or `distribution`"
        case .value: "literal or `generator`"
        case .percentiles: "map from `p0` … `p100`"
        case .anything: "any"
        case .either(let types): types.map { text(of: $0) }.joined(separator: " or ")
        }
    }
}
