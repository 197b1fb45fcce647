// The ticket of a span: which slot, which life of that slot, and the context to pass on.
// Any thread may use any copy of it; calls on a span that has ended do nothing.
import CThread
import Synchronization

/// A started span. A plain value: copying it costs nothing and counts no references.
/// One compare-and-swap lets each call in; two threads on one span take turns.
@safe public struct ActiveSpan: Sendable {
    // Safe because slots are never unmapped, and `word` matches only in the life the ticket is for.
    nonisolated(unsafe) let slot: SlotPointer?
    /// The producer of the thread that started the span.
    // Safe because producers are never freed, and what threads share of them is atomic.
    nonisolated(unsafe) let starter: ProducerPointer?
    /// The slot's state word while this ticket is good.
    let word: UInt64
    /// What children and other services are told; valid after the span has ended, too.
    public let context: SpanContext

    @inline(__always)
    init(slot: SlotPointer, starter: ProducerPointer, word: UInt64, context: SpanContext) {
        unsafe self.slot = unsafe slot
        unsafe self.starter = unsafe starter
        self.word = word
        self.context = context
    }

    /// A span that does not record.
    @inline(__always)
    init(context: SpanContext) {
        unsafe slot = nil
        unsafe starter = nil
        word = 0
        self.context = context
    }

    /// Whether the span still takes attributes: it records and has not ended.
    public var isRecording: Bool {
        guard let slot = unsafe slot else { return false }
        let state = unsafe slot.pointee.state.load(ordering: .acquiring)
        return state | SlotState.flags == word | SlotState.flags && state & SlotState.live != 0
    }

    /// The right to touch the slot, if the span still lives; the caller releases it.
    @inline(__always)
    func acquire() -> SlotHold? {
        guard let slot = unsafe slot, let starter = unsafe starter else { return nil }
        return unsafe SlotHold.acquire(slot, starter: starter, word: word)
    }

    @inline(__always)
    func release(_ hold: SlotHold) { hold.release(word: word) }

    /// Reads the slot, if the span still lives.
    func read<Value>(_ body: (SlotPointer, CorePointer) -> Value) -> Value? {
        guard let hold = acquire() else { return nil }
        defer { hold.release(word: word) }
        return unsafe body(hold.slot, hold.producer.pointee.core)
    }

    // MARK: Attributes

    /// A value of any type; the arrays, and bytes, come this way alone. Disfavoured, so that a literal goes
    /// to the setter for its type.
    @_disfavoredOverload
    public func setAttribute(_ key: AttributeKey, _ value: AttributeValue) {
        set(key.keyBytes, value)
    }

    public func setAttribute(_ key: AttributeKey, _ value: Int) {
        if addUsual(key, int: value) { return }
        addUnusual(key, int: value)
    }

    public func setAttribute(_ key: AttributeKey, _ value: Double) {
        if addUsual(key, double: value) { return }
        addUnusual(key, double: value)
    }

    public func setAttribute(_ key: AttributeKey, _ value: Bool) {
        if addUsual(key, bool: value) { return }
        addUnusual(key, bool: value)
    }

    @inlinable
    public func setAttribute(_ key: AttributeKey, _ value: StaticString) {
        // Inlined, since the value is nearly always a literal, and then this is decided.
        guard value.hasPointerRepresentation else {
            return setAttribute(key, string: String(value.unicodeScalar))
        }
        unsafe setLiteral(key, value.utf8Start, value.utf8CodeUnitCount)
    }

    @usableFromInline
    func setLiteral(_ key: AttributeKey, _ utf8: UnsafePointer<UInt8>, _ count: Int) {
        if unsafe addUsual(key, utf8: utf8, count) { return }
        unsafe addUnusual(key, utf8: utf8, count)
    }

    /// A string made at run time. Native Swift strings are read in place.
    public func setAttribute(_ key: AttributeKey, string value: String) {
        guard unsafe slot != nil else { return }
        unsafe value.withLentUTF8 { unsafe setUTF8(key, $0) }
    }

    /// A string whose UTF-8 the caller already has. Bytes that are not UTF-8 make an invalid export.
    public func setAttribute(_ key: AttributeKey, utf8 value: Span<UInt8>) {
        unsafe value.withUnsafeBufferPointer { unsafe setUTF8(key, $0) }
    }

    /// Adds a list encoded before: one copy when the span has no attributes yet.
    public func setAttributes(_ attributes: SpanAttributes) {
        guard let hold = acquire() else { return }
        unsafe SlotWriter.add(hold.slot, hold.producer, attributes)
        hold.release(word: word)
    }

    func set(_ key: KeyBytes, _ value: AttributeValue) {
        guard let hold = acquire() else { return }
        let limit = unsafe Int(hold.slot.pointee.limits.pointee.attributeValueLength)
        unsafe value.truncated(to: limit).encoded.withUnsafeBytes { bytes in
            unsafe SlotWriter.addAttribute(hold.slot, hold.producer, key, valueCount: bytes.count) {
                unsafe Wire.copy(bytes.baseAddress!, bytes.count, &$0)
            }
        }
        hold.release(word: word)
    }

    // MARK: Events, links, status, name

    /// Adds an event. - Parameter timeUnixNano: nanoseconds of Unix time; nil reads the clock.
    public func addEvent(
        _ name: SpanName, at timeUnixNano: UInt64? = nil, attributes: SpanAttributes? = nil
    ) {
        guard let hold = acquire() else { return }
        unsafe SlotWriter.addEvent(
            hold.slot, hold.producer, name: name.bytes.pointer, name.bytes.count,
            timeUnixNano: timeUnixNano ?? SpanEnding.now(hold.slot, hold.producer), attributes)
        hold.release(word: word)
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
        guard let hold = acquire() else { return }
        unsafe SlotWriter.addLink(
            hold.slot, hold.producer, context, attributes)
        hold.release(word: word)
    }

    /// Ok is final, error beats unset, setting unset does nothing; only an error keeps a message, of which
    /// the first 4,160 bytes.
    public func setStatus(_ status: SpanStatus, _ message: String = "") {
        guard unsafe slot != nil else { return }
        unsafe message.withLentUTF8 { utf8 in
            guard let hold = acquire() else { return }
            unsafe SlotWriter.setStatus(
                hold.slot, hold.producer, status,
                message: utf8.baseAddress.map { unsafe UnsafeRawPointer($0) }, utf8.count)
            hold.release(word: word)
        }
    }

    public func updateName(_ name: SpanName) {
        guard let hold = acquire() else { return }
        unsafe SlotWriter.updateName(hold.slot, hold.producer, name.nameBytes)
        hold.release(word: word)
    }

    /// Gives the span a name made at run time; longer than 4,160 bytes it is cut.
    public func updateName(_ name: String) {
        guard unsafe slot != nil else { return }
        unsafe name.withLentUTF8 { utf8 in
            guard let base = utf8.baseAddress, let hold = acquire() else { return }
            unsafe SlotWriter.updateName(
                hold.slot, hold.producer,
                NameBytes(pointer: UnsafeRawPointer(base), count: utf8.count, .lent))
            hold.release(word: word)
        }
    }

    // MARK: End

    /// Ends the span: its bytes go to the queue, its slot to the next span. Only the first call counts.
    /// Waits for room where the recorder is set to; never allocates.
    /// - Parameter endTimeUnixNano: nanoseconds of Unix time, not before the start; nil reads the clock.
    @inlinable
    public func end(at endTimeUnixNano: UInt64? = nil) {
        if let endTimeUnixNano { endThen(endTimeUnixNano) } else { endNow() }
    }

    @usableFromInline
    func endNow() {
        guard let slot = unsafe slot else { return }
        let starter = unsafe starter.unsafelyUnwrapped
        if unsafe SpanEnding.endUsual(slot, starter: starter, word: word, at: nil) { return }
        endUnusual(nil)
    }

    @usableFromInline
    func endThen(_ endTimeUnixNano: UInt64) {
        guard let slot = unsafe slot else { return }
        let starter = unsafe starter.unsafelyUnwrapped
        if unsafe SpanEnding.endUsual(slot, starter: starter, word: word, at: endTimeUnixNano) {
            return
        }
        endUnusual(endTimeUnixNano)
    }

    @inline(never)
    private func endUnusual(_ endTimeUnixNano: UInt64?) {
        guard let hold = acquire() else { return }
        SpanEnding.end(hold, word: word, at: endTimeUnixNano)
    }
}

private enum ExceptionNames {
    static let event = SpanName("exception")
    static let type = AttributeKey("exception.type")
    static let message = AttributeKey("exception.message")
    static let stacktrace = AttributeKey("exception.stacktrace")
}
