// When to sweep. The exporter thread does it, and its sleep has one timer for everything; there is none for
// the sweeper while nothing lives.

import Synchronization
import TraceCore

/// Tells the exporter thread of the first start after it went to sleep over a recorder without live spans.
///
/// It stands in the recorder's start hook, and while no other processor needs the hooks they are turned
/// off once it has been passed: starts and ends cost then what they cost without a sweeper.
final class StartWatch: Sendable {
    private let isArmed = Atomic(true)
    private let recorder: @Sendable () -> SpanRecorder?
    /// Other processors want the hooks, too.
    private let staysOn: Bool

    /// Armed. The recorder's start hook has to call ``noteStart()``.
    init(recorder: SpanRecorder, staysOn: Bool) {
        // Weak: the recorder holds the hook.
        self.recorder = { [weak recorder] in recorder }
        self.staysOn = staysOn
    }

    /// From the start hook, on the starting thread.
    func noteStart() {
        guard isArmed.load(ordering: .relaxed), let recorder = recorder() else { return }
        // Before the exchange: a thread that is late with this finds the next watch armed, and wakes.
        if !staysOn { recorder.callsObservers = false }
        if isArmed.exchange(false, ordering: .acquiringAndReleasing) { recorder.queue.wake() }
    }

    /// Whether no span has started since it was armed.
    var isWaiting: Bool { isArmed.load(ordering: .acquiring) }

    func arm() {
        isArmed.store(true, ordering: .releasing)
        if !staysOn { recorder()?.callsObservers = true }
    }
}

/// Sweeps once an interval from the first start on until, after a sweep, nothing lives; then watches for
/// the next start, without a timer but for one last look an interval later: a start that was under way
/// while the watch was armed may have passed it by. Exporter thread only.
final class SweepSchedule: ExporterChore {
    private enum State {
        /// Something may live.
        case sweeping(dueNs: UInt64)
        /// Nothing lived.
        case watching(lastLookNs: UInt64?)
    }

    private let sweeper: SpanSweeper
    private let watch: StartWatch
    private let intervalNs: UInt64
    private var state: State

    init(sweeper: SpanSweeper, watch: StartWatch, intervalNs: UInt64) {
        self.sweeper = sweeper
        self.watch = watch
        self.intervalNs = intervalNs
        state = .watching(lastLookNs: TraceClock.monotonicNs &+ intervalNs)
    }

    func runIfDue(nowNs: UInt64) {
        switch state {
        case .sweeping(let dueNs):
            guard nowNs >= dueNs else { return }
            if let result = sweeper.sweep(), result.liveSpans == 0 {
                watch.arm()
                state = .watching(lastLookNs: nowNs + intervalNs)
                // Started before the watch was armed.
                if !sweeper.hasLiveSpans { return }
            }
            state = .sweeping(dueNs: nowNs + intervalNs)
        case .watching(let lastLookNs):
            if !watch.isWaiting {
                state = .sweeping(dueNs: nowNs + intervalNs)
            } else if let lastLookNs, nowNs >= lastLookNs {
                state =
                    sweeper.hasLiveSpans
                    ? .sweeping(dueNs: nowNs + intervalNs) : .watching(lastLookNs: nil)
            }
        }
    }

    var nextDueNs: UInt64? {
        switch state {
        case .sweeping(let dueNs): dueNs
        case .watching(let lastLookNs): lastLookNs
        }
    }
}
