// The one escape of everything that is written for readers of markup: names come from files and may hold
// anything. What a reader would take for markup is written as its number, and so is what would steer a
// terminal or turn the direction of the text around it.

/// Text that shows as it is and does nothing.
enum EscapedText {
    /// For HTML, SVG and XML, in an element or between quotes.
    static func markup(_ words: String) -> String {
        // Most names are plain: one look at their bytes, no copy.
        guard !words.utf8.allSatisfy({ isPlainInMarkup($0) }) else { return words }
        return escaped(words, limit: .max) { scalar in
            scalar.value > 0x7F || isPlainInMarkup(UInt8(truncatingIfNeeded: scalar.value))
        }
    }

    /// For Markdown, which reads nearly every sign, and the HTML in it; cut with an ellipsis where it would take
    /// more than `limit` characters.
    static func markdown(_ words: String, limit: Int = 800) -> String {
        escaped(words, limit: limit) { scalar in
            scalar.value > 127 || scalar.properties.isAlphabetic
                || (0x30...0x39).contains(scalar.value)
                || " .,%+-()".unicodeScalars.contains(scalar)
        }
    }

    private static func isPlainInMarkup(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "&"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""),
            UInt8(ascii: "'"):
            false
        default: (0x20...0x7E).contains(byte)
        }
    }

    private static func escaped(
        _ words: String, limit: Int, isPlain: (Unicode.Scalar) -> Bool
    ) -> String {
        var safe = ""
        var count = 0
        for scalar in TerminalText.neutralised(words).unicodeScalars {
            let shown =
                switch scalar {
                // XML has no way to write them.
                case "\u{FFFE}", "\u{FFFF}": "\u{FFFD}"
                default: isPlain(scalar) ? String(scalar) : "&#\(scalar.value);"
                }
            count += shown.unicodeScalars.count
            guard count < limit else { return safe + "…" }
            safe += shown
        }
        return safe
    }
}
