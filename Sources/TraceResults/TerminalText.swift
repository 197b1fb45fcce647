// Text from outside (names in scenarios, other machines' answers) before it goes to a terminal:
// nothing in it may move the cursor, recolour, or turn the reading direction.

/// Text made fit for a terminal.
public enum TerminalText {
    /// `text` with every control and direction character replaced by its number, as `\u{1b}`.
    ///
    /// A tab and a line feed are control characters too: what is shown stays on its line.
    public static func neutralised(_ text: some StringProtocol) -> String {
        guard text.unicodeScalars.contains(where: isDangerous) else { return String(text) }
        var safe = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if isDangerous(scalar) {
                safe.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
            } else {
                safe.append(scalar)
            }
        }
        return String(safe)
    }

    /// The columns `text` takes: wide characters two, joining ones none. An approximation that is
    /// right for Latin, Greek, Cyrillic, CJK and common emoji.
    public static func width(_ text: some StringProtocol) -> Int {
        text.reduce(0) { sum, character in
            guard let first = character.unicodeScalars.first else { return sum }
            return sum + (isWide(first) ? 2 : 1)
        }
    }

    /// `text` cut to `columns` with an ellipsis, and padded to them.
    public static func fitted(_ text: some StringProtocol, columns: Int) -> String {
        let cut = truncated(text, columns: columns)
        return cut + String(repeating: " ", count: max(0, columns - width(cut)))
    }

    /// `text` padded on the left to `columns`; longer text is left as it is.
    public static func rightAligned(_ text: some StringProtocol, columns: Int) -> String {
        String(repeating: " ", count: max(0, columns - width(text))) + text
    }

    /// `text` cut to `columns` with an ellipsis where something was cut.
    public static func truncated(_ text: some StringProtocol, columns: Int) -> String {
        guard width(text) > columns else { return String(text) }
        guard columns > 0 else { return "" }
        var cut = ""
        var room = columns - 1
        for character in text {
            room -= width(String(character))
            if room < 0 { break }
            cut.append(character)
        }
        return cut + "…"
    }

    /// `text` in lines of at most `columns`, broken between words; a longer word has a line of its
    /// own. Every line but the first begins with `indent`, which counts.
    public static func wrapped(_ text: String, columns: Int, indent: String) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, width(line) + 1 + width(word) > columns {
                lines.append(line)
                line = ""
            }
            if line.isEmpty {
                line = (lines.isEmpty ? "" : indent) + word
            } else {
                line += " " + word
            }
        }
        if !line.isEmpty { lines.append(line) }
        return lines
    }

    private static func isDangerous(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        // `format` holds the direction marks and overrides; of them only the joiners, which make
        // up emoji and words of several scripts, change nothing but shapes.
        case .control, .lineSeparator, .paragraphSeparator, .surrogate: true
        case .format: scalar != "\u{200C}" && scalar != "\u{200D}"
        default: false
        }
    }

    private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF,
            0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F,
            0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            true
        default: false
        }
    }
}
