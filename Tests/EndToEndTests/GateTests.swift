import Foundation
import Testing

/// The gate as a user runs it: every exit code from a real invocation.
@Suite("Gate", .serialized)
struct GateTests {
    /// 200 traces with the same identifiers in every run.
    private static func scenario(extra: String = "", stages: String = "{duration: 1s, rate: 200}")
        -> String
    {
        Scenarios.shop(
            extra: """
                ids: fixed
                variants:
                  plain: {}
                  half: {sampler: "parentbased_traceidratio:50%"}
                \(extra)
                """
        ).replacing("{duration: 300ms, rate: max}", with: stages)
    }

    private struct Folder {
        let scratch: Scratch
        let scenario: String

        init(_ text: String = GateTests.scenario()) throws {
            scratch = try Scratch()
            scenario = try scratch.file("shop.yaml", text).path
        }

        func path(_ name: String) -> String { scratch.url.appendingPathComponent(name).path }

        func gate(_ arguments: [String], environment: [String: String] = [:]) throws -> Command {
            try Command.run(
                ["gate", "--quiet", "--json"] + arguments,
                environment: ["TMPDIR": scratch.url.path].merging(environment) { $1 },
                folder: scratch.url)
        }

        /// A gate of this build against itself, without the calibration kernel.
        func pairs(_ arguments: [String], environment: [String: String] = [:]) throws -> Command {
            try gate(
                [
                    scenario, "--base", Command.executable.path, "--calibration-share", "0",
                    "--output", path("gate.json"),
                ] + arguments, environment: environment)
        }

        /// A program that does what `script` says.
        func program(_ name: String, _ script: String) throws -> String {
            let file = try scratch.file(name, "#!/bin/sh\n" + script)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: file.path)
            return file.path
        }

        /// Changes the runs of a written result.
        func edit(_ name: String = "gate.json", _ change: (inout [String: Any]) -> Void) throws {
            let file = URL(fileURLWithPath: path(name))
            var document = try #require(
                try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
            change(&document)
            try JSONSerialization.data(withJSONObject: document).write(to: file)
        }
    }

    private static let exact = ["--rounds", "2", "--budget", "keptSpans exact"]

    private func document(_ command: Command) throws -> [String: Any] {
        try #require(
            try JSONSerialization.jsonObject(with: Data(command.output.utf8)) as? [String: Any],
            "\(command.errors)")
    }

    private func rows(_ command: Command) throws -> [[String: Any]] {
        try #require(try document(command)["rows"] as? [[String: Any]])
    }

    @Test("passes a build against itself, and keeps the runs in a result with both arms")
    func pass() throws {
        let folder = try Folder()
        let command = try folder.pairs(Self.exact + ["--budget", "keptSpansChecksum exact"])
        #expect(command.exitCode == 0, "\(command.errors)")
        #expect(try rows(command).allSatisfy { $0["verdict"] as? String == "PASS" })
        let data = try Data(contentsOf: URL(fileURLWithPath: folder.path("gate.json")))
        let result = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let runs = try #require(result["runs"] as? [[String: Any]])
        #expect(runs.count == 4)
        #expect(Set(runs.compactMap { $0["variant"] as? String }) == ["base", "head"])
        let design = try #require(result["design"] as? [String: Any])
        #expect(design["kind"] as? String == "paired")
        let arms = try #require(design["arms"] as? [[String: Any]])
        #expect(Set(arms.compactMap { $0["programCRC32"] as? String }).count == 1)
        let mode = try FileManager.default.attributesOfItem(atPath: folder.path("gate.json"))
        #expect(mode[.posixPermissions] as? Int == 0o600)
        // Nothing of the gate's own folder is left.
        #expect(folder.scratch.fileNames == ["gate.json", "shop.yaml"])
        let again = try folder.gate(["--results", folder.path("gate.json")])
        #expect(again.exitCode == 0)
        #expect(again.output == command.output)
    }

    @Test("1: a variant that keeps other spans has changed")
    func changed() throws {
        let folder = try Folder()
        let command = try folder.gate(
            [
                folder.scenario, "--variant-base", "plain", "--variant-head", "half",
                "--calibration-share", "0", "--output", folder.path("gate.json"),
                "--markdown", folder.path("gate.md"), "--junit", folder.path("gate.xml"),
                "--csv", folder.path("gate.csv"),
            ] + Self.exact)
        #expect(command.exitCode == 1, "\(command.errors)")
        #expect(try rows(command).first?["verdict"] as? String == "CHANGED")
        func text(_ name: String) throws -> String {
            try String(contentsOfFile: folder.path(name), encoding: .utf8)
        }
        #expect(try text("gate.md").contains("CHANGED"))
        #expect(try text("gate.xml").contains("failures=\"1\""))
        #expect(try text("gate.csv").contains("CHANGED"))
    }

    @Test("1: a head that works more for each span has regressed")
    func regressed() throws {
        let folder = try Folder(Self.scenario(stages: "{duration: 1s, rate: 400}"))
        // Far more work than spans cost, so that a busy machine cannot hide it.
        let command = try folder.pairs([
            "--rounds", "6", "--inject-head", "3", "--budget", "cpuNsPerSpan regress 5%",
        ])
        #expect(command.exitCode == 1, "\(command.errors) \(command.output)")
        #expect(try rows(command).first?["verdict"] as? String == "REGRESSED")
    }

    @Test("1: a budget of a single run that breaks; 0 when it holds; 2 without the figure")
    func runBudgets() throws {
        func run(_ budgets: String) throws -> Command {
            let folder = try Folder(Self.scenario(extra: "budgets: [\(budgets)]"))
            return try Command.run(
                ["run", folder.scenario, "--quiet", "--output", folder.path("run.json")])
        }
        let broken = try run("{metric: cpuNsPerSpan, max: 1ns}")
        #expect(broken.exitCode == 1, "\(broken.errors)")
        #expect(broken.output.contains("budget cpuNsPerSpan max 1 ns"))
        #expect(broken.output.contains("BROKEN"))
        let held = try run("{metric: cpuNsPerSpan, max: 1s}, {metric: cpuNsPerSpan, regress: 5%}")
        #expect(held.exitCode == 0, "\(held.errors)")
        #expect(held.output.contains("1 relative budget needs `tracemill gate`"))
        // The simulated clock has no schedule to lag behind.
        #expect(try run("{metric: scheduleLagNsMean, max: 1s}").exitCode == 2)
        // Too few samples for such a percentile.
        #expect(try run("{metric: spanEndNsP999, max: 1s}").exitCode == 3)
        #expect(
            try run("{metric: cpuNsPerSpan, max: 1ns}, {metric: spanEndNsP999, max: 1s}").exitCode
                == 1)
    }

    @Test(
        "2: usage that cannot work says what to write",
        arguments: [
            (["--base", "/no/such/program"], "name a built tracemill"),
            (["--base", "/etc/passwd"], "not an executable file"),
            (["--base", "/bin/sh", "--budget", "nonsense max 1"], "did you mean"),
            (["--base", "/bin/sh", "--rounds", "5"], "the plan is refused"),
            (["--base", "/bin/sh", "--rounds", "0"], "from 1 to 200"),
            (["--variant-base", "plain", "--variant-head", "none"], "it has plain, half"),
            (["--variant-base", "plain"], "go together"),
            ([], "nothing to compare with"),
            (["--baseline", "missing.json"], "cannot read 'missing.json'"),
            (["--base", "/bin/sh", "--baseline", "x"], "choose one"),
            (["--base", "/bin/sh", "--adaptive", "--rounds", "9"], "leave out --rounds"),
        ])
    func usage(arguments: [String], hint: String) throws {
        let folder = try Folder()
        let command = try folder.gate([folder.scenario] + arguments)
        #expect(command.exitCode == 2)
        #expect(command.errors.contains(hint), "\(command.errors)")
        #expect(command.output.isEmpty)
    }

    @Test("2: a program that does not know the command, or resolves another scenario")
    func foreignProgram() throws {
        let folder = try Folder()
        let old = try folder.program(
            "old", "echo \"Error: Unknown option '--variant'\" >&2\nexit 64\n")
        let refused = try folder.gate(
            [folder.scenario, "--base", old, "--calibration-share", "0"] + Self.exact)
        #expect(refused.exitCode == 2)
        #expect(refused.errors.contains("Unknown option"), "\(refused.errors)")
        let other = try folder.scratch.file(
            "other.yaml", Self.scenario(stages: "{duration: 1s, rate: 9}"))
        let program = try folder.program(
            "other",
            "shift 2; exec \(Command.executable.path) run \(other.path) \"$@\"\n")
        let differing = try folder.gate(
            [folder.scenario, "--base", program, "--calibration-share", "0"] + Self.exact)
        #expect(differing.exitCode == 2)
        #expect(differing.errors.contains("do not run the same scenario"), "\(differing.errors)")
    }

    @Test("3: too little to decide by is no pass")
    func inconclusive() throws {
        let folder = try Folder()
        // Hundreds of spans have no hundred samples beyond the 99.9th percentile.
        let command = try folder.pairs([
            "--rounds", "6", "--budget", "deliveryNsP999 regress 5%",
        ])
        #expect(command.exitCode == 3, "\(command.errors) \(command.output)")
        #expect(try rows(command).first?["verdict"] as? String == "INCONCLUSIVE")
    }

    @Test(
        "4: a program that crashes, hangs, or writes what is no result leaves an invalid run and its reason",
        arguments: [
            ("kill -SEGV $$", "signal 11"), ("echo out of luck >&2; exit 70", "out of luck"),
            ("exit 0", "left no whole result"), ("sleep 60", "was killed"),
            ("while true; do echo words >&2; done", "was killed"),
            (
                "for last; do :; done; shift 4; echo '{\"schema\": 1' > \"$1\"",
                "left no whole result"
            ),
            ("shift 4; head -c 100000 /dev/urandom > \"$1\"", "left no whole result"),
        ])
    func brokenProgram(script: String, reason: String) throws {
        let folder = try Folder()
        let program = try folder.program("broken", script + "\n")
        let command = try folder.gate(
            [
                folder.scenario, "--base", program, "--calibration-share", "0", "--timeout", "2s",
                "--output", folder.path("gate.json"),
            ] + Self.exact)
        #expect(command.exitCode == 4, "\(command.errors) \(command.output)")
        let invalid = try #require(try document(command)["invalidRuns"] as? [[String: Any]])
        #expect(
            invalid.contains { ($0["reason"] as? String)?.contains(reason) == true }, "\(invalid)")
    }

    #if DEBUG
        @Test(
            "4: a head that loses a span, flips a bit or freezes a counter never passes",
            arguments: ["drop-span", "flip-byte", "freeze-counter"])
        func mutants(mutant: String) throws {
            let folder = try Folder()
            let program = try folder.program(
                "mutant",
                "TRACEMILL_MUTANT=\(mutant) exec \(Command.executable.path) \"$@\"\n")
            let command = try folder.gate(
                [
                    folder.scenario, "--base", Command.executable.path, "--head", program,
                    "--calibration-share", "0",
                ] + Self.exact)
            #expect(command.exitCode == 4, "\(command.errors) \(command.output)")
        }
    #endif

    @Test("mutations of a stored result each change its verdict")
    func mutations() throws {
        let folder = try Folder()
        #expect(try folder.pairs(Self.exact).exitCode == 0)
        let original = try Data(contentsOf: URL(fileURLWithPath: folder.path("gate.json")))
        func code(_ change: (inout [String: Any]) -> Void) throws -> Int32 {
            try original.write(to: URL(fileURLWithPath: folder.path("gate.json")))
            try folder.edit("gate.json", change)
            return try folder.gate(["--results", folder.path("gate.json")]).exitCode
        }
        func changingRun(
            _ index: Int, _ change: @escaping (inout [String: Any]) -> Void
        ) -> (inout [String: Any]) -> Void {
            { document in
                var runs = document["runs"] as? [[String: Any]] ?? []
                change(&runs[index])
                document["runs"] = runs
            }
        }
        #expect(try code { _ in } == 0)
        // A metric dropped.
        #expect(
            try code(
                changingRun(1) { run in
                    var metrics = run["metrics"] as? [String: Any] ?? [:]
                    metrics["keptSpans"] = nil
                    run["metrics"] = metrics
                }) == 2)
        // A run truncated, or gone.
        #expect(
            try code { document in
                var runs = document["runs"] as? [[String: Any]] ?? []
                runs.removeLast()
                document["runs"] = runs
            } == 4)
        // A counter frozen.
        #expect(
            try code(
                changingRun(2) { run in
                    var ledger = run["ledger"] as? [String: Any] ?? [:]
                    var tracer = ledger["tracer"] as? [String: Any] ?? [:]
                    tracer["endedByCaller"] = 0
                    ledger["tracer"] = tracer
                    run["ledger"] = ledger
                }) == 4)
        // A run that a signal ended.
        #expect(try code(changingRun(0) { $0["interrupted"] = true }) == 4)
        // A digest changed.
        #expect(
            try code { document in
                var scenario = document["scenario"] as? [String: Any] ?? [:]
                scenario["resolved"] = "other"
                document["scenario"] = scenario
            } == 2)
        // The file cut off.
        try original.prefix(original.count / 2).write(
            to: URL(fileURLWithPath: folder.path("gate.json")))
        #expect(try folder.gate(["--results", folder.path("gate.json")]).exitCode == 2)
    }

    @Test("a stored baseline: recorded, compared with, and refused for another scenario")
    func baseline() throws {
        let folder = try Folder()
        let record = try folder.gate([
            folder.scenario, "--baseline", folder.path("base.json"), "--record", "--rounds", "2",
            "--calibration-share", "0",
        ])
        #expect(record.exitCode == 0, "\(record.errors)")
        let arguments = [
            "--baseline", folder.path("base.json"), "--calibration-share", "0", "--rounds", "1",
            "--budget", "keptSpans exact", "--budget", "keptSpansChecksum exact", "--output",
            folder.path("gate.json"),
        ]
        #expect(try folder.gate([folder.scenario] + arguments).exitCode == 0)
        let other = try folder.scratch.file(
            "other.yaml", Self.scenario(stages: "{duration: 1s, rate: 100}"))
        #expect(try folder.gate([other.path] + arguments).exitCode == 2)
        let relative = try folder.gate([
            folder.scenario, "--baseline", folder.path("base.json"), "--rounds", "3", "--budget",
            "cpuNsPerSpan regress 5%",
        ])
        #expect(relative.exitCode == 2)
        #expect(relative.errors.contains("the plan is refused"), "\(relative.errors)")
        // Elsewhere it was another machine: time is advisory, exact figures hold.
        try folder.edit("gate.json") { document in
            var design = document["design"] as? [String: Any] ?? [:]
            var arms = design["arms"] as? [[String: Any]] ?? []
            var environment = arms[0]["environment"] as? [String: Any] ?? [:]
            var hard = environment["hard"] as? [String: Any] ?? [:]
            hard["cpuModel"] = "Another Processor"
            environment["hard"] = hard
            arms[0]["environment"] = environment
            design["arms"] = arms
            document["design"] = design
        }
        let elsewhere = try folder.gate(["--results", folder.path("gate.json")])
        #expect(elsewhere.exitCode == 0)
        #expect(elsewhere.output.contains("another machine"))
    }

    @Test("130: Control-C keeps the whole rounds and never passes")
    func interrupted() throws {
        let folder = try Folder()
        // The third run sends the signal to the gate, as a terminal would.
        let program = try folder.program(
            "slow",
            """
            echo x >> \(folder.path("count"))
            if [ $(wc -l < \(folder.path("count"))) -ge 3 ]; then kill -INT $PPID; sleep 60; fi
            exec \(Command.executable.path) "$@"
            """)
        let command = try folder.gate([
            folder.scenario, "--base", program, "--calibration-share", "0", "--rounds", "8",
            "--output", folder.path("gate.json"), "--budget", "keptSpans exact",
        ])
        #expect(command.exitCode == 130, "\(command.errors)")
        let data = try Data(contentsOf: URL(fileURLWithPath: folder.path("gate.json")))
        let result = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect((result["runs"] as? [Any])?.count == 4)
        #expect(try folder.gate(["--results", folder.path("gate.json")]).exitCode != 0)
    }

    @Test("a full disk leaves the old result as it was")
    func fullDisk() throws {
        let folder = try Folder()
        #expect(try folder.pairs(Self.exact).exitCode == 0)
        let old = try Data(contentsOf: URL(fileURLWithPath: folder.path("gate.json")))
        // A limit on file sizes stands for the disk: the runs' own files are small, the copies are not
        // made under it, the gate's result is too large.
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = [
            "-c",
            "ulimit -f 8; exec \(Command.executable.path) merge \(folder.path("gate.json")) "
                + "\(folder.path("other.json")) --output \(folder.path("gate.json"))",
        ]
        try folder.edit("gate.json") { document in
            let runs = document["runs"] as? [[String: Any]] ?? []
            document["runs"] = runs.map { run in
                var run = run
                run["startedAt"] = "2020-01-01T00:00:00.000Z"
                return run
            }
        }
        try FileManager.default.moveItem(
            atPath: folder.path("gate.json"), toPath: folder.path("other.json"))
        try old.write(to: URL(fileURLWithPath: folder.path("gate.json")))
        let errors = try folder.scratch.emptyFile("errors")
        shell.standardError = try FileHandle(forWritingTo: errors)
        shell.standardOutput = FileHandle.nullDevice
        try shell.run()
        shell.waitUntilExit()
        #expect(shell.terminationStatus == 2)
        let said = try String(contentsOf: errors, encoding: .utf8)
        #expect(said.contains("What was there before is untouched"), "\(said)")
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.path("gate.json"))) == old)
    }

    @Test("on GitHub it annotates, and adds to the step's summary")
    func github() throws {
        let folder = try Folder()
        let summary = try folder.scratch.file("summary.md", "before\n")
        let command = try folder.gate(
            [
                folder.scenario, "--variant-base", "plain", "--variant-head", "half",
                "--calibration-share", "0", "--output", folder.path("gate.json"),
            ] + Self.exact,
            environment: ["GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": summary.path])
        #expect(command.exitCode == 1, "\(command.output) \(command.errors)")
        #expect(command.errors.contains("::error title=CHANGED%3A keptSpans::it was"))
        let text = try String(contentsOf: summary, encoding: .utf8)
        #expect(text.hasPrefix("before\n### ❌ tracemill gate"))
        #expect(try document(command)["exitCode"] as? Int == 1)
    }

    @Test("adaptive gates stop at the first look that decides, and confirm what regressed")
    func adaptive() throws {
        let folder = try Folder(Self.scenario(stages: "{duration: 1s, rate: 400}"))
        let command = try folder.pairs([
            "--adaptive", "--confirm", "--inject-head", "3", "--budget",
            "cpuNsPerSpan regress 5%",
        ])
        #expect(command.exitCode == 1, "\(command.errors) \(command.output)")
        let document = try document(command)
        #expect(document["looks"] as? [Int] == [8, 16, 24])
        let row = try #require(try rows(command).first)
        #expect(row["confirmationRatio"] is [String: Any])
        #expect((document["rounds"] as? Int ?? 0) < 24)
    }

    @Test("merging two shards writes their sum, and refuses what does not belong together")
    func merge() throws {
        let folder = try Folder()
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
            "other.yaml", Self.scenario(stages: "{duration: 1s, rate: 9}"))
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
