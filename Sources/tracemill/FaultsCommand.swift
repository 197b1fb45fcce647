import ArgumentParser
import Glibc
import Synchronization
import TraceResults

/// `tracemill faults`.
struct FaultsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "faults",
        abstract: "Run the fault matrix: every misbehaviour of a receiver at three loads.",
        discussion: """
            Measures what this machine delivers without a fault, then runs each scenario of
            the folder at 0.5, 1 and 2 times that, the fault for a while and healed for the
            rest, and prints one table: whether the conservation laws hold, spans that were
            acknowledged and are missing, duplicates against spans sent again, the time to
            the next fresh span, threads and files left open, memory, and p99.9 of `end`
            against the run without a fault at the same load.

            Of the faults of the library it is known how they are to be met: sent once or
            again, rejected, cut off by the timeout, not before a Retry-After. What is
            otherwise, is told.

            A result file for each is kept in --state: what was stopped goes on there, and
            what this build has run is not run again (--fresh does).

            Two studies are no runs of a scenario, and are made anew each time:
            slow-clients (1,000 connections that trickle, and the p99 of honest ones beside
            them) and outage (50 exporters whose receiver is away for a minute, and the
            busiest second after it). --only takes their names; --studies runs them after
            the matrix.

            EXAMPLES
              tracemill faults
              tracemill faults --only restarts --only bomb
              tracemill faults --only slow-clients --only outage
              tracemill faults --fresh --studies --markdown table.md

            EXIT CODES
              0 everything holds · 1 not met as it should be, left something, or too slow
              2 usage · 4 a law is broken, or a run came to nothing · 130, 143 interrupted
            """)

    @Option(help: "Folder of the scenarios, one fault each.", completion: .directory)
    var scenarios = "scenarios/faults"

    @Option(help: "Only this fault; repeatable.")
    var only: [String] = []

    @Flag(help: "After the matrix the studies of many clients: slow-clients, outage.")
    var studies = false

    @Option(help: "How long the receiver of the study `outage` is away.")
    var outage: Duration = Duration(nanoseconds: 60_000_000_000)

    @Option(help: "Folder for the result files.", completion: .directory)
    var state = "results/faults"

    @Flag(help: "Begin anew instead of going on.")
    var fresh = false

    @Option(help: "Write the table as Markdown into this file.", completion: .file())
    var markdown: String?

    @Flag(name: .shortAndLong, help: "No progress on standard error.")
    var quiet = false

    func run() throws {
        let files = try FaultMatrix.files(in: scenarios)
        let studyNames = FaultStudy.allCases.map(\.rawValue)
        for name in only where !(files.map(\.name) + studyNames).contains(name) {
            let names = (files.map(\.name) + studyNames).joined(separator: ", ")
            throw CommandFailure.usage(
                "there is no fault '\(TerminalText.neutralised(name.prefix(60)))'; there are "
                    + TerminalText.neutralised(names))
        }
        try ResultPath.check("results/x")
        try ResultPath.check("\(state)/x")
        if fresh { try clear(files) }
        let signalled = Mutex<TraceResults.ExitCode?>(nil)
        let signals = SignalWatch { code in signalled.withLock { if $0 == nil { $0 = code } } }
        defer { signals.stop() }
        let isQuiet = quiet
        let matrix = FaultMatrix(
            files: files, folder: state, executable: Self.executable,
            interruption: { signalled.withLock { $0 } },
            say: { if !isQuiet { Output.error($0) } })
        let names = only.isEmpty ? files.map(\.name) : only.filter { !studyNames.contains($0) }
        let style = TerminalStyle.detected(on: STDOUT_FILENO)
        var rows: [FaultRow] = []
        if !names.isEmpty {
            let capacity = try matrix.capacity()
            rows = try matrix.rows(of: names, capacity: capacity)
            Output.line(
                "capacity: \(NumberText.grouped(Int(capacity))) traces/s without a fault; results in "
                    + TerminalText.neutralised(state))
            Output.text(FaultTable.text(rows, style: style))
        }
        var studied: [StudyResult] = []
        for study in FaultStudy.allCases
        where (only.isEmpty && studies) || only.contains(study.rawValue) {
            if signalled.withLock({ $0 != nil }) { break }
            let result = try study.run(
                executable: Self.executable, outageNs: outage.nanoseconds,
                shouldStop: { signalled.withLock { $0 != nil } })
            Output.line(result.code == .pass ? result.line : style.bad(result.line))
            studied.append(result)
        }
        if let markdown {
            let text = FaultTable.markdown(rows) + studied.map { "\n\($0.line)\n" }.joined()
            do {
                try AtomicFile.write(Array(text.utf8), to: markdown)
            } catch {
                throw CommandFailure.usage("\(error)")
            }
        }
        if let code = signalled.withLock({ $0 }) {
            throw FaultMatrix.stopped(code)
        }
        let code = TraceResults.ExitCode.combining(rows.map(\.code) + studied.map(\.code))
        guard code == .pass else { throw CommandFailure(message: nil, code: code) }
    }

    /// Removes the result files that this command would have written, and nothing else.
    private func clear(_ files: [(name: String, path: String)]) throws {
        var names = ["capacity"]
        for file in files {
            names += FaultMatrix.loads.map { FaultMatrix.cellName(file.name, $0) }
        }
        for name in names where unsafe unlink("\(state)/\(name).json") != 0 && errno != ENOENT {
            throw CommandFailure.usage(
                "cannot remove '\(TerminalText.neutralised(state))/\(name).json': "
                    + "\(unsafe String(cString: strerror(errno)))")
        }
    }

    /// This program, by its path: a child cannot be started by /proc/self/exe of its parent.
    private static var executable: String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe readlink("/proc/self/exe", buffer.baseAddress!, buffer.count)
        }
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
