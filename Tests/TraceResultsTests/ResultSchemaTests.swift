import FoundationEssentials
import Testing

@testable import TraceResults

/// The committed JSON Schema against the tables that the files are written from.
@Suite("Result schema")
struct ResultSchemaTests {
    static let schema: JSONValue? = {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        guard let text = FileBytes.text("/\(root)/docs/result.schema.json") else { return nil }
        return try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    }()

    @Test("it names every field of every object, and which of them must be there")
    func fields() throws {
        let schema = try #require(Self.schema)
        try check(RunResult.self, schema)
        let definitions = try #require(schema["$defs"])
        try check(ToolFacts.self, definitions["tool"])
        try check(ScenarioFacts.self, definitions["scenario"])
        try check(EnvironmentFacts.self, definitions["environment"])
        try check(HardFacts.self, definitions["hardFacts"])
        try check(SoftFacts.self, definitions["softFacts"])
        try check(DesignFacts.self, definitions["design"])
        try check(ArmFacts.self, definitions["arm"])
        try check(VariantFacts.self, definitions["variant"])
        try check(GateBudget.self, definitions["budget"])
        try check(RunRecord.self, definitions["run"])
        try check(LoadFacts.self, definitions["load"])
        try check(HostConditions.self, definitions["host"])
        try check(MemoryFacts.self, definitions["memory"])
        try check(ConservationLedger.self, definitions["ledger"])
        try check(IssuedCounts.self, definitions["issued"])
        try check(TracerCounts.self, definitions["tracer"])
        try check(DeliveryCounts.self, definitions["delivery"])
        try check(FateCount.self, definitions["fate"])
        try check(BatchReconciliation.self, definitions["batches"])
        try check(LawViolation.self, definitions["violation"])
        try check(Metric.self, definitions["metric"])
        try check(HistogramRecord.self, definitions["histogram"])
        try check(RunSeries.self, definitions["series"])
        try check(TraceQualityFigures.self, definitions["traceQuality"])
        try check(ServiceGraph.self, definitions["graph"])
        try check(ServiceGraph.Node.self, definitions["graphNode"])
        try check(ServiceGraph.Edge.self, definitions["graphEdge"])
        try check(FidelityFigures.self, definitions["fidelity"])
        try check(FidelityTruth.self, definitions["fidelityTruth"])
        try check(FidelityKept.self, definitions["fidelityKept"])
        try check(OperationEstimates.self, definitions["operationEstimates"])
        try check(Estimate.self, definitions["estimate"])
        try check(FidelityWindows.self, definitions["fidelityWindows"])
        try check(PatternFigures.self, definitions["patternFigures"])
        try check(ExampleTraces.self, definitions["exampleTraces"])
        try check(ExampleTrace.self, definitions["exampleTrace"])
        try check(ExampleSpan.self, definitions["exampleSpan"])
    }

    @Test("it names every field of the sink's ledger")
    func sinkLedger() throws {
        let definition = try #require(Self.schema?["$defs"]?["sink"])
        let properties = try #require(definition["properties"]?.keys)
        let data = try JSONEncoder().encode(SinkLedger(mode: .count))
        let written = try #require(try JSONDecoder().decode(JSONValue.self, from: data).keys)
        // A ledger without the figures of verify mode has what must be there and no more.
        #expect(written == definition.required)
        #expect(properties.isSuperset(of: written))
        let stored = Set(
            Mirror(reflecting: SinkLedger(mode: .verify)).children.compactMap(\.label)
                .map { $0.hasPrefix("_") ? String($0.dropFirst()) : $0 })
        #expect(properties == stored)
    }

    @Test("it knows every value of every enumeration")
    func enumerations() throws {
        let definitions = try #require(Self.schema?["$defs"])
        func values(_ definition: String, _ property: String) -> [JSONValue]? {
            let field = definitions[definition]?["properties"]?[property]
            guard case .array(let values) = field?["enum"] ?? field?["items"]?["enum"] else {
                return nil
            }
            return values
        }
        func names<Value: CaseIterable & RawRepresentable<String>>(_: Value.Type) -> [JSONValue] {
            Value.allCases.map { .string($0.rawValue) }
        }
        #expect(values("design", "kind") == names(DesignFacts.Kind.self))
        #expect(values("arm", "role") == names(ArmFacts.Role.self))
        #expect(values("budget", "rule") == names(GateBudget.Rule.self))
        #expect(values("metric", "better") == names(Metric.Direction.self))
        #expect(values("metric", "kind") == names(Metric.Kind.self))
        #expect(values("violation", "law") == names(Law.self))
        #expect(values("ledger", "checked") == names(Law.self))
        #expect(values("sink", "mode") == names(SinkLedger.Mode.self))
        #expect(values("graphNode", "kind") == names(ServiceGraph.Node.Kind.self))
        #expect(values("exampleSpan", "kind") == names(ExampleSpan.Kind.self))
    }

    private func check<Object: ResultObject>(
        _ type: Object.Type, _ definition: JSONValue?,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let definition = try #require(definition, sourceLocation: sourceLocation)
        let names = Set(type.fields.map(\.name))
        #expect(definition["properties"]?.keys == names, sourceLocation: sourceLocation)
        let required = Set(type.fields.filter { !$0.isOptional }.map(\.name))
        #expect(definition.required == required, sourceLocation: sourceLocation)
    }
}

extension JSONValue {
    fileprivate subscript(name: String) -> JSONValue? {
        guard case .object(let fields) = self else { return nil }
        return fields[name]
    }

    fileprivate var keys: Set<String>? {
        guard case .object(let fields) = self else { return nil }
        return Set(fields.keys)
    }

    /// The names under `required`.
    fileprivate var required: Set<String> {
        guard case .array(let names) = self["required"] else { return [] }
        return Set(
            names.compactMap { name in
                guard case .string(let text) = name else { return nil }
                return text
            })
    }
}
