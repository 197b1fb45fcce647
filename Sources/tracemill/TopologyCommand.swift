import ArgumentParser
import TraceLoad

/// `tracemill topology SCENARIO`.
struct TopologyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topology",
        abstract: "Show who calls whom, and how many spans a trace has.",
        discussion: """
            EXAMPLES
              tracemill topology scenarios/checkout.yaml
              tracemill topology scenarios/checkout.yaml --format mermaid
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text
        case mermaid
    }

    @Argument(help: "Scenario file (YAML).", completion: .file(extensions: ["yaml", "yml"]))
    var scenario: String

    @Option(help: "text or mermaid.")
    var format = Format.text

    func run() throws {
        let topology = Topology(try ScenarioFile.loaded(scenario))
        switch format {
        case .text: Output.text(topology.text())
        case .mermaid: Output.text(topology.mermaid())
        }
    }
}
