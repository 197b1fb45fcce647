// HTML and SVG as text. Names of elements and attributes are the program's own; everything else goes
// through one escape, so that a name from a file is never read as markup.

/// A piece of HTML or SVG that is well-formed as XML, too.
public struct Markup: Sendable, Equatable {
    /// Attributes in the order in which they are written.
    public typealias Attributes = KeyValuePairs<StaticString, String>

    /// What was written so far.
    public private(set) var text = ""

    /// An empty piece.
    public init() {}

    /// Writes `<name …>body</name>`.
    public mutating func element(
        _ name: StaticString, _ attributes: Attributes = [:], _ body: (inout Markup) -> Void
    ) {
        open(name, attributes)
        text += ">"
        body(&self)
        text += "</\(name)>"
    }

    /// Writes `<name …>text</name>`, the text escaped.
    public mutating func element(
        _ name: StaticString, _ attributes: Attributes = [:], text words: String
    ) {
        element(name, attributes) { $0.write(words) }
    }

    /// Writes `<name …/>`.
    public mutating func element(_ name: StaticString, _ attributes: Attributes) {
        open(name, attributes)
        text += "/>"
    }

    /// Writes text, escaped.
    public mutating func write(_ words: String) {
        text += EscapedText.markup(words)
    }

    /// Adds another piece behind this one.
    public mutating func append(_ other: Markup) {
        text += other.text
    }

    /// Writes what is the program's own and markup already, such as a style sheet.
    mutating func writeOwn(_ words: String) {
        text += words
    }

    private mutating func open(_ name: StaticString, _ attributes: Attributes) {
        text += "<\(name)"
        for (name, value) in attributes { text += " \(name)=\"\(EscapedText.markup(value))\"" }
    }

    /// A coordinate with at most one decimal; what is no number is 0, so that no file can break a drawing.
    static func coordinate(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e7 else { return "0" }
        let tenths = Int((value * 10).rounded())
        let sign = tenths < 0 ? "-" : ""
        let rest = abs(tenths % 10)
        return "\(sign)\(abs(tenths / 10))" + (rest == 0 ? "" : ".\(rest)")
    }
}
