// Writing into a live span's bytes. The caller holds the slot's busy bit, or the slot is not out yet.
import CThread
import Glibc

typealias SlotPointer = UnsafeMutablePointer<SpanSlot>

enum SlotWriter {
    /// Appends an attribute of the usual kind: its key is surely new, its lengths are a byte each, and it fits
    /// where the chain stands. False, with nothing done, for any other; see `addAttribute`.
    /// - Parameter writeValue: writes the value's length, one byte, and its `valueCount` bytes.
    @inline(__always)
    static func addUsualAttribute(
        _ slot: SlotPointer, _ key: AttributeKey, valueCount: Int,
        _ writeValue: (inout Cursor) -> Void
    ) -> Bool {
        let key = key.keyBytes
        let messageCount = key.usualCount &+ valueCount &+ 4
        guard messageCount < 128, unsafe !slot.pointee.filter.mayContain(key.filterBit) else {
            return false
        }
        // If there is no room after all, this makes a search that finds nothing.
        unsafe slot.pointee.filter.insert(key.filterBit)
        let room = unsafe slot.pointee.chain.room
        let rest = room &- UInt32(truncatingIfNeeded: messageCount &+ 2) &- ByteChain.oneAttribute
        guard rest & ByteChain.overdrawn == 0 else { return false }
        var cursor = unsafe slot.pointee.chain.cursor
        unsafe slot.pointee.chain.room = rest
        // Tag and length of the entry; the key's field; the value's tag and length.
        unsafe cursor.storeBytes(
            of: UInt16(truncatingIfNeeded: Int(Wire.spanAttributesTag) | messageCount << 8)
                .littleEndian, as: UInt16.self)
        unsafe cursor += 2
        unsafe Wire.copyPadded(key.pointer - 2, key.usualCount &+ 3, &cursor)
        unsafe writeValue(&cursor)
        return true
    }

    /// Appends any attribute: long ones, a key that may be there, a full slot.
    @inline(__always)
    static func addAttribute(
        _ slot: SlotPointer, _ producer: ProducerPointer, _ key: KeyBytes, valueCount: Int,
        _ writeValue: (inout Cursor) -> Void
    ) {
        guard key.count > 0 else { return }
        let entryCount = KeyValueBytes.entryCount(keyCount: key.count, valueCount: valueCount)
        if unsafe !slot.pointee.filter.mayContain(key.filterBit),
            unsafe slot.pointee.chain.attributesLeft > 0,
            unsafe slot.pointee.chain.hasRoom(entryCount)
        {
            var cursor = unsafe slot.pointee.chain.cursor
            unsafe KeyValueBytes.writeHead(
                tag: Wire.spanAttributesTag, key.pointer, key.count, valueCount: valueCount,
                &cursor)
            unsafe writeValue(&cursor)
            unsafe slot.pointee.chain.cursor = unsafe cursor
            unsafe slot.pointee.filter.insert(key.filterBit)
            unsafe slot.pointee.chain.countAttributes(1)
            return
        }
        let entry = unsafe Producer.scratch(producer, byteCount: entryCount)
        var cursor = unsafe entry
        unsafe KeyValueBytes.writeHead(
            tag: Wire.spanAttributesTag, key.pointer, key.count, valueCount: valueCount, &cursor)
        unsafe writeValue(&cursor)
        unsafe addEntry(
            slot, producer, UnsafeRawBufferPointer(start: entry, count: entryCount),
            key: key.pointer, key.count, filterBit: key.filterBit)
        unsafe Producer.trimScratch(producer)
    }

    /// Adds an encoded attribute: overwrites a present key, respects the limit, chains blocks.
    @inline(never)
    static func addEntry(
        _ slot: SlotPointer, _ producer: ProducerPointer, _ entry: UnsafeRawBufferPointer,
        key: UnsafeRawPointer, _ keyCount: Int, filterBit: FilterBit
    ) {
        if unsafe slot.pointee.filter.mayContain(filterBit),
            unsafe replace(slot, producer, entry, key: key, keyCount)
        {
            return
        }
        guard unsafe slot.pointee.chain.attributesLeft > 0, unsafe append(slot, producer, entry)
        else {
            unsafe drop(slot, attributes: 1)
            return
        }
        unsafe slot.pointee.filter.insert(filterBit)
        unsafe slot.pointee.chain.countAttributes(1)
    }

    /// Puts `entry` in the place of the attribute with that key. False when there is none.
    private static func replace(
        _ slot: SlotPointer, _ producer: ProducerPointer, _ entry: UnsafeRawBufferPointer,
        key: UnsafeRawPointer, _ keyCount: Int
    ) -> Bool {
        let count = unsafe slot.pointee.chain.count
        let inline = unsafe SlotLayout.bytes(slot)
        let isInline = unsafe slot.pointee.chain.firstBlock == nil
        let bytes: UnsafeMutableRawPointer
        if isInline {
            unsafe bytes = unsafe inline
        } else {
            unsafe bytes = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 16)
            unsafe slot.pointee.chain.copy(inline: inline, to: bytes)
        }
        defer { if !isInline { unsafe bytes.deallocate() } }
        guard
            let old = unsafe EntryWalker.find(
                key, keyCount, in: bytes, from: slot.pointee.headerBytes, to: count)
        else { return false }
        let growth = entry.count - old.count
        if isInline, unsafe slot.pointee.chain.hasRoom(max(0, growth)) {
            unsafe memmove(
                bytes + old.upperBound + growth, bytes + old.upperBound, count - old.upperBound)
            unsafe memcpy(bytes + old.lowerBound, entry.baseAddress!, entry.count)
            unsafe slot.pointee.chain.cursor += growth
            return true
        }
        let rebuilt = UnsafeMutableRawPointer.allocate(byteCount: count + growth, alignment: 16)
        defer { unsafe rebuilt.deallocate() }
        unsafe memcpy(rebuilt, bytes, old.lowerBound)
        unsafe memcpy(rebuilt + old.lowerBound, entry.baseAddress!, entry.count)
        unsafe memcpy(
            rebuilt + old.lowerBound + entry.count, bytes + old.upperBound, count - old.upperBound)
        if unsafe !rebuild(slot, producer, rebuilt, count + growth) {
            unsafe drop(slot, attributes: 1)
        }
        return true
    }

    /// Makes the chain hold other bytes. The new blocks are taken before the old ones are let go, so
    /// that a store without blocks leaves the span as it was. False then.
    static func rebuild(
        _ slot: SlotPointer, _ producer: ProducerPointer, _ bytes: UnsafeRawPointer, _ count: Int
    ) -> Bool {
        let core = unsafe slot.pointee.core
        unsafe slot.pointee.traits.setDirty()
        var fresh = unsafe ByteChain(
            inline: SlotLayout.bytes(slot), capacity: SlotLayout.inlineBytes)
        unsafe fresh.keepLimits(of: slot.pointee.chain)
        guard
            unsafe fresh.append(
                bytes, count, blocks: core.pointee.blocks, cache: &producer.pointee.blocks)
        else { return false }
        unsafe slot.pointee.chain.reset(
            inline: SlotLayout.bytes(slot), capacity: SlotLayout.inlineBytes,
            blocks: core.pointee.blocks, cache: &producer.pointee.blocks)
        unsafe slot.pointee.chain = fresh
        return true
    }

    /// Appends encoded bytes, in blocks where the slot has no room. False, with nothing done, when there are no
    /// blocks either.
    @inline(__always)
    static func append(
        _ slot: SlotPointer, _ producer: ProducerPointer, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        let core = unsafe slot.pointee.core
        if unsafe !slot.pointee.chain.hasRoom(bytes.count) { unsafe slot.pointee.traits.setDirty() }
        return unsafe slot.pointee.chain.append(
            bytes.baseAddress!, bytes.count, blocks: core.pointee.blocks,
            cache: &producer.pointee.blocks)
    }

    private static func drop(_ slot: SlotPointer, attributes: Int) {
        unsafe slot.pointee.traits.setDirty()
        unsafe slot.pointee.droppedAttributeCount &+= UInt32(attributes)
    }

    /// Adds a list of attributes: one copy when the span has none yet and nothing has to be cut.
    static func add(_ slot: SlotPointer, _ producer: ProducerPointer, _ list: SpanAttributes) {
        guard list.count > 0 else { return }
        let limits = unsafe slot.pointee.limits.pointee
        let needsCutting = list.utf8CountMax > Int(limits.attributeValueLength)
        unsafe list.entries.withUnsafeBytes { bytes in
            if unsafe slot.pointee.attributeCount == 0, !needsCutting,
                list.count <= Int(limits.attributeCount)
            {
                if unsafe append(slot, producer, bytes) {
                    unsafe slot.pointee.filter = list.filter
                    unsafe slot.pointee.chain.countAttributes(list.count)
                } else {
                    unsafe drop(slot, attributes: list.count)
                }
                return
            }
            let base = bytes.baseAddress!
            unsafe EntryWalker.forEachAttribute(in: base, from: 0, to: bytes.count) { entry, key in
                let keyBytes = unsafe base + key.lowerBound
                let filterBit = unsafe KeyNumbers.filterBit(
                    of: UnsafeRawBufferPointer(start: keyBytes, count: key.count))
                let whole = unsafe UnsafeRawBufferPointer(rebasing: bytes[entry])
                if needsCutting,
                    let cut = unsafe cutEntry(whole, key.count, limits.attributeValueLength)
                {
                    unsafe cut.withUnsafeBytes {
                        unsafe addEntry(
                            slot, producer, $0, key: keyBytes, key.count, filterBit: filterBit)
                    }
                } else {
                    unsafe addEntry(
                        slot, producer, whole, key: keyBytes, key.count, filterBit: filterBit)
                }
            }
        }
    }

    /// The entry with what is too long in its value cut to `limit`; nil when it need not be.
    static func cutEntry(
        _ entry: UnsafeRawBufferPointer, _ keyCount: Int, _ limit: UInt32
    ) -> [UInt8]? {
        let base = entry.baseAddress!
        let valueRange = unsafe EntryWalker.valueRange(in: base, 0..<entry.count, keyCount)
        let value = unsafe AttributeValue(encoded: Array(entry[valueRange])[...])
        let cut = value.truncated(to: Int(limit))
        guard cut != value else { return nil }
        var offset = 1
        _ = unsafe Wire.readVarint(base, &offset)
        offset += 1
        _ = unsafe Wire.readVarint(base, &offset)
        let key = unsafe Array(entry[offset..<offset + keyCount])
        return unsafe MessageBytes.field(
            base.load(as: UInt8.self),
            MessageBytes.field(0x0a, key) + MessageBytes.field(0x12, cut.encoded))
    }

    /// The tracestate as field 3. Too large for the store: none.
    @inline(never)
    static func addTraceState(
        _ slot: SlotPointer, _ producer: ProducerPointer, _ state: TraceState
    ) {
        unsafe state.withUTF8 { bytes in
            if let start = bytes.baseAddress, bytes.count > 0 {
                unsafe addField(slot, producer, tag: 0x1a, start, bytes.count)
            }
        }
    }

    /// The name as field 5, for a name that does not stay where it is. Too large for the store: no name.
    @inline(never)
    static func addInlineName(
        _ slot: SlotPointer, _ producer: ProducerPointer, _ name: UnsafeRawPointer, _ count: Int
    ) {
        unsafe addField(slot, producer, tag: Wire.spanNameTag, name, count)
        unsafe slot.pointee.name = .inline
    }

    /// Appends a length-delimited field, in blocks where the slot has no room for it.
    private static func addField(
        _ slot: SlotPointer, _ producer: ProducerPointer, tag: UInt8, _ bytes: UnsafeRawPointer,
        _ count: Int
    ) {
        let fieldCount = 1 + Wire.varintBytes(count) + count
        if unsafe slot.pointee.chain.hasRoom(fieldCount) {
            var cursor = unsafe slot.pointee.chain.cursor
            unsafe Wire.byte(tag, &cursor)
            unsafe Wire.varint(count, &cursor)
            unsafe Wire.copy(bytes, count, &cursor)
            unsafe slot.pointee.chain.cursor = unsafe cursor
        } else {
            let field = unsafe Producer.scratch(producer, byteCount: fieldCount)
            var cursor = unsafe field
            unsafe Wire.byte(tag, &cursor)
            unsafe Wire.varint(count, &cursor)
            unsafe Wire.copy(bytes, count, &cursor)
            _ = unsafe append(
                slot, producer, UnsafeRawBufferPointer(start: field, count: fieldCount))
            unsafe Producer.trimScratch(producer)
        }
    }
}

/// Counting Unicode scalars in UTF-8.
enum Utf8 {
    /// How many bytes the first `scalars` scalars take; `count` when there are no more than that.
    static func prefixCount(_ bytes: UnsafeRawPointer, _ count: Int, scalars: Int) -> Int {
        if count <= scalars { return count }
        var seen = 0
        for index in 0..<count
        where unsafe bytes.load(fromByteOffset: index, as: UInt8.self) & 0xc0 != 0x80 {
            if seen == scalars { return index }
            seen += 1
        }
        return count
    }

    /// The longest prefix of at most `countMax` bytes that does not end within a scalar.
    static func wholeScalars(_ bytes: UnsafeRawPointer, _ count: Int, countMax: Int) -> Int {
        if count <= countMax { return count }
        var end = countMax
        while end > 0, unsafe bytes.load(fromByteOffset: end, as: UInt8.self) & 0xc0 == 0x80 {
            end -= 1
        }
        return end
    }
}
