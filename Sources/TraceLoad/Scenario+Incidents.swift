import Yams

/// Incidents from their nodes: what a path such as `service/operation.error.rate` names, and the
/// operations as they are while an incident lasts.
extension ScenarioReader {
    /// An operation by its place in the scenario; the service as a whole with a negative operation.
    private struct Place: Hashable {
        var service: Int
        var operation: Int
    }

    /// What a path of `set` leads to, and the keys behind it.
    private struct Target {
        enum What {
            case service(Int)
            case operations([Place])
        }

        var what: What
        var rest: Substring
    }

    /// Each begins and ends a time with operations of its own.
    static let incidentsMax = 100

    private typealias Services = [ServiceDeclaration]

    func incidents(
        _ node: Node, services: [ServiceDeclaration], defaults: OperationDeclaration
    ) -> [IncidentDeclaration] {
        let targets = targets(services)
        var incidents: [IncidentDeclaration] = []
        let elements = list(node, "incidents") ?? []
        if elements.count > Self.incidentsMax {
            report(
                .tooLarge, at: elements[Self.incidentsMax].position,
                "at most \(Self.incidentsMax) incidents, found \(elements.count)")
        }
        for element in elements.prefix(Self.incidentsMax) {
            guard let fields = fields(of: element, .incident) else { continue }
            let length = fields.duration("for")
            if length == 0 {
                report(
                    .badDuration, at: fields["for"]?.position ?? fields.position,
                    "an incident of no length changes nothing; give it a duration or remove it")
            }
            let changes = fields["set"].map {
                self.changes($0, targets, services: services, defaults: defaults)
            }
            guard let at = fields.duration("at"), let length, let changes else { continue }
            incidents.append(
                IncidentDeclaration(
                    name: fields.string("name") ?? "", atNs: at, forNs: length,
                    patches: changes.patches, downServices: changes.down,
                    position: fields.position))
        }
        reportOverlaps(incidents, services)
        return incidents.enumerated().sorted {
            ($0.element.atNs, $0.offset) < ($1.element.atNs, $1.offset)
        }.map(\.element)
    }

    private func changes(
        _ node: Node, _ targets: [String: Target.What], services: Services,
        defaults: OperationDeclaration
    ) -> (patches: [IncidentDeclaration.Patch], down: [Int]) {
        guard case .mapping(let mapping) = node, !mapping.isEmpty else {
            report(
                .missingKey, at: node.position,
                "`set` says what is different; write for example `service/operation.self: 200ms`")
            return ([], [])
        }
        var down: Set<Int> = []
        var whole: [Place: Node] = [:]
        var order: [(place: Place, position: SourcePosition)] = []
        for (key, value) in mapping {
            guard case .scalar(let path) = key,
                let target = target(path.string, key.position, targets, services)
            else { continue }
            switch target.what {
            case .service(let index):
                if isDown(target, key, value, services[index]) { down.insert(index) }
            case .operations(let places):
                let patch =
                    target.rest.isEmpty
                    ? value : nested(target.rest, at: key.mark, in: .operation, value)
                for place in places {
                    let base = whole[place] ?? writtenOperations[place.service][place.operation]
                    guard mayPatch(base, at: key.position) else { return ([], []) }
                    if whole[place] == nil { order.append((place, key.position)) }
                    whole[place] = merged(base, patch, .operation)
                }
            }
        }
        let patches = order.compactMap { entry -> IncidentDeclaration.Patch? in
            let original = services[entry.place.service].operations[entry.place.operation]
            guard let node = whole[entry.place],
                var operation = operation(
                    original.name, entry.position, node, defaults: defaults)
            else { return nil }
            if operation.category != original.category {
                report(
                    .badCombination, at: entry.position,
                    "`\(original.name)` keeps its `type`, which its callers rely on; patch another key"
                )
                operation.category = original.category
            }
            return .init(
                service: entry.place.service, operation: entry.place.operation,
                declaration: operation)
        }
        return (patches, down.sorted())
    }

    private func isDown(
        _ target: Target, _ key: Node, _ value: Node, _ service: ServiceDeclaration
    ) -> Bool {
        guard target.rest == "down" else {
            let operation = service.operations.first?.name ?? "operation"
            report(
                .badCombination, at: key.position,
                "of a service as a whole only `\(service.name).down` can be set; write "
                    + "`\(service.name)/\(operation).key`, or `\(service.name)/*.key` for all of its "
                    + "operations")
            return false
        }
        return boolean(value) ?? false
    }

    // MARK: Paths

    /// By name what can be patched: `service`, `service/operation` and `service/*`.
    private func targets(_ services: Services) -> [String: Target.What] {
        var targets: [String: Target.What] = [:]
        for (index, service) in services.enumerated() {
            targets[service.name] = .service(index)
            let places = service.operations.indices.map { Place(service: index, operation: $0) }
            targets["\(service.name)/*"] = .operations(places)
            for place in places {
                targets["\(service.name)/\(service.operations[place.operation].name)"] =
                    .operations([place])
            }
        }
        return targets
    }

    /// A name and keys behind it. Names may have dots of their own: the longest one that fits is
    /// meant.
    private func target(
        _ path: String, _ position: SourcePosition, _ targets: [String: Target.What],
        _ services: Services
    ) -> Target? {
        var head = path[...]
        while true {
            if let what = targets[String(head)] {
                return Target(what: what, rest: path.dropFirst(head.count + 1))
            }
            guard let dot = head.lastIndex(of: ".") else { break }
            head = head[..<dot]
        }
        report(
            .unknownOperation, at: position,
            "`\(path)` leads to no operation; \(hint(for: path, services))")
        return nil
    }

    private func hint(for path: String, _ services: Services) -> String {
        let names = services.flatMap { service in
            [service.name] + service.operations.map { "\(service.name)/\($0.name)" }
        }
        // A misspelt name may be followed by keys.
        var head = path[...]
        while true {
            if let nearest = nearest(to: String(head), among: names) {
                return "did you mean `\(nearest)\(path.dropFirst(head.count))`?"
            }
            guard let dot = head.lastIndex(of: ".") else { break }
            head = head[..<dot]
        }
        return "write `service/operation.key`; known services: "
            + Self.listed(services.map(\.name))
    }

    /// Two incidents at once would leave open which of them holds.
    private func reportOverlaps(_ incidents: [IncidentDeclaration], _ services: Services) {
        var seen: [Place: [IncidentDeclaration]] = [:]
        for incident in incidents {
            let places =
                incident.patches.map { Place(service: $0.service, operation: $0.operation) }
                + incident.downServices.map { Place(service: $0, operation: -1) }
            for place in places {
                let other = seen[place]?.first {
                    $0.atNs < incident.endNs && incident.atNs < $0.endNs
                }
                if let other {
                    let service = services[place.service]
                    let name =
                        place.operation < 0
                        ? service.name
                        : "\(service.name)/\(service.operations[place.operation].name)"
                    report(
                        .conflict, at: incident.position,
                        "`\(incident.name)` and `\(other.name)` change `\(name)` at the same time; "
                            + "let one end before the other begins")
                    break
                }
                seen[place, default: []].append(incident)
            }
        }
    }
}
