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
            """)

    @Argument(help: "Scenario files.", completion: .file(extensions: ["yaml", "yml"]))
    var files: [String]

    func run() throws {
        var failed = 0
        for file in files {
            do {
                let scenario = try Scenario.load(path: file)
                let operations = scenario.services.reduce(0) { $0 + $1.operations.count }
                Output.line(
                    "\(file): ok (\(scenario.name): \(scenario.services.count) services, "
                        + "\(operations) operations)")
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
