/// Resolves a checked scenario into tables. One thread, once a scenario.
struct ScenarioCompiler {
    let scenario: Scenario
    var shapes: [CompiledScenario.SpanShape] = []
    var eventShapes: [CompiledScenario.EventShape] = []
    var instances: [CompiledScenario.Instance] = []
    var keys = Interner()
    var messages = Interner()
    var baggageNames = Interner()
    var tables = GeneratorTables()
    /// Tables of `zipf`, and the sums of its weights, by how it was written: each is laid out once.
    var zipfTables: [AttributeGenerator.Source: (values: IndexRange, firstAlias: Int32)] = [:]
    var zipfSums: [AttributeGenerator.Source: [Double]] = [:]

    var operations: [CompiledOperation] = []
    var steps: [CompiledStep] = []
    private var branches: [CompiledBranch] = []
    private var attributes: [CompiledAttribute] = []
    private var baggage: [CompiledBaggage] = []
    private var inheritedLiterals: [InheritedLiteral] = []
    private var events: [CompiledEvent] = []
    private var generators: [CompiledGenerator] = []
    private var samplers: [CompiledSampler] = []
    private var distributions: [Distribution] = []
    private var quantiles: [Double] = []
    private var breakers: [CompiledBreaker] = []
    private var links: [CompiledLink] = []
    /// By position of the call: an operation during an incident has the same breakers and queues.
    private var breakerNumbers: [SourcePosition: Int] = [:]
    private var batchNumbers: [SourcePosition: Int] = [:]
    var stretches: [CompiledStretch] = []
    var pathology = CompiledPathology()
    var instanceRanges: [IndexRange] = []
    var sequenceCount = 0
    var traceScopedCount = 0

    /// `service/operation` to the operation's number and its declaration.
    var places: [String: (index: Int, service: Int, operation: OperationDeclaration)] = [:]
    /// Attribute keys that some operation inherits, and their slots.
    var inheritSlots: [String: Int] = [:]

    init(_ scenario: Scenario) {
        self.scenario = scenario
    }

    mutating func compile() {
        var index = 0
        for (serviceIndex, service) in scenario.services.enumerated() {
            for operation in service.operations {
                places["\(service.name)/\(operation.name)"] = (index, serviceIndex, operation)
                index += 1
                findInherited(operation)
            }
        }
        for patch in scenario.incidents.flatMap(\.patches) { findInherited(patch.declaration) }
        for (serviceIndex, service) in scenario.services.enumerated() {
            compileInstances(of: service, serviceIndex)
        }
        for (serviceIndex, service) in scenario.services.enumerated() {
            for operation in service.operations {
                operations.append(compile(operation, of: service, serviceIndex))
            }
        }
        compilePathology()
        compileStretches()
    }

    private mutating func findInherited(_ operation: OperationDeclaration) {
        let attributes = operation.attributes + operation.events.flatMap(\.attributes)
        for case .inherit(let key) in attributes.map(\.generator.source)
        where inheritSlots[key] == nil {
            inheritSlots[key] = inheritSlots.count
        }
    }

    mutating func model() -> SimulationModel {
        let errorTypeKey = keys.index(of: "error.type")
        let resendCountKey = keys.index(of: "http.request.resend_count")
        let timeoutType = tables.intern("timeout")
        let thinkSamplers = scenario.traffic.map { sampler($0.think) }
        return SimulationModel(
            text: tables.text, operations: operations, steps: steps, branches: branches,
            attributes: attributes, baggage: baggage,
            inheritedLiterals: inheritedLiterals, events: events, generators: generators,
            values: tables.values, aliases: tables.aliases, samplers: samplers,
            distributions: distributions, quantiles: quantiles, breakers: breakers,
            links: links, batchCount: batchNumbers.count, pathology: pathology,
            thinkSamplers: thinkSamplers, stretches: stretches, instanceRanges: instanceRanges,
            errorTypeKey: errorTypeKey, timeoutType: timeoutType, resendCountKey: resendCountKey,
            inheritSlotCount: inheritSlots.count, traceScopedCount: traceScopedCount,
            sequenceCount: sequenceCount,
            roots: scenario.traffic.map { places[$0.root.text]?.index ?? 0 })
    }

    // MARK: Operations

    mutating func compile(
        _ operation: OperationDeclaration, of service: ServiceDeclaration, _ serviceIndex: Int
    ) -> CompiledOperation {
        let conventions = SemanticConventions(operation: operation, service: service)
        let own = Dictionary(
            operation.attributes.map { ($0.key, $0.generator) }, uniquingKeysWith: { $1 })
        // The author's own value takes the place of a convention's.
        var fixed = conventions.attributes.filter { own[$0.key] == nil }
        var drawn: [CompiledAttribute] = []
        var literals: [InheritedLiteral] = []
        if let paths = conventions.examplePaths, own["url.path"] == nil {
            let values = paths.map { tables.value(.string($0)) }
            let table = tables.appendTable(
                values, weights: [Double](repeating: 1, count: values.count))
            var generator = CompiledGenerator(form: .table, scope: .span)
            (generator.values, generator.firstAlias) = table
            drawn.append(attribute("url.path", generator))
        }
        for declaration in operation.attributes {
            if case .literal(let value) = declaration.generator.source {
                fixed.append(.init(key: declaration.key, value: value))
            } else {
                let generator = compile(
                    declaration.generator, service: serviceIndex, key: declaration.key)
                drawn.append(attribute(declaration.key, generator))
            }
        }
        for attribute in fixed {
            guard let slot = inheritSlots[attribute.key] else { continue }
            literals.append(
                InheritedLiteral(slot: Int32(slot), value: tables.value(attribute.value)))
        }
        let attributeRange = append(drawn, to: \.attributes)
        let baggage = operation.baggage.map { entry in
            generators.append(compile(entry.generator, service: serviceIndex, key: entry.key))
            return CompiledBaggage(
                name: baggageNames.index(of: entry.key), generator: Int32(generators.count - 1))
        }
        let baggageRange = append(baggage, to: \.baggage)
        let literalRange = append(literals, to: \.inheritedLiterals)
        let eventRange = append(
            operation.events.map { compile($0, service: serviceIndex) }, to: \.events)
        let linkRange = append(
            operation.links.map { CompiledLink(isRandom: $0.to == .random, count: $0.count) },
            to: \.links)
        let error = operation.error ?? ErrorDeclaration()
        let failedCode = error.httpStatus ?? 500
        let isGRPC = operation.category == .grpc
        let statusCodeKey = conventions.statusCodeKey
        return CompiledOperation(
            service: serviceIndex, category: operation.category,
            localShape: shape(conventions.name, conventions.localKind, fixed),
            remoteShape: shape(conventions.name, conventions.remoteKind, fixed),
            ownWork: sampler(operation.ownWork), attributes: attributeRange,
            baggage: baggageRange, inheritedLiterals: literalRange, events: eventRange,
            script: compile(operation.script, of: service, serviceIndex), errorRate: error.rate,
            propagate: error.propagate, shortCircuits: error.shortCircuits,
            recordsException: error.recordsException,
            message: messages.index(of: error.statusMessage),
            statusCodeKey: keys.index(of: statusCodeKey ?? "error.type"),
            okCode: isGRPC ? 0 : 200, failedCode: isGRPC ? 2 : failedCode,
            hasStatusCode: statusCodeKey != nil && own[statusCodeKey ?? ""] == nil,
            hasErrorType: own["error.type"] == nil,
            errorType: tables.intern(
                operation.category == .http ? "\(failedCode)" : isGRPC ? "2" : "_OTHER"),
            links: linkRange)
    }

    private mutating func attribute(
        _ key: String, _ generator: CompiledGenerator
    ) -> CompiledAttribute {
        generators.append(generator)
        return CompiledAttribute(
            key: keys.index(of: key), generator: Int32(generators.count - 1),
            slot: Int32(inheritSlots[key] ?? -1))
    }

    private mutating func compile(_ event: EventDeclaration, service: Int) -> CompiledEvent {
        var fixed: [CompiledScenario.Attribute] = []
        var drawn: [CompiledAttribute] = []
        for declaration in event.attributes {
            if case .literal(let value) = declaration.generator.source {
                fixed.append(.init(key: declaration.key, value: value))
            } else {
                let generator = compile(
                    declaration.generator, service: service, key: declaration.key)
                drawn.append(attribute(declaration.key, generator))
            }
        }
        return CompiledEvent(
            shape: eventShape(event.name, fixed), attributes: append(drawn, to: \.attributes),
            probability: event.probability, at: event.at)
    }

    // MARK: Steps

    private mutating func compile(
        _ script: [StepDeclaration], of service: ServiceDeclaration, _ serviceIndex: Int
    ) -> IndexRange {
        // Inner lists first, so that this one is contiguous.
        let compiled = script.map { compile($0, of: service, serviceIndex) }
        return append(compiled, to: \.steps)
    }

    private mutating func compile(
        _ step: StepDeclaration, of service: ServiceDeclaration, _ serviceIndex: Int
    ) -> CompiledStep {
        switch step.action {
        case .work(let distribution):
            var result = CompiledStep(action: .work)
            result.sampler = sampler(distribution)
            return result
        case .parallel(let steps, let limit):
            let parts = steps.map {
                CompiledBranch(weight: 1, steps: compile([$0], of: service, serviceIndex))
            }
            var result = CompiledStep(action: .parallel)
            result.branches = append(parts, to: \.branches)
            result.limit = limit ?? .max
            return result
        case .choose(let choices):
            let parts = choices.map {
                CompiledBranch(
                    weight: $0.weight, steps: compile($0.script, of: service, serviceIndex))
            }
            var result = CompiledStep(action: .choose)
            result.branches = append(parts, to: \.branches)
            result.totalWeight = choices.reduce(0) { $0 + $1.weight }
            return result
        case .call(let call): return compile(call, serviceIndex)
        case .publish(let publish): return compile(publish)
        }
    }

    private mutating func compile(_ call: CallDeclaration, _ caller: Int) -> CompiledStep {
        guard let place = places[call.to.text] else {
            preconditionFailure("checked: \(call.to.text) exists")
        }
        var step = CompiledStep(action: .call)
        step.target = place.index
        step.isLocal =
            place.operation.category == .database
            || (place.service == caller && place.operation.category == .internal)
        step.hasClientSpan = call.hasClientSpan
        step.probability = call.probability
        if call.repeats != .constant(1) { step.repeats = sampler(call.repeats) }
        step.mostRepeats = call.mostRepeats
        step.sampler = sampler(call.network)
        step.timeoutNs = call.timeoutNs.map { UInt64($0) } ?? .max
        step.retries = call.retries
        step.backoffNs = UInt64(call.backoffNs)
        step.failureMessage = messages.index(of: "\(call.to.text) failed")
        step.timeoutMessage = messages.index(of: "\(call.to.text) timed out")
        if !step.isLocal, step.hasClientSpan {
            let conventions = SemanticConventions(
                operation: place.operation, service: scenario.services[place.service])
            step.shape = shape(conventions.clientName, 3, conventions.clientAttributes)
        }
        if let breaker = call.circuitBreaker {
            let compiled = compile(breaker, target: call.to.text)
            if let known = breakerNumbers[call.to.position], breakers[known].hasRule(of: compiled) {
                step.breaker = known
            } else {
                step.breaker = breakers.count
                breakerNumbers[call.to.position] = breakers.count
                breakers.append(compiled)
            }
        }
        return step
    }

    private mutating func compile(
        _ breaker: CircuitBreakerDeclaration, target: String
    ) -> CompiledBreaker {
        func shape(_ state: String) -> UInt32 {
            eventShape(
                "circuit_breaker.\(state)",
                [.init(key: "circuit_breaker.target", value: .string(target))])
        }
        return CompiledBreaker(
            failures: breaker.failures, windowNs: UInt64(breaker.windowNs),
            openForNs: UInt64(breaker.openForNs), halfOpenCalls: breaker.halfOpenCalls,
            rejected: shape("rejected"), opened: shape("opened"), halfOpened: shape("half_opened"),
            closed: shape("closed"),
            rejectedMessage: messages.index(of: "circuit breaker open: \(target)"))
    }

    private mutating func compile(_ publish: PublishDeclaration) -> CompiledStep {
        guard let place = places[publish.to.text] else {
            preconditionFailure("checked: \(publish.to.text) exists")
        }
        let conventions = SemanticConventions(
            operation: place.operation, service: scenario.services[place.service])
        var step = CompiledStep(action: .publish)
        step.target = place.index
        step.sampler = sampler(publish.delay)
        step.isLinked = publish.relation == .link
        step.loss = publish.loss
        if publish.batch > 1 {
            step.batchSize = publish.batch
            step.batch = batchNumbers[publish.to.position] ?? batchNumbers.count
            batchNumbers[publish.to.position] = step.batch
        }
        step.shape = shape(conventions.clientName, 4, conventions.clientAttributes)
        return step
    }

    // MARK: Tables

    private mutating func shape(
        _ name: String, _ kind: UInt8, _ attributes: [CompiledScenario.Attribute]
    ) -> UInt16 {
        shapes.append(.init(name: name, kind: kind, attributes: attributes))
        return UInt16(shapes.count - 1)
    }

    private mutating func eventShape(
        _ name: String, _ attributes: [CompiledScenario.Attribute]
    ) -> UInt32 {
        eventShapes.append(.init(name: name, attributes: attributes))
        return UInt32(eventShapes.count - 1)
    }

    mutating func sampler(_ distribution: Distribution) -> Int {
        samplers.append(
            CompiledSampler(distribution, general: &distributions, quantiles: &quantiles))
        return samplers.count - 1
    }

    private mutating func append<Element>(
        _ elements: [Element], to table: WritableKeyPath<Self, [Element]>
    ) -> IndexRange {
        let first = self[keyPath: table].count
        self[keyPath: table].append(contentsOf: elements)
        return IndexRange(first: first, count: elements.count)
    }
}

/// Strings by number, each once, in order of first use.
struct Interner {
    private(set) var elements: [String] = []
    private var indices: [String: UInt32] = [:]

    mutating func index(of string: String) -> UInt32 {
        if let index = indices[string] { return index }
        let index = UInt32(elements.count)
        elements.append(string)
        indices[string] = index
        return index
    }
}
