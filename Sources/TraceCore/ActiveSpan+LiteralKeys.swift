// Attributes and events named where they are set: by a literal, with nothing to declare before, or by a text
// made at run time, which is not interned. A few nanoseconds dearer than an `AttributeKey` made once, since the
// key is hashed each time.
import CThread

extension ActiveSpan {
    public func setAttribute(_ key: StaticString, _ value: Int) {
        unsafe add(key, ValueBytes.count(int: Int64(value))) {
            unsafe ValueBytes.write(int: Int64(value), &$0)
        }
    }

    public func setAttribute(_ key: StaticString, _ value: Double) {
        unsafe add(key, ValueBytes.doubleCount) { unsafe ValueBytes.write(double: value, &$0) }
    }

    public func setAttribute(_ key: StaticString, _ value: Bool) {
        unsafe add(key, ValueBytes.boolCount) { unsafe ValueBytes.write(bool: value, &$0) }
    }

    public func setAttribute(_ key: StaticString, _ value: StaticString) {
        guard value.hasPointerRepresentation else {
            setAttribute(key, string: String(value.unicodeScalar))
            return
        }
        unsafe setUTF8(
            key, UnsafeRawBufferPointer(start: value.utf8Start, count: value.utf8CodeUnitCount))
    }

    /// A string made at run time.
    public func setAttribute(_ key: StaticString, string value: String) {
        guard isRecording else { return }
        var value = value
        value.withUTF8 { unsafe setUTF8(key, UnsafeRawBufferPointer($0)) }
    }

    /// A value of any type; the arrays, and bytes, come this way alone. Disfavoured, so that a literal goes
    /// to the setter for its type.
    @_disfavoredOverload
    public func setAttribute(_ key: StaticString, _ value: AttributeValue) {
        switch value {
        case .int(let value): setAttribute(key, value)
        case .double(let value): setAttribute(key, value)
        case .bool(let value): setAttribute(key, value)
        case .string(let value): setAttribute(key, string: value)
        case .strings, .ints, .doubles, .bools, .bytes:
            guard let limit = valueLengthMax else { return }
            unsafe value.truncated(to: limit).encoded.withUnsafeBytes { bytes in
                unsafe add(key, bytes.count) {
                    unsafe Wire.copy(bytes.baseAddress!, bytes.count, &$0)
                }
            }
        }
    }

    /// An attribute whose key is data, such as a header's name: interned keys would stay for ever.
    public func setAttribute(named key: String, _ value: AttributeValue) {
        guard let limit = valueLengthMax else { return }
        var key = key
        key.withUTF8 { utf8 in
            guard let base = utf8.baseAddress, utf8.count > 0 else { return }
            let bytes = unsafe UnsafeRawPointer(base)
            unsafe value.truncated(to: limit).encoded.withUnsafeBytes { value in
                unsafe add(bytes, utf8.count, value.count) {
                    unsafe Wire.copy(value.baseAddress!, value.count, &$0)
                }
            }
        }
    }

    /// Adds an event whose name is data.
    public func addEvent(
        named name: String, at timeUnixNano: UInt64? = nil, attributes: SpanAttributes? = nil
    ) {
        guard isRecording else { return }
        var name = name
        name.withUTF8 { unsafe addEvent($0, at: timeUnixNano, attributes) }
    }

    /// Adds an event named by a literal. - Parameter timeUnixNano: nanoseconds of Unix time; nil reads the
    /// clock.
    public func addEvent(
        _ name: StaticString, at timeUnixNano: UInt64? = nil, attributes: SpanAttributes? = nil
    ) {
        name.withUTF8Buffer { unsafe addEvent($0, at: timeUnixNano, attributes) }
    }

    private func addEvent(
        _ name: UnsafeBufferPointer<UInt8>, at timeUnixNano: UInt64?, _ attributes: SpanAttributes?
    ) {
        unsafe withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { empty in
            guard let hold = acquire() else { return }
            unsafe SlotWriter.addEvent(
                hold.slot, hold.producer,
                name: UnsafeRawPointer(name.baseAddress) ?? UnsafeRawPointer(empty.baseAddress!),
                name.count,
                timeUnixNano: timeUnixNano ?? SpanEnding.now(hold.slot, hold.producer), attributes)
            release(hold)
        }
    }

    /// The limit on values, if the span still lives.
    private var valueLengthMax: Int? {
        unsafe read { slot, _ in unsafe Int(slot.pointee.limits.attributeValueLength) }
    }

    @inline(__always)
    private func add(
        _ key: StaticString, _ valueCount: Int, _ writeValue: (inout Cursor) -> Void
    ) {
        // A key of one character may have no address of its own; then it gets one here.
        key.withUTF8Buffer { utf8 in
            guard let base = utf8.baseAddress else { return }
            unsafe add(UnsafeRawPointer(base), utf8.count, valueCount, writeValue)
        }
    }

    @inline(__always)
    private func add(
        _ key: UnsafeRawPointer, _ keyCount: Int, _ valueCount: Int,
        _ writeValue: (inout Cursor) -> Void
    ) {
        guard let hold = acquire() else { return }
        unsafe SlotWriter.addAttribute(
            hold.slot, hold.producer, key: key, keyCount, isKeyPadded: false,
            filterBit: AttributeKey.filterBit(key, keyCount), valueCount: valueCount, writeValue)
        release(hold)
    }

    private func setUTF8(_ key: StaticString, _ value: UnsafeRawBufferPointer) {
        guard let base = value.baseAddress, value.count > 0 else {
            unsafe add(key, 2) { cursor in
                unsafe Wire.byte(0x0a, &cursor)
                unsafe Wire.byte(0, &cursor)
            }
            return
        }
        guard let limit = valueLengthMax else { return }
        let kept = unsafe Utf8.prefixCount(base, value.count, scalars: limit)
        unsafe add(key, ValueBytes.count(utf8Count: kept)) {
            unsafe ValueBytes.write(utf8: base, kept, &$0)
        }
    }
}
