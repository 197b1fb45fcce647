import Foundation
import Testing

/// `tracemill faults`: short ones of the library's kind.
@Suite("Fault matrix", .serialized)
struct FaultsTests {
    private static func scenario(_ name: String, fault: String?) -> String {
        let faults = fault.map { ", faults: ['\($0)']" } ?? ""
        return Scenarios.paced(
            name, stage: "{duration: 500ms, rate: 3000}", sink: "{latency: 5ms\(faults)}")
    }

    /// A folder with these faults beside the fault-free scenario.
    private func folder(_ faults: [String: String]) throws -> Scratch {
        let scratch = try Scratch()
        try FileManager.default.createDirectory(
            at: scratch.url.appendingPathComponent("faults"), withIntermediateDirectories: true)
        _ = try scratch.file("faults/none.yaml", Self.scenario("none", fault: nil))
        for (name, fault) in faults {
            _ = try scratch.file("faults/\(name).yaml", Self.scenario(name, fault: fault))
        }
        return scratch
    }

    private func faults(_ scratch: Scratch, _ arguments: [String] = []) throws -> Command {
        try Command.run(
            ["faults", "--scenarios", "faults", "--state", "state", "--quiet"] + arguments,
            folder: scratch.url)
    }

    @Test("fifty exporters come back one after the other, with all that was acknowledged")
    func outage() throws {
        let scratch = try folder([:])
        let command = try faults(
            scratch, ["--only", "outage", "--outage", "1s", "--markdown", "t.md"])
        #expect([0, 1].contains(command.exitCode), "\(command.errors) \(command.output)")
        #expect(command.output.contains("outage: 50 exporters"), "\(command.output)")
        let table = try String(
            contentsOf: scratch.url.appendingPathComponent("t.md"), encoding: .utf8)
        #expect(table.contains("without a receiver at most"))
        // No run of a scenario was needed.
        let state = scratch.url.appendingPathComponent("state").path
        #expect(try FileManager.default.contentsOfDirectory(atPath: state).isEmpty)
    }

    @Test("a receiver that goes down costs no acknowledged span, and what has run runs no more")
    func down() throws {
        let scratch = try folder(["down": "down=50ms,after=3,count=1"])
        let first = try faults(scratch, ["--markdown", "t.md"])
        // Times on a busy machine may be beyond their bounds; the books may not.
        #expect([0, 1].contains(first.exitCode), "\(first.errors) \(first.output)")
        #expect(first.output.components(separatedBy: " hold ").count == 4, "\(first.output)")
        #expect(!first.output.contains("BROKEN"))
        let table = try String(
            contentsOf: scratch.url.appendingPathComponent("t.md"), encoding: .utf8)
        #expect(table.split(separator: "\n").count == 5)
        let state = scratch.url.appendingPathComponent("state")
        func stamps() throws -> [String: Date] {
            var stamps: [String: Date] = [:]
            for name in try FileManager.default.contentsOfDirectory(atPath: state.path)
            where !name.hasPrefix("down") {
                let facts = try FileManager.default.attributesOfItem(
                    atPath: state.appendingPathComponent(name).path)
                stamps[name] = facts[.modificationDate] as? Date
            }
            return stamps
        }
        let before = try stamps()
        #expect(before.count == 4)
        let again = try faults(scratch)
        #expect([0, 1].contains(again.exitCode))
        #expect(try stamps() == before)

        // A result that claims an acknowledged span more than arrived is found out.
        let cell = state.appendingPathComponent("down-1x.json")
        let text = try String(contentsOf: cell, encoding: .utf8)
        var document = try #require(
            JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        var runs = try #require(document["runs"] as? [[String: Any]])
        var ledger = try #require(runs[0]["ledger"] as? [String: Any])
        var sink = try #require(ledger["sink"] as? [String: Any])
        sink["spansDistinct"] = 1
        ledger["sink"] = sink
        runs[0]["ledger"] = ledger
        document["runs"] = runs
        try JSONSerialization.data(withJSONObject: document).write(to: cell)
        let forged = try faults(scratch)
        #expect(forged.exitCode == 4)
        #expect(forged.output.contains("acknowledged spans are missing"), "\(forged.output)")

        // What another build has run says nothing of this one.
        var tool = try #require(document["tool"] as? [String: Any])
        tool["commit"] = "0123abc"
        document["tool"] = tool
        try JSONSerialization.data(withJSONObject: document).write(to: cell)
        let anew = try faults(scratch)
        #expect([0, 1].contains(anew.exitCode), "\(anew.errors) \(anew.output)")
        #expect(anew.output.components(separatedBy: " hold ").count == 4, "\(anew.output)")
    }

    @Test("a receiver that stands still is cut off by the timeout, and the run goes on after it")
    func stopped() throws {
        let scratch = try folder(["stopped": "stop=700ms,after=3,count=1"])
        let command = try faults(scratch)
        #expect([0, 1].contains(command.exitCode), "\(command.errors) \(command.output)")
        #expect(command.output.components(separatedBy: " hold ").count == 4, "\(command.output)")
    }

    @Test("faults of TLS are held against a run by https, where there is one")
    func overTLS() throws {
        let scratch = try folder([:])
        let stage = "{duration: 500ms, rate: 3000}"
        for (name, sink) in [
            ("none-tls", "{latency: 5ms, tls: true}"),
            ("tls-plain", "{latency: 5ms, tls: true, faults: ['tls=plain,after=3,count=1']}"),
        ] {
            _ = try scratch.file(
                "faults/\(name).yaml", Scenarios.paced(name, stage: stage, sink: sink))
        }
        let command = try faults(scratch, ["--only", "tls-plain"])
        #expect([0, 1].contains(command.exitCode), "\(command.errors) \(command.output)")
        #expect(command.output.components(separatedBy: " hold ").count == 4, "\(command.output)")
        let state = scratch.url.appendingPathComponent("state")
        let cells = try FileManager.default.contentsOfDirectory(atPath: state.path)
        #expect(cells.filter { $0.hasPrefix("none-tls-") }.count == 3, "\(cells)")
        // Where faults of TLS are not asked for, nothing is run for them.
        let plain = try folder(["down": "down=50ms,after=3,count=1"])
        _ = try plain.file(
            "faults/none-tls.yaml",
            Scenarios.paced("none-tls", stage: stage, sink: "{latency: 5ms, tls: true}"))
        let other = try faults(plain)
        #expect([0, 1].contains(other.exitCode), "\(other.errors) \(other.output)")
        let ran = try FileManager.default.contentsOfDirectory(
            atPath: plain.url.appendingPathComponent("state").path)
        #expect(!ran.contains { $0.hasPrefix("none-tls") }, "\(ran)")
    }

    @Test("what the library's faults are to be met with is held against the run")
    func expectations() throws {
        // By their names the first is to be sent once, the second again, the third to be cut by its timeout.
        let scratch = try folder([
            "status-400": "status=503,after=3,count=2", "status-503": "status=400,after=3,count=2",
            "latency-1s": "status=400,after=3,count=2",
        ])
        let command = try faults(scratch)
        #expect(command.exitCode == 1, "\(command.errors) \(command.output)")
        for finding in [
            #/status-400 at 1x: .*spans were sent again/#,
            #/status-503 at 1x: .*nothing was sent again/#,
            #/latency-1s at 1x: .*no attempt lasted as long as its timeout/#,
        ] {
            #expect(command.output.contains(finding), "\(command.output)")
        }
    }

    @Test("a fault that never strikes proves nothing, and says so")
    func neverStrikes() throws {
        let scratch = try folder(["late": "reset=after,after=1000000,count=1"])
        let command = try faults(scratch)
        #expect(command.exitCode == 4)
        #expect(command.output.contains("the fault never struck"))
    }

    @Test("what cannot be run says what to write")
    func usage() throws {
        let scratch = try folder(["down": "down=50ms,after=3,count=1"])
        let unknown = try faults(scratch, ["--only", "nothing"])
        #expect(unknown.exitCode == 2)
        #expect(unknown.errors.contains("there are none, down"), "\(unknown.errors)")
        let missing = try Command.run(["faults", "--scenarios", "nowhere"], folder: scratch.url)
        #expect(missing.exitCode == 2)
        #expect(missing.errors.contains("--scenarios"))
        try FileManager.default.removeItem(
            at: scratch.url.appendingPathComponent("faults/none.yaml"))
        let faultless = try faults(scratch)
        #expect(faultless.exitCode == 2)
        #expect(faultless.errors.contains("no none.yaml"))
    }

    @Test("every fault of the library is a scenario that is understood")
    func library() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let folder = root.appendingPathComponent("scenarios/faults")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(names.count >= 38)
        let all = try Command.run(
            ["validate"] + names.sorted().map { folder.appendingPathComponent($0).path })
        #expect(all.exitCode == 0, "\(all.errors)")
        #expect(all.output.components(separatedBy: ": ok").count == names.count + 1)
    }

    @Test("a rate in place of the stages is what is offered")
    func rate() throws {
        let scratch = try folder([:])
        let file = scratch.url.appendingPathComponent("faults/none.yaml").path
        let run = try Command.run(
            ["run", file, "--rate", "200", "--json", "--quiet", "--output", "r.json"],
            folder: scratch.url)
        #expect(run.exitCode == 0, "\(run.errors)")
        let load = try #require(try run.json()["load"] as? [String: Any])
        #expect((50...150).contains(load["intendedTraces"] as? Int ?? 0), "\(load)")
        for rate in ["0", "-5", "nan", "1e9"] {
            let refused = try Command.run(["run", file, "--rate=\(rate)"], folder: scratch.url)
            #expect(refused.exitCode == 2, "\(rate)")
        }
    }
}
