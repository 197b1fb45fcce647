import Foundation
import Testing

/// Comparisons as a user runs them: every exit code and form from a real invocation.
@Suite("Compare", .serialized)
struct CompareTests {
    /// 300 traces a run.
    private static func scenario(variants: String = "") -> String {
        Scenarios.shop(
            extra: """
                variants:
                  all: {}
                  again: {}
                  half: {sampler: "parentbased_traceidratio:50%"}
                \(variants)
                """
        ).replacing("{duration: 300ms, rate: max}", with: "{duration: 1s, rate: 300}")
    }

    private struct Folder {
        let scratch: Scratch
        let scenario: String

        init(_ text: String = CompareTests.scenario()) throws {
            scratch = try Scratch()
            scenario = try scratch.file("shop.yaml", text).path
        }

        func path(_ name: String) -> String { scratch.url.appendingPathComponent(name).path }

        func text(_ name: String) throws -> String {
            try String(contentsOfFile: path(name), encoding: .utf8)
        }

        func compare(_ arguments: [String], isQuiet: Bool = true) throws -> Command {
            try Command.run(
                ["compare"] + (isQuiet ? ["--quiet"] : []) + arguments,
                environment: ["TMPDIR": scratch.url.path], folder: scratch.url)
        }

        /// Two rounds of the scenario.
        func rounds(_ arguments: [String]) throws -> Command {
            try compare(
                [scenario, "--rounds", "2", "--json", "--output", path("out.json")] + arguments)
        }
    }

    private func document(_ command: Command) throws -> [String: Any] {
        try #require(
            try JSONSerialization.jsonObject(with: Data(command.output.utf8)) as? [String: Any],
            "\(command.errors)")
    }

    private func variants(_ command: Command) throws -> [String: [String: Any]] {
        let list = try #require(try document(command)["variants"] as? [[String: Any]])
        return Dictionary(
            list.compactMap { entry in (entry["name"] as? String).map { ($0, entry) } },
            uniquingKeysWith: { first, _ in first })
    }

    private func figure(_ metric: String, _ name: String, _ command: Command) throws -> [String:
        Any]
    {
        let metrics = try #require(try variants(command)[name]?["metrics"] as? [String: Any])
        return try #require(metrics[metric] as? [String: Any], "\(name) has no \(metric)")
    }

    @Test("--duration compares cost alone, and pipelines")
    func pipelines() throws {
        let folder = try Folder(
            Scenarios.shop(extra: "variants: {plain: {}, gzip: {exporter: {compression: gzip}}}"))
        let command = try folder.rounds(["--duration", "100ms", "--rounds", "1"])
        #expect(command.exitCode == 0, "\(command.errors)")
        let plain = try figure("wireBytesPerSpan", "plain", command)["median"] as? Double ?? 0
        let packed = try figure("wireBytesPerSpan", "gzip", command)["median"] as? Double ?? 0
        #expect(packed > 0 && packed < plain / 2)
        #expect(try document(command)["gainAxis"] as? String == "deliveredSpansPerS")
    }

    @Test(
        "2: what cannot be compared says what to write instead",
        arguments: [
            (["nowhere.yaml"], "cannot read"),
            (["SCENARIO", "--variant", "none"], "it has all, again, half"),
            (["SCENARIO", "--sampler", "ratelimitng:5"], "did you mean `ratelimiting`?"),
            (["SCENARIO", "--sampler", "all=always_on"], "two variants are called `all`"),
            (["SCENARIO", "--budget", "lots"], "'2000 spans/s'"),
            (["SCENARIO", "--budget", "99999999 spans/s"], "more than there is"),
            (["SCENARIO", "--sweep", "5%..1%"], "0.1%..50%"),
            (["SCENARIO", "--rounds", "0"], "1 to 200"),
            (["SCENARIO", "--axes", "one"], "two figures with a comma"),
            (["SCENARIO", "--traces", "5", "--duration", "1s"], "choose one"),
            (["SCENARIO", "SCENARIO"], "one scenario at a time"),
            (["nowhere.json"], "nowhere.json"),
            (["SCENARIO", "--svg", "/nowhere/x/y.svg"], "/nowhere/x"),
        ])
    func usage(arguments: [String], hint: String) throws {
        let folder = try Folder()
        let command = try folder.compare(
            arguments.map { $0 == "SCENARIO" ? folder.scenario : $0 })
        #expect(command.exitCode == 2, "\(command.errors)")
        #expect(command.errors.contains(hint), "\(command.errors)")
        #expect(command.output.isEmpty)
    }

    @Test("2: an unknown figure, after the runs, which are kept")
    func unknownFigure() throws {
        let folder = try Folder()
        let command = try folder.rounds([
            "--duration", "50ms", "--rounds", "1", "--variant", "all", "--sort", "spanEndNsP98",
        ])
        #expect(command.exitCode == 2)
        #expect(command.errors.contains("spanEndNsP99"))
        let again = try folder.compare([folder.path("out.json"), "--sort", "spanEndNsP99"])
        #expect(again.exitCode == 0, "\(again.errors)")
    }

    @Test("4: a variant whose runs do not count; the others are shown")
    func invalid() throws {
        // Nobody listens there: every span of it is given up, and its run is invalid.
        let folder = try Folder(
            Self.scenario(
                variants: """
                      lost: {exporter: {endpoint: "http://127.0.0.1:9/v1/traces", retry: {initial: 10ms, max: 10ms, max_elapsed: 20ms}}}
                    """))
        let command = try folder.rounds([
            "--duration", "100ms", "--rounds", "1", "--variant", "all", "--variant", "lost",
        ])
        #expect(command.exitCode == 4, "\(command.errors)")
        let invalid = try #require(try document(command)["invalidRuns"] as? [[String: Any]])
        #expect(invalid.compactMap { $0["variant"] as? String } == ["lost"])
        #expect(try variants(command)["all"] != nil)
    }

    @Test("130: Control-C keeps the whole rounds")
    func interrupted() throws {
        let folder = try Folder()
        // The signal comes when the second round's line is there.
        let line = """
            "$TRACEMILL" compare '\(folder.scenario)' --duration 100ms --rounds 50 --variant all \
            --output '\(folder.path("out.json"))' --json > out.txt 2> err.txt &
            pid=$!
            n=0
            while [ $n -lt 600 ] && ! grep -q 'round 2/' err.txt; do n=$((n+1)); sleep 0.1; done
            kill -INT $pid
            wait $pid
            """
        let command = try Command.run(shell: line, folder: folder.scratch.url)
        #expect(command.exitCode == 130, "\((try? folder.text("err.txt")) ?? "")")
        let data = try Data(contentsOf: URL(fileURLWithPath: folder.path("out.json")))
        let result = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let runs = try #require(result["runs"] as? [[String: Any]])
        #expect((1..<50).contains(runs.count))
        #expect(runs.allSatisfy { $0["valid"] as? Bool == true })
    }
}
