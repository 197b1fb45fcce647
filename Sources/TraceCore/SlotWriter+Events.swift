// Events, links, status and name of a live span. The caller holds the slot's busy bit.
import CThread
import Glibc

extension SlotWriter {
    /// Appends an event: field 11 {time 1, name 2, attributes 3, dropped_attributes_count 4}.
    @inline(never)
    static func addEvent(
        _ slot: SlotPointer, _ producer: ProducerPointer, name: UnsafeRawPointer, _ nameCount: Int,
        timeUnixNano: UInt64, _ attributes: SpanAttributes?
    ) {
        unsafe slot.pointee.traits.setDirty()
        guard unsafe slot.pointee.eventCount < slot.pointee.limits.pointee.eventCount else {
            unsafe slot.pointee.droppedEventCount &+= 1
            return
        }
        let list = unsafe AttributeShare(
            attributes, countMax: slot.pointee.limits.pointee.attributeCountPerEvent,
            valueLengthMax: slot.pointee.limits.pointee.attributeValueLength)
        let messageCount =
            9 + 1 + Wire.varintBytes(nameCount) + nameCount + list.byteCount + list.droppedBytes
        let added = unsafe addMessage(slot, producer, tag: Wire.spanEventsTag, messageCount) {
            cursor in
            unsafe Wire.byte(0x09, &cursor)
            unsafe Wire.fixed64(timeUnixNano, &cursor)
            unsafe Wire.byte(0x12, &cursor)
            unsafe Wire.varint(nameCount, &cursor)
            unsafe Wire.copy(name, nameCount, &cursor)
            unsafe list.write(tag: 0x1a, droppedTag: 0x20, &cursor)
        }
        if added {
            unsafe slot.pointee.eventCount &+= 1
        } else {
            unsafe slot.pointee.droppedEventCount &+= 1
        }
    }

    /// Appends a link: field 13 {trace_id 1, span_id 2, trace_state 3, attributes 4, dropped 5, flags 6}.
    @inline(never)
    static func addLink(
        _ slot: SlotPointer, _ producer: ProducerPointer, _ context: SpanContext,
        _ attributes: SpanAttributes?
    ) {
        unsafe slot.pointee.traits.setDirty()
        guard unsafe slot.pointee.linkCount < slot.pointee.limits.pointee.linkCount else {
            unsafe slot.pointee.droppedLinkCount &+= 1
            return
        }
        let list = unsafe AttributeShare(
            attributes, countMax: slot.pointee.limits.pointee.attributeCountPerLink,
            valueLengthMax: slot.pointee.limits.pointee.attributeValueLength)
        let state = context.traceState.bytes
        let stateBytes = state.isEmpty ? 0 : 1 + Wire.varintBytes(state.count) + state.count
        let messageCount = 18 + 10 + stateBytes + list.byteCount + list.droppedBytes + 5
        let added = unsafe addMessage(slot, producer, tag: Wire.spanLinksTag, messageCount) {
            cursor in
            unsafe Wire.byte(0x0a, &cursor)
            unsafe Wire.byte(16, &cursor)
            unsafe Wire.fixed64(context.traceID.high.byteSwapped, &cursor)
            unsafe Wire.fixed64(context.traceID.low.byteSwapped, &cursor)
            unsafe Wire.byte(0x12, &cursor)
            unsafe Wire.byte(8, &cursor)
            unsafe Wire.fixed64(context.spanID.rawValue.byteSwapped, &cursor)
            if !state.isEmpty {
                unsafe Wire.byte(0x1a, &cursor)
                unsafe Wire.varint(state.count, &cursor)
                unsafe state.withUnsafeBytes {
                    unsafe Wire.copy($0.baseAddress!, state.count, &cursor)
                }
            }
            unsafe list.write(tag: 0x22, droppedTag: 0x28, &cursor)
            unsafe Wire.byte(0x35, &cursor)
            unsafe Wire.fixed32(
                UInt32(context.flags.onWire) | 0x100 | (context.isRemote ? 0x200 : 0), &cursor)
        }
        if added {
            unsafe slot.pointee.linkCount &+= 1
        } else {
            unsafe slot.pointee.droppedLinkCount &+= 1
        }
    }

    /// Appends a length-delimited field. False when the store has no blocks left.
    @inline(__always)
    private static func addMessage(
        _ slot: SlotPointer, _ producer: ProducerPointer, tag: UInt8, _ messageCount: Int,
        _ write: (inout Cursor) -> Void
    ) -> Bool {
        let fieldCount = 1 + Wire.varintBytes(messageCount) + messageCount
        if unsafe slot.pointee.chain.hasRoom(fieldCount) {
            var cursor = unsafe slot.pointee.chain.cursor
            unsafe Wire.byte(tag, &cursor)
            unsafe Wire.varint(messageCount, &cursor)
            unsafe write(&cursor)
            unsafe slot.pointee.chain.cursor = unsafe cursor
            return true
        }
        let field = unsafe Producer.scratch(producer, byteCount: fieldCount)
        defer { unsafe Producer.trimScratch(producer) }
        var cursor = unsafe field
        unsafe Wire.byte(tag, &cursor)
        unsafe Wire.varint(messageCount, &cursor)
        unsafe write(&cursor)
        return unsafe append(
            slot, producer, UnsafeRawBufferPointer(start: field, count: fieldCount))
    }

    /// Order of statuses: ok is final, error beats unset, and setting unset does nothing.
    /// A message longer than a block (4,160 bytes) is cut at a scalar.
    @inline(never)
    static func setStatus(
        _ slot: SlotPointer, _ producer: ProducerPointer, _ status: SpanStatus,
        message: UnsafeRawPointer?, _ messageCount: Int
    ) {
        guard status != .unset, unsafe slot.pointee.traits.status != SpanStatus.ok.rawValue else {
            return
        }
        unsafe slot.pointee.traits.setDirty()
        unsafe slot.pointee.traits.status = status.rawValue
        unsafe slot.pointee.statusMessageCount = 0
        guard status == .error, let message = unsafe message, messageCount > 0 else { return }
        unsafe (slot.pointee.statusMessage, slot.pointee.statusMessageCount) = unsafe keep(
            slot, producer, message, messageCount, in: slot.pointee.statusMessage)
    }

    /// Gives the span another name. A name longer than a block is cut at a scalar; without a free block
    /// the old name stays.
    @inline(never)
    static func updateName(_ slot: SlotPointer, _ producer: ProducerPointer, _ name: NameBytes) {
        unsafe slot.pointee.traits.setDirty()
        var lasting = name
        if !name.isImmortal {
            let copy = unsafe keep(
                slot, producer, name.pointer, name.count, in: slot.pointee.nameBlock)
            guard let block = unsafe copy.block else { return }
            unsafe slot.pointee.nameBlock = unsafe block
            lasting = unsafe NameBytes(
                pointer: UnsafeRawPointer(Block.payload(block)), count: copy.count, .literal)
        }
        if unsafe slot.pointee.name.isInline, unsafe !removeInlineName(slot, producer) { return }
        unsafe slot.pointee.name = lasting
    }

    /// Copies bytes to a block of their own, the one they had or a new one.
    private static func keep(
        _ slot: SlotPointer, _ producer: ProducerPointer, _ bytes: UnsafeRawPointer, _ count: Int,
        in old: UnsafeMutableRawPointer?
    ) -> (block: UnsafeMutableRawPointer?, count: Int) {
        guard
            let block = unsafe old
                ?? slot.pointee.core.pointee.blocks.takeCounted(&producer.pointee.blocks)
        else { return (nil, 0) }
        let kept = unsafe Utf8.wholeScalars(bytes, count, countMax: Block.payloadBytes)
        unsafe memcpy(Block.payload(block), bytes, kept)
        return unsafe (block, kept)
    }

    /// Takes the name out of the chain; what follows moves up. False when the store has no blocks.
    private static func removeInlineName(_ slot: SlotPointer, _ producer: ProducerPointer) -> Bool {
        let count = unsafe slot.pointee.chain.count
        let all = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 16)
        defer { unsafe all.deallocate() }
        unsafe slot.pointee.chain.copy(inline: SlotLayout.bytes(slot), to: all)
        // Behind header and tracestate; what comes before it is a field each.
        var start = unsafe slot.pointee.headerBytes
        var end = start
        while true {
            let tag = unsafe all.load(fromByteOffset: start, as: UInt8.self)
            end = start + 1
            let length = unsafe Wire.readVarint(all, &end)
            end += length
            if tag == Wire.spanNameTag { break }
            start = end
        }
        unsafe memmove(all + start, all + end, count - end)
        return unsafe rebuild(slot, producer, all, count - (end - start))
    }
}

/// The attributes of an event or link, as far as limits let them in.
struct AttributeShare {
    private var entries: [UInt8] = []
    private var dropped = 0
    var byteCount: Int { entries.count }
    var droppedBytes: Int { dropped > 0 ? 1 + Wire.varintBytes(dropped) : 0 }

    init(_ attributes: SpanAttributes?, countMax: UInt32, valueLengthMax: UInt32) {
        guard let attributes, attributes.count > 0 else { return }
        let kept = min(attributes.count, Int(countMax))
        dropped = attributes.count - kept
        if dropped == 0, attributes.utf8CountMax <= Int(valueLengthMax) {
            entries = attributes.entries
            return
        }
        var seen = 0
        unsafe attributes.entries.withUnsafeBytes { bytes in
            unsafe EntryWalker.forEachAttribute(in: bytes.baseAddress!, from: 0, to: bytes.count) {
                entry, key in
                seen += 1
                guard seen <= kept else { return }
                let whole = unsafe UnsafeRawBufferPointer(rebasing: bytes[entry])
                unsafe entries +=
                    SlotWriter.cutEntry(whole, key.count, valueLengthMax) ?? Array(whole)
            }
        }
    }

    /// Writes the entries with the tag that attributes have here, then how many were dropped.
    @inline(__always)
    func write(tag: UInt8, droppedTag: UInt8, _ cursor: inout Cursor) {
        let start = unsafe cursor
        unsafe entries.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, bytes.count > 0 else { return }
            unsafe Wire.copy(base, bytes.count, &cursor)
            unsafe EntryWalker.forEachAttribute(in: base, from: 0, to: bytes.count) { entry, _ in
                unsafe start.storeBytes(of: tag, toByteOffset: entry.lowerBound, as: UInt8.self)
            }
        }
        if dropped > 0 {
            unsafe Wire.byte(droppedTag, &cursor)
            unsafe Wire.varint(dropped, &cursor)
        }
    }
}
