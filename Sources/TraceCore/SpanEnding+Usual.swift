// The end of nearly every span, in one piece: it calls nothing, and does nothing that has to be undone before it knows
// that it can finish. Every other end is in SpanEnding.swift.
import CThread
import Synchronization

extension SpanEnding {
    /// The usual end, on the thread that started the span: nothing rare happened to it, and its record has room
    /// in the thread's open chunk. False, with nothing done, for any other; see `end`.
    @inline(__always)
    static func endUsual(
        _ slot: SlotPointer, starter producer: ProducerPointer, word: UInt64, at given: UInt64?
    ) -> Bool {
        guard unsafe SlotHold.enter(slot, starter: producer, word: word) else { return false }
        let traits = unsafe slot.pointee.traits
        let chainCount = unsafe SlotLayout.inlineBytes &- slot.pointee.chain.bytesLeft
        let spanBytes = unsafe chainCount &+ slot.pointee.name.count &+ 2
        let recordBytes = RecordPrefix.recordBytes(spanBytes: spanBytes)
        let start = unsafe producer.pointee.chunkBytes
        let end = start &+ recordBytes
        let signals = unsafe producer.pointee.shared.pointee.signals.load(ordering: .relaxed)
        guard signals & Signal.divertsEnds == 0, traits.isUsual(isEndGiven: given != nil),
            unsafe end <= producer.pointee.chunkLimit, unsafe producer.pointee.slots.hasRoom,
            !isMutant
        else {
            unsafe producer.pointee.hazard.store(0, ordering: .releasing)
            return false
        }
        let core = unsafe producer.pointee.core
        // The clock before the copy: reading it takes as long as the last attributes take to get from the store
        // buffer into the cache, and a copy of what has not arrived there waits for it.
        let endUnixNano = unsafe usualEndTime(slot, core, producer, given)
        unsafe ProducerCounters.bump(producer.pointee.counters.endedUsual)
        let place = unsafe Chunk.records(producer.pointee.chunk.unsafelyUnwrapped) + start
        unsafe writePrefix(
            place, core, producer, recordBytes: recordBytes, spanBytes: spanBytes, traits: traits)
        var cursor = unsafe place + RecordPrefix.bytes
        unsafe Wire.copyPadded(SlotLayout.bytes(slot), chainCount, &cursor)
        // Into the record and not into the slot, for the same reason.
        unsafe (place + RecordPrefix.bytes).storeBytes(
            of: endUnixNano.littleEndian, toByteOffset: SlotLayout.endOffset, as: UInt64.self)
        unsafe Wire.copyPadded(
            slot.pointee.name.pointer - 2, slot.pointee.name.count &+ 2, &cursor)
        unsafe SpanAdmission.publish(core, producer, recordBytes: recordBytes)
        // release: the next owner of the slot sees nothing half-done; stale tickets no longer match.
        unsafe slot.pointee.state.store(word & ~0xff, ordering: .releasing)
        unsafe producer.pointee.slots.give(UnsafeMutableRawPointer(slot))
        unsafe producer.pointee.hazard.store(0, ordering: .releasing)
        unsafe SpanAdmission.finish(core, producer, recordBytes: recordBytes)
        return true
    }

    @inline(__always)
    private static func usualEndTime(
        _ slot: SlotPointer, _ core: CorePointer, _ producer: ProducerPointer, _ given: UInt64?
    ) -> UInt64 {
        let startUnixNano = unsafe slot.pointee.startUnixNano.load(ordering: .relaxed)
        if let given { return max(given, startUnixNano) }
        let ticks = unsafe RecorderCore.ticks(core)
        let startTicks = unsafe slot.pointee.startTicks.load(ordering: .relaxed)
        // Cores may disagree by a few ticks: no time passed then.
        let passed = ticks > startTicks ? ticks &- startTicks : 0
        return unsafe startUnixNano
            &+ Calibration.scale(passed, by: producer.pointee.anchor.nanosecondsPerTick)
    }

    /// Whether a defect is in on purpose; it strikes in `settle`.
    @inline(__always)
    private static var isMutant: Bool {
        #if DEBUG
            Mutant.isActive
        #else
            false
        #endif
    }
}
