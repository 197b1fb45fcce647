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
        let startTicks = unsafe slot.pointee.startTicks.load(ordering: .relaxed)
        guard startTicks != 0 else {
            let now = unsafe producer.pointee.anchor.unixNano(
                at: ticks, usesCycles: core.pointee.usesCycles)
            return unsafe max(now, slot.pointee.startUnixNano.load(ordering: .relaxed))
        }
        // Cores may disagree by a few ticks: no time passed then.
        guard ticks > startTicks else {
            return unsafe slot.pointee.startUnixNano.load(ordering: .relaxed)
        }
        if unsafe producer.pointee.anchor.nanosecondsPerTick == 0 {
            _ = unsafe producer.pointee.anchor.unixNano(
                at: ticks, usesCycles: core.pointee.usesCycles)
        }
        return unsafe slot.pointee.startUnixNano.load(ordering: .relaxed)
            &+ Calibration.scale(
                ticks &- startTicks, by: producer.pointee.anchor.nanosecondsPerTick)
    }

    /// Any end: of a span with events, blocks or a status, on another thread, into a full chunk.
    @inline(__always)
    static func end(_ hold: SlotHold, word: UInt64, at endTimeUnixNano: UInt64?) {
        let slot = unsafe hold.slot
        let producer = unsafe hold.producer
        let core = unsafe producer.pointee.core
        let signals = unsafe core.pointee.shared.pointee.signals.load(ordering: .relaxed)
        if signals & Signal.divertsEnds != 0 {
            return endDiverted(hold, word: word, at: endTimeUnixNano, signals: signals)
        }
        unsafe setEndTime(slot, producer, endTimeUnixNano)
        let published = unsafe settle(slot, core, producer)
        unsafe free(slot, core, producer, word: word)
        hold.leave()
        unsafe finish(core, producer, published)
    }

    /// The end of a span that others want to see; in a forked child, where it goes nowhere; without barriers.
    @inline(never)
    private static func endDiverted(
        _ hold: SlotHold, word: UInt64, at endTimeUnixNano: UInt64?, signals: UInt32
    ) {
        let slot = unsafe hold.slot
        let producer = unsafe hold.producer
        let core = unsafe producer.pointee.core
        if signals & Signal.forked != 0 {
            unsafe free(slot, core, producer, word: word)
            return hold.leave()
        }
        let endUnixNano = unsafe setEndTime(slot, producer, endTimeUnixNano)
        let record =
            unsafe signals & Signal.observed != 0 ? detach(slot, endUnixNano: endUnixNano) : nil
        let published = unsafe settle(slot, core, producer)
        unsafe free(slot, core, producer, word: word)
        hold.leave()
        unsafe finish(core, producer, published)
        if let record, signals & Signal.closed == 0 {
            unsafe SpanObservers.of(core)?.ended(record, of: core)
        }
    }

    /// Takes a span out without an end: the sweeper's. Counted as dropped by it.
    static func discard(_ hold: SlotHold, word: UInt64) {
        let producer = unsafe hold.producer
        unsafe ProducerCounters.bump(producer.pointee.counters.sweptDropped)
        unsafe free(hold.slot, producer.pointee.core, producer, word: word)
        hold.leave()
    }

    @inline(__always)
    @discardableResult
    private static func setEndTime(
        _ slot: SlotPointer, _ producer: ProducerPointer, _ given: UInt64?
    ) -> UInt64 {
        let endTime: UInt64
        if let given {
            endTime = unsafe max(given, slot.pointee.startUnixNano.load(ordering: .relaxed))
        } else {
            endTime = unsafe now(slot, producer)
        }
        unsafe SlotLayout.bytes(slot).storeBytes(
            of: endTime.littleEndian, toByteOffset: SlotLayout.endOffset, as: UInt64.self)
        return endTime
    }

    /// Counts the end and puts a sampled span into the queue; its record's bytes, or 0.
    @inline(__always)
    private static func settle(
        _ slot: SlotPointer, _ core: CorePointer, _ producer: ProducerPointer
    ) -> Int {
        unsafe ProducerCounters.bump(producer.pointee.counters.ended)
        guard unsafe slot.pointee.traits.isSampled else { return 0 }
        #if DEBUG
            let isFrozen = Mutant.freezeCounter.strikes
            let isLost = Mutant.dropSpan.strikes
        #else
            let (isFrozen, isLost) = (false, false)
        #endif
        if !isFrozen { unsafe ProducerCounters.bump(producer.pointee.counters.endedSampled) }
        return unsafe isLost ? 0 : enqueue(slot, core, producer)
    }

    /// What comes after a span was published. Last, since what it calls may trace in its turn.
    @inline(__always)
    private static func finish(_ core: CorePointer, _ producer: ProducerPointer, _ published: Int) {
        guard published > 0 else { return }
        unsafe SpanAdmission.finish(core, producer, recordBytes: published)
        if published > ChunkPool.recordBytesMax {
            unsafe SpanAdmission.sendOffOwnChunk(core, producer)
        }
    }

    /// Puts the span's record into the queue; the record's bytes, or 0 when it was dropped.
    @inline(__always)
    private static func enqueue(
        _ slot: SlotPointer, _ core: CorePointer, _ producer: ProducerPointer
    ) -> Int {
        let message = unsafe MessageShape(slot)
        if message.hasTail { unsafe countOverLimit(slot, producer) }
        guard
            let place = unsafe reserve(
                core, producer, spanBytes: message.count, identityFrom: SlotLayout.bytes(slot))
        else { return 0 }
        let recordBytes = RecordPrefix.recordBytes(spanBytes: message.count)
        unsafe writePrefix(
            place, core, producer, recordBytes: recordBytes, spanBytes: message.count,
            traits: slot.pointee.traits)
        unsafe message.write(slot, to: place + RecordPrefix.bytes)
        unsafe SpanAdmission.publish(core, producer, recordBytes: recordBytes)
        return recordBytes
    }

    /// A status alone needs the tail, too.
    @inline(never)
    private static func countOverLimit(_ slot: SlotPointer, _ producer: ProducerPointer) {
        guard unsafe SpanTail.hasDrops(slot) else { return }
        unsafe ProducerCounters.bump(producer.pointee.counters.endedOverLimit)
    }

    /// Room for a record in the calling thread's open chunk; nil when the span is dropped, counted.
    @inline(__always)
    private static func reserve(
        _ core: CorePointer, _ producer: ProducerPointer, spanBytes: Int,
        identityFrom message: UnsafeRawPointer
    ) -> UnsafeMutableRawPointer? {
        let failure: AdmissionFailure
        if spanBytes > SpanAdmission.spanBytesMax {
            failure = .oversize
        } else {
            switch unsafe SpanAdmission.reserve(
                core, producer, recordBytes: RecordPrefix.recordBytes(spanBytes: spanBytes))
            {
            case .success(let place): return unsafe place
            case .failure(let error): failure = error.failure
            }
        }
        unsafe SpanAdmission.countDrop(core, producer, failure, spanBytes: message)
        return nil
    }

    @inline(__always)
    static func writePrefix(
        _ place: UnsafeMutableRawPointer, _ core: CorePointer, _ producer: ProducerPointer,
        recordBytes: Int, spanBytes: Int, traits: SpanTraits
    ) {
        var endCycles: UInt64 = 0
        if unsafe core.pointee.timeOneIn != 0 {
            unsafe producer.pointee.endsUntilTimed &-= 1
            if unsafe producer.pointee.endsUntilTimed == 0 {
                unsafe producer.pointee.endsUntilTimed = unsafe core.pointee.timeOneIn
                endCycles = tracemill_cycles()
            }
        }
        unsafe place.assumingMemoryBound(to: RecordPrefix.self).pointee = RecordPrefix(
            recordBytes: UInt32(truncatingIfNeeded: recordBytes),
            spanBytes: UInt32(truncatingIfNeeded: spanBytes), traits: traits, endCycles: endCycles)
    }

    /// The span's bytes as they are, outside of the slot.
    static func detach(_ slot: SlotPointer, endUnixNano: UInt64) -> DetachedSpan {
        let shape = unsafe MessageShape(slot)
        let message = unsafe [UInt8](unsafeUninitializedCapacity: shape.count + Wire.slackBytes) {
            buffer, initialized in
            let start = UnsafeMutableRawPointer(buffer.baseAddress!)
            unsafe shape.write(slot, to: start)
            // A slot that lives has the end time of its last life there.
            unsafe start.storeBytes(
                of: endUnixNano.littleEndian, toByteOffset: SlotLayout.endOffset, as: UInt64.self)
            initialized = shape.count
        }
        return unsafe DetachedSpan(message: message, traits: slot.pointee.traits)
    }

    /// Puts a copy of a span into the queue of a recorder that follows its own.
    static func publishCopy(_ span: DetachedSpan, to core: CorePointer) {
        let producer = unsafe RecorderCore.producer(core)
        unsafe ProducerCounters.bump(producer.pointee.counters.endedSampled)
        let published = unsafe span.message.withUnsafeBytes { message in
            let bytes = message.baseAddress!
            guard
                let place = unsafe reserve(
                    core, producer, spanBytes: message.count, identityFrom: bytes)
            else { return 0 }
            let recordBytes = RecordPrefix.recordBytes(spanBytes: message.count)
            unsafe writePrefix(
                place, core, producer, recordBytes: recordBytes, spanBytes: message.count,
                traits: span.traits)
            unsafe memcpy(place + RecordPrefix.bytes, bytes, message.count)
            unsafe SpanAdmission.publish(core, producer, recordBytes: recordBytes)
            return recordBytes
        }
        unsafe finish(core, producer, published)
    }

    /// Ends the slot's life and puts it where the thread's next span finds it warm.
    @inline(__always)
    private static func free(
        _ slot: SlotPointer, _ core: CorePointer, _ producer: ProducerPointer, word: UInt64
    ) {
        if unsafe slot.pointee.traits.isDirty { unsafe clean(slot, core, producer) }
        // release: the next owner of the slot sees nothing half-done; stale tickets no longer match.
        unsafe slot.pointee.state.store(word & ~0xff, ordering: .releasing)
        unsafe core.pointee.slots.give(UnsafeMutableRawPointer(slot), &producer.pointee.slots)
    }

    @inline(never)
    private static func clean(
        _ slot: SlotPointer, _ core: CorePointer, _ producer: ProducerPointer
    ) {
        unsafe slot.pointee.chain.reset(
            inline: SlotLayout.bytes(slot), capacity: SlotLayout.inlineBytes,
            blocks: core.pointee.blocks, cache: &producer.pointee.blocks)
        if let block = unsafe slot.pointee.statusMessage {
            unsafe core.pointee.blocks.giveCounted(block, &producer.pointee.blocks)
        }
        if let block = unsafe slot.pointee.nameBlock {
            unsafe core.pointee.blocks.giveCounted(block, &producer.pointee.blocks)
        }
        unsafe SlotLayout.clean(slot)
    }
}
