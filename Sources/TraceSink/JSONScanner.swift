// A checked cursor over JSON text (RFC 8259). It shares nothing with the exporter's writer of JSON.
// Every byte is compared with the end before it is read, and nesting ends at `JSONScanner.depthMax`.

/// Why bytes are not the JSON they should be.
struct JSONBodyError: Error, Equatable {
    enum Problem: String {
        case truncated = "the text ends in the middle of a value"
        case unexpected = "something else belongs here"
        case escape = "an escape that JSON does not have"
        case control = "a control character in a string"
        case notUTF8 = "not UTF-8"
        case trailing = "more than one value"
        case tooDeep = "values are nested too deep"
        case number = "a number that does not fit its field"
        case identifier = "an identifier that is not 32 or 16 hexadecimal digits"
        case base64 = "not base64"
        case noMemory = "no memory for its decoded form"
    }

    var problem: Problem
    /// Where, in bytes from the start.
    var offset: Int
}

extension JSONBodyError: CustomStringConvertible {
    var description: String { "\(problem.rawValue), at byte \(offset)" }
}

/// A string as it stands between its quotation marks.
@safe
struct JSONText {
    var bytes: UnsafeRawBufferPointer
    /// Whether a backslash is in it.
    var hasEscapes: Bool
    /// Where it begins.
    var offset: Int

    /// Whether it is `text`, letter by letter: names of OTLP need no escapes.
    @inline(__always)
    func isEqual(to text: StaticString) -> Bool {
        guard unsafe bytes.count == text.utf8CodeUnitCount, let base = unsafe bytes.baseAddress
        else { return unsafe bytes.count == text.utf8CodeUnitCount }
        for index in unsafe 0..<bytes.count
        where unsafe base.load(fromByteOffset: index, as: UInt8.self) != text.utf8Start[index] {
            return false
        }
        return true
    }
}

/// A cursor over one JSON text. It does not own the bytes, which must outlive it and must be UTF-8.
@safe
struct JSONScanner {
    /// Values inside each other, objects and lists each counted.
    static let depthMax = 200

    // Safe because every access below is preceded by a comparison with its count.
    private let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = bytes
    }

    func failure(_ problem: JSONBodyError.Problem) -> JSONBodyError {
        JSONBodyError(problem: problem, offset: position)
    }

    @inline(__always)
    private var current: UInt8? {
        unsafe position < bytes.count ? bytes[position] : nil
    }

    /// The next byte that is no white space, not taken.
    /// - Throws: at the end.
    @inline(__always)
    mutating func peek() throws(JSONBodyError) -> UInt8 {
        while let byte = current {
            if byte > 0x20 { return byte }
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else {
                throw failure(.unexpected)
            }
            position &+= 1
        }
        throw failure(.truncated)
    }

    /// Takes the next byte that is no white space, if it is this one.
    @inline(__always)
    mutating func take(_ byte: UInt8) throws(JSONBodyError) -> Bool {
        guard try peek() == byte else { return false }
        position &+= 1
        return true
    }

    @inline(__always)
    mutating func expect(_ byte: UInt8) throws(JSONBodyError) {
        guard try take(byte) else { throw failure(.unexpected) }
    }

    /// Nothing but white space is left.
    mutating func end() throws(JSONBodyError) {
        while let byte = current {
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else {
                throw failure(.trailing)
            }
            position &+= 1
        }
    }

    /// Takes a `null`, if that comes.
    mutating func takeNull() throws(JSONBodyError) -> Bool {
        guard try peek() == UInt8(ascii: "n") else { return false }
        try word("null")
        return true
    }

    /// Takes `true` or `false`.
    mutating func bool() throws(JSONBodyError) -> Bool {
        if try peek() == UInt8(ascii: "t") {
            try word("true")
            return true
        }
        try word("false")
        return false
    }

    private mutating func word(_ text: StaticString) throws(JSONBodyError) {
        for index in 0..<text.utf8CodeUnitCount {
            guard let byte = current else { throw failure(.truncated) }
            guard unsafe byte == text.utf8Start[index] else { throw failure(.unexpected) }
            position &+= 1
        }
    }

    /// Takes a string; its escapes are checked when they are resolved.
    mutating func string() throws(JSONBodyError) -> JSONText {
        try expect(UInt8(ascii: "\""))
        let start = position
        var hasEscapes = false
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                let text = unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<position])
                position &+= 1
                return unsafe JSONText(bytes: text, hasEscapes: hasEscapes, offset: start)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                position = unsafe min(position &+ 2, bytes.count)
            case 0..<0x20: throw failure(.control)
            default: position &+= 1
            }
        }
        throw failure(.truncated)
    }

    /// Takes a number; its text is digits, sign, point and exponent.
    mutating func number() throws(JSONBodyError) -> UnsafeRawBufferPointer {
        _ = try peek()
        let start = position
        if current == UInt8(ascii: "-") { position &+= 1 }
        if current == UInt8(ascii: "0") { position &+= 1 } else { try digits() }
        if current == UInt8(ascii: ".") {
            position &+= 1
            try digits()
        }
        if let byte = current, byte | 0x20 == UInt8(ascii: "e") {
            position &+= 1
            if let sign = current, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
                position &+= 1
            }
            try digits()
        }
        return unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<position])
    }

    private mutating func digits() throws(JSONBodyError) {
        let start = position
        while let byte = current, byte &- 0x30 < 10 { position &+= 1 }
        guard position > start else {
            throw failure(current == nil ? .truncated : .unexpected)
        }
    }

    /// Passes over a value of any kind, checking it.
    mutating func skip(depth: Int) throws(JSONBodyError) {
        guard depth <= Self.depthMax else { throw failure(.tooDeep) }
        switch try peek() {
        case UInt8(ascii: "{"):
            position &+= 1
            if try take(UInt8(ascii: "}")) { return }
            repeat {
                let name = try string()
                try Self.check(name)
                try expect(UInt8(ascii: ":"))
                try skip(depth: depth + 1)
            } while try take(UInt8(ascii: ","))
            try expect(UInt8(ascii: "}"))
        case UInt8(ascii: "["):
            position &+= 1
            if try take(UInt8(ascii: "]")) { return }
            repeat { try skip(depth: depth + 1) } while try take(UInt8(ascii: ","))
            try expect(UInt8(ascii: "]"))
        case UInt8(ascii: "\""): try Self.check(try string())
        case UInt8(ascii: "t"), UInt8(ascii: "f"): _ = try bool()
        case UInt8(ascii: "n"): _ = try takeNull()
        default: _ = unsafe try number()
        }
    }

    private static func check(_ text: JSONText) throws(JSONBodyError) {
        guard text.hasEscapes else { return }
        var escapes = JSONUnescaper(text)
        while try escapes.next() != nil {}
    }
}

/// A string's contents, piece by piece, its escapes resolved. Half a surrogate pair becomes U+FFFD.
@safe
struct JSONUnescaper {
    /// A run of bytes that stand for themselves, or one character that was escaped.
    @safe
    enum Piece {
        case plain(UnsafeRawBufferPointer)
        case scalar(Unicode.Scalar)
    }

    private let text: JSONText
    private var position = 0

    init(_ text: JSONText) {
        self.text = text
    }

    private func failure() -> JSONBodyError {
        JSONBodyError(problem: .escape, offset: text.offset + position)
    }

    /// The next piece, nil at the end.
    mutating func next() throws(JSONBodyError) -> Piece? {
        let bytes = unsafe text.bytes
        guard position < bytes.count else { return nil }
        let start = position
        while position < bytes.count, unsafe bytes[position] != UInt8(ascii: "\\") {
            position &+= 1
        }
        if position > start {
            return unsafe .plain(UnsafeRawBufferPointer(rebasing: bytes[start..<position]))
        }
        guard position + 1 < bytes.count else { throw failure() }
        let letter = unsafe bytes[position + 1]
        position += 2
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            return .scalar(Unicode.Scalar(letter))
        case UInt8(ascii: "b"): return .scalar("\u{8}")
        case UInt8(ascii: "f"): return .scalar("\u{C}")
        case UInt8(ascii: "n"): return .scalar("\n")
        case UInt8(ascii: "r"): return .scalar("\r")
        case UInt8(ascii: "t"): return .scalar("\t")
        case UInt8(ascii: "u"): return .scalar(try unicode())
        default: throw failure()
        }
    }

    private mutating func unicode() throws(JSONBodyError) -> Unicode.Scalar {
        let unit = try fourDigits(at: position)
        position += 4
        if let scalar = Unicode.Scalar(unit) { return scalar }
        let bytes = unsafe text.bytes
        guard unit < 0xDC00, position + 6 <= bytes.count,
            unsafe bytes[position] == UInt8(ascii: "\\"),
            unsafe bytes[position + 1] == UInt8(ascii: "u")
        else { return "\u{FFFD}" }
        let low = try fourDigits(at: position + 2)
        guard low >= 0xDC00, low < 0xE000 else { return "\u{FFFD}" }
        position += 6
        return Unicode.Scalar(0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00)) ?? "\u{FFFD}"
    }

    private func fourDigits(at start: Int) throws(JSONBodyError) -> UInt32 {
        guard unsafe start + 4 <= text.bytes.count else { throw failure() }
        var value: UInt32 = 0
        for index in start..<start + 4 {
            guard let digit = unsafe HexDigit.value(text.bytes[index]) else { throw failure() }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}

/// Hexadecimal digits of either case.
enum HexDigit {
    @inline(__always)
    static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte &- 0x30
        case 0x41...0x46: byte &- 0x37
        case 0x61...0x66: byte &- 0x57
        default: nil
        }
    }
}
