// Attributes and events named where they are set: by a literal, with nothing to declare before, or by a text
// made at run time, which is not interned. A few nanoseconds dearer than an `AttributeKey` made once, since the
// key is hashed each time.
import CThread

extension ActiveSpan {
    public func setAttribute(_ key: StaticString, _ value: Int) {
        key.withKeyBytes { key in
            if !addUsual(key, int: value) { addUnusual(key, int: value) }
        }
    }

    public func setAttribute(_ key: StaticString, _ value: Double) {
        key.withKeyBytes { key in
            if !addUsual(key, double: value) { addUnusual(key, double: value) }
        }
    }

    public func setAttribute(_ key: StaticString, _ value: Bool) {
        key.withKeyBytes { key in
            if !addUsual(key, bool: value) { addUnusual(key, bool: value) }
        }
    }

    public func setAttribute(_ key: StaticString, _ value: StaticString) {
        key.withKeyBytes { key in value.withUTF8Buffer { unsafe setUTF8(key, $0) } }
    }

    /// A string made at run time.
    public func setAttribute(_ key: StaticString, string value: String) {
        guard unsafe slot != nil else { return }
        key.withKeyBytes { key in unsafe value.withLentUTF8 { unsafe setUTF8(key, $0) } }
    }

    /// A value of any type; the arrays, and bytes, come this way alone. Disfavoured, so that a literal goes
    /// to the setter for its type.
    @_disfavoredOverload
    public func setAttribute(_ key: StaticString, _ value: AttributeValue) {
        key.withKeyBytes { set($0, value) }
    }

    /// An attribute whose key is data, such as a header's name: interned keys would stay for ever.
    public func setAttribute(named key: String, _ value: AttributeValue) {
        guard isRecording else { return }
        unsafe key.withLentUTF8 { utf8 in
            if let bytes = unsafe KeyBytes(lent: utf8) { set(bytes, value) }
        }
    }

    /// Adds an event whose name is data.
    public func addEvent(
        named name: String, at timeUnixNano: UInt64? = nil, attributes: SpanAttributes? = nil
    ) {
        guard isRecording else { return }
        unsafe name.withLentUTF8 { unsafe addEvent($0, at: timeUnixNano, attributes) }
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
}

extension KeyBytes {
    /// A key that is only there for the call; nil for an empty one, which is none.
    @inline(__always)
    fileprivate init?(lent utf8: UnsafeBufferPointer<UInt8>) {
        guard let base = utf8.baseAddress, utf8.count > 0 else { return nil }
        unsafe pointer = unsafe UnsafeRawPointer(base)
        count = utf8.count
        usualCount = count
        filterBit = unsafe FilterBit(key: pointer, count)
        isInterned = false
    }
}

extension StaticString {
    /// A literal of one character may have no address of its own; then it gets one here.
    @inline(__always)
    fileprivate func withKeyBytes(_ body: (KeyBytes) -> Void) {
        withUTF8Buffer { utf8 in
            if let bytes = unsafe KeyBytes(lent: utf8) { body(bytes) }
        }
    }
}
