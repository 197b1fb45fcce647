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

    /// The text in UTF-8 that `digits` stand for, padded or not; nil when they are none, or no text.
    static func decode(_ digits: String) -> String? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        let significant = digits.utf8.prefix { $0 != UInt8(ascii: "=") }
        guard digits.utf8.dropFirst(significant.count).allSatisfy({ $0 == UInt8(ascii: "=") }),
            significant.count % 4 != 1
        else { return nil }
        for digit in significant {
            guard let value = value(digit) else { return nil }
            bits = bits << 6 | value
            count += 6
            guard count >= 8 else { continue }
            count -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func value(_ digit: UInt8) -> UInt32? {
        switch digit {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(digit - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(digit - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(digit - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
        default: nil
        }
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
