import TraceLoad
import TraceResults

/// A scenario's budgets after a single run: objectives are judged, shares over a base need a gate.
enum RunBudgets {
    /// Says what broke, and throws the exit code.
    static func judge(_ record: RunRecord, of scenario: Scenario, showsTable: Bool) throws {
        let budgets = scenario.budgets.map(GateBudget.init)
        guard !budgets.isEmpty else { return }
        let rows = GateJudge.rows(ofSingle: record, budgets: budgets)
        let style = TerminalStyle.detected(on: showsTable ? 1 : 2)
        for line in GateTable(style: style).lines(ofSingle: rows) {
            if showsTable { Output.line(line) } else { Output.error(line) }
        }
        let left = budgets.count - rows.count
        if left > 0, showsTable {
            Output.line(
                "  \(left) relative budget\(left == 1 ? " needs" : "s need") `tracemill gate`")
        }
        let code = ExitCode.combining(rows.map(\.exitCode))
        guard code == .pass else { throw CommandFailure(message: nil, code: code) }
    }
}

extension Scenario {
    /// Whether the schedule says how many traces there are, so that the same seed gives the same spans.
    var hasFixedSchedule: Bool {
        clock == .simulated
            && traffic.allSatisfy { $0.stages.allSatisfy { $0.rate != .max } }
    }
}
