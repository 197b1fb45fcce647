// `tracemill history`: result files over commits, and where a figure changed its level.
import ArgumentParser
import TraceHistory
import TraceResults

/// `tracemill history`.
struct HistoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Keep results over commits, and see where a figure changed for good.",
        discussion: """
            `add` keeps of each result file the medians of all its figures, with the commit,
            the machine, the scenario and its seed, in one SQLite file. `show` draws the
            course of a figure and marks where its level changed: a single slow run is no
            change, a new level is one.

            EXAMPLES
              tracemill history add results/*.json
              tracemill history list
              tracemill history show cpuNsPerSpan --scenario checkout --since 2026-10
            """,
        subcommands: [HistoryAdd.self, HistoryList.self, HistoryShow.self])
}

/// Where the history is.
struct HistoryPlace: ParsableArguments {
    @Option(help: "The SQLite file that keeps the history.", completion: .file())
    var database = "results/history.sqlite"
}

/// `tracemill history add`.
struct HistoryAdd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add result files.",
        discussion: """
            The same file twice is one. Runs that are not valid are left out and named; a
            file without any valid run is not added, and the command ends with code 4 after
            the others. A file that cannot be read ends it with code 2 after the others.

            EXAMPLES
              tracemill history add results/*.json
              tracemill history add old.json --commit 1a2b3c4 --at 2026-10-01
            """)

    @Argument(help: "Result files.", completion: .file(extensions: ["json"]))
    var files: [String]

    @OptionGroup var place: HistoryPlace

    @Option(help: "The commit that was measured, instead of what the files say.")
    var commit: String?

    @Option(
        help: ArgumentHelp(
            "Put them at this time instead of when they ran, in UTC: for old commits measured today.",
            valueName: "2026-10-01[T12:30]"))
    var at: String?

    @Flag(help: "Say only what was not added.")
    var quiet = false

    func validate() throws {
        if let commit,
            !commit.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "._-/".contains($0)) }
            )
                || commit.isEmpty || commit.count > 100
        {
            throw ValidationError("--commit takes a commit's id or a tag, such as 1a2b3c4d")
        }
        if let at, !HistoryTime.isWhole(at) {
            throw ValidationError(
                "--at takes a day or a time in UTC: 2026-10-01 or 2026-10-01T12:30")
        }
    }

    func run() throws {
        let history: HistoryDatabase
        do {
            try ResultPath.check(place.database, option: "--database")
            history = try HistoryDatabase(writing: place.database)
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure.usage("\(error)")
        }
        var findings: [TraceResults.ExitCode] = []
        for path in files {
            do {
                try add(path, to: history)
            } catch HistoryError.noValidRun(let path, let reason) {
                Output.error("\(HistoryError.noValidRun(path: path, reason: reason))")
                findings.append(.invalidRun)
            } catch {
                Output.error("\(error)")
                findings.append(.usage)
            }
        }
        let code = TraceResults.ExitCode.combining(findings)
        guard code == .pass else { throw CommandFailure(message: nil, code: code) }
    }

    private func add(_ path: String, to history: HistoryDatabase) throws {
        let (result, digest) = try ResultFile.readWithDigest(path)
        let entry = try HistoryEntry(
            result, path: path, fileSHA256: digest, commit: commit,
            at: at.map(HistoryTime.whole))
        let isNew = try history.add(entry)
        let shown = TerminalText.neutralised(path)
        guard isNew else {
            if !quiet { Output.line("there already  \(shown)") }
            return
        }
        if !quiet {
            let runs = entry.variants.reduce(0) { $0 + $1.origin.runs }
            let names = entry.variants.map(\.origin.variant).joined(separator: ", ")
            Output.line(
                "added          \(shown)  "
                    + TerminalText.neutralised("\(entry.scenario): \(names), ")
                    + "\(runs) run\(runs == 1 ? "" : "s")")
        }
        for reason in entry.leftOut {
            Output.error("\(shown): left out \(TerminalText.neutralised(reason))")
        }
    }
}

/// `tracemill history list`.
struct HistoryList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List what was added, oldest first.",
        discussion: """
            EXAMPLES
              tracemill history list
              tracemill history list --metrics
            """)

    @OptionGroup var place: HistoryPlace

    @Flag(help: "List the names of the figures instead.")
    var metrics = false

    @Flag(help: "Write one JSON document.")
    var json = false

    func validate() throws {
        if metrics, json { throw ValidationError("--metrics is a plain list: leave out --json") }
    }

    func run() throws {
        do {
            let history = try HistoryDatabase(reading: place.database)
            if metrics {
                for name in try history.metrics() { Output.line(TerminalText.neutralised(name)) }
                return
            }
            let rows = try history.list()
            Output.text(
                json
                    ? HistoryDocument.text(of: rows)
                    : HistoryTable(style: .detected(on: 1)).text(of: rows))
        } catch {
            throw CommandFailure.usage("\(error)")
        }
    }
}

/// Times as a history has them: RFC 3339 in UTC, compared as text.
enum HistoryTime {
    private static let pattern = Array("0000-00-00T00:00:00")

    /// Whether this is the beginning of such a time, from a year on.
    static func isBeginning(_ text: String) -> Bool {
        let text = text.hasSuffix("Z") ? text.dropLast() : text[...]
        guard text.count >= 4, text.count <= pattern.count else { return false }
        return zip(text, pattern).allSatisfy { character, wanted in
            wanted == "0" ? character.isASCII && character.isNumber : character == wanted
        }
    }

    /// Whether it says at least the day.
    static func isWhole(_ text: String) -> Bool {
        let text = text.hasSuffix("Z") ? String(text.dropLast()) : text
        let parts = text.split(whereSeparator: { !$0.isNumber }).compactMap { Int($0) }
        guard isBeginning(text), [10, 16, 19].contains(text.count) else { return false }
        let ends = [9999, 12, 31, 23, 59, 60]
        return parts.count >= 3 && (1...12).contains(parts[1]) && (1...31).contains(parts[2])
            && zip(parts, ends).allSatisfy { $0 <= $1 }
    }

    /// A day or a time with everything that is missing at zero.
    static func whole(_ text: String) -> String {
        let text = text.hasSuffix("Z") ? String(text.dropLast()) : text
        return text + "1970-01-01T00:00:00.000Z".dropFirst(text.count)
    }
}
