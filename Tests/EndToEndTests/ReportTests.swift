import Foundation
import Testing

/// The report as a user makes it: from a run's own file, in every form, and every way it can end.
@Suite("Report")
struct ReportTests {
    private func folder() throws -> Scratch {
        let scratch = try Scratch()
        let scenario = try scratch.file("shop.yaml", Scenarios.shop())
        let run = try Command.run(
            ["run", "--quiet", scenario.path, "--output", "shop.json"], folder: scratch.url)
        try #require(run.exitCode == 0, "\(run.errors)")
        return scratch
    }

    private func report(_ scratch: Scratch, _ arguments: String...) throws -> Command {
        try Command.run(["report"] + arguments, folder: scratch.url)
    }

    private func text(_ scratch: Scratch, _ name: String) throws -> String {
        try String(contentsOf: scratch.url.appendingPathComponent(name), encoding: .utf8)
    }

    @Test(
        "a run's file holds all that its page draws, and the page goes beside it unless told otherwise"
    )
    func page() throws {
        let scratch = try folder()
        let made = try report(scratch, "shop.json")
        #expect(made.exitCode == 0 && made.errors.isEmpty)
        #expect(made.output == "report: shop.html\n")
        let page = try text(scratch, "shop.html")
        for id in [
            "latency-calls", "latency-ways", "graph-0", "trace-typical-0", "trace-slowest-0",
        ] {
            #expect(page.contains("<figure id=\"\(id)\""), "\(id)")
        }
        #expect(page.contains("VALID") && page.contains("L0 L1 L2 L3 hold"))
        // What the receiver saw of the scenario: whom it names, and what failed there.
        #expect(page.contains("gateway POST /orders"))
        let attributes = try FileManager.default.attributesOfItem(
            atPath: scratch.url.appendingPathComponent("shop.html").path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(scratch.fileNames == ["shop.html", "shop.json", "shop.yaml"])
    }

    @Test("the ending of --output says the form; several files are one report")
    func forms() throws {
        let scratch = try folder()
        for (name, start) in [
            ("a.md", "### tracemill report: 2 runs in 2 files"), ("a.xml", "<?xml version"),
            ("a.csv", "file,scenario,variant,"), ("a.html", "<!DOCTYPE html>"),
        ] {
            try FileManager.default.copyItem(
                at: scratch.url.appendingPathComponent("shop.json"),
                to: scratch.url.appendingPathComponent("\(name).json"))
            let made = try report(scratch, "shop.json", "\(name).json", "-o", name)
            #expect(made.exitCode == 0, "\(made.errors)")
            #expect(try text(scratch, name).hasPrefix(start), "\(name)")
        }
    }

    @Test("a gate's page shows the verdict that the gate gave")
    func gate() throws {
        let scratch = try folder()
        let gate = try Command.run(
            [
                "gate", "--quiet", "shop.yaml", "--base", Command.executable.path, "--rounds", "6",
                "--calibration-share", "0", "--output", "gate.json", "--html", "gate.html",
                "--budget", "cpuNsPerSpan max 1ns",
            ], folder: scratch.url)
        #expect(gate.exitCode == 1, "\(gate.errors)")
        #expect(try text(scratch, "gate.html").contains("BROKEN"))
        // Judged again by other budgets, the page says what they say.
        let again = try Command.run(
            [
                "gate", "--results", "gate.json", "--html", "again.html", "--budget",
                "cpuNsPerSpan max 1s",
            ], folder: scratch.url)
        #expect(again.exitCode == 0, "\(again.errors)")
        #expect(try text(scratch, "again.html").contains("1 of 1 budget within bounds"))
    }

    @Test("what cannot be read, read as a result, or written ends with 2 and says what to do")
    func refused() throws {
        let scratch = try folder()
        _ = try scratch.file("old.html", "old")
        _ = try scratch.file("note.json", "{\"schema\": \"something/1\"}")
        let whole = try text(scratch, "shop.json")
        _ = try scratch.file("half.json", String(whole.prefix(whole.count / 2)))
        for (arguments, message) in [
            ([], "Missing expected argument"),
            (["nothing.json", "-o", "old.html"], "cannot read 'nothing.json'"),
            (["note.json", "-o", "old.html"], "has the schema \"something/1\""),
            (["half.json", "-o", "old.html"], "not a whole result file"),
            (["shop.json", "half.json", "-o", "old.html"], "not a whole result file"),
            (["shop.json", "-o", "old.pdf"], "end it in .html, .md, .xml or .csv"),
            (["shop.json", "-o", "nowhere/a.html"], "Make its folder first"),
            (["old.html", "-o", "old.html"], "is both read and written"),
        ] {
            let ended = try Command.run(["report"] + arguments, folder: scratch.url)
            #expect(ended.exitCode == 2, "\(arguments)")
            #expect(ended.errors.contains(message), "\(arguments): \(ended.errors)")
            #expect(ended.output.isEmpty)
        }
        #expect(try text(scratch, "old.html") == "old")
    }

    @Test("a file that cannot be written whole leaves the old one as it was")
    func oldFileStays() throws {
        let scratch = try folder()
        _ = try scratch.file("old.html", "old")
        let ended = try Command.run(
            shell: "ulimit -f 8; \"$TRACEMILL\" report shop.json -o old.html", folder: scratch.url)
        #expect(ended.exitCode == 2)
        #expect(ended.errors.contains("ulimit -f"), "\(ended.errors)")
        #expect(try text(scratch, "old.html") == "old")
        #expect(scratch.fileNames == ["old.html", "shop.json", "shop.yaml"])
    }
}
