// One cell of the fault matrix judged: the books first, then what the fault left behind.
import TraceResults

/// One fault at one load, beside the run without a fault at the same load.
struct FaultRow {
    /// A fresh span is acknowledged within so long once the fault is over.
    static let recoveryNsMax = 5e9
    /// Resident memory may be so much beyond the run without a fault.
    static let growthBytesMax = 8.0 * 1024 * 1024
    /// p99.9 of `end` may be this many times that of the run without a fault …
    static let endRatioMax = 2.0
    /// … and no less than this beyond it: below, the machine's own interruptions decide.
    static let endNsGrace = 10_000.0

    let fault: String
    let load: Double
    /// Why there is no run; nil when there is one.
    let failure: String?
    /// Laws that do not hold.
    var brokenLaws: [String] = []
    /// Spans acknowledged and not received.
    var missing: UInt64 = 0
    var acknowledged: UInt64 = 0
    var dropped: UInt64 = 0
    var duplicates: UInt64 = 0
    var resent: UInt64 = 0
    var recoveryNs: Double?
    var leakedThreads = 0.0
    var leakedDescriptors = 0.0
    var growthBytes: Double?
    var endNs: Double?
    var endRatio: Double?
    private var wasStruck = false
    private var endExcessNs = 0.0
    /// What was not as expected of this fault.
    private var surprises: [String] = []

    init(fault: String, load: Double, _ outcome: FaultOutcome, faultFree: RunRecord?) {
        self.fault = fault
        self.load = load
        failure = outcome.run == nil ? outcome.failure ?? "no result" : nil
        guard let run = outcome.run else { return }
        // Added up again: what the file says of its books is not believed.
        let violations = run.ledger.violations + run.ledger.violations(at: .atRest)
        brokenLaws = violations.map(\.message)
        if run.ledger.checked.isEmpty { brokenLaws.append("its books were never closed") }
        if let batches = run.ledger.batches, batches.mismatchCount > 0 {
            brokenLaws.append("\(batches.mismatchCount) batches do not match the receiver's")
        }
        acknowledged = run.ledger.deliveries.reduce(0) { $0 + $1.acknowledged.count }
        dropped = run.ledger.deliveries.reduce(0) { $0 + $1.dropped }
        if let sink = run.ledger.sink {
            let distinct = UInt64(sink.spansDistinct)
            missing = acknowledged > distinct ? acknowledged - distinct : 0
            duplicates = UInt64(sink.spansDuplicate)
            wasStruck = sink.lastFaultNs != nil
            if let plain = sink.plainRequests, plain > 0 {
                brokenLaws.append("\(plain) requests came in plain text instead of TLS")
            }
        }
        resent = run.ledger.batches?.resentSpans ?? 0
        recoveryNs = run.value(.recoveryNs)
        endNs = run.metrics[LatencyName.spanEnd.metricName("P999")]?.value
        if wasStruck, let expected = FaultExpectation.byName[fault] {
            surprises = expected.findings(run, timeoutNs: outcome.timeoutNs)
        }
        guard let faultFree else { return }
        leakedThreads = (run.value(.threadsAtEnd) ?? 0) - (faultFree.value(.threadsAtEnd) ?? 0)
        leakedDescriptors =
            (run.value(.descriptorsAtEnd) ?? 0) - (faultFree.value(.descriptorsAtEnd) ?? 0)
        if let peak = run.value(.peakResidentBytes), let usual = faultFree.value(.peakResidentBytes)
        {
            growthBytes = peak - usual
        }
        if let endNs, let usual = faultFree.metrics[LatencyName.spanEnd.metricName("P999")]?.value,
            usual > 0
        {
            endRatio = endNs / usual
            endExcessNs = endNs - usual
        }
    }

    /// What is wrong with the books: then nothing else counts.
    var lawFindings: [String] {
        var findings = brokenLaws
        if let failure { findings.append(failure) }
        if missing > 0 { findings.append("\(missing) acknowledged spans are missing") }
        if duplicates > resent { findings.append("\(duplicates - resent) duplicates nobody sent") }
        if failure == nil, !wasStruck { findings.append("the fault never struck") }
        return findings
    }

    /// What was not as expected, was left behind, or took too long.
    var findings: [String] {
        var findings = surprises
        if failure == nil, recoveryNs ?? .infinity > Self.recoveryNsMax {
            let text = recoveryNs.map { NumberText.duration(ns: $0) } ?? "never"
            findings.append("no fresh span within 5 s: \(text)")
        }
        if leakedThreads > 0 { findings.append("\(Int(leakedThreads)) threads left") }
        if leakedDescriptors > 0 { findings.append("\(Int(leakedDescriptors)) files left open") }
        if let growthBytes, growthBytes > Self.growthBytesMax {
            findings.append("memory grew by \(NumberText.size(bytes: growthBytes))")
        }
        if isSlow { findings.append("end p99.9 × \(NumberText.short(endRatio ?? 0))") }
        return findings
    }

    private var isSlow: Bool {
        (endRatio ?? 0) > Self.endRatioMax && endExcessNs > Self.endNsGrace
    }

    /// Whether time alone is what is wrong.
    var isOnlySlow: Bool { isSlow && lawFindings.isEmpty && findings.count == 1 }

    var code: TraceResults.ExitCode {
        if !lawFindings.isEmpty { return .invalidRun }
        return findings.isEmpty ? .pass : .regression
    }

    var verdict: String {
        let all = lawFindings + findings
        return all.isEmpty ? "holds" : all.joined(separator: "; ")
    }
}

/// The matrix as a table for people and as Markdown.
enum FaultTable {
    private static let heading = [
        "fault", "load", "laws", "missing", "acknowledged", "dropped", "duplicates / resent",
        "next fresh span", "threads, files left", "memory", "end p99.9", "× fault-free",
    ]

    static func markdown(_ rows: [FaultRow]) -> String {
        let lines = [heading, heading.map { $0 == "fault" ? "---" : "--:" }] + rows.map(cells)
        return lines.map { "| " + $0.joined(separator: " | ") + " |\n" }.joined()
    }

    static func text(_ rows: [FaultRow], style: TerminalStyle) -> String {
        let cells = [heading] + rows.map(cells)
        let widths = heading.indices.map { column in
            cells.map { TerminalText.width($0[column]) }.max() ?? 0
        }
        var lines = cells.enumerated().map { index, row in
            let line = zip(row, widths).enumerated().map { column, cell in
                column == 0
                    ? TerminalText.fitted(cell.0, columns: cell.1)
                    : TerminalText.rightAligned(cell.0, columns: cell.1)
            }.joined(separator: "  ")
            guard index > 0 else { return style.bold(line) }
            return rows[index - 1].code == .pass ? line : style.bad(line)
        }
        for row in rows where row.code != .pass {
            let text = "\(row.fault) at \(FaultMatrix.text(row.load)): \(row.verdict)"
            lines.append(style.bad("! " + TerminalText.neutralised(text)))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func cells(_ row: FaultRow) -> [String] {
        func count(_ number: UInt64) -> String { NumberText.grouped(number) }
        let growth = row.growthBytes.map { bytes in
            (bytes < 0 ? "-" : "+") + NumberText.size(bytes: abs(bytes))
        }
        return [
            TerminalText.neutralised(row.fault), FaultMatrix.text(row.load),
            row.failure != nil ? "–" : row.brokenLaws.isEmpty ? "hold" : "BROKEN",
            count(row.missing), count(row.acknowledged), count(row.dropped),
            "\(count(row.duplicates)) / \(count(row.resent))",
            row.recoveryNs.map { NumberText.duration(ns: $0) } ?? "–",
            "\(Int(row.leakedThreads)), \(Int(row.leakedDescriptors))", growth ?? "–",
            row.endNs.map { NumberText.duration(ns: $0) } ?? "–",
            row.endRatio.map { NumberText.short($0) } ?? "–",
        ]
    }
}
