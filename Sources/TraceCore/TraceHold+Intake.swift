// From the queue into the hold: one look at a record's prefix and the fields that every span has at the same
// place, then one copy. Exporter thread only.
import CThread

/// Where a Span message has what the hold looks at; see `SlotLayout`.
private enum MessageFields {
    static let startOffset = 31
    static let endOffset = SlotLayout.endOffset

    @inline(__always)
    static func traceID(_ message: UnsafeRawPointer) -> TraceID {
        unsafe TraceID(
            high: UInt64(
                bigEndian: message.loadUnaligned(
                    fromByteOffset: SlotLayout.traceIDOffset, as: UInt64.self)),
            low: UInt64(
                bigEndian: message.loadUnaligned(
                    fromByteOffset: SlotLayout.traceIDOffset + 8, as: UInt64.self)))
    }

    @inline(__always)
    static func time(_ message: UnsafeRawPointer, at offset: Int) -> UInt64 {
        unsafe UInt64(
            littleEndian: message.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

extension TraceHold {
    /// Records that are looked up side by side, so that one's memory is fetched while another's is used.
    private static var ahead: Int { 16 }
    private static var piece: Int { 128 }

    /// Takes up to `spans` finished spans out of the queue. Under simulated time it decides what is due in between.
    /// - Parameters:
    ///   - nowNs: the monotonic clock; due traces were decided at this instant.
    ///   - bodyBytesMax: a span that fits into no body of that size is passed over, and counted by the queue.
    /// - Returns: how many were pending and are not any more; fewer than asked for: every span that had ended
    ///   before the call is among them.
    package mutating func takeIn(
        _ queue: SpanQueue, spans: Int, nowNs: UInt64, bodyBytesMax: Int,
        _ decider: some TraceDecider
    ) -> Int {
        var intake = unsafe Intake(
            core: queue.core, nowNs: nowNs, bodyBytesMax: bodyBytesMax,
            scansSpans: decider.scansSpans)
        var taken = 0
        while taken < spans {
            // So few at once that what the queue has looked at is still at hand when it is copied.
            let wanted = min(Self.piece, spans - taken)
            let found = queue.collect(maxSpans: wanted, maxBytes: .max)
            for number in queue.segments.indices {
                intake.tooLarge = 0
                feed(queue.segments[number], &intake, queue, decider)
                // What no body holds counts as if it had never been taken.
                queue.segments[number].spans -= intake.tooLarge
            }
            queue.finishDrain()
            taken += found
            if found < wanted { break }
        }
        return taken
    }

    @safe private struct Intake {
        var core: CorePointer
        var nowNs: UInt64
        var bodyBytesMax: Int
        var scansSpans: Bool
        var tooLarge = 0
    }

    private mutating func feed(
        _ segment: Segment, _ intake: inout Intake, _ queue: SpanQueue, _ decider: some TraceDecider
    ) {
        var record = unsafe Chunk.records(segment.chunk) + segment.from
        let end = unsafe Chunk.records(segment.chunk) + segment.to
        var places = InlineArray<16, UInt>(repeating: 0)
        var hashes = InlineArray<16, UInt32>(repeating: 0)
        var guesses = InlineArray<16, Int32>(repeating: -1)
        while unsafe record < end {
            var count = 0
            while count < Self.ahead, unsafe record < end {
                let prefix = unsafe record.assumingMemoryBound(to: RecordPrefix.self)
                let recordBytes = unsafe Int(prefix.pointee.recordBytes)
                let hash = unsafe TraceIndex.hash(
                    MessageFields.traceID(record + RecordPrefix.bytes))
                index.prefetch(hash)
                unsafe places[unchecked: count] = UInt(bitPattern: record)
                unsafe hashes[unchecked: count] = hash
                count &+= 1
                unsafe record += recordBytes
            }
            for number in 0..<count {
                let hash = unsafe hashes[unchecked: number]
                let guess = index.guess(hash)
                unsafe guesses[unchecked: number] = Int32(truncatingIfNeeded: guess)
                if guess >= 0 {
                    unsafe tracemill_prefetch(
                        traces + guess, Int64(MemoryLayout<HeldTrace>.stride))
                } else {
                    dropped.prefetch(hash)
                    kept.prefetch(hash)
                }
            }
            for number in 0..<count {
                guard
                    let place = unsafe UnsafeRawPointer(
                        bitPattern: places[unchecked: number])
                else { continue }
                unsafe take(
                    place, hashes[unchecked: number], guess: Int(guesses[unchecked: number]),
                    &intake, queue, decider)
            }
        }
    }

    @inline(__always)
    private mutating func take(
        _ record: UnsafeRawPointer, _ hash: UInt32, guess: Int, _ intake: inout Intake,
        _ queue: SpanQueue, _ decider: some TraceDecider
    ) {
        let prefix = unsafe record.assumingMemoryBound(to: RecordPrefix.self)
        let message = unsafe record + RecordPrefix.bytes
        let spanBytes = unsafe Int(prefix.pointee.spanBytes)
        let traits = unsafe prefix.pointee.traits
        let endCycles = unsafe prefix.pointee.endCycles
        if spanBytes &+ 4096 > intake.bodyBytesMax,
            isTooLarge(spanBytes, stream: traits.stream, intake)
        {
            unsafe queue.skip(message)
            intake.tooLarge &+= 1
            return
        }
        let held = HeldPrefix(
            spanBytes: spanBytes, stream: traits.stream, isTimed: endCycles != 0)
        let identity = unsafe keepsSums ? SpanChecksum.identity(spanBytes: message) : 0
        let endUnixNano = unsafe MessageFields.time(message, at: MessageFields.endOffset)
        let traceID = unsafe MessageFields.traceID(message)
        if guess >= 0, !simulatesTime || last == guess, unsafe traces[guess].traceID == traceID {
            last = guess
        } else if unsafe last < 0 || traces[last].traceID != traceID {
            guard
                enter(
                    traceID, hash, held, firstNs: simulatesTime ? endUnixNano : intake.nowNs,
                    decider)
            else {
                return unsafe takeLate(
                    traceID, hash, held, endCycles, message, identity,
                    nowNs: simulatesTime ? endUnixNano : intake.nowNs, decider)
            }
        }
        let trace = unsafe traces + last
        let missing = unsafe trace.pointee.chain.blocksMissing(recordBytes: held.recordBytes)
        if missing > blocks.freeCount, !makeRoom(missing, for: last) {
            return letGoAlone(identity)
        }
        unsafe trace.pointee.chain.append(held, endCycles: endCycles, message, &blocks)
        unsafe trace.pointee.heldSpans &+= 1
        unsafe trace.pointee.identitySum &+= identity
        counts.waiting.count &+= 1
        counts.waiting.identitySum &+= identity
        let deadlineNs = unsafe trace.pointee.deadlineNs
        if simulatesTime, endUnixNano > deadlineNs {
            // After the deadline, and nobody has decided yet: it goes the trace's way unseen.
            return decider.noteLate(ageNs: endUnixNano - deadlineNs)
        }
        unsafe trace.pointee.spans &+= 1
        unsafe trace.pointee.statuses |= 1 << UInt32(min(traits.status, 31))
        let startUnixNano = unsafe MessageFields.time(message, at: MessageFields.startOffset)
        if unsafe startUnixNano < trace.pointee.startUnixNano {
            unsafe trace.pointee.startUnixNano = startUnixNano
        }
        if unsafe endUnixNano > trace.pointee.endUnixNano {
            unsafe trace.pointee.endUnixNano = endUnixNano
        }
        if intake.scansSpans {
            unsafe trace.pointee.conditions |= decider.scan(
                UnsafeRawBufferPointer(start: message, count: spanBytes), stream: traits.stream,
                known: trace.pointee.conditions)
        }
    }

    private func isTooLarge(_ spanBytes: Int, stream: Int, _ intake: Intake) -> Bool {
        let entry = unsafe intake.core.pointee.streams[stream]
        return 1 + Wire.varintBytes(spanBytes) + spanBytes + entry.resource.count
            + entry.scope.count + 24 > intake.bodyBytesMax
    }

    /// Makes a trace the last one, beginning its wait when it is new. False when it was decided already.
    @inline(__always)
    private mutating func enter(
        _ traceID: TraceID, _ hash: UInt32, _ held: HeldPrefix, firstNs: UInt64,
        _ decider: some TraceDecider
    ) -> Bool {
        if simulatesTime { passTime(decider) }
        if let known = index.find(hash, { unsafe traces[$0].traceID == traceID }) {
            last = known
            return true
        }
        if dropped.decidedNs(traceID, hash) != nil || kept.decidedNs(traceID, hash) != nil {
            return false
        }
        begin(traceID, hash, firstNs: firstNs)
        return true
    }

    private mutating func begin(_ traceID: TraceID, _ hash: UInt32, firstNs: UInt64) {
        if order.count == tracesMax { _ = letOldestGo(.traces) }
        let (deadline, overflow) = firstNs.addingReportingOverflow(waitNs)
        let deadlineNs = overflow ? .max - 1 : deadline
        let number = take()
        unsafe (traces + number).initialize(
            to: HeldTrace(traceID, hash: hash, deadlineNs: deadlineNs))
        index.insert(hash, number)
        order.insert(number, deadlineNs: deadlineNs)
        counts.traces &+= 1
        last = number
    }

    /// Simulated time goes by what begins: replays give the traces in the order of their starts, each whole,
    /// so that no trace to come starts before the one that was last. What a program gives in the order of time
    /// never starts later than now.
    private mutating func passTime(_ decider: some TraceDecider) {
        guard last >= 0, unsafe traces[last].startUnixNano != .max else { return }
        simulatedNs = unsafe max(simulatedNs, traces[last].startUnixNano)
        while order.nextNs <= simulatedNs, order.count > 0 { decideNext(decider) }
    }

    /// Makes room for a record of the trace; false when that trace itself had to go, or nothing helps.
    private mutating func makeRoom(_ missing: Int, for number: Int) -> Bool {
        // A record that needs more than half of all room is not worth everybody else's.
        guard missing <= blocks.capacity / 2 else { return false }
        while missing > blocks.freeCount {
            guard order.count > 0, letOldestGo(.memory) != number else { return false }
        }
        return true
    }

    /// A span for which there is no room, whatever becomes of its trace.
    private mutating func letGoAlone(_ identity: UInt64) {
        counts.discarded.add(1, identity)
        counts.letGoSpans &+= 1
    }

    /// A span of a trace that is decided goes the trace's way at once.
    private mutating func takeLate(
        _ traceID: TraceID, _ hash: UInt32, _ held: HeldPrefix, _ endCycles: UInt64,
        _ message: UnsafeRawPointer, _ identity: UInt64, nowNs: UInt64,
        _ decider: some TraceDecider
    ) {
        last = -1
        let keptNs = kept.decidedNs(traceID, hash)
        let decidedNs = keptNs ?? dropped.decidedNs(traceID, hash) ?? nowNs
        decider.noteLate(ageNs: nowNs > decidedNs ? nowNs - decidedNs : 0)
        guard keptNs != nil else {
            counts.lateDropped &+= 1
            return counts.discarded.add(1, identity)
        }
        let missing = released.blocksMissing(recordBytes: held.recordBytes)
        if missing > blocks.freeCount, !makeRoom(missing, for: -1) { return letGoAlone(identity) }
        counts.lateKept &+= 1
        unsafe released.append(held, endCycles: endCycles, message, &blocks)
        released.close()
        if reader == nil { reader = ChainReader(released, blocks) }
        counts.released.add(1, identity)
    }
}
