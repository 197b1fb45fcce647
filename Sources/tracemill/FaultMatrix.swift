// The fault matrix: what is run, and which result files are there already. A cell is one fault at one
// load, a fresh process each; its result file is its memory, so that a matrix that was stopped goes on.
import Glibc
import TraceLoad
import TraceResults

/// What came of a cell.
struct FaultOutcome {
    var run: RunRecord?
    /// Why there is no run.
    var failure: String?
    /// The timeout of an attempt to export, ns.
    var timeoutNs = 0.0
    /// Whether the run is one that was there already.
    var isKept = false
}

/// Runs the cells of a fault matrix one after the other.
struct FaultMatrix {
    /// Load over the capacity that was measured.
    static let loads = [0.5, 1, 2]
    /// The scenario without a fault: what others are compared with, and the capacity as written.
    static let faultFree = "none"
    /// The same by https, whose library alone takes some memory: what faults of TLS are compared with.
    static let faultFreeTLS = "none-tls"
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
        let faults = try names.filter { ![Self.faultFree, Self.faultFreeTLS].contains($0) }
            .map { (name: $0, reference: try reference(of: $0)) }
        var references: [String: RunRecord] = [:]
        for reference in Set(faults.map(\.reference)).union([Self.faultFree]).sorted() {
            for load in Self.loads {
                let name = Self.cellName(reference, load)
                let outcome = try cell(name, scenario: path(reference), rate: capacity * load)
                if let code = interruption() { throw Self.stopped(code) }
                references[name] = outcome.run
                say("\(name): \(outcome.failure ?? "done")\(Self.origin(outcome))")
            }
        }
        var rows: [FaultRow] = []
        for (name, reference) in faults {
            for load in Self.loads {
                let cellName = Self.cellName(name, load)
                let faultFree = references[Self.cellName(reference, load)]
                let outcome = try cell(cellName, scenario: path(name), rate: capacity * load)
                // What a signal cut off says nothing of the fault.
                if interruption() != nil { return rows }
                var row = FaultRow(fault: name, load: load, outcome, faultFree: faultFree)
                if row.isOnlySlow {
                    // Time on a machine that others use: once more, and the better of the two.
                    remove(cellName)
                    let again = try cell(cellName, scenario: path(name), rate: capacity * load)
                    if interruption() != nil { return rows }
                    let second = FaultRow(fault: name, load: load, again, faultFree: faultFree)
                    if !second.isOnlySlow
                        || second.endRatio ?? .infinity < row.endRatio ?? .infinity
                    {
                        row = second
                    }
                }
                say("\(cellName): \(row.verdict)\(Self.origin(outcome))")
                rows.append(row)
            }
        }
        return rows
    }

    /// The fault-free scenario that speaks to its receiver as `name` does.
    private func reference(of name: String) throws -> String {
        let speaksTLS = try ScenarioFile.loaded(path(name)).sink.speaksTLS
        return speaksTLS && files.contains { $0.name == Self.faultFreeTLS }
            ? Self.faultFreeTLS : Self.faultFree
    }

    private static func origin(_ outcome: FaultOutcome) -> String {
        outcome.isKept ? " (run before)" : ""
    }

    /// Whether a result that is there is this program's: what another build did says nothing of this one.
    private func isOwn(_ result: RunResult, at path: String) -> Bool {
        let own = ToolFacts.current(version: Build.version, commit: Build.commit)
        guard result.tool.version == own.version, result.tool.commit == own.commit,
            result.tool.buildMode == own.buildMode, let written = Self.changed(path),
            let built = Self.changed(executable)
        else { return false }
        return written >= built
    }

    /// When a file was changed last, in seconds of Unix time; nil without one.
    private static func changed(_ path: String) -> Int? {
        var facts = stat()
        guard unsafe stat(path, &facts) == 0 else { return nil }
        return facts.st_mtim.tv_sec
    }

    /// A cell's run: from its file, or run now.
    private func cell(
        _ name: String, scenario: String, rate: Double?
    ) throws -> FaultOutcome {
        let path = "\(folder)/\(name).json"
        var resolved = try ScenarioFile.loaded(scenario)
        let rate = rate?.rounded()
        if let rate { resolved = resolved.offering(tracesPerS: rate) }
        let digest = SHA256Digest.hex(of: resolved.canonicalText)
        var outcome = FaultOutcome(timeoutNs: resolved.pipeline.exporter.timeoutNs)
        if let kept = try? ResultFile.read(path), kept.scenario.sha256 == digest,
            isOwn(kept, at: path), let run = kept.runs.first, !run.interrupted
        {
            outcome.run = run
            outcome.isKept = true
            return outcome
        }
        var arguments = [
            executable, "run", scenario, "--quiet", "--json", "--output", path,
            // Seconds of some thousand spans a second: each is needed for the 99.9th percentile.
            "--timed-one-in", "1",
        ]
        if let rate { arguments += ["--rate", String(rate)] }
        let child = ChildRun.run(
            arguments, timeoutNs: Self.timeoutNs, shouldStop: { interruption() != nil })
        switch child.ending {
        case .exited(0), .exited(ExitCode.invalidRun.rawValue):
            outcome.run = try? ResultFile.read(path).runs.first
            if outcome.run == nil { outcome.failure = "it left no result: \(child.lastWords)" }
        case .exited(let code): outcome.failure = "it ended with \(code): \(child.lastWords)"
        case .signalled(let number): outcome.failure = "signal \(number) ended it"
        case .timedOut: outcome.failure = "it hung"
        case .stopped: outcome.failure = "stopped"
        case .cannotStart(let reason): outcome.failure = "it cannot be started: \(reason)"
        }
        return outcome
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

    static func cellName(_ name: String, _ load: Double) -> String { "\(name)-\(text(load))" }

    static func text(_ load: Double) -> String {
        load == load.rounded() ? "\(Int(load))x" : "\(load)x"
    }

    typealias ExitCode = TraceResults.ExitCode
}
