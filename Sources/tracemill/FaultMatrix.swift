// The fault matrix: what is run, and which result files are there already. A cell is one fault at one
// load, a fresh process each; its result file is its memory, so that a matrix that was stopped goes on.
import Glibc
import TraceLoad
import TraceResults

/// Runs the cells of a fault matrix one after the other.
struct FaultMatrix {
    /// Load over the capacity that was measured.
    static let loads = [0.5, 1, 2]
    /// The scenario without a fault: the first column of every comparison, and the capacity as written.
    static let faultFree = "none"
    /// A run of some seconds that takes so long hangs.
    private static let timeoutNs: UInt64 = 120_000_000_000

    /// Scenario files by the fault's name.
    let files: [(name: String, path: String)]
    /// Where result files go.
    let folder: String
    let executable: String
    /// The signal that is to end it.
    let interruption: () -> ExitCode?
    let say: (String) -> Void

    /// The scenario files of a folder, the fault-free one first.
    static func files(in folder: String) throws -> [(name: String, path: String)] {
        guard let directory = unsafe opendir(folder) else {
            throw CommandFailure.usage(
                "cannot read the folder '\(TerminalText.neutralised(folder))': "
                    + "\(unsafe String(cString: strerror(errno))); name one with --scenarios")
        }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(".yaml"), !name.hasPrefix(".") {
                names.append(String(name.dropLast(5)))
            }
        }
        guard names.contains(faultFree) else {
            throw CommandFailure.usage(
                "'\(TerminalText.neutralised(folder))' has no \(faultFree).yaml: without a run without "
                    + "faults there is no capacity to go by")
        }
        names.sort { $0 == faultFree ? $1 != faultFree : $1 != faultFree && $0 < $1 }
        return names.map { ($0, "\(folder)/\($0).yaml") }
    }

    /// Traces a second that are delivered when more is offered.
    func capacity() throws -> Double {
        let outcome = try cell("capacity", scenario: path(Self.faultFree), rate: nil)
        if let code = interruption() { throw Self.stopped(code) }
        guard let run = outcome.run else {
            throw CommandFailure(
                message: "the capacity cannot be measured: \(outcome.failure ?? "no result")",
                code: .invalidRun)
        }
        let spansPerTrace =
            Double(run.load.achievedSpans) / Double(max(1, run.load.achievedTraces))
        guard let delivered = run.value(.deliveredSpansPerS), spansPerTrace > 0, delivered > 0
        else {
            throw CommandFailure(
                message: "the capacity cannot be measured: nothing was delivered", code: .invalidRun
            )
        }
        return delivered / spansPerTrace
    }

    /// Every cell of these faults, the fault-free ones first.
    func rows(of names: [String], capacity: Double) throws -> [FaultRow] {
        var faultFree: [Double: RunRecord] = [:]
        for load in Self.loads {
            let name = "\(Self.faultFree)-\(Self.text(load))"
            let outcome = try cell(
                name, scenario: path(Self.faultFree), rate: capacity * load)
            if let code = interruption() { throw Self.stopped(code) }
            faultFree[load] = outcome.run
            say("\(name): \(outcome.failure ?? "done")")
        }
        var rows: [FaultRow] = []
        for name in names where name != Self.faultFree {
            for load in Self.loads {
                let cellName = "\(name)-\(Self.text(load))"
                let outcome = try cell(cellName, scenario: path(name), rate: capacity * load)
                // What a signal cut off says nothing of the fault.
                if interruption() != nil { return rows }
                var row = FaultRow(
                    fault: name, load: load, outcome, faultFree: faultFree[load])
                if row.isOnlySlow {
                    // Time on a machine that others use: once more, and the better of the two.
                    remove(cellName)
                    let again = try cell(cellName, scenario: path(name), rate: capacity * load)
                    if interruption() != nil { return rows }
                    let second = FaultRow(
                        fault: name, load: load, again, faultFree: faultFree[load])
                    if !second.isOnlySlow
                        || second.endRatio ?? .infinity < row.endRatio ?? .infinity
                    {
                        row = second
                    }
                }
                say("\(cellName): \(row.verdict)")
                rows.append(row)
            }
        }
        return rows
    }

    /// A cell's run: from its file, or run now.
    private func cell(
        _ name: String, scenario: String, rate: Double?
    ) throws -> (run: RunRecord?, failure: String?) {
        let path = "\(folder)/\(name).json"
        var resolved = try ScenarioFile.loaded(scenario)
        let rate = rate?.rounded()
        if let rate { resolved = resolved.offering(tracesPerS: rate) }
        let digest = SHA256Digest.hex(of: resolved.canonicalText)
        if let kept = try? ResultFile.read(path), kept.scenario.sha256 == digest,
            let run = kept.runs.first, !run.interrupted
        {
            return (run, nil)
        }
        var arguments = [
            executable, "run", scenario, "--quiet", "--json", "--output", path,
        ]
        if let rate { arguments += ["--rate", String(rate)] }
        let child = ChildRun.run(
            arguments, timeoutNs: Self.timeoutNs, shouldStop: { interruption() != nil })
        switch child.ending {
        case .exited(0), .exited(ExitCode.invalidRun.rawValue):
            guard let run = try? ResultFile.read(path).runs.first else {
                return (nil, "it left no result: \(child.lastWords)")
            }
            return (run, nil)
        case .exited(let code): return (nil, "it ended with \(code): \(child.lastWords)")
        case .signalled(let number): return (nil, "signal \(number) ended it")
        case .timedOut: return (nil, "it hung")
        case .stopped: return (nil, "stopped")
        case .cannotStart(let reason): return (nil, "it cannot be started: \(reason)")
        }
    }

    /// What a signal makes of it.
    static func stopped(_ code: ExitCode) -> CommandFailure {
        CommandFailure(message: "stopped; the same command goes on", code: code)
    }

    private func remove(_ name: String) {
        unsafe unlink("\(folder)/\(name).json")
    }

    private func path(_ name: String) -> String {
        files.first { $0.name == name }?.path ?? ""
    }

    static func text(_ load: Double) -> String {
        load == load.rounded() ? "\(Int(load))x" : "\(load)x"
    }

    typealias ExitCode = TraceResults.ExitCode
}
