// What a self-test has found so far: every gate with its verdict, so that a long test can be stopped and
// gone on with, and so that its rates can be counted again.
import FoundationEssentials
import TraceResults

/// One gate of a self-test.
struct SelftestTrial: Codable {
    /// The extra work in the head as a share; 0 for the program against itself.
    var injectedShare: Double
    /// The seed of the order of its runs.
    var orderSeed: String
    /// What the gate said of the budget.
    var verdict: GateVerdict
    /// head / base.
    var estimate: Double?
    /// Whether the machine was fit by the gate's own rule.
    var isFit: Bool
}

/// The state file, `tracemill.selftest/2`.
struct SelftestState: Codable {
    static let currentSchema = "tracemill.selftest/2"

    var schema = SelftestState.currentSchema
    /// What must be the same for gates to be counted together.
    var scenarioSHA256: String
    var budget: String
    var rounds: Int
    var machine: String
    var trials: [SelftestTrial] = []

    /// The gates with this share.
    func trials(injecting share: Double) -> [SelftestTrial] {
        trials.filter { abs($0.injectedShare - share) < 1e-9 }
    }

    /// The state in a file, or `fresh` where there is none yet.
    static func resumed(from path: String, fresh: SelftestState) throws -> SelftestState {
        guard FileManager.default.fileExists(atPath: path) else { return fresh }
        let shown = TerminalText.neutralised(path)
        let stored: SelftestState
        do {
            let data = try Data(contentsOf: URL(filePath: path))
            stored = try JSONDecoder().decode(SelftestState.self, from: data)
        } catch {
            throw CommandFailure.usage(
                "'\(shown)' is not a whole state file of a self-test: move it away, or name another "
                    + "with --state")
        }
        guard stored.schema == currentSchema, stored.scenarioSHA256 == fresh.scenarioSHA256,
            stored.budget == fresh.budget, stored.rounds == fresh.rounds,
            stored.machine == fresh.machine
        else {
            throw CommandFailure.usage(
                "'\(shown)' holds gates of another scenario, budget, number of rounds or machine: they "
                    + "cannot be counted together. Name another file with --state")
        }
        return stored
    }

    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            try AtomicFile.write(Array(try encoder.encode(self)), to: path)
        } catch let error as FileWriteError {
            throw CommandFailure.usage("\(error)")
        }
    }
}

/// What a self-test came to, as a table and as a document.
struct SelftestReport {
    private let state: SelftestState

    init(_ state: SelftestState) { self.state = state }

    private struct Row {
        var share: Double
        var counts: [GateVerdict: Int]
        var count: Int
        var found: IntervalEstimate
        var unfit: Int
        var estimate: Double?
    }

    private var rows: [Row] {
        Set(state.trials.map(\.injectedShare)).sorted().map { share in
            let trials = state.trials(injecting: share)
            let regressed = trials.count { $0.verdict == .regressed }
            let estimates = trials.compactMap(\.estimate)
            return Row(
                share: share,
                counts: Dictionary(grouping: trials, by: \.verdict).mapValues(\.count),
                count: trials.count,
                found: BinomialShare.interval(hits: regressed, trials: trials.count),
                unfit: trials.count { !$0.isFit },
                estimate: estimates.isEmpty ? nil : OrderStatistics.median(estimates))
        }
    }

    var text: String {
        var text = "selftest  \(state.budget), \(state.rounds) rounds a gate, \(state.machine)\n\n"
        text +=
            "  injected  gates  regressed  inconclusive  pass  error     found [95% interval]   median\n"
        for row in rows {
            func count(_ verdict: GateVerdict, _ width: Int) -> String {
                TerminalText.rightAligned(String(row.counts[verdict] ?? 0), columns: width)
            }
            let share = row.share == 0 ? "none" : Self.percent(row.share)
            let found =
                "\(Self.percent(row.found.estimate)) [\(Self.percent(row.found.lower)), "
                + "\(Self.percent(row.found.upper))]"
            let median = row.estimate.map { Self.percent($0 - 1) } ?? "–"
            text +=
                "  " + TerminalText.fitted(share, columns: 8)
                + TerminalText.rightAligned(String(row.count), columns: 7)
                + count(.regressed, 11) + count(.inconclusive, 14) + count(.pass, 6)
                + count(.error, 7) + TerminalText.rightAligned(found, columns: 25)
                + TerminalText.rightAligned(median, columns: 9) + "\n"
        }
        let unfit = rows.reduce(0) { $0 + $1.unfit }
        if unfit > 0 {
            text += "\n  the machine was unfit, by its calibration, in \(unfit) gates\n"
        }
        text += "\n  regressed without an injection: false alarms; with one: what was found\n"
        return text
    }

    var document: JSONValue {
        .object([
            "schema": .string("tracemill.selftest-report/1"),
            "budget": .string(state.budget),
            "rounds": .integer(Int64(state.rounds)),
            "rows": .array(
                rows.map { row in
                    .object([
                        "injectedShare": .number(row.share),
                        "gates": .integer(Int64(row.count)),
                        "regressed": .integer(Int64(row.counts[.regressed] ?? 0)),
                        "inconclusive": .integer(Int64(row.counts[.inconclusive] ?? 0)),
                        "pass": .integer(Int64(row.counts[.pass] ?? 0)),
                        "error": .integer(Int64(row.counts[.error] ?? 0)),
                        "regressedShare": .number(row.found.estimate),
                        "lower": .number(row.found.lower),
                        "upper": .number(row.found.upper),
                        "unfitGates": .integer(Int64(row.unfit)),
                        "medianRatio": row.estimate.map(JSONValue.number) ?? .null,
                    ])
                }),
        ])
    }

    private static func percent(_ share: Double) -> String {
        NumberText.fixed(share * 100, decimals: 1) + "%"
    }
}
