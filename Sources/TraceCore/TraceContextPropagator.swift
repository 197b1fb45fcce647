// The headers traceparent and tracestate. Source: W3C Trace Context Level 2.
// Extraction never fails a request: what is malformed is as if absent.

/// Injects and extracts a span context as W3C headers. Stateless; any thread.
public enum TraceContextPropagator {
    /// The headers it reads and writes.
    public static let fields = ["traceparent", "tracestate"]

    static let traceparentBytes = 55
    /// More than this of `tracestate` is discarded unread: 32 members of the largest size, and as much
    /// again for blanks.
    static let traceStateBytesMax = 2 * 32 * 514

    /// Writes `traceparent`, and `tracestate` when there is one, in place of lines of those names.
    /// An invalid context changes nothing. Flags that W3C has no bit for stay behind.
    public static func inject(_ context: SpanContext, into headers: inout HeaderBuffer) {
        guard context.isValid else { return }
        headers.remove("traceparent")
        headers.remove("tracestate")
        unsafe headers.append("traceparent", valueCount: traceparentBytes) { value in
            unsafe write(context, to: value.baseAddress!)
        }
        if !context.traceState.isEmpty { injectState(context.traceState, into: &headers) }
    }

    @inline(never)
    private static func injectState(_ state: TraceState, into headers: inout HeaderBuffer) {
        unsafe state.withUTF8 { members in
            if members.count <= TraceStateSyntax.byteCountMax {
                unsafe appendState(members, to: &headers)
            } else {
                unsafe TraceStateSyntax.shortened(Array(members)).withUnsafeBytes {
                    unsafe appendState($0, to: &headers)
                }
            }
        }
    }

    private static func appendState(
        _ members: UnsafeRawBufferPointer, to headers: inout HeaderBuffer
    ) {
        guard unsafe !members.isEmpty else { return }
        unsafe headers.append("tracestate", valueCount: members.count) { value in
            unsafe value.copyMemory(from: members)
        }
    }

    /// The context in the headers, marked remote; nil when there is none or `traceparent` is malformed
    /// or comes twice. Lines of `tracestate` are joined in their order; a malformed one is dropped alone.
    public static func extract(from headers: HeaderBuffer) -> SpanContext? {
        var context: SpanContext?
        var parentCount = 0
        var stateCount = 0
        unsafe headers.forEachLine { name, value in
            if unsafe HeaderName.isSame(name, "traceparent") {
                parentCount += 1
                context = unsafe parse(value)
            } else if unsafe HeaderName.isSame(name, "tracestate") {
                stateCount += 1
            }
        }
        guard parentCount == 1 else { return nil }
        // Only now: a state without a parent is not worth reading.
        if stateCount > 0, context != nil {
            context?.traceState =
                stateCount == 1 ? singleState(in: headers) : joinedState(in: headers)
        }
        return context
    }

    /// The state in the only line. A sampling threshold alone, the most frequent one by far, takes no memory.
    @inline(never)
    private static func singleState(in headers: HeaderBuffer) -> TraceState {
        var state = TraceState.empty
        unsafe headers.forEachValue(of: "tracestate") { line in
            if let threshold = unsafe threshold(HeaderValue.trimmed(line)) {
                state = TraceState(threshold: threshold)
            } else if line.count < traceStateBytesMax {
                state = unsafe self.state([UInt8](line))
            }
        }
        return state
    }

    /// The state in all lines, joined in their order.
    @inline(never)
    private static func joinedState(in headers: HeaderBuffer) -> TraceState {
        var joined: [UInt8] = []
        var isTooLong = false
        unsafe headers.forEachValue(of: "tracestate") { value in
            guard joined.count + value.count < traceStateBytesMax else {
                isTooLong = true
                return
            }
            if !joined.isEmpty { joined.append(UInt8(ascii: ",")) }
            unsafe joined.append(contentsOf: value)
        }
        return isTooLong ? .empty : state(joined)
    }

    private static func state(_ members: [UInt8]) -> TraceState {
        // A state that is known as it stands is well-formed, and the spans of a trace bring the same again.
        if let known = TraceStateTable.known(members) { return known }
        return TraceStateSyntax.normalize(members).map(TraceStateTable.intern) ?? .empty
    }

    /// Reads `ot=th:` with 1…14 digits and nothing else; nil for any other state, and where a zero at the
    /// end says that this is not the shortest form.
    private static func threshold(_ members: UnsafeRawBufferPointer) -> UInt64? {
        let prefix: StaticString = "ot=th:"
        let digits = members.count - prefix.utf8CodeUnitCount
        guard digits >= 1, digits <= 14 else { return nil }
        for index in 0..<prefix.utf8CodeUnitCount
        where unsafe members[index] != prefix.utf8Start[index] { return nil }
        var threshold: UInt64 = 0
        for index in prefix.utf8CodeUnitCount..<members.count {
            guard let digit = unsafe LowerHexadecimal.digit(members[index]) else { return nil }
            threshold = threshold << 4 | UInt64(digit)
        }
        guard digits == 1 || threshold & 15 != 0 else { return nil }
        return threshold << UInt64(4 * (14 - digits))
    }

    /// `00-<trace id>-<span id>-<flags>`, 55 bytes.
    @inline(__always)
    static func write(_ context: SpanContext, to value: UnsafeMutableRawPointer) {
        unsafe value.storeBytes(of: UInt16(0x3030), as: UInt16.self)
        unsafe value.storeBytes(of: UInt8(ascii: "-"), toByteOffset: 2, as: UInt8.self)
        unsafe Hexadecimal.write(context.traceID.high, to: value + 3)
        unsafe Hexadecimal.write(context.traceID.low, to: value + 19)
        unsafe value.storeBytes(of: UInt8(ascii: "-"), toByteOffset: 35, as: UInt8.self)
        unsafe Hexadecimal.write(context.spanID.rawValue, to: value + 36)
        unsafe value.storeBytes(of: UInt8(ascii: "-"), toByteOffset: 52, as: UInt8.self)
        unsafe value.storeBytes(of: UInt8(ascii: "0"), toByteOffset: 53, as: UInt8.self)
        unsafe value.storeBytes(
            of: UInt8(ascii: "0") + context.flags.onWire, toByteOffset: 54, as: UInt8.self)
    }

    /// Reads a traceparent: version 00 exactly 55 characters, a later version 55 and then `-…`;
    /// lower-case digits only; ids not zero. Unknown flag bits are dropped.
    static func parse(_ header: UnsafeRawBufferPointer) -> SpanContext? {
        let value = unsafe HeaderValue.trimmed(header)
        guard value.count >= traceparentBytes else { return nil }
        let dash = UInt8(ascii: "-")
        guard unsafe value[2] == dash, unsafe value[35] == dash, unsafe value[52] == dash,
            let version = unsafe LowerHexadecimal.byte(value, 0), version != 0xff,
            let high = unsafe LowerHexadecimal.number(value, from: 3),
            let low = unsafe LowerHexadecimal.number(value, from: 19),
            let span = unsafe LowerHexadecimal.number(value, from: 36),
            let flags = unsafe LowerHexadecimal.byte(value, 53)
        else { return nil }
        if value.count > traceparentBytes,
            unsafe version == 0 || value[traceparentBytes] != dash
        {
            return nil
        }
        let context = SpanContext(
            traceID: TraceID(high: high, low: low), spanID: SpanID(rawValue: span),
            flags: TraceFlags(rawValue: TraceFlags(rawValue: flags).onWire), isRemote: true)
        return context.isValid ? context : nil
    }
}

extension TraceStateSyntax {
    /// What must travel at least, and does at most.
    static let byteCountMax = 512

    /// At most 512 bytes: whole members are dropped, those over 128 bytes first, then from the end.
    static func shortened(_ state: [UInt8]) -> [UInt8] {
        guard state.count > byteCountMax else { return state }
        var members = state.split(separator: UInt8(ascii: ","))
        func size() -> Int { members.reduce(0) { $0 + $1.count + 1 } - 1 }
        for index in members.indices.reversed() where members[index].count > 128 {
            if size() <= byteCountMax { break }
            members.remove(at: index)
        }
        while size() > byteCountMax { members.removeLast() }
        return Array(members.joined(separator: [UInt8(ascii: ",")]))
    }
}

extension TraceStateTable {
    /// The state that is interned with exactly these bytes.
    fileprivate static func known(_ bytes: [UInt8]) -> TraceState? {
        table.withLock { table in table.known[bytes].map { TraceState(handle: $0) } }
    }
}

/// Lower-case hexadecimal only, eight digits at a time.
enum LowerHexadecimal {
    /// The 16 digits from `offset` on, which the caller knows to be there; nil when one is no digit.
    @inline(__always)
    static func number(_ bytes: UnsafeRawBufferPointer, from offset: Int) -> UInt64? {
        let first = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        let second = unsafe bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
        guard let high = eight(first), let low = eight(second) else { return nil }
        return UInt64(high) << 32 | UInt64(low)
    }

    @inline(__always)
    static func byte(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt8? {
        guard let high = unsafe digit(bytes[offset]), let low = unsafe digit(bytes[offset + 1])
        else { return nil }
        return high << 4 | low
    }

    @inline(__always)
    static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte &- 0x30
        case 0x61...0x66: byte &- 0x57
        default: nil
        }
    }

    /// Eight digits in one word; nil when one of them is not `0-9a-f`.
    @inline(__always)
    private static func eight(_ text: UInt64) -> UInt32? {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        guard text & highs == 0 else { return nil }
        // In each byte: bit 7 is set when the byte is at least the bound.
        let atLeast0 = text &+ (0x80 - 0x30) &* ones
        let above9 = text &+ (0x80 - 0x3a) &* ones
        let atLeastA = text &+ (0x80 - 0x61) &* ones
        let aboveF = text &+ (0x80 - 0x67) &* ones
        let isDigit = atLeast0 & ~above9
        let isLetter = atLeastA & ~aboveF
        guard (isDigit | isLetter) & highs == highs else { return nil }
        let letterOnes = (isLetter & highs) >> 7
        // '0'…'9' → low nibble; 'a'…'f' → low nibble + 9.
        var nibbles = (text & 0x0f0f_0f0f_0f0f_0f0f) &+ letterOnes &* 9
        // First character is the most significant nibble and the lowest byte.
        nibbles = nibbles.byteSwapped
        nibbles = (nibbles | nibbles >> 4) & 0x00ff_00ff_00ff_00ff
        nibbles = (nibbles | nibbles >> 8) & 0x0000_ffff_0000_ffff
        nibbles = nibbles | nibbles >> 16
        return UInt32(truncatingIfNeeded: nibbles)
    }
}
