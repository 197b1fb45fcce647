/// The state of one circuit breaker across the traces of a run: closed until `failures` calls have
/// failed within `window`, open for `openFor`, then half open for a few trial calls whose success
/// closes it again. Driven in the order of simulated time. One thread.
struct BreakerState: Sendable {
    enum Verdict { case closed, firstTrial, trial, rejected }
    enum Change { case unchanged, opened, closed }
    private enum Mode { case closed, open, halfOpen }

    private var mode = Mode.closed {
        didSet { epoch &+= 1 }
    }
    /// Changes with every change of mode: what was let through before one is no news after it.
    private(set) var epoch: UInt32 = 0
    /// The last failures while closed, a ring as long as it takes to open.
    private var failureTimes: [UInt64]
    private var nextFailure = 0
    private var failureCount = 0
    private var openedNs: UInt64 = 0
    private var trialsBegun = 0
    private var trialsPassed = 0

    init(_ rule: CompiledBreaker) {
        failureTimes = [UInt64](repeating: 0, count: rule.failures)
    }

    /// Whether a call may go through at this time.
    mutating func admit(_ rule: CompiledBreaker, at timeNs: UInt64) -> Verdict {
        switch mode {
        case .closed: return .closed
        case .open:
            guard timeNs >= openedNs + rule.openForNs else { return .rejected }
            (mode, trialsBegun, trialsPassed) = (.halfOpen, 1, 0)
            return .firstTrial
        case .halfOpen:
            guard trialsBegun < rule.halfOpenCalls else { return .rejected }
            trialsBegun += 1
            return .trial
        }
    }

    /// What the outcome of an admitted call does.
    mutating func settle(
        _ rule: CompiledBreaker, at timeNs: UInt64, hasFailed: Bool
    ) -> Change {
        switch mode {
        case .open: return .unchanged
        case .halfOpen:
            if hasFailed { return open(at: timeNs) }
            trialsPassed += 1
            guard trialsPassed >= rule.halfOpenCalls else { return .unchanged }
            (mode, failureCount) = (.closed, 0)
            return .closed
        case .closed:
            guard hasFailed else { return .unchanged }
            // The slot about to be overwritten holds the failure `failures − 1` before this one
            // once the ring has been filled.
            failureTimes[nextFailure] = timeNs
            nextFailure = (nextFailure + 1) % failureTimes.count
            failureCount = min(failureCount + 1, failureTimes.count)
            guard failureCount == failureTimes.count else { return .unchanged }
            let oldestNs = failureTimes[nextFailure]
            return timeNs <= oldestNs + rule.windowNs ? open(at: timeNs) : .unchanged
        }
    }

    private mutating func open(at timeNs: UInt64) -> Change {
        (mode, openedNs, failureCount) = (.open, timeNs, 0)
        return .opened
    }
}
