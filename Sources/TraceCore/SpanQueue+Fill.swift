// From finished records to one request body: grouped by resource and scope, sized first, copied once.
// Source: OTLP trace_service.proto, trace.proto. Exporter thread only.
import CThread
import Glibc
import Synchronization

/// A run of records in one chunk.
@safe struct Segment {
    var chunk: UnsafeMutablePointer<Chunk>
    var from: Int
    var to: Int
    var spans: Int
}

extension SpanQueue {
    /// How far ahead of the scan records are fetched: four of the usual size.
    private static var prefetchDistanceBytes: Int { 1024 }

    /// Drains up to `maxSpans` finished spans into one request body, whatever it held before.
    /// - Returns: the spans in it; 0 when nothing is pending. Does not allocate in steady state.
    public func fill(_ body: inout ExportBody, spans maxSpans: Int) -> Int {
        body.clear()
        let spans = collect(maxSpans: maxSpans, maxBytes: body.capacityBytes)
        guard spans > 0 else {
            // Chunks read to their end before, or spans too large for any request.
            finishDrain()
            return 0
        }
        let bytes = unsafe layOut(body.memory, capacityBytes: body.capacityBytes)
        if unsafe core.pointee.sumsChecked {
            unsafe copyRecords(to: body.memory, timed: &body.timedEndCycles) { message, count in
                unsafe body.identitySum &+= SpanChecksum.identity(spanBytes: message)
                unsafe body.contentSum &+= SpanChecksum.content(message, count)
            }
        } else {
            unsafe copyRecords(to: body.memory, timed: &body.timedEndCycles) { _, _ in }
        }
        body.byteCount = bytes
        body.spanCount = spans
        body.isFull = stoppedForBytes
        finishDrain()
        return spans
    }

    /// Finds records to take, in order for each producer, and adds up their sizes by stream. Fewer than
    /// asked for, and not for want of bytes: then every span that had ended before the call is among them.
    func collect(maxSpans: Int, maxBytes: Int) -> Int {
        segments.removeAll(keepingCapacity: true)
        unsafe retired.removeAll(keepingCapacity: true)
        var room = SpanRoom(spans: maxSpans, bytes: maxBytes)
        var taken = 0
        // Under overload full chunks alone would fill every body, and the few spans of a slow thread
        // would wait in its open chunk for ever.
        turn &+= 1
        if turn & 3 == 0 { _ = collectOpenChunks(&room, &taken) }
        taken += collectFullChunks(&room)
        while room.isOpen {
            if collectOpenChunks(&room, &taken) { break }
            // A thread sent off its chunk after we had looked into the ring, or is about to.
            let more = collectFullChunks(&room)
            taken += more
            if more == 0 { sched_yield() }
        }
        stoppedForBytes = room.isFull
        return taken
    }

    private func collectFullChunks(_ room: inout SpanRoom) -> Int {
        var taken = 0
        while room.isOpen {
            guard let chunk = unsafe current ?? nextFullChunk() else { break }
            unsafe taken += scan(chunk, &room)
            if unsafe chunk.pointee.consumedBytes
                == chunk.pointee.publishedBytes.load(ordering: .acquiring)
            {
                unsafe chunk.pointee.producer?.pointee.consumerSequence =
                    unsafe chunk.pointee.sequence &+ 1
                unsafe retired.append(chunk)
                unsafe current = nil
            } else {
                unsafe current = unsafe chunk
            }
        }
        return taken
    }

    /// The oldest full chunk. While one is being pushed it waits for that: spans behind it have ended.
    private func nextFullChunk() -> UnsafeMutablePointer<Chunk>? {
        while true {
            if let word = unsafe core.pointee.chunks.full.pop() {
                return unsafe UnsafeMutablePointer(bitPattern: word)
            }
            if unsafe core.pointee.chunks.full.isEmpty { return nil }
            sched_yield()
        }
    }

    /// Looks into the chunks that threads are filling. False when one of them has an earlier chunk in
    /// the ring, which has to be read first.
    private func collectOpenChunks(_ room: inout SpanRoom, _ taken: inout Int) -> Bool {
        // One list for both passes: a producer added meanwhile would shift the places in it.
        let head = unsafe firstProducer
        var producers = 0
        unsafe forEachProducer(from: head) { _ in producers += 1 }
        guard producers > 0 else { return true }
        rotation = (rotation + 1) % producers
        var isComplete = true
        for pass in 0..<2 {
            var index = 0
            unsafe forEachProducer(from: head) { producer in
                defer { index += 1 }
                guard (pass == 0) == (index >= rotation), room.isOpen else { return }
                // acquire: pairs with the release in openChunk().
                let word = unsafe producer.pointee.openChunk.load(ordering: .acquiring)
                guard let chunk = unsafe UnsafeMutablePointer<Chunk>(bitPattern: word) else {
                    return
                }
                guard unsafe chunk.pointee.sequence == producer.pointee.consumerSequence else {
                    isComplete = false
                    return
                }
                unsafe taken += scan(chunk, &room)
            }
        }
        return isComplete
    }

    private func scan(_ chunk: UnsafeMutablePointer<Chunk>, _ room: inout SpanRoom) -> Int {
        // acquire: pairs with the release in publish(); the records' bytes are there.
        let end = unsafe chunk.pointee.publishedBytes.load(ordering: .acquiring)
        var start = unsafe chunk.pointee.consumedBytes
        guard start < end else { return 0 }
        let records = unsafe Chunk.records(chunk)
        var offset = start
        var taken = 0
        var skipped = 0
        var bytesLeft = room.bytes
        // Spans of one stream follow each other more often than not.
        var stream = -1
        var accumulator = unsafe UnsafeMutablePointer<StreamAccumulator>(bitPattern: 16)
            .unsafelyUnwrapped
        while offset < end, taken < room.spans {
            let prefix = unsafe (records + offset).assumingMemoryBound(to: RecordPrefix.self)
            let recordBytes = unsafe Int(prefix.pointee.recordBytes)
            // Records follow each other, but where the next one begins is only known from this one:
            // without help each would wait for its line from the core that wrote it.
            unsafe tracemill_prefetch(
                records + offset + SpanQueue.prefetchDistanceBytes, Int64(min(recordBytes, 512)))
            let spanBytes = unsafe Int(prefix.pointee.spanBytes)
            let fieldBytes = 1 &+ Wire.varintBytes(spanBytes) &+ spanBytes
            var added = fieldBytes
            if unsafe prefix.pointee.traits.stream != stream {
                stream = unsafe prefix.pointee.traits.stream
                unsafe accumulator = unsafe self.accumulator(of: stream)
            }
            if unsafe accumulator.pointee.spanBytes == 0 {
                let entry = unsafe core.pointee.streams[stream]
                added += entry.resource.count + entry.scope.count + 24
            }
            if bytesLeft < added {
                guard room.isUntouched else {
                    room.isFull = true
                    break
                }
                // Not even alone in a request: it would stand in the way for ever.
                unsafe skip(records + offset + RecordPrefix.bytes)
                offset &+= recordBytes
                start = offset
                skipped += 1
                continue
            }
            if unsafe accumulator.pointee.spanBytes == 0 {
                room.isUntouched = false
                touchedStreams.append(stream)
            }
            unsafe accumulator.pointee.spanBytes &+= fieldBytes
            bytesLeft &-= added
            taken &+= 1
            offset &+= recordBytes
        }
        room.bytes = bytesLeft
        room.spans -= taken
        if offset > start {
            unsafe segments.append(Segment(chunk: chunk, from: start, to: offset, spans: taken))
        }
        unsafe chunk.pointee.consumedBytes = offset
        if let producer = unsafe chunk.pointee.producer {
            // Not an access to the whole struct, which its thread is writing to: one word of it.
            unsafe ProducerCounters.bump(
                producer.pointee.drainedSpans, by: UInt64(taken &+ skipped))
        }
        return taken
    }

    func accumulator(of stream: Int) -> UnsafeMutablePointer<StreamAccumulator> {
        if stream >= accumulators.count {
            // A tracer was made since the last drain.
            // acquire: the record that names the stream was published after the stream was.
            unsafe accumulators.grow(
                to: core.pointee.streamCount.pointee.load(ordering: .acquiring))
        }
        return unsafe accumulators[stream]
    }

    @inline(never)
    func skip(_ message: UnsafeRawPointer) {
        skippedSpans += 1
        if unsafe core.pointee.sumsChecked {
            unsafe skippedIdentitySum &+= SpanChecksum.identity(spanBytes: message)
        }
    }

    /// Writes the envelopes and finds each stream's place. Returns the body's size.
    func layOut(_ memory: UnsafeMutableRawPointer, capacityBytes: Int) -> Int {
        let streams = unsafe core.pointee.streams
        touchedStreams.sort { unsafe streams[$0].resourceIndex < streams[$1].resourceIndex }
        var cursor = unsafe memory
        var first = 0
        while first < touchedStreams.count {
            let resource = unsafe streams[touchedStreams[first]].resourceIndex
            var last = first
            var resourceBytes = unsafe streams[touchedStreams[first]].resource.count
            while last < touchedStreams.count,
                unsafe streams[touchedStreams[last]].resourceIndex == resource
            {
                let scopeBytes = scopeSpansBytes(touchedStreams[last])
                resourceBytes += 1 + Wire.varintBytes(scopeBytes) + scopeBytes
                last += 1
            }
            unsafe Wire.byte(0x0a, &cursor)  // resource_spans 1
            unsafe Wire.varint(resourceBytes, &cursor)
            let encoded = unsafe streams[touchedStreams[first]].resource
            unsafe Wire.copy(encoded.pointer, encoded.count, &cursor)
            for stream in touchedStreams[first..<last] {
                unsafe Wire.byte(0x12, &cursor)  // scope_spans 2
                unsafe Wire.varint(scopeSpansBytes(stream), &cursor)
                let scope = unsafe streams[stream].scope
                unsafe Wire.copy(scope.pointer, scope.count, &cursor)
                unsafe accumulators[stream].pointee.offset = unsafe cursor - memory
                unsafe cursor += accumulators[stream].pointee.spanBytes
            }
            first = last
        }
        unsafe precondition(cursor - memory <= capacityBytes, "a body was laid out past its end")
        return unsafe cursor - memory
    }

    private func scopeSpansBytes(_ stream: Int) -> Int {
        unsafe core.pointee.streams[stream].scope.count + accumulators[stream].pointee.spanBytes
    }

    @inline(__always)
    private func copyRecords(
        to memory: UnsafeMutableRawPointer, timed: inout [UInt64],
        _ sum: (_ message: UnsafeRawPointer, _ count: Int) -> Void
    ) {
        let accumulators = accumulators
        for segment in segments {
            var record = unsafe Chunk.records(segment.chunk) + segment.from
            let end = unsafe Chunk.records(segment.chunk) + segment.to
            var stream = -1
            var cursor = unsafe memory
            while unsafe record < end {
                let prefix = unsafe record.assumingMemoryBound(to: RecordPrefix.self)
                let count = unsafe Int(prefix.pointee.spanBytes)
                if unsafe prefix.pointee.traits.stream != stream {
                    if stream >= 0 {
                        unsafe accumulators[stream].pointee.offset = unsafe cursor - memory
                    }
                    stream = unsafe prefix.pointee.traits.stream
                    unsafe cursor = unsafe memory + accumulators[stream].pointee.offset
                }
                let message = unsafe record + RecordPrefix.bytes
                unsafe Wire.byte(0x12, &cursor)  // spans 2
                unsafe Wire.varint(count, &cursor)
                unsafe memcpy(cursor, message, count)
                unsafe sum(message, count)
                unsafe cursor += count
                if unsafe prefix.pointee.endCycles != 0 {
                    unsafe timed.append(prefix.pointee.endCycles)
                }
                unsafe record += Int(prefix.pointee.recordBytes)
            }
            if stream >= 0 { unsafe accumulators[stream].pointee.offset = unsafe cursor - memory }
        }
    }

    func forEachRecord(_ body: (_ prefix: RecordPrefix, _ message: UnsafeRawPointer) -> Void) {
        for segment in segments {
            var offset = segment.from
            while offset < segment.to {
                let record = unsafe Chunk.records(segment.chunk) + offset
                let prefix = unsafe record.assumingMemoryBound(to: RecordPrefix.self).pointee
                unsafe body(prefix, record + RecordPrefix.bytes)
                offset += Int(prefix.recordBytes)
            }
        }
    }

    /// Gives read chunks back and makes room for as many spans as were taken.
    func finishDrain() {
        for stream in touchedStreams { unsafe accumulators[stream].pointee = StreamAccumulator() }
        touchedStreams.removeAll(keepingCapacity: true)
        var spans = 0
        for segment in segments { spans += segment.spans }
        for index in unsafe retired.indices { unsafe core.pointee.chunks.give(retired[index]) }
        let shared = unsafe core.pointee.shared
        unsafe shared.pointee.drained.add(spans, ordering: .releasing)
        if skippedSpans > 0 {
            unsafe shared.pointee.skippedIdentitySum.wrappingAdd(
                skippedIdentitySum, ordering: .relaxed)
            unsafe shared.pointee.skipped.add(skippedSpans, ordering: .releasing)
            spans += skippedSpans
            (skippedSpans, skippedIdentitySum) = (0, 0)
        }
        unsafe SpanAdmission.releaseRoom(core, spans: spans) { pendingCount > 0 }
    }
}

/// What still fits in the body being made.
struct SpanRoom {
    var spans: Int
    var bytes: Int
    /// The next record did not fit.
    var isFull = false
    /// Nothing is in it yet.
    var isUntouched = true

    var isOpen: Bool { spans > 0 && !isFull }
}
