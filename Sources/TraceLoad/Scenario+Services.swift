import Yams

/// Services, operations and steps from their nodes.
extension OperationDeclaration {
    /// What an operation is that says nothing and has no defaults to fall back on.
    static var standard: OperationDeclaration {
        OperationDeclaration(
            name: "", position: SourcePosition(line: 1, column: 1), category: .internal,
            spanName: nil, kind: nil, ownWork: .constant(1e6), attributes: [], baggage: [],
            events: [], error: nil, script: [])
    }
}

extension ScenarioReader {
    func service(
        _ name: String, _ position: SourcePosition, _ node: Node, defaults: OperationDeclaration
    ) -> ServiceDeclaration? {
        if name.contains("/") {
            report(
                .badValue, at: position,
                "a service name has no `/`, which separates service and operation; rename `\(name)`"
            )
        }
        guard let fields = fields(of: node, .service) else { return nil }
        let instances = fields.integer("instances") ?? 1
        if instances > 10_000, let node = fields["instances"] {
            report(
                .badValue, at: node.position,
                "at most 10000 instances a service, found \(instances)")
        }
        var operations: [OperationDeclaration] = []
        var written: [Node] = []
        if let node = fields["operations"] {
            for entry in entries(node, "operations") {
                guard
                    let operation = operation(
                        entry.name, entry.position, entry.value, defaults: defaults)
                else { continue }
                operations.append(operation)
                written.append(entry.value)
            }
            if operations.isEmpty {
                report(
                    .missingKey, at: node.position,
                    "service `\(name)` needs at least one operation, such as `GET /items`")
            }
        }
        writtenOperations.append(written)
        return ServiceDeclaration(
            name: name, position: position, instances: instances,
            resource: fields["resource"].map { attributes($0) } ?? [],
            clockSkew: fields["clock_skew"].flatMap { distribution($0, .signedDuration) }
                ?? .constant(0),
            sampler: fields["sampler"].flatMap { sampler($0) }, operations: operations)
    }

    func defaults(_ node: Node) -> OperationDeclaration {
        let standard = OperationDeclaration.standard
        guard let fields = fields(of: node, .operation) else { return standard }
        for key in ["name", "script"] where fields[key] != nil {
            report(
                .badCombination, at: fields.keyPosition(key),
                "`\(key)` belongs to one operation; move it out of `defaults`")
        }
        return operation(fields, name: "", position: fields.position, defaults: standard)
    }

    func operation(
        _ name: String, _ position: SourcePosition, _ node: Node, defaults: OperationDeclaration
    ) -> OperationDeclaration? {
        // `GET /health:` with nothing behind it is an operation with the defaults.
        if case .scalar(let scalar) = node, scalar.string.isEmpty, scalar.style == .plain {
            var operation = defaults
            (operation.name, operation.position) = (name, position)
            return operation
        }
        return fields(of: node, .operation).map {
            operation($0, name: name, position: position, defaults: defaults)
        }
    }

    private func operation(
        _ fields: ScenarioFields, name: String, position: SourcePosition,
        defaults: OperationDeclaration
    ) -> OperationDeclaration {
        let attributes = fields["attributes"].map { self.attributes($0) } ?? []
        let baggage = fields["baggage"].map { self.baggage($0) } ?? []
        var script: [StepDeclaration] = []
        if let node = fields["script"] {
            script = steps(node)
            if case .sequence(let sequence) = node, sequence.isEmpty {
                report(
                    .emptyScript, at: node.position,
                    "the script is empty; remove the key, or add a step such as `- work: 2ms`")
            }
        }
        return OperationDeclaration(
            name: name, position: position,
            category: fields.choice("type") ?? defaults.category, spanName: fields.string("name"),
            kind: fields.choice("kind") ?? defaults.kind,
            ownWork: fields["self"].flatMap { distribution($0, .duration) } ?? defaults.ownWork,
            attributes: Self.joined(defaults.attributes, attributes),
            baggage: Self.joined(defaults.baggage, baggage),
            events: fields["events"].map { events($0) } ?? defaults.events,
            links: fields["links"].map { links($0) } ?? defaults.links,
            error: fields["error"].flatMap { error($0) } ?? defaults.error, script: script)
    }

    /// The defaults that are not named anew, then the operation's own.
    private static func joined(
        _ defaults: [AttributeDeclaration], _ own: [AttributeDeclaration]
    ) -> [AttributeDeclaration] {
        let names = Set(own.map(\.key))
        return defaults.filter { !names.contains($0.key) } + own
    }

    private func events(_ node: Node) -> [EventDeclaration] {
        (list(node, "events") ?? []).compactMap { element in
            guard let fields = fields(of: element, .event) else { return nil }
            let at = fields.number("at") ?? 0.5
            if !(0...1).contains(at), let node = fields["at"] {
                report(
                    .badValue, at: node.position,
                    "`at` is a fraction of the span, 0 to 1, found \(at)")
            }
            return EventDeclaration(
                name: fields.string("name") ?? "",
                probability: fields.probability("probability") ?? 1, at: at,
                attributes: fields["attributes"].map { self.attributes($0) } ?? [])
        }
    }

    private func links(_ node: Node) -> [LinkDeclaration] {
        (list(node, "links") ?? []).compactMap { element in
            guard let fields = fields(of: element, .link),
                let target: LinkDeclaration.Target = fields.choice("to")
            else { return nil }
            let count = fields.integer("count") ?? 1
            if count > 1000, let node = fields["count"] {
                report(.badValue, at: node.position, "at most 1000 links, found \(count)")
            }
            return LinkDeclaration(to: target, count: count, position: fields.position)
        }
    }

    private func error(_ node: Node) -> ErrorDeclaration? {
        guard let fields = fields(of: node, .error) else { return nil }
        let httpStatus = fields.integer("http_status")
        if let httpStatus, httpStatus > 599, let node = fields["http_status"] {
            report(
                .badValue, at: node.position, "an HTTP status is 100 to 599, found \(httpStatus)")
        }
        return ErrorDeclaration(
            rate: fields.probability("rate") ?? 0,
            statusMessage: fields.string("status_message") ?? "error",
            recordsException: fields.boolean("exception") ?? false, httpStatus: httpStatus,
            propagate: fields.probability("propagate") ?? 1,
            shortCircuits: fields.boolean("short_circuit") ?? false)
    }

    // MARK: Steps

    private func steps(_ node: Node) -> [StepDeclaration] {
        (list(node, "steps") ?? []).compactMap { element in
            guard let fields = fields(of: element, .step) else { return nil }
            let actions = fields.presentKeys.filter { $0 != "limit" }
            guard actions.count == 1, let action = actions.first, let value = fields[action] else {
                if fields.hasUnknownKeys, actions.isEmpty { return nil }
                report(
                    .badCombination, at: element.position,
                    "a step does exactly one thing, found \(actions.isEmpty ? "none" : actions.joined(separator: ", ")); "
                        + "put each on a line of its own with `- `")
                return nil
            }
            let limit = fields.integer("limit")
            let done = self.action(action, value, limit: limit)
            if fields["limit"] != nil, let done {
                if case .parallel = done {
                } else {
                    report(
                        .badCombination, at: fields.keyPosition("limit"),
                        "`limit` goes with `parallel` or a call's `fan_out`; remove it")
                }
            }
            return done.map { StepDeclaration(action: $0, position: element.position) }
        }
    }

    private func action(_ name: String, _ node: Node, limit: Int?) -> StepDeclaration.Action? {
        switch name {
        case "work": return distribution(node, .duration).map { .work($0) }
        case "call":
            guard let call = call(node) else { return nil }
            let width = fanOut(node)
            guard width > 1 else { return .call(call) }
            let step = StepDeclaration(action: .call(call), position: node.position)
            return .parallel(Array(repeating: step, count: width), limit: limit)
        case "publish": return publish(node).map { .publish($0) }
        case "parallel":
            let steps = steps(node)
            if case .sequence(let sequence) = node, sequence.isEmpty {
                report(
                    .emptyScript, at: node.position,
                    "`parallel` has no steps; add some or remove it")
            }
            return .parallel(steps, limit: limit)
        default:
            guard let elements = list(node, "choices") else { return nil }
            let choices = elements.compactMap {
                element -> (weight: Double, script: [StepDeclaration])? in
                guard let fields = fields(of: element, .choice), let weightNode = fields["weight"],
                    let weight = weight(weightNode), let script = fields["script"]
                else { return nil }
                return (weight, steps(script))
            }
            guard choices.count == elements.count else { return nil }
            guard choices.contains(where: { $0.weight > 0 }) else {
                report(
                    .emptyScript, at: node.position,
                    "`choose` needs at least one entry with a weight above 0")
                return nil
            }
            return .choose(choices)
        }
    }

    private func reference(_ node: Node) -> OperationReference? {
        text(node, "`service/operation`").map {
            OperationReference(text: $0, position: node.position)
        }
    }

    /// How many calls are made at the same time.
    private func fanOut(_ node: Node) -> Int {
        guard case .mapping = node, let fields = fields(of: node, .call),
            let width = fields.integer("fan_out"), let widthNode = fields["fan_out"]
        else { return 1 }
        guard width <= 1000 else {
            report(.badValue, at: widthNode.position, "at most 1000 calls at once, found \(width)")
            return 1
        }
        return width
    }

    private func call(_ node: Node) -> CallDeclaration? {
        if case .scalar = node { return reference(node).map { CallDeclaration(to: $0) } }
        guard let fields = fields(of: node, .call), let toNode = fields["to"],
            let to = reference(toNode)
        else { return nil }
        var call = CallDeclaration(to: to)
        call.probability = fields.probability("probability") ?? 1
        if let node = fields["repeat"], let repeats = distribution(node, .number) {
            call.repeats = repeats
            if !(0...Double(ScenarioChecks.spansPerTraceMax)).contains(call.mostRepeats) {
                report(
                    .badValue, at: node.position,
                    "`repeat` can reach \(Self.count(call.mostRepeats)); keep it within 0 and "
                        + "\(ScenarioChecks.spansPerTraceMax), with `clamp` if need be")
                call.repeats = .constant(1)
            }
        }
        if let node = fields["network"], let network = distribution(node, .duration) {
            call.network = network
        }
        call.timeoutNs = fields.duration("timeout")
        call.retries = fields.integer("retries") ?? 0
        if call.retries > 100, let node = fields["retries"] {
            report(.badValue, at: node.position, "at most 100 retries, found \(call.retries)")
        }
        call.backoffNs = fields.duration("backoff") ?? call.backoffNs
        call.hasClientSpan = fields.boolean("client_span") ?? true
        call.circuitBreaker = fields["circuit_breaker"].flatMap { circuitBreaker($0) }
        return call
    }

    /// A count for a message, however large.
    static func count(_ value: Double) -> String {
        abs(value) < 1e15 ? "\(Int(value))" : "more than 10^15"
    }

    private func circuitBreaker(_ node: Node) -> CircuitBreakerDeclaration? {
        guard let fields = fields(of: node, .circuitBreaker),
            let failures = fields.integer("failures"), let window = fields.duration("window"),
            let openFor = fields.duration("open_for")
        else { return nil }
        return CircuitBreakerDeclaration(
            failures: failures, windowNs: window, openForNs: openFor,
            halfOpenCalls: fields.integer("half_open_calls") ?? 1)
    }

    private func publish(_ node: Node) -> PublishDeclaration? {
        if case .scalar = node { return reference(node).map { PublishDeclaration(to: $0) } }
        guard let fields = fields(of: node, .publish), let toNode = fields["to"],
            let to = reference(toNode)
        else { return nil }
        let batch = fields.integer("batch") ?? 1
        if batch > 1000, let node = fields["batch"] {
            report(.badValue, at: node.position, "at most 1000 messages a batch, found \(batch)")
        }
        return PublishDeclaration(
            to: to, delay: fields["delay"].flatMap { distribution($0, .duration) } ?? .constant(0),
            relation: fields.choice("relation") ?? .parent, batch: batch,
            loss: fields.probability("loss") ?? 0)
    }
}
