// The headers traceparent and tracestate. Source: W3C Trace Context Level 2.
// Extraction never fails a request: what is malformed is as if absent.

/// Injects and extracts a span context as W3C headers. Stateless; any thread.
public enum TraceContextPropagator {
    /// The headers it reads and writes.
    public static let fields = ["traceparent", "tracestate"]

    static let traceparentBytes = 55

    /// Adds `traceparent`, and `tracestate` when there is one. An invalid context adds nothing.
    public static func inject(_ context: SpanContext, into headers: inout HeaderBuffer) {
        guard context.isValid else { return }
        unsafe headers.append("traceparent", valueCount: traceparentBytes) { value in
            unsafe write(context, to: value)
        }
        guard !context.traceState.isEmpty else { return }
        let state = TraceStateSyntax.shortened(context.traceState.bytes)
        guard !state.isEmpty else { return }
        unsafe headers.append("tracestate", valueCount: state.count) { value in
            unsafe state.withUnsafeBytes {
                unsafe value.copyMemory(from: $0.baseAddress!, byteCount: $0.count)
            }
        }
    }

    /// The context in the headers, marked remote; nil when there is none or `traceparent` is malformed
    /// or comes twice. A malformed `tracestate` is dropped alone.
    public static func extract(from headers: HeaderBuffer) -> SpanContext? {
        var context: SpanContext?
        var lineCount = 0
        unsafe headers.forEachValue(of: "traceparent") { value in
            lineCount += 1
            context = unsafe parse(value)
        }
        guard lineCount == 1, context != nil else { return nil }
        var stateLines: [UInt8] = []
        unsafe headers.forEachValue(of: "tracestate") { value in
            if !stateLines.isEmpty { stateLines.append(UInt8(ascii: ",")) }
            unsafe stateLines.append(contentsOf: value)
        }
        if !stateLines.isEmpty {
            context?.traceState =
                TraceState(header: String(decoding: stateLines, as: UTF8.self)) ?? .empty
        }
        return context
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
            of: UInt8(ascii: "0") + (context.flags.rawValue & 3), toByteOffset: 54, as: UInt8.self)
    }

    /// Reads a traceparent: version 00 exactly 55 characters, a later version 55 and then `-…`;
    /// lower-case digits only; ids not zero. Unknown flag bits are dropped.
    static func parse(_ header: UnsafeBufferPointer<UInt8>) -> SpanContext? {
        var start = 0
        var end = header.count
        while start < end, unsafe header[start] == 0x20 || header[start] == 0x09 { start += 1 }
        while end > start, unsafe header[end - 1] == 0x20 || header[end - 1] == 0x09 { end -= 1 }
        guard end - start >= traceparentBytes else { return nil }
        let value = unsafe UnsafeBufferPointer(rebasing: header[start..<end])
        let dash = UInt8(ascii: "-")
        guard unsafe value[2] == dash, unsafe value[35] == dash, unsafe value[52] == dash,
            let version = unsafe LowerHexadecimal.byte(value, 0), version != 0xff,
            let high = unsafe LowerHexadecimal.number(value, from: 3),
            let low = unsafe LowerHexadecimal.number(value, from: 19),
            let span = unsafe LowerHexadecimal.number(value, from: 36),
            let flags = unsafe LowerHexadecimal.byte(value, 53)
        else { return nil }
        if value.count > traceparentBytes, unsafe version == 0 || value[traceparentBytes] != dash {
            return nil
        }
        let context = SpanContext(
            traceID: TraceID(high: high, low: low), spanID: SpanID(rawValue: span),
            flags: TraceFlags(rawValue: flags & 3), isRemote: true)
        return context.isValid ? context : nil
    }
}

extension TraceStateSyntax {
    /// At most 512 bytes: whole members are dropped, those over 128 bytes first, then from the end.
    static func shortened(_ state: [UInt8]) -> [UInt8] {
        guard state.count > 512 else { return state }
        var members = state.split(separator: UInt8(ascii: ","))
        func size() -> Int { members.reduce(0) { $0 + $1.count + 1 } - 1 }
        for index in members.indices.reversed() where members[index].count > 128 {
            if size() <= 512 { break }
            members.remove(at: index)
        }
        while size() > 512 { members.removeLast() }
        return Array(members.joined(separator: [UInt8(ascii: ",")]))
    }
}

/// Lower-case hexadecimal only, eight digits at a time.
enum LowerHexadecimal {
    @inline(__always)
    static func number(_ bytes: UnsafeBufferPointer<UInt8>, from offset: Int) -> UInt64? {
        let raw = unsafe UnsafeRawPointer(bytes.baseAddress! + offset)
        let first = unsafe raw.loadUnaligned(as: UInt64.self)
        let second = unsafe raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        guard let high = eight(first), let low = eight(second) else { return nil }
        return UInt64(high) << 32 | UInt64(low)
    }

    @inline(__always)
    static func byte(_ bytes: UnsafeBufferPointer<UInt8>, _ offset: Int) -> UInt8? {
        guard let high = unsafe digit(bytes[offset]), let low = unsafe digit(bytes[offset + 1])
        else { return nil }
        return high << 4 | low
    }

    @inline(__always)
    private static func digit(_ byte: UInt8) -> UInt8? {
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
