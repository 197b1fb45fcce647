import ArgumentParser
import TraceResults

/// `tracemill merge`.
struct MergeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract: "Add up the shards of one run into one result.",
        discussion: """
            Counters, checksums and distributions add up exactly, so that the result of many
            machines is the one that a single machine would have written; the conservation
            laws are checked again on the sum. Files of another scenario or seed, and the
            same run twice, are refused.

            EXAMPLES
              tracemill merge shard-1.json shard-2.json shard-3.json --output whole.json
            """)

    @Argument(help: "Result files, two or more.", completion: .file(extensions: ["json"]))
    var files: [String]

    @Option(name: .shortAndLong, help: "Where the sum goes.")
    var output: String

    @Flag(help: "Write the sum on standard output, too.")
    var json = false

    func run() throws {
        try ResultPath.check(output)
        do {
            let results = try files.map { (path: $0, result: try ResultFile.read($0)) }
            let merged = try ResultMerge.merged(results)
            try ResultFile.write(merged, to: output)
            if json {
                Output.text(try ResultFile.text(of: merged))
            } else {
                let table = ResultTable(style: .detected(on: 1))
                for run in merged.runs {
                    Output.text(table.text(of: run, in: merged, path: output))
                }
            }
            let flawed = merged.runs.first { !$0.valid }
            if let flawed {
                throw CommandFailure(
                    message: "invalid run: \(flawed.reason ?? "no reason given")", code: .invalidRun
                )
            }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure.usage("\(error)")
        }
    }
}
