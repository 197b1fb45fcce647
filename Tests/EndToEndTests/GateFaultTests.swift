import Foundation
import Testing

extension GateTests {
    /// What must never pass: commands that make no sense, programs that crash or lie, results that somebody
    /// changed, collections that were cut short.
    @Suite("Faults")
    struct Faults {
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
                (
                    ["--base", "/bin/sh", "--junit", "/nowhere/a/x.xml"],
                    "another place with --junit"
                ),
                (["--base", "/bin/sh", "--adaptive", "--rounds", "9"], "leave out --rounds"),
            ])
        func usage(arguments: [String], hint: String) throws {
            let folder = try GateFolder()
            let command = try folder.gate([folder.scenario] + arguments)
            #expect(command.exitCode == 2)
            #expect(command.errors.contains(hint), "\(command.errors)")
            #expect(command.output.isEmpty)
        }

        @Test("2: a program that does not know the command, or resolves another scenario")
        func foreignProgram() throws {
            let folder = try GateFolder()
            let old = try folder.program(
                "old", "echo \"Error: Unknown option '--variant'\" >&2\nexit 64\n")
            let refused = try folder.gate(
                [folder.scenario, "--base", old, "--calibration-share", "0"] + GateFolder.exact)
            #expect(refused.exitCode == 2)
            #expect(refused.errors.contains("Unknown option"), "\(refused.errors)")
            let other = try folder.scratch.file(
                "other.yaml", GateFolder.scenario(stages: "{duration: 1s, rate: 9}"))
            let program = try folder.program(
                "other",
                "shift 2; exec \(Command.executable.path) run \(other.path) \"$@\"\n")
            let differing = try folder.gate(
                [folder.scenario, "--base", program, "--calibration-share", "0"] + GateFolder.exact)
            #expect(differing.exitCode == 2)
            #expect(
                differing.errors.contains("do not run the same scenario"), "\(differing.errors)")
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
            let folder = try GateFolder()
            let program = try folder.program("broken", script + "\n")
            let command = try folder.gate(
                [
                    folder.scenario, "--base", program, "--calibration-share", "0", "--timeout",
                    "2s",
                    "--output", folder.path("gate.json"),
                ] + GateFolder.exact)
            #expect(command.exitCode == 4, "\(command.errors) \(command.output)")
            let invalid = try #require(
                try command.gateDocument()["invalidRuns"] as? [[String: Any]])
            #expect(
                invalid.contains { ($0["reason"] as? String)?.contains(reason) == true },
                "\(invalid)")
        }

        #if DEBUG
            @Test(
                "4: a head that loses a span, flips a bit or freezes a counter never passes",
                arguments: ["drop-span", "flip-byte", "freeze-counter"])
            func mutants(mutant: String) throws {
                let folder = try GateFolder()
                let program = try folder.program(
                    "mutant",
                    "TRACEMILL_MUTANT=\(mutant) exec \(Command.executable.path) \"$@\"\n")
                let command = try folder.gate(
                    [
                        folder.scenario, "--base", Command.executable.path, "--head", program,
                        "--calibration-share", "0",
                    ] + GateFolder.exact)
                #expect(command.exitCode == 4, "\(command.errors) \(command.output)")
            }
        #endif

        @Test("mutations of a stored result each change its verdict")
        func mutations() throws {
            let folder = try GateFolder()
            #expect(try folder.pairs(GateFolder.exact).exitCode == 0)
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

        @Test(
            "130, 143: Control-C and SIGTERM keep the whole rounds and never pass",
            arguments: [("INT", 130), ("TERM", 143)])
        func interrupted(signal: String, exitCode: Int32) throws {
            let folder = try GateFolder()
            // The third run sends the signal to the gate, as a terminal would.
            let program = try folder.program(
                "slow",
                """
                echo x >> \(folder.path("count"))
                if [ $(wc -l < \(folder.path("count"))) -ge 3 ]; then kill -\(signal) $PPID; sleep 60; fi
                exec \(Command.executable.path) "$@"
                """)
            let command = try folder.gate([
                folder.scenario, "--base", program, "--calibration-share", "0", "--rounds", "8",
                "--output", folder.path("gate.json"), "--budget", "keptSpans exact",
            ])
            #expect(command.exitCode == exitCode, "\(command.errors)")
            let data = try Data(contentsOf: URL(fileURLWithPath: folder.path("gate.json")))
            let result = try #require(
                try JSONSerialization.jsonObject(with: data) as? [String: Any])
            #expect((result["runs"] as? [Any])?.count == 4)
            #expect(try folder.gate(["--results", folder.path("gate.json")]).exitCode != 0)
        }

        @Test("a full disk leaves the old result as it was")
        func fullDisk() throws {
            let folder = try GateFolder()
            #expect(try folder.pairs(GateFolder.exact).exitCode == 0)
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
    }
}
