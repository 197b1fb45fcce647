import Foundation
import Testing

/// The gate as a user runs it: every exit code from a real invocation. One at a time, so that none disturbs
/// another's pairs.
@Suite("Gate", .serialized)
struct GateTests {
    @Test("passes a build against itself, and keeps the runs in a result with both arms")
    func pass() throws {
        let folder = try GateFolder()
        let command = try folder.pairs(GateFolder.exact + ["--budget", "keptSpansChecksum exact"])
        #expect(command.exitCode == 0, "\(command.errors)")
        #expect(try command.gateRows().allSatisfy { $0["verdict"] as? String == "PASS" })
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
        let folder = try GateFolder()
        let command = try folder.gate(
            [
                folder.scenario, "--variant-base", "plain", "--variant-head", "half",
                "--calibration-share", "0", "--output", folder.path("gate.json"),
                "--markdown", folder.path("gate.md"), "--junit", folder.path("gate.xml"),
                "--csv", folder.path("gate.csv"),
            ] + GateFolder.exact)
        #expect(command.exitCode == 1, "\(command.errors)")
        #expect(try command.gateRows().first?["verdict"] as? String == "CHANGED")
        func text(_ name: String) throws -> String {
            try String(contentsOfFile: folder.path(name), encoding: .utf8)
        }
        #expect(try text("gate.md").contains("CHANGED"))
        #expect(try text("gate.xml").contains("failures=\"1\""))
        #expect(try text("gate.csv").contains("CHANGED"))
    }

    @Test("1: a head that works more for each span regressed; with the arms swapped it improved")
    func regressed() throws {
        let folder = try GateFolder(GateFolder.scenario(stages: "{duration: 1s, rate: 400}"))
        // Far more work than spans cost, so that a busy machine cannot hide it.
        let command = try folder.pairs([
            "--rounds", "6", "--inject-head", "3", "--budget", "cpuNsPerSpan regress 5%",
        ])
        #expect(command.exitCode == 1, "\(command.errors) \(command.output)")
        #expect(try command.gateRows().first?["verdict"] as? String == "REGRESSED")
        try folder.edit { document in
            var design = document["design"] as? [String: Any] ?? [:]
            let arms = design["arms"] as? [[String: Any]] ?? []
            design["arms"] = arms.map { arm in
                arm.merging(["role": arm["role"] as? String == "base" ? "head" : "base"]) { $1 }
            }
            document["design"] = design
            // What the host took is no matter here.
            document["runs"] = (document["runs"] as? [[String: Any]])?.map { run in
                let host = (run["host"] as? [String: Any])?.filter { $0.key != "stealShare" }
                return run.merging(["host": host ?? [:]]) { $1 }
            }
        }
        // By more than half, which a head that leaves out its work does, too.
        let swapped = try folder.gate(["--results", folder.path("gate.json")])
        #expect(swapped.exitCode == 2, "\(swapped.output)")
        let meant = try folder.gate([
            "--results", folder.path("gate.json"), "--accept-improvement",
        ])
        #expect(meant.exitCode == 0, "\(meant.output)")
    }

    @Test("1: a budget of a single run that breaks; 0 when it holds; 2 without the figure")
    func runBudgets() throws {
        func run(_ budgets: String) throws -> Command {
            let folder = try GateFolder(GateFolder.scenario(extra: "budgets: [\(budgets)]"))
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

    @Test("3: too little to decide by is no pass")
    func inconclusive() throws {
        let folder = try GateFolder()
        // Hundreds of spans have no hundred samples beyond the 99.9th percentile.
        let command = try folder.pairs([
            "--rounds", "6", "--budget", "deliveryNsP999 regress 5%",
        ])
        #expect(command.exitCode == 3, "\(command.errors) \(command.output)")
        #expect(try command.gateRows().first?["verdict"] as? String == "INCONCLUSIVE")
    }

    @Test("a stored baseline: recorded, compared with, and refused for another scenario")
    func baseline() throws {
        let folder = try GateFolder()
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
        let same = try folder.gate([folder.scenario] + arguments)
        #expect(same.exitCode == 0, "\(same.errors) \(same.output)")
        let other = try folder.scratch.file(
            "other.yaml", GateFolder.scenario(stages: "{duration: 1s, rate: 100}"))
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
        #expect(elsewhere.exitCode == 0, "\(elsewhere.output)")
        #expect(elsewhere.output.contains("another machine"))
    }

    @Test("on GitHub it annotates, and adds to the step's summary")
    func github() throws {
        let folder = try GateFolder()
        let summary = try folder.scratch.file("summary.md", "before\n")
        let command = try folder.gate(
            [
                folder.scenario, "--variant-base", "plain", "--variant-head", "half",
                "--calibration-share", "0", "--output", folder.path("gate.json"),
            ] + GateFolder.exact,
            environment: ["GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": summary.path])
        #expect(command.exitCode == 1, "\(command.output) \(command.errors)")
        #expect(command.errors.contains("::error title=CHANGED%3A keptSpans::it was"))
        let text = try String(contentsOf: summary, encoding: .utf8)
        #expect(text.hasPrefix("before\n### ❌ tracemill gate"))
        #expect(try command.gateDocument()["exitCode"] as? Int == 1)
    }

    @Test("adaptive gates stop at the first look that decides, and confirm what regressed")
    func adaptive() throws {
        let folder = try GateFolder(GateFolder.scenario(stages: "{duration: 1s, rate: 400}"))
        let command = try folder.pairs([
            "--adaptive", "--confirm", "--inject-head", "3", "--budget",
            "cpuNsPerSpan regress 5%",
        ])
        #expect(command.exitCode == 1, "\(command.errors) \(command.output)")
        let document = try command.gateDocument()
        #expect(document["looks"] as? [Int] == [8, 16, 24])
        let row = try #require(try command.gateRows().first)
        #expect(row["confirmationRatio"] is [String: Any])
        #expect((document["rounds"] as? Int ?? 0) < 24)
    }
}
