// Finding spans that nobody ends. Any thread, one at a time, now and then; the owners go on meanwhile, and
// whoever comes first settles the span.
// Source: the OpenTelemetry Erlang SDK's span sweeper.
import CThread
import Synchronization

/// What becomes of a span that is too old.
public enum SweepAction: Sendable {
    /// It vanishes, counted.
    case drop
    /// It ends now, and goes the way of all ended spans.
    /// - Parameter markingAs: an attribute that is set to true before.
    case end(markingAs: AttributeKey?)
    /// It is taken out as if dropped, and given whole to the closure, on the sweeping thread.
    case hand(@Sendable (SpanSnapshot) -> Void)
}

/// What a sweep came upon.
public struct SweepResult: Sendable, Equatable {
    /// Spans that were settled.
    public var sweptSpans = 0
    /// Spans that live on.
    public var liveSpans = 0
    /// Age of the oldest of these, ns; 0 when there is none.
    public var oldestAgeNs: UInt64 = 0
}

extension SpanRecorder {
    /// Settles every live span older than `olderThanNs`; 0 settles all. The owner's later calls on it do
    /// nothing. Linear in the slots ever used.
    ///
    /// The age is monotonic time, but of a span whose start time the caller gave it is wall-clock time.
    /// Never waits for room in the queue: a span that finds none is dropped as queue-full.
    public func sweep(olderThanNs: UInt64, _ action: SweepAction) -> SweepResult {
        withoutWaiting { settleOld(olderThanNs, action) }
    }

    private func settleOld(_ olderThanNs: UInt64, _ action: SweepAction) -> SweepResult {
        let nowTicks = unsafe RecorderCore.ticks(core)
        let nowUnixNano = TraceClock.unixNs
        let ratio =
            unsafe core.pointee.usesCycles ? TraceClock.calibration.nanosecondsPerTick : 1 << 32
        var result = SweepResult()
        unsafe core.pointee.slots.forEachTouched { node in
            let slot = unsafe node.assumingMemoryBound(to: SpanSlot.self)
            let state = unsafe slot.pointee.state.load(ordering: .acquiring)
            guard state & SlotState.live != 0 else { return }
            // acquire, each: none may be read after the look at the state that confirms them.
            let startTicks = unsafe slot.pointee.startTicks.load(ordering: .acquiring)
            let startUnixNano = unsafe slot.pointee.startUnixNano.load(ordering: .acquiring)
            let starter = unsafe slot.pointee.starter.load(ordering: .acquiring)
            guard
                unsafe slot.pointee.state.load(ordering: .relaxed) | SlotState.flags
                    == state | SlotState.flags,
                let starter = unsafe ProducerPointer(bitPattern: starter)
            else { return }
            let ageNs =
                startTicks == 0
                ? Self.passed(from: startUnixNano, to: nowUnixNano)
                : Calibration.scale(Self.passed(from: startTicks, to: nowTicks), by: ratio)
            let word = state & ~SlotState.flags | SlotState.live
            if ageNs >= olderThanNs, unsafe settle(slot, starter: starter, word: word, action) {
                result.sweptSpans += 1
            } else {
                result.liveSpans += 1
                result.oldestAgeNs = max(result.oldestAgeNs, ageNs)
            }
        }
        return result
    }

    /// Neither clocks of two cores nor a wall clock set back make an age of centuries.
    private static func passed(from start: UInt64, to now: UInt64) -> UInt64 {
        now > start ? now - start : 0
    }

    /// False when the owner was first.
    private func settle(
        _ slot: SlotPointer, starter: ProducerPointer, word: UInt64, _ action: SweepAction
    ) -> Bool {
        guard let hold = unsafe SlotHold.acquire(slot, starter: starter, word: word) else {
            return false
        }
        switch action {
        case .drop:
            SpanEnding.discard(hold, word: word)
        case .end(let key):
            if let key {
                // A span that is full has room for this one.
                unsafe slot.pointee.chain.countAttributes(-1)
                unsafe SlotWriter.addAttribute(
                    slot, hold.producer, key.keyBytes, valueCount: ValueBytes.boolCount
                ) { unsafe ValueBytes.write(bool: true, &$0) }
            }
            unsafe ProducerCounters.bump(hold.producer.pointee.counters.sweptEnded)
            SpanEnding.end(hold, word: word, at: nil)
        case .hand(let body):
            let span = unsafe SpanEnding.detach(slot, endUnixNano: 0).snapshot(core)
            SpanEnding.discard(hold, word: word)
            body(span)
        }
        return true
    }

    /// Bytes of the store that live spans hold now: their slots, and their blocks. Linear in the slots ever
    /// used; exact at rest.
    public var liveBytes: Int {
        unsafe Int(liveSlotCount) * SlotLayout.strideBytes
            + core.pointee.blocks.takenCount * Block.strideBytes
    }
}
