/// Resolves attribute generators into tables, and services into instances with their resources.
extension ScenarioCompiler {
    mutating func compile(
        _ generator: AttributeGenerator, service: Int, key: String
    ) -> CompiledGenerator {
        var result = CompiledGenerator(form: .fixed, scope: generator.scope)
        switch generator.source {
        case .literal(let value): result.value = tables.value(value)
        case .oneOf(let literals, let weights):
            result.form = .table
            let values = literals.map { tables.value($0) }
            (result.values, result.firstAlias) = tables.appendTable(values, weights: weights)
        case .zipf(let cardinality, let exponent, let prefix):
            result.form = .table
            // An instance's is drawn below, once.
            guard generator.scope != .instance else { break }
            if let known = zipfTables[generator.source] {
                (result.values, result.firstAlias) = known
                break
            }
            let values = (1...cardinality).map {
                PlanValue(kind: .attributeText, bits: tables.append("\(prefix)\($0)").bits)
            }
            let table = tables.appendTable(
                values, weights: ZipfWeights(cardinality: cardinality, exponent: exponent).weights)
            zipfTables[generator.source] = table
            (result.values, result.firstAlias) = table
        case .integer(let range):
            result.form = .integer
            result.base = range.lowerBound
            result.width = UInt64(range.upperBound - range.lowerBound) + 1
        case .string(let length):
            result.form = .string
            result.auxiliary = sampler(length)
        case .sequence(let start):
            result.form = .sequence
            result.base = start
            result.auxiliary = sequenceCount
            sequenceCount += 1
        case .unique(let prefix):
            result.form = .unique
            result.value = PlanValue(kind: .attributeText, bits: tables.intern(prefix).bits)
        case .inherit(let key):
            result.form = .inherit
            result.auxiliary = inheritSlots[key] ?? 0
        case .baggage(let key):
            result.form = .baggage
            result.auxiliary = Int(baggageNames.index(of: key))
        }
        switch generator.scope {
        case .span: break
        case .trace:
            result.traceSlot = traceScopedCount
            traceScopedCount += 1
        case .instance where result.form != .inherit && result.form != .baggage:
            let range = instanceRanges[service]
            let values = range.indices.map {
                let own = literal(generator, instance: $0 - Int(range.first), of: service, key)
                return tables.value(own)
            }
            result.values = IndexRange(first: tables.values.count, count: values.count)
            tables.values.append(contentsOf: values)
        case .instance: break
        }
        return result
    }

    mutating func compileInstances(of service: ServiceDeclaration, _ index: Int) {
        instanceRanges.append(IndexRange(first: instances.count, count: service.instances))
        for instance in 0..<service.instances {
            var resource: [CompiledScenario.Attribute] = [
                .init(key: "service.name", value: .string(service.name)),
                .init(key: "service.instance.id", value: .string("\(service.name)-\(instance)")),
            ]
            for attribute in service.resource {
                let value = literal(
                    attribute.generator, instance: instance, of: index, attribute.key)
                if let place = resource.firstIndex(where: { $0.key == attribute.key }) {
                    resource[place].value = value
                } else {
                    resource.append(.init(key: attribute.key, value: value))
                }
            }
            let name: String
            if case .string(let text) = resource[0].value {
                name = text
            } else {
                name = service.name
            }
            var random = RandomStream(
                seed: scenario.seed ^ 0x736B_6577, position: UInt64(index) << 32 | UInt64(instance))
            instances.append(
                .init(
                    service: index, serviceName: name, resource: resource,
                    clockSkewNs: Int64(service.clockSkew.draw(random.uniform()).rounded())))
        }
    }

    /// The value a generator gives an instance for good.
    private mutating func literal(
        _ generator: AttributeGenerator, instance: Int, of service: Int, _ key: String
    ) -> AttributeLiteral {
        let position = key.utf8.reduce(UInt64(service) << 32 | UInt64(instance)) {
            splitMix($0 ^ UInt64($1))
        }
        var random = RandomStream(seed: scenario.seed, position: position)
        switch generator.source {
        case .literal(let value): return value
        case .oneOf(let values, let weights):
            var rest = random.uniform() * weights.reduce(0, +)
            for (value, weight) in zip(values, weights) {
                if rest < weight { return value }
                rest -= weight
            }
            return values[values.count - 1]
        case .zipf(let cardinality, let exponent, let prefix):
            let sums =
                zipfSums[generator.source]
                ?? ZipfWeights(cardinality: cardinality, exponent: exponent).sums
            zipfSums[generator.source] = sums
            // The first rank whose sum is beyond the draw.
            let drawn = random.uniform() * sums[cardinality - 1]
            var (low, high) = (0, cardinality - 1)
            while low < high {
                let middle = (low + high) / 2
                if sums[middle] > drawn { high = middle } else { low = middle + 1 }
            }
            return .string("\(prefix)\(low + 1)")
        case .integer(let range):
            let width = UInt64(range.upperBound - range.lowerBound) + 1
            return .integer(range.lowerBound + Int(random.below(width)))
        case .string(let length):
            let drawn = length.draw(random.uniform()).rounded()
            let count = Int(min(max(0, drawn), Double(ScenarioReader.stringLengthMax)))
            let letters = (0..<count).map { _ in RandomText.character(random.below(62)) }
            return .string(String(decoding: letters, as: UTF8.self))
        case .sequence(let start): return .integer(start + instance)
        case .unique(let prefix):
            let digits = (0..<16).map { _ in RandomText.hexadecimal(random.below(16)) }
            return .string(prefix + String(decoding: digits, as: UTF8.self))
        case .inherit, .baggage: return .string("")
        }
    }
}
