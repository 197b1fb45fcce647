// The exit codes of every command, and which of several findings wins. A script that runs the
// tool reads nothing else, so the numbers never change.

/// What a command ends with.
public enum ExitCode: Int32, Sendable, CaseIterable {
    /// Everything asked for was done and holds.
    case pass = 0
    /// A regression, or a budget broken.
    case regression = 1
    /// A usage error, a bad file, a digest that differs, a metric that is missing.
    case usage = 2
    /// No decision possible from these figures, or the machine is unfit to measure.
    case inconclusive = 3
    /// The run is invalid: a conservation law broken, the schedule not held, the system under
    /// test gone.
    case invalidRun = 4
    /// A defect of the tool itself.
    case internalError = 70
    /// Ended by SIGINT (128 + 2).
    case interrupted = 130
    /// Ended by SIGTERM (128 + 15).
    case terminated = 143

    /// How strongly this finding pushes the others aside; higher wins.
    ///
    /// The order of the verdicts is 2 > 4 > 1 > 3 > 0. A signal outranks them, for what was
    /// found up to then is not the whole; a defect of the tool outranks everything, for then
    /// nothing it found can be trusted.
    private var precedence: Int {
        switch self {
        case .pass: 0
        case .inconclusive: 1
        case .regression: 2
        case .invalidRun: 3
        case .usage: 4
        case .interrupted, .terminated: 5
        case .internalError: 6
        }
    }

    /// The code a command ends with when it found all of `findings`; `.pass` when there are none.
    ///
    /// Of two signals, the first one counts.
    public static func combining(_ findings: some Sequence<ExitCode>) -> ExitCode {
        var result = ExitCode.pass
        for finding in findings where finding.precedence > result.precedence {
            result = finding
        }
        return result
    }
}
