// Ending a span: the end time, one copy of its bytes into the thread's chunk, the slot given back.
// Called by the one thread that got the slot's busy bit.
import CThread
import Glibc
import Synchronization

enum SpanEnding {
    /// Unix time now: the span's start plus the monotonic time passed, so never before the start.
    @inline(__always)
    static func now(_ slot: SlotPointer, _ producer: ProducerPointer) -> UInt64 {
        let core = unsafe slot.pointee.core
        let ticks = unsafe RecorderCore.ticks(core)
        let startTicks = unsafe slot.pointee.startTicks
        guard startTicks != 0 else {
            let now = unsafe producer.pointee.anchor.unixNano(
                at: ticks, usesCycles: core.pointee.usesCycles)
            return unsafe max(now, slot.pointee.startUnixNano)
        }
        // Cores may disagree by a few ticks: no time passed then.
        guard ticks > startTicks else { return unsafe slot.pointee.startUnixNano }
        if unsafe producer.pointee.anchor.nanosecondsPerTick == 0 {
            _ = unsafe producer.pointee.anchor.unixNano(
                at: ticks, usesCycles: core.pointee.usesCycles)
        }
        return unsafe slot.pointee.startUnixNano
            &+ Calibration.scale(
                ticks &- startTicks, by: producer.pointee.anchor.nanosecondsPerTick)
    }

    @inline(__always)
    static func end(_ hold: SlotHold, word: UInt64, at endTimeUnixNano: UInt64?) {
        let slot = unsafe hold.slot
        let producer = unsafe hold.producer
        let core = unsafe producer.pointee.core
        let endTime: UInt64
        if let endTimeUnixNano {
            endTime = unsafe max(endTimeUnixNano, slot.pointee.startUnixNano)
        } else {
            endTime = unsafe now(slot, producer)
        }
        unsafe SlotLayout.bytes(slot).storeBytes(
            of: endTime.littleEndian, toByteOffset: SlotLayout.endOffset, as: UInt64.self)
        unsafe ProducerCounters.bump(producer.pointee.counters.ended)
        var published = 0
        if unsafe slot.pointee.isSampled {
            #if DEBUG
                let isFrozen = Mutant.freezeCounter.strikes
                let isLost = Mutant.dropSpan.strikes
            #else
                let (isFrozen, isLost) = (false, false)
            #endif
            if !isFrozen {
                unsafe ProducerCounters.bump(producer.pointee.counters.endedSampled)
            }
            if !isLost { published = unsafe enqueue(slot, core, producer) }
        }
        unsafe free(slot, core, producer, word: word)
        hold.leave()
        // Last, since what it calls may trace in its turn.
        if published > 0 {
            unsafe SpanAdmission.finish(core, producer, recordBytes: published)
            if published > ChunkPool.recordBytesMax {
                unsafe SpanAdmission.sendOffOwnChunk(core, producer)
            }
        }
    }

    /// Puts the span's record into the queue; the record's bytes, or 0 when it was dropped.
    @inline(__always)
    private static func enqueue(
        _ slot: SlotPointer, _ core: CorePointer, _ producer: ProducerPointer
    ) -> Int {
        let chainCount = unsafe slot.pointee.chain.count
        let nameCount = unsafe slot.pointee.nameCount
        let hasName = unsafe slot.pointee.name != nil
        let nameField = hasName ? 1 &+ Wire.varintBytes(nameCount) &+ nameCount : 0
        let hasTail = unsafe SpanTail.isNeeded(slot)
        let tailCount = unsafe hasTail ? SpanTail.count(slot) : 0
        let spanBytes = chainCount &+ nameField &+ tailCount
        let recordBytes = RecordPrefix.recordBytes(spanBytes: spanBytes)
        if spanBytes > SpanAdmission.spanBytesMax {
            unsafe SpanAdmission.countDrop(
                core, producer, .oversize, spanBytes: SlotLayout.bytes(slot))
            return 0
        }
        let place: UnsafeMutableRawPointer
        switch unsafe SpanAdmission.reserve(core, producer, recordBytes: recordBytes) {
        case .success(let room): unsafe place = unsafe room
        case .failure(let error):
            unsafe SpanAdmission.countDrop(
                core, producer, error.failure, spanBytes: SlotLayout.bytes(slot))
            return 0
        }
        var endCycles: UInt64 = 0
        if unsafe core.pointee.timeOneIn != 0 {
            unsafe producer.pointee.endsUntilTimed &-= 1
            if unsafe producer.pointee.endsUntilTimed == 0 {
                unsafe producer.pointee.endsUntilTimed = unsafe core.pointee.timeOneIn
                endCycles = tracemill_cycles()
            }
        }
        unsafe place.assumingMemoryBound(to: RecordPrefix.self).pointee = unsafe RecordPrefix(
            recordBytes: UInt32(truncatingIfNeeded: recordBytes),
            spanBytes: UInt32(truncatingIfNeeded: spanBytes), stream: slot.pointee.stream,
            status: slot.pointee.status, isRoot: slot.pointee.isRoot, reserved: 0,
            endCycles: endCycles)
        var cursor = unsafe place + RecordPrefix.bytes
        unsafe slot.pointee.chain.copy(inline: SlotLayout.bytes(slot), to: cursor)
        unsafe cursor += chainCount
        if hasName {
            unsafe Wire.byte(0x2a, &cursor)
            unsafe Wire.varint(nameCount, &cursor)
            unsafe Wire.copy(slot.pointee.name.unsafelyUnwrapped, nameCount, &cursor)
        }
        if hasTail { unsafe SpanTail.write(slot, &cursor) }
        unsafe SpanAdmission.publish(core, producer, recordBytes: recordBytes)
        return recordBytes
    }

    /// Ends the slot's life and puts it where the thread's next span finds it warm.
    @inline(__always)
    private static func free(
        _ slot: SlotPointer, _ core: CorePointer, _ producer: ProducerPointer, word: UInt64
    ) {
        if unsafe slot.pointee.chain.firstBlock != nil || slot.pointee.statusMessage != nil
            || slot.pointee.nameBlock != nil
        {
            unsafe freeBlocks(slot, core, producer)
        }
        // release: the next owner of the slot sees nothing half-done; stale tickets no longer match.
        unsafe slot.pointee.state.store(word & ~0xff, ordering: .releasing)
        unsafe core.pointee.slots.give(UnsafeMutableRawPointer(slot), &producer.pointee.slots)
    }

    @inline(never)
    private static func freeBlocks(
        _ slot: SlotPointer, _ core: CorePointer, _ producer: ProducerPointer
    ) {
        unsafe slot.pointee.chain.reset(
            inline: SlotLayout.bytes(slot), capacity: SlotLayout.inlineBytes,
            blocks: core.pointee.blocks, cache: &producer.pointee.blocks)
        if let block = unsafe slot.pointee.statusMessage {
            unsafe core.pointee.blocks.give(block, &producer.pointee.blocks)
        }
        if let block = unsafe slot.pointee.nameBlock {
            unsafe core.pointee.blocks.give(block, &producer.pointee.blocks)
        }
        unsafe slot.pointee.statusMessage = nil
        unsafe slot.pointee.nameBlock = nil
    }
}

/// What is written last: dropped counts (fields 10, 12, 14) and status (15 {message 2, code 3}).
private enum SpanTail {
    @inline(__always)
    static func isNeeded(_ slot: SlotPointer) -> Bool {
        unsafe UInt32(slot.pointee.status) | slot.pointee.droppedAttributeCount
            | slot.pointee.droppedEventCount | slot.pointee.droppedLinkCount != 0
    }

    @inline(never)
    static func count(_ slot: SlotPointer) -> Int {
        var count = 0
        let drops = unsafe drops(slot)
        for index in drops.indices where drops[index].count > 0 {
            count += 1 + Wire.varintBytes(Int(drops[index].count))
        }
        if unsafe slot.pointee.status != 0 {
            let message = unsafe statusCount(slot)
            count += 1 + Wire.varintBytes(message) + message
        }
        return count
    }

    @inline(never)
    static func write(_ slot: SlotPointer, _ cursor: inout Cursor) {
        let drops = unsafe drops(slot)
        for index in drops.indices where drops[index].count > 0 {
            unsafe Wire.byte(drops[index].tag, &cursor)
            unsafe Wire.varint(Int(drops[index].count), &cursor)
        }
        guard unsafe slot.pointee.status != 0 else { return }
        unsafe Wire.byte(0x7a, &cursor)
        unsafe Wire.varint(statusCount(slot), &cursor)
        if let block = unsafe slot.pointee.statusMessage, unsafe slot.pointee.statusMessageCount > 0
        {
            unsafe Wire.byte(0x12, &cursor)
            unsafe Wire.varint(slot.pointee.statusMessageCount, &cursor)
            unsafe Wire.copy(Block.payload(block), slot.pointee.statusMessageCount, &cursor)
        }
        unsafe Wire.byte(0x18, &cursor)
        unsafe Wire.byte(slot.pointee.status, &cursor)
    }

    private static func statusCount(_ slot: SlotPointer) -> Int {
        let message = unsafe slot.pointee.statusMessageCount
        return 2 + (message > 0 ? 1 + Wire.varintBytes(message) + message : 0)
    }

    private static func drops(_ slot: SlotPointer) -> InlineArray<3, (tag: UInt8, count: UInt32)> {
        unsafe [
            (0x50, slot.pointee.droppedAttributeCount), (0x60, slot.pointee.droppedEventCount),
            (0x70, slot.pointee.droppedLinkCount),
        ]
    }
}
