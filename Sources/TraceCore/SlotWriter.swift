// Writing into a live span's bytes. The caller holds the slot's busy bit, or the slot is not out yet.
import CThread
import Glibc

typealias SlotPointer = UnsafeMutablePointer<SpanSlot>

enum SlotWriter {
    /// Appends an attribute: in place when its key is surely new and it fits, else the long way round.
    @inline(__always)
    static func addAttribute(
        _ slot: SlotPointer, _ producer: ProducerPointer, key: UnsafeRawPointer, _ keyCount: Int,
        isKeyPadded: Bool,
        filterBit: UInt8, valueCount: Int, _ writeValue: (inout Cursor) -> Void
    ) {
        let isNew =
            unsafe !slot.pointee.filter.mayContain(filterBit)
            && slot.pointee.attributeCount < slot.pointee.limits.attributeCount
        // Nearly every attribute: all its lengths are one byte.
        let messageCount = keyCount &+ valueCount &+ 4
        if isNew, messageCount < 128, keyCount > 0,
            unsafe slot.pointee.chain.hasRoom(messageCount &+ 2)
        {
            var cursor = unsafe slot.pointee.chain.cursor
            let head =
                UInt32(Wire.spanAttributesTag) | UInt32(truncatingIfNeeded: messageCount) << 8
                | 0x0a << 16 | UInt32(truncatingIfNeeded: keyCount) << 24
            unsafe Wire.fixed32(head, &cursor)
            if isKeyPadded {
                unsafe Wire.copyPadded(key, keyCount, &cursor)
            } else {
                unsafe Wire.copy(key, keyCount, &cursor)
            }
            unsafe cursor.storeBytes(
                of: (UInt16(0x12) | UInt16(truncatingIfNeeded: valueCount) << 8).littleEndian,
                as: UInt16.self)
            unsafe cursor += 2
            unsafe writeValue(&cursor)
            unsafe slot.pointee.chain.cursor = unsafe cursor
            unsafe slot.pointee.filter.insert(filterBit)
            unsafe slot.pointee.attributeCount &+= 1
            return
        }
        unsafe addLongAttribute(
            slot, producer, key: key, keyCount, filterBit: filterBit, valueCount: valueCount,
            writeValue)
    }

    /// The long way round: long values, a key that may be there, a full slot.
    @inline(never)
    private static func addLongAttribute(
        _ slot: SlotPointer, _ producer: ProducerPointer, key: UnsafeRawPointer, _ keyCount: Int,
        filterBit: UInt8, valueCount: Int, _ writeValue: (inout Cursor) -> Void
    ) {
        let entryCount = KeyValueBytes.entryCount(keyCount: keyCount, valueCount: valueCount)
        if unsafe !slot.pointee.filter.mayContain(filterBit),
            unsafe slot.pointee.attributeCount < slot.pointee.limits.attributeCount,
            unsafe slot.pointee.chain.hasRoom(entryCount), keyCount > 0
        {
            var cursor = unsafe slot.pointee.chain.cursor
            unsafe KeyValueBytes.writeHead(
                tag: Wire.spanAttributesTag, key, keyCount, isKeyPadded: false,
                valueCount: valueCount, &cursor)
            unsafe writeValue(&cursor)
            unsafe slot.pointee.chain.cursor = unsafe cursor
            unsafe slot.pointee.filter.insert(filterBit)
            unsafe slot.pointee.attributeCount &+= 1
            return
        }
        guard keyCount > 0 else { return }
        let entry = unsafe Producer.scratch(producer, byteCount: entryCount)
        var cursor = unsafe entry
        unsafe KeyValueBytes.writeHead(
            tag: Wire.spanAttributesTag, key, keyCount, isKeyPadded: false, valueCount: valueCount,
            &cursor)
        unsafe writeValue(&cursor)
        unsafe addEntry(
            slot, producer, UnsafeRawBufferPointer(start: entry, count: entryCount), key: key,
            keyCount, filterBit: filterBit)
        unsafe Producer.trimScratch(producer)
    }

    /// Adds an encoded attribute: overwrites a present key, respects the limit, chains blocks.
    @inline(never)
    static func addEntry(
        _ slot: SlotPointer, _ producer: ProducerPointer, _ entry: UnsafeRawBufferPointer,
        key: UnsafeRawPointer, _ keyCount: Int, filterBit: UInt8
    ) {
        if unsafe slot.pointee.filter.mayContain(filterBit),
            unsafe replace(slot, producer, entry, key: key, keyCount)
        {
            return
        }
        guard unsafe slot.pointee.attributeCount < slot.pointee.limits.attributeCount,
            unsafe append(slot, producer, entry)
        else {
            unsafe slot.pointee.droppedAttributeCount &+= 1
            return
        }
        unsafe slot.pointee.filter.insert(filterBit)
        unsafe slot.pointee.attributeCount &+= 1
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
                key, keyCount, in: bytes, from: slot.pointee.streamOffset, to: count)
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
            unsafe slot.pointee.droppedAttributeCount &+= 1
        }
        return true
    }

    /// Makes the chain hold other bytes. The new blocks are taken before the old ones are let go, so
    /// that a store without blocks leaves the span as it was. False then.
    static func rebuild(
        _ slot: SlotPointer, _ producer: ProducerPointer, _ bytes: UnsafeRawPointer, _ count: Int
    ) -> Bool {
        let core = unsafe slot.pointee.core
        var fresh = unsafe ByteChain(
            inline: SlotLayout.bytes(slot), capacity: SlotLayout.inlineBytes)
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

    @inline(__always)
    private static func append(
        _ slot: SlotPointer, _ producer: ProducerPointer, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        let core = unsafe slot.pointee.core
        return unsafe slot.pointee.chain.append(
            bytes.baseAddress!, bytes.count, blocks: core.pointee.blocks,
            cache: &producer.pointee.blocks)
    }

    /// Adds a list of attributes: one copy when the span has none yet and nothing has to be cut.
    static func add(_ slot: SlotPointer, _ producer: ProducerPointer, _ list: SpanAttributes) {
        guard list.count > 0 else { return }
        let limits = unsafe slot.pointee.limits
        let needsCutting = list.utf8CountMax > Int(limits.attributeValueLength)
        unsafe list.entries.withUnsafeBytes { bytes in
            if unsafe slot.pointee.attributeCount == 0, !needsCutting,
                list.count <= Int(limits.attributeCount)
            {
                if unsafe append(slot, producer, bytes) {
                    unsafe slot.pointee.filter = list.filter
                    unsafe slot.pointee.attributeCount = UInt32(list.count)
                } else {
                    unsafe slot.pointee.droppedAttributeCount &+= UInt32(list.count)
                }
                return
            }
            let base = bytes.baseAddress!
            unsafe EntryWalker.forEachAttribute(in: base, from: 0, to: bytes.count) { entry, key in
                let keyBytes = unsafe base + key.lowerBound
                let filterBit = unsafe AttributeKey.filterBit(keyBytes, key.count)
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
        unsafe addField(slot, producer, tag: 0x2a, name, count)
        unsafe slot.pointee.name = nil
        unsafe slot.pointee.nameCount = 0
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
