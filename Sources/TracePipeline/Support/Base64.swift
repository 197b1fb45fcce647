// Base64 with padding (RFC 4648, section 4): byte values in JSON, Basic authentication.

enum Base64 {
    /// Digits for so many bytes, padding included.
    static func digitCount(_ byteCount: Int) -> Int { (byteCount + 2) / 3 * 4 }

    /// Gives the digits of `bytes` to `put`, one after the other.
    static func encode(_ bytes: RawSpan, _ put: (UInt8) -> Void) {
        var index = 0
        while index < bytes.byteCount {
            let taken = min(3, bytes.byteCount - index)
            var bits: UInt32 = 0
            for offset in 0..<taken {
                let byte = unsafe bytes.unsafeLoad(fromByteOffset: index + offset, as: UInt8.self)
                bits |= UInt32(byte) << UInt32(16 - 8 * offset)
            }
            for place in 0..<4 {
                put(place > taken ? UInt8(ascii: "=") : digit(bits >> UInt32(18 - 6 * place) & 63))
            }
            index += 3
        }
    }

    /// The digits of `text` in UTF-8.
    static func encode(_ text: String) -> String {
        var digits: [UInt8] = []
        let bytes = Array(text.utf8)
        encode(unsafe bytes.span.bytes) { digits.append($0) }
        return String(decoding: digits, as: UTF8.self)
    }

    private static func digit(_ value: UInt32) -> UInt8 {
        let value = UInt8(truncatingIfNeeded: value)
        return switch value {
        case 0..<26: UInt8(ascii: "A") + value
        case 26..<52: UInt8(ascii: "a") + (value - 26)
        case 52..<62: UInt8(ascii: "0") + (value - 52)
        case 62: UInt8(ascii: "+")
        default: UInt8(ascii: "/")
        }
    }
}
