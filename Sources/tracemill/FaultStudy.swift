// What no single run can say: what a receiver does with a thousand slow clients, and what fifty exporters do
// to a receiver that comes back. Each takes as long as it takes, keeps nothing, and is judged like a row.
import TraceResults

/// A study of the fault matrix that is no scenario of one exporter.
enum FaultStudy: String, CaseIterable {
    case slowClients = "slow-clients"
    case outage

    /// Runs it; blocks for its time. What only takes too long, on a machine that others use, is run again.
    func run(
        executable: String, outageNs: UInt64, shouldStop: @escaping @Sendable () -> Bool
    ) throws -> StudyResult {
        let first = try once(executable, outageNs, shouldStop)
        guard first.broken.isEmpty, !first.exceeded.isEmpty, !shouldStop() else { return first }
        let second = try once(executable, outageNs, shouldStop)
        return second.broken.isEmpty && second.exceeded.count > first.exceeded.count
            ? first : second
    }

    private func once(
        _ executable: String, _ outageNs: UInt64, _ shouldStop: @escaping @Sendable () -> Bool
    ) throws -> StudyResult {
        switch self {
        case .slowClients:
            try SlowClientStudy(executable: executable, shouldStop: shouldStop).run()
        case .outage:
            try OutageStudy(executable: executable, outageNs: outageNs, shouldStop: shouldStop)
                .run()
        }
    }
}

/// What a study found.
struct StudyResult {
    let study: FaultStudy
    /// What was seen, in a line.
    let summary: String
    /// What may not be, whatever the machine.
    var broken: [String] = []
    /// What took too long or was too much.
    var exceeded: [String] = []

    var code: TraceResults.ExitCode {
        if !broken.isEmpty { return .invalidRun }
        return exceeded.isEmpty ? .pass : .regression
    }

    var verdict: String {
        let findings = broken + exceeded
        return findings.isEmpty ? "holds" : findings.joined(separator: "; ")
    }

    /// For people and for Markdown.
    var line: String { "\(study.rawValue): \(summary): \(verdict)" }
}
