import Foundation
import TraceHistory
import TraceResults

/// Results with one figure each, and a folder for a history.
enum SampleHistory {
    /// A result whose runs have these processor times.
    static func result(
        _ values: [Double], at time: String = "2026-11-21T12:00:00.000Z", commit: String = "",
        scenario: String = "checkout", resolved: String = "version: 1\n", cpu: String = "Some CPU",
        kept: Double? = nil
    ) -> RunResult {
        var result = RunResult()
        result.tool = ToolFacts.current(version: "0.1.0", commit: commit)
        result.scenario = ScenarioFacts(name: scenario, seed: 42, resolved: resolved)
        result.environment.hard.architecture = "x86_64"
        result.environment.hard.cpuModel = cpu
        result.environment.hard.cpuCount = 2
        result.design.rounds = values.count
        result.runs = values.enumerated().map { round, value in
            var run = RunRecord()
            run.round = round
            run.startedAt = time
            run.valid = true
            run.load.durationNs = 1_000_000_000
            run.ledger.close()
            run.set(.cpuNsPerSpan, value)
            if let kept { run.set(.keptSpans, kept) }
            return run
        }
        return result
    }

    /// Day `day` of a series of days from the first of November on.
    static func day(_ day: Int) -> String {
        let text = String(1 + day % 28)
        let month = String(1 + day / 28)
        func padded(_ text: String) -> String { text.count < 2 ? "0" + text : text }
        return "2026-\(padded(month))-\(padded(text))T12:00:00.000Z"
    }

    static func entry(_ result: RunResult, digest: String = UUID().uuidString) throws
        -> HistoryEntry
    {
        try HistoryEntry(result, path: "results/x.json", fileSHA256: digest)
    }
}

/// A folder of its own, gone with the value.
final class Folder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory
            .appendingPathComponent("tracemill-history-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appendingPathComponent(name).path }
}
