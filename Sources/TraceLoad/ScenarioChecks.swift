/// Checks of meaning, after every value has been read: names that lead nowhere, cycles of calls,
/// traces without end, combinations that contradict themselves. One thread.
struct ScenarioChecks {
    let scenario: Scenario
    let reader: ScenarioReader
    /// `service/operation` to its place.
    private let operations: [String: (service: Int, operation: Int)]
    private let names: [String]

    /// Deepest chain of calls.
    static let callDepthMax = 100
    /// Most spans a trace may have; plans number them in 16 bits.
    static let spansPerTraceMax = 10_000
    static let instancesMax = 60_000
    static let spanShapesMax = 60_000

    init(scenario: Scenario, reader: ScenarioReader) {
        self.scenario = scenario
        self.reader = reader
        var operations: [String: (service: Int, operation: Int)] = [:]
        var names: [String] = []
        for (serviceIndex, service) in scenario.services.enumerated() {
            for (index, operation) in service.operations.enumerated() {
                let name = "\(service.name)/\(operation.name)"
                operations[name] = (serviceIndex, index)
                names.append(name)
            }
        }
        self.operations = operations
        self.names = names
    }

    func run() {
        let keys = Set(operationsEver.flatMap { $0.operation.attributes.map(\.key) })
        let sortedKeys = keys.sorted()
        for service in scenario.services {
            for attribute in service.resource {
                if case .inherit = attribute.generator.source {
                    reader.report(
                        .badGenerator, at: attribute.position,
                        "a resource has no caller to inherit from; write another value")
                }
            }
        }
        for entry in operationsEver { check(entry.operation, keys, sortedKeys) }
        for traffic in scenario.traffic { check(traffic) }
        checkBaggage()
        checkSamplers()
        checkSaturation()
        checkSize()
        checkLaidOut()
        checkCalls()
    }

    /// All operations, as they are and as they are during incidents.
    var operationsEver: [(service: ServiceDeclaration, operation: OperationDeclaration)] {
        scenario.services.flatMap { service in service.operations.map { (service, $0) } }
            + scenario.incidents.flatMap(\.patches).map {
                (scenario.services[$0.service], $0.declaration)
            }
    }

    /// Plans number instances and kinds of spans in 16 bits.
    private func checkSize() {
        let instances = scenario.services.reduce(0) { $0 + $1.instances }
        if instances > Self.instancesMax, let service = scenario.services.first {
            reader.report(
                .tooLarge, at: service.position,
                "the services have \(instances) instances in all, more than \(Self.instancesMax); "
                    + "lower `instances`")
        }
        let shapes = operationsEver.reduce(0) { $0 + 2 + Self.callCount($1.operation.script) }
        if shapes > Self.spanShapesMax, let service = scenario.services.first {
            reader.report(
                .tooLarge, at: service.position,
                "the scenario has \(shapes) kinds of spans, more than \(Self.spanShapesMax); "
                    + "write fewer operations and calls")
        }
    }

    private static func callCount(_ steps: [StepDeclaration]) -> Int {
        steps.reduce(0) { count, step in
            switch step.action {
            case .work: count
            case .call, .publish: count + 1
            case .parallel(let steps, _): count + callCount(steps)
            case .choose(let choices): choices.reduce(count) { $0 + callCount($1.script) }
            }
        }
    }

    // MARK: Operations

    private func check(
        _ operation: OperationDeclaration, _ keys: Set<String>, _ sortedKeys: [String]
    ) {
        if operation.category == .database, !operation.script.isEmpty {
            reader.report(
                .badCombination, at: operation.position,
                "a database is seen from its caller only, so `\(operation.name)` has no script; "
                    + "use `self` for its time, or another type")
        }
        let values = operation.attributes + operation.events.flatMap(\.attributes)
        for attribute in values {
            guard case .inherit(let key) = attribute.generator.source, !keys.contains(key) else {
                continue
            }
            let hint =
                reader.nearest(to: key, among: sortedKeys).map { "did you mean `\($0)`?" }
                ?? "set it on a calling operation"
            reader.report(
                .badGenerator, at: attribute.position,
                "no operation sets the attribute `\(key)`, so there is nothing to inherit; \(hint)")
        }
    }

    /// The operation a reference names, with an issue when there is none.
    private func resolve(_ reference: OperationReference) -> OperationDeclaration? {
        if let place = operations[reference.text] {
            return scenario.services[place.service].operations[place.operation]
        }
        reader.report(
            .unknownOperation, at: reference.position,
            "there is no operation `\(reference.text)`; \(hint(for: reference.text))")
        return nil
    }

    private func hint(for reference: String) -> String {
        if let nearest = reader.nearest(to: reference, among: names) {
            return "did you mean `\(nearest)`?"
        }
        guard reference.contains("/") else { return "write `service/operation`" }
        let name = String(reference.prefix { $0 != "/" })
        guard let service = scenario.services.first(where: { $0.name == name }) else {
            return "known services: \(ScenarioReader.listed(scenario.services.map(\.name)))"
        }
        let operations = service.operations.map { "`\($0.name)`" }
        return "service `\(name)` has: \(ScenarioReader.listed(operations))"
    }

    // MARK: Traffic

    private func check(_ traffic: TrafficDeclaration) {
        if let root = resolve(traffic.root), root.category == .database {
            reader.report(
                .badCombination, at: traffic.root.position,
                "a database operation begins no trace; name an operation that calls it")
        }
        var total = 0.0
        for stage in traffic.stages {
            switch stage.rate {
            case .max:
                total += 1
                if stage.shape == .linear {
                    reader.report(
                        .badCombination, at: stage.position,
                        "`rate: max` has no ramp; write `shape: step`")
                }
                if scenario.clock == .realtime {
                    reader.report(
                        .badCombination, at: stage.position,
                        "`rate: max` needs `clock: simulated`; in real time write a rate")
                }
            case .tracesPerSecond(let rate): total += rate
            }
        }
        if total == 0, traffic.model == .open, let stage = traffic.stages.first {
            reader.report(
                .badRate, at: stage.position,
                "every rate is 0, so no trace would begin; write a rate above 0")
        }
    }

    private func checkSaturation() {
        let stages = scenario.traffic.flatMap(\.stages)
        guard stages.contains(where: { $0.rate == .max }) else { return }
        if let closed = scenario.traffic.first(where: { $0.model == .closed }) {
            reader.report(
                .badCombination, at: closed.position,
                "users of the closed model wait in simulated time, which `rate: max` of another "
                    + "entry does not keep; write a rate in numbers there")
            return
        }
        let durations = Set(stages.map(\.durationNs))
        for traffic in scenario.traffic {
            for (index, stage) in traffic.stages.enumerated()
            where index > 0 || stage.rate != .max || durations.count > 1 {
                reader.report(
                    .badCombination, at: stage.position,
                    "with `rate: max` every traffic entry has one stage of `rate: max`, "
                        + "all of the same duration")
                return
            }
        }
    }

    // MARK: Calls

    private func checkCalls() {
        var walk = CallWalk(limit: Self.callDepthMax)
        for (service, operation) in operationsEver {
            let calls = calls(in: operation.script, from: service, operation)
            walk.add(calls, from: "\(service.name)/\(operation.name)")
        }
        var spans: [String: Double] = [:]
        for name in names {
            switch walk.visit(name) {
            case .fine: break
            case .cycle(let path):
                let text = path.map { "`\($0.from)` calls at \($0.position)" }
                    .joined(separator: " → ")
                reader.report(
                    .cycle, at: path[0].position,
                    "the calls go in a circle and a trace would never end: \(text) → "
                        + "`\(path[0].from)`; remove one of these calls")
            case .tooDeep(let edge):
                reader.report(
                    .badCombination, at: edge.position,
                    "calls are nested more than \(Self.callDepthMax) deep; flatten the scenario")
            }
        }
        guard !walk.hasFailed else { return }
        for traffic in scenario.traffic {
            let most =
                walk.mostSpans(traffic.root.text, &spans) + Double(scenario.pathology.oversizeSpans)
            if most > Double(Self.spansPerTraceMax) {
                reader.report(
                    .badCombination, at: traffic.root.position,
                    "a trace can have \(ScenarioReader.count(most)) spans, above the cap of "
                        + "\(Self.spansPerTraceMax); lower `repeat`, `retries` or `oversize`")
            }
        }
    }

    private func calls(
        in steps: [StepDeclaration], from service: ServiceDeclaration,
        _ caller: OperationDeclaration
    ) -> CallWalk.Calls {
        .all(
            steps.map { step in
                switch step.action {
                case .work: .all([])
                case .parallel(let steps, _): calls(in: steps, from: service, caller)
                case .choose(let choices):
                    .oneOf(choices.map { calls(in: $0.script, from: service, caller) })
                case .call(let call):
                    edge(call, from: service, caller).map { .edge($0) } ?? .all([])
                case .publish(let publish):
                    edge(publish, from: service, caller).map { .edge($0) } ?? .all([])
                }
            })
    }

    private func edge(
        _ call: CallDeclaration, from service: ServiceDeclaration, _ caller: OperationDeclaration
    ) -> CallWalk.Edge? {
        guard let callee = resolve(call.to) else { return nil }
        if callee.category == .messaging {
            reader.report(
                .badCombination, at: call.to.position,
                "`\(call.to.text)` consumes messages; write `publish`, not `call`")
        }
        if callee.category == .database, !call.hasClientSpan {
            reader.report(
                .badCombination, at: call.to.position,
                "a database call is its client span; remove `client_span: false`")
        }
        let isOwn = call.to.text.hasPrefix("\(service.name)/")
        let isLocal = callee.category == .database || (callee.category == .internal && isOwn)
        return CallWalk.Edge(
            from: "\(service.name)/\(caller.name)", to: call.to.text,
            position: call.to.position, most: call.mostRepeats * Double(call.retries + 1),
            callerSpans: isLocal || !call.hasClientSpan ? 0 : 1)
    }

    private func edge(
        _ publish: PublishDeclaration, from service: ServiceDeclaration,
        _ caller: OperationDeclaration
    ) -> CallWalk.Edge? {
        guard let consumer = resolve(publish.to) else { return nil }
        if consumer.category != .messaging {
            reader.report(
                .badCombination, at: publish.to.position,
                "`publish` needs an operation of `type: messaging`; give "
                    + "`\(publish.to.text)` that type, or write `call`")
        }
        return CallWalk.Edge(
            from: "\(service.name)/\(caller.name)", to: publish.to.text,
            position: publish.to.position, most: 1, callerSpans: 1)
    }
}

extension CallDeclaration {
    /// The most calls in a row that are ever drawn; draws beyond it (one in 10⁹) are cut there.
    var mostRepeats: Double { repeats.most.rounded() }
}
