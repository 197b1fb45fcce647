import ArgumentParser
import TraceLoad
import TraceResults

/// `tracemill validate FILE…`.
struct ValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Check scenario files; every error at once.",
        discussion: """
            EXAMPLES
              tracemill validate scenarios/*.yaml
              tracemill validate --schema > schema.json   for editors that complete
            """)

    @Argument(help: "Scenario files.", completion: .file(extensions: ["yaml", "yml"]))
    var files: [String] = []

    @Flag(help: "Print the JSON Schema of scenario files and end.")
    var schema = false

    /// The tables of the reference page.
    @Flag(help: .hidden)
    var keyTables = false

    func run() throws {
        if schema || keyTables {
            Output.text(schema ? ScenarioSchema.jsonText() : ScenarioSchema.markdownTables())
            return
        }
        guard !files.isEmpty else {
            throw CommandFailure.usage(
                "no file to check; write for example: tracemill validate scenarios/*.yaml")
        }
        var failed = 0
        for file in files {
            do {
                let scenario = try Scenario.load(path: file)
                let operations = scenario.services.reduce(0) { $0 + $1.operations.count }
                Output.line(
                    "\(file): ok (\(scenario.name): \(scenario.services.count) services, "
                        + "\(operations) operations)")
                for note in scenario.notes { Output.line("\(note)") }
            } catch {
                failed += 1
                Output.error("\(error)")
            }
        }
        if failed > 0 {
            throw CommandFailure(
                message: "\(failed) of \(files.count) files cannot be used", code: .usage)
        }
    }
}
