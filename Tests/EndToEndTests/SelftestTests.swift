import Foundation
import Testing

/// The gate asked about itself.
@Suite("Selftest", .serialized)
struct SelftestTests {
    private func selftest(_ scratch: Scratch, _ arguments: [String]) throws -> Command {
        try Command.run(
            [
                "selftest", "--quiet", "--json", "--calibration-share", "0", "--rounds", "6",
                "--state", scratch.url.appendingPathComponent("state.json").path,
            ] + arguments,
            environment: ["TMPDIR": scratch.url.path], folder: scratch.url)
    }

    private func rows(_ command: Command) throws -> [[String: Any]] {
        let document = try JSONSerialization.jsonObject(with: Data(command.output.utf8))
        return try #require(
            (document as? [String: Any])?["rows"] as? [[String: Any]], "\(command.errors)")
    }

    @Test("finds a large injection, and goes on where it was stopped")
    func injection() throws {
        let scratch = try Scratch()
        let arguments = [
            "--inject", "300%", "--budget", "cpuNsPerSpan regress 50%", "--duration", "100ms",
        ]
        let first = try selftest(scratch, arguments + ["--trials", "1"])
        #expect(first.exitCode == 0, "\(first.errors)")
        let row = try #require(try rows(first).first)
        #expect(row["injectedShare"] as? Double == 3)
        #expect(row["regressed"] as? Int == 1, "\(row)")
        #expect(row["gates"] as? Int == 1)
        // What is asked for is there already: nothing more runs, and the same is said.
        let again = try selftest(scratch, arguments + ["--trials", "1"])
        #expect(again.output == first.output)
        // Another plan's gates are not counted with these.
        let other = try selftest(scratch, ["--inject", "300%", "--trials", "1"])
        #expect(other.exitCode == 2)
        #expect(other.errors.contains("cannot be counted together"), "\(other.errors)")
        #expect(scratch.fileNames == ["state.json"])
    }

    @Test(
        "what cannot be tested says what to write",
        arguments: [
            ([], "nothing to do"), (["--inject", "0%"], "a share from 0.1%"),
            (["--inject", "nan"], "a share"), (["--aa", "-1"], "--aa"),
            (["--aa", "1", "--budget", "keptSpans exact"], "'regress' budget"),
            (["--aa", "1", "--scenario", "/nowhere.yaml"], "cannot read"),
        ])
    func usage(arguments: [String], hint: String) throws {
        let scratch = try Scratch()
        let command = try selftest(scratch, arguments)
        #expect(command.exitCode == 2)
        #expect(command.errors.contains(hint), "\(command.errors)")
    }

    @Test("a state file that is none is left as it is")
    func badState() throws {
        let scratch = try Scratch()
        let file = try scratch.file("state.json", "{\"schema\": ")
        let command = try selftest(scratch, ["--aa", "1"])
        #expect(command.exitCode == 2)
        #expect(command.errors.contains("not a whole state file"), "\(command.errors)")
        #expect(try String(contentsOf: file, encoding: .utf8) == "{\"schema\": ")
    }
}
