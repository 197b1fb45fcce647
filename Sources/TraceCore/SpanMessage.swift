// A whole Span message out of a slot: its parts, their sizes, and what is written last.
import CThread

/// The parts of a Span message and their sizes: what the slot's chain holds, the name, what is written last.
struct MessageShape {
    let name: NameBytes
    let hasTail: Bool
    /// Bytes of the message.
    let count: Int

    @inline(__always)
    init(_ slot: SlotPointer) {
        name = unsafe slot.pointee.name
        hasTail = unsafe slot.pointee.traits.isDirty && SpanTail.isNeeded(slot)
        count =
            unsafe slot.pointee.chain.count &+ name.fieldCount
            &+ (hasTail ? SpanTail.count(slot) : 0)
    }

    @inline(__always)
    func write(_ slot: SlotPointer, to start: UnsafeMutableRawPointer) {
        unsafe slot.pointee.chain.copy(inline: SlotLayout.bytes(slot), to: start)
        var cursor = unsafe start + slot.pointee.chain.count
        unsafe name.write(&cursor)
        if hasTail { unsafe SpanTail.write(slot, &cursor) }
    }
}

/// What is written last: dropped counts (fields 10, 12, 14) and status (15 {message 2, code 3}).
enum SpanTail {
    @inline(__always)
    static func isNeeded(_ slot: SlotPointer) -> Bool {
        unsafe UInt32(slot.pointee.traits.status) | slot.pointee.droppedAttributeCount
            | slot.pointee.droppedEventCount | slot.pointee.droppedLinkCount != 0
    }

    static func hasDrops(_ slot: SlotPointer) -> Bool {
        unsafe slot.pointee.droppedAttributeCount | slot.pointee.droppedEventCount
            | slot.pointee.droppedLinkCount != 0
    }

    @inline(never)
    static func count(_ slot: SlotPointer) -> Int {
        var count = 0
        let drops = unsafe drops(slot)
        for index in drops.indices where drops[index].count > 0 {
            count += 1 + Wire.varintBytes(Int(drops[index].count))
        }
        if unsafe slot.pointee.traits.status != 0 {
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
        guard unsafe slot.pointee.traits.status != 0 else { return }
        unsafe Wire.byte(0x7a, &cursor)
        unsafe Wire.varint(statusCount(slot), &cursor)
        if let block = unsafe slot.pointee.statusMessage, unsafe slot.pointee.statusMessageCount > 0
        {
            unsafe Wire.byte(0x12, &cursor)
            unsafe Wire.varint(slot.pointee.statusMessageCount, &cursor)
            unsafe Wire.copy(Block.payload(block), slot.pointee.statusMessageCount, &cursor)
        }
        unsafe Wire.byte(0x18, &cursor)
        unsafe Wire.byte(slot.pointee.traits.status, &cursor)
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
