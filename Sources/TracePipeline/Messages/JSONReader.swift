// A small reader of JSON (RFC 8259) for servers' answers: forward only, bounded, from bytes that may be
// anything.

/// Bytes that are not JSON, or not the JSON that was expected.
enum JSONError: Error, Equatable {
    case malformed
    /// Values inside each other beyond ``JSONReader/depthMax``.
    case tooDeep
}

/// Reads one value after the other. O(bytes); strings are the only thing that allocates.
struct JSONReader: ~Escapable {
    static let depthMax = 64

    private let bytes: RawSpan
    private var position = 0

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) {
        self.bytes = bytes
    }

    /// The next byte that is no white space, not taken; nil at the end.
    @_lifetime(self: copy self)
    mutating func peek() -> UInt8? {
        while let byte = current {
            guard [0x20, 0x09, 0x0A, 0x0D].contains(byte) else { return byte }
            position += 1
        }
        return nil
    }

    /// Passes over the next byte that is no white space, if it is that one.
    @_lifetime(self: copy self)
    mutating func take(_ expected: Character) -> Bool {
        guard let byte = peek(), byte == expected.asciiValue else { return false }
        position += 1
        return true
    }

    /// Begins an object, or goes on behind a member's value: the next member's name, its colon taken;
    /// nil behind the closing brace.
    ///
    /// - Parameter isFirst: true for the call that takes the opening brace.
    @_lifetime(self: copy self)
    mutating func member(isFirst: inout Bool) throws(JSONError) -> String? {
        guard !isFirst || take("{") else { throw .malformed }
        if take("}") { return nil }
        guard isFirst || take(",") else { throw .malformed }
        isFirst = false
        let name = try string()
        guard take(":") else { throw .malformed }
        return name
    }

    /// Nothing but white space is left.
    @_lifetime(self: copy self)
    mutating func end() throws(JSONError) {
        guard peek() == nil else { throw .malformed }
    }

    /// Whether a `null` came, which is passed over.
    @_lifetime(self: copy self)
    mutating func takeNull() throws(JSONError) -> Bool {
        guard peek() == UInt8(ascii: "n") else { return false }
        try literal("null")
        return true
    }

    /// A whole number, or one in a string, as protobuf's JSON mapping has 64-bit ones.
    @_lifetime(self: copy self)
    mutating func integer() throws(JSONError) -> Int64 {
        let text = peek() == UInt8(ascii: "\"") ? try string() : try number()
        if let value = Int64(text) { return value }
        // `1e3` and `5.0` are whole numbers too.
        guard let value = Double(text), let whole = Int64(exactly: value) else { throw .malformed }
        return whole
    }

    /// A string, its escapes resolved; a half of a surrogate pair alone becomes U+FFFD.
    @_lifetime(self: copy self)
    mutating func string() throws(JSONError) -> String {
        guard take("\"") else { throw .malformed }
        var text: [UInt8] = []
        while let byte = current {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let result = String(validating: text, as: UTF8.self) else {
                    throw .malformed
                }
                return result
            case UInt8(ascii: "\\"): text += String(try escape()).utf8
            case 0..<0x20: throw .malformed
            default: text.append(byte)
            }
        }
        throw .malformed
    }

    /// Passes over a value of any kind.
    @_lifetime(self: copy self)
    mutating func skip(depth: Int = 1) throws(JSONError) {
        guard depth <= Self.depthMax else { throw .tooDeep }
        switch peek() {
        case UInt8(ascii: "{"):
            var isFirst = true
            while try member(isFirst: &isFirst) != nil { try skip(depth: depth + 1) }
        case UInt8(ascii: "["):
            _ = take("[")
            if take("]") { return }
            repeat { try skip(depth: depth + 1) } while take(",")
            guard take("]") else { throw .malformed }
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        default: _ = try number()
        }
    }

    // MARK: Inside

    private var current: UInt8? {
        position < bytes.byteCount
            ? unsafe bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self) : nil
    }

    @_lifetime(self: copy self)
    private mutating func literal(_ text: String) throws(JSONError) {
        for byte in text.utf8 {
            guard current == byte else { throw .malformed }
            position += 1
        }
    }

    /// A number's text: `-`? digits, fraction?, exponent?, no leading zeros.
    @_lifetime(self: copy self)
    private mutating func number() throws(JSONError) -> String {
        _ = peek()
        let start = position
        if current == UInt8(ascii: "-") { position += 1 }
        if current == UInt8(ascii: "0") { position += 1 } else { try digits() }
        if current == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if let byte = current, byte | 0x20 == UInt8(ascii: "e") {
            position += 1
            if let sign = current, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
                position += 1
            }
            try digits()
        }
        let text = bytes.extracting(start..<position)
        return unsafe text.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }

    @_lifetime(self: copy self)
    private mutating func digits() throws(JSONError) {
        let start = position
        while let byte = current, (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw .malformed }
    }

    @_lifetime(self: copy self)
    private mutating func escape() throws(JSONError) -> Unicode.Scalar {
        guard let byte = current else { throw .malformed }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw .malformed
        }
        let unit = try fourDigits()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard unit < 0xDC00, current == UInt8(ascii: "\\") else { return "\u{FFFD}" }
        var ahead = self
        ahead.position += 1
        guard ahead.current == UInt8(ascii: "u") else { return "\u{FFFD}" }
        ahead.position += 1
        let low = try ahead.fourDigits()
        guard (0xDC00...0xDFFF).contains(low) else { return "\u{FFFD}" }
        self = ahead
        return Unicode.Scalar(0x1_0000 + (unit - 0xD800) << 10 + (low - 0xDC00)) ?? "\u{FFFD}"
    }

    @_lifetime(self: copy self)
    private mutating func fourDigits() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue
            else { throw .malformed }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}
