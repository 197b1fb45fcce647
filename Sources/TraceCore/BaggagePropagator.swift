// The header `baggage`. Source: W3C Baggage (grammar, limits); OpenTelemetry specification, "Propagators API".
// Extraction never fails a request: a malformed member is skipped, and the rest kept.

/// Injects and extracts baggage as the W3C header. Stateless; any thread.
public enum BaggagePropagator {
    /// The header it reads and writes.
    public static let fields = ["baggage"]
    /// The most members that are written, and read.
    public static let memberCountMax = 180
    /// The most bytes that are written, commas included, and looked at when reading.
    public static let byteCountMax = 8192

    // MARK: Injection

    /// Writes `baggage` in place of lines of that name; without an entry that can travel, nothing changes.
    ///
    /// Values are percent-encoded. What has no room is left out whole, and later entries that fit still go.
    /// Names that are no token (RFC 9110) cannot travel; metadata that is no list of properties is left out.
    public static func inject(_ baggage: Baggage, into headers: inout HeaderBuffer) {
        guard !baggage.isEmpty else { return }
        let header = header(baggage)
        guard !header.isEmpty else { return }
        headers.remove("baggage")
        unsafe headers.append("baggage", valueCount: header.count) { value in
            unsafe header.withUnsafeBytes { unsafe value.copyMemory(from: $0) }
        }
    }

    /// The header's value; empty when nothing of it can travel.
    static func header(_ baggage: Baggage) -> [UInt8] {
        var header: [UInt8] = []
        var memberCount = 0
        for (name, entry) in baggage.entries where memberCount < memberCountMax {
            guard BaggageSyntax.isToken(name) else { continue }
            let metadata = BaggageSyntax.properties(entry.metadata) ?? ""
            let separators = (header.isEmpty ? 0 : 1) + 1 + (metadata.isEmpty ? 0 : 1)
            let room =
                byteCountMax - header.count - separators - name.utf8.count - metadata.utf8.count
            guard BaggageSyntax.encodedFits(entry.value, in: room) else { continue }
            if !header.isEmpty { header.append(UInt8(ascii: ",")) }
            header.append(contentsOf: name.utf8)
            header.append(UInt8(ascii: "="))
            BaggageSyntax.encode(entry.value, into: &header)
            if !metadata.isEmpty {
                header.append(UInt8(ascii: ";"))
                header.append(contentsOf: metadata.utf8)
            }
            memberCount += 1
        }
        return header
    }

    // MARK: Extraction

    /// The baggage in the headers, several lines joined in their order; nil when there is no well-formed
    /// member. Of members with the same name the last counts, in the place of the first.
    ///
    /// Reading stops after `byteCountMax` bytes or `memberCountMax` members, however much there is: a member
    /// that is cut there is not taken.
    public static func extract(from headers: HeaderBuffer) -> Baggage? {
        var reader = Reader()
        unsafe headers.forEachValue(of: "baggage") { unsafe reader.read($0) }
        return reader.baggage.isEmpty ? nil : reader.baggage
    }

    private struct Reader {
        var baggage = Baggage()
        private var memberCount = 0
        /// What is left of `byteCountMax`.
        private var room = byteCountMax
        private var isFirstLine = true

        mutating func read(_ line: UnsafeRawBufferPointer) {
            // The comma that would join this line to the one before.
            if !isFirstLine { room -= 1 }
            isFirstLine = false
            guard room > 0 else { return }
            let count = line.count
            let end = min(count, room)
            room -= end
            var start = 0
            while start < end {
                var stop = start
                while unsafe stop < end && line[stop] != UInt8(ascii: ",") { stop += 1 }
                // The member goes on beyond what may be read.
                if unsafe stop == end && end < count && line[end] != UInt8(ascii: ",") { break }
                guard memberCount < memberCountMax else {
                    room = 0
                    return
                }
                let member = unsafe UnsafeRawBufferPointer(rebasing: line[start..<stop])
                if let (name, entry) = unsafe BaggageSyntax.parse(member) {
                    baggage[name] = entry
                    memberCount += 1
                }
                start = stop + 1
            }
        }
    }
}

/// The grammar of a member, on bytes. Source: W3C Baggage, "Header Content".
enum BaggageSyntax {
    /// `name = value ; properties`, with blanks around each; nil when it is malformed.
    static func parse(_ member: UnsafeRawBufferPointer) -> (String, Baggage.Entry)? {
        let member = unsafe HeaderValue.trimmed(member)
        let count = member.count
        var nameEnd = 0
        while unsafe nameEnd < count && isTokenByte(member[nameEnd]) { nameEnd += 1 }
        guard nameEnd > 0 else { return nil }
        var start = nameEnd
        while unsafe start < count && HeaderValue.isBlank(member[start]) { start += 1 }
        guard unsafe start < count && member[start] == UInt8(ascii: "=") else { return nil }
        start += 1
        var end = start
        while unsafe end < count && member[end] != UInt8(ascii: ";") { end += 1 }
        let encoded = unsafe HeaderValue.trimmed(
            UnsafeRawBufferPointer(rebasing: member[start..<end]))
        guard let value = unsafe decode(encoded) else { return nil }
        var metadata = ""
        if end < count {
            let properties = unsafe HeaderValue.trimmed(
                UnsafeRawBufferPointer(rebasing: member[(end + 1)...]))
            guard let text = unsafe self.properties(properties) else { return nil }
            metadata = text
        }
        let name = unsafe String(decoding: member[..<nameEnd], as: UTF8.self)
        return (name, Baggage.Entry(value: value, metadata: metadata))
    }

    // MARK: Properties

    /// Text of the form `key;key=value;…`, blanks allowed around each part; nil for anything else. Empty
    /// properties are left out: the grammar has none, and other parsers drop the whole member for one.
    static func properties(_ text: String) -> String? {
        var text = text
        return text.withUTF8 { unsafe properties(UnsafeRawBufferPointer($0)) }
    }

    private static func properties(_ bytes: UnsafeRawBufferPointer) -> String? {
        var kept: [UInt8] = []
        kept.reserveCapacity(bytes.count)
        var start = 0
        while start < bytes.count {
            var end = start
            while unsafe end < bytes.count && bytes[end] != UInt8(ascii: ";") { end += 1 }
            let property = unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            start = end + 1
            if unsafe HeaderValue.trimmed(property).isEmpty { continue }
            guard unsafe isProperty(property) else { return nil }
            if !kept.isEmpty { kept.append(UInt8(ascii: ";")) }
            unsafe kept.append(contentsOf: property)
        }
        // The blanks around the whole are those of the member.
        return HeaderValue.trimmed(String(decoding: kept, as: UTF8.self))
    }

    private static func isProperty(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let property = unsafe HeaderValue.trimmed(bytes)
        let count = property.count
        var index = 0
        while unsafe index < count && isTokenByte(property[index]) { index += 1 }
        guard index > 0 else { return false }
        while unsafe index < count && HeaderValue.isBlank(property[index]) { index += 1 }
        if index == count { return true }
        guard unsafe property[index] == UInt8(ascii: "=") else { return false }
        let value = unsafe HeaderValue.trimmed(
            UnsafeRawBufferPointer(rebasing: property[(index + 1)...]))
        for byte in 0..<value.count where unsafe !isValueByte(value[byte]) { return false }
        return true
    }

    // MARK: Values

    /// The text that a value's bytes stand for: `%XX` is a byte, `+` is itself, what is not UTF-8 becomes
    /// U+FFFD. Nil when a byte may not be there, or a `%` is not followed by two digits.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> String? {
        let count = bytes.count
        var percentCount = 0
        for index in 0..<count {
            let byte = unsafe bytes[index]
            guard isValueByte(byte) else { return nil }
            if byte == UInt8(ascii: "%") { percentCount += 1 }
        }
        if percentCount == 0 { return unsafe String(decoding: bytes, as: UTF8.self) }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(count)
        var index = 0
        while index < count {
            let byte = unsafe bytes[index]
            index += 1
            guard byte == UInt8(ascii: "%") else {
                decoded.append(byte)
                continue
            }
            guard index + 1 < count, let high = unsafe digit(bytes[index]),
                let low = unsafe digit(bytes[index + 1])
            else { return nil }
            decoded.append(high << 4 | low)
            index += 2
        }
        return String(decoding: decoded, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    /// Whether the value takes at most `room` bytes once encoded. Looks at no more bytes than that.
    static func encodedFits(_ value: String, in room: Int) -> Bool {
        var room = room
        for byte in value.utf8 {
            if room < 0 { return false }
            room -= isPlainByte(byte) ? 1 : 3
        }
        return room >= 0
    }

    static func encode(_ value: String, into header: inout [UInt8]) {
        for byte in value.utf8 {
            if isPlainByte(byte) {
                header.append(byte)
            } else {
                header.append(UInt8(ascii: "%"))
                header.append(upperDigit(byte >> 4))
                header.append(upperDigit(byte & 15))
            }
        }
    }

    private static func upperDigit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? 0x30 + nibble : 0x37 + nibble
    }

    // MARK: Characters

    static func isToken(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy(isTokenByte)
    }

    /// RFC 9110, section 5.6.2: letters, digits and ``!#$%&'*+-.^_`|~``.
    static func isTokenByte(_ byte: UInt8) -> Bool {
        isMember(byte, 0x03ff_6cfa_0000_0000, 0x57ff_ffff_c7ff_fffe)
    }

    /// `baggage-octet`: printable, without blank, quote, comma, semicolon and backslash.
    static func isValueByte(_ byte: UInt8) -> Bool {
        isMember(byte, 0xf7ff_effa_0000_0000, 0x7fff_ffff_efff_ffff)
    }

    /// What is sent as it is: value bytes but `%`, and but `+` and `=`, which other parsers have been known
    /// to take for a blank and for the end of a name.
    static func isPlainByte(_ byte: UInt8) -> Bool {
        isMember(byte, 0xd7ff_e7da_0000_0000, 0x7fff_ffff_efff_ffff)
    }

    /// Whether the byte's bit is set: bytes 0…63 in the first word, 64…127 in the second.
    @inline(__always)
    private static func isMember(_ byte: UInt8, _ low: UInt64, _ high: UInt64) -> Bool {
        byte < 128 && (byte < 64 ? low : high) >> UInt64(byte & 63) & 1 != 0
    }
}
