// What every setter of an attribute comes to, however its key and value came: the usual way, which is short and calls
// nothing, and the way for everything else.
import CThread
import Synchronization

extension ActiveSpan {
    /// Adds an attribute of the usual kind on the thread that started the span. False, with nothing done, for
    /// any other.
    @inline(__always)
    private func addUsual(
        _ key: AttributeKey, valueCount: Int, _ writeValue: (inout Cursor) -> Void
    ) -> Bool {
        guard let slot = unsafe slot else { return true }
        let starter = unsafe starter.unsafelyUnwrapped
        guard unsafe SlotHold.enter(slot, starter: starter, word: word) else { return false }
        let isAdded = unsafe SlotWriter.addUsualAttribute(
            slot, key, valueCount: valueCount, writeValue)
        unsafe starter.pointee.hazard.store(0, ordering: .releasing)
        return isAdded
    }

    @inline(__always)
    private func addUnusual(
        _ key: KeyBytes, valueCount: Int, _ writeValue: (inout Cursor) -> Void
    ) {
        guard let hold = acquire() else { return }
        unsafe SlotWriter.addAttribute(
            hold.slot, hold.producer, key, valueCount: valueCount, writeValue)
        hold.release(word: word)
    }

    // MARK: The usual way

    @inline(__always)
    func addUsual(_ key: AttributeKey, int value: Int) -> Bool {
        let bits = UInt64(bitPattern: Int64(value))
        let varint = ShortVarint(bits)
        return unsafe addUsual(key, valueCount: varint.count &+ 1) {
            unsafe Wire.twoBytes(
                UInt8(truncatingIfNeeded: varint.count &+ 1), Wire.anyValueIntTag, &$0)
            unsafe varint.write(bits, &$0)
        }
    }

    @inline(__always)
    func addUsual(_ key: AttributeKey, double value: Double) -> Bool {
        unsafe addUsual(key, valueCount: ValueBytes.doubleCount) {
            unsafe Wire.twoBytes(UInt8(ValueBytes.doubleCount), Wire.anyValueDoubleTag, &$0)
            unsafe Wire.fixed64(value.bitPattern, &$0)
        }
    }

    @inline(__always)
    func addUsual(_ key: AttributeKey, bool value: Bool) -> Bool {
        unsafe addUsual(key, valueCount: ValueBytes.boolCount) {
            unsafe Wire.twoBytes(UInt8(ValueBytes.boolCount), Wire.anyValueBoolTag, &$0)
            unsafe Wire.byte(value ? 1 : 0, &$0)
        }
    }

    @inline(__always)
    func addUsual(_ key: AttributeKey, utf8: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        unsafe addUsual(key, valueCount: count &+ 2) {
            unsafe Wire.twoBytes(UInt8(truncatingIfNeeded: count &+ 2), Wire.anyValueStringTag, &$0)
            unsafe Wire.byte(UInt8(truncatingIfNeeded: count), &$0)
            unsafe Wire.copy(utf8, count, &$0)
        }
    }

    // MARK: Any way
    // A function each, not inlined: the usual way ends in a jump to one, and keeps nothing for it.

    @inline(never)
    func addUnusual(_ key: AttributeKey, int value: Int) { addUnusual(key.keyBytes, int: value) }

    @inline(never)
    func addUnusual(_ key: AttributeKey, double value: Double) {
        addUnusual(key.keyBytes, double: value)
    }

    @inline(never)
    func addUnusual(_ key: AttributeKey, bool value: Bool) {
        addUnusual(key.keyBytes, bool: value)
    }

    @inline(never)
    func addUnusual(_ key: AttributeKey, utf8: UnsafePointer<UInt8>, _ count: Int) {
        unsafe addUnusual(key.keyBytes, utf8: utf8, count)
    }

    @inline(__always)
    func addUnusual(_ key: KeyBytes, int value: Int) {
        unsafe addUnusual(key, valueCount: ValueBytes.count(int: Int64(value))) {
            unsafe ValueBytes.write(int: Int64(value), &$0)
        }
    }

    @inline(__always)
    func addUnusual(_ key: KeyBytes, double value: Double) {
        unsafe addUnusual(key, valueCount: ValueBytes.doubleCount) {
            unsafe ValueBytes.write(double: value, &$0)
        }
    }

    @inline(__always)
    func addUnusual(_ key: KeyBytes, bool value: Bool) {
        unsafe addUnusual(key, valueCount: ValueBytes.boolCount) {
            unsafe ValueBytes.write(bool: value, &$0)
        }
    }

    @inline(__always)
    func addUnusual(_ key: KeyBytes, utf8: UnsafePointer<UInt8>, _ count: Int) {
        guard let hold = acquire() else { return }
        let limit = unsafe Int(hold.slot.pointee.limits.pointee.attributeValueLength)
        let kept = unsafe Utf8.prefixCount(utf8, count, scalars: limit)
        unsafe SlotWriter.addAttribute(
            hold.slot, hold.producer, key, valueCount: ValueBytes.count(utf8Count: kept)
        ) { unsafe ValueBytes.write(utf8: utf8, kept, &$0) }
        hold.release(word: word)
    }

    @inline(__always)
    func setUTF8(_ key: AttributeKey, _ utf8: UnsafeBufferPointer<UInt8>) {
        guard let start = utf8.baseAddress else { return setEmptyText(key.keyBytes) }
        if unsafe addUsual(key, utf8: start, utf8.count) { return }
        unsafe addUnusual(key, utf8: start, utf8.count)
    }

    /// A text without bytes need not have an address.
    @inline(never)
    private func setEmptyText(_ key: KeyBytes) {
        unsafe addUnusual(key, valueCount: 2) {
            unsafe Wire.byte(Wire.anyValueStringTag, &$0)
            unsafe Wire.byte(0, &$0)
        }
    }
}
