// Who may touch a live span's bytes: one thread at a time, whichever holds a ticket.
//
// The thread that started a span is by far the likeliest to write to it, and a locked instruction for each
// call would cost it more than the call. So it goes in under a hazard of its own: it stores which slot it
// is in, then looks at the state word. Any other thread first sets the word's `shared` bit and makes every
// thread pass a barrier (membarrier(2)): after that either the starter sees the bit and stays out, or the
// other sees the hazard and waits for it to go. Once the bit is set, everybody takes turns by
// compare-and-swap for the rest of the span's life. Where the kernel has no such barrier, every span begins
// its life with the bit set.
// Source: asymmetric Dekker, as in Dice, Huang and Yang, "Asymmetric Dekker Synchronization" (2001);
// hazard pointers, Michael (2004).
import CThread
import Glibc
import Synchronization

/// The state word: generation << 8 | flags. A ticket holds `generation << 8 | live`; a slot is used for a new
/// life with the next generation, so a ticket of an ended span never matches again (56 bits).
enum SlotState {
    static let live: UInt64 = 1
    /// Some thread is in, one of those that take turns.
    static let busy: UInt64 = 2
    /// A thread other than the starter came: take turns from here on.
    static let shared: UInt64 = 4
    static let flags: UInt64 = 0xff
}

/// The right to touch a slot, until `release` or the end of the span.
@safe struct SlotHold {
    let slot: SlotPointer
    /// The calling thread's producer.
    let producer: ProducerPointer
    /// Whether threads take turns on this slot; else the hazard protects it.
    let isShared: Bool

    /// Gets into the slot if it still lives the life of `word`.
    @inline(__always)
    static func acquire(
        _ slot: SlotPointer, starter: ProducerPointer, word: UInt64
    ) -> SlotHold? {
        if unsafe enter(slot, starter: starter, word: word) {
            return unsafe SlotHold(slot: slot, producer: starter, isShared: false)
        }
        return unsafe acquireShared(slot, starter: starter, word: word)
    }

    /// Gets the thread that started the span into its slot, where nobody else has been. False for any other
    /// thread, and once others take turns. `starter`'s hazard is to be cleared afterwards.
    @inline(__always)
    static func enter(_ slot: SlotPointer, starter: ProducerPointer, word: UInt64) -> Bool {
        guard unsafe starter.pointee.threadID.load(ordering: .relaxed) == tracemill_thread_id()
        else {
            return false
        }
        // release: what this thread wrote in an earlier hold is seen by whoever sees it go.
        unsafe starter.pointee.hazard.store(UInt(bitPattern: slot), ordering: .releasing)
        tracemill_keep_order()
        if unsafe slot.pointee.state.load(ordering: .acquiring) == word { return true }
        unsafe starter.pointee.hazard.store(0, ordering: .releasing)
        return false
    }

    /// Lets the next one in.
    @inline(__always)
    func release(word: UInt64) {
        if isShared {
            // release: publishes what this call wrote; pairs with the acquire of the next one in.
            unsafe slot.pointee.state.store(word | SlotState.shared, ordering: .releasing)
        } else {
            unsafe producer.pointee.hazard.store(0, ordering: .releasing)
        }
    }

    /// Leaves a slot whose life this call ended.
    @inline(__always)
    func leave() {
        if !isShared { unsafe producer.pointee.hazard.store(0, ordering: .releasing) }
    }

    @inline(never)
    private static func acquireShared(
        _ slot: SlotPointer, starter: ProducerPointer, word: UInt64
    ) -> SlotHold? {
        let producer = unsafe RecorderCore.producer(slot.pointee.core)
        var spins = 0
        while true {
            let current = unsafe slot.pointee.state.load(ordering: .acquiring)
            guard current | SlotState.flags == word | SlotState.flags,
                current & SlotState.live != 0
            else { return nil }
            if current & SlotState.shared == 0 {
                unsafe share(slot, starter: starter, word: word)
            } else if current & SlotState.busy == 0,
                // acquire: pairs with the release of whoever was in before.
                unsafe slot.pointee.state.compareExchange(
                    expected: current, desired: current | SlotState.busy, ordering: .acquiring
                ).exchanged
            {
                return unsafe SlotHold(slot: slot, producer: producer, isShared: true)
            }
            Backoff.pause(&spins)
        }
    }

    /// Ends the starter's privilege: when this returns it is out, and sees that it has to take turns.
    private static func share(_ slot: SlotPointer, starter: ProducerPointer, word: UInt64) {
        let isFirst = unsafe slot.pointee.state.compareExchange(
            expected: word, desired: word | SlotState.shared | SlotState.busy,
            ordering: .acquiringAndReleasing
        ).exchanged
        guard isFirst else { return }
        _ = tracemill_process_barrier()
        var spins = 0
        // acquire: pairs with the release when the starter leaves; what it wrote is seen.
        while unsafe starter.pointee.hazard.load(ordering: .acquiring) == UInt(bitPattern: slot) {
            // It may be ending the span, and be in the slot again for the next one.
            let current = unsafe slot.pointee.state.load(ordering: .acquiring)
            if current | SlotState.flags != word | SlotState.flags { return }
            Backoff.pause(&spins)
        }
        // The busy bit kept the others out meanwhile. Not a plain store: the starter may have ended
        // the span before it left.
        _ = unsafe slot.pointee.state.compareExchange(
            expected: word | SlotState.shared | SlotState.busy, desired: word | SlotState.shared,
            ordering: .acquiringAndReleasing)
    }
}

/// Waiting for another thread that is about to be done.
enum Backoff {
    static func pause(_ spins: inout Int) {
        spins += 1
        if spins & 63 == 0 { sched_yield() } else { tracemill_pause() }
    }
}
