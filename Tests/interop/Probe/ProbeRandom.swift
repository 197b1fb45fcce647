// Values for spans, drawn from a seed: every attribute type, and the values at their ends.

import TraceCore

/// SplitMix64 (Steele, Lea, Flood 2014).
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}

/// Draws from the generator.
struct ProbeRandom {
    var generator: SplitMix

    static let texts = [
        "", "a", "GET /orders/{id}", "naïve café", "日本語のテキスト", "🧵🪡 threads", "e\u{301}",
        "tab\tnewline\nquote\"backslash\\", "\u{0}\u{1}\u{1f}", "\u{2028}\u{feff}\u{10ffff}",
        "</script>", "%41+b c",
    ]
    static let ints = [
        0, 1, -1, 127, 128, -128, 1 << 31, 1 << 53, (1 << 53) + 1, -(1 << 53) - 1, .max, .min,
    ]
    static let doubles = [
        0, -0.0, 1, -1.5, 0.1, 1.0 / 3, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
        2.2250738585072014e-308, 1e21,
        1e-7, 123456789.125, .infinity, -.infinity, .nan,
    ]

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }

    mutating func one<Element>(of list: [Element]) -> Element { list[below(list.count)] }

    mutating func text() -> String {
        switch below(8) {
        case 0: String(repeating: one(of: Self.texts.dropFirst().map { $0 }), count: 1 + below(60))
        case 1: String(repeating: "x", count: one(of: [126, 127, 128, 300, 4_096, 16_500]))
        default: one(of: Self.texts)
        }
    }

    mutating func count() -> Int { one(of: [0, 1, 2, 3, 5, 20]) }

    mutating func value() -> AttributeValue {
        switch below(9) {
        case 0: return .string(text())
        case 1:
            return .int(
                below(2) == 0 ? one(of: Self.ints) : Int(bitPattern: UInt(generator.next())))
        case 2: return .double(below(2) == 0 ? one(of: Self.doubles) : double())
        case 3: return .bool(below(2) == 0)
        case 4: return .strings((0..<count()).map { _ in text() })
        case 5: return .ints((0..<count()).map { _ in one(of: Self.ints) })
        case 6: return .doubles((0..<count()).map { _ in one(of: Self.doubles) })
        case 7: return .bools((0..<count()).map { _ in below(2) == 0 })
        default: return .bytes((0..<one(of: [0, 1, 16, 300])).map { _ in UInt8(below(256)) })
        }
    }

    /// Any finite number, by its bits.
    private mutating func double() -> Double {
        while true {
            let value = Double(bitPattern: generator.next())
            if value.isFinite { return value }
        }
    }

    /// Pairs whose keys may repeat: a later one overwrites the earlier.
    mutating func attributes(_ most: Int) -> [(key: String, value: AttributeValue)] {
        (0..<below(most + 1)).map { _ in
            (key: one(of: ["http.route", "n", "ключ", "a.b.c"]) + ".\(below(12))", value: value())
        }
    }

    /// Nanoseconds of Unix time, of this decade.
    mutating func time() -> UInt64 { 1_700_000_000_000_000_000 &+ generator.next() % (1 << 57) }

    mutating func nonZero() -> UInt64 { generator.next() | 1 }
}
