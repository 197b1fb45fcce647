// What each fault of the library is to be answered with, beside the laws that hold for all of them.
// Sources: the OTLP specification's failures and throttling (1.9, "OTLP/HTTP Response", "OTLP/HTTP Throttling"),
// and what the exporter says of itself in docs/pipeline.md.
import TraceResults

/// How an exporter is to meet a fault.
struct FaultExpectation {
    enum Attempts {
        /// Never sent again: refused for good, or it may have arrived.
        case one
        /// Sent again.
        case several
    }

    var attempts: Attempts
    /// Whether the receiver says that it rejected some, which are to be counted so.
    var rejects = false
    /// Whether an attempt's timeout is what ends the wait.
    var isCutByTimeout = false
    /// No fresh span goes out sooner than that after the fault, ns: what a Retry-After asks for.
    var holdNs = 0.0

    /// An attempt ends so long after its timeout at most.
    static let timeoutGraceNs = 250e6

    /// By the name of the scenario file. A fault that somebody else wrote has none.
    static let byName: [String: FaultExpectation] = {
        var all: [String: FaultExpectation] = [
            "partial-success": .init(attempts: .one, rejects: true),
            "retry-after-huge": .init(attempts: .one),
            // A date says no more than the second.
            "retry-after-date": .init(attempts: .several, holdNs: 1e9),
            "retry-after-seconds": .init(attempts: .several, holdNs: 2e9),
            "retry-after-twice": .init(attempts: .several, holdNs: 1e9),
        ]
        for name in [
            "bomb", "flood", "header-flood", "latency-10ms", "partial-warning", "redirect",
            "status-400", "status-401", "status-404", "status-413", "status-500", "tls-expired",
            "tls-self-signed", "tls-wrong-host", "truncated", "wrong-type",
        ] {
            all[name] = .init(attempts: .one)
        }
        for name in [
            "drip", "latency-10s", "latency-1s", "never-answers", "never-reads", "stopped",
        ] {
            all[name] = .init(attempts: .one, isCutByTimeout: true)
        }
        for name in [
            "port-closed", "reset-after", "reset-before", "reset-body", "restarts",
            "retry-after-garbage", "retry-after-negative", "retry-after-past", "retry-after-zero",
            "status-429", "status-502", "status-503", "status-504", "tls-1.0", "tls-plain",
        ] {
            all[name] = .init(attempts: .several)
        }
        return all
    }()

    /// What a run did otherwise.
    func findings(_ run: RunRecord, timeoutNs: Double) -> [String] {
        var findings: [String] = []
        let resent = run.ledger.batches?.resentSpans ?? 0
        switch attempts {
        case .one where resent > 0:
            findings.append("\(NumberText.grouped(resent)) spans were sent again")
        case .several where resent == 0: findings.append("nothing was sent again")
        default: break
        }
        let rejected = run.ledger.batches?.rejectedSpans ?? 0
        if rejects != (rejected > 0) {
            findings.append(
                rejects
                    ? "no span was counted as rejected"
                    : "\(NumberText.grouped(rejected)) spans were counted as rejected")
        }
        if isCutByTimeout {
            let longestNs = run.metrics[LatencyName.exportRequest.metricName("Max")]?.value
            if let longestNs, longestNs <= timeoutNs + Self.timeoutGraceNs {
                if longestNs < 0.99 * timeoutNs {
                    findings.append(
                        "no attempt lasted as long as its timeout: at most "
                            + NumberText.duration(ns: longestNs))
                }
            } else {
                let text = longestNs.map { NumberText.duration(ns: $0) } ?? "an unknown time"
                findings.append(
                    "an attempt took \(text), its timeout is \(NumberText.duration(ns: timeoutNs))")
            }
        }
        if holdNs > 0, let recoveryNs = run.value(.recoveryNs), recoveryNs < holdNs {
            findings.append(
                "sent \(NumberText.duration(ns: recoveryNs)) after a Retry-After of "
                    + NumberText.duration(ns: holdNs))
        }
        return findings
    }
}
