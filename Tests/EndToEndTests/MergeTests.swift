import Foundation
import Testing

/// `tracemill merge` as a user types it.
@Suite("Merge")
struct MergeTests {
    @Test("merging two shards writes their sum, and refuses what does not belong together")
    func merge() throws {
        let folder = try GateFolder()
        func run(_ name: String, _ scenario: String) throws -> String {
            let path = folder.path(name)
            let command = try Command.run(["run", scenario, "--quiet", "--output", path])
            #expect(command.exitCode == 0, "\(command.errors)")
            return path
        }
        let first = try run("first.json", folder.scenario)
        let second = try run("second.json", folder.scenario)
        let whole = folder.path("whole.json")
        let merged = try Command.run(["merge", first, second, "--output", whole, "--json"])
        #expect(merged.exitCode == 0, "\(merged.errors)")
        func kept(_ text: String) throws -> Double? {
            let command = Command(exitCode: 0, output: text, errors: "")
            let metrics = try command.json()["metrics"] as? [String: [String: Any]]
            return metrics?["keptSpans"]?["value"] as? Double
        }
        let one = try #require(try kept(String(contentsOfFile: first, encoding: .utf8)))
        #expect(try kept(merged.output) == 2 * one)
        let other = try folder.scratch.file(
            "other.yaml", GateFolder.scenario(stages: "{duration: 1s, rate: 9}"))
        let foreign = try run("foreign.json", other.path)
        let refused = try Command.run(["merge", first, foreign, "--output", whole])
        #expect(refused.exitCode == 2)
        #expect(refused.errors.contains("not of the same scenario"))
        #expect(try Command.run(["merge", first, first, "--output", whole]).exitCode == 2)
        #expect(try Command.run(["merge", first, "--output", whole]).exitCode == 2)
        #expect(
            try Command.run(["merge", first, "/nowhere.json", "--output", whole]).exitCode == 2)
    }
}
