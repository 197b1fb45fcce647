// Attributes and events named by a literal where they are set: nothing to declare before. A few nanoseconds
// dearer than an `AttributeKey` made once, since the key is hashed each time.
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

    /// Adds an event named by a literal. - Parameter timeUnixNano: nanoseconds of Unix time; nil reads the
    /// clock.
    public func addEvent(
        _ name: StaticString, at timeUnixNano: UInt64? = nil, attributes: SpanAttributes? = nil
    ) {
        name.withUTF8Buffer { utf8 in
            guard let base = utf8.baseAddress, let hold = acquire() else { return }
            unsafe SlotWriter.addEvent(
                hold.slot, hold.producer, name: UnsafeRawPointer(base), utf8.count,
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
            guard let base = utf8.baseAddress, let hold = acquire() else { return }
            let bytes = unsafe UnsafeRawPointer(base)
            unsafe SlotWriter.addAttribute(
                hold.slot, hold.producer, key: bytes, utf8.count, isKeyPadded: false,
                filterBit: AttributeKey.filterBit(bytes, utf8.count), valueCount: valueCount,
                writeValue)
            release(hold)
        }
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
