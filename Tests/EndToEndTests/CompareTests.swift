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

    /// Names of figures that follow from the plans and the sampler alone.
    private static let ofTraces = [
        "keptTraceShare", "keptSpanShare", "errorTraceRecall", "errorTracePrecision",
        "slowTraceRecall", "patternCoverage", "patternEntropyBits", "completeKeptTraceShare",
    ]

    @Test("two variants that are the same have the same fidelity, to the last digit")
    func same() throws {
        let folder = try Folder()
        let command = try folder.rounds([])
        #expect(command.exitCode == 0, "\(command.errors)")
        for metric in Self.ofTraces {
            let first = try figure(metric, "all", command)
            let second = try figure(metric, "again", command)
            for key in ["median", "min", "max"] {
                #expect(first[key] as? Double == second[key] as? Double, "\(metric)")
            }
        }
        #expect(try figure("keptSpanShare", "all", command)["median"] as? Double == 1)
        let half = try #require(
            try figure("keptSpanShare", "half", command)["median"] as? Double)
        #expect((0.4...0.6).contains(half))
        // The result holds every run, each round with a seed of its own.
        let data = try Data(contentsOf: URL(fileURLWithPath: folder.path("out.json")))
        let result = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let runs = try #require(result["runs"] as? [[String: Any]])
        #expect(runs.count == 6)
        #expect(Set(runs.compactMap { $0["seed"] as? String }) == ["7", "8"])
        #expect((result["design"] as? [String: Any])?["kind"] as? String == "interleaved")
        // Nothing of the comparison's own folder is left.
        #expect(folder.scratch.fileNames == ["out.json", "shop.yaml"])
        // The stored result gives the same document.
        let again = try folder.compare(["--json", folder.path("out.json")])
        #expect(again.exitCode == 0)
        #expect(
            try document(again)["variants"] as? NSArray == document(command)["variants"] as? NSArray
        )
    }

    @Test("samplers from the command line, in every form at once")
    func samplers() throws {
        let folder = try Folder(
            Scenarios.shop().replacing(
                "{duration: 300ms, rate: max}", with: "{duration: 1s, rate: 300}"))
        let command = try folder.compare([
            folder.scenario, "--rounds", "1", "--sampler", "traceidratio:0.1",
            "--sampler", "parentbased:ratelimit:50",
            "--sampler", "lazy=tail:errors+slow:500ms+ratio:0.01",
            "--output", folder.path("out.json"), "--markdown", folder.path("out.md"),
            "--csv", folder.path("out.csv"), "--svg", folder.path("out.svg"),
            "--html", folder.path("out.html"),
        ])
        #expect(command.exitCode == 0, "\(command.errors)")
        for name in ["traceidratio:0.1", "parentbased:ratelimit:50", "lazy"] {
            #expect(command.output.contains(name))
        }
        #expect(command.output.contains("● lazy"))
        // The advice is in lines of the terminal's width.
        let words = command.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(words.contains("lazy keeps 100% of error traces"))
        #expect(try folder.text("out.md").contains("| ● | lazy |"))
        #expect(try folder.text("out.csv").contains("\"lazy\""))
        #expect(try folder.text("out.svg").contains("</svg>"))
        #expect(try folder.text("out.html").contains("Cost against fidelity"))
    }

    @Test("a budget is kept within its tolerance; what has nothing to turn says so")
    func budget() throws {
        let folder = try Folder(
            Self.scenario(
                variants: """
                      limit: {sampler: "parentbased:ratelimiting:3"}
                      tail: {tail: "wait:1s+errors+ratio:0.5"}
                    """
            ).replacing("{duration: 1s, rate: 300}", with: "{duration: 4s, rate: 300}"))
        let command = try folder.rounds(["--budget", "30%", "--tolerance", "0.02", "--rounds", "1"])
        #expect(command.exitCode == 0, "\(command.errors)")
        let found = try variants(command)
        for name in ["half", "limit", "tail"] {
            let variant = try #require(found[name])
            #expect(variant["unreachable"] is NSNull, "\(name): \(variant["unreachable"] ?? "")")
            let residual = try #require(variant["residualShare"] as? Double)
            #expect(abs(residual) <= 0.02, "\(name)")
            // Round 0 has the traces that it was solved for: its run keeps what was found, to the span.
            let kept = try #require(
                try figure("keptSpanShare", name, command)["median"] as? Double)
            let solved = try #require(variant["solvedSpanShare"] as? Double)
            #expect(abs(kept - solved) < 1e-9, "\(name)")
        }
        #expect(found["half"]?["argumentName"] as? String == "parentbased_traceidratio")
        #expect((found["all"]?["unreachable"] as? String)?.contains("no number to turn") == true)
    }

    @Test("a sweep compares each sampler at each budget")
    func sweep() throws {
        let folder = try Folder()
        let command = try folder.rounds([
            "--variant", "half", "--variant", "all", "--sweep", "5%..50%", "--points", "3",
            "--tolerance", "0.05", "--rounds", "1", "--svg", folder.path("out.svg"),
        ])
        #expect(command.exitCode == 0, "\(command.errors)")
        let found = try variants(command)
        #expect(found.count == 4)
        #expect(found.values.count { $0["family"] as? String == "half" } == 3)
        #expect(try folder.text("out.svg").contains("<polyline"))
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
