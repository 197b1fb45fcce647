/// Checks of meaning for what goes through the pipeline with a trace, and for who decides on it. One
/// thread.
extension ScenarioChecks {
    /// Names that are set and read, and places where baggage means nothing.
    func checkBaggage() {
        var names: [String] = []
        for (_, operation) in operationsEver {
            for entry in operation.baggage where !names.contains(entry.key) {
                names.append(entry.key)
                if names.count == ScenarioReader.baggageNamesMax + 1 {
                    reader.report(
                        .tooLarge, at: entry.position,
                        "a scenario has at most \(ScenarioReader.baggageNamesMax) names of "
                            + "baggage; remove `\(entry.key)`")
                }
            }
            if operation.category == .database, let entry = operation.baggage.first {
                reader.report(
                    .badCombination, at: entry.position,
                    "a database passes nothing on; set `\(entry.key)` on an operation that "
                        + "calls others")
            }
        }
        for service in scenario.services {
            for attribute in service.resource {
                if case .baggage = attribute.generator.source {
                    reader.report(
                        .badGenerator, at: attribute.position,
                        "a resource belongs to no trace; write another value")
                }
            }
        }
        for (_, operation) in operationsEver {
            for attribute in operation.attributes { check(attribute, names) }
            for attribute in operation.events.flatMap(\.attributes) { check(attribute, names) }
        }
    }

    private func check(_ attribute: AttributeDeclaration, _ names: [String]) {
        guard case .baggage(let name) = attribute.generator.source, !names.contains(name) else {
            return
        }
        let hint =
            reader.nearest(to: name, among: names).map { "did you mean `\($0)`?" }
            ?? "add it to the `baggage` of a calling operation"
        reader.report(
            .badGenerator, at: attribute.position,
            "no operation sets the baggage `\(name)`, so none can arrive; \(hint)")
    }

    // MARK: Samplers

    /// Simulated time has an order that samplers with a memory must be asked in, and only one worker
    /// keeps it.
    func checkSamplers() {
        guard scenario.clock == .simulated, (scenario.run.workers ?? 1) > 1,
            let sampler = scenario.statefulSampler
        else { return }
        reader.report(
            .badCombination, at: sampler.position,
            "this sampler decides by what came before, in simulated time, which only one worker "
                + "keeps in order; write `workers: 1`")
    }
}
