/// What is laid out before a run begins: the values a `zipf` chooses from, and what every instance has for
/// good. A short file can ask for more of it than any machine has. One thread.
extension ScenarioChecks {
    /// Most that it may take, bytes; two or three seconds of laying out.
    static let laidOutBytesMax = 512 << 20

    /// Refuses the value that goes beyond it, and none behind that.
    func checkLaidOut() {
        var sum = LaidOutSum()
        for service in scenario.services {
            for attribute in service.resource {
                sum.add(attribute, instances: service.instances, isOfInstance: true)
            }
        }
        for (service, operation) in operationsEver {
            let events = operation.events.flatMap(\.attributes)
            for attribute in operation.attributes + operation.baggage + events {
                sum.add(
                    attribute, instances: service.instances,
                    isOfInstance: attribute.generator.scope == .instance)
            }
        }
        guard let attribute = sum.first else { return }
        reader.report(
            .tooLarge, at: attribute.position,
            "with `\(attribute.key)` the values laid out before the run take more than "
                + "\(Self.laidOutBytesMax >> 20) MiB: those of `zipf`, and those that every "
                + "instance has; lower `cardinality`, `instances` or `length`, shorten `prefix`, "
                + "or write `unique`")
    }
}

/// Bytes that values laid out ahead take, about.
private struct LaidOutSum {
    private var bytes = 0
    private var tables: Set<AttributeGenerator.Source> = []
    /// The attribute whose values were too much.
    private(set) var first: AttributeDeclaration?

    mutating func add(_ attribute: AttributeDeclaration, instances: Int, isOfInstance: Bool) {
        guard first == nil else { return }
        let source = attribute.generator.source
        // A table stands once, wherever it is chosen from: value, cell and weight, and the text.
        if case .zipf(let cardinality, _, _) = source, tables.insert(source).inserted {
            bytes += cardinality * (32 + ScenarioReader.longestText(of: source))
        }
        if isOfInstance {
            // As many as there may be: of more the scenario is refused for.
            let count = min(instances, ScenarioChecks.instancesMax)
            bytes += count * (64 + Self.textBytes(of: source))
        }
        if bytes > ScenarioChecks.laidOutBytesMax { first = attribute }
    }

    /// Of the text that a value brings along, at most; written ones are shared.
    private static func textBytes(of source: AttributeGenerator.Source) -> Int {
        switch source {
        case .zipf, .unique, .string: ScenarioReader.longestText(of: source)
        case .literal, .oneOf, .integer, .sequence, .inherit, .baggage: 0
        }
    }
}
