// Whether and how output is coloured: on a terminal only, and never against NO_COLOR
// (https://no-color.org).

import Glibc

/// Colours for a terminal, or none.
public struct TerminalStyle: Sendable, Equatable {
    /// Whether colours are used.
    public var isColoured: Bool

    /// A style with or without colours.
    public init(isColoured: Bool) {
        self.isColoured = isColoured
    }

    /// No colours.
    public static let plain = TerminalStyle(isColoured: false)

    /// Colours when `descriptor` is a terminal that takes them and the user has not declined.
    public static func detected(on descriptor: Int32) -> TerminalStyle {
        detected(
            isTerminal: isatty(descriptor) == 1, noColour: variable("NO_COLOR"),
            terminal: variable("TERM"))
    }

    /// The rule: `NO_COLOR` set to anything but nothing declines; so does a dumb terminal.
    static func detected(isTerminal: Bool, noColour: String?, terminal: String?) -> TerminalStyle {
        TerminalStyle(
            isColoured: isTerminal && (noColour ?? "").isEmpty && terminal != "dumb")
    }

    /// The columns of the terminal behind `descriptor`; 80 when it does not tell.
    public static func columns(of descriptor: Int32) -> Int {
        var size = winsize()
        let status = unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size)
        return status == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }

    /// Bold.
    public func bold(_ text: String) -> String { wrapped(text, "1") }
    /// Faint.
    public func dim(_ text: String) -> String { wrapped(text, "2") }
    /// What is as it should be.
    public func good(_ text: String) -> String { wrapped(text, "32") }
    /// What somebody should look at.
    public func warning(_ text: String) -> String { wrapped(text, "33") }
    /// What is wrong.
    public func bad(_ text: String) -> String { wrapped(text, "1;31") }

    /// A colour by number, the same for the same; none of them is that of errors.
    public func coloured(_ text: String, _ number: Int) -> String {
        let codes = ["36", "33", "35", "32", "34", "96", "93", "95", "92", "94"]
        return wrapped(text, codes[number % codes.count])
    }

    private func wrapped(_ text: String, _ code: String) -> String {
        isColoured ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }

    private static func variable(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}
