// Attributes and events named where they are set: by a literal, with nothing to declare before, or by a text
// made at run time. A literal is interned when it is first seen and found by its address from then on, so it costs about
// what an `AttributeKey` made once does; a text made at run time is hashed each time.
import CThread

extension ActiveSpan {
    public func setAttribute(_ key: StaticString, _ value: Int) {
        guard unsafe slot != nil else { return }
        let key = AttributeKey(literal: key)
        if addUsual(key, int: value) { return }
        addUnusual(key, int: value)
    }

    public func setAttribute(_ key: StaticString, _ value: Double) {
        guard unsafe slot != nil else { return }
        let key = AttributeKey(literal: key)
        if addUsual(key, double: value) { return }
        addUnusual(key, double: value)
    }

    public func setAttribute(_ key: StaticString, _ value: Bool) {
        guard unsafe slot != nil else { return }
        let key = AttributeKey(literal: key)
        if addUsual(key, bool: value) { return }
        addUnusual(key, bool: value)
    }

    public func setAttribute(_ key: StaticString, _ value: StaticString) {
        guard unsafe slot != nil else { return }
        let key = AttributeKey(literal: key)
        value.withUTF8Buffer { unsafe setUTF8(key, $0) }
    }

    /// A string made at run time.
    public func setAttribute(_ key: StaticString, string value: String) {
        guard unsafe slot != nil else { return }
        let key = AttributeKey(literal: key)
        unsafe value.withLentUTF8 { unsafe setUTF8(key, $0) }
    }

    /// A value of any type; the arrays, and bytes, come this way alone. Disfavoured, so that a literal goes
    /// to the setter for its type.
    @_disfavoredOverload
    public func setAttribute(_ key: StaticString, _ value: AttributeValue) {
        guard unsafe slot != nil else { return }
        set(AttributeKey(literal: key).keyBytes, value)
    }

    /// An attribute whose key is data, such as a header's name. Only the first 512 keys of a process are kept.
    public func setAttribute(named key: String, _ value: AttributeValue) {
        guard isRecording else { return }
        unsafe key.withLentUTF8 { utf8 in
            if let bytes = unsafe KeyBytes(data: utf8) { set(bytes, value) }
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
        guard unsafe slot != nil else { return }
        addEvent(SpanName(literal: name), at: timeUnixNano, attributes: attributes)
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
    /// A key that is data: interned already, or only there for the call; nil for an empty one, which is none.
    fileprivate init?(data utf8: UnsafeBufferPointer<UInt8>) {
        guard let base = utf8.baseAddress, utf8.count > 0 else { return nil }
        let bytes = UnsafeRawBufferPointer(utf8)
        if let record = unsafe KeyNumbers.record(of: bytes) {
            self = unsafe AttributeKey(record: record).keyBytes
            return
        }
        unsafe pointer = unsafe UnsafeRawPointer(base)
        count = utf8.count
        usualCount = count
        filterBit = unsafe KeyNumbers.hashedBit(of: bytes)
    }
}
