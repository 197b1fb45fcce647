import Yams

/// Variants of a scenario file that come from a command line: further samplers, other arguments for the
/// ones that are there. What comes out is the text of a scenario file again, so that every run of a
/// comparison reads one file and has one digest. A value type; one thread.
public struct ScenarioVariants {
    private let file: String
    private var root: Node
    private let scenario: Scenario
    /// By name, in the order in which they are compared: whole pipelines.
    private var pipelines: [(name: String, node: Node)]

    /// Reads and checks the file. Its variants are those of the file; without any, its pipeline is
    /// the one there is, called `default`.
    public init(path: String) throws(ScenarioErrors) {
        try self.init(text: ScenarioDocument.read(path: path), file: path)
    }

    /// Likewise from a text.
    public init(text: String, file: String = "scenario.yaml") throws(ScenarioErrors) {
        self.file = file
        scenario = try Scenario.parse(text, file: file)
        root = try ScenarioDocument.compose(text, file: file)
        let reader = ScenarioReader(file: file)
        let base = root["pipeline"]
        pipelines = []
        if case .mapping(let variants)? = root["variants"] {
            for (key, patch) in variants {
                let isPlain =
                    if case .scalar(let text) = patch { text.string.isEmpty } else { false }
                let whole = isPlain ? base : reader.merged(base, patch, .pipeline)
                pipelines.append((key.string ?? "", whole ?? Self.empty))
            }
        }
        if pipelines.isEmpty { pipelines = [("default", base ?? Self.empty)] }
    }

    private static var empty: Node { .mapping(Node.Mapping([])) }

    /// What the variants are called.
    public var names: [String] { pipelines.map(\.name) }

    /// Leaves these, in this order.
    public mutating func keep(_ names: [String]) {
        pipelines = names.compactMap { name in pipelines.first { $0.name == name } }
    }

    /// Adds the scenario's pipeline with another sampler.
    ///
    /// - Parameters:
    ///   - text: `parentbased:probability:0.1`, or `tail:errors+ratio:0.01` for a tail stage behind a
    ///     head sampler that keeps everything.
    ///   - name: what it is called.
    public mutating func add(sampler text: String, name: String) throws(SamplerTextError) {
        guard !names.contains(name) else {
            throw SamplerTextError("two variants are called `\(name)`; write another NAME=SAMPLER")
        }
        let isTail = text.hasPrefix(TailDeclaration.linePrefix)
        let head = Node(isTail ? "parentbased_always_on" : text)
        let reader = ScenarioReader(file: "")
        let node = Node(text)
        if isTail { _ = reader.tail(node) } else { _ = reader.sampler(node) }
        if let issue = reader.issues.first { throw SamplerTextError(issue.message) }
        var changes: [(Node, Node)] = [
            (Node("sampler"), head), (Node("tail"), Node(isTail ? text : "none")),
        ]
        let owners = scenario.services.filter { $0.sampler != nil }
        if !owners.isEmpty {
            let samplers = owners.map { (Node($0.name), head) }
            changes.append((Node("service_samplers"), .mapping(Node.Mapping(samplers))))
        }
        let patch = Node.mapping(Node.Mapping(changes))
        pipelines.append((name, reader.merged(root["pipeline"], patch, .pipeline)))
    }

    // MARK: Knobs

    /// What of a variant's sampler a budget may turn; nil where nothing can be turned.
    public func knob(of name: String) -> SamplerKnob? {
        pipelines.first { $0.name == name }.flatMap { SamplerKnob(pipeline: owned($0.node)) }
    }

    /// Adds a copy of a variant whose knob is set, behind it or in its place.
    ///
    /// - Parameter newName: nil to take the variant's place.
    public mutating func set(_ argument: Double, of name: String, as newName: String? = nil) {
        guard let place = pipelines.firstIndex(where: { $0.name == name }) else { return }
        let node = owned(pipelines[place].node)
        let set = SamplerKnob(pipeline: node)?.set(argument, in: node) ?? node
        if let newName {
            pipelines.append((newName, set))
        } else {
            pipelines[place].node = set
        }
    }

    /// A pipeline in which the services' own samplers stand as well, where a knob can reach them.
    private func owned(_ pipeline: Node) -> Node {
        guard case .mapping(let services)? = root["services"], case .mapping(var mapping) = pipeline
        else { return pipeline }
        var samplers: [(Node, Node)] = []
        let named = mapping["service_samplers"]
        for (name, service) in services {
            let own = name.string.flatMap { named?[$0] } ?? service["sampler"]
            if let own { samplers.append((name, own)) }
        }
        guard !samplers.isEmpty else { return pipeline }
        mapping["service_samplers"] = .mapping(Node.Mapping(samplers))
        return .mapping(mapping)
    }

    // MARK: Text

    /// The scenario file with these variants and no others.
    public func text() throws(ScenarioErrors) -> String {
        guard case .mapping(var mapping) = root else { return "" }
        let variants = pipelines.map { (Node($0.name), $0.node) }
        mapping["variants"] = .mapping(Node.Mapping(variants))
        do {
            return try Yams.serialize(node: .mapping(mapping))
        } catch {
            throw ScenarioErrors([
                ScenarioIssue(
                    kind: .notYAML, file: file, position: SourcePosition(line: 1, column: 1),
                    message: "the scenario cannot be written as YAML with its variants: \(error)")
            ])
        }
    }
}

/// Why a text is no sampler.
public struct SamplerTextError: Error, Equatable, CustomStringConvertible {
    public var description: String

    init(_ description: String) { self.description = description }
}
