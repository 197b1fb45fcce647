import ArgumentParser
import FoundationEssentials
import Glibc
import TraceLoad
import TraceResults

/// `tracemill topology SCENARIO [RESULT]`.
struct TopologyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topology",
        abstract: "Show who calls whom: as declared, as seen, or one against the other.",
        discussion: """
            Of a scenario: what it declares, and how many spans a trace should have. Of a
            result: the graph that the sink saw in the spans it received, with calls a
            second, errors and times. Of both: calls that are missing, that nobody
            declared, and that come at another rate than declared; the command then ends
            with 1 unless everything was seen as declared.

            EXAMPLES
              tracemill topology scenarios/checkout.yaml
              tracemill topology results/checkout.json --format mermaid
              tracemill topology scenarios/checkout.yaml results/checkout.json
              tracemill topology --sink http://127.0.0.1:4318 --format dot | dot -Tsvg
              tracemill topology --sink https://127.0.0.1:4318 --certificate authority.pem
            """)

    @Argument(
        help: "A scenario (YAML), a result file (JSON), or a scenario and a result.",
        completion: .file(extensions: ["yaml", "yml", "json"]))
    var files: [String] = []

    @Option(help: "A result file to compare the scenario with.", completion: .file())
    var result: String?

    @Option(help: "Address of a sink whose graph is shown, or compared with a scenario.")
    var sink: String?

    @Option(help: .init("Authority that an https sink is trusted by (PEM).", valueName: "file"))
    var certificate: String?

    @Option(help: "text, mermaid, dot or json.")
    var format = GraphFormat.text

    func validate() throws {
        let sources = files.count + (result == nil ? 0 : 1) + (sink == nil ? 0 : 1)
        guard (1...2).contains(sources) else {
            throw ValidationError(
                sources == 0
                    ? "name a scenario, a result file, or --sink URL"
                    : "name at most a scenario and one result file or sink")
        }
    }

    func run() throws {
        var scenario: Scenario?
        var seen: ServiceGraph?
        for file in files {
            if try ResultGraph.isResult(file) {
                guard seen == nil else { throw Self.tooMany("result files") }
                seen = try ResultGraph.read(file)
            } else {
                guard scenario == nil else { throw Self.tooMany("scenarios") }
                scenario = try ScenarioFile.loaded(file)
            }
        }
        if let result {
            guard seen == nil else { throw Self.tooMany("result files") }
            seen = try ResultGraph.read(result)
        }
        if let sink {
            guard seen == nil else { throw Self.tooMany("result files or sinks") }
            seen = try SinkAddress(sink, certificate: certificate).graph()
        }
        switch (scenario.map(Topology.init), seen) {
        case (let declared?, nil): show(declared)
        case (nil, let seen?): Output.text(seen.text(as: format))
        case (let declared?, let seen?): try compare(declared, seen)
        case (nil, nil): break
        }
    }

    private func show(_ topology: Topology) {
        switch format {
        case .text: Output.text(topology.text())
        case .mermaid: Output.text(topology.mermaid())
        case .dot, .json: Output.text(topology.graph().text(as: format))
        }
    }

    private func compare(_ topology: Topology, _ seen: ServiceGraph) throws {
        guard format == .text else {
            throw CommandFailure.usage(
                "a comparison is a table: leave out --format \(format.rawValue), or name the scenario "
                    + "or the result alone")
        }
        let comparison = GraphComparison(
            declared: topology.graph(), seen: seen, isDeclaredExact: topology.isExact)
        Output.text(comparison.text(style: .detected(on: STDOUT_FILENO)))
        if !comparison.holds { throw CommandFailure(message: nil, code: .regression) }
    }

    private static func tooMany(_ what: String) -> CommandFailure {
        .usage("name no two \(what): a scenario is compared with one result file or sink")
    }
}

extension GraphFormat: ExpressibleByArgument {}

/// The graph in a result file.
enum ResultGraph {
    /// Whether the file is JSON that calls itself a result; anything else is taken for a scenario.
    static func isResult(_ path: String) throws -> Bool {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            let reason = unsafe String(cString: strerror(errno))
            throw CommandFailure.usage(
                "cannot read '\(TerminalText.neutralised(path))': \(reason)")
        }
        defer { close(file) }
        var head = [UInt8](repeating: 0, count: 512)
        let count = unsafe head.withUnsafeMutableBytes {
            unsafe Glibc.read(file, $0.baseAddress, $0.count)
        }
        let text = String(decoding: head.prefix(max(0, count)), as: UTF8.self)
        // `schema` is written first.
        return text.drop(while: \.isWhitespace).hasPrefix("{") && text.contains("\"schema\"")
            && text.contains("tracemill.result/")
    }

    /// The graph of the first run that has one.
    static func read(_ path: String) throws -> ServiceGraph {
        let result: RunResult
        do {
            result = try ResultFile.read(path)
        } catch {
            throw CommandFailure.usage("\(error)")
        }
        guard let graph = result.runs.lazy.compactMap(\.graph).first else {
            throw CommandFailure.usage(
                "'\(TerminalText.neutralised(path))' has no graph: only a run whose spans reach "
                    + "tracemill's own sink has one")
        }
        if let defect = graph.defect {
            throw CommandFailure.usage("'\(TerminalText.neutralised(path))': \(defect)")
        }
        return graph
    }
}
