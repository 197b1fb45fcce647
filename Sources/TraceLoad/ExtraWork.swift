import Synchronization
import TracePipeline
import TraceResults

/// Work that a pipeline need not do: a share of the processor time that everything else in the process
/// takes, spent on the thread that exports. With it a gate can be asked whether it finds what is known to be
/// there: the share is held by measuring, batch after batch, so it is the same on a quick machine and on
/// a slow one. Processor time, not sleep.
struct ExtraWork {
    private let share: Double

    init(_ options: RunOptions) {
        share = options.extraWorkShare
    }

    /// An observer that works off what is due at each settled batch, then does what `observer` does.
    func around(_ observer: @escaping BatchObserver) -> BatchObserver {
        guard share > 0 else { return observer }
        let debt = ExtraWorkDebt(share: share)
        return { record in
            debt.workOff()
            observer(record)
        }
    }
}

/// What is due. `workOff` from any thread; one at a time works.
private final class ExtraWorkDebt: Sendable {
    private struct State {
        /// Processor time of the process when the first batch was settled, ns.
        var begunNs: UInt64?
        /// Processor time spent here since, ns.
        var spentNs: UInt64 = 0
    }

    private let share: Double
    private let state = Mutex(State())

    init(share: Double) { self.share = share }

    func workOff() {
        state.withLock { state in
            let nowNs = HostClock.processCPUNs()
            guard let begunNs = state.begunNs else {
                state.begunNs = nowNs
                return
            }
            let othersNs = nowNs - begunNs - min(state.spentNs, nowNs - begunNs)
            let dueNs = UInt64(share * Double(othersNs))
            guard dueNs > state.spentNs else { return }
            let before = HostClock.threadCPUNs()
            var spentNs: UInt64 = 0
            while state.spentNs + spentNs < dueNs {
                Self.mix(seed: nowNs &+ spentNs)
                spentNs = HostClock.threadCPUNs() - before
            }
            state.spentNs += spentNs
        }
    }

    /// Marsaglia's xorshift, a nanosecond or so a step: some microseconds in all.
    @inline(never)
    private static func mix(seed: UInt64) {
        var state = seed | 1
        for _ in 0..<4096 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
        }
        // Never true, which the optimiser does not know.
        precondition(state != 0, "xorshift never reaches zero")
    }
}
