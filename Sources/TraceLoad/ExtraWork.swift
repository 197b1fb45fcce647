import TracePipeline
import TraceResults

/// Work that a pipeline need not do: a share of the processor time that everything else in the process
/// takes from `begin` on, spent on the thread that exports. With it a gate can be asked whether it finds what
/// is known to be there: the share is held by measuring, batch after batch, so it is the same on a quick
/// machine and on a slow one, in a long run and in one of three batches. Processor time, not sleep.
///
/// Any thread may call; one at a time works.
final class ExtraWork: Sendable {
    private struct State {
        /// Processor time of the process when the measured part began, ns; nil before.
        var begunNs: UInt64?
        /// Processor time spent here since, ns.
        var spentNs: UInt64 = 0
    }

    private let share: Double
    private let state = WorkerLock(State())

    init(_ options: RunOptions) {
        share = options.extraWorkShare
    }

    /// An observer that works off what is due at each settled batch, then does what `observer` does.
    func around(_ observer: @escaping BatchObserver) -> BatchObserver {
        guard share > 0 else { return observer }
        return { record in
            self.workOff()
            observer(record)
        }
    }

    /// The measured part begins: what was spent before it makes no work.
    func begin() {
        guard share > 0 else { return }
        state.withLock { $0 = State(begunNs: HostClock.processCPUNs()) }
    }

    /// Does what is due by now. At the end of the measured part, too: what came after the last batch counts.
    func workOff() {
        guard share > 0 else { return }
        state.withLock { state in
            guard let begunNs = state.begunNs else { return }
            let nowNs = HostClock.processCPUNs()
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
