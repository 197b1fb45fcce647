// The ticket of a span: which slot, which life of that slot, and the context to pass on.
// Any thread may use any copy of it; calls on a span that has ended do nothing.
import CThread
import Synchronization

/// A started span. A plain value: copying it costs nothing and counts no references.
/// One compare-and-swap lets each call in; two threads on one span take turns.
@safe public struct ActiveSpan: Sendable {
    // Safe because slots are never unmapped, and `word` matches only in the life the ticket is for.
    private nonisolated(unsafe) let slot: SlotPointer?
    /// The slot's state word while this ticket is good.
    private let word: UInt64
    /// What children and other services are told; valid after the span has ended, too.
    public let context: SpanContext

    @inline(__always)
    init(slot: SlotPointer, word: UInt64, context: SpanContext) {
        unsafe self.slot = unsafe slot
        self.word = word
        self.context = context
    }

    /// A span that does not record.
    @inline(__always)
    init(context: SpanContext) {
        unsafe slot = nil
        word = 0
        self.context = context
    }

    /// Whether the span still takes attributes: it records and has not ended.
    public var isRecording: Bool {
        guard let slot = unsafe slot else { return false }
        let state = unsafe slot.pointee.state.load(ordering: .acquiring)
        return state | SlotState.busy == word | SlotState.busy
    }

    /// The slot, if the span still lives; the caller owns it until `release`.
    @inline(__always)
    private func acquire() -> SlotPointer? {
        guard let slot = unsafe slot else { return nil }
        // acquire: pairs with the release of whoever had the slot before.
        let exchanged = unsafe slot.pointee.state.compareExchange(
            expected: word, desired: word | SlotState.busy, ordering: .acquiring
        ).exchanged
        return unsafe exchanged || contend(slot) ? slot : nil
    }

    /// Another thread is in the slot, or the span has ended.
    @inline(never)
    private func contend(_ slot: SlotPointer) -> Bool {
        var spins = 0
        while true {
            let (exchanged, current) = unsafe slot.pointee.state.weakCompareExchange(
                expected: word, desired: word | SlotState.busy, ordering: .acquiring)
            if exchanged { return true }
            if current | SlotState.busy != word | SlotState.busy { return false }
            spins += 1
            if spins & 63 == 0 { Backoff.yield() } else { tracemill_pause() }
        }
    }

    @inline(__always)
    private func release(_ slot: SlotPointer) {
        // release: publishes what this call wrote; pairs with the acquire of the next one in.
        unsafe slot.pointee.state.store(word, ordering: .releasing)
    }

    // MARK: Attributes

    public func setAttribute(_ key: AttributeKey, _ value: Int) {
        unsafe add(key, ValueBytes.count(int: Int64(value))) {
            unsafe ValueBytes.write(int: Int64(value), &$0)
        }
    }

    public func setAttribute(_ key: AttributeKey, _ value: Double) {
        unsafe add(key, ValueBytes.doubleCount) { unsafe ValueBytes.write(double: value, &$0) }
    }

    public func setAttribute(_ key: AttributeKey, _ value: Bool) {
        unsafe add(key, ValueBytes.boolCount) { unsafe ValueBytes.write(bool: value, &$0) }
    }

    public func setAttribute(_ key: AttributeKey, _ value: StaticString) {
        guard value.hasPointerRepresentation else {
            setAttribute(key, string: String(value.unicodeScalar))
            return
        }
        unsafe setUTF8(key, UnsafeRawPointer(value.utf8Start), value.utf8CodeUnitCount)
    }

    /// A string made at run time. Native Swift strings are read in place.
    public func setAttribute(_ key: AttributeKey, string value: String) {
        guard unsafe slot != nil else { return }
        let isInPlace: Void? = unsafe value.utf8.withContiguousStorageIfAvailable { utf8 in
            guard let base = utf8.baseAddress else {
                unsafe add(key, 2) { cursor in
                    unsafe Wire.byte(0x0a, &cursor)
                    unsafe Wire.byte(0, &cursor)
                }
                return
            }
            unsafe setUTF8(key, UnsafeRawPointer(base), utf8.count)
        }
        if isInPlace == nil {
            var native = value
            native.makeContiguousUTF8()
            setAttribute(key, string: native)
        }
    }

    /// A string whose UTF-8 the caller already has. Bytes that are not UTF-8 make an invalid export.
    public func setAttribute(_ key: AttributeKey, utf8 value: Span<UInt8>) {
        unsafe value.withUnsafeBufferPointer { utf8 in
            guard let base = utf8.baseAddress else { return }
            unsafe setUTF8(key, UnsafeRawPointer(base), utf8.count)
        }
    }

    /// Adds a list encoded before: one copy when the span has no attributes yet.
    public func setAttributes(_ attributes: SpanAttributes) {
        guard let slot = unsafe acquire() else { return }
        unsafe SlotWriter.add(slot, RecorderCore.producer(slot.pointee.core), attributes)
        unsafe release(slot)
    }

    @inline(__always)
    private func add(
        _ key: AttributeKey, _ valueCount: Int, _ writeValue: (inout Cursor) -> Void
    ) {
        guard let slot = unsafe acquire() else { return }
        unsafe SlotWriter.addAttribute(
            slot, key: key.bytes.pointer, key.bytes.count, isKeyPadded: true,
            filterBit: key.filterBit, valueCount: valueCount, writeValue)
        unsafe release(slot)
    }

    @inline(__always)
    private func setUTF8(_ key: AttributeKey, _ bytes: UnsafeRawPointer, _ count: Int) {
        guard let slot = unsafe acquire() else { return }
        var kept = count
        if unsafe count > Int(slot.pointee.limits.attributeValueLength) {
            kept = unsafe Utf8.prefixCount(
                bytes, count, scalars: Int(slot.pointee.limits.attributeValueLength))
        }
        unsafe SlotWriter.addAttribute(
            slot, key: key.bytes.pointer, key.bytes.count, isKeyPadded: true,
            filterBit: key.filterBit, valueCount: ValueBytes.count(utf8Count: kept)
        ) { unsafe ValueBytes.write(utf8: bytes, kept, &$0) }
        unsafe release(slot)
    }

    // MARK: Events, links, status, name

    /// Adds an event. - Parameter timeUnixNano: nanoseconds of Unix time; nil reads the clock.
    public func addEvent(
        _ name: SpanName, at timeUnixNano: UInt64? = nil, attributes: SpanAttributes? = nil
    ) {
        guard let slot = unsafe acquire() else { return }
        let producer = unsafe RecorderCore.producer(slot.pointee.core)
        unsafe SlotWriter.addEvent(
            slot, producer, name: name.bytes.pointer, name.bytes.count,
            timeUnixNano: timeUnixNano ?? SpanEnding.now(slot, producer), attributes)
        unsafe release(slot)
    }

    /// Records an exception as the event `exception` (semantic conventions, "Exceptions on spans").
    public func recordException(
        type: String, message: String, stacktrace: String = "", at timeUnixNano: UInt64? = nil
    ) {
        guard isRecording else { return }
        var attributes = SpanAttributes()
        attributes.set(ExceptionNames.type, type)
        attributes.set(ExceptionNames.message, message)
        if !stacktrace.isEmpty { attributes.set(ExceptionNames.stacktrace, stacktrace) }
        addEvent(ExceptionNames.event, at: timeUnixNano, attributes: attributes)
    }

    public func addLink(_ context: SpanContext, attributes: SpanAttributes? = nil) {
        guard let slot = unsafe acquire() else { return }
        unsafe SlotWriter.addLink(
            slot, RecorderCore.producer(slot.pointee.core), context, attributes)
        unsafe release(slot)
    }

    /// Ok is final, error beats unset, setting unset does nothing; only an error keeps a message.
    public func setStatus(_ status: SpanStatus, _ message: String = "") {
        guard unsafe slot != nil else { return }
        var message = message
        message.withUTF8 { utf8 in
            guard let slot = unsafe acquire() else { return }
            unsafe SlotWriter.setStatus(
                slot, RecorderCore.producer(slot.pointee.core), status,
                message: utf8.baseAddress.map { unsafe UnsafeRawPointer($0) }, utf8.count)
            unsafe release(slot)
        }
    }

    public func updateName(_ name: SpanName) {
        guard let slot = unsafe acquire() else { return }
        unsafe SlotWriter.updateName(
            slot, RecorderCore.producer(slot.pointee.core), name.bytes.pointer, name.bytes.count,
            isImmortal: true)
        unsafe release(slot)
    }

    /// Gives the span a name made at run time; longer than 4,160 bytes it is cut.
    public func updateName(_ name: String) {
        guard unsafe slot != nil else { return }
        var name = name
        name.withUTF8 { utf8 in
            guard let base = utf8.baseAddress, let slot = unsafe acquire() else { return }
            unsafe SlotWriter.updateName(
                slot, RecorderCore.producer(slot.pointee.core), UnsafeRawPointer(base), utf8.count,
                isImmortal: false)
            unsafe release(slot)
        }
    }

    // MARK: End

    /// Ends the span: its bytes go to the queue, its slot to the next span. Only the first call counts.
    /// Waits for room where the recorder is set to; never allocates.
    /// - Parameter endTimeUnixNano: nanoseconds of Unix time, not before the start; nil reads the clock.
    public func end(at endTimeUnixNano: UInt64? = nil) {
        guard let slot = unsafe acquire() else { return }
        unsafe SpanEnding.end(slot, word: word, at: endTimeUnixNano)
    }
}

private enum ExceptionNames {
    static let event = SpanName("exception")
    static let type = AttributeKey("exception.type")
    static let message = AttributeKey("exception.message")
    static let stacktrace = AttributeKey("exception.stacktrace")
}
