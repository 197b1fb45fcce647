// From kept spans to request bodies, as from the queue: sized first, copied once. Exporter thread only.
import CThread

extension TraceHold {
    /// Moves up to `spans` kept spans into a body, whatever it held before, in the order of the decisions.
    /// - Parameter queue: where the spans came from; it must not be drained meanwhile.
    /// - Returns: how many are in it; 0 when none is kept.
    package mutating func fill(
        _ body: inout ExportBody, spans: Int, through queue: SpanQueue
    ) -> Int {
        body.clear()
        guard let start = reader, counts.released.count > 0 else { return 0 }
        let taken = measure(
            start, queue, spans: min(spans, releasedSpans), bytesMax: body.capacityBytes)
        body.isFull = taken < min(spans, releasedSpans)
        body.byteCount = unsafe queue.layOut(body.memory, capacityBytes: body.capacityBytes)
        var reader = start
        copy(taken, &reader, queue, &body)
        body.spanCount = taken
        queue.resetStreams()
        leave(reader, taken, identitySum: body.identitySum)
        return taken
    }

    /// Adds up what fits, by stream.
    private func measure(
        _ start: ChainReader, _ queue: SpanQueue, spans: Int, bytesMax: Int
    ) -> Int {
        var reader = start
        var bytesLeft = bytesMax
        var taken = 0
        var stream = -1
        var accumulator = unsafe UnsafeMutablePointer<StreamAccumulator>(bitPattern: 16)
            .unsafelyUnwrapped
        while taken < spans {
            let prefix = reader.prefix(blocks)
            let spanBytes = Int(prefix.spanBytes)
            let fieldBytes = 1 &+ Wire.varintBytes(spanBytes) &+ spanBytes
            if prefix.stream != stream {
                stream = prefix.stream
                unsafe accumulator = unsafe queue.accumulator(of: stream)
            }
            let isNew = unsafe accumulator.pointee.spanBytes == 0
            let added = fieldBytes &+ (isNew ? queue.envelopeBytes(of: stream) : 0)
            if bytesLeft < added { break }
            if isNew { queue.touchedStreams.append(stream) }
            unsafe accumulator.pointee.spanBytes &+= fieldBytes
            bytesLeft &-= added
            taken &+= 1
            reader.skip(prefix.recordBytes, blocks)
        }
        precondition(taken > 0, "a span was held that fits into no body")
        return taken
    }

    private func copy(
        _ taken: Int, _ reader: inout ChainReader, _ queue: SpanQueue, _ body: inout ExportBody
    ) {
        let memory = unsafe body.memory
        var (identitySum, contentSum): (UInt64, UInt64) = (0, 0)
        var stream = -1
        var cursor = unsafe memory
        for _ in 0..<taken {
            let prefix = reader.prefix(blocks)
            let count = Int(prefix.spanBytes)
            if prefix.stream != stream {
                if stream >= 0 {
                    unsafe queue.accumulator(of: stream).pointee.offset = unsafe cursor - memory
                }
                stream = prefix.stream
                unsafe cursor = unsafe memory + queue.accumulator(of: stream).pointee.offset
            }
            reader.skip(HeldPrefix.bytes, blocks)
            if prefix.isTimed { body.timedEndCycles.append(reader.word(blocks)) }
            unsafe Wire.byte(0x12, &cursor)  // spans 2
            unsafe Wire.varint(count, &cursor)
            unsafe reader.copy(count, to: cursor, blocks)
            if keepsSums {
                unsafe identitySum &+= SpanChecksum.identity(spanBytes: cursor)
                unsafe contentSum &+= SpanChecksum.content(cursor, count)
            }
            unsafe cursor += count
        }
        (body.identitySum, body.contentSum) = (identitySum, contentSum)
    }

    /// Gives back the blocks that were read to their end.
    private mutating func leave(_ reader: ChainReader, _ taken: Int, identitySum: UInt64) {
        counts.released.subtract(taken, identitySum)
        guard counts.released.count > 0 else { return giveBackReleased() }
        released.releaseFirst(reader.blocksPassed, to: &blocks)
        self.reader = reader.restarted()
    }
}

extension SpanQueue {
    /// Bytes that a stream's first span in a body brings with it at most.
    func envelopeBytes(of stream: Int) -> Int {
        let entry = unsafe core.pointee.streams[stream]
        return entry.resource.count + entry.scope.count + 24
    }

    /// What `finishDrain` does for streams, where nothing was drained.
    func resetStreams() {
        for stream in touchedStreams { unsafe accumulators[stream].pointee = StreamAccumulator() }
        touchedStreams.removeAll(keepingCapacity: true)
    }

    /// A stream's resource as it stands in requests: fields of ResourceSpans, tag and length included.
    package func resourceBytes(of stream: Int) -> [UInt8] {
        let entry = unsafe core.pointee.streams[stream]
        return unsafe Array(
            UnsafeRawBufferPointer(start: entry.resource.pointer, count: entry.resource.count))
    }
}
