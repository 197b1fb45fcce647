/// The words that random spans are made of. Keys and event names come from fixed lists, because a
/// tracer may intern them for ever; names and values are free.
public enum SampleText {
    /// 256 distinct attribute keys: a power of two, and twice the usual limit of attributes.
    public static let keys: [String] =
        [
            "k", "http.request.method", "url.path", "service.peer.name", "größe", "ключ", "鍵", "🔑",
            "key with spaces", "a.b.c.d.e.f", "UPPER", "quote\"back\\slash", "tab\there",
            String(repeating: "long", count: 50), "e\u{301}", "\u{E9}",
        ] + (16..<256).map { "tracemill.sample.\($0)" }

    /// Names of events, from a fixed list.
    public static let eventNames: [String] =
        ["exception", "cache.miss", "e", "retry нужен", "再試行", "✅ done"]
        + (0..<10).map { "event.\($0)" }

    private static let words = [
        "GET", "/api/v1/cart", "checkout", "日本語", "naïve", "e\u{301}", "👩‍👩‍👧‍👦", "\u{0}", "\u{7F}",
        "\u{FFFD}", "\u{10FFFF}", "\"quoted\"", "line\nbreak", "שלום", "0", "-", " ", "ß",
        "\u{FEFF}",
    ]

    private static let traceStates = [
        "vendor=value", "ot=th:8;rv:f123456789abcd", "a=1,b=2,c=3", "tenant@vendor=opaque value",
    ]

    /// A span name: mostly some words, seldom empty or 4 KiB.
    public static func name(using generator: inout SeededGenerator) -> String {
        generator.oneIn(8)
            ? value(using: &generator) : "\(generator.pick(words)) \(generator.next() % 1000)"
    }

    /// A value: empty, one word, some, any single scalar, exactly 127 or 128 bytes (where a length
    /// takes its second byte), or 4 KiB.
    public static func value(using generator: inout SeededGenerator) -> String {
        switch generator.next() % 32 {
        case 0...2: ""
        case 3...12: generator.pick(words)
        case 13...25:
            (0...(generator.next() % 6)).map { _ in generator.pick(words) }.joined(separator: "/")
        case 26...27: String(scalar(using: &generator))
        case 28: String(repeating: "x", count: 127)
        case 29: String(repeating: "y", count: 128)
        case 30: String(repeating: "é", count: 2048)
        default: String(repeating: "0123456789abcdef", count: 256)
        }
    }

    /// A valid tracestate header value, or none.
    public static func traceState(using generator: inout SeededGenerator) -> String {
        generator.oneIn(3) ? generator.pick(traceStates) : ""
    }

    private static func scalar(using generator: inout SeededGenerator) -> Unicode.Scalar {
        while true {
            let number = UInt32(truncatingIfNeeded: generator.next()) % 0x11_0000
            if let scalar = Unicode.Scalar(number) { return scalar }
        }
    }
}
