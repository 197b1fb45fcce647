import Foundation
import Testing

/// `tracemill history` as a user types it.
@Suite("History")
struct HistoryTests {
    /// A result of one short run, as `run` writes it.
    private static let result: Result<String, any Error> = Result {
        let scratch = try Scratch()
        let scenario = try scratch.file("shop.yaml", Scenarios.shop())
        let file = scratch.url.appendingPathComponent("r.json").path
        let run = try Command.run([
            "run", scenario.path, "--duration", "200ms", "--quiet", "--output", file,
        ])
        #expect(run.exitCode == 0, "\(run.errors)")
        return try String(contentsOfFile: file, encoding: .utf8)
    }

    /// The result with another processor time, measured on another day.
    private func file(_ scratch: Scratch, day: Int, cpuNs: Double) throws -> String {
        let text = try Self.result.get()
        var document = try #require(
            JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        var runs = try #require(document["runs"] as? [[String: Any]])
        var metrics = try #require(runs[0]["metrics"] as? [String: [String: Any]])
        metrics["cpuNsPerSpan"]?["value"] = cpuNs
        runs[0]["metrics"] = metrics
        runs[0]["startedAt"] = "2026-10-\(day < 10 ? "0" : "")\(day)T08:00:00.000Z"
        document["runs"] = runs
        let data = try JSONSerialization.data(withJSONObject: document)
        return try scratch.file("r\(day).json", String(decoding: data, as: UTF8.self)).path
    }

    private func history(_ scratch: Scratch, _ arguments: [String]) throws -> Command {
        try Command.run(["history"] + arguments, folder: scratch.url)
    }

    @Test("results are added, listed, and shown with the change in them, in every form")
    func course() throws {
        let scratch = try Scratch()
        for day in 1...12 {
            let file = try file(scratch, day: day, cpuNs: (day < 7 ? 300 : 360) + Double(day % 2))
            let added = try history(scratch, ["add", file, "--commit", "c0ffee\(day)"])
            #expect(added.exitCode == 0, "\(added.errors)")
            #expect(added.output.hasPrefix("added"))
        }
        let again = try history(scratch, ["add", "r1.json", "--commit", "x"])
        #expect(again.output.contains("there already"))
        #expect(scratch.fileNames.contains("results"))

        let list = try history(scratch, ["list"])
        #expect(list.output.contains("c0ffee7"))
        #expect(list.output.split(separator: "\n").count == 14)

        let show = try history(
            scratch, ["show", "cpuNsPerSpan", "--csv", "course.csv", "--svg", "course.svg"])
        #expect(show.exitCode == 0, "\(show.errors)")
        #expect(show.output.contains("◆ +20.0% worse from c0ffee7"), "\(show.output)")
        #expect(show.output.contains("│"))
        #expect(
            try String(
                contentsOf: scratch.url.appendingPathComponent("course.csv"), encoding: .utf8
            )
            .split(separator: "\r\n").count == 13)
        #expect(
            try String(
                contentsOf: scratch.url.appendingPathComponent("course.svg"), encoding: .utf8
            )
            .contains("worse"))

        let page = try history(scratch, ["show", "cpuNsPerSpan", "--html", "course.html"])
        #expect(page.exitCode == 0, "\(page.errors)")
        func text(_ name: String) throws -> String {
            try String(contentsOf: scratch.url.appendingPathComponent(name), encoding: .utf8)
        }
        #expect(
            try text("course.html").contains("Worse since c0ffee7 (2026-10-07 08:00): 30"))
        // Among the charts of a report, for the figures that are asked for or the main ones.
        for (arguments, count) in [(["--metric", "cpuNsPerSpan"], 1), ([], 4)] {
            let report = try Command.run(
                ["report", "r12.json", "--history", "results/history.sqlite", "-o", "r.html"]
                    + arguments, folder: scratch.url)
            #expect(report.exitCode == 0, "\(report.errors)")
            let text = try text("r.html")
            #expect(text.components(separatedBy: "<figure id=\"course-").count - 1 >= count)
            #expect(text.contains("WORSE") && text.contains("VALID"))
        }
        for (arguments, hint) in [
            (["--metric", "cpuNsPerSpans"], "it has cpuNsPerSpan"),
            (["--metric", "cpuNsPerSpan", "-o", "r.csv"], ".html or .md"),
            (["--last", "0"], "from 1 to 1000"),
        ] {
            let refused = try Command.run(
                ["report", "r12.json", "--history", "results/history.sqlite"] + arguments,
                folder: scratch.url)
            #expect(refused.exitCode == 2)
            #expect(refused.errors.contains(hint), "\(refused.errors)")
        }

        let json = try history(scratch, ["show", "cpuNsPerSpan", "--json", "--fail-on-worse"])
        #expect(json.exitCode == 1)
        let document = try #require(
            JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        let series = try #require((document["series"] as? [[String: Any]])?.first)
        let change = try #require((series["changes"] as? [[String: Any]])?.first)
        #expect(document["schema"] as? String == "tracemill.history/1")
        #expect((series["points"] as? [Any])?.count == 12)
        #expect(change["commit"] as? String == "c0ffee7")
        #expect(change["worse"] as? Bool == true)
        #expect(
            try history(
                scratch, ["show", "cpuNsPerSpan", "--since", "2026-10-08", "--fail-on-worse"]
            )
            .exitCode == 0)
    }

    @Test("a run that is not valid, or a file that is none, is said and the others are added")
    func flawed() throws {
        let scratch = try Scratch()
        let good = try file(scratch, day: 1, cpuNs: 300)
        let text = try String(contentsOfFile: good, encoding: .utf8)
        let bad = try scratch.file(
            "bad.json", text.replacingOccurrences(of: "\"valid\":true", with: "\"valid\":false"))
        let cut = try scratch.file("cut.json", String(text.prefix(text.count / 2)))
        let invalid = try history(scratch, ["add", bad.path, good])
        #expect(invalid.exitCode == 4, "\(invalid.errors)")
        #expect(invalid.errors.contains("no valid run"))
        #expect(invalid.output.contains("added"))
        let unreadable = try history(scratch, ["add", cut.path, bad.path, "nowhere.json"])
        #expect(unreadable.exitCode == 2)
        #expect(unreadable.errors.contains("not a whole result file"))
        #expect(unreadable.errors.contains("cannot read"))
        let list = try history(scratch, ["list", "--json"])
        #expect(list.output.components(separatedBy: "\"path\"").count == 2)
    }

    @Test(
        "what cannot be done says what to write",
        arguments: [
            (["show", "cpuNsPerSpan"], "begin one with"), (["list"], "begin one with"),
            (["add"], "Missing expected argument"), (["show", "x", "--last", "0"], "--last"),
            (["show", "x", "--penalty", "0.1"], "--penalty takes"),
            (["show", "x", "--since", "yesterday"], "--since takes"),
            (["show", "x", "--build", "fast"], "release or debug"),
            (["add", "x", "--commit", "a b"], "--commit takes"),
            (["add", "x", "--at", "2026"], "--at takes"),
            (["add", "x", "--at", "2026-13-40"], "--at takes"),
            (["list", "--metrics", "--json"], "leave out --json"),
        ])
    func usage(arguments: [String], hint: String) throws {
        let scratch = try Scratch()
        let command = try history(scratch, arguments)
        #expect(command.exitCode == 2)
        #expect(command.errors.contains(hint), "\(command.errors)")
        #expect(scratch.fileNames.isEmpty)
    }

    @Test("a figure that is not there names those that are; a file that is no history stays")
    func names() throws {
        let scratch = try Scratch()
        let file = try file(scratch, day: 1, cpuNs: 300)
        #expect(try history(scratch, ["add", file, "--at", "2020-02-03"]).exitCode == 0)
        let show = try history(scratch, ["show", "cpunsperspans"])
        #expect(show.exitCode == 2)
        #expect(show.errors.contains("it has cpuNsPerSpan"), "\(show.errors)")
        let other = try history(scratch, ["show", "cpuNsPerSpan", "--scenario", "none"])
        #expect(other.errors.contains("history list"))
        #expect(try history(scratch, ["list"]).output.contains("2020-02-03 00:00"))
        let foreign = try history(scratch, ["add", file, "--database", "r1.json"])
        #expect(foreign.exitCode == 2)
        #expect(foreign.errors.contains("no SQLite database"), "\(foreign.errors)")
        #expect(try String(contentsOfFile: file, encoding: .utf8).hasPrefix("{"))
    }

    @Test("eight commands that add at once lose nothing")
    func concurrent() throws {
        let scratch = try Scratch()
        for day in 1...8 { _ = try file(scratch, day: day, cpuNs: 300) }
        // `cat` ends when the last of them does; `wait` would want signals that tests block.
        let line =
            "for i in 1 2 3 4 5 6 7 8; do \"$TRACEMILL\" history add r$i.json & done 2>&1 | cat"
        let all = try Command.run(shell: line, folder: scratch.url)
        #expect(all.output.components(separatedBy: "added").count == 9, "\(all.output)")
        #expect(
            try history(scratch, ["list"]).output.components(separatedBy: "2026-10-").count == 9)
    }
}
