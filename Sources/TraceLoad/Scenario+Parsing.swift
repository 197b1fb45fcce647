import Yams

/// From a node tree to a `Scenario`: the top level, traffic, run and sink. Services and pipeline
/// have files of their own.
extension Scenario {
    /// Reads and checks a scenario file, names and cycles included; blocks on the file.
    ///
    /// - Throws: every mistake found, in file order.
    public static func load(path: String) throws(ScenarioErrors) -> Scenario {
        try parse(ScenarioDocument.read(path: path), file: path)
    }

    /// Checks a scenario's text; `file` is what messages call it.
    ///
    /// - Throws: every mistake found, in file order.
    public static func parse(
        _ text: String, file: String = "scenario.yaml"
    ) throws(ScenarioErrors) -> Scenario {
        let root = try ScenarioDocument.compose(text, file: file)
        let reader = ScenarioReader(file: file)
        let scenario = reader.scenario(root)
        if let scenario {
            ScenarioChecks(scenario: scenario, reader: reader).run()
        }
        guard reader.issues.isEmpty, let scenario else { throw ScenarioErrors(reader.issues) }
        return scenario
    }
}

extension ScenarioReader {
    /// Nil only when the root is no mapping; otherwise a scenario as complete as the text allows,
    /// so that the checks of meaning run as well.
    fileprivate func scenario(_ root: Node) -> Scenario? {
        guard let fields = fields(of: root, .scenario) else { return nil }
        if let version = fields.integer("version"), version != 1, let node = fields["version"] {
            report(
                .badValue, at: node.position,
                "version \(version) of the file format is not known; write `version: 1`")
        }
        var defaults = OperationDeclaration.standard
        if let node = fields["defaults"] { defaults = self.defaults(node) }
        var services: [ServiceDeclaration] = []
        if let node = fields["services"] {
            services = entries(node, "services").compactMap {
                service($0.name, $0.position, $0.value, defaults: defaults)
            }
            if services.isEmpty, issues.isEmpty {
                report(.missingKey, at: node.position, "`services` needs at least one service")
            }
        }
        let clock: Scenario.ClockMode = fields.choice("clock") ?? .simulated
        var traffic: [TrafficDeclaration] = []
        if let node = fields["traffic"], let elements = list(node, "`traffic`") {
            if elements.isEmpty {
                report(.missingKey, at: node.position, "`traffic` needs at least one entry")
            }
            traffic = elements.compactMap { self.traffic($0) }
        }
        let incidents = fields["incidents"].map {
            self.incidents($0, services: services, defaults: defaults)
        }
        var scenario = Scenario(
            file: file, name: fields.string("name") ?? "",
            description: fields.string("description") ?? "", seed: seed(fields),
            identifiers: fields.choice("ids") ?? .salted, clock: clock, services: services,
            traffic: traffic, incidents: incidents ?? [],
            pathology: fields["pathology"].map { pathology($0) } ?? PathologyDeclaration(),
            pipeline: pipeline(fields["pipeline"], clock: clock),
            variants: fields["variants"].map {
                variants($0, of: fields["pipeline"], services: services, clock: clock)
            } ?? [],
            sink: sink(fields["sink"]), run: run(fields["run"]),
            budgets: fields["budgets"].map { budgets($0) } ?? [])
        scenario.set(serviceSamplers(fields["pipeline"], of: services))
        return scenario
    }

    private func seed(_ fields: ScenarioFields) -> UInt64 {
        guard let node = fields["seed"], let text = text(node, "a whole number") else { return 1 }
        guard let seed = UInt64(text) else {
            report(
                .badValue, at: node.position,
                "`\(text)` is not a seed; write a whole number from 0 to 2^64 − 1")
            return 1
        }
        return seed
    }

    private func traffic(_ node: Node) -> TrafficDeclaration? {
        guard let fields = fields(of: node, .traffic) else { return nil }
        let model: TrafficDeclaration.Model = fields.choice("model") ?? .open
        let foreign =
            model == .open
            ? ["concurrency", "think"] : ["arrival", "max_in_flight", "overload"]
        for key in foreign where fields[key] != nil {
            report(
                .badCombination, at: fields.keyPosition(key),
                model == .open
                    ? "`\(key)` belongs to the closed model; write `model: closed`, or remove it"
                    : "`\(key)` belongs to the open model: users of the closed one wait for their "
                        + "traces; remove it")
        }
        var stages: [StageDeclaration] = []
        if let stagesNode = fields["stages"], let elements = list(stagesNode, "stages") {
            if elements.isEmpty {
                report(
                    .missingKey, at: stagesNode.position,
                    "`stages` needs at least one entry such as `{duration: 10s, rate: 100}`")
            }
            stages = elements.compactMap { stage($0, model) }
        }
        guard let root = fields["root"], let text = text(root, "`service/operation`") else {
            return nil
        }
        var traffic = TrafficDeclaration(
            root: OperationReference(text: text, position: root.position), model: model,
            arrival: fields.choice("arrival") ?? .poisson, stages: stages,
            position: fields.position)
        traffic.concurrency = fields.integer("concurrency") ?? 1
        if let node = fields["concurrency"], traffic.concurrency > Self.usersMax {
            report(
                .tooLarge, at: node.position,
                "at most \(Self.usersMax) users, found \(traffic.concurrency)")
        }
        traffic.think = fields["think"].flatMap { distribution($0, .duration) } ?? .constant(0)
        if model == .closed {
            traffic.maxInFlight = nil
        } else if let limit = fields.integer("max_in_flight") {
            traffic.maxInFlight = limit
        }
        traffic.overload = fields.choice("overload") ?? .drop
        return traffic
    }

    /// Users of the closed model, each with a trace in flight.
    private static let usersMax = 1_000_000

    private func stage(_ node: Node, _ model: TrafficDeclaration.Model) -> StageDeclaration? {
        guard let fields = fields(of: node, .stage) else { return nil }
        let duration = fields.duration("duration")
        if let duration, duration < 1 {
            report(
                .badDuration, at: fields["duration"]?.position ?? fields.position,
                "a stage of no length makes no traces; give it a duration or remove it")
        }
        if model == .closed {
            for key in ["rate", "shape"] where fields[key] != nil {
                report(
                    .badCombination, at: fields.keyPosition(key),
                    "under the closed model `concurrency` and `think` set the pace; remove `\(key)`"
                )
            }
            return duration.map {
                StageDeclaration(
                    durationNs: $0, rate: .tracesPerSecond(0), shape: .step,
                    position: fields.position)
            }
        }
        guard let rateNode = fields["rate"] else {
            report(
                .missingKey, at: fields.position,
                "a stage of the open model needs the key `rate`: traces per second, or `max`")
            return nil
        }
        guard let rate = rate(rateNode), let duration else { return nil }
        return StageDeclaration(
            durationNs: duration, rate: rate, shape: fields.choice("shape") ?? .step,
            position: rateNode.position)
    }

    private func rate(_ node: Node) -> StageDeclaration.Rate? {
        guard let text = text(node, "a rate in traces per second", kind: .badRate) else {
            return nil
        }
        if text == "max" { return .max }
        guard let rate = ScenarioUnits.plainNumber(text[...]), rate >= 0, rate <= 1e8 else {
            report(
                .badRate, at: node.position,
                "`\(text)` is not a rate; write traces per second up to 1e8, such as `500`, or `max`"
            )
            return nil
        }
        return .tracesPerSecond(rate)
    }

    private func sink(_ node: Node?) -> SinkDeclaration {
        var sink = SinkDeclaration()
        guard let node, let fields = fields(of: node, .sink) else { return sink }
        if let faultsNode = fields["faults"], let elements = list(faultsNode, "faults") {
            sink.faults = elements.map { fault($0) }
        }
        if let node = fields["latency"] {
            sink.latency = distribution(node, .duration) ?? sink.latency
        }
        sink.speaksTLS = fields.boolean("tls") ?? sink.speaksTLS
        if !sink.speaksTLS, sink.faults.contains(where: { $0.first?.key == "tls" }) {
            report(
                .badCombination, at: fields["faults"]?.position ?? node.position,
                "a fault of TLS needs a sink that speaks it; add `tls: true`")
        }
        return sink
    }

    /// `{status: 503, count: 3}` or `status=503,count=3`.
    private func fault(_ node: Node) -> [(key: String, value: String)] {
        if case .scalar(let scalar) = node {
            return scalar.string.split(separator: ",").compactMap { part in
                let words = part.split(separator: "=", maxSplits: 1).map(String.init)
                guard words.count == 2 else {
                    report(
                        .badValue, at: node.position,
                        "`\(part)` is no part of a fault; write for example `status=503,count=3`")
                    return nil
                }
                return (words[0], words[1])
            }
        }
        return entries(node, "a fault such as `{status: 503, count: 3}`").compactMap { entry in
            text(entry.value, "a word or number").map { (entry.name, $0) }
        }
    }

    private func run(_ node: Node?) -> RunDeclaration {
        var run = RunDeclaration()
        guard let node, let fields = fields(of: node, .run) else { return run }
        run.warmupNs = fields.duration("warmup") ?? run.warmupNs
        run.drainNs = fields.duration("drain") ?? run.drainNs
        run.repeats = fields.integer("repeats") ?? run.repeats
        run.order = fields.choice("order") ?? run.order
        run.spinNs = fields.duration("spin") ?? run.spinNs
        run.lagMaxNs = fields.duration("lag_max") ?? run.lagMaxNs
        if let node = fields["spin"], run.spinNs > 1e9 {
            report(.badDuration, at: node.position, "a worker spins at most 1s before an event")
        }
        run.workers = fields.integer("workers")
        if let workers = run.workers, workers > 1024, let position = fields["workers"]?.position {
            report(.badValue, at: position, "\(workers) workers are too many; write at most 1024")
        }
        return run
    }
}
