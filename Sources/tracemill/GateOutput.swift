// Where a gate's outcome goes: the terminal, the files that were asked for, and what continuous
// integration shows by itself.
import Glibc
import TraceResults

/// Writes a report in every form that was asked for.
struct GateOutput {
    var json = false
    var markdown: String?
    var junit: String?
    var csv: String?
    var html: String?

    /// Sees that every file has a place to go, before minutes of runs.
    func check() throws {
        let places = [
            ("--markdown", markdown), ("--junit", junit), ("--csv", csv), ("--html", html),
        ]
        for case (let option, let path?) in places { try ResultPath.check(path, option: option) }
    }

    /// Says everything; the exit code is the caller's.
    func write(_ report: GateReport, resultPath: String?) throws {
        let files: [(path: String?, text: String)] = [
            (markdown, GateMarkdown.text(of: report)), (junit, GateJUnit.text(of: report)),
            (csv, GateCSV.text(of: report)),
        ]
        for file in files {
            guard let path = file.path else { continue }
            do {
                try AtomicFile.write(Array(file.text.utf8), to: path)
            } catch {
                throw CommandFailure.usage("\(error)")
            }
        }
        if let html, let resultPath {
            do {
                var input = ReportInput(
                    path: resultPath, result: try ResultFile.read(resultPath))
                // As it was judged here: the budgets may be others than the file's.
                input.gate = report
                try ReportCommand.write(ReportPage.html(of: [input]), to: html)
            } catch let error as ResultFileError {
                throw CommandFailure.usage("\(error)")
            }
        }
        if json {
            Output.text(GateDocument.text(of: report))
        } else {
            let table = GateTable(style: .detected(on: STDOUT_FILENO))
            Output.text(table.text(of: report, path: resultPath))
        }
        if Self.variable("GITHUB_ACTIONS") == "true" {
            // On standard error, which GitHub reads as well: the JSON document stays one.
            for line in GateAnnotations.lines(of: report) {
                Output.write(line + "\n", to: STDERR_FILENO)
            }
        }
        if let path = Self.variable("GITHUB_STEP_SUMMARY"), !path.isEmpty {
            Self.append(GateMarkdown.text(of: report) + "\n", to: path)
        }
    }

    /// A summary that cannot be written is said, and changes no verdict.
    private static func append(_ text: String, to path: String) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            Output.error(
                "the step summary '\(TerminalText.neutralised(path))' cannot be written: "
                    + "\(unsafe String(cString: strerror(errno)))")
            return
        }
        Output.write(text, to: descriptor)
        close(descriptor)
    }

    private static func variable(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}
