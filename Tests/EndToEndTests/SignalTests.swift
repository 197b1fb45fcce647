import Foundation
import Glibc
import Testing

/// SIGINT and SIGTERM at every stage: what was measured is kept, marked, and closed in its books; nobody and
/// nothing is left behind.
@Suite("Signals", .serialized)
struct SignalTests {
    /// 130 or 143.
    private static let endings: [(signal: Int32, code: Int32)] = [(SIGINT, 130), (SIGTERM, 143)]

    /// The one run of a result file, as far as a signal left one.
    private func run(_ scratch: Scratch, _ name: String = "r.json") throws -> [String: Any] {
        let data = try Data(contentsOf: scratch.url.appendingPathComponent(name))
        let document = try JSONSerialization.jsonObject(with: data) as? [String: Any]
        return try #require((document?["runs"] as? [[String: Any]])?.first)
    }

    /// Interrupted and so invalid, and yet every span accounted for.
    private func expectInterrupted(_ run: [String: Any], spans: Bool) throws {
        #expect(run["interrupted"] as? Bool == true)
        #expect(run["valid"] as? Bool == false)
        #expect((run["reason"] as? String)?.contains("interrupted by a signal") == true)
        let ledger = try #require(run["ledger"] as? [String: Any])
        #expect((ledger["violations"] as? [Any])?.isEmpty == true, "\(ledger["violations"] ?? "")")
        let delivery = try #require((ledger["deliveries"] as? [[String: Any]])?.first)
        let acknowledged = (delivery["acknowledged"] as? [String: Any])?["count"] as? Int ?? -1
        let sink = try #require(ledger["sink"] as? [String: Any])
        #expect(sink["spansDistinct"] as? Int == acknowledged)
        #expect(spans == (acknowledged > 0), "\(acknowledged) spans acknowledged")
    }

    @Test("in the warm-up: no measured part, and the books of what there was", arguments: endings)
    func warmUp(signal: Int32, code: Int32) throws {
        let scratch = try Scratch()
        let file = try scratch.file("shop.yaml", Scenarios.shop())
        let command = try RunningCommand(
            [
                "run", file.path, "--duration", "300s", "--warmup", "300s", "--output", "r.json",
            ], folder: scratch)
        try command.wait(toSay: "warm-up ")
        command.send(signal)
        #expect(try command.exitCode() == code, "\(command.errors)")
        try expectInterrupted(try run(scratch), spans: true)
        try command.expectNothingLeft()
    }

    @Test("in the measured part: the load stops, what is queued is flushed", arguments: endings)
    func measured(signal: Int32, code: Int32) throws {
        let scratch = try Scratch()
        let file = try scratch.file("shop.yaml", Scenarios.shop())
        let command = try RunningCommand(
            ["run", file.path, "--duration", "300s", "--output", "r.json"], folder: scratch)
        try command.wait(toSay: "/300.0 s")
        command.send(signal)
        #expect(try command.exitCode() == code, "\(command.errors)")
        try expectInterrupted(try run(scratch), spans: true)
        #expect(command.output.contains("interrupted by a signal"), "\(command.output)")
        try command.expectNothingLeft()
        // No gate and no history takes it for a run.
        let added = try Command.run(
            ["history", "add", "r.json", "--database", "h.sqlite"], folder: scratch.url)
        #expect(added.exitCode == 4)
    }

    @Test("while flushing: the flush goes on to its end", arguments: endings)
    func flushing(signal: Int32, code: Int32) throws {
        let scratch = try Scratch()
        // A receiver that takes its time: when the drain is seen to have begun it is not over.
        let file = try scratch.file(
            "shop.yaml", Scenarios.shop().replacing("queue: 4096", with: "queue: 512"))
        let command = try RunningCommand(
            [
                "run", file.path, "--duration", "300ms", "--fault", "latency=1500ms", "--output",
                "r.json",
            ], folder: scratch)
        try command.wait(toSay: "drain ")
        command.send(signal)
        #expect(try command.exitCode() == code, "\(command.errors)")
        try expectInterrupted(try run(scratch), spans: true)
        try command.expectNothingLeft()
    }

    @Test("to the whole process group: the receiver stays until its run has flushed")
    func wholeGroup() throws {
        let scratch = try Scratch()
        let file = try scratch.file("shop.yaml", Scenarios.shop())
        let command = try RunningCommand(
            ["run", file.path, "--duration", "300s", "--output", "r.json"], folder: scratch)
        try command.wait(toSay: "/300.0 s")
        // As `timeout` and service managers do.
        #expect(command.family.count == 2)
        for id in command.family { kill(id, SIGTERM) }
        #expect(try command.exitCode() == 143, "\(command.errors)")
        try expectInterrupted(try run(scratch), spans: true)
        try command.expectNothingLeft()
    }

    @Test("twice: the second one ends it at once, without a result", arguments: endings)
    func twice(signal: Int32, code: Int32) throws {
        let scratch = try Scratch()
        let file = try scratch.file(
            "shop.yaml",
            Scenarios.shop(exporter: "timeout: 10m").replacing(
                "delay: 20ms}", with: "delay: 20ms, timeout: 20m}"
            ).replacing("drain: 20s", with: "drain: 20m"))
        // A flush that would take twenty minutes, behind a queue that is full.
        let command = try RunningCommand(
            [
                "run", file.path, "--duration", "300ms", "--fault", "hang,after=1", "--output",
                "r.json",
            ], folder: scratch)
        try command.wait(toSay: "/0.3 s")
        command.send(signal)
        // Two of a kind at once are one.
        try command.wait(toSay: "a second signal ends it at once")
        command.send(signal)
        #expect(try command.exitCode() == code)
        #expect(!scratch.fileNames.contains("r.json"))
        try command.expectNothingLeft()
    }

    @Test("of a run that plans all its traces ahead, too")
    func fidelity() throws {
        let scratch = try Scratch()
        let file = try scratch.file(
            "shop.yaml",
            Scenarios.shop(rate: "100", extra: "clock: realtime")
                .replacing("{duration: 300ms", with: "{duration: 300s")
                .replacing("drain: 20s,", with: "drain: 20s, lag_max: 1h,"))
        let command = try RunningCommand(
            ["run", file.path, "--traces", "20000", "--fidelity", "--output", "r.json"],
            folder: scratch)
        try command.wait(toSay: "acked ")
        command.send(SIGTERM)
        #expect(try command.exitCode() == 143, "\(command.errors)")
        try expectInterrupted(try run(scratch), spans: true)
        try command.expectNothingLeft()
    }

    // MARK: Commands that start runs

    /// Long runs of 200 traces a second, so that one is going on when the signal comes.
    private static let long = Scenarios.shop(
        extra:
            "ids: fixed\nvariants: {plain: {}, half: {sampler: \"parentbased_traceidratio:50%\"}}"
    ).replacing("{duration: 300ms, rate: max}", with: "{duration: 300s, rate: 200}")
        .replacing("seed: 7", with: "seed: 7\nclock: realtime")

    static let commands = [
        [
            "gate", "shop.yaml", "--variant-base", "plain", "--variant-head", "half", "--rounds",
            "8", "--calibration-share", "0", "--output", "old.json",
        ],
        [
            "gate", "shop.yaml", "--baseline", "old.json", "--record", "--calibration-share", "0",
        ],
        ["compare", "shop.yaml", "--rounds", "2", "--output", "old.json"],
        [
            "selftest", "--scenario", "shop.yaml", "--aa", "1", "--rounds", "6",
            "--calibration-share", "0",
            "--state", "state.json",
        ],
        ["faults", "--scenarios", "faults", "--state", "state"],
    ]

    /// A run and its receiver below the command.
    private func started(_ arguments: [String], _ scratch: Scratch) throws -> RunningCommand {
        _ = try scratch.file("shop.yaml", Self.long)
        _ = try scratch.file("old.json", "what was there before")
        try FileManager.default.createDirectory(
            at: scratch.url.appendingPathComponent("faults"), withIntermediateDirectories: true)
        _ = try scratch.file("faults/none.yaml", Self.long)
        let command = try RunningCommand(arguments, folder: scratch)
        try command.wait("a run and its receiver") {
            command.family.count == 3 || !command.process.isRunning
        }
        return command
    }

    @Test(
        "end the run of another command with it, and take no old result away", arguments: commands)
    func parent(_ arguments: [String]) throws {
        for (signal, code) in Self.endings {
            let scratch = try Scratch()
            let command = try started(arguments, scratch)
            command.send(signal)
            #expect(try command.exitCode() == code, "\(command.errors) \(command.output)")
            try command.expectNothingLeft()
            let old = scratch.url.appendingPathComponent("old.json")
            #expect(try String(contentsOf: old, encoding: .utf8) == "what was there before")
        }
    }

    @Test("sent twice end it at once, with its run and its folder", arguments: commands)
    func parentTwice(_ arguments: [String]) throws {
        let scratch = try Scratch()
        let command = try started(arguments, scratch)
        command.send(SIGINT)
        command.send(SIGTERM)
        #expect([130, 143].contains(try command.exitCode()), "\(command.errors)")
        try command.expectNothingLeft()
        let old = scratch.url.appendingPathComponent("old.json")
        #expect(try String(contentsOf: old, encoding: .utf8) == "what was there before")
    }

    @Test("end a sink of one's own", arguments: endings)
    func sink(signal: Int32, code: Int32) throws {
        let scratch = try Scratch()
        let command = try RunningCommand(
            ["sink", "--port", "0", "--store", "traces", "--fault", "stop=100ms,count=1"],
            folder: scratch)
        try command.wait("its port") {
            command.output.contains("listening on") || !command.process.isRunning
        }
        command.send(signal)
        #expect(try command.exitCode() == code, "\(command.errors)")
        try command.expectNothingLeft()
    }
}
