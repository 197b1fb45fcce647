// Where a comparison goes: the terminal or one JSON document, and the files that were asked for.
import Glibc
import TraceResults

/// Writes a comparison in every form that was asked for.
struct CompareOutput {
    var json = false
    var markdown: String?
    var csv: String?
    var svg: String?
    var html: String?

    /// Sees that every file has a place to go, before minutes of runs.
    func check() throws {
        let places = [("--markdown", markdown), ("--csv", csv), ("--svg", svg), ("--html", html)]
        for case (let option, let path?) in places { try ResultPath.check(path, option: option) }
    }

    /// Says everything; the exit code is the caller's.
    ///
    /// - Parameters:
    ///   - path: where the runs were written; nil when they were there before.
    ///   - files: the result files that are compared.
    func write(_ comparison: Comparison, path: String?, files compared: [String]) throws {
        let files: [(path: String?, text: () -> String)] = [
            (markdown, { ComparisonMarkdown.text(of: comparison) }),
            (csv, { ComparisonCSV.text(of: comparison) }),
            (svg, { ComparisonPlot.svg(of: comparison) }),
        ]
        for file in files {
            guard let path = file.path else { continue }
            do {
                try AtomicFile.write(Array(file.text().utf8), to: path)
            } catch {
                throw CommandFailure.usage("\(error)")
            }
        }
        if let html {
            do {
                let inputs = try compared.map {
                    ReportInput(path: $0, result: try ResultFile.read($0))
                }
                try ReportCommand.write(ReportPage.html(of: inputs), to: html)
            } catch let error as ResultFileError {
                throw CommandFailure.usage("\(error)")
            }
        }
        if json {
            Output.text(ComparisonDocument.text(of: comparison))
        } else {
            let table = ComparisonTable(
                style: .detected(on: STDOUT_FILENO),
                width: TerminalStyle.columns(of: STDOUT_FILENO))
            Output.text(table.text(of: comparison, path: path))
        }
    }
}
